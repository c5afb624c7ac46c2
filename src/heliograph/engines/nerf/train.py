"""Training: a nerfacto model from a capture, on the CPU, in minutes for small pictures.

Each step takes random pixels of the training pictures, renders their rays as nerfstudio's nerfacto
does in training, and moves all parameters by Adam. Three errors are added up: of the colours; of
the proposal networks, which must not weigh any part of a ray less than the field does; and of
weights that are spread along a ray where they could be in one place.

This work is based on: Tancik et al., "Nerfstudio" (2023); Barron et al., "Mip-NeRF 360" (2022),
equations 13 and 15 for the last two errors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from heliograph.engines.nerf.capture import Capture, Photo
from heliograph.engines.nerf.frames import CaptureFrame
from heliograph.engines.nerf.model import (
    GridConfig,
    NerfactoConfig,
    NerfactoModel,
    encode_directions,
)
from heliograph.engines.nerf.picture import Viewpoint
from heliograph.engines.nerf.render import RayRenderer, Rays
from heliograph.engines.nerf.sampling import Spacing, even_bins, resample, seen_weights

NETWORK_RATE = 0.2
"""Of the networks, as a part of the rate of the hash tables."""

CPU = torch.device("cpu")

SMALL = NerfactoConfig(
    num_levels=6,
    max_res=256,
    log2_hashmap_size=15,
    use_appearance_embedding=False,
    proposals=(
        GridConfig(4, max_res=64, log2_hashmap_size=14, hidden_dim=16),
        GridConfig(4, max_res=128, log2_hashmap_size=14, hidden_dim=16),
    ),
    num_proposal_samples_per_ray=(32, 24),
    num_nerf_samples_per_ray=16,
    proposal_initial_sampler="uniform",
    far_plane=2.0,
    background_color="black",
)
"""For pictures of 64 pixels of what is within the dome of the cameras: seconds a hundred steps."""

DEMO = replace(
    SMALL,
    num_levels=8,
    max_res=512,
    log2_hashmap_size=16,
    num_proposal_samples_per_ray=(48, 32),
    num_nerf_samples_per_ray=24,
)
"""For pictures of 128 pixels."""


@dataclass(frozen=True)
class Training:
    """How a model is trained.

    Attributes:
        model: its size.
        steps: of Adam.
        rays: of each step.
        seed: of the model's first values, of rays and samples.
        rate: of the first step; it falls to `last_rate` by equal factors.
        last_rate: of the last step.
        distortion: factor of the error of weights that are spread.
    """

    model: NerfactoConfig = SMALL
    steps: int = 500
    rays: int = 512
    seed: int = 0
    rate: float = 5e-2
    last_rate: float = 2e-3
    distortion: float = 1e-2


class Progress(NamedTuple):
    """How far training is.

    Attributes:
        step: how many are done.
        psnr: dB, of the step's rays.
    """

    step: int
    psnr: float


def train(
    capture: Capture,
    training: Training | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> NerfactoModel:
    """Train a model; the same capture and training give the same bits on the same machine.

    Args:
        capture: its training pictures are looked at.
        training: how; by default what suits small pictures.
        progress: called after each step.
    """
    training = training or Training()
    with _one_thread():
        generator = torch.Generator().manual_seed(training.seed)
        rays, colours = _pixels(capture.training, capture.frame(), training.model)
        model = _initial(training.model, training.seed)
        optimizer = _optimizer(model, training)
        fall = (training.last_rate / training.rate) ** (1 / max(training.steps, 1))
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, fall)
        for step in range(training.steps):
            chosen = torch.randint(len(rays), (training.rays,), generator=generator)
            march = _March(model, _rows(rays, chosen), generator, _anneal(step, training.steps))
            error = functional.mse_loss(march.colours, colours[chosen])
            optimizer.zero_grad()
            total = error + march.proposal_error() + training.distortion * march.distortion()
            total.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            if progress is not None:
                progress(Progress(step + 1, -10 * math.log10(max(error.item(), 1e-12))))
    return model.eval().requires_grad_(requires_grad=False)


def held_out_psnr(model: NerfactoModel, capture: Capture) -> float:
    """PSNR in dB over all pixels of the pictures that training did not see."""
    rays, colours = _pixels(capture.held_out, capture.frame(), model.config)
    renderer, chunk = RayRenderer(model), 1024
    drawn = [
        renderer.render(_rows(rays, slice(first, first + chunk))).rgb
        for first in range(0, len(rays), chunk)
    ]
    return -10 * math.log10(float(functional.mse_loss(torch.cat(drawn), colours)))


def _pixels(
    photos: tuple[Photo, ...], frame: CaptureFrame, config: NerfactoConfig
) -> tuple[Rays, Tensor]:
    """The rays of all pixels in the model's frame, and their colours, (N, 3) in 0..1."""
    found = []
    for photo in photos:
        pixels = np.arange(photo.camera.width * photo.camera.height)
        rays = Viewpoint(photo.camera, frame, CPU).rays(pixels)
        found.append((rays.origins, rays.directions, torch.tensor(photo.rgb.reshape(-1, 3)) / 255))
    origins, directions, colours = (torch.cat(parts) for parts in zip(*found, strict=True))
    near, far = torch.full((2, len(colours), 1), config.near_plane), config.far_plane
    return Rays(origins, directions, near[0], torch.full_like(near[0], far)), colours


