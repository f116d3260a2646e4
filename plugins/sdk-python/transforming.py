"""The resource `rendering`. componentize-py looks for it in a module named as its interface."""

import sluice
from componentize_py_types import Err
from plugin import FAMILY
from wit_world.exports import transforming as wit
from wit_world.imports import types

_SCALARS = {
    "none": types.Scalar_None_,
    "flag": types.Scalar_Flag,
    "number": types.Scalar_Number,
    "digits": types.Scalar_Digits,
    "text": types.Scalar_Text,
    "empty-list": types.Scalar_EmptyList,
    "empty-object": types.Scalar_EmptyObject,
}
_PARTS = {"literal": types.Part_Literal, "slot": types.Part_Slot, "expression": types.Part_Expression}
_TAGS = {of: tag for tag, of in [*_SCALARS.items(), *_PARTS.items()]}


def _pair(tagged):
    return _TAGS[type(tagged)], getattr(tagged, "value", None)


def leaves(options):
    """The contract's options as pairs of pointer and value."""

    def value(of):
        if isinstance(of, types.Value_Plain):
            return _pair(of.value)
        return "composed", [_pair(part) for part in of.value]

    return [(leaf.at, value(leaf.value)) for leaf in options]


def _options(leaves):
    def value(tag, of):
        if tag == "composed":
            return types.Value_Composed([_PARTS[part](text) for part, text in of])
        return types.Value_Plain(_SCALARS[tag]() if of is None else _SCALARS[tag](of))

    return [types.OptionLeaf(at, value(*of)) for at, of in leaves]


def findings(of):
    """Findings in the contract's types."""
    return [
        types.Finding(types.Severity[one.severity.upper()], one.code, one.at, one.message, one.fix) for one in of
    ]


def answered(call, *given):
    """What a call answers; raises its failure in the contract's types."""
    try:
        return call(*given)
    except sluice.Failure as failure:
        if failure.tag == "unsupported-kind":
            raise Err(types.Failure_UnsupportedKind()) from None
        if failure.tag == "invalid":
            raise Err(types.Failure_Invalid(findings(failure.value))) from None
        raise Err(types.Failure_Incomplete(failure.value)) from None


class Rendering(wit.Rendering):
    def __init__(self, source):
        self._source = source
        kind = source.kind
        self._rendering = sluice.Rendering(FAMILY, kind.platform, kind.name, leaves(source.options))

    def validate(self):
        return findings(answered(self._rendering.validate))

    def transform(self, source_environment, target_environment, binding):
        options, traits, notes = answered(self._rendering.transform, target_environment.name, leaves(binding))
        source = self._source
        rendered = types.Source(source.logical_id, source.name, source.kind, _options(options))
        known = wit.Traits(traits.endpoints, traits.tls, traits.account, traits.privileged, traits.public_access)
        return wit.Transformed(rendered, known, findings(notes))

    def remap_credentials(self, slots, offered):
        candidates = [(candidate.label, candidate.age_days) for candidate in offered]
        assigned = answered(self._rendering.remap_credentials, slots, candidates)
        return [wit.Assignment(slot, candidate) for slot, candidate in assigned.items()]
