"""The two U-Nets that nnU-Net v2 plans, with its names for every weight, and their ensemble.

Written after `dynamic_network_architectures` 0.4.4 (Isensee et al., Apache 2.0): PlainConvUNet and ResidualEncoderUNet
in 3D with instance normalization and leaky ReLU, which is all that nnU-Net's planners ask for. The library itself would
bring timm, torchvision and huggingface_hub into every installation. Only the last segmentation head is here: those of
deep supervision serve training (`training/deep_supervision.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

Three = Sequence[int]


class ConvBlock(nn.Module):
    """Convolution, instance normalization, and leaky ReLU unless it is ``last`` before a sum."""

    def __init__(
        self, inputs: int, outputs: int, kernel: Three, stride: Three | int = 1, bias: bool = True, last: bool = False,
        eps: float = 1e-5, slope: float = 0.01,
    ) -> None:
        super().__init__()
        padding = [(size - 1) // 2 for size in kernel]
        self.conv = nn.Conv3d(inputs, outputs, tuple(kernel), stride, tuple(padding), bias=bias)  # type: ignore[arg-type]
        self.norm = nn.InstanceNorm3d(outputs, eps=eps, affine=True)
        self.slope = 1.0 if last else slope

    def forward(self, x):
        x = self.norm(self.conv(x))
        return x if self.slope == 1.0 else F.leaky_relu(x, self.slope, inplace=True)


class ConvStack(nn.Module):
    """Convolutions in a row; the first one may have a stride."""

    def __init__(self, count: int, inputs: int, outputs: int, kernel: Three, stride: Three | int, **options) -> None:
        super().__init__()
        blocks = [ConvBlock(inputs, outputs, kernel, stride, **options)]
        blocks += [ConvBlock(outputs, outputs, kernel, 1, **options) for _ in range(count - 1)]
        self.convs = nn.Sequential(*blocks)

    def forward(self, x):
        return self.convs(x)


class ResidualBlock(nn.Module):
    """Two convolutions beside a skip, which averages where there is a stride (ResNet-D, He et al. 2019)."""

    def __init__(self, inputs: int, outputs: int, kernel: Three, stride: Three, bias: bool, **options) -> None:
        super().__init__()
        self.slope = options.get("slope", 0.01)
        self.conv1 = ConvBlock(inputs, outputs, kernel, stride, bias, **options)
        self.conv2 = ConvBlock(outputs, outputs, kernel, 1, bias, last=True, **options)
        skip: list[nn.Module] = []
        if any(step != 1 for step in stride):
            k, j, i = stride
            skip.append(nn.AvgPool3d((k, j, i)))
        if inputs != outputs:
            skip.append(ConvBlock(inputs, outputs, (1, 1, 1), 1, bias=False, last=True, **options))
        self.skip = nn.Sequential(*skip)

    def forward(self, x):
        return F.leaky_relu(self.conv2(self.conv1(x)) + self.skip(x), self.slope, inplace=True)


class ResidualStack(nn.Module):
    """Residual blocks in a row; the first one may have a stride."""

    def __init__(self, count: int, inputs: int, outputs: int, kernel: Three, stride: Three, **options) -> None:
        super().__init__()
        blocks = [ResidualBlock(inputs, outputs, kernel, stride, **options)]
        blocks += [ResidualBlock(outputs, outputs, kernel, (1, 1, 1), **options) for _ in range(count - 1)]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x):
        return self.blocks(x)


class Encoder(nn.Module):
    """One stage per resolution; ``residual`` has a stem before them. Gives the features of every stage."""

    def __init__(
        self, residual: bool, features: Sequence[int], kernel_sizes: Sequence[Three], strides: Sequence[Three],
        depths: Sequence[int], channels: int, **options,
    ) -> None:
        super().__init__()
        self.stem = ConvStack(1, channels, features[0], kernel_sizes[0], 1, **options) if residual else nn.Identity()
        inputs = [features[0] if residual else channels, *features[:-1]]
        stages: list[nn.Module] = []
        for sizes in zip(depths, inputs, features, kernel_sizes, strides, strict=True):
            stages.append(ResidualStack(*sizes, **options) if residual else nn.Sequential(ConvStack(*sizes, **options)))
        self.stages = nn.Sequential(*stages)

    def forward(self, x):
        x, found = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found


class Decoder(nn.Module):
    """From the coarsest stage up: transposed convolution, the encoder's features beside it, convolutions."""

    def __init__(
        self, outputs: int, features: Sequence[int], kernel_sizes: Sequence[Three], strides: Sequence[Three],
        depths: Sequence[int], bias: bool, **options,
    ) -> None:
        super().__init__()
        self.transpconvs, self.stages = nn.ModuleList(), nn.ModuleList()
        for n, depth in enumerate(depths, 1):
            below, skip, (k, j, i) = features[-n], features[-n - 1], strides[-n]
            self.transpconvs.append(nn.ConvTranspose3d(below, skip, (k, j, i), (k, j, i), bias=bias))
            self.stages.append(ConvStack(depth, 2 * skip, skip, kernel_sizes[-n - 1], 1, bias=bias, **options))
        self.head = nn.Conv3d(features[0], outputs, 1)

    def decoded(self, found):
        """Features of every stage, the finest first."""
        x, stages = found[-1], []
        for up, stage, skip in zip(self.transpconvs, self.stages, reversed(found[:-1]), strict=True):
            x = stage(torch.cat((up(x), skip), 1))
            stages.append(x)
        return stages[::-1]

    def forward(self, found):
        return self.head(self.decoded(found)[0])


class NnunetUNet(nn.Module):
    """CT, and whatever further channels there are, to logits of background and classes.

    Parameters
    ----------
    outputs, channels
        Of the logits and of the input.
    residual
        ResidualEncoderUNet instead of PlainConvUNet.
    features, kernel_sizes, strides, depths
        Per stage of the encoder, finest first; kernels and strides along (k, j, i).
    decoder_depths
        Convolutions per stage of the decoder, coarsest first.
    """

    def __init__(
        self, outputs: int, residual: bool, features: Sequence[int], kernel_sizes: Sequence[Three],
        strides: Sequence[Three], depths: Sequence[int], decoder_depths: Sequence[int], channels: int = 1,
        **options: Any,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(residual, features, kernel_sizes, strides, depths, channels, **options)
        self.decoder = Decoder(outputs, features, kernel_sizes, strides, decoder_depths, **options)
        self.decoder_features = tuple(features[:-1])

    @property
    def head(self) -> nn.Conv3d:
        return self.decoder.head

    def decoded(self, x):
        """Features of every stage of the decoder, the finest first."""
        return self.decoder.decoded(self.encoder(x))

    def forward(self, x):
        return self.decoder(self.encoder(x))


class Ensemble(nn.Module):
    """The mean of the members' logits, each over all mirrorings along ``mirror_axes`` (0, 1, 2 for k, j, i)."""

    def __init__(self, members: Sequence[nn.Module], mirror_axes: Sequence[int] = ()) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        axes = [axis + 2 for axis in mirror_axes]
        self.flips = [flip for n in range(len(axes) + 1) for flip in itertools.combinations(axes, n)]

    def forward(self, x):
        answers = (
            member(x.flip(flip)).flip(flip) if flip else member(x) for flip in self.flips for member in self.members
        )
        total = next(answers)
        for answer in answers:
            total = total + answer
        return total / (len(self.members) * len(self.flips))
