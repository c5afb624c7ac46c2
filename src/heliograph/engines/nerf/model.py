"""The nerfacto model: hash grids, small networks, and the densities and colours they yield.

This work is based on: Tancik et al., "Nerfstudio: a modular framework for neural radiance field
development" (2023); Mueller et al., "Instant neural graphics primitives with a multiresolution
hash encoding" (2022); Barron et al., "Mip-NeRF 360" (2022).

Names and shapes of the parameters are those that nerfstudio 1.1.5 writes with its torch encodings
(`implementation="torch"`, and what it falls back to without tiny-cuda-nn). tiny-cuda-nn keeps
each network with its grid in one flat array of half floats and hashes only the levels that do not
fit their table; such checkpoints are refused by name.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

HASH_PRIMES = (1, 2654435761 - 2**32, 805459861)
"""Factors of the spatial hash of x, y and z, as int32 numbers that wrap around."""

HASH_INIT_SCALE = 1e-3
DIRECTION_FEATURES = 16
POSITION_FREQUENCIES = 2
PREDICTED_NORMAL_WIDTH = 64


@dataclass(frozen=True)
class GridConfig:
    """A hash grid and the network behind it.

    Attributes:
        num_levels: grids from coarse to fine.
        base_res: cells along an axis of the coarsest.
        max_res: cells along an axis of the finest.
        log2_hashmap_size: rows of each level's table, as a power of two.
        features_per_level: numbers in a row.
        hidden_dim: width of the network's hidden layers.
        num_layers: linear layers of the network.
        use_linear: one linear layer instead of the network; proposal networks only.
    """

    num_levels: int = 8
    base_res: int = 16
    max_res: int = 1024
    log2_hashmap_size: int = 18
    features_per_level: int = 2
    hidden_dim: int = 64
    num_layers: int = 2
    use_linear: bool = False

    def resolutions(self) -> Tensor:
        """(num_levels,) float32: cells along an axis of each level."""
        steps = max(self.num_levels - 1, 1)
        growth = math.exp((math.log(self.max_res) - math.log(self.base_res)) / steps)
        levels = torch.arange(self.num_levels, device="cpu")
        return torch.floor(self.base_res * torch.pow(growth, levels))


@dataclass(frozen=True)
class NerfactoConfig:
    """What shapes a nerfacto model; the defaults are nerfstudio's.

    Attributes:
        num_levels: as in `GridConfig`, of the field.
        base_res: as in `GridConfig`.
        max_res: as in `GridConfig`.
        log2_hashmap_size: as in `GridConfig`.
        features_per_level: as in `GridConfig`.
        hidden_dim: as in `GridConfig`.
        num_layers: as in `GridConfig`.
        geo_feat_dim: features that the density network hands to the colour network.
        num_layers_color: linear layers of the colour network.
        hidden_dim_color: width of its hidden layers.
        hidden_dim_transient: output width of the network that predicts normals.
        appearance_embed_dim: numbers per training picture.
        use_appearance_embedding: whether the colour depends on the training picture.
        use_average_appearance_embedding: rendering takes their mean; otherwise zeros.
        num_images: training pictures.
        predict_normals: whether the model predicts normals.
        proposals: the proposal networks, in order; the last one serves all further rounds.
        num_proposal_iterations: rounds of sampling before the last one.
        use_same_proposal_network: one network serves all rounds.
        num_proposal_samples_per_ray: samples of each of those rounds.
        num_nerf_samples_per_ray: samples of the last round.
        proposal_initial_sampler: `piecewise`, even up to 1 and in disparity beyond, or `uniform`.
        near_plane: where rays begin in training, in the model's frame; rendering begins at 0.
        far_plane: where rays end.
        background_color: `last_sample`, `random` (black when rendering), `black` or `white`.
        disable_scene_contraction: the field fills its box alone, instead of all of space.
        average_init_density: factor of all densities.
    """

    num_levels: int = 16
    base_res: int = 16
    max_res: int = 2048
    log2_hashmap_size: int = 19
    features_per_level: int = 2
    hidden_dim: int = 64
    num_layers: int = 2
    geo_feat_dim: int = 15
    num_layers_color: int = 3
    hidden_dim_color: int = 64
    hidden_dim_transient: int = 64
    appearance_embed_dim: int = 32
    use_appearance_embedding: bool = True
    use_average_appearance_embedding: bool = True
    num_images: int = 1
    predict_normals: bool = False
    proposals: tuple[GridConfig, ...] = (
        GridConfig(5, max_res=128, log2_hashmap_size=17, hidden_dim=16),
        GridConfig(5, max_res=256, log2_hashmap_size=17, hidden_dim=16),
    )
    num_proposal_iterations: int = 2
    use_same_proposal_network: bool = False
    num_proposal_samples_per_ray: tuple[int, ...] = (256, 96)
    num_nerf_samples_per_ray: int = 48
    proposal_initial_sampler: str = "piecewise"
    near_plane: float = 0.05
    far_plane: float = 1000.0
    background_color: str = "last_sample"
    disable_scene_contraction: bool = False
    average_init_density: float = 1.0

    @property
    def grid(self) -> GridConfig:
        """The field's grid."""
        return GridConfig(
            self.num_levels,
            self.base_res,
            self.max_res,
            self.log2_hashmap_size,
            self.features_per_level,
            self.hidden_dim,
            self.num_layers,
        )

    def rounds(self) -> list[GridConfig]:
        """The grid of each proposal network."""
        count = 1 if self.use_same_proposal_network else self.num_proposal_iterations
        return [self.proposals[min(index, len(self.proposals) - 1)] for index in range(count)]

    @property
    def appearance_width(self) -> int:
        """Numbers per training picture that the colour network reads."""
        return self.appearance_embed_dim if self.use_appearance_embedding else 0


