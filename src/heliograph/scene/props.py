"""What properties are: one definition gives the type, the check, the default and the words.

A component's properties are the items of a `TypedDict`, each `Annotated[type, Prop(...)]`. Type
checkers read the types; `properties` reads all of it at run time, for checks, for signatures and
help, and for whoever describes components in another language.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heliograph.scene.values import Check


class SupportsArray(Protocol):
    """What `numpy.asarray` makes an array of: arrays of numpy, torch and others."""

    def __array__(self) -> NDArray[Any]: ...


Number: TypeAlias = float | np.floating[Any] | np.integer[Any]
Whole: TypeAlias = int | np.integer[Any]
Flag: TypeAlias = bool | np.bool_
Vector: TypeAlias = Sequence[Number] | SupportsArray
"""Numbers in a row, as many as the property says."""
Scale: TypeAlias = Number | Vector
Rows: TypeAlias = Sequence[Vector] | SupportsArray
"""Rows of numbers, (N, as many as the property says)."""
Color: TypeAlias = str | int | np.integer[Any] | Vector
"""sRGB: "#rrggbb", "#rgb", a CSS name, 0xrrggbb, or 3 or 4 numbers from 0 to 1."""
Shine: TypeAlias = Number | Color
FilePath: TypeAlias = str | os.PathLike[str]
Surroundings: TypeAlias = FilePath | NDArray[Any] | Mapping[str, Color]
"""Light from all around: an equirectangular .hdr file, linear light (H, W, 3), or colours of sky,
horizon and ground."""
Numbers: TypeAlias = Mapping[str, Number]
"""Numbers by name."""
Folders: TypeAlias = Mapping[str, FilePath]
"""Folders by name."""
Image: TypeAlias = FilePath | NDArray[np.uint8]
"""An image file, or (H, W, C) uint8 pixels with C 1, 3 or 4, row 0 at the top."""

TYPE_NAMES: Mapping[Any, str] = MappingProxyType(
    {
        Number: "Number",
        Whole: "Whole",
        Flag: "Flag",
        Vector: "Vector",
        Scale: "Scale",
        Rows: "Rows",
        Color: "Color",
        Shine: "Shine",
        FilePath: "FilePath",
        Surroundings: "Surroundings",
        Numbers: "Numbers",
        Folders: "Folders",
        Image: "Image",
    }
)
"""What the types above are called in signatures."""


class Prop(NamedTuple):
    """A property.

    Attributes:
        check: turns what came into its canonical, frozen form, or refuses it.
        default: what it is where it is not given; None for nothing at all.
        doc: what it means, in one line.
        unit: of its numbers, as "m"; empty for none.
        type: what type checkers take for it; `properties` fills it in.
    """

    check: Check
    default: Any = None
    doc: str = ""
    unit: str = ""
    type: Any = None


def properties(kind: type) -> Mapping[str, Prop]:
    """The properties of a `TypedDict`, by name, in order.

    Its module must not have `from __future__ import annotations`, which would make them strings.
    """
    hints = kind.__annotations__
    return MappingProxyType(
        {name: hint.__metadata__[0]._replace(type=hint.__origin__) for name, hint in hints.items()}
    )


def signature(spec: Mapping[str, Prop]) -> inspect.Signature:
    """How a component with these properties is called."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    named = {name: TYPE_NAMES.get(prop.type, prop.type) for name, prop in spec.items()}
    return inspect.Signature(
        [
            inspect.Parameter("children", inspect.Parameter.VAR_POSITIONAL),
            inspect.Parameter("key", keyword, default=None, annotation=str | None),
            *(
                inspect.Parameter(name, keyword, default=prop.default, annotation=named[name])
                for name, prop in spec.items()
            ),
        ]
    )


def described(doc: str, spec: Mapping[str, Prop]) -> str:
    """A docstring followed by what it says of each property."""
    rows = "\n".join(f"    {name}: {_row(prop)}" for name, prop in spec.items())
    return f"{inspect.cleandoc(doc)}\n\nProperties:\n{rows}"


def _row(prop: Prop) -> str:
    unit = f" ({prop.unit})" if prop.unit else ""
    default = "" if prop.default is None else f" Default: {_short(prop.default)}."
    return f"{prop.doc.removesuffix('.')}{unit}.{default}"


def _short(default: Any) -> str:
    if isinstance(default, float):
        return f"{default:g}"
    if isinstance(default, tuple):
        return f"({', '.join(map(_short, default))})"
    return repr(dict(default) if isinstance(default, Mapping) else default)
