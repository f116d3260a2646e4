// The guest SDK for JavaScript: from a table of options to a plugin.
//
// A plugin says what its kinds' options and secrets are, what policies want to know of a rendered
// data source, and what is odd about it. From the table follow the description, the validation,
// the merge of the bundle's and the environment's options, and the mapping of credentials.
//
// A guest is pure. It has no clock, network, randomness or state between calls, and no secret's
// value ever reaches it.

// ---- A kind as data -------------------------------------------------------------------------

const option = (key, type, across, doc) => ({ key, type, across, doc, choices: [], need: "optional" });

/** An option that names, with its like, the place a source connects to. */
export const place = (key, type, doc) => option(key, type, "must-differ", doc);

/** An option that the environment owns. */
export const owned = (key, type, doc) => option(key, type, "may-differ", doc);

/** An option that means the same everywhere and comes with the bundle. */
export const fixed = (key, type, doc) => option(key, type, "must-match", doc);

/** A choice that means the same everywhere. */
export const choice = (key, choices, doc) => ({ ...fixed(key, "choice", doc), choices });

/** An option, or a secret, that must be there. */
export const required = (entry) => ({ ...entry, need: "required" });

/** An option that must be there unless the one with this key is. */
export const unless = (other, entry) => ({ ...entry, need: { unless: other } });

/**
 * An option that each environment decides for itself, and must where the bundle has it: how safely
 * a source connects is never another environment's to say.
 */
export const perEnvironment = (entry) => ({ ...entry, across: "may-differ", need: "like-bundle" });

const slot = (name, key, shape, doc) => ({ name, key, shape, doc, need: "optional" });

/** A secret that is the whole of an option. */
export const secret = (name, key, doc) => slot(name, key, { tag: "whole" }, doc);

/** The password in a URL. */
export const urlSecret = (name, key, doc) => slot(name, key, { tag: "url-userinfo" }, doc);

/** A secret without which the source is of no use where the option `key` is one of `texts`. */
export const neededWhen = (key, texts, entry) => ({ ...entry, need: { when: key, is: texts } });

/** Where ToolJet keeps how it stores an option: structure, so it comes with the bundle. */
const ENVELOPE = "/*/encrypted";

/** One kind, with its table made ready for questions. */
class Kind {
  constructor({ platform, name, options = [], slots = [] }) {
    Object.assign(this, { platform, name, options, slots });
    this.byKey = new Map(options.map((option) => [option.key, { option }]));
    for (const slot of slots) this.byKey.set(slot.key, { ...this.byKey.get(slot.key), slot });
  }

  /** Where an option's value stands. A key may name a nested one, as in `auth/username`. */
  at(key) {
    return this.platform === "tooljet" ? `/${key}/value` : `/${key}`;
  }

  /** What the table says of a leaf: its option and slot, and whether it lies deeper than they. */
  find(leaf) {
    if (!leaf.startsWith("/")) return {};
    const tokens = leaf.slice(1).split("/");
    if (this.platform === "tooljet") {
      if (tokens[1] === "encrypted") return { envelope: true };
      if (tokens[1] !== "value") return {};
      return { ...this.byKey.get(tokens[0]), deeper: tokens.length > 2 };
    }
    for (let length = tokens.length; length > 0; length -= 1) {
      const found = this.byKey.get(tokens.slice(0, length).join("/"));
      if (found) return { ...found, deeper: length < tokens.length };
    }
    return {};
  }

  /** The table in the contract's words. */
  describe() {
    const options = this.options.map((option) => ({
      at: this.at(option.key),
      ty: option.type,
      choices: option.choices,
      required: option.need === "required",
      acrossEnvironments: option.across,
      doc: option.doc,
    }));
    if (this.platform === "tooljet") {
      const doc = "How the platform stores the option";
      const envelope = { at: ENVELOPE, ty: "flag", choices: [], required: false, acrossEnvironments: "must-match", doc };
      options.push(envelope);
    }
    const slots = this.slots.map(({ name, key, shape, need, doc }) => ({
      name,
      at: this.at(key),
      shape,
      required: need === "required",
      doc,
    }));
    return { kind: { platform: this.platform, name: this.name }, slots, options };
  }
}

// ---- Options with what the table says of them -----------------------------------------------

