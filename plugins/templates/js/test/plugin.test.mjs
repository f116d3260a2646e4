// Tests of the plugin's own code, without WebAssembly: `npm test`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { flatten, play } from "../sdk/harness.js";
import { transforming } from "../src/plugin.js";

const example = JSON.parse(readFileSync(new URL("../example/orders.json", import.meta.url), "utf8"));

test("the example comes out as expected", () => {
  const { options, ...expected } = example.expected;
  assert.deepEqual(play(transforming, example), { options: flatten(options), ...expected });
});

test("an unverified certificate is noted", () => {
  const { notes } = play(transforming, { ...example, binding: { ...example.binding, tls: "off" } });
  assert.deepEqual(notes, ["tls.unverified"]);
});

test("the place of another environment is never used", () => {
  const { failure } = play(transforming, { ...example, binding: { account: "orders-app", tls: "verify" } });
  assert.deepEqual(failure, { tag: "incomplete", val: ["/url"] });
});
