# mypy: allow-untyped-defs
"""Stands in for opencv where a test runs a program: windows are files, and "q" ends it."""

import os
from pathlib import Path

import numpy as np

COLOR_BGR2RGB = 4
_shown: list[str] = []


def cvtColor(picture, code):  # noqa: N802 - its name in opencv
    assert code == COLOR_BGR2RGB
    return np.ascontiguousarray(picture[..., ::-1])


def imshow(name, picture):
    _shown.append(name)
    np.save(Path(os.environ["SHOWN"]) / f"{name}-{len(_shown):03}.npy", picture)


def waitKey(milliseconds):  # noqa: N802 - its name in opencv
    assert milliseconds == 1
    return ord("q") if len(_shown) >= int(os.environ["SHOWN_COUNT"]) else -1
