"""Where along a ray the model is asked, and how much of each sample is seen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from heliograph.engines.nerf.model import NerfactoConfig

HISTOGRAM_PADDING = 0.01
"""Added to every weight, so that no part of a ray goes without samples."""


@dataclass(frozen=True)
class Spacing:
    """Distances along a ray <-> numbers in 0..1 along which samples are spread evenly.

    Attributes:
        near: distance at 0.
        far: distance at 1.
        piecewise: even up to distance 1, then even in disparity; otherwise even.
    """

    near: float
    far: float
    piecewise: bool = True

    @classmethod
    def of(cls, config: NerfactoConfig, near: float = 0.0) -> Spacing:
        """As a model was trained; rendering begins at the camera."""
        return cls(near, config.far_plane, config.proposal_initial_sampler != "uniform")

    def distance(self, spaced: Tensor) -> Tensor:
        """0..1 -> distance, element by element."""
        if not self.piecewise:
            return spaced * self.far + (1 - spaced) * self.near
        value = spaced * self._spaced(self.far) + (1 - spaced) * self._spaced(self.near)
        return torch.where(value < 0.5, 2 * value, 1 / (2 - 2 * value))

    @staticmethod
    def _spaced(distance: float) -> float:
        return distance / 2 if distance < 1 else 1 - 1 / (2 * distance)


def even_bins(rays: int, count: int, jitter: Tensor | None = None) -> Tensor:
    """(rays, count + 1) edges of bins, evenly from 0 to 1.

    Args:
        rays: how many.
        count: bins of each.
        jitter: (rays, 1) in 0..1, how far each edge is moved between the middles beside it.
    """
    device = None if jitter is None else jitter.device
    bins = torch.linspace(0, 1, count + 1, device=device)
    if jitter is None:
        return bins.expand(rays, -1)
    middles = (bins[1:] + bins[:-1]) / 2
    upper, lower = torch.cat((middles, bins[-1:])), torch.cat((bins[:1], middles))
    return lower + (upper - lower) * jitter


def resample(bins: Tensor, weights: Tensor, count: int, jitter: Tensor | None = None) -> Tensor:
    """Bins that are narrow where weights are large: equal shares of the padded histogram.

    Args:
        bins: (rays, n + 1) edges.
        weights: (rays, n).
        count: bins to return for each ray.
        jitter: (rays, 1) in 0..1; None takes the middle of each share.

    Returns:
        (rays, count + 1) edges; no gradient passes.
    """
    padded = weights.detach() + HISTOGRAM_PADDING
    total = padded.sum(-1, keepdim=True)
    cdf = torch.cumsum(padded / total, -1).clamp(max=1)
    cdf = torch.cat((torch.zeros_like(cdf[:, :1]), cdf), -1)
    edges = count + 1
    shares = torch.linspace(0, 1 - 1 / edges, edges, device=bins.device)
    shares = shares + (0.5 if jitter is None else jitter) / edges
    shares = shares.expand(len(bins), -1).contiguous()
    above = torch.searchsorted(cdf, shares, right=True)
    below = (above - 1).clamp(0, bins.shape[-1] - 1)
    above = above.clamp(0, bins.shape[-1] - 1)
    low, high = cdf.gather(-1, below), cdf.gather(-1, above)
    at = torch.nan_to_num((shares - low) / (high - low), 0).clamp(0, 1)
    start = bins.gather(-1, below)
    return start + at * (bins.gather(-1, above) - start)


def seen_weights(densities: Tensor, lengths: Tensor) -> Tensor:
    """How much of each sample reaches the camera: (rays, n) densities and lengths -> (rays, n)."""
    depth = densities * lengths
    before = torch.cumsum(depth[:, :-1], -1)
    before = torch.cat((torch.zeros_like(depth[:, :1]), before), -1)
    return torch.nan_to_num((1 - torch.exp(-depth)) * torch.exp(-before))
