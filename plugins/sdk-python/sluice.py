"""The guest SDK for Python: from a table of options to a plugin.

A plugin says what its kinds' options and secrets are, what policies want to know of a rendered
data source, and what is odd about it. From the table follow the description, the validation, the
merge of the bundle's and the environment's options, and the mapping of credentials.

A guest is pure. It has no clock, network, randomness or state between calls, and no secret's value
ever reaches it.

An option's value is a pair: `("text", "db")`, `("number", 5432.0)`, `("digits", "9007199254740993")`,
`("flag", True)`, `("none", None)`, `("empty-list", None)`, `("empty-object", None)`, or
`("composed", [("literal", "postgres://app:"), ("slot", "password"), ("expression", "constants.DB")])`.
"""

import math
import re
import struct
from dataclasses import dataclass, field, replace

# ---- A kind as data --------------------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    """One option of a kind."""

    key: str
    type: str
    across: str
    doc: str
    choices: tuple = ()
    need: str = "optional"
    """`optional`, `required`, `like-bundle`, or `unless` the option `other` says something."""
    other: str = ""


@dataclass(frozen=True)
class Slot:
    """One place for a secret."""

    name: str
    key: str
    shape: str
    doc: str
    required: bool = False
    needed_when: tuple = ("", ())
    """The option, and the texts of it, with which the source is of no use without the secret."""


def place(key, type, doc):
    """An option that names, with its like, the place a source connects to."""
    return Option(key, type, "must-differ", doc)


def owned(key, type, doc):
    """An option that the environment owns."""
    return Option(key, type, "may-differ", doc)


def fixed(key, type, doc):
    """An option that means the same everywhere and comes with the bundle."""
    return Option(key, type, "must-match", doc)


def choice(key, choices, doc):
    """A choice that means the same everywhere."""
    return replace(fixed(key, "choice", doc), choices=tuple(choices))


def required(entry):
    """An option, or a secret, that must be there."""
    return replace(entry, required=True) if isinstance(entry, Slot) else replace(entry, need="required")


def unless(other, option):
    """An option that must be there unless the one with the key `other` is."""
    return replace(option, need="unless", other=other)


def per_environment(option):
    """An option that each environment decides for itself, and must where the bundle has it: how
    safely a source connects is never another environment's to say."""
    return replace(option, across="may-differ", need="like-bundle")


def secret(name, key, doc):
    """A secret that is the whole of an option."""
    return Slot(name, key, "whole", doc)


def url_secret(name, key, doc):
    """The password in a URL."""
    return Slot(name, key, "url-userinfo", doc)


def needed_when(key, texts, slot):
    """A secret without which the source is of no use where the option `key` is one of `texts`."""
    return replace(slot, needed_when=(key, tuple(texts)))


@dataclass(frozen=True)
class Found:
    """What the table says of a leaf."""

    option: Option = None
    slot: Slot = None
    deeper: bool = False
    """Whether the leaf lies inside the option or slot."""
    envelope: bool = False
    """Whether it is what ToolJet keeps beside each value."""

    @property
    def is_fixed(self):
        return self.envelope or (self.option is not None and self.option.across == "must-match")


class Kind:
    """One kind, with its table made ready for questions."""

    def __init__(self, platform, name, options=(), slots=()):
        self.platform, self.name, self.options, self.slots = platform, name, options, slots
        self._by_key = {option.key: Found(option) for option in options}
        for slot in slots:
            self._by_key[slot.key] = replace(self._by_key.get(slot.key, Found()), slot=slot)

    def at(self, key):
        """Where an option's value stands. A key may name a nested one, as in `auth/username`."""
        return f"/{key}/value" if self.platform == "tooljet" else f"/{key}"

    def option(self, key):
        """The option with this key."""
        return self._by_key.get(key, Found()).option

    def find(self, leaf):
        """What the table says of a leaf."""
        if not leaf.startswith("/"):
            return Found()
        tokens = leaf[1:].split("/")
        if self.platform == "tooljet":
            if tokens[1:2] == ["encrypted"]:
                return Found(envelope=True)
            if tokens[1:2] != ["value"]:
                return Found()
            return replace(self._by_key.get(tokens[0], Found()), deeper=len(tokens) > 2)
        for length in range(len(tokens), 0, -1):
            found = self._by_key.get("/".join(tokens[:length]))
            if found:
                return replace(found, deeper=length < len(tokens))
        return Found()

    def described(self):
        """The options by pointer: the table, and where ToolJet keeps how it stores an option,
        which is structure and comes with the bundle."""
        described = [(self.at(option.key), option) for option in self.options]
        if self.platform == "tooljet":
            envelope = fixed("", "flag", "How the platform stores the option")
            described.append(("/*/encrypted", envelope))
        return described