class HashEncoding(nn.Module):
    """Features of points: per level eight rows of a table, blended by where in its cell a point is.

    Args:
        grid: its size.
    """

    resolutions: Tensor
    first_rows: Tensor

    def __init__(self, grid: GridConfig) -> None:
        super().__init__()
        rows = 2**grid.log2_hashmap_size
        table = torch.rand(rows * grid.num_levels, grid.features_per_level) * 2 - 1
        self.hash_table = nn.Parameter(table * HASH_INIT_SCALE)
        self.width = grid.num_levels * grid.features_per_level
        self._mask = rows - 1
        levels = torch.arange(grid.num_levels, dtype=torch.int32, device="cpu")
        self.register_buffer("resolutions", grid.resolutions(), persistent=False)
        self.register_buffer("first_rows", levels * rows, persistent=False)

    def forward(self, points: Tensor) -> Tensor:
        """(N, 3) points in [0, 1) -> (N, width) features.

        Everything is in planes of (levels, N) numbers, axis by axis and corner by corner: eight
        times as fast on a CPU as arrays whose last axis holds three coordinates or eight corners.
        """
        scaled = points.t().contiguous()[:, None] * self.resolutions[:, None]
        cell = scaled.to(torch.int32)
        blend = scaled - cell
        primes = torch.tensor(HASH_PRIMES, dtype=torch.int32, device=points.device)[:, None, None]
        low = cell * primes
        high = (low + primes) & self._mask  # a table has 2**n rows, so parts may be masked
        low = low & self._mask
        first = self.first_rows[:, None]
        corners = ((low[0] ^ first, high[0] ^ first), (low[1], high[1]), (low[2], high[2]))
        if self.hash_table.shape[1] == 2:  # two floats are fetched and blended as one number
            table = torch.view_as_complex(self.hash_table)
            features = torch.view_as_real(_blended(table, corners, blend.to(table.dtype)))
        else:
            features = _blended(self.hash_table, corners, blend[..., None])
        return features.transpose(0, 1).reshape(len(points), self.width)


Corners: TypeAlias = tuple[tuple[Tensor, Tensor], ...]


def _blended(table: Tensor, corners: Corners, blend: Tensor) -> Tensor:
    """Rows of the corners of cells, blended along x, then y, then z.

    Args:
        table: (rows, ...), in which each row is a number or some numbers.
        corners: for x, y, z the parts of a row's index (levels, N) at both ends of a cell.
        blend: (3, levels, N, ...) how far a point is from the lower to the upper end.

    Returns:
        (levels, N, ...).
    """

    def along_x(yz: Tensor) -> Tensor:
        one, two = (
            table.index_select(0, (x ^ yz).view(-1)).view(*yz.shape, *table.shape[1:])
            for x in corners[0]
        )
        return torch.lerp(one, two, blend[0])

    def along_y(z: Tensor) -> Tensor:
        one, two = (along_x(y ^ z) for y in corners[1])
        return torch.lerp(one, two, blend[1])

    one, two = (along_y(z) for z in corners[2])
    return torch.lerp(one, two, blend[2])


