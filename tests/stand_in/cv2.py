"""Stands in for opencv where a test runs a program: windows are files, and "q" ends it."""

import os
from pathlib import Path

import numpy as np

COLOR_BGR2RGB = 4
_FOLDER = Path(os.environ["SHOWN"])
_WANTED = int(os.environ["SHOWN_COUNT"])
_count = 0


def cvtColor(picture, code):  # noqa: N802 - its name in opencv
    assert code == COLOR_BGR2RGB
    return np.ascontiguousarray(picture[..., ::-1])


def imshow(name, picture):
    global _count
    np.save(_FOLDER / f"{name}-{_count:03}.npy", picture)
    _count += 1


def waitKey(milliseconds):  # noqa: N802 - its name in opencv
    assert milliseconds == 1
    return ord("q") if _count >= _WANTED else -1
