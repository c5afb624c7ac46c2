"""Steps that change each pixel by its colour alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from heliograph.randomize.imaging.step import Affine, Parameter, Step

LUMA = np.array([0.2126, 0.7152, 0.0722])
"""How bright red, green and blue are (ITU-R BT.709)."""
_ZERO = np.zeros(3)
_GREY = 0.5


def brightness(values: Mapping[str, float]) -> Affine:
    """Every value times 1 + amount."""
    return Affine(np.eye(3) * (1.0 + values["amount"]), _ZERO)


def contrast(values: Mapping[str, float]) -> Affine:
    """The distance from mid-grey times 1 + amount."""
    gain = 1.0 + values["amount"]
    return Affine(np.eye(3) * gain, np.full(3, _GREY * (1.0 - gain)))


def saturation(values: Mapping[str, float]) -> Affine:
    """The distance from a grey of the same luma times 1 + amount; -1 leaves greys."""
    gain = 1.0 + values["amount"]
    return Affine(np.eye(3) * gain + np.tile(LUMA, (3, 1)) * (1.0 - gain), _ZERO)


def hue(values: Mapping[str, float]) -> Affine:
    """A turn of the colours about the axis of greys; greys and every luma stay."""
    angle = math.radians(values["degrees"])
    s, c = math.sin(angle) / math.sqrt(3.0), math.cos(angle)
    d = (1.0 - c) / 3.0
    turn = np.array([[c + d, d - s, d + s], [d + s, c + d, d - s], [d - s, d + s, c + d]])
    return Affine(turn + np.tile(LUMA - LUMA @ turn, (3, 1)), _ZERO)


def white_balance(values: Mapping[str, float]) -> Affine:
    """Gains of the channels: warmer is redder and less blue, tint is magenta; white keeps its luma.

    At 100 red gains and blue loses a third of a stop, or green loses as much.
    """
    warm, magenta = values["temperature"] / 300.0, values["tint"] / 300.0
    gains = np.exp2([warm, -magenta, -warm])
    return Affine(np.diag(gains / (LUMA @ gains)), _ZERO)


def tone_map(values: Mapping[str, float], x: NDArray[np.float32]) -> NDArray[np.float32]:
    """A filmic curve over linear light (Narkowicz's fit of ACES, 2015), mixed in by strength."""
    linear = np.power(x, 2.2) * 0.8
    mapped = linear * (2.51 * linear + 0.03) / (linear * (2.43 * linear + 0.59) + 0.14)
    return np.asarray(x + (np.power(mapped, 1 / 2.2) - x) * values["strength"], np.float32)


def gamma(values: Mapping[str, float], x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every value to the power of 2**-amount: above 0 brightens the middle."""
    return np.asarray(np.power(x, 2.0 ** -values["amount"]), np.float32)


def _amount(meaning: str, low: float = -1.0, high: float = 10.0) -> dict[str, Parameter]:
    return {"amount": Parameter(0.0, low, high, meaning)}


STEPS: dict[str, Step] = {
    "white_balance": Step(
        {
            "temperature": Parameter(0.0, -100.0, 100.0, "above 0 is warmer"),
            "tint": Parameter(0.0, -100.0, 100.0, "above 0 is more magenta"),
        },
        ("temperature", "tint"),
        colour=white_balance,
    ),
    "hue": Step(
        {"degrees": Parameter(0.0, -360.0, 360.0, "how far hues are turned")},
        ("degrees",),
        colour=hue,
    ),
    "saturation": Step(_amount("0 keeps it, -1 is grey"), ("amount",), colour=saturation),
    "contrast": Step(_amount("0 keeps it, -1 is flat"), ("amount",), colour=contrast),
    "brightness": Step(_amount("0 keeps it, -1 is black"), ("amount",), colour=brightness),
    "gamma": Step(_amount("0 keeps it", -3.0, 3.0), ("amount",), curve=gamma),
    "tone_map": Step(
        {"strength": Parameter(1.0, 0.0, 1.0, "how much of the filmic curve")},
        ("strength",),
        curve=tone_map,
    ),
}
