"""A scene in a viewer: a renderer draws what each page looks at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.delivery.views import STATE, random_states
from heliograph.engine import CancelToken, Capability, Renderer
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.frame import Frame
from heliograph.live.viewer import controls
from heliograph.live.viewer.controls import Control
from heliograph.live.viewer.look import CAMERA, Look
from heliograph.live.viewer.python_code import Opening, rendering_code
from heliograph.live.viewer.sources import Drawn, Source
from heliograph.passes import select_passes
from heliograph.randomize import stream
from heliograph.scene import Joint
from heliograph.scene.objects import union_box
from heliograph.view import View

MOST_SEEDS: Final = 2**53 - 1
"""Up to here a page's numbers are exact."""
MOST_INDICES: Final = 9999
"""How far the slider of the index goes."""
_JOINT: Final = "joint:"
_UNITS: Mapping[str, str] = {"hinge": "rad", "slide": "m"}
_REACH: Mapping[str, float] = {"hinge": math.pi, "slide": 0.5}
"""How far joints without a range go from where they are: radians, metres."""
_OBJECTS_TOLD: Final = 2000
_LARGE: Final = 50
"""Times the usual size of things: what is larger is no thing to look at."""


class RenderedScene(Source):
    """A renderer's scene.

    Args:
        renderer: draws; only the desk's thread asks it for pictures.
        name: what people call the scene.
        opening: how a program opens it.
        close: frees what was opened for this viewer alone.
    """

    kind: Literal["scene", "run"] = "scene"

    def __init__(
        self,
        renderer: Renderer,
        name: str,
        opening: Opening,
        close: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(name)
        self._renderer, self._opening, self._free = renderer, opening, close
        self._space = renderer.scene.space
        self._joints = {joint.name: joint for joint in self._space.joints if joint.kind in _UNITS}
        self.refines = Capability.REFINE in renderer.capabilities
        self._draw_state = random_states(renderer)
        self._randomizes = renderer.opened.get("randomize") is not None

    def first_look(self) -> Look:
        """The first pass, the scene's own state, randomized where the renderer does that."""
        shown = next(iter(self._renderer.passes))
        return Look(
            shown=shown,
            state=dict(self._space.rest),
            seed=self._renderer.seed,
            randomize=self._randomizes,
        )

    def controls(self, look: Look) -> list[Control]:
        """Pass, seed and index, joints."""
        made = [controls.select("pass", "Pass", look.shown, self.passes(look), "Picture")]
        made += self._of_random_numbers(look)
        qpos = look.state.get("qpos")
        if qpos is not None and self._joints:
            made += [self._slider(joint, float(qpos[joint.at])) for joint in self._joints.values()]
            made.append(controls.button("rest", "All joints back", "Joints"))
        return made

    def changed(self, look: Look, name: str, value: object) -> Look:
        """The look with one control set."""
        if name.startswith(_JOINT):
            return self._moved(look, name.removeprefix(_JOINT), value)
        if name == "pass":
            return replace(look, shown=controls.check_choice("pass", value, self.passes(look)))
        if name == "rest":
            return replace(look, state=dict(self._space.rest), random_state=False)
        if name in ("seed", "index"):
            most = MOST_SEEDS if name == "seed" else MOST_INDICES
            whole = controls.check_whole(name, value, 0, most)
            changes: dict[str, Any] = {name: whole}
            return self._with_state(replace(look, **changes))
        if name == "randomize" and self._randomizes:
            return replace(look, randomize=controls.check_switch(name, value))
        if name == "random_state" and self._draw_state is not None:
            return self._with_state(replace(look, random_state=controls.check_switch(name, value)))
        known = [control["name"] for control in self.controls(look)]
        raise UnknownNameError.of("control", name, known)

    def passes(self, look: Look) -> Sequence[str]:
        """The renderer's."""
        del look
        return tuple(self._renderer.passes)

    def cameras(self) -> Mapping[str, Camera]:
        """The scene's own."""
        return self._renderer.cameras

    def facts(self, look: Look) -> dict[str, Any]:
        """Where it came from, what it holds, where to look first."""
        scene, provenance = self._renderer.scene, self._renderer.provenance
        start = _start(self._renderer.cameras)
        box = _bounds(self._renderer)
        rows = list(zip(scene.objects.ids.tolist(), scene.objects.names, scene.objects.categories,
                        strict=True))  # fmt: skip
        return {
            "source": scene.source,
            "hash": scene.hash,
            "engine": provenance.engine,
            "device": provenance.device,
            "start": start.name,
            "target": _target(start, box),
            "bounds": None if np.isnan(box).any() else box.tolist(),
            "labels": {str(number): list(label) for number, label in self._renderer.labels.items()},
            "objects": [
                {"id": number, "name": name, "category": category}
                for number, name, category in rows[:_OBJECTS_TOLD]
            ],
            "still": not look.randomize and not look.random_state,
        }

    def drawn(
        self, look: Look, passes: Sequence[str], size: tuple[int, int], cancel: CancelToken
    ) -> Iterator[Drawn]:
        """Pictures of the page's camera in this size."""
        view = self._view(look, passes, size)
        for sample in self._renderer.refine(view, cancel):
            yield Drawn(sample, sample[CAMERA])

    def thumbnail(self, look: Look, camera: str, size: tuple[int, int]) -> Frame:
        """What one of the scene's cameras sees in the page's state."""
        known = self._renderer.cameras
        if camera not in known:
            raise UnknownNameError.of("camera", camera, known)
        small = known[camera].resized(*size)
        return self._renderer.render(View((small,), ("rgb",), look.state))[camera]

    def python(self, look: Look) -> str:
        """A program that draws the same picture."""
        view = self.view(look, (look.shown,))
        if view is None:
            raise InvalidValueError("camera: expected the page to have told where it looks from")
        return rendering_code(self._opening, view)

    def view(self, look: Look, passes: Sequence[str]) -> View | None:
        """The order, in the page's own size."""
        return None if look.camera is None else self._view(look, passes, look.camera.size)

    def close(self) -> None:
        """End the thread; close the renderer if it was opened for this viewer."""
        super().close()
        self._free()

    def _view(self, look: Look, passes: Sequence[str], size: tuple[int, int]) -> View:
        if look.camera is None:
            raise InvalidValueError("camera: expected the page to have told where it looks from")
        camera = look.camera if look.camera.size == size else look.camera.resized(*size)
        seed = look.seed if look.randomize else None
        specs = select_passes(passes, self._renderer.passes)
        return View((camera,), specs, look.state, seed=seed, index=look.index)

    def _with_state(self, look: Look) -> Look:
        """The look with the state that its seed and index draw, where they draw it."""
        if not look.random_state or self._draw_state is None:
            return look
        drawn = self._draw_state(stream(look.seed, look.index, STATE))
        return replace(look, state={**self._space.rest, **drawn})

    def _moved(self, look: Look, name: str, value: object) -> Look:
        joint = self._joints.get(name)
        if joint is None:
            raise UnknownNameError.of("joint", name, self._joints)
        low, high = self._limits(joint)
        qpos = np.array(look.state["qpos"], float)
        qpos[joint.at] = min(max(controls.check_number(name, value), low), high)
        return replace(look, state={**look.state, "qpos": qpos})

    def _of_random_numbers(self, look: Look) -> list[Control]:
        group, made = "Random numbers", list[Control]()
        if self._randomizes:
            made.append(controls.toggle("randomize", "Randomize", look.randomize, group))
        if self._draw_state is not None:
            made.append(controls.toggle("random_state", "Random state", look.random_state, group))
        if not made:
            return []
        return [
            *made,
            controls.number("seed", "Seed", look.seed, (0, MOST_SEEDS), group),
            controls.slider("index", "Index", look.index, (0, MOST_INDICES, 1), group=group),
        ]

    def _slider(self, joint: Joint, value: float) -> Control:
        low, high = self._limits(joint)
        return controls.slider(
            _JOINT + joint.name,
            joint.name,
            value,
            (low, high, (high - low) / 1000),
            unit=_UNITS[joint.kind],
            rest=float(self._rest[joint.at]),
            group="Joints",
        )

    def _limits(self, joint: Joint) -> tuple[float, float]:
        if joint.low is not None and joint.high is not None and joint.low < joint.high:
            return joint.low, joint.high
        rest, reach = float(self._rest[joint.at]), _REACH[joint.kind]
        return rest - reach, rest + reach

    @property
    def _rest(self) -> NDArray[Any]:
        return self._space.rest["qpos"]


def _start(cameras: Mapping[str, Camera]) -> Camera:
    """The camera that frames the scene, or its first: its own may see nothing of it."""
    return cameras.get("fit") or next(iter(cameras.values()))


def _bounds(renderer: Renderer) -> NDArray[np.float64]:
    """The box (2, 3) around what is seen, metres; NaN where nothing is.

    Floors and skies, which are many times as large as most things, are left out.
    """
    objects = renderer.scene.objects
    boxes, poses = objects.boxes[objects.seen], objects.poses[objects.seen]
    sizes = np.linalg.norm(boxes[:, 1] - boxes[:, 0], axis=-1)
    known = np.isfinite(sizes)
    usual = known & (sizes <= _LARGE * np.median(sizes[known])) if known.any() else known
    return union_box(boxes[usual], poses[usual], np.eye(4))


def _target(camera: Camera, box: NDArray[np.float64]) -> list[float]:
    """What the page's controls turn about: a point before the camera, as far as the middle."""
    pose = camera.world_from_camera
    distance = 1.0 if np.isnan(box).any() else float(np.linalg.norm(box.mean(0) - pose[:3, 3]))
    found: list[float] = (pose[:3, 3] - max(distance, 2 * camera.near) * pose[:3, 2]).tolist()
    return found
