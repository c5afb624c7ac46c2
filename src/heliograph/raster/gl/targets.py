"""Framebuffers: where pictures are drawn, and how they come back as arrays."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from ctypes import POINTER, c_float, c_uint
from functools import lru_cache
from typing import Any

import moderngl
import numpy as np

from heliograph.frame import Buffers
from heliograph.passes import KNOWN_PASSES
from heliograph.raster.gl import egl
from heliograph.raster.gl.depth import FARTHEST, renderbuffer

_CACHE_SIZE = 8
_FORMATS = {
    "rgb": (4, "f1"),
    "alpha": (1, "f1"),
    "depth": (1, "f4"),
    "normals": (3, "f4"),
    "segmentation": (1, "i4"),
    "distance": (1, "f4"),
}
_WIDE = {**_FORMATS, "normals": (4, "f4")}
_ALL, _NONE = (True,) * 4, (False,) * 4
_SAMPLE_POSITION = 0x8E50
Size = tuple[int, int]
Place = tuple[float, float]
Formats = Mapping[str, tuple[int, str]]


class Target:
    """One framebuffer with one attachment per pass, in the order of `passes`.

    With samples it holds blended passes alone, and `resolved` is what is read.
    """

    def __init__(
        self,
        gl: moderngl.Context,
        size: Size,
        passes: tuple[str, ...],
        samples: int,
        formats: Formats = _FORMATS,
    ) -> None:
        self._gl = gl
        self.passes = passes
        self.size = size
        self.samples = samples
        self.cast = not samples  # rays say how far it is at the middle of a pixel only
        self._reads = {
            name: (KNOWN_PASSES[name].channels or 1, place, formats[name][1])
            for place, name in enumerate(passes)
        }
        self.images = [_image(gl, size, formats[name], samples) for name in passes]
        self._depth = renderbuffer(gl, size, samples)
        self.framebuffer = gl.framebuffer(self.images, self._depth)
        self.places = sample_places(self.framebuffer, samples)
        self.resolved: moderngl.Framebuffer | None = None
        self._resolved_images: list[moderngl.Texture] = []
        if samples:
            self._resolved_images = [_image(gl, size, formats[name], 0) for name in passes]
            self.resolved = gl.framebuffer(self._resolved_images)

    def begin(self, colour: tuple[float, float, float] | None = None) -> None:
        """Make it what is drawn into, with nothing near.

        Only a target of rgb alone can be filled with a colour. Others stay what they were: filling
        them costs more than drawing what is behind everything.
        """
        self.framebuffer.depth_mask = True
        if colour is not None:
            self.write_only(self.passes)
            self.framebuffer.clear(*colour, 1.0, depth=FARTHEST)
            return
        self.write_only(())
        self.framebuffer.clear(depth=FARTHEST)
        self.write_only(self.passes)

    def write_only(self, passes: Sequence[str]) -> None:
        """Make it what is drawn into, and let only some passes be written."""
        self.framebuffer.color_mask = _masks(self.passes, tuple(passes))
        self.framebuffer.use()  # a mask of a single attachment takes effect only here

    def read(self, out: Buffers) -> None:
        """Copy every pass that has an array into it, row 0 at the top."""
        self._copy({name: out[name].data.cast("B") for name in self.passes if name in out}, {})

    def stage(self, memory: moderngl.Buffer, offsets: Mapping[str, int]) -> None:
        """Have passes copied to their offsets in memory of the GPU's, without waiting for it."""
        self._copy(dict.fromkeys(offsets, memory), offsets)

    def _copy(self, into: Mapping[str, Any], offsets: Mapping[str, int]) -> None:
        source = self.framebuffer
        if self.resolved is not None:
            self._gl.copy_framebuffer(self.resolved, self.framebuffer)
            source = self.resolved
        for name, goal in into.items():
            components, place, dtype = self._reads[name]
            offset = offsets.get(name, 0)
            source.read_into(goal, None, components, place, dtype=dtype, write_offset=offset)

    def release(self) -> None:
        """Free the GPU's memory."""
        for thing in (self.framebuffer, self.resolved, self._depth, *self.images):
            if thing is not None:
                thing.release()
        for image in self._resolved_images:
            image.release()


class Targets:
    """The framebuffers of one rasterizer, the last few kept."""

    def __init__(self, gl: moderngl.Context) -> None:
        self._gl = gl
        self._formats = formats(gl)
        self._targets: OrderedDict[tuple[Any, ...], Target] = OrderedDict()

    def get(
        self, size: Size, passes: tuple[str, ...], samples: int = 0, purpose: str = ""
    ) -> Target:
        """A framebuffer of this size for one purpose; what is in it is undefined."""
        key = (size, passes, samples, purpose)
        if key not in self._targets:
            while len(self._targets) >= _CACHE_SIZE:
                self._targets.popitem(last=False)[1].release()
            self._targets[key] = Target(self._gl, size, passes, samples, self._formats)
        self._targets.move_to_end(key)
        return self._targets[key]


class TargetCache:
    """The last few pictures, for when they are wanted again."""

    def __init__(self, gl: moderngl.Context) -> None:
        self._gl = gl
        self._asked: OrderedDict[Hashable, Target | None] = OrderedDict()

    def seen(self, key: Hashable) -> bool:
        """Whether this was asked for before."""
        before = key in self._asked
        self._asked.setdefault(key, None)
        self._asked.move_to_end(key)
        while len(self._asked) > _CACHE_SIZE:
            oldest = self._asked.popitem(last=False)[1]
            if oldest is not None:
                oldest.release()
        return before

    def get(self, key: Hashable) -> Target | None:
        """The target that was kept for a key that was `seen`, or None."""
        return self._asked[key]

    def blank(self, size: Size) -> Target:
        """An rgb target, to be drawn into and then kept."""
        return Target(self._gl, size, ("rgb",), 0)

    def keep(self, key: Hashable, target: Target) -> None:
        """Keep what was drawn for a key."""
        self._asked[key] = target


@lru_cache(maxsize=64)
def _masks(passes: tuple[str, ...], written: tuple[str, ...]) -> Any:
    masks = tuple(_ALL if name in written else _NONE for name in passes)
    return masks[0] if len(masks) == 1 else masks


def formats(gl: moderngl.Context) -> Formats:
    """Channels and dtype of the image of each pass, as this driver can draw into it.

    Three floats a pixel are read back as they are; OpenGL requires four of every driver, no less.
    """
    image = gl.texture((1, 1), 3, dtype="f4")
    try:
        gl.framebuffer([image]).release()
    except moderngl.Error:
        return _WIDE
    finally:
        image.release()
    return _FORMATS


def sample_places(framebuffer: moderngl.Framebuffer, samples: int) -> tuple[Place, ...]:
    """Where the samples of a framebuffer are, pixels from a pixel's middle."""
    if not samples:
        return ()
    ask = egl.load().function("glGetMultisamplefv", c_uint, c_uint, POINTER(c_float))
    framebuffer.use()
    places = np.empty((samples, 2), np.float32)
    for sample, place in enumerate(places):
        ask(_SAMPLE_POSITION, sample, place.ctypes.data_as(POINTER(c_float)))
    return tuple((x - 0.5, y - 0.5) for x, y in places.tolist())


def _image(
    gl: moderngl.Context, size: Size, form: tuple[int, str], samples: int
) -> moderngl.Texture:
    components, dtype = form
    image = gl.texture(size, components, samples=samples, dtype=dtype)
    if not samples and dtype != "i4":
        image.filter = (moderngl.NEAREST, moderngl.NEAREST)
    return image
