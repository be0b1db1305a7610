"""A plain 3D network of a few convolutions: the baseline that GMGENet was compared with."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


def plain_cnn(
    in_channels: int, out_channels: int, channels: Sequence[int] = (64, 64, 128, 256), hidden: int = 512
) -> nn.Module:
    """Convolution, ReLU, pooling and batch normalization per stage, then the mean of each map and two dense layers.

    Parameters
    ----------
    channels
        Of each stage; by default those of the reference, which are too many for a CPU.
    hidden
        Width of the first dense layer.

    References
    ----------
    Zunair et al. 2020, arXiv:2007.13224 (the 17-layer network)
    """
    layers: list[nn.Module] = []
    for before, after in zip((in_channels, *channels), channels, strict=False):
        layers += [nn.Conv3d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2), nn.BatchNorm3d(after)]
    head = [nn.Linear(channels[-1], hidden), nn.ReLU(), nn.Dropout(0.3), nn.Linear(hidden, out_channels)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool3d(1), nn.Flatten(), *head)
