"""Plays an example natively, without WebAssembly: for a plugin's own tests.

The conformance suite (`sluice plugin test`) plays the same files against the component.

An example is a data source as a bundle has it, the target's binding, the secrets offered, and what
is expected. A text out of which the host took a secret is written
`{"$sluice": [{"text": "…"}, {"slot": "NAME"}]}`.
"""

import dataclasses

import sluice


def _closing(text):
    """Where the `}}` is that closes an expression, past the braces of what stands in it."""
    opened = 0
    for at, c in enumerate(text):
        if c == "{":
            opened += 1
        elif c == "}" and opened:
            opened -= 1
        elif text.startswith("}}", at):
            return at
    return text.find("}}")


def _split(text):
    parts = []
    while "{{" in text:
        before, after = text.split("{{", 1)
        end = _closing(after)
        if end < 0:
            break
        parts += [("literal", before)] if before else []
        parts.append(("expression", after[:end]))
        text = after[end + 2 :]
    return parts + ([("literal", text)] if text else [])


def _lower(value):
    if value is None:
        return "none", None
    if isinstance(value, bool):
        return "flag", value
    if isinstance(value, int) and abs(value) > 2**53:
        return "digits", str(value)
    if isinstance(value, (int, float)):
        return "number", float(value)
    if isinstance(value, str):
        parts = _split(value)
        return ("text", value) if all(tag == "literal" for tag, _ in parts) else ("composed", parts)
    return ("empty-list" if isinstance(value, list) else "empty-object"), None


def flatten(options):
    """Options as the leaves that a plugin is given, sorted by pointer."""
    leaves = []

    def add(at, value):
        if isinstance(value, dict) and list(value) == ["$sluice"]:
            parts = [[("slot", part["slot"])] if "slot" in part else _split(part["text"]) for part in value["$sluice"]]
            leaves.append((at, ("composed", sum(parts, []))))
        elif isinstance(value, (dict, list)) and value:
            for key, member in value.items() if isinstance(value, dict) else enumerate(value):
                token = str(key).replace("~", "~0").replace("/", "~1")
                add(f"{at}/{token}", member)
        else:
            leaves.append((at, _lower(value)))

    add("", options)
    return sorted(leaves)


def play(family, example):
    """What the plugin makes of an example, in the form of its `expected`."""
    try:
        return _played(family, example)
    except sluice.Failure as failure:
        if failure.value is None:
            return {"failure": {"tag": failure.tag}}
        of_findings = failure.tag == "invalid"
        val = list(dict.fromkeys(one.code for one in failure.value)) if of_findings else failure.value
        return {"failure": {"tag": failure.tag, "val": val}}


def _played(family, example):
    source, candidates = example["source"], example.get("candidates", [])
    platform, name = source["kind"].split("/", 1)
    target = example.get("target-environment", {"name": "target"})["name"]
    rendering = sluice.Rendering(family, platform, name, flatten(source["options"]))
    judged = rendering.validate()
    options, traits, notes = rendering.transform(target, flatten(example["binding"]))
    parts = [part for _, (tag, value) in options if tag == "composed" for part in value]
    slots = list(dict.fromkeys(text for tag, text in parts if tag == "slot"))
    offered = [(candidate["label"], candidate["age-days"]) for candidate in candidates]
    lacking = []
    try:
        assigned = rendering.remap_credentials(slots, offered)
    except sluice.Failure as failure:
        lacking = failure.value
        assigned = rendering.remap_credentials([slot for slot in slots if slot not in lacking], offered)
    return {
        "options": options,
        "slots": {slot: candidates[index]["reference"] for slot, index in assigned.items()},
        "missing-slots": lacking,
        "traits": {key: value for key, value in dataclasses.asdict(traits).items() if value is not None},
        "notes": list(dict.fromkeys(finding.code for finding in judged + notes)),
    }
