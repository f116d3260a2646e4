// Makes build/plugin.wasm. The first run installs what package-lock.json pins.

import { execSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

process.chdir(import.meta.dirname);
if (!existsSync("node_modules")) execSync("npm ci --no-audit --no-fund", { stdio: "inherit" });

const { componentize } = await import("componentize-qjs");
// With WASI, of which the host gives a made-up one: what the runtime says of an exception goes into the log.
const { component } = await componentize({
  witPath: "wit/1.0",
  world: "data-source",
  jsPath: "src/plugin.js",
  // In its first line, so that the lines of a stack are those of the file.
  jsSource: `import "../sdk/console.js"; ${readFileSync("src/plugin.js", "utf8")}`,
  moduleRoot: ".",
  sync: true,
});
mkdirSync("build", { recursive: true });
writeFileSync("build/plugin.wasm", component);
