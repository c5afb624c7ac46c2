# mypy: allow-untyped-defs, allow-untyped-calls
"""The native shading code, callable on arrays: built in each of the three ways."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
BUILDS = {"baseline": [], "avx2": ["-mavx2"], "plain": ["-DHELIOGRAPH_PLAIN"]}
FLAGS = [
    "-std=c++20",
    "-O3",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fwrapv",
]
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-psabi", "-Wno-unused-function"]
COLUMNS = {
    **{"rgb": 3, "material": 4, "point": 3, "flat_normal": 3, "normal": 3, "view": 3},
    **{"turning": 1, "open": 1, "pixel": 2},
}
"""What a surface is given as, one row of numbers after the other."""
MODELS = ("METALLIC", "PHONG", "LAMBERT")
TONES = ("NONE", "NEUTRAL", "ACES")


class Table(ctypes.Structure):
    """A table's texels and size."""

    _fields_ = (
        ("texels", ctypes.c_void_p),
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
    )


class Frame(ctypes.Structure):
    """`Frame` of frame.hpp."""

    _fields_ = (
        *(("block", ctypes.c_void_p), ("kinds", ctypes.c_void_p), ("tone_mapping", ctypes.c_int32)),
        *((name, Table) for name in ("atlas", "albedo", "lobes", "radiance", "seen")),
    )


def frame(block, kinds, tone="NONE", **tables):
    """A frame of arrays, which it keeps; a `radiance` is (levels, S, S, 3)."""
    made, kept = Frame(), [np.ascontiguousarray(block, np.float32), np.asarray(kinds, np.int32)]
    made.block, made.kinds = (each.ctypes.data for each in kept)
    made.tone_mapping = TONES.index(tone)
    for name, given in tables.items():
        array = np.ascontiguousarray(given, np.float32)
        high, wide = array.shape[1:3] if name == "radiance" else array.shape[:2]
        setattr(made, name, Table(array.ctypes.data, wide, high))
        kept.append(array)
    made.kept = kept
    return made


class Native:
    """One build."""

    def __init__(self, library):
        self._library = library

    def shade(self, name, frame, given, *choices):
        """Colours (N, 3) of what a function of shading.cpp makes of (channels, N)."""
        given = np.ascontiguousarray(given, np.float32)
        made = np.empty((3, given.shape[1]), np.float32)
        arrays = [ctypes.c_void_p(each.ctypes.data) for each in (given, made)]
        getattr(self._library, name)(ctypes.byref(frame), *choices, given.shape[1], *arrays)
        return made.T

    def want(self, lanes):
        """Which of each eight lanes matter from now on, as bits."""
        self._library.want(lanes)

    def number(self, name, x, y=None):
        """What a function of maths.hpp makes of (N,)."""
        given = [np.ascontiguousarray(each, np.float32) for each in (x, x if y is None else y)]
        made = np.empty_like(given[0])
        arrays = [ctypes.c_void_p(each.ctypes.data) for each in (*given, made)]
        getattr(self._library, f"try_{name}")(len(made), *arrays)
        return made


def compiled(folder, *sources):
    """A library of C++ texts under tests/native or native, one per build, by the build's name."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    assert compiler, "a C++ compiler builds the native code under test: apt-get install g++"
    places = HERE / "native", HERE.parent / "native"
    texts = [str(next(p / s for p in places if (p / s).exists())) for s in sources]
    common = [compiler, *FLAGS, *WARNINGS, "-shared", "-fPIC", f"-I{places[1]}"]
    made = {}
    for name, flags in BUILDS.items():
        path = Path(folder) / f"{Path(sources[0]).stem}_{name}.so"
        subprocess.run([*common, *flags, *texts, "-o", str(path)], check=True)
        made[name] = ctypes.CDLL(str(path))
    return made


@lru_cache(maxsize=1)
def builds(folder):
    """All builds by name, made in a folder."""
    return {name: Native(library) for name, library in compiled(folder, "shading.cpp").items()}
