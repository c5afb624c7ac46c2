"""Steps that change each pixel by its colour alone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from heliograph.colour import encoded, linear
from heliograph.randomize.imaging.step import Affine, Kind, step
from heliograph.randomize.parameters import Numbers

LUMA = np.array([0.2126, 0.7152, 0.0722])
"""How bright red, green and blue are (ITU-R BT.709)."""
_ZERO = np.zeros(3)
_GREY = 0.5
_LIGHT_GREY = 0.18
_SCALED = 5.3


@step(Kind.COLOUR, "amount", amount=Numbers(-1.0, 10.0, what="0 keeps it, -1 is black"))
def brightness(amount: float = 0.0) -> Affine:
    """Every value times 1 + amount."""
    return Affine(np.eye(3) * (1.0 + amount), _ZERO)


@step(Kind.COLOUR, "amount", amount=Numbers(-1.0, 10.0, what="0 keeps it, -1 is flat"))
def contrast(amount: float = 0.0) -> Affine:
    """The distance from mid-grey times 1 + amount."""
    gain = 1.0 + amount
    return Affine(np.eye(3) * gain, np.full(3, _GREY * (1.0 - gain)))


@step(Kind.COLOUR, "amount", amount=Numbers(-1.0, 10.0, what="0 keeps it, -1 is grey"))
def saturation(amount: float = 0.0) -> Affine:
    """The distance from a grey of the same luma times 1 + amount; -1 leaves greys."""
    gain = 1.0 + amount
    return Affine(np.eye(3) * gain + np.tile(LUMA, (3, 1)) * (1.0 - gain), _ZERO)


@step(Kind.COLOUR, "degrees", degrees=Numbers(-360.0, 360.0, what="how far hues are turned"))
def hue(degrees: float = 0.0) -> Affine:
    """A turn of the colours about the axis of greys; greys and every luma stay."""
    angle = math.radians(degrees)
    s, c = math.sin(angle) / math.sqrt(3.0), math.cos(angle)
    d = (1.0 - c) / 3.0
    turn = np.array([[c + d, d - s, d + s], [d + s, c + d, d - s], [d - s, d + s, c + d]])
    return Affine(turn + np.tile(LUMA - LUMA @ turn, (3, 1)), _ZERO)


@step(
    Kind.COLOUR,
    "temperature",
    "tint",
    temperature=Numbers(-100.0, 100.0, what="above 0 is warmer"),
    tint=Numbers(-100.0, 100.0, what="above 0 is more magenta"),
)
def white_balance(temperature: float = 0.0, tint: float = 0.0) -> Affine:
    """Gains of the channels: warmer is redder and less blue, tint is magenta; white keeps its luma.

    At 100 red gains and blue loses a third of a stop, or green loses as much.
    """
    warm, magenta = temperature / 300.0, tint / 300.0
    gains = np.exp2([warm, -magenta, -warm])
    return Affine(np.diag(gains / (LUMA @ gains)), _ZERO)


@step(Kind.CURVE, "strength", strength=Numbers(0.0, 1.0, what="how much of the filmic curve"))
def tone_map(x: NDArray[np.float32], strength: float = 1.0) -> NDArray[np.float32]:
    """A filmic curve over linear light (Narkowicz's fit of ACES, 2015), mixed in by strength."""
    light = np.power(x, 2.2) * 0.8
    mapped = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    return np.asarray(x + (np.power(mapped, 1 / 2.2) - x) * strength, np.float32)


@step(Kind.CURVE, "amount", amount=Numbers(-3.0, 3.0, what="0 keeps it"))
def gamma(x: NDArray[np.float32], amount: float = 0.0) -> NDArray[np.float32]:
    """Every value to the power of 2**-amount: above 0 brightens the middle."""
    return np.asarray(np.power(x, 2.0**-amount), np.float32)


@step(Kind.CURVE, gain=Numbers(1e-3, 1e3, what="multiplies all light"))
def linear_light(x: NDArray[np.float32], gain: float = 1.0) -> NDArray[np.float32]:
    """From here on the picture is linear light, which `display` or `filmic` ends."""
    return np.asarray(linear(x) * gain, np.float32)


@step(Kind.LIGHT_CURVE, "amount", amount=Numbers(-1.0, 10.0, what="0 keeps it, -1 is flat"))
def light_contrast(x: NDArray[np.float32], amount: float = 0.0) -> NDArray[np.float32]:
    """How many stops linear light is from mid-grey, 0.18, times 1 + amount."""
    return np.asarray(_LIGHT_GREY * np.power(x / _LIGHT_GREY, 1.0 + amount), np.float32)


@step(Kind.LIGHT_CURVE)
def filmic(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hable's curve (2010), which leaves mid-grey and is white from a light of 4, and `display`."""
    scale = 1.0 / _hable(np.array(_SCALED))
    return np.asarray(encoded(np.clip(scale * _hable(scale * x), 0.0, 1.0)), np.float32)


@step(Kind.LIGHT_CURVE)
def display(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """From linear light to sRGB; what is brighter than white is white."""
    return np.asarray(encoded(np.clip(x, 0.0, 1.0)), np.float32)


def _hable(x: NDArray[np.floating]) -> NDArray[np.floating]:
    return (x * (0.2 * x + 0.0696) + 0.00544) / (x * (0.2 * x + 0.29) + 0.0816) - 1 / 15
