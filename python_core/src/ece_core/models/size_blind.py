"""A look at a lymph node in which each is equally large, so that size cannot be seen."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ece_core.models.dense_trunk import DenseTrunk

AROUND = 1.4  # edge of the cube that is shown, in longest extents of the lymph node


class SizeBlind(nn.Module):
    """Feature maps of the lymph node as it fills a cube of ``edge`` voxels.

    Parameters
    ----------
    in_channels
        Of the block: images, and last the distance to the surface, negative inside. The distance would tell the size;
        the inside as 0 and 1 stands in its place.
    spacing_mm
        Of the block along (k, j, i).
    edge
        Of the cube.
    """

    def __init__(
        self, in_channels: int, spacing_mm: Sequence[float], edge: int = 32, init_features: int = 16,
        growth_rate: int = 12, block_config: Sequence[int] = (4, 4), bn_size: int = 2,
    ) -> None:
        super().__init__()
        self.spacing_mm, self.edge = tuple(spacing_mm), edge
        self.trunk = DenseTrunk(in_channels, init_features, growth_rate, block_config, bn_size)
        self.widths = self.trunk.widths

    def forward(self, x: Tensor) -> list[Tensor]:
        """As :meth:`LymphNodeNetwork.feature_maps`, of the equally large lymph node."""
        return self.trunk(equally_large(x, self.spacing_mm, self.edge))


def equally_large(x: Tensor, spacing_mm: Sequence[float], edge: int) -> Tensor:
    """(n, c, edge, edge, edge): images and inside of (n, c, k, j, i), each lymph node in the middle and as large.

    Proportions are kept: the longest of the three extents decides. Without an inside the whole block is shown.
    """
    inside = (x[:, -1:] < 0).to(x.dtype)
    middles, extents = zip(*(_middle_and_extent(inside, axis) for axis in range(3)), strict=True)
    spacing = [float(mm) for mm in spacing_mm]
    longest = torch.stack([extent * mm for extent, mm in zip(extents, spacing, strict=True)]).amax(0)  # (n,) mm
    offsets = torch.linspace(-0.5, 0.5, edge, dtype=x.dtype, device=x.device) * AROUND
    coordinates = []
    for axis, (middle, mm) in enumerate(zip(middles, spacing, strict=True)):
        voxels = middle[:, None] + longest[:, None] * offsets / mm
        coordinates.append(2 * (voxels + 0.5) / x.shape[2 + axis] - 1)
    n = x.shape[0]
    k, j, i = (
        c.reshape(n, *(edge if axis == other else 1 for other in range(3))).expand(n, edge, edge, edge)
        for axis, c in enumerate(coordinates)
    )
    grid = torch.stack((i, j, k), dim=-1)
    shown = torch.cat((x[:, :-1], inside), dim=1)
    return nn.functional.grid_sample(shown, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _middle_and_extent(inside: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """(n,) each, in voxels, along one axis of (n, 1, k, j, i)."""
    others = [2 + other for other in range(3) if other != axis]
    occupied = inside.amax(others).squeeze(1)  # (n, length)
    occupied = torch.where(occupied.amax(1, keepdim=True) > 0, occupied, torch.ones_like(occupied))
    at = torch.arange(occupied.shape[1], dtype=inside.dtype, device=inside.device)
    first = torch.where(occupied > 0, at, torch.full_like(at, float("inf"))).amin(1)
    last = torch.where(occupied > 0, at, torch.full_like(at, -1.0)).amax(1)
    return (first + last) / 2, last - first + 1
