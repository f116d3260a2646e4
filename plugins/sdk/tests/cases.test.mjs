// The cases that the SDKs of all languages play: what one makes of them, all do.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { flatten, play } from "../../sdk-js/harness.js";
import { choice, family, fixed, neededWhen, owned, perEnvironment, place, secret, unless, urlSecret } from "../../sdk-js/sluice.js";

const table = {
  name: "case",
  options: [
    unless("url", place("host", "text", "")),
    place("port", "number", ""),
    place("url", "url", ""),
    owned("user", "text", ""),
    owned("auth/user", "text", ""),
    perEnvironment(fixed("ssl", "flag", "")),
    choice("mode", ["fast", "safe"], ""),
    owned("labels", "list-of-pairs", ""),
    owned("extra", "json", ""),
    fixed("fixedJson", "json", ""),
    fixed("pageSize", "number", ""),
  ],
  slots: [
    neededWhen("mode", ["safe"], secret("password", "password", "")),
    secret("token", "token", ""),
    urlSecret("url-password", "url", ""),
  ],
};

const cases = JSON.parse(readFileSync(new URL("cases.json", import.meta.url), "utf8"));
const kinds = ["tooljet", "lowcoder"].map((platform) => ({ platform, ...table }));
const transforming = family({ kinds, traits: () => ({}) });

for (const { title, expected, ...example } of cases) {
  test(title, () => {
    const { traits, notes, ...played } = play(transforming, example);
    if (notes) played.notes = notes.sort();
    assert.deepEqual(played, expected.options ? { ...expected, options: flatten(expected.options) } : expected);
  });
}
