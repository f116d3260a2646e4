import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { flatten, play } from "../sdk-js/harness.js";
import { transforming } from "./plugin.js";

const read = (name) => JSON.parse(readFileSync(new URL(`example/${name}.json`, import.meta.url), "utf8"));
const example = read("orders");

test("the examples come out as expected", () => {
  for (const of of [example, read("receipts")]) {
    const { options, ...expected } = of.expected;
    assert.deepEqual(play(transforming, of), { options: flatten(options), ...expected });
  }
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
