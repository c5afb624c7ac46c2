"""Environments whose world is this Blender, driven by an agent, here or in another process."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import bpy
import numpy as np
from numpy.typing import NDArray

from heliograph.compat.blendtorch.btb.offscreen import OffScreenRenderer
from heliograph.compat.blendtorch.btb.sockets import DEFAULT_TIMEOUTMS
from heliograph.engines.blender.animation import AnimationController
from heliograph.engines.blender.leaving import at_leaving
from heliograph.engines.blender.settings import MAX_FRAME
from heliograph.envs import protocol
from heliograph.envs.protocol import Reply, Request
from heliograph.errors import InvalidValueError
from heliograph.publish.duplex import Duplex

_ANY_TIME = 1e8
_NO_INFO = {"obs", "reward", "done", "terminated", "truncated", "rgb_array"}


class Agent(Protocol):
    """Says what to do next."""

    def __call__(self, env: BaseEnv, **ctx: Any) -> tuple[object, Any]:
        """One of `BaseEnv.CMD_RESTART` and `BaseEnv.CMD_STEP`, and an action or None.

        Args:
            env: the environment.
            **ctx: what `_env_post_step` returned, and `time`, `done`, `prev_action`, `rgb_array`.
        """


class BaseEnv:
    """A world that an agent steps: a frame of Blender's for each step.

    A subclass says how the world begins (`_env_reset`), what an action does (`_env_prepare_step`)
    and what is seen of it then (`_env_post_step`: a dict with `obs`, `reward` and `done`, or
    `terminated` and `truncated`; whatever else it holds goes along as information).

    Args:
        agent: drives it.

    Attributes:
        observation_space, action_space: what an agent is told of them, if the subclass says it;
            made by `box`, `discrete` and `dict_of` of `heliograph.envs.protocol`.
        np_random: to be drawn from; begins anew with the seed of a reset that has one.
        reset_options: those of the last reset.
        events: plays the frames.
    """

    STATE_INIT: ClassVar[object] = "init"
    STATE_RUN: ClassVar[object] = "run"
    CMD_RESTART: ClassVar[object] = "restart"
    CMD_STEP: ClassVar[object] = "step"

    observation_space: protocol.Space | None = None
    action_space: protocol.Space | None = None

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.np_random = np.random.default_rng()
        self.reset_options: dict[str, Any] = {}
        self.events = AnimationController()
        self.events.pre_animation.add(self._told, self._begin)
        self.events.pre_frame.add(self._told, self._act)
        self.events.post_frame.add(self._told, self._see)
        self.state = self.STATE_INIT
        self.frame_range = (0, 0)
        self.ctx: dict[str, Any] = {}
        self.renderer: OffScreenRenderer | None = None
        self.render_every = 1

    def run(self, frame_range: tuple[int, int] | None = None, use_animation: bool = True) -> None:
        """Play, episode by episode, for as long as the agent wants.

        Args:
            frame_range: first frame, and the one after which an episode is done; the scene's own
                without it. An agent may go on after it.
            use_animation: as of `AnimationController.play`.
        """
        scene = bpy.context.scene
        self.frame_range = frame_range or (scene.frame_start, scene.frame_end)
        self.events.play((self.frame_range[0], MAX_FRAME), -1, use_animation)

    def attach_default_renderer(self, every_nth: int | None = 1) -> None:
        """Have agents see pictures, as `rgb_array`.

        Args:
            every_nth: a picture each so many frames; a remote agent is drawn one when it asks for
                it. None: no pictures.

        Raises:
            InvalidValueError: no such number.
        """
        if every_nth is None:
            return
        if every_nth < 1:
            raise InvalidValueError(f"every_nth: expected 1 or more, got {every_nth}")
        self.renderer = OffScreenRenderer(mode="rgb")
        self.render_every = every_nth

    def draw(self) -> NDArray[np.uint8] | None:
        """A picture of the world as it stands: (H, W, 3) uint8 sRGB; None without a renderer."""
        return None if self.renderer is None else self.renderer.render()

    def _env_reset(self) -> None:
        raise NotImplementedError

    def _env_prepare_step(self, action: Any) -> None:
        raise NotImplementedError

    def _env_post_step(self) -> dict[str, Any]:
        raise NotImplementedError

    def _told(self, do: Callable[[], None]) -> None:
        """Do something; what it raises is told to an agent that is elsewhere, and goes on."""
        try:
            do()
        except Exception:
            if isinstance(self.agent, RemoteControlledAgent):
                self.agent.tell_failure(traceback.format_exc())
            raise

    def _begin(self) -> None:
        self.state = self.STATE_INIT
        self.ctx = {"prev_action": None, "done": False, "time": self.events.frameid}
        self._env_reset()

    def _act(self) -> None:
        if self.events.frameid == self.frame_range[0]:
            return
        command, action = self.agent(self, **self.ctx)
        if command == self.CMD_RESTART:
            self.events.rewind()
            return
        if action is not None:
            self._env_prepare_step(action)
            self.ctx["prev_action"] = action
        self.state = self.STATE_RUN

    def _see(self) -> None:
        first, last = self.frame_range
        frame = self.events.frameid
        drawn = not isinstance(self.agent, RemoteControlledAgent)
        if drawn and self.renderer is not None and (frame - first) % self.render_every == 0:
            self.ctx["rgb_array"] = self.draw()
        step = self._env_post_step()
        over = frame >= last
        ended = bool(step.get("done", False))
        told = {
            "terminated": ended,
            "truncated": over and not ended,
            **step,
            "done": ended or over or bool(step.get("terminated") or step.get("truncated")),
        }
        self.ctx = {**self.ctx, **told, "time": frame}


class RemoteControlledAgent:
    """Does what a program elsewhere asks for: `heliograph.envs`, or `btt`'s environments.

    The world waits for the next request, unless it is to run in real time. What is asked and
    answered stands in `heliograph.envs.protocol`.

    Args:
        address: of a named socket, as the launcher says.
        real_time: whether frames go on without an action while none is asked for.
        timeoutms: milliseconds that an answer may take to be sent.
    """

    def __init__(
        self, address: str, real_time: bool = False, timeoutms: int = DEFAULT_TIMEOUTMS
    ) -> None:
        self.real_time = real_time
        self._duplex = Duplex(address, bind=True, timeout=timeoutms / 1000)
        self.address = self._duplex.address
        self._owed: tuple[int, Request] | None = None
        at_leaving(lambda _: self._duplex.close())

    def __call__(self, env: BaseEnv, **ctx: Any) -> tuple[object, Any]:
        """Answer what was asked last, and do what is asked next."""
        if self._owed is not None:
            ticket, request = self._owed
            self._owed = None
            self._answer(ticket, _outcome(request, ctx))
        while (asked := self._asked(env)) is not None:
            ticket, request = asked
            now = self._answered_now(env, request)
            if now is not None:
                self._answer(ticket, now)
                if isinstance(request, protocol.Close):
                    env.events.stop()
                    break
                continue
            self._owed = asked
            if isinstance(request, protocol.Step):
                return BaseEnv.CMD_STEP, request.action
            if isinstance(request, protocol.Reset):
                return self._reset(env, request)
        return BaseEnv.CMD_STEP, None

    def close(self) -> None:
        """Hang up; may be called twice."""
        self._duplex.close()

    def tell_failure(self, told: str) -> None:
        """Answer what was asked last with a traceback."""
        if self._owed is not None:
            ticket, _ = self._owed
            self._owed = None
            self._answer(ticket, protocol.Failed(told))

    def _asked(self, env: BaseEnv) -> tuple[int, Request] | None:
        """The next request; None where there is none and the world is to go on."""
        patient = not (self.real_time and env.state == BaseEnv.STATE_RUN)
        message = self._duplex.recv(_ANY_TIME if patient else 0)
        return None if message is None else protocol.request_of(message)

    def _answered_now(self, env: BaseEnv, request: Request) -> Reply | None:
        """The reply to what needs no frame; None for what does."""
        if isinstance(request, protocol.Describe):
            modes = [] if env.renderer is None else ["rgb_array"]
            fps = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
            return protocol.Described(env.observation_space, env.action_space, modes, fps)
        if isinstance(request, protocol.Render):
            return protocol.Rendered(env.draw())
        return protocol.Closed() if isinstance(request, protocol.Close) else None

    def _reset(self, env: BaseEnv, request: protocol.Reset) -> tuple[object, Any]:
        if request.seed is not None:
            env.np_random = np.random.default_rng(request.seed)
        env.reset_options = request.options or {}
        return BaseEnv.CMD_RESTART, None

    def _answer(self, ticket: int, reply: Reply) -> None:
        self._duplex.send(**protocol.message_of(reply, ticket))


def _outcome(request: Request, ctx: dict[str, Any]) -> Reply:
    """What a reset or a step has led to."""
    info = {name: value for name, value in ctx.items() if name not in _NO_INFO}
    if isinstance(request, protocol.Reset):
        return protocol.WasReset(ctx["obs"], info)
    return protocol.Stepped(
        ctx["obs"],
        float(ctx.get("reward", 0.0)),
        bool(ctx["terminated"]),
        bool(ctx["truncated"]),
        info,
    )
