# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="union-attr, index, arg-type"
"""What a program has current of its own is current again after each call of ours."""

from __future__ import annotations

import threading

import mujoco
import numpy as np
import pytest
from mujoco.egl import GLContext

from heliograph.errors import ContextError
from heliograph.raster import Instances, RasterOptions, Texture
from heliograph.raster.gl import depth, egl
from heliograph.raster.gl.rasterizer import GlRasterizer
from test_raster import draw

XML = """<mujoco><worldbody><light pos="0 0 3"/><geom type="sphere" size=".3" rgba="1 0 0 1"/>
<geom type="plane" size="2 2 .1" pos="0 0 -.3"/></worldbody></mujoco>"""


class Simulator:
    """A program that made its own context current once, and draws in it from then on."""

    def __init__(self):
        self.model = mujoco.MjModel.from_xml_string(XML)
        self.data = mujoco.MjData(self.model)
        mujoco.mj_forward(self.model, self.data)
        self.gl = GLContext(80, 60)
        self.gl.make_current()
        self.context = mujoco.MjrContext(self.model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self.context)
        self.scene = mujoco.MjvScene(self.model, 100)

    def render(self):
        mujoco.mjv_updateScene(
            self.model,
            self.data,
            mujoco.MjvOption(),
            None,
            mujoco.MjvCamera(),
            mujoco.mjtCatBit.mjCAT_ALL,
            self.scene,
        )
        viewport, picture = mujoco.MjrRect(0, 0, 80, 60), np.empty((60, 80, 3), np.uint8)
        mujoco.mjr_render(viewport, self.scene, self.context)
        mujoco.mjr_readPixels(picture, None, viewport, self.context)
        return picture

    def close(self):
        self.context.free()
        self.gl.free()


@pytest.fixture
def simulator():
    made = Simulator()
    yield made
    made.close()


def current():
    return egl.load().current


def test_a_program_draws_on_in_its_own_context_after_each_call_of_ours(simulator):
    expected, mine = simulator.render(), current()
    assert expected.any()
    assert mine.context
    ours = GlRasterizer()
    calls = [
        lambda: draw(ours, Instances.blank(1)),
        lambda: ours.add_texture(Texture(np.zeros((2, 2, 3), np.uint8))),
        lambda: ours.context.info,
        ours.close,
        ours.close,
    ]
    for call in calls:
        assert current() == mine
        assert np.array_equal(simulator.render(), expected)
        call()
    assert current() == mine
    assert np.array_equal(simulator.render(), expected)


def test_mujoco_renderer_and_ours_in_turn():
    model = mujoco.MjModel.from_xml_string(XML)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    ours, theirs = GlRasterizer(), mujoco.Renderer(model, 60, 80)
    pictures = []
    for _ in range(3):
        theirs.update_scene(data)
        pictures.append((theirs.render().copy(), draw(ours, Instances.blank(1))["rgb"]))
    theirs.close()
    ours.close()
    assert pictures[0][0].any()
    assert pictures[0][1].any()
    assert all(np.array_equal(a, b) for p in pictures for a, b in zip(p, pictures[0], strict=True))


def test_nothing_is_current_after_a_call_where_nothing_was():
    found = []

    def work():  # a thread has nothing current at first
        found.append(current())
        ours = GlRasterizer()
        found.append(current())
        draw(ours, Instances.blank(1))
        found.append(current())
        ours.close()
        found.append(current())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [egl.NOTHING] * 4


def test_nothing_is_current_after_a_call_where_what_was_is_no_more():
    ours, program = GlRasterizer(), GLContext(8, 8)
    expected = draw(ours, Instances.blank(1))["rgb"]
    program.make_current()
    with ours.context.current():
        program.free()
    assert current() == egl.NOTHING
    found = []
    thread = threading.Thread(target=lambda: found.append(draw(ours, Instances.blank(1))["rgb"]))
    thread.start()
    thread.join()
    assert np.array_equal(found[0], expected)
    ours.close()


def test_nested_entries_give_back_what_was_current_before_each(simulator):
    mine = current()
    first, second = GlRasterizer(), GlRasterizer()
    with first.context.current():
        outer = current()
        with second.context.current():
            inner = current()
            with first.context.current(), first.context.current():
                assert current() == outer
            assert current() == inner
            draw(first, Instances.blank(1))
            assert current() == inner
        assert current() == outer
        with first.context.current():
            assert current() == outer
        assert current() == outer
        second.close()
        assert current() == outer
    assert current() == mine
    assert len({mine.context, outer.context, inner.context}) == 3
    first.close()


def test_a_context_released_while_it_is_current_gives_back_as_well(simulator):
    mine, ours = current(), GlRasterizer()
    with ours.context.current():
        ours.close()
    assert current() == mine


def test_an_error_gives_back_as_well(simulator):
    mine, ours = current(), GlRasterizer()
    with pytest.raises(ZeroDivisionError), ours.context.current():
        raise ZeroDivisionError
    assert current() == mine
    with pytest.raises(ContextError):
        GlRasterizer(RasterOptions(device=99))
    assert current() == mine
    ours.close()


def test_threads_draw_in_turn_and_each_keeps_its_own(simulator):
    ours, mine, told = GlRasterizer(), current(), []
    expected = draw(ours, Instances.blank(1))["rgb"]

    def work():
        for _ in range(10):
            told.append(np.array_equal(draw(ours, Instances.blank(1))["rgb"], expected))
            told.append(current() == egl.NOTHING)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        draw(ours, Instances.blank(1))
        assert current() == mine
        assert simulator.render().any()
    for thread in threads:
        thread.join()
    assert told == [True] * 60
    ours.close()


def test_what_contexts_a_thread_makes_stays():
    library, opengl_es = egl.load(), 0x30A0
    before, library.api = library.api, opengl_es
    GlRasterizer().close()
    assert library.api == opengl_es
    library.api = before


def test_a_driver_without_clip_control_is_told_what_is_needed(simulator, monkeypatch):
    class Old:
        version_code = 430
        extensions: frozenset[str] = frozenset()

    mine, right = current(), depth.set_range
    monkeypatch.setattr("heliograph.raster.gl.context.set_range", lambda gl: right(Old()))
    with pytest.raises(ContextError, match=r"OpenGL 4\.3 .*4\.5 or the extension"):
        GlRasterizer()
    assert current() == mine
