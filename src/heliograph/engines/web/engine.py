"""The web engine: scenes of components and mesh files, drawn by three.js in a headless browser."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias

from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.engine import (
    VERSIONS_KEPT,
    Capability,
    Engine,
    Outs,
    check_version,
    made_sample,
)
from heliograph.engines.shared.edits import APPEARANCE, camera_moves, edited_camera
from heliograph.engines.shared.source import Source, scene_of
from heliograph.engines.web.decode import PAGE_PASSES
from heliograph.engines.web.drawn import Drawn
from heliograph.engines.web.headless import GROUPS, HeadlessPage
from heliograph.engines.web.looks import Shown
from heliograph.engines.web.scene import SceneVersion
from heliograph.engines.web.scene_rows import SceneRows
from heliograph.errors import ClosedError, EngineError, InvalidValueError, WorkerError
from heliograph.frame import Labels, Provenance, Sample, own_or_given
from heliograph.passes import PassSpecs, select_passes
from heliograph.scene import Description, Edit
from heliograph.scene.numbers import ObjectIds
from heliograph.scene.tree import Tree
from heliograph.view import View

Transport: TypeAlias = Literal["auto", "socket", "file"]
"""How pictures come from the browser: "auto" is a shared file where that works."""

_EDITED_KEPT: Final = 8
_TRANSPORTS: Final = ("auto", "socket", "file")


class WebEngine(Engine):
    """Draws a scene of components with three.js, in a Chromium that it starts and ends.

    Its cameras, its numbers of objects, what its states, edits and versions mean are those of the
    component engine. What a page cannot show is refused by name. Where the browser dies, the view
    that was being drawn fails, and the next one is drawn by another browser.

    Args:
        source: a component, or the path of a .glb, .gltf, .obj, .ply or .stl file.
        size: (width, height) in pixels of the camera `fit`.
        transport: how pictures come from the browser: through a file that both see, over the
            WebSocket, or "auto" for what works and is fastest.
        msaa: samples per pixel for rgb and alpha, 0 or 4.
        timeout: seconds that the browser has for one view.

    Raises:
        SceneError: a file is missing or malformed.
        MissingDependencyError: no browser is installed.
        EngineError: the browser cannot draw.
        InvalidValueError: another kind of source, or of option.
    """

    def __init__(
        self,
        source: Source,
        *,
        size: tuple[int, int] = (320, 240),
        transport: Transport = "auto",
        msaa: int = 0,
        timeout: float = 60.0,
    ) -> None:
        if transport not in _TRANSPORTS:
            raise InvalidValueError(f"transport: expected one of {_TRANSPORTS}, got {transport!r}")
        if check_integer("msaa", msaa) not in (0, 4):
            raise InvalidValueError(f"msaa: expected 0 or 4, got {msaa}")
        if not 0 < timeout < math.inf:
            raise InvalidValueError(f"timeout: expected seconds above 0, got {timeout}")
        self._transport, self._timeout = transport, timeout
        self._samples = msaa or 1
        scene, self._name = scene_of(source)
        tree = Tree(scene)
        first = SceneVersion(tree, ObjectIds.of(tree), size)
        self._versions: OrderedDict[int, SceneVersion] = OrderedDict({0: first})
        self._edited: OrderedDict[tuple[int, ...], tuple[Sequence[Edit], SceneVersion]]
        self._edited = OrderedDict()
        self._closed, self._failure = False, ""
        self._page: HeadlessPage | None = self._opened()
        self._shows: Shown | None = None
        self._shown_number = 0

    @property
    def scene(self) -> Description:
        """What the newest version holds."""
        version, newest = self._newest
        return newest.described(self._name, version)

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The newest version's cameras by key, and `fit`, which frames everything."""
        return self._newest[1].cameras

    @property
    def passes(self) -> PassSpecs:
        """All passes."""
        return PAGE_PASSES

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (key, type); a sample's own labels know what its edits added."""
        return self._newest[1].labels

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Versions."""
        return frozenset({Capability.ADVANCE})

    @property
    def provenance(self) -> Provenance:
        """Who draws."""
        return replace(self._provenance, scene_version=self._newest[0])

    @property
    def failure(self) -> str:
        """How its browser died last; empty if none has."""
        return self._failure

    @property
    def page(self) -> HeadlessPage:
        """The page that draws; another one after a browser died.

        Raises:
            ClosedError: the engine is closed.
        """
        if self._closed:
            raise ClosedError("this renderer is closed")
        if self._page is None:
            self._page = self._opened()
        return self._page

    def advance(self, changes: Sequence[Edit]) -> int:
        """Make another version of the newest one; see `heliograph.engine.Described`."""
        version, newest = self._newest
        self._versions[version + 1] = newest.edited(changes)
        while len(self._versions) > VERSIONS_KEPT:
            self._versions.popitem(last=False)
        return version + 1

    def render(self, view: View, out: Outs = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        begun, page = time.time(), self.page
        version = check_version(view, next(iter(self._versions)), self._newest[0])
        looks = [edit for edit in view.edits if isinstance(edit, APPEARANCE)]
        changes = [edit for edit in view.edits if not isinstance(edit, APPEARANCE)]
        scene = self._scene(version, changes)
        specs = select_passes(view.pass_names, PAGE_PASSES)
        looks, moves = camera_moves(looks, scene.camera_names)
        shown = Shown.of(scene, view.state, looks)
        cameras = []
        for asked in view.cameras or (scene.camera_names[0],):
            named = asked if isinstance(asked, Camera) else scene.camera(asked, shown.worlds)
            cameras.append(
                edited_camera(named, () if named is asked else moves.get(named.name, ()))
            )
        buffers = own_or_given(cameras, specs, out)
        arrays = {camera.name: each for camera, each in zip(cameras, buffers, strict=True)}
        for drawn in self._draw(page, shown, cameras, specs):
            for camera, name in drawn.pictures:
                drawn.pictures.read(camera, name, arrays[camera][name])
        made = self._provenance.drawn(begun, version)
        return made_sample(view, cameras, buffers, scene.labels, made)

    def close(self) -> None:
        """End the browser; may be called twice."""
        self._closed = True
        self._drop_page()

    @property
    def _newest(self) -> tuple[int, SceneVersion]:
        return next(reversed(self._versions.items()))

    def _opened(self) -> HeadlessPage:
        transport = self._transport
        page = HeadlessPage(shares=transport != "socket", must_share=transport == "file")
        self._provenance = Provenance("web", page.gl)
        return page

    def _drop_page(self) -> None:
        page, self._page, self._shows = self._page, None, None
        if page is not None:
            page.close()

    def _scene(self, version: int, changes: Sequence[Edit]) -> SceneVersion:
        """A version with edits of the tree; the last ones used are kept."""
        base = self._versions[version]
        if not changes:
            return base
        key = (version, *map(id, changes))
        found = self._edited.pop(key, None)
        scene = base.edited(changes) if found is None or found[1].outdated else found[1]
        self._edited[key] = changes, scene
        while len(self._edited) > _EDITED_KEPT:
            self._edited.popitem(last=False)
        return scene

    def _draw(
        self, page: HeadlessPage, shown: Shown, cameras: Sequence[Camera], specs: PassSpecs
    ) -> Iterator[Drawn]:
        """The pictures of all cameras, some after the others."""
        keys = shown.differing(self._shows)
        show = None
        if keys is None or keys:
            shown.scene.check_files(keys)
            self._shown_number += 1
            show = SceneRows(self._shown_number, shown.tree, shown.ids), keys
        self._shows = None  # until it is known to be shown
        some = -(-len(cameras) // GROUPS)
        groups = [cameras[first : first + some] for first in range(0, len(cameras), some)]
        how: dict[str, Any] = {"samples": self._samples, "timeout": self._timeout}
        try:
            for drawn in page.draw(show, groups, tuple(specs), **how):
                self._check_shown(drawn)
                yield drawn
        except WorkerError as error:
            self._failure = f"{error.message}; {page.last_words()}"
            self._drop_page()
            raise EngineError(self._failure) from error
        self._shows = shown

    def _check_shown(self, drawn: Drawn) -> None:
        if drawn.version != self._shown_number:
            raise EngineError(
                f"expected a picture of what was shown last ({self._shown_number}), got one of "
                f"{drawn.version}"
            )