/** Pointers in the order of their bytes. JavaScript's own order differs beyond the basic plane. */
function before(a, b) {
  let index = 0;
  while (index < a.length && a.charCodeAt(index) === b.charCodeAt(index)) index += 1;
  return (a.codePointAt(index) ?? -1) - (b.codePointAt(index) ?? -1);
}

/** Whether `leaf` is `at` or lies inside it. */
const covers = (at, leaf) => leaf === at || leaf.startsWith(`${at}/`);

/** Whether a value says nothing: `null` or an empty text. */
const isBlank = ({ tag, val }) => tag === "plain" && (val.tag === "none" || (val.tag === "text" && val.val === ""));

/** Whether two values are the same, bit for bit. */
function same(a, b) {
  if (a === null || typeof a !== "object" || b === null || typeof b !== "object") return Object.is(a, b);
  if (Array.isArray(a)) return a.length === b.length && a.every((item, index) => same(item, b[index]));
  return a.tag === b.tag && same(a.val, b.val);
}

/** What a text that stands for a flag says; `null` where that is not known. */
function flagOf(text) {
  if (["true", "enabled", "yes"].includes(text)) return true;
  return ["false", "disabled", "no"].includes(text) ? false : null;
}

/** Some options, sorted by pointer. */
class Options {
  constructor(kind, entries) {
    Object.assign(this, { kind, entries });
  }

  static of(kind, leaves) {
    return new Options(kind, leaves.map(({ at, value }) => ({ at, value, found: kind.find(at) })));
  }

  /** The leaf that is the whole of the option or secret with this key. */
  get(key) {
    const is = ({ found }) => !found.deeper && (found.option?.key === key || found.slot?.key === key);
    return this.entries.find(is)?.value;
  }

  /** Whether an option of the table, or anything in it, says something. */
  says(option) {
    return this.entries.some(({ found, value }) => found.option === option && !isBlank(value));
  }

  /**
   * The text of the option with this key as a person would write it, or `null` where there is none
   * or it is empty. Slots are shown by name, expressions in their braces.
   */
  text(key) {
    const value = this.get(key);
    if (!value) return null;
    if (value.tag === "composed") {
      const show = { literal: (text) => text, slot: (name) => `<${name}>`, expression: (inner) => `{{${inner}}}` };
      return value.val.map(({ tag, val }) => show[tag](val)).join("") || null;
    }
    return ["text", "digits", "number"].includes(value.val.tag) ? String(value.val.val) || null : null;
  }

  /** What the flag with this key says, where it says it in a way that is known; else `null`. */
  flag(key) {
    const value = this.get(key);
    if (value?.tag !== "plain") return null;
    if (value.val.tag === "flag") return value.val.val;
    return value.val.tag === "text" ? flagOf(value.val.val) : null;
  }
}

// ---- Judgement ------------------------------------------------------------------------------

/** What was noticed about a data source. `severity` is `note`, `warning` or `error`. */
export const finding = (severity, code, message, { at = null, fix = null } = {}) => ({ severity, code, at, message, fix });

/** The findings, unless one of them is an error. */
function passed(findings) {
  if (findings.some(({ severity }) => severity === "error")) throw { tag: "invalid", val: findings };
  return findings;
}

/** A number in decimal digits, as other languages read one too. */
const NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/;

const FITS = {
  text: ["a text", () => true],
  url: ["a URL with its scheme", (text) => text.includes("://")],
  number: ["a number", (text) => NUMBER.test(text) && Number.isFinite(Number(text))],
  flag: ["true or false", (text) => flagOf(text) !== null],
  choice: ["one of the choices", (text, { choices }) => choices.includes(text)],
};

/** What is wrong with the type of a leaf of this option. */
function illTyped({ option, deeper }, { at, value }) {
  if (option.type === "json") return [];
  const scalar = value.tag === "plain" ? value.val : { tag: "composed" };
  let [fits, wanted] = [true, "a list of names and values"];
  if (option.type === "list-of-pairs") {
    fits = deeper || ["empty-list", "none"].includes(scalar.tag) || isBlank(value);
  } else if (deeper) {
    [fits, wanted] = [false, "a single value"];
  } else {
    const [what, isOne] = FITS[option.type];
    wanted = what;
    if (scalar.tag === "text") fits = scalar.val === "" || isOne(scalar.val, option);
    else fits = ["composed", "none", option.type].includes(scalar.tag) || (option.type === "number" && scalar.tag === "digits");
  }
  if (fits) return [];
  const choices = option.type === "choice" ? `: ${option.choices.join(", ")}` : "";
  const code = option.type === "choice" ? "option.choice" : "option.type";
  return [finding("error", code, `\`${option.key}\` must be ${wanted}${choices}`, { at })];
}

