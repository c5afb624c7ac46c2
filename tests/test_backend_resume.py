"""A run is resumed by what has drawn it, whichever words chose that."""

from pathlib import Path
from typing import Any

import pytest

import heliograph as hg
from heliograph.delivery.dataset import Dataset
from heliograph.errors import HeliographError
from heliograph.raster.choice import Choice
from heliograph.record import record

BALL = '<mujoco><worldbody><geom name="ball" size=".5"/></worldbody></mujoco>'


def run(folder: Path, **options: Any) -> None:
    with hg.open(BALL, size=(16, 12), **options) as renderer:
        record(Dataset(renderer, 2), folder, resume=True)


def test_what_auto_draws_is_resumed_by_name(tmp_path: Path) -> None:
    run(tmp_path / "run", backend="cpu")
    run(tmp_path / "run", backend="cpu", threads=2)
    with pytest.raises(HeliographError, match=r"\(source\.drawn_by\.device: expected 'heliograph"):
        run(tmp_path / "run", backend="gl")


def test_a_run_that_gl_began_by_itself_goes_on_with_gl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        gl = Choice("gl", "there is no native module")
        patch.setattr("heliograph.raster.rasterizer.choose", lambda _=None: gl)
        run(tmp_path / "run")
    run(tmp_path / "run", backend="gl")
    with pytest.raises(HeliographError, match=r"\(source\.drawn_by\.device: expected .*\)"):
        run(tmp_path / "run", backend="cpu")