def _rows(rays: Rays, rows: Tensor | slice) -> Rays:
    return Rays(rays.origins[rows], rays.directions[rows], rays.near[rows], rays.far[rows])


def _initial(config: NerfactoConfig, seed: int) -> NerfactoModel:
    """A model of first values that depend on the seed alone."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return NerfactoModel(config)


def _optimizer(model: NerfactoModel, training: Training) -> torch.optim.Adam:
    """Tables learn fast, of which a ray sees few rows; the networks behind them slower."""
    named = dict(model.named_parameters())
    tables = [value for name, value in named.items() if name.endswith("hash_table")]
    networks = [value for name, value in named.items() if not name.endswith("hash_table")]
    groups = [
        {"params": tables, "lr": training.rate},
        {"params": networks, "lr": training.rate * NETWORK_RATE},
    ]
    return torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-15)


def _anneal(step: int, steps: int) -> float:
    """The exponent of the weights that proposals are drawn by: from 0, all alike, to 1."""
    share = min(step / (0.3 * steps), 1)
    return 10 * share / (9 * share + 1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Uses one core, so that no sum depends on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _March:
    """Rays through a model, with gradients and with samples that are moved at random.

    Args:
        model: is asked.
        rays: (N,).
        generator: of the random numbers.
        anneal: exponent of the proposals' weights.

    Attributes:
        colours: (N, 3).
    """

    def __init__(
        self, model: NerfactoModel, rays: Rays, generator: torch.Generator, anneal: float
    ) -> None:
        config = model.config
        spacing = Spacing.of(config, config.near_plane)
        counts = [*config.num_proposal_samples_per_ray[: config.num_proposal_iterations]]
        counts.append(config.num_nerf_samples_per_ray)

        def jitter() -> Tensor:
            return torch.rand(len(rays), 1, generator=generator)

        bins, self._proposed = even_bins(len(rays), counts[0], jitter()), []
        for index, count in enumerate(counts[1:]):
            edges = spacing.distance(bins)
            middles = (edges[:, 1:] + edges[:, :-1]) / 2
            density = model.proposal(index).density(rays.points(slice(None), middles))
            weights = seen_weights(density.view(middles.shape), edges.diff(dim=-1))
            self._proposed.append((bins, weights))
            bins = resample(bins, weights.detach() ** anneal, count, jitter())
        edges = spacing.distance(bins)
        middles = (edges[:, 1:] + edges[:, :-1]) / 2
        density, features = model.field.density(rays.points(slice(None), middles))
        self._bins = bins
        self._weights = seen_weights(density.view(middles.shape), edges.diff(dim=-1))
        seen_from = encode_directions(rays.directions).repeat_interleave(middles.shape[1], 0)
        colours = model.field.colour(seen_from, features).view(*middles.shape, 3)
        self.colours = (self._weights[..., None] * colours).sum(1)
        passed = 1 - self._weights.sum(-1, keepdim=True)
        if config.background_color == "last_sample":
            self.colours = self.colours + passed * colours[:, -1]
        elif config.background_color == "white":
            self.colours = self.colours + passed

    def proposal_error(self) -> Tensor:
        """How much less than the field the proposal networks weigh parts of the rays."""
        weights = self._weights.detach()
        errors = [
            ((weights - _most(self._bins, bins, proposed)).clamp(min=0) ** 2 / (weights + 1e-7))
            for bins, proposed in self._proposed
        ]
        return torch.stack([error.sum(-1).mean() for error in errors]).sum()

    def distortion(self) -> Tensor:
        """How far apart the weights of a ray are; of pairs in order, by running sums."""
        weights, lengths = self._weights, self._bins.diff(dim=-1)
        middles = (self._bins[:, 1:] + self._bins[:, :-1]) / 2
        before = weights.cumsum(-1) - weights
        before_at = (weights * middles).cumsum(-1) - weights * middles
        between = 2 * (weights * (middles * before - before_at)).sum(-1)
        within = (weights**2 * lengths).sum(-1) / 3
        return (between + within).mean()


def _most(bins: Tensor, proposed_bins: Tensor, proposed: Tensor) -> Tensor:
    """The weight of all proposed bins that overlap each of other bins.

    Args:
        bins: (N, n + 1) edges.
        proposed_bins: (N, m + 1) edges.
        proposed: (N, m) weights.

    Returns:
        (N, n).
    """
    total = functional.pad(proposed.cumsum(-1), (1, 0))
    edges, most = proposed_bins.contiguous(), proposed.shape[1]
    low = torch.searchsorted(edges, bins[:, :-1].contiguous(), right=True) - 1
    high = torch.searchsorted(edges, bins[:, 1:].contiguous(), right=False)
    return total.gather(-1, high.clamp(0, most)) - total.gather(-1, low.clamp(0, most))
