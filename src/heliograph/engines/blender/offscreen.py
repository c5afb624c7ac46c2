"""Pictures of the scene that a script works on, as arrays, with no display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, get_args

import bpy
import mathutils
import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.camera import Camera, Projection
from heliograph.engines.blender.cameras import camera_of
from heliograph.engines.blender.engine import STYLES
from heliograph.engines.blender.numbering import InstanceKey, instance_key, instance_name
from heliograph.engines.blender.viewport import Look, Shading, Viewport
from heliograph.engines.blender.world import FAST, Shown, Style
from heliograph.errors import (
    ClosedError,
    EngineError,
    InvalidValueError,
    SceneError,
    UnknownNameError,
    shown,
)
from heliograph.frame import BACKGROUND, Label, Labels, allocate
from heliograph.passes import select_passes

Mode: TypeAlias = Literal["rgb", "rgba"]
Origin: TypeAlias = Literal["upper-left", "lower-left"]
StyleName: TypeAlias = Literal["auto", "viewport", "fast", "cycles", "eevee"]

_OPTIONS = {"samples": 16, "denoise": False, "options": FAST}
_OWN: Sequence[Shading] = ("MATERIAL", "RENDERED")
"""The shadings that style `fast` draws in place of Blender's view where the style is "auto"."""

OLDEST = (4, 2)
"""The first Blender whose meshes our styles read."""


