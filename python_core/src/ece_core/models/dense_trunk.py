"""A DenseNet without its top: feature maps of every resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.networks.nets import DenseNet
from torch import Tensor, nn


def dense_parts(
    in_channels: int, init_features: int, growth_rate: int, block_config: Sequence[int], bn_size: int
) -> dict[str, Any]:
    """``stem``, ``blocks``, ``transitions`` and ``norms`` of a DenseNet (Huang 2017, as MONAI builds it).

    MONAI's stem of 7 voxels and a pooling would halve the grid twice: a breach of 1 to 2 mm is gone after that.
    """
    features: Any = DenseNet(
        3, in_channels, 1, init_features=init_features, growth_rate=growth_rate, block_config=block_config,
        bn_size=bn_size,
    ).features  # fmt: skip
    stem = nn.Conv3d(in_channels, init_features, (3, 5, 5), stride=2, padding=(1, 2, 2), bias=False)
    nn.init.kaiming_normal_(stem.weight)
    count = len(block_config)
    return {
        "stem": nn.Sequential(stem, features.norm0, features.relu0),
        "blocks": nn.ModuleList(getattr(features, f"denseblock{n}") for n in range(1, count + 1)),
        "transitions": nn.ModuleList(getattr(features, f"transition{n}") for n in range(1, count)),
        "norms": nn.ModuleList(
            nn.Sequential(nn.BatchNorm3d(width), nn.ReLU())
            for width in dense_widths(init_features, growth_rate, block_config)
        ),
    }


def dense_widths(init_features: int, growth_rate: int, block_config: Sequence[int]) -> list[int]:
    """Channels after each dense block."""
    widths, width = [], init_features
    for layers in block_config:
        width += layers * growth_rate
        widths.append(width)
        width //= 2
    return widths


def dense_maps(x: Tensor, stem: Any, blocks: Any, transitions: Any, norms: Any) -> list[Tensor]:
    """Feature maps after each dense block, the finest first, at half the resolution of ``x``."""
    x, maps = stem(x), []
    for number, (block, norm) in enumerate(zip(blocks, norms, strict=True)):
        x = block(x)
        maps.append(norm(x))
        if number < len(transitions):
            x = transitions[number](x)
    return maps


class DenseTrunk(nn.Module):
    """As :func:`dense_parts` describes; ``widths`` are the channels of its maps."""

    def __init__(
        self, in_channels: int, init_features: int, growth_rate: int, block_config: Sequence[int], bn_size: int
    ) -> None:
        super().__init__()
        for name, part in dense_parts(in_channels, init_features, growth_rate, block_config, bn_size).items():
            self.add_module(name, part)
        self.widths = tuple(dense_widths(init_features, growth_rate, block_config))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(n, width, k, j, i) per resolution, the finest first."""
        return dense_maps(x, self.stem, self.blocks, self.transitions, self.norms)