# ---- Options with what the table says of them ------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One leaf of some options."""

    at: str
    value: tuple
    found: Found


def covers(at, leaf):
    """Whether `leaf` is `at` or lies inside it."""
    return leaf == at or leaf.startswith(at + "/")


def is_blank(value):
    """Whether a value says nothing: `null` or an empty text."""
    return value in (("none", None), ("text", ""))


def same(a, b):
    """Whether two values are the same, bit for bit."""
    if a[0] == b[0] == "number":
        return struct.pack("<d", a[1]) == struct.pack("<d", b[1])
    return a == b


def flag_of(text):
    """What a text that stands for a flag says; `None` where that is not known."""
    if text in ("true", "enabled", "yes"):
        return True
    return False if text in ("false", "disabled", "no") else None


class Options:
    """Some options, sorted by pointer."""

    def __init__(self, kind, entries):
        self.kind, self.entries = kind, entries

    @classmethod
    def of(cls, kind, leaves):
        return cls(kind, [Entry(at, value, kind.find(at)) for at, value in leaves])

    def get(self, key):
        """What is the whole of the option or secret with this key; `None` where there is none."""
        for entry in self.entries:
            option, slot = entry.found.option, entry.found.slot
            is_it = (option and option.key == key) or (slot and slot.key == key)
            if is_it and not entry.found.deeper:
                return entry.value
        return None

    def says(self, option):
        """Whether an option of the table, or anything in it, says something."""
        return any(entry.found.option is option and not is_blank(entry.value) for entry in self.entries)

    def text(self, key):
        """The text of the option with this key as a person would write it, or `None` where there
        is none or it is empty. Slots are shown by name, expressions in their braces."""
        tag, value = self.get(key) or ("none", None)
        if tag == "composed":
            show = {"literal": "{}", "slot": "<{}>", "expression": "{{{{{}}}}}"}
            return "".join(show[tag].format(text) for tag, text in value) or None
        if tag == "number":
            return str(int(value)) if value.is_integer() else str(value)
        return value or None if tag in ("text", "digits") else None

    def flag(self, key):
        """What the flag with this key says, where it says it in a way that is known."""
        tag, value = self.get(key) or ("none", None)
        if tag == "flag":
            return value
        return flag_of(value) if tag == "text" else None


# ---- Judgement -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """What was noticed about a data source. The severity is `note`, `warning` or `error`."""

    severity: str
    code: str
    message: str
    at: str = None
    fix: str = None


class Failure(Exception):
    """Why there is no answer: `unsupported-kind`, `invalid` (findings) or `incomplete` (names)."""

    def __init__(self, tag, value=None):
        super().__init__(tag, value)
        self.tag, self.value = tag, value


def _passed(findings):
    """The findings, unless one of them is an error."""
    if any(finding.severity == "error" for finding in findings):
        raise Failure("invalid", findings)
    return findings


_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)

_FITS = {
    "text": ("a text", lambda text, _: True),
    "url": ("a URL with its scheme", lambda text, _: "://" in text),
    "number": ("a number", lambda text, _: _NUMBER.fullmatch(text) and math.isfinite(float(text))),
    "flag": ("true or false", lambda text, _: flag_of(text) is not None),
    "choice": ("one of the choices", lambda text, option: text in option.choices),
}