class Mlp(nn.Module):
    """Linear layers with rectified values between them.

    Args:
        widths: of the input, of each hidden layer, of the output.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        pairs = itertools.pairwise(widths)
        self.layers = nn.ModuleList(nn.Linear(size, into) for size, into in pairs)

    @classmethod
    def of(cls, size: int, layers: int, hidden: int, into: int) -> Mlp:
        """As nerfstudio counts: `layers` linear layers in all."""
        return cls([size, *[hidden] * (layers - 1), into])

    def forward(self, values: Tensor) -> Tensor:
        """(..., input) -> (..., output), the last layer as it is."""
        *hidden, last = self.layers
        for layer in hidden:
            values = functional.relu(layer(values))
        return torch.as_tensor(last(values))


class Appearance(nn.Module):
    """What is peculiar to each training picture, such as its exposure.

    Args:
        images: how many.
        width: numbers of each.
    """

    def __init__(self, images: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(images, width)


class TruncatedExp(torch.autograd.Function):
    """The exponential, whose gradient does not overflow."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, values: Tensor) -> Tensor:
        """Returns exp(values)."""
        ctx.save_for_backward(values)
        return torch.exp(values)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> Tensor:
        """The gradient, taken at values of at most 15."""
        (values,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradients[0] * torch.exp(values.clamp(-15, 15))


class Bounds(nn.Module):
    """Where points are in the unit cube of the grids.

    Args:
        grid: whose numbers the checkpoint holds beside the box.
        contracted: all of space is folded into the cube; otherwise the box fills it.
        average_init_density: factor of all densities.
    """

    aabb: Tensor

    def __init__(self, grid: GridConfig, contracted: bool, average_init_density: float) -> None:
        super().__init__()
        self.register_buffer("aabb", torch.tensor([[-1.0] * 3, [1.0] * 3]))
        self.register_buffer("max_res", torch.tensor(grid.max_res))
        self.register_buffer("num_levels", torch.tensor(grid.num_levels))
        self.register_buffer("log2_hashmap_size", torch.tensor(grid.log2_hashmap_size))
        self._contracted = contracted
        self._factor = average_init_density

    def _unit(self, points: Tensor) -> tuple[Tensor, Tensor | None]:
        """(N, 3) points of the model's frame -> in the cube, and (N,) which are inside it.

        None for all; contracted space ends at the surface of the cube.
        """
        if self._contracted:
            x, y, z = points.t().abs()
            size = torch.maximum(torch.maximum(x, y), z).clamp(min=1)
            return points * ((2 - 1 / size) / (4 * size))[:, None] + 0.5, None
        unit = (points - self.aabb[0]) / (self.aabb[1] - self.aabb[0])
        inside = ((unit > 0) & (unit < 1)).all(-1)
        return unit * inside[:, None], inside

    def _density(self, raw: Tensor, inside: Tensor | None) -> Tensor:
        exponential: Tensor = TruncatedExp.apply(raw)  # type: ignore[no-untyped-call]
        density = self._factor * exponential
        return density if inside is None else density * inside


class NerfactoField(Bounds):
    """Density, colour and, where it was trained so, normals of points.

    Args:
        config: its size.
    """

    def __init__(self, config: NerfactoConfig) -> None:
        grid = config.grid
        super().__init__(grid, not config.disable_scene_contraction, config.average_init_density)
        self._average = config.use_average_appearance_embedding
        features = config.geo_feat_dim
        encoding = HashEncoding(grid)
        network = Mlp.of(encoding.width, grid.num_layers, grid.hidden_dim, 1 + features)
        self.mlp_base = nn.ModuleDict({"model": nn.Sequential(encoding, network)})
        width = config.appearance_width
        self.embedding_appearance = Appearance(config.num_images, width) if width else None
        if config.predict_normals:
            encoded, width = 3 * 2 * POSITION_FREQUENCIES, config.hidden_dim_transient
            self.mlp_pred_normals = Mlp.of(encoded + features, 3, PREDICTED_NORMAL_WIDTH, width)
            self.field_head_pred_normals = nn.ModuleDict({"net": nn.Linear(width, 3)})
        self.mlp_head = Mlp.of(
            DIRECTION_FEATURES + features + config.appearance_width,
            config.num_layers_color,
            config.hidden_dim_color,
            3,
        )

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3) points of the model's frame -> (N,) densities and (N, geo_feat_dim) features."""
        unit, inside = self._unit(points)
        values = self.mlp_base["model"](unit)
        return self._density(values[:, 0], inside), values[:, 1:]

    def appearance(self) -> Tensor:
        """(appearance_width,): what stands for the training picture when rendering."""
        if self.embedding_appearance is None:
            return torch.zeros(0, device=self.aabb.device)
        weight = self.embedding_appearance.embedding.weight
        return weight.mean(0) if self._average else torch.zeros_like(weight[0])

    def colour(self, directions: Tensor, features: Tensor, images: Tensor | None = None) -> Tensor:
        """The colours of points seen from somewhere.

        Args:
            directions: (N, 16) as `encode_directions` returns them.
            features: (N, geo_feat_dim) as `density` returns them.
            images: (N,) training pictures; None takes what stands for them when rendering.

        Returns:
            (N, 3) in 0..1.
        """
        if images is None or self.embedding_appearance is None:
            appearance = self.appearance().expand(len(features), -1)
        else:
            appearance = self.embedding_appearance.embedding(images)
        return torch.sigmoid(self.mlp_head(torch.cat((directions, features, appearance), -1)))

    def predicted_normals(self, points: Tensor, features: Tensor) -> Tensor:
        """(N, 3) points and their features -> (N, 3) unit normals in the model's frame."""
        waves = 2.0 ** torch.arange(POSITION_FREQUENCIES, device=points.device)
        angles = (2 * torch.pi * points[..., None] * waves).flatten(1)
        encoded = torch.sin(torch.cat((angles, angles + torch.pi / 2), -1))
        values = self.mlp_pred_normals(torch.cat((encoded, features), -1))
        head = self.field_head_pred_normals["net"]
        return functional.normalize(torch.tanh(head(values)), dim=-1)

    def density_normals(self, points: Tensor) -> Tensor:
        """(N, 3) points -> (N, 3) unit vectors against the gradient of the density."""
        with torch.enable_grad():
            points = points.detach().requires_grad_()
            raw = self.mlp_base["model"](self._unit(points)[0])[:, 0]
            (gradient,) = torch.autograd.grad(raw.sum(), points)
        return -functional.normalize(gradient, dim=-1)


