"""`heliograph nerf train-demo`: a nerfacto model of a scene of ours, trained here on the CPU."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tqdm import tqdm

from heliograph import scene as parts
from heliograph.checks import check_integer
from heliograph.cli.folder import check_free, whole_folder
from heliograph.cli.streams import Progress, say
from heliograph.delivery.call import open as open_scene
from heliograph.requires import Requires

_RADIUS, _FOV = 1.8, 1.0  # metres, radians: all of the tiles is seen
_TARGET = (0.0, 0.0, 0.15)
_TILES, _TILE = 8, 0.2
_PAUSE = 10.0
"""Seconds between two lines of progress where nobody watches them grow."""


@dataclass(frozen=True)
class Nerf:
    """Train a small NeRF of a scene of ours, so that there is one to look at.

    Pictures from a dome of cameras are taken first; what is learnt is measured by pictures that
    training does not see. The folder holds them in `capture`, and the model as nerfstudio lays it
    out. It takes some minutes.

    Attributes:
        what: to do.
        out: folder for the model and its pictures.
        steps: of training.
        rays: of each step.
        views: pictures that are taken.
        size: pixels of their sides.
        seed: of all that is random; the same one gives the same model.
    """

    what: Annotated[Literal["train-demo"], tyro.conf.Positional]
    out: Annotated[Path, tyro.conf.Positional]
    steps: int = 1200
    rays: int = 1024
    views: int = 60
    size: int = 128
    seed: int = 0


def nerf(order: tyro.conf.OmitArgPrefixes[Nerf]) -> int:
    """Train a small NeRF of a scene of ours, so that there is one to look at."""
    for name, least in (("steps", 1), ("rays", 1), ("views", 8), ("size", 8), ("seed", 0)):
        check_integer(f"--{name}", getattr(order, name), least)
    check_free(order.out, overwrite=False)
    with Requires("torch"):
        from heliograph.engines.nerf import train
    with whole_folder(order.out) as folder:
        capture = _captured(order, folder / "capture")
        how = train.Training(model=train.DEMO, steps=order.steps, rays=order.rays, seed=order.seed)
        told = Progress()
        pause = 0.1 if told.isatty() else _PAUSE
        with closing(tqdm(None, "train", order.steps, mininterval=pause, file=told)) as bar:

            def show(progress: train.Progress) -> None:
                bar.set_postfix_str(f"{progress.psnr:.1f} dB", refresh=False)
                bar.update()

            model = train.train(capture, how, show)
        psnr = train.held_out_psnr(model, capture)
        _write(order, folder, model, capture)
    say(f"{order.out}: PSNR {psnr:.1f} dB on {len(capture.held_out)} pictures it did not see")
    say(f"look at it: heliograph fly {order.out}, or heliograph view {order.out}")
    return 0


def demo_scene() -> parts.Scene:
    """Things of several colours on tiles, within about a metre, in the light of a sun."""
    start = -_TILE * (_TILES - 1) / 2
    tiles = [
        parts.Box(
            key=f"tile_{row}_{column}",
            size=[_TILE, _TILE, 0.1],
            position=[start + _TILE * column, start + _TILE * row, -0.05],
            color=("tan", "teal", "ivory")[(row + 2 * column) % 3],
        )
        for row in range(_TILES)
        for column in range(_TILES)
    ]
    return parts.Scene(
        *tiles,
        parts.Box(key="box", size=[0.4, 0.3, 0.5], position=[-0.35, -0.15, 0.25], color="crimson"),
        parts.Sphere(key="ball", radius=0.25, position=[0.3, 0.3, 0.25], color="royalblue"),
        parts.Box(key="slab", size=[0.35, 0.3, 0.15], position=[0.3, -0.4, 0.075], color="orange"),
        parts.Sphere(key="marble", radius=0.12, position=[0.3, -0.4, 0.27], color="orchid"),
        parts.Box(key="post", size=[0.12, 0.12, 0.6], position=[-0.3, 0.45, 0.3], color="gold"),
        parts.AmbientLight(key="sky", intensity=1.0),
        parts.DirectionalLight(key="sun", position=[2, -1, 3], intensity=2.0),
    )


def _captured(order: Nerf, folder: Path) -> Any:
    from heliograph.engines.nerf.capture import dome_cameras, read_capture, write_capture

    size = order.size, order.size
    cameras = dome_cameras(order.views, target=_TARGET, radius=_RADIUS, fov_y=_FOV, size=size)
    with open_scene(demo_scene(), msaa=4) as renderer:
        write_capture(renderer, cameras, folder)
    return read_capture(folder)


def _write(order: Nerf, folder: Path, model: Any, capture: Any) -> None:
    """The data is named where it will be."""
    from heliograph.engines.nerf.run_folder import write_run

    data = order.out.absolute() / "capture"
    write_run(folder, model, capture.frame(), data, step=order.steps - 1)