def _ill_typed(entry):
    """What is wrong with the type of a leaf of an option."""
    option, deeper, (tag, value) = entry.found.option, entry.found.deeper, entry.value
    if option.type == "json":
        return []
    if option.type == "list-of-pairs":
        wanted = "a list of names and values"
        fits = deeper or tag in ("empty-list", "none") or is_blank(entry.value)
    elif deeper:
        wanted, fits = "a single value", False
    else:
        wanted, is_one = _FITS[option.type]
        if tag == "text":
            fits = value == "" or is_one(value, option)
        else:
            fits = tag in ("composed", "none", option.type) or (option.type, tag) == ("number", "digits")
    if fits:
        return []
    choices = ": " + ", ".join(option.choices) if option.type == "choice" else ""
    code = "option.choice" if option.type == "choice" else "option.type"
    return [Finding("error", code, f"`{option.key}` must be {wanted}{choices}", entry.at)]


# Findings of each sort that are told one by one; a person reads no more, and the host takes 200.
_MOST_TOLD = 40


def _judged(options):
    """What is wrong or odd about options, by the kind's table."""
    message = "this option is not known for the kind; the environment owns it"
    wrong, unknown = [], []
    for entry in options.entries:
        if entry.found.option:
            wrong += _ill_typed(entry)
        elif entry.at and not entry.found.slot and not entry.found.envelope:
            unknown.append(Finding("note", "option.unknown", message, entry.at))
    if len(unknown) > _MOST_TOLD:
        more = f"{len(unknown) - _MOST_TOLD} more options are not known for the kind"
        unknown[_MOST_TOLD:] = [Finding("note", "option.unknown", more, None)]
    return wrong[:_MOST_TOLD] + unknown


def _missing(kind, bundle, rendered):
    """The pointers of required options that say nothing in the rendered source."""

    def lacks(option):
        if option.need == "optional" or rendered.says(option):
            return False
        if option.need == "like-bundle":
            return bundle.says(option)
        return not (option.need == "unless" and rendered.says(kind.option(option.other)))

    return [kind.at(option.key) for option in kind.options if lacks(option)]


def _same_place(kind, bundle, rendered):
    """An error when the rendered source connects to the very place that the bundle's does."""
    keys = [option.key for option in kind.options if option.across == "must-differ"]

    def given(options, key):
        value = options.get(key)
        return None if value is None or is_blank(value) else value

    def is_expression(value):
        return value[0] == "composed" and any(tag == "expression" for tag, _ in value[1])

    pairs = [(given(bundle, key), given(rendered, key)) for key in keys]
    pairs = [pair for pair in pairs if pair != (None, None)]
    if not pairs or not all(a and b and same(a, b) and not is_expression(a) for a, b in pairs):
        return []
    names = "`, `".join(keys)
    message = f"the target would connect to the same place as the source environment: `{names}` equal its options"
    return [Finding("error", "option.must-differ", message, kind.at(keys[0]), "bind the target's own place")]


# ---- Merge -----------------------------------------------------------------------------------


def _merge(kind, bundle, binding):
    """The options for the target, and what was noticed on the way. What must match comes from the
    bundle; all else from the binding, byte for byte. A secret slot that is the whole of an option
    stays where the bundle has it, being a place and not a value."""

    def stays(entry):
        tag, value = entry.value
        is_slot = tag == "composed" and len(value) == 1 and value[0][0] == "slot"
        is_whole = entry.found.slot and entry.found.slot.shape == "whole" and not entry.found.deeper
        return is_slot and is_whole and not any(covers(entry.at, bound.at) for bound in binding.entries)

    merged = [entry for entry in bundle.entries if entry.found.is_fixed or stays(entry)]
    of_bundle = {entry.at: entry.value for entry in bundle.entries}
    message = "the binding sets an option that must be the same in every environment; the bundle's is used"
    notes = []
    for entry in binding.entries:
        if not entry.found.is_fixed:
            merged.append(entry)
        elif entry.at not in of_bundle or not same(of_bundle[entry.at], entry.value):
            notes.append(Finding("warning", "option.must-match", message, entry.at, "remove it from the binding"))
    return Options(kind, _unfolded(sorted(merged, key=lambda entry: entry.at))), notes


