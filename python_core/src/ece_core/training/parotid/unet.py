"""The paper's network: a 3D UNet of four levels, group normalization after the activation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEVELS = 4
GROUPS = 4  # of channels; the paper does not say


class ParotidUNet(nn.Module):
    """Two convolutions 3x3x3 a level, ``filters`` at the input's resolution, twice as many at each coarser one.

    Parameters
    ----------
    filters
        The paper has 32; a multiple of GROUPS.

    Notes
    -----
    Maximum pooling down, nearest voxel up, concatenation; input (n, 1, k, j, i) with edges that are multiples of 8.
    One output channel: the log odds of parotid.
    """

    def __init__(self, filters: int = 32) -> None:
        super().__init__()
        widths = [filters * 2**level for level in range(LEVELS)]
        self.encoder = nn.ModuleList(
            _level(before, width) for before, width in zip([1, *widths[:-2]], widths[:-1], strict=True)
        )
        self.bottleneck = _level(widths[-2], widths[-1])
        self.decoder = nn.ModuleList(
            _level(below + width, width) for below, width in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.pool = nn.ModuleList(nn.MaxPool3d(2) for _ in self.encoder)
        self.up = nn.ModuleList(nn.Upsample(scale_factor=2, mode="nearest") for _ in self.decoder)
        self.out = nn.Conv3d(filters, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for level, pool in zip(self.encoder, self.pool, strict=True):
            x = level(x)
            kept.append(x)
            x = pool(x)
        x = self.bottleneck(x)
        for level, up in zip(self.decoder, self.up, strict=True):
            x = level(torch.cat([up(x), kept.pop()], dim=1))
        return self.out(x)


def _level(before: int, width: int) -> nn.Sequential:
    return nn.Sequential(*_convolution(before, width), *_convolution(width, width))


def _convolution(before: int, width: int) -> tuple[nn.Module, ...]:
    return nn.Conv3d(before, width, 3, padding=1), nn.ReLU(), nn.GroupNorm(GROUPS, width)