/** Findings of each sort that are told one by one; a person reads no more, and the host takes 200. */
const MOST_TOLD = 40;

/** What is wrong or odd about options, by the kind's table. */
function judged(options) {
  const message = "this option is not known for the kind; the environment owns it";
  const isUnknown = ({ at, found }) => at !== "" && !found.option && !found.slot && !found.envelope;
  const wrong = options.entries.flatMap(({ at, value, found }) => (at !== "" && found.option ? illTyped(found, { at, value }) : []));
  const unknown = options.entries.filter(isUnknown).map(({ at }) => finding("note", "option.unknown", message, { at }));
  const more = unknown.length - MOST_TOLD;
  const rest = more > 0 ? [finding("note", "option.unknown", `${more} more options are not known for the kind`)] : [];
  return [...wrong.slice(0, MOST_TOLD), ...unknown.slice(0, MOST_TOLD), ...rest];
}

/** The pointers of required options that say nothing in the rendered source. */
function missing(kind, bundle, rendered) {
  const lacks = (option) => {
    if (option.need === "optional" || rendered.says(option)) return false;
    if (option.need === "like-bundle") return bundle.says(option);
    return !kind.options.some(({ key }) => key === option.need.unless && rendered.says(kind.byKey.get(key).option));
  };
  return kind.options.filter(lacks).map(({ key }) => kind.at(key));
}

/** An error when the rendered source connects to the very place that the bundle's does. */
function samePlace(kind, bundle, rendered) {
  const keys = kind.options.filter(({ across }) => across === "must-differ").map(({ key }) => key);
  const given = (options, key) => [options.get(key)].find((value) => value && !isBlank(value));
  const isExpression = ({ tag, val }) => tag === "composed" && val.some((part) => part.tag === "expression");
  const pairs = keys.map((key) => [given(bundle, key), given(rendered, key)]).filter(([a, b]) => a || b);
  if (pairs.length === 0 || !pairs.every(([a, b]) => a && b && same(a, b) && !isExpression(a))) return [];
  const message = `the target would connect to the same place as the source environment: \`${keys.join("`, `")}\` equal its options`;
  return [finding("error", "option.must-differ", message, { at: kind.at(keys[0]), fix: "bind the target's own place" })];
}

// ---- Merge ----------------------------------------------------------------------------------

/**
 * The options for the target, and what was noticed on the way. What must match comes from the
 * bundle; all else from the binding, byte for byte. A secret slot that is the whole of an option
 * stays where the bundle has it, being a place and not a value.
 */
function merge(kind, bundle, binding) {
  const isFixed = ({ envelope, option }) => envelope || option?.across === "must-match";
  const isSlot = ({ tag, val }) => tag === "composed" && val.length === 1 && val[0].tag === "slot";
  const isWhole = ({ deeper, slot }) => !deeper && slot?.shape.tag === "whole";
  const isBound = (at) => binding.entries.some((entry) => covers(at, entry.at));
  const kept = bundle.entries.filter(({ at, value, found }) => isFixed(found) || (isSlot(value) && isWhole(found) && !isBound(at)));
  const ofBundle = new Map(bundle.entries.map(({ at, value }) => [at, value]));
  const notes = [];
  const bound = binding.entries.filter(({ at, value, found }) => {
    if (!isFixed(found)) return true;
    if (!ofBundle.has(at) || !same(ofBundle.get(at), value)) {
      const message = "the binding sets an option that must be the same in every environment; the bundle's is used";
      notes.push(finding("warning", "option.must-match", message, { at, fix: "remove it from the binding" }));
    }
    return false;
  });
  return { rendered: new Options(kind, unfolded(inOrder(kept, bound))), notes };
}

/** The entries of two lists, each in order, in order. */
function inOrder(kept, bound) {
  const entries = [];
  let next = 0;
  for (const entry of kept) {
    for (; next < bound.length && before(bound[next].at, entry.at) < 0; next += 1) entries.push(bound[next]);
    entries.push(entry);
  }
  return [...entries, ...bound.slice(next)];
}

