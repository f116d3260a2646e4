import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { flatten, play } from "../sdk-js/harness.js";
import { transforming } from "./plugin.js";

const example = JSON.parse(readFileSync(new URL("example/orders.json", import.meta.url), "utf8"));

test("the example comes out as expected", () => {
  const { options, ...expected } = example.expected;
  assert.deepEqual(play(transforming, example), { options: flatten(options), ...expected });
});

test("without a region there is a warning and no endpoint", () => {
  const [authType] = example.binding.properties;
  const { traits, notes } = play(transforming, { ...example, binding: { ...example.binding, properties: [authType] } });
  assert.deepEqual(traits.endpoints, []);
  assert.ok(notes.includes("region.none"));
});

test("the key of another environment is never used", () => {
  const { failure } = play(transforming, { ...example, binding: { properties: example.binding.properties } });
  assert.deepEqual(failure, { tag: "incomplete", val: ["/authentication/username"] });
});
