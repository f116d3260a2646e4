// Plays an example natively, without WebAssembly: for a plugin's own tests. The conformance suite
// (`sluice plugin test`) plays the same files against the component.
//
// An example is a data source as a bundle has it, the target's binding, the secrets offered, and
// what is expected. A text out of which the host took a secret is written
// `{"$sluice": [{"text": "…"}, {"slot": "NAME"}]}`.

/** Where the `}}` is that closes an expression, past the braces of what stands in it. */
function closing(text) {
  let open = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === "{") open += 1;
    else if (text[at] === "}" && open > 0) open -= 1;
    else if (text.startsWith("}}", at)) return at;
  }
  return text.indexOf("}}");
}

function split(text) {
  const parts = [];
  for (let from = text.indexOf("{{"); from >= 0; from = text.indexOf("{{")) {
    const end = closing(text.slice(from + 2));
    if (end < 0) break;
    if (from > 0) parts.push({ tag: "literal", val: text.slice(0, from) });
    parts.push({ tag: "expression", val: text.slice(from + 2, from + 2 + end) });
    text = text.slice(from + end + 4);
  }
  return text === "" ? parts : [...parts, { tag: "literal", val: text }];
}

function lower(value) {
  const scalar = (tag, val) => ({ tag: "plain", val: { tag, val } });
  if (value === null) return scalar("none");
  if (typeof value === "boolean") return scalar("flag", value);
  if (typeof value === "number") {
    const isExact = !Number.isInteger(value) || Math.abs(value) <= 2 ** 53;
    return isExact ? scalar("number", value) : scalar("digits", String(value));
  }
  if (typeof value === "string") {
    const parts = split(value);
    const isPlain = parts.every(({ tag }) => tag === "literal");
    return isPlain ? scalar("text", value) : { tag: "composed", val: parts };
  }
  return scalar(Array.isArray(value) ? "empty-list" : "empty-object");
}

const isMark = (value) => Array.isArray(value?.$sluice) && Object.keys(value).length === 1;

/** Options as the leaves that a plugin is given, sorted by pointer. */
export function flatten(options) {
  const leaves = [];
  const add = (at, value) => {
    const isTree = value !== null && typeof value === "object" && Object.keys(value).length > 0;
    if (isMark(value)) {
      const parts = value.$sluice.flatMap(({ text, slot }) => (slot ? [{ tag: "slot", val: slot }] : split(text)));
      leaves.push({ at, value: { tag: "composed", val: parts } });
    } else if (isTree) {
      for (const [key, member] of Object.entries(value)) {
        add(`${at}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`, member);
      }
    } else {
      leaves.push({ at, value: lower(value) });
    }
  };
  add("", options);
  return leaves.sort((a, b) => Buffer.compare(Buffer.from(a.at), Buffer.from(b.at)));
}

/** What a call answers, or how it refuses: of findings, their codes. */
function told(call) {
  try {
    return { answer: call() };
  } catch (failure) {
    if (!failure?.tag) throw failure;
    const { tag, val } = failure;
    if (!val) return { failure: { tag } };
    return { failure: { tag, val: tag === "invalid" ? [...new Set(val.map(({ code }) => code))] : val } };
  }
}

/** The traits that are known, in the host's spelling. */
function known({ publicAccess, ...others }) {
  return Object.fromEntries(Object.entries({ ...others, public_access: publicAccess }).filter(([, value]) => value !== null));
}

/** What the plugin makes of an example, in the form of its `expected`. */
export function play({ Rendering }, { source, binding, candidates = [], ...environments }) {
  const environment = (name, order) => environments[name] ?? { name: name.split("-")[0], order };
  const [platform, ...name] = source.kind.split("/");
  const rendering = new Rendering({
    logicalId: source["logical-id"],
    name: source.name,
    kind: { platform, name: name.join("/") },
    options: flatten(source.options),
  });
  const { failure: invalid, answer: judged } = told(() => rendering.validate());
  if (invalid) return { failure: invalid };
  const [from, to] = [environment("source-environment", 0), environment("target-environment", 1)];
  const { failure, answer } = told(() => rendering.transform(from, to, flatten(binding)));
  if (failure) return { failure };
  const slotsIn = ({ value }) => (value.tag === "composed" ? value.val.filter(({ tag }) => tag === "slot") : []);
  const slots = [...new Set(answer.source.options.flatMap(slotsIn).map(({ val }) => val))];
  const offered = candidates.map(({ label, "age-days": ageDays }) => ({ label, ageDays }));
  let asked = told(() => rendering.remapCredentials(slots, offered));
  const lacking = asked.failure?.tag === "incomplete" ? asked.failure.val : [];
  if (lacking.length > 0) {
    asked = told(() => rendering.remapCredentials(slots.filter((slot) => !lacking.includes(slot)), offered));
  }
  if (asked.failure) return { failure: asked.failure };
  const reference = ({ slot, candidate }) => [slot, candidates[candidate].reference];
  return {
    options: answer.source.options,
    slots: Object.fromEntries(asked.answer.map(reference)),
    "missing-slots": lacking,
    traits: known(answer.traits),
    notes: [...new Set([...judged, ...answer.notes].map(({ code }) => code))],
  };
}
