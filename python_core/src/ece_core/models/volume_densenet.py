"""A 3D DenseNet for whole volumes and for thin ones, as GMGENet's extractor and classifier are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.networks.nets import DenseNet
from torch import Tensor, nn

LEAST_TO_HALVE = 4  # voxels along an axis: with five dense blocks a volume of interest of 25 slices would be gone


class Halve(nn.Module):
    """Average pooling by two along the axes that are long enough."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, k, j, i) to about half of each edge."""
        edges = [2 if size >= LEAST_TO_HALVE else 1 for size in x.shape[2:]]
        return nn.functional.avg_pool3d(x, edges, edges)


def volume_densenet(
    in_channels: int,
    out_channels: int,
    init_features: int = 16,
    growth_rate: int = 8,
    block_config: Sequence[int] = (2, 2, 2, 2, 2),
    bn_size: int = 2,
    stem_pool: bool = True,
    halvings: int = 2,
    standardize: bool = False,
) -> nn.Module:
    """DenseNet (Huang 2017, as MONAI builds it) that no thin volume breaks.

    MONAI's halves all three axes in every transition and raises on a volume of interest of 25 slices.

    Parameters
    ----------
    block_config
        Layers of each dense block; GMGENet has five blocks.
    stem_pool
        Whether the stem halves twice (convolution and pooling) or once.
    halvings
        After how many of the blocks the volume is halved; the others keep the grid on which Grad-CAM is then drawn.
    standardize
        Whether the means of the maps are standardized over the batch before the classes: a lymph node is some hundred
        of two million voxels, so the means of all patients are nearly alike, and a plain head learns late.
    """
    network: Any = DenseNet(
        3, in_channels, out_channels, init_features=init_features, growth_rate=growth_rate,
        block_config=tuple(block_config), bn_size=bn_size,
    )  # fmt: skip
    # MONAI's stem has 7 voxels: 13 times the work of 3 at the finest grid, where most of the time goes.
    stem = nn.Conv3d(in_channels, init_features, 3, stride=2, padding=1, bias=False)
    nn.init.kaiming_normal_(stem.weight)
    network.features.conv0 = stem
    if not stem_pool:
        network.features.pool0 = nn.Identity()
    for number in range(1, len(block_config)):
        transition = getattr(network.features, f"transition{number}")
        transition.pool = Halve() if number <= halvings else nn.Identity()
    if standardize:
        width = network.class_layers.out.in_features
        network.class_layers.flatten = nn.Sequential(nn.Flatten(1), nn.BatchNorm1d(width))
    return network