def _unfolded(entries):
    """Drops empty lists and objects that have got members; refuses values that have."""

    def has_members(index, outer):
        # What begins with the pointer stands behind it, with neighbours such as `/a-b` between.
        for entry in entries[index + 1 :]:
            if not entry.at.startswith(outer):
                return False
            if covers(outer, entry.at):
                return True
        return False

    outer = {entry.at: entry for index, entry in enumerate(entries) if has_members(index, entry.at)}
    message = "the binding and the bundle do not fit: the one has a value here, the other has members"
    fix = "set the option in the binding as the bundle has it"
    clashes = [at for at, entry in outer.items() if entry.value[0] not in ("empty-list", "empty-object")]
    _passed([Finding("error", "option.clash", message, at, fix) for at in clashes])
    return [entry for entry in entries if entry.at not in outer]


# ---- Credentials -----------------------------------------------------------------------------


def _plain(name):
    """A name without what people spell differently, so that `client_secret` is `Client Secret`."""
    return "".join(c for c in name if c.isalnum()).lower()


def _assign(slots, offered):
    """For each slot the index of the candidate whose label is its name, the newest of several. One
    that is filed under another slot's very name is that slot's. `offered` are pairs of label and age
    in days."""
    by_age = sorted((age, index, label) for index, (label, age) in enumerate(offered) if _plain(label))
    assigned = {}
    for slot in slots:
        own = [(index, label) for _, index, label in by_age if label == slot or label not in slots]
        fitting = [index for index, label in own if _plain(label) == _plain(slot)]
        if fitting:
            assigned[slot] = fitting[0]
    return assigned


def _needed(kind, options):
    """The slots that a source, as it is configured, cannot do without."""

    def is_needed(slot):
        key, texts = slot.needed_when
        return slot.required or (texts and options.text(key) in texts)

    return [slot.name for slot in kind.slots if is_needed(slot)]


# ---- The plugin ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Traits:
    """What policies want to know of a rendered source."""

    endpoints: list = field(default_factory=list)
    """Where it connects to: `host:port`, or a URL's scheme, host and port."""
    tls: bool = None
    account: str = None
    privileged: bool = None
    public_access: bool = None


@dataclass(frozen=True)
class Family:
    """A family of kinds that one plugin serves.

    `traits(options)` is what policies want to know of a rendered source;
    `notes(options, traits, target)` is what the table cannot say about it, where `target` is the
    environment's name.
    """

    kinds: list
    traits: object
    notes: object = lambda options, traits, target: []

    def kind(self, platform, name):
        for kind in self.kinds:
            if (kind.platform, kind.name) == (platform, name):
                return kind
        raise Failure("unsupported-kind")


class Rendering:
    """One data source on its way to its target. Options are pairs of pointer and value."""

    def __init__(self, family, platform, name, leaves):
        self.family, self.platform, self.name, self.leaves = family, platform, name, leaves
        self.needed = []

    def bundle(self):
        return Options.of(self.family.kind(self.platform, self.name), self.leaves)

    def validate(self):
        return _passed(_judged(self.bundle()))

    def transform(self, target, binding):
        """The options, traits and notes for the target environment of this name."""
        bundle = self.bundle()
        kind = bundle.kind
        rendered, notes = _merge(kind, bundle, Options.of(kind, binding))
        missing = _missing(kind, bundle, rendered)
        if missing:
            raise Failure("incomplete", missing)
        notes = notes + _passed(_judged(rendered)) + _same_place(kind, bundle, rendered)
        traits = self.family.traits(rendered)
        notes += self.family.notes(rendered, traits, target)
        self.needed = _needed(kind, rendered)
        return [(entry.at, entry.value) for entry in rendered.entries], traits, notes

    def remap_credentials(self, slots, offered):
        """The index of a candidate by slot."""
        assigned = _assign(slots, offered)
        missing = [slot for slot in slots if slot in self.needed and slot not in assigned]
        if missing:
            raise Failure("incomplete", missing)
        return assigned
