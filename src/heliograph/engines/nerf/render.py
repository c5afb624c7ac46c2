"""Pictures of a nerfacto model: rays in, colours, distances, opacities and normals out.

The densities along a ray are computed front to back, a few samples at a time. Rays that are stopped
are not followed further, and colours are computed only where a sample is seen.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from heliograph.engines.nerf.model import NerfactoModel, ProposalNetwork, encode_directions
from heliograph.engines.nerf.sampling import Spacing, even_bins, resample

NEGLIGIBLE = 1e-4
"""A ray that passes less of its light than this is stopped."""

UNSEEN = 5e-4
"""A sample that is seen less than this has no colour of its own but that of the others."""

_OPAQUE = 1e4
_WORTHWHILE = 0.8  # of the rays left; below it, to pick them costs less than to draw the others
PROPOSAL_BLOCK = 32
FINAL_BLOCK = 16

Density = Callable[[Tensor], tuple[Tensor, Tensor | None]]


class NormalSource(Enum):
    """Where normals come from."""

    NONE = "none"
    PREDICTED = "predicted"
    DENSITY = "density"


@dataclass(frozen=True)
class Rays:
    """Rays in the model's frame.

    Attributes:
        origins: (N, 3).
        directions: (N, 3), unit.
        near: (N, 1), the distance before which nothing is seen.
        far: (N, 1), the distance behind which nothing is seen.
    """

    origins: Tensor
    directions: Tensor
    near: Tensor
    far: Tensor

    def __len__(self) -> int:
        return len(self.origins)

    def points(self, rows: Tensor | slice, distances: Tensor) -> Tensor:
        """(n * m, 3) points of some rays at (n, m) distances."""
        origins, ways = self.origins[rows].t(), self.directions[rows].t()
        return torch.addcmul(origins[..., None], ways[..., None], distances).flatten(1).t()


@dataclass(frozen=True)
class Rendered:
    """What rays see.

    Attributes:
        rgb: (N, 3) in 0..1, as the pictures it was trained on (sRGB).
        accumulation: (N,) in 0..1, how much of the ray is stopped.
        expected: (N,) mean distance of what is seen; far where nothing is.
        median: (N,) distance at which half of the ray is stopped; inf where less is.
        normals: (N, 3) in the model's frame, unit or 0; None where they were not asked for.
    """

    rgb: Tensor
    accumulation: Tensor
    expected: Tensor
    median: Tensor
    normals: Tensor | None


@dataclass(frozen=True)
class _Samples:
    """Bins along rays: edges in 0..1, distances of their middles, lengths; (N, n + 1), (N, n)."""

    bins: Tensor
    middles: Tensor
    lengths: Tensor

    @classmethod
    def of(cls, rays: Rays, bins: Tensor, spacing: Spacing) -> _Samples:
        edges = spacing.distance(bins)
        middles = (edges[:, 1:] + edges[:, :-1]) / 2
        clipped = torch.minimum(torch.maximum(edges, rays.near), rays.far)
        lengths = clipped[:, 1:] - clipped[:, :-1]
        inside = (clipped[:, 1:] + clipped[:, :-1]) / 2
        return cls(bins, torch.where(lengths > 0, inside, middles), lengths)


class RayRenderer:
    """Renders rays with a model, without gradients.

    Args:
        model: on the device that it is to run on.
        normals: where normals come from.
        prune: leave out what is hardly seen; without it all samples are computed.
    """

    def __init__(
        self,
        model: NerfactoModel,
        normals: NormalSource = NormalSource.NONE,
        *,
        prune: bool = True,
    ) -> None:
        self._model = model.eval()
        self._normals = normals
        self._unseen = UNSEEN if prune else -1.0
        self._stopped = -math.log(NEGLIGIBLE) if prune else math.inf
        self._spacing = Spacing.of(model.config)

    def render(self, rays: Rays) -> Rendered:
        """What a chunk of rays sees."""
        with torch.no_grad():
            samples = self._proposed(rays)
            field = self._model.field
            weights, features = self._march(rays, samples, field.density, FINAL_BLOCK)
            return self._composed(rays, samples, weights, features)

    def _proposed(self, rays: Rays) -> _Samples:
        """Where the field is asked: the proposal networks narrow it down."""
        config, device = self._model.config, rays.origins.device
        counts = [*config.num_proposal_samples_per_ray[: config.num_proposal_iterations]]
        counts.append(config.num_nerf_samples_per_ray)
        bins = even_bins(len(rays), counts[0]).to(device)
        samples = _Samples.of(rays, bins, self._spacing)
        for index, count in enumerate(counts[1:]):
            density = functools.partial(_without_features, self._model.proposal(index))
            weights, _ = self._march(rays, samples, density, PROPOSAL_BLOCK)
            samples = _Samples.of(rays, resample(samples.bins, weights, count), self._spacing)
        return samples

    def _march(
        self, rays: Rays, samples: _Samples, density: Density, block: int
    ) -> tuple[Tensor, Tensor | None]:
        """How much of each sample is seen, (N, n), and its features, (N, n, m)."""
        count = samples.middles.shape[1]
        weights = torch.zeros_like(samples.lengths)
        passed = torch.zeros(len(rays), device=weights.device)
        features: Tensor | None = None
        rows: Tensor | slice = slice(None)
        for first in range(0, count, block):
            part = slice(first, first + block)
            middles, lengths = samples.middles[rows, part], samples.lengths[rows, part]
            densities, found = density(rays.points(rows, middles))
            optical = (densities.view(middles.shape) * lengths).clamp_(max=_OPAQUE)
            total = optical.cumsum(-1).add_(passed[rows, None])
            weights[rows, part] = torch.exp(optical - total) * -torch.expm1(-optical)
            passed[rows] = total[:, -1]
            if found is not None:
                if features is None:
                    features = found.new_zeros(len(rays), count, found.shape[-1])
                features[rows, part] = found.view(*middles.shape, -1)
            alive = passed[rows] < self._stopped
            left = int(torch.count_nonzero(alive))
            if not left:
                break
            if left < _WORTHWHILE * len(alive):
                rows = torch.nonzero(passed < self._stopped)[:, 0]
        return weights.nan_to_num_(0), features

    def _composed(
        self, rays: Rays, samples: _Samples, weights: Tensor, features: Tensor | None
    ) -> Rendered:
        accumulation = weights.sum(-1)
        passed = 1 - accumulation
        cumulative = weights.cumsum(-1)
        half = torch.searchsorted(cumulative, torch.full_like(cumulative[:, :1], 0.5))
        last = weights.shape[1] - 1
        median = samples.middles.gather(-1, half.clamp(max=last))[:, 0]
        shares = weights.clone()
        background = self._model.config.background_color
        if background == "last_sample":
            shares[:, -1] += passed
        seen = torch.nonzero(shares.view(-1) > self._unseen)[:, 0]
        rows = seen // weights.shape[1]
        found = torch.as_tensor(features).flatten(0, 1)[seen]
        kept = torch.zeros_like(shares).view(-1).index_copy_(0, seen, shares.view(-1)[seen])
        kept = kept.view(shares.shape)
        kept *= (shares.sum(-1) / kept.sum(-1).clamp(min=1e-10))[:, None]
        encoded = encode_directions(rays.directions)[rows]
        rgb = _summed(kept, seen, self._model.field.colour(encoded, found))
        if background == "white":
            rgb += passed[:, None]
        return Rendered(
            rgb.clamp_(0, 1),
            accumulation,
            (weights * samples.middles).sum(-1) / (accumulation + 1e-10),
            torch.where(half[:, 0] > last, math.inf, median),
            self._normals_of(rays, samples, (weights, seen, found)),
        )

    def _normals_of(
        self, rays: Rays, samples: _Samples, sampled: tuple[Tensor, Tensor, Tensor]
    ) -> Tensor | None:
        weights, seen, features = sampled
        if self._normals is NormalSource.NONE:
            return None
        rows = seen // weights.shape[1]
        points = rays.points(rows, samples.middles.view(-1)[seen, None])
        field = self._model.field
        if self._normals is NormalSource.PREDICTED:
            normals = field.predicted_normals(points, features)
        else:
            normals = field.density_normals(points)
        return torch.nn.functional.normalize(_summed(weights, seen, normals), dim=-1)


def _without_features(network: ProposalNetwork, points: Tensor) -> tuple[Tensor, None]:
    return network.density(points), None


def _summed(weights: Tensor, seen: Tensor, values: Tensor) -> Tensor:
    """(N, n) weights and (k, 3) values of some of the samples, by flat index -> (N, 3) sums."""
    rays, count = weights.shape
    every = values.new_zeros(rays * count, 3).index_copy_(0, seen, values)
    return torch.bmm(weights[:, None], every.view(rays, count, 3))[:, 0]
