"""What a type checker must find wrong in calls of the public face; never run."""

from __future__ import annotations

from typing import assert_type

import heliograph as hg


def opening(workers: int) -> None:
    assert_type(hg.open("x.xml", msaa=4, lighting="pixel"), hg.LocalRenderer)
    assert_type(hg.open("x.xml", workers=workers, deadline=None), hg.LocalRenderer | hg.Pool)
    hg.open("x.xml", msa=4)  # expect-error
    hg.open("x.xml", msaa=3)  # expect-error
    hg.open("x.xml", shadows="no")  # expect-error
    hg.open("x.xml", lighting="pixl")  # expect-error
    hg.open("x.xml", shading="standart")  # expect-error
    hg.open("x.xml", backend="gpu")  # expect-error
    hg.open("x.xml", size=200)  # expect-error
    hg.open("x.xml", style="clasic")  # expect-error
    hg.open("x.xml", segment_by="geom")  # expect-error
    hg.open("x.xml", workers=2, deadline="soon")  # expect-error
    hg.open("x.xml", engine_options=["quality"])  # expect-error


def views() -> None:
    hg.View(passes=("rgb", hg.open("x.xml").passes["alpha"]))
    hg.View(passes=("rbg",))  # expect-error
    hg.View(passes="depth")
    hg.View(passes="deppth")  # expect-error
    hg.View(camera="top")  # expect-error
    hg.View(cameras=["top"], seed="7")  # expect-error
