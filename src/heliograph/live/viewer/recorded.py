"""A recording in a viewer: its samples on a timeline, without an engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from time import monotonic
from typing import Any, Final, Literal

import numpy as np

from heliograph.camera import Camera
from heliograph.engine import CancelToken
from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError
from heliograph.frame import Frame, Sample
from heliograph.live.viewer import controls
from heliograph.live.viewer.controls import Control
from heliograph.live.viewer.look import Look
from heliograph.live.viewer.python_code import recording_code
from heliograph.live.viewer.sources import Drawn, Source
from heliograph.record import Recording
from heliograph.record.shard import read_places

_MOMENT: Final = 0.05
"""Seconds that one look through the samples takes at most."""
_LISTED: Final = 500
"""Samples in a list of the panel, at most."""
_KEPT: Final = 8
"""Samples that are kept decoded."""


class RecordedRun(Source):
    """A recording.

    Args:
        recording: it.
        name: what people call it.

    Raises:
        RecordError: it is damaged.
        InvalidValueError: it holds no sample.
    """

    kind: Literal["scene", "run"] = "run"

    def __init__(self, recording: Recording, name: str) -> None:
        if not len(recording):
            raise InvalidValueError(
                f"{recording.path}: holds no sample ({len(recording.failed)} failed), so there is "
                "nothing to show"
            )
        manifest = recording.manifest
        self._indices = [
            place.index
            for number in range(len(manifest.shards))
            for place in read_places(recording.path, manifest, number)
        ]
        self._recording = recording
        self._sample = lru_cache(_KEPT)(recording.__getitem__)
        self._first = recording[0]
        self._in_sight: dict[int, frozenset[str]] = {}
        super().__init__(name)

    def first_look(self) -> Look:
        """The first sample, its first camera and pass."""
        frame = next(iter(self._first))
        return Look(shown=next(iter(frame.passes)), recorded=frame.camera.name)

    def controls(self, look: Look) -> list[Control]:
        """The timeline, what is shown, what is looked for, what failed."""
        last = len(self._indices) - 1
        made = [
            controls.select("pass", "Pass", look.shown, self.passes(look), "Picture"),
            controls.select("camera", "Camera", look.recorded, [*self._first.frames], "Picture"),
            controls.slider("position", "Sample", look.position, (0, last, 1), group="Samples"),
            controls.number(
                "index_jump",
                "Index",
                self._indices[look.position],
                (self._indices[0], self._indices[-1]),
                "Samples",
            ),
            controls.text("filter", "Object in sight", look.wanted, "part of a name", "Samples"),
        ]
        if look.wanted:
            found = self._found(look)
            made += [
                controls.button("previous", "Previous with it", "Samples"),
                controls.button("next", "Next with it", "Samples"),
                controls.listing("found", "Samples with it", self._listed(found), "Samples"),
            ]
        if self._recording.failed:
            made.append(controls.listing("failed", "Failed", self._failed(), "Failed samples"))
        return made

    def changed(self, look: Look, name: str, value: object) -> Look:
        """The look with one control set."""
        last = len(self._indices) - 1
        if name in ("position", "found"):
            return replace(look, position=controls.check_whole("position", value, 0, last))
        if name == "index_jump":
            return replace(look, position=self._position(value))
        if name == "pass":
            return replace(look, shown=controls.check_choice("pass", value, self.passes(look)))
        if name == "camera":
            known = [*self._first.frames]
            return replace(look, recorded=controls.check_choice("camera", value, known))
        if name == "filter":
            return replace(look, wanted=str(value).strip()[:200])
        if name in ("next", "previous"):
            return replace(look, position=self._neighbour(look, 1 if name == "next" else -1))
        if name == "failed":
            raise InvalidValueError("this sample failed; there is no picture of it")
        known = [control["name"] for control in self.controls(look)]
        raise UnknownNameError.of("control", name, known)

    def passes(self, look: Look) -> Sequence[str]:
        """Those that were recorded of the camera."""
        return tuple(self._first[look.recorded].passes)

    def cameras(self) -> Mapping[str, Camera]:
        """The cameras of the first sample."""
        return {name: frame.camera for name, frame in self._first.frames.items()}

    def facts(self, look: Look) -> dict[str, Any]:
        """What was recorded, and what the sample says of itself."""
        found = self._found(look)
        return {
            "source": str(self._recording.path),
            "engine": "recording",
            "device": "",
            "start": look.recorded,
            "labels": {str(number): list(label) for number, label in self._first.labels.items()},
            "objects": [
                {"id": number, "name": label.name, "category": label.category}
                for number, label in self._first.labels.items()
                if number
            ],
            "timeline": {
                "name": "position",
                "length": len(self._indices),
                "index": self._indices[look.position],
                "found": found[:_LISTED],
                "searched": len(self._in_sight) if look.wanted else 0,
            },
            "failed": len(self._recording.failed),
        }

    def drawn(
        self, look: Look, passes: Sequence[str], size: tuple[int, int], cancel: CancelToken
    ) -> Iterator[Drawn]:
        """The recorded picture."""
        del passes, size, cancel
        sample = self._sample(look.position)
        yield Drawn(sample, sample[look.recorded])

    def thumbnail(self, look: Look, camera: str, size: tuple[int, int]) -> Frame:
        """What a camera saw in this sample, every so many pixels."""
        frame = self._sample(look.position)[camera]
        height, width = frame.camera.height, frame.camera.width
        rows = np.linspace(0, height - 1, min(size[1], height)).round().astype(int)
        columns = np.linspace(0, width - 1, min(size[0], width)).round().astype(int)
        passes = {name: array[rows][:, columns] for name, array in frame.passes.items()}
        return replace(frame, passes=passes)

    def python(self, look: Look) -> str:
        """A program that reads the same frame."""
        return recording_code(self._recording.path, look.position, look.recorded, self.passes(look))

    def search(self, look: Look) -> bool:
        """Read samples for a moment, those not read yet, and note which objects are in sight."""
        end = monotonic() + _MOMENT
        if not look.wanted:
            return False
        for position in range(len(self._indices)):
            if position in self._in_sight:
                continue
            if monotonic() > end:
                return True
            self._in_sight[position] = self._names(position)
        return False

    def _names(self, position: int) -> frozenset[str]:
        try:
            return _in_sight(self._recording[position])
        except HeliographError:  # it is told where it is shown
            return frozenset()

    def _found(self, look: Look) -> list[int]:
        """Positions of the samples looked through so far that have the object in sight."""
        wanted = look.wanted.casefold()
        if not wanted:
            return []
        return [
            position
            for position, names in sorted(self._in_sight.copy().items())
            if any(wanted in name.casefold() for name in names)
        ]

    def _neighbour(self, look: Look, step: int) -> int:
        found = self._found(look)[::step]
        for position in found:
            if (position - look.position) * step > 0:
                return position
        raise InvalidValueError(
            f"no {'later' if step > 0 else 'earlier'} sample with {look.wanted!r} in sight among "
            f"the {len(self._in_sight)} looked through so far"
        )

    def _position(self, index: object) -> int:
        wanted = controls.check_whole("index", index, self._indices[0], self._indices[-1])
        if wanted not in self._indices:
            failed = [each.message for each in self._recording.failed if each.position == wanted]
            raise InvalidValueError(f"index {wanted}: not recorded: {'; '.join(failed) or '?'}")
        return self._indices.index(wanted)

    def _listed(self, positions: Sequence[int]) -> list[dict[str, Any]]:
        return [
            {"value": position, "label": f"index {self._indices[position]}", "detail": ""}
            for position in positions[:_LISTED]
        ]

    def _failed(self) -> list[dict[str, Any]]:
        return [
            {"value": each.position, "label": f"sample {each.position}", "detail": each.message}
            for each in self._recording.failed[:_LISTED]
        ]


def _in_sight(sample: Sample) -> frozenset[str]:
    """Names of the objects in a sample's segmentation; of all it knows where it has none."""
    seen = [frame.passes["segmentation"] for frame in sample if "segmentation" in frame.passes]
    if not seen:
        return frozenset(label.name for number, label in sample.labels.items() if number)
    ids = np.unique(np.concatenate([np.unique(each) for each in seen])).tolist()
    return frozenset(sample.labels[number].name for number in ids if number in sample.labels)