/** Drops empty lists and objects that have got members; refuses values that have. */
function unfolded(entries) {
  const hasMembers = ({ at: outer }, index) => {
    // What begins with the pointer stands behind it, with neighbours such as `/a-b` between.
    for (let next = index + 1; entries[next]?.at.startsWith(outer); next += 1) {
      if (covers(outer, entries[next].at)) return true;
    }
    return false;
  };
  const outer = entries.filter(hasMembers);
  const isEmpty = ({ value }) => value.tag === "plain" && ["empty-list", "empty-object"].includes(value.val.tag);
  const message = "the binding and the bundle do not fit: the one has a value here, the other has members";
  const fix = "set the option in the binding as the bundle has it";
  passed(outer.filter((entry) => !isEmpty(entry)).map(({ at }) => finding("error", "option.clash", message, { at, fix })));
  return outer.length === 0 ? entries : entries.filter((entry) => !outer.includes(entry));
}

// ---- Credentials ----------------------------------------------------------------------------

/** A name without what people spell differently, so that `client_secret` is `Client Secret`. */
const plain = (name) => name.replace(/[^\p{L}\p{N}]/gu, "").toLowerCase();

/**
 * For each slot the candidate whose label is its name, the newest of several. One that is filed
 * under another slot's very name is that slot's.
 */
function assign(slots, offered) {
  const byAge = offered.map(({ label, ageDays }, index) => ({ label, plain: plain(label), ageDays, index }));
  byAge.sort((a, b) => a.ageDays - b.ageDays || a.index - b.index);
  return slots.flatMap((slot) => {
    const is = ({ label }) => label === slot || !slots.includes(label);
    const found = byAge.find((candidate) => candidate.plain !== "" && candidate.plain === plain(slot) && is(candidate));
    return found ? [{ slot, candidate: found.index }] : [];
  });
}

/** The slots that a source, as it is configured, cannot do without. */
function needed(kind, options) {
  const is = ({ need }) => need === "required" || (need.when && need.is.includes(options.text(need.when)));
  return kind.slots.filter(is).map(({ name }) => name);
}

// ---- The plugin -----------------------------------------------------------------------------

const TRAITS = { endpoints: [], tls: null, account: null, privileged: null, publicAccess: null };

/**
 * What a plugin exports as `transforming`.
 *
 * `kinds` is the table; `traits(options, kind)` is what policies want to know of a rendered source;
 * `notes(options, traits, target, kind)` is what the table cannot say about it.
 */
export function family({ kinds, traits, notes = () => [] }) {
  const known = kinds.map((kind) => new Kind(kind));
  const kindOf = ({ kind }) => known.find(({ platform, name }) => platform === kind.platform && name === kind.name);
  const traitsOf = (options) => ({ ...TRAITS, ...traits(options, options.kind) });

  class Rendering {
    constructor(source) {
      this.source = source;
      this.needed = [];
      const kind = kindOf(source);
      this.bundle = kind && Options.of(kind, source.options);
    }

    options() {
      if (!this.bundle) throw { tag: "unsupported-kind" };
      return this.bundle;
    }

    validate() {
      return passed(judged(this.options()));
    }

    transform(_from, target, binding) {
      const bundle = this.options();
      const { kind } = bundle;
      const { rendered, notes: found } = merge(kind, bundle, Options.of(kind, binding));
      const lacking = missing(kind, bundle, rendered);
      if (lacking.length > 0) throw { tag: "incomplete", val: lacking };
      found.push(...passed(judged(rendered)), ...samePlace(kind, bundle, rendered));
      const known = traitsOf(rendered);
      found.push(...notes(rendered, known, target, kind));
      this.needed = needed(kind, rendered);
      const options = rendered.entries.map(({ at, value }) => ({ at, value }));
      return { source: { ...this.source, options }, traits: known, notes: found };
    }

    remapCredentials(slots, offered) {
      const assigned = assign(slots, offered);
      const isFilled = (name) => assigned.some(({ slot }) => slot === name);
      const lacking = slots.filter((slot) => this.needed.includes(slot) && !isFilled(slot));
      if (lacking.length > 0) throw { tag: "incomplete", val: lacking };
      return assigned;
    }
  }

  /** The traits of a source that was rendered, for its probe. */
  const rendered = (source) => {
    const kind = kindOf(source);
    if (!kind) throw { tag: "unsupported-kind" };
    const options = Options.of(kind, source.options);
    return { options, traits: traitsOf(options) };
  };

  return { describe: () => known.map((kind) => kind.describe()), Rendering, rendered };
}
