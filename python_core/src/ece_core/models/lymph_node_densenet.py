"""A 3D DenseNet that judges one lymph node and marks where it sees signs of a breach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.nets import DenseNet
from torch import Tensor, nn

# A voxel shows no sign unless it is likelier than this logit: what lies below adds nothing to the pooled signs.
LEAST_SIGN_LOGIT = -4.0


class LymphNodeDenseNet(nn.Module):
    """DenseNet (Huang 2017, as MONAI builds it) whose feature maps are pooled at every resolution.

    A breach is a few voxels of strands or of a tongue. In the deepest feature map of a DenseNet they are gone, and an
    average over it drowns them. So each dense block is pooled by mean and by maximum, and the signs of the breach are
    marked voxel by voxel from all of them: there the simulator's counterfactual twins teach what a label per lymph
    node is too weak to teach.

    Parameters
    ----------
    block_config
        Layers of each dense block.
    hidden
        Width of the layer between the pooled features and the classes.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        init_features: int = 16,
        growth_rate: int = 12,
        block_config: Sequence[int] = (4, 4, 4),
        bn_size: int = 2,
        hidden: int = 32,
    ) -> None:
        super().__init__()
        features: Any = DenseNet(
            3, in_channels, out_channels, init_features=init_features, growth_rate=growth_rate,
            block_config=block_config, bn_size=bn_size,
        ).features  # fmt: skip
        # Its stem of 7 voxels and a pooling would halve the grid twice: a breach of 1 to 2 mm is gone after that.
        stem = nn.Conv3d(in_channels, init_features, (3, 5, 5), stride=2, padding=(1, 2, 2), bias=False)
        nn.init.kaiming_normal_(stem.weight)
        self.stem = nn.Sequential(stem, features.norm0, features.relu0)
        count = len(block_config)
        self.blocks = nn.ModuleList(getattr(features, f"denseblock{n}") for n in range(1, count + 1))
        self.transitions = nn.ModuleList(getattr(features, f"transition{n}") for n in range(1, count))
        widths, width = [], init_features
        for layers in block_config:
            width += layers * growth_rate
            widths.append(width)
            width //= 2
        self.norms = nn.ModuleList(nn.Sequential(nn.BatchNorm3d(width), nn.ReLU()) for width in widths)
        self.signs = nn.ModuleList(nn.Conv3d(width, 1, 1) for width in widths)
        self.head = nn.Sequential(
            nn.Linear(2 * sum(widths) + 2, hidden), nn.ReLU(), nn.Dropout(0.2), nn.Linear(hidden, out_channels)
        )
        self.statistics_fixed = False

    def train(self, mode: bool = True) -> LymphNodeDenseNet:
        """As usual, but fixed statistics stay fixed."""
        super().train(mode)
        if self.statistics_fixed:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm3d):
                    module.training = False
        return self

    def forward(self, x: Tensor) -> Tensor:
        """(n, classes) logits of (n, c, k, j, i)."""
        return self.logits_and_signs(x)[0]

    def logits_and_signs(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, classes), and logits (n, 1, k/2, j/2, i/2) that a voxel shows a sign of a breach."""
        maps = self._feature_maps(x)
        signs = self._signs(maps)
        seen = torch.relu(signs - LEAST_SIGN_LOGIT)
        return self.head(torch.cat([_pooled(each) for each in (*maps, seen)], dim=1)), signs

    def _feature_maps(self, x: Tensor) -> list[Tensor]:
        x, maps = self.stem(x), []
        for number, (block, norm) in enumerate(zip(self.blocks, self.norms, strict=True)):
            x = block(x)
            maps.append(norm(x))
            if number < len(self.transitions):
                x = self.transitions[number](x)
        return maps

    def _signs(self, maps: list[Tensor]) -> Tensor:
        grid = maps[0].shape[2:]
        signs = self.signs[0](maps[0])
        for convolution, each in zip(list(self.signs)[1:], maps[1:], strict=True):
            signs = signs + nn.functional.interpolate(convolution(each), size=grid, mode="trilinear")
        return signs


def _pooled(maps: Tensor) -> Tensor:
    """(n, 2 c): mean and maximum of each channel of (n, c, k, j, i)."""
    return torch.cat([maps.mean((2, 3, 4)), nn.functional.adaptive_max_pool3d(maps, 1).flatten(1)], dim=1)