class ProposalNetwork(Bounds):
    """A small field of densities, which says where along a ray it is worth looking.

    Args:
        grid: its size.
        contracted: as in `Bounds`.
        average_init_density: as in `Bounds`.
    """

    def __init__(self, grid: GridConfig, contracted: bool, average_init_density: float) -> None:
        super().__init__(grid, contracted, average_init_density)
        self.encoding = HashEncoding(grid)
        if grid.use_linear:
            self.linear: nn.Linear | None = nn.Linear(self.encoding.width, 1)
        else:
            self.linear = None
            network = Mlp.of(self.encoding.width, grid.num_layers, grid.hidden_dim, 1)
            self.mlp_base = nn.Sequential(self.encoding, network)

    def density(self, points: Tensor) -> Tensor:
        """(N, 3) points of the model's frame -> (N,) densities."""
        unit, inside = self._unit(points)
        raw = self.mlp_base(unit) if self.linear is None else self.linear(self.encoding(unit))
        return self._density(raw[:, 0], inside)


class NerfactoModel(nn.Module):
    """The field and its proposal networks.

    Args:
        config: what shapes it.
    """

    def __init__(self, config: NerfactoConfig) -> None:
        super().__init__()
        self.config = config
        self.device_indicator_param = nn.Parameter(torch.empty(0))
        self.field = NerfactoField(config)
        contracted, factor = not config.disable_scene_contraction, config.average_init_density
        self.proposal_networks = nn.ModuleList(
            ProposalNetwork(grid, contracted, factor) for grid in config.rounds()
        )

    def proposal(self, index: int) -> ProposalNetwork:
        """The proposal network of a round of sampling."""
        network = self.proposal_networks[min(index, len(self.proposal_networks) - 1)]
        if not isinstance(network, ProposalNetwork):
            raise TypeError(f"proposal network: expected ProposalNetwork, got {type(network)}")
        return network


def encode_directions(directions: Tensor) -> Tensor:
    """(N, 3) unit directions -> (N, 16) spherical harmonics up to degree 3.

    As nerfstudio: of directions moved from [-1, 1] to [0, 1], which is what the colour network saw.
    """
    x, y, z = ((directions + 1) / 2).unbind(-1)
    xx, yy, zz = x * x, y * y, z * z
    return torch.stack(
        (
            torch.full_like(x, 0.28209479177387814),
            0.4886025119029199 * y,
            0.4886025119029199 * z,
            0.4886025119029199 * x,
            1.0925484305920792 * x * y,
            1.0925484305920792 * y * z,
            0.9461746957575601 * zz - 0.31539156525251999,
            1.0925484305920792 * x * z,
            0.5462742152960396 * (xx - yy),
            0.5900435899266435 * y * (3 * xx - yy),
            2.890611442640554 * x * y * z,
            0.4570457994644658 * y * (5 * zz - 1),
            0.3731763325901154 * z * (5 * zz - 3),
            0.4570457994644658 * x * (5 * zz - 1),
            1.445305721320277 * z * (xx - yy),
            0.5900435899266435 * x * (xx - 3 * yy),
        ),
        -1,
    )
