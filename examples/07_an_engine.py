"""A complete engine of one's own: a ball that a state moves, drawn by casting rays."""

import time

import numpy as np

import heliograph as hg
from heliograph.engine import Engine, Outs, check_version, made_sample, resolve_cameras
from heliograph.frame import BACKGROUND, Label, Sample, own_or_given
from heliograph.passes import PASSES, PassSpecs, select_passes
from heliograph.scene import Description, ObjectTable, SceneObject
from heliograph.testing import Verdict, check_engine

LABELS = {0: BACKGROUND, 1: Label("ball", "sphere")}


class BallEngine(Engine):
    """Opens `ball://RADIUS`; named by an entry point, `hg.open` finds it."""

    def __init__(self, source: str, *, size: tuple[int, int] = (320, 240)) -> None:
        self.source, self.size = source, size
        self.radius = float(source.removeprefix("ball://"))
        self.closed = False

    @property
    def scene(self) -> Description:
        reach = self.radius * np.array([[-1.0] * 3, [1.0] * 3])
        table = ObjectTable.of([SceneObject(1, "ball", "sphere", "", 0, reach, seen=True)])
        return Description(self.source, hash=self.source, objects=table)

    @property
    def cameras(self) -> dict[str, hg.Camera]:
        width, height = self.size
        eye = hg.Camera.look_at(
            eye=(0, -4, 1), target=(0, 0, 0), fov_y=0.8, width=width, height=height, name="eye"
        )
        return {"eye": eye}

    @property
    def passes(self) -> PassSpecs:
        return PASSES

    @property
    def labels(self) -> dict[int, Label]:
        return LABELS

    @classmethod
    def accepts(cls, source: object) -> bool:
        return isinstance(source, str) and source.startswith("ball://")

    def render(self, view: hg.View, out: Outs = None) -> Sample:
        begun = time.time()
        if self.closed:
            raise hg.ClosedError("this engine is closed")
        if unknown := set(view.state) - {"ball"}:
            raise hg.UnknownNameError.of("state", unknown.pop(), ["ball"])
        centre = view.state.get("ball", np.zeros(3))
        if centre.shape != (3,):
            raise hg.InvalidValueError(f"state['ball']: expected shape (3,), got {centre.shape}")
        if view.edits:
            raise hg.InvalidValueError(f"BallEngine takes no edits, got {view.edits[0]!r}")
        check_version(view, 0, 0)
        cameras = resolve_cameras(view, self.cameras)
        specs = select_passes(view.pass_names, self.passes)
        buffers = own_or_given(cameras, specs, out)  # fresh arrays, or the caller's
        for camera, arrays in zip(cameras, buffers, strict=True):
            drawn = self.draw(camera, centre)
            for name, array in arrays.items():
                array[...] = drawn[name]
        made = self.provenance.drawn(begun, scene_version=0)
        return made_sample(view, cameras, buffers, LABELS, made)

    def draw(self, camera: hg.Camera, centre: np.ndarray) -> dict[str, np.ndarray]:
        centres = camera.pixel_centres()
        start = camera.unproject(centres, 0.0)
        ray = camera.unproject(centres, 1.0) - start  # a metre along the optical axis
        a = (ray**2).sum(-1)
        b = ((start - centre) * ray).sum(-1)
        c = ((start - centre) ** 2).sum(-1) - self.radius**2
        depth = (-b - np.sqrt(np.maximum(b**2 - a * c, 0))) / a
        hit = (b**2 > a * c) & (depth > camera.near) & (depth < camera.far)
        normal = (start + depth[..., None] * ray - centre) / self.radius
        in_camera = normal @ camera.world_from_camera[:3, :3]
        shade = np.where(hit, 40 + 200 * np.clip(normal @ (0.36, -0.48, 0.8), 0, 1), 0)
        return {
            "rgb": np.repeat(shade[..., None], 3, -1).astype(np.uint8),
            "depth": np.where(hit, depth, np.inf),
            "normals": np.where(hit[..., None], in_camera, 0),
            "segmentation": hit.astype(np.int32),
        }

    def close(self) -> None:
        self.closed = True


moved = {"ball": (0.3, 0, 0.2)}
report = check_engine(lambda: BallEngine("ball://1", size=(80, 60)), other_state=moved)
print(f"{len(report.of(Verdict.PASSED))} promises hold")
