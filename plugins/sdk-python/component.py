"""What the component exports: the plugin's `FAMILY` in the contract's types."""

from plugin import FAMILY
from wit_world import exports
from wit_world.imports import types

_SHAPES = {"whole": types.SecretShape_Whole, "url-userinfo": types.SecretShape_UrlUserinfo}


def _enum(of, name):
    return of[name.upper().replace("-", "_")]


def _described(kind):
    options = [
        types.OptionDescription(
            at=at,
            ty=_enum(types.OptionType, option.type),
            choices=list(option.choices),
            required=option.need == "required",
            across_environments=_enum(types.Sameness, option.across),
            doc=option.doc,
        )
        for at, option in kind.described()
    ]
    slots = [
        types.SlotDescription(slot.name, kind.at(slot.key), _SHAPES[slot.shape](), slot.required, slot.doc)
        for slot in kind.slots
    ]
    return types.KindDescription(types.Kind(kind.platform, kind.name), slots, options)


class Transforming(exports.Transforming):
    def describe(self):
        return [_described(kind) for kind in FAMILY.kinds]