class OffScreenRenderer:
    """Draws the scene that is open in Blender as it stands, seen by a camera.

    Colour is sRGB, as a screen shows it. Each picture is an array of its own.

    | style | what draws |
    |---|---|
    | "auto" | "viewport" where the shading is SOLID or WIREFRAME, else "fast" |
    | "viewport" | Blender's 3D view; MATERIAL and RENDERED are slow without a GPU |
    | "fast" | our rasterizer |
    | "cycles", "eevee" | a render of Blender's |

    Args:
        camera: an object that is a camera; the scene's own without it.
        mode: "rgb" or "rgba".
        origin: which corner row 0 begins at: "upper-left" or "lower-left".
        shape: rows and columns; without it the resolution of the scene.
        style: see above.

    Attributes:
        view_matrix: camera_from_world, (4, 4); None follows the camera.
        proj_matrix: clip_from_camera as of OpenGL, (4, 4); None follows the camera.
        labels: what `render_passes` showed: id -> name, category.

    Raises:
        InvalidValueError: no such mode, origin or shape.
        UnknownNameError: no such style.
        SceneError: the scene has no camera.
    """

    def __init__(
        self,
        camera: Any = None,
        mode: Mode = "rgba",
        origin: Origin = "upper-left",
        *,
        shape: tuple[int, int] | None = None,
        style: StyleName = "auto",
    ) -> None:
        check_choice("mode", mode, get_args(Mode))
        check_choice("origin", origin, get_args(Origin))
        if style not in get_args(StyleName):
            raise UnknownNameError.of("style", style, get_args(StyleName))
        self.camera = camera
        self.view_matrix: ArrayLike | None = None
        self.proj_matrix: ArrayLike | None = None
        self._mode = mode
        self._flipped = origin == "lower-left"
        self._shape = shape
        self._style_name = style
        self._look = Look("RENDERED")
        self._viewport: Viewport | None = None
        self._drawers: dict[str, Style] = {}
        self._numbering = _Numbering()
        self._last: tuple[object, Camera | None] = (None, None)
        self._closed = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a picture."""
        camera = self.seen_from()
        return camera.height, camera.width

    @property
    def labels(self) -> Labels:
        """Id -> (name, category) of all that was seen so far."""
        return self._numbering.labels

    @property
    def objects(self) -> Mapping[int, str]:
        """Id -> name of the object in Blender; of an instance, the object that it shows."""
        return self._numbering.objects

    def set_render_style(
        self,
        shading: Shading = "RENDERED",
        overlays: bool = False,
        *,
        antialiasing: bool = False,
        **options: Any,
    ) -> None:
        """Say how pictures look from now on.

        Args:
            shading: "SOLID", "WIREFRAME", "MATERIAL" or "RENDERED", as of a 3D view.
            overlays: whether a view draws what helps to edit, such as its grid.
            antialiasing: whether a view smooths edges, which takes longer.
            **options: of the view's shading by Blender's names: `light="FLAT"`.
        """
        check_choice("shading", shading, get_args(Shading))
        self._look = Look(shading, overlays, antialiasing, options)

    def render(self) -> NDArray[np.uint8]:
        """A picture: (H, W, 3) or (H, W, 4) uint8 sRGB, by the mode."""
        if self._draws_view():
            return self._view()
        rgb = self.render_passes(("rgb",))["rgb"]
        if self._mode == "rgb":
            return rgb
        return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])

    def render_passes(
        self, passes: Sequence[str] = ("rgb", "depth", "normals", "segmentation")
    ) -> dict[str, NDArray[Any]]:
        """Pictures of several kinds at once, by name, as `heliograph.passes` describes them.

        What a 3D view lacks comes from style "fast", and rgb with it.

        Raises:
            UnknownNameError: a pass that the style does not have.
        """
        style = self._drawer()
        specs = select_passes(passes, style.passes)
        camera = self.seen_from()
        buffers = allocate(camera, specs)
        scene, view_layer = bpy.context.scene, bpy.context.view_layer
        self._numbering.begin(view_layer.depsgraph)
        seed = max(scene.frame_current, 0)
        order = Shown(
            scene=scene,
            view_layer=view_layer,
            numbering=self._numbering,
            by_material=False,
            background=None,
            seed=seed,
        )
        style.draw(order, [camera], specs, [buffers])
        if "segmentation" in buffers:
            self._numbering.see(buffers["segmentation"])
        return {name: self._turned(picture) for name, picture in buffers.items()}

    def seen_from(self) -> Camera:
        """The camera that pictures are taken from."""
        bpy.context.view_layer.update()
        scene = bpy.context.scene
        given = self.camera or scene.camera
        if given is None:
            raise SceneError("expected a scene with a camera, or one as `camera`, got neither")
        view, projection = self.matrices()
        if view is None or projection is None:
            return self._seen(given, view, projection)
        render = scene.render
        size = self._shape, render.resolution_x, render.resolution_y, render.resolution_percentage
        key = given.name, size, _bytes(view), _bytes(projection)
        last, camera = self._last
        if camera is None or key != last:  # it took a fifth of the time of a small picture
            camera = self._seen(given, view, projection)
            self._last = key, camera
        return camera

    def _seen(self, given: Any, view: ArrayLike | None, projection: ArrayLike | None) -> Camera:
        size = None if self._shape is None else (self._shape[1], self._shape[0])
        camera = camera_of(bpy.context.scene, given, size)
        if view is not None:
            camera = camera.replace(world_from_camera=_pose(view))
        if projection is not None:
            camera = with_projection(camera, projection)
        return camera

    def matrices(self) -> tuple[ArrayLike | None, ArrayLike | None]:
        """View and projection that were set by hand; None for what follows the camera."""
        return self.view_matrix, self.proj_matrix

    def close(self) -> None:
        """Free what draws; may be called twice."""
        self._closed = True
        viewport, self._viewport = self._viewport, None
        if viewport is not None:
            viewport.close()
        while self._drawers:
            self._drawers.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _draws_view(self) -> bool:
        if self._style_name == "auto":
            return self._look.shading not in _OWN or bpy.app.version < OLDEST
        return self._style_name == "viewport"

    def _view(self) -> NDArray[np.uint8]:
        self._check_open()
        camera = self.seen_from()
        if self._viewport is None or self._viewport.size != camera.size:
            self._viewport = Viewport(*camera.size)
        given = camera.camera_from_world, camera.projection_matrix
        matrices = [mathutils.Matrix(each.tolist()) for each in given]
        picture = self._viewport.draw(
            bpy.context.scene, bpy.context.view_layer, (matrices[0], matrices[1]), self._look
        )
        picture = picture[..., : len(self._mode)]
        return np.ascontiguousarray(picture if self._flipped else picture[::-1])

    def _drawer(self) -> Style:
        self._check_open()
        if bpy.app.version < OLDEST:
            raise EngineError(
                f"Blender {bpy.app.version_string}: only its own 3D view can be drawn, as rgb; "
                f"other passes and styles need {'.'.join(map(str, OLDEST))} or newer"
            )
        name = "fast" if self._style_name in ("auto", "viewport") else self._style_name
        if name not in self._drawers:
            self._drawers[name] = STYLES[name].load(_OPTIONS)
        return self._drawers[name]

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("this renderer is closed")

    def _turned(self, picture: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(picture[::-1]) if self._flipped else picture


def check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    """Check a value that is one of few.

    Raises:
        InvalidValueError: it is none of them.
    """
    if value not in choices:
        listed = ", ".join(repr(each) for each in choices)
        raise InvalidValueError(f"{name}: expected one of {listed}, got {shown(value)}")


def with_projection(camera: Camera, matrix: ArrayLike) -> Camera:
    """A camera that projects as OpenGL's matrix (4, 4) does, its pose and size kept.

    Raises:
        InvalidValueError: the matrix is no projection without skew.
    """
    m = np.asarray(matrix, np.float64)
    if m.shape != (4, 4) or not np.isfinite(m).all() or min(m[0, 0], m[1, 1], -m[2, 2]) <= 0:
        raise InvalidValueError(f"proj_matrix: expected OpenGL's, (4, 4), got {shown(matrix)}")
    width, height = camera.size
    orthographic = m[3, 3] == 1
    column = 3 if orthographic else 2
    sign = 1 if orthographic else -1
    if orthographic:
        near, far = (m[2, 3] + 1) / m[2, 2], (m[2, 3] - 1) / m[2, 2]
    else:
        near, far = m[2, 3] / (m[2, 2] - 1), m[2, 3] / min(m[2, 2] + 1, -_LEAST)
    return camera.replace(
        fx=m[0, 0] * width / 2,
        fy=m[1, 1] * height / 2,
        cx=(1 + sign * m[0, column]) * width / 2,
        cy=(1 - sign * m[1, column]) * height / 2,
        near=near,
        far=far,
        projection=Projection.ORTHOGRAPHIC if orthographic else Projection.PERSPECTIVE,
    )


def _bytes(matrix: ArrayLike) -> bytes:
    return np.array(matrix, np.float64).tobytes()


_LEAST = 1e-7
"""What single precision leaves of 1 - far / near, at least."""


def _pose(view: ArrayLike) -> NDArray[np.float64]:
    """The pose of a camera from its view matrix, single precision and all."""
    m = np.asarray(view, np.float64)
    if m.shape != (4, 4) or not np.isfinite(m).all():
        raise InvalidValueError(f"view_matrix: expected (4, 4) numbers, got {shown(view)}")
    left, scales, right = np.linalg.svd(m[:3, :3])
    if not np.allclose(scales, 1, atol=1e-3):
        raise InvalidValueError(f"view_matrix: expected a rotation, got scales {scales.tolist()}")
    pose = np.eye(4)
    pose[:3, :3] = (left @ right).T
    pose[:3, 3] = -pose[:3, :3] @ m[:3, 3]
    return pose


class _Numbering:
    """Ids of objects and of the instances they make, in the order in which they were asked for.

    Attributes:
        labels: of what was seen in pictures.
        objects: id -> name of the object, of an instance the one it shows.
    """

    def __init__(self) -> None:
        self._ids: dict[InstanceKey, int] = {}
        self._names: dict[int, Label] = {0: BACKGROUND}
        self.labels: dict[int, Label] = {0: BACKGROUND}
        self.objects: dict[int, str] = {}

    def begin(self, depsgraph: Any) -> None:
        """Number what is there at first, by name; what comes later is numbered as it is drawn."""
        if self._ids:
            return
        for thing in sorted(depsgraph.objects, key=lambda each: str(each.name)):
            self.of_object(thing.name)

    def see(self, ids: NDArray[np.int32]) -> None:
        """Label what a picture of ids shows."""
        for number in np.flatnonzero(np.bincount(ids.ravel())).tolist():
            self.labels[number] = self._names[number]

    def of_object(self, name: str) -> int:
        return self._number(("", name, ()), Label(name, "object")) if name else 0

    def of_material(self, name: str) -> int:
        """Materials are not told apart here."""
        del name
        return 0

    def of_instance(self, parent: str, name: str, persistent_id: Sequence[int]) -> int:
        key = instance_key(parent, name, persistent_id)
        return self._number(key, Label(instance_name(key), "instance"))

    def _number(self, key: InstanceKey, label: Label) -> int:
        if key not in self._ids:
            self._ids[key] = number = len(self._ids) + 1
            self._names[number], self.objects[number] = label, key[1]
        return self._ids[key]
