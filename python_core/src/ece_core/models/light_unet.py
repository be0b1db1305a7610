"""Our own network for fast inference: most of its work at half resolution, all normalization foldable.

In a U-Net with 32 channels throughout, half of all operations are at full resolution, where neighboring voxels say
much the same. Here a stem of a few channels looks at full resolution, the body begins at half of it, and a stage of the
decoder is one convolution. Batch normalization becomes part of the convolution before it once training is over
(`folding.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

Three = Sequence[int]


class ConvBlock(nn.Module):
    """Convolution, batch normalization, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: Three, stride: Three = (1, 1, 1)) -> None:
        super().__init__()
        k, j, i = ((size - 1) // 2 for size in kernel)
        self.conv = nn.Conv3d(inputs, outputs, tuple(kernel), tuple(stride), (k, j, i))  # type: ignore[arg-type]
        self.norm: nn.Module = nn.BatchNorm3d(outputs)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)), inplace=True)

    def fold(self) -> None:
        """Make the normalization part of the convolution; in eval mode only, and for good."""
        if isinstance(self.norm, nn.BatchNorm3d):
            self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()


class LightUNet(nn.Module):
    """CT, and whatever further channels there are, to logits of background and classes.

    Parameters
    ----------
    in_channels, out_channels
        Of the input and of the logits.
    features
        Channels per stage, finest first: a few, then those of the body, such as 8, 32, 64, 128, 256.
    strides, kernel_sizes
        Per stage along (k, j, i); the first stride is 1.
    """

    def __init__(
        self, in_channels: int, out_channels: int, features: Sequence[int], strides: Sequence[Three],
        kernel_sizes: Sequence[Three],
    ) -> None:
        super().__init__()
        down: list[nn.Module] = []
        rows = list(zip(features, kernel_sizes, strides, strict=True))
        for n, (width, kernel, stride) in enumerate(rows):
            inputs = in_channels if n == 0 else features[n - 1]
            blocks = [ConvBlock(inputs, width, kernel, stride)]
            blocks += [ConvBlock(width, width, kernel) for _ in range(n > 0)]  # the stem is one convolution
            down.append(nn.Sequential(*blocks))
        self.down = nn.ModuleList(down)
        above = list(pairwise(rows))[::-1]  # coarsest first
        # A sum rather than a stack of channels: the convolution after it has half the work.
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(lower[0], upper[0], tuple(lower[2]), tuple(lower[2]))  # type: ignore[arg-type]
            for upper, lower in above
        )
        self.merge = nn.ModuleList(ConvBlock(upper[0], upper[0], upper[1]) for upper, _ in above)
        self.head = nn.Conv3d(features[0], out_channels, 1)
        self.decoder_features = tuple(features[:-1])
        self.apply(_he)

    def decoded(self, x):
        """Features of every stage of the decoder, the finest first."""
        found = []
        for stage in self.down:
            x = stage(x)
            found.append(x)
        stages: list[torch.Tensor] = []
        for up, merge, skip in zip(self.up, self.merge, found[-2::-1], strict=True):
            x = merge(up(x) + skip)
            stages.append(x)
        return stages[::-1]

    def forward(self, x):
        return self.head(self.decoded(x)[0])


def _he(module: nn.Module) -> None:
    if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
