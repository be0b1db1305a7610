"""SwinUNETR in plain torch: windowed attention in the encoder, convolutions in the decoder.

MONAI's network (`monai.networks.nets.SwinUNETR`, without its options) with the same names of weights, so that weights
can be exchanged and a test holds both against each other. It needs no einops, loads in a moment, and its encoder can be
called with a part of the image hidden (`masked_autoencoder.py`).

References
----------
Hatamizadeh et al. 2022, arXiv:2201.01266 (Swin UNETR). Liu et al. 2021, arXiv:2103.14030 (shifted windows).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HALVINGS = 5  # the patch embedding and four mergings: every edge is a multiple of 32 voxels
FAR = -100.0  # added to the attention of tokens that are no neighbors

Edges = tuple[int, int, int]


class WindowAttention(nn.Module):
    """Self-attention among the tokens of a window, with a learned bias for each relative position."""

    def __init__(self, width: int, heads: int, window: Edges) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{width} channels cannot be shared by {heads} heads")
        self.heads = heads
        count = (2 * window[0] - 1) * (2 * window[1] - 1) * (2 * window[2] - 1)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(count, heads))
        self.register_buffer("relative_position_index", _relative_positions(window))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, windows: Tensor, apart: Tensor | None) -> Tensor:
        """(n * count, tokens, width) to the same; ``apart`` (count, tokens, tokens) holds FAR between strangers."""
        rows, tokens, width = windows.shape
        count = 1 if apart is None else apart.shape[0]
        query, key, value = (
            part.reshape(rows // count, count, tokens, self.heads, width // self.heads).transpose(2, 3)
            for part in self.qkv(windows).chunk(3, dim=-1)
        )
        index = self.relative_position_index[:tokens, :tokens].reshape(-1)  # type: ignore[index]
        bias = self.relative_position_bias_table[index].reshape(tokens, tokens, -1).permute(2, 0, 1)[None]
        if apart is not None:
            bias = bias + apart[:, None]
        scores = (query * (width // self.heads) ** -0.5) @ key.transpose(-2, -1) + bias
        mixed = scores.softmax(dim=-1).to(value.dtype) @ value
        return self.proj(mixed.transpose(2, 3).reshape(rows, tokens, width))


class Perceptron(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.linear2(F.gelu(self.linear1(tokens)))


class SwinBlock(nn.Module):
    """Attention in windows, moved by half a window where ``shifted``, then a perceptron; each added to its input."""

    def __init__(self, width: int, heads: int, window: Edges, shifted: bool) -> None:
        super().__init__()
        self.window, self.shifted = window, shifted
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window)
        self.mlp = Perceptron(width, 4 * width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, k, j, i, width) to the same."""
        tokens = tokens + self._attended(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))

    def _attended(self, tokens: Tensor) -> Tensor:
        n, k, j, i, _ = tokens.shape
        window, shift = _fitting(self.window, (k, j, i), self.shifted)
        padded = F.pad(tokens, (0, 0, 0, -i % window[2], 0, -j % window[1], 0, -k % window[0]))
        grid = (padded.shape[1], padded.shape[2], padded.shape[3])
        apart = None
        if any(shift):
            padded = padded.roll([-step for step in shift], dims=(1, 2, 3))
            apart = _apart(grid, window, shift).to(tokens.device)
        windows = self.attn(_cut(padded, window), apart)
        joined = _joined(windows, window, (n, *grid))
        if any(shift):
            joined = joined.roll(shift, dims=(1, 2, 3))
        return joined[:, :k, :j, :i]


class PatchMerging(nn.Module):
    """Eight neighbors become one token of twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(8 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(8 * width)

    def forward(self, tokens: Tensor) -> Tensor:
        k, j, i = tokens.shape[1:4]
        tokens = F.pad(tokens, (0, 0, 0, i % 2, 0, j % 2, 0, k % 2))
        # The order is MONAI's, so that its weights fit.
        first = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1))
        parts = [tokens[:, a::2, b::2, c::2] for a, b, c in first]
        return self.reduction(self.norm(torch.cat(parts, dim=-1)))


class SwinStage(nn.Module):
    """Blocks, every second one shifted, then a merging."""

    def __init__(self, width: int, depth: int, heads: int, window: Edges) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(SwinBlock(width, heads, window, n % 2 == 1) for n in range(depth))
        self.downsample = PatchMerging(width)

    def forward(self, features: Tensor) -> Tensor:
        """(n, width, k, j, i) to (n, 2 width, k/2, j/2, i/2)."""
        tokens = features.permute(0, 2, 3, 4, 1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.downsample(tokens).permute(0, 4, 1, 2, 3).contiguous()


class PatchEmbedding(nn.Module):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv3d(channels, width, 2, 2)

    def forward(self, image: Tensor) -> Tensor:
        return self.proj(image)


class SwinEncoder(nn.Module):
    """The image at five resolutions, from half of it on; named as in MONAI.

    Parameters
    ----------
    in_channels
        Of the image.
    feature_size
        Width of the finest tokens; each coarser resolution has twice the width.
    depths, heads
        Blocks and attention heads of the four stages.
    window
        Edge of a window, in tokens.
    """

    def __init__(
        self, in_channels: int, feature_size: int, depths: Sequence[int], heads: Sequence[int], window: int
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding(in_channels, feature_size)
        for n, (depth, count) in enumerate(zip(depths, heads, strict=True)):
            stage = SwinStage(feature_size * 2**n, depth, count, (window, window, window))
            setattr(self, f"layers{n + 1}", nn.ModuleList([stage]))
        self.widths = tuple(feature_size * 2**n for n in range(HALVINGS))

    def forward(self, image: Tensor, hidden: Tensor | None = None, token: Tensor | None = None) -> list[Tensor]:
        """Features (n, width, k, j, i) at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image, each normalized over its channels.

        Parameters
        ----------
        image
            (n, channels, k, j, i), edges multiples of 32.
        hidden, token
            Where ``hidden`` (n, 1, k/2, j/2, i/2) is True, ``token`` (width,) stands in place of the image's.

        Raises
        ------
        ValueError
            An edge is not a multiple of 32.
        """
        if any(edge % 2**HALVINGS for edge in image.shape[2:]):
            raise ValueError(f"edges must be multiples of {2**HALVINGS}, got {tuple(image.shape[2:])}")
        features = self.patch_embed(image)
        if hidden is not None and token is not None:
            features = torch.where(hidden, token.to(features.dtype)[None, :, None, None, None], features)
        found = [features]
        for n in range(1, HALVINGS):
            features = getattr(self, f"layers{n}")[0](features)
            found.append(features)
        return [_normalized(each) for each in found]


class Wrapped(nn.Module):
    """A convolution under the name that MONAI gives it."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut; instance normalization without weights, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = Wrapped(nn.Conv3d(inputs, outputs, 3, padding=1, bias=False))
        self.conv2 = Wrapped(nn.Conv3d(outputs, outputs, 3, padding=1, bias=False))
        if inputs != outputs:
            self.conv3 = Wrapped(nn.Conv3d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = F.instance_norm(self.conv3(x)) if hasattr(self, "conv3") else x
        x = F.leaky_relu(F.instance_norm(self.conv1(x)), 0.01)
        return F.leaky_relu(F.instance_norm(self.conv2(x)) + shortcut, 0.01)


class SkipBlock(nn.Module):
    """What the encoder found, prepared for the decoder."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = ResidualBlock(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class UpBlock(nn.Module):
    """Twice the resolution, joined with what the encoder found there."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.transp_conv = Wrapped(nn.ConvTranspose3d(inputs, outputs, 2, 2, bias=False))
        self.conv_block = ResidualBlock(2 * outputs, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.conv_block(torch.cat((self.transp_conv(x), skip), dim=1))


class SwinUNETR(nn.Module):
    """CT to logits per voxel.

    Parameters
    ----------
    in_channels, out_channels
        Of the image and of the logits.
    feature_size, depths, heads, window
        As of :class:`SwinEncoder`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, feature_size: int = 24, depths: Sequence[int] = (2, 2, 2, 2),
        heads: Sequence[int] = (3, 6, 12, 24), window: int = 7,
    ) -> None:
        super().__init__()
        size = feature_size
        self.swinViT = SwinEncoder(in_channels, size, depths, heads, window)
        self.encoder1, self.encoder2 = SkipBlock(in_channels, size), SkipBlock(size, size)
        self.encoder3, self.encoder4 = SkipBlock(2 * size, 2 * size), SkipBlock(4 * size, 4 * size)
        self.encoder10 = SkipBlock(16 * size, 16 * size)
        self.decoder5, self.decoder4 = UpBlock(16 * size, 8 * size), UpBlock(8 * size, 4 * size)
        self.decoder3, self.decoder2 = UpBlock(4 * size, 2 * size), UpBlock(2 * size, size)
        self.decoder1 = UpBlock(size, size)
        self.out = Wrapped(Wrapped(nn.Conv3d(size, out_channels, 1)))

    def decoded(self, image: Tensor, found: Sequence[Tensor]) -> Tensor:
        """(n, feature_size, k, j, i) of the image and what the encoder found in it."""
        x = self.decoder5(self.encoder10(found[4]), found[3])
        x = self.decoder4(x, self.encoder4(found[2]))
        x = self.decoder3(x, self.encoder3(found[1]))
        x = self.decoder2(x, self.encoder2(found[0]))
        return self.decoder1(x, self.encoder1(image))

    def forward(self, image: Tensor) -> Tensor:
        """(n, out_channels, k, j, i)."""
        return self.out(self.decoded(image, self.swinViT(image)))


def _normalized(features: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the channels of each token."""
    channels = features.permute(0, 2, 3, 4, 1)
    return F.layer_norm(channels, channels.shape[-1:]).permute(0, 4, 1, 2, 3)


def _fitting(window: Edges, grid: Edges, shifted: bool) -> tuple[Edges, Edges]:
    """A window is never larger than the grid, and is not shifted along an axis that it fills."""
    rows = [(n, 0) if n <= w else (w, w // 2 if shifted else 0) for w, n in zip(window, grid, strict=True)]
    (a, b), (c, d), (e, f) = rows
    return (a, c, e), (b, d, f)


def _cut(tokens: Tensor, window: Edges) -> Tensor:
    """(n, k, j, i, width) to (n * windows, tokens of a window, width)."""
    n, k, j, i, width = tokens.shape
    a, b, c = window
    split = tokens.reshape(n, k // a, a, j // b, b, i // c, c, width)
    return split.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(-1, a * b * c, width)


def _joined(windows: Tensor, window: Edges, shape: tuple[int, int, int, int]) -> Tensor:
    """The inverse of :func:`_cut`; ``shape`` (n, k, j, i)."""
    (n, k, j, i), (a, b, c) = shape, window
    split = windows.reshape(n, k // a, j // b, i // c, a, b, c, -1)
    return split.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(n, k, j, i, -1)


@lru_cache(maxsize=32)
def _apart(grid: Edges, window: Edges, shift: Edges) -> Tensor:
    """(windows, tokens, tokens): FAR between tokens that a shift has brought together from opposite ends, else 0."""
    region = torch.zeros(1, *grid, 1)
    count = 0
    ends = [(slice(-w), slice(-w, -s), slice(-s, None)) for w, s in zip(window, shift, strict=True)]
    for k in ends[0]:
        for j in ends[1]:
            for i in ends[2]:
                region[:, k, j, i] = count
                count += 1
    numbers = _cut(region, window)[..., 0]
    return (numbers[:, None] != numbers[:, :, None]).float() * FAR


def _relative_positions(window: Edges) -> Tensor:
    """(tokens, tokens) which row of the bias table holds the relative position of two tokens."""
    axes = torch.meshgrid(*(torch.arange(n) for n in window), indexing="ij")
    at = torch.stack([axis.flatten() for axis in axes])
    difference = at[:, :, None] - at[:, None]
    k, j, i = (difference[n] + window[n] - 1 for n in range(3))
    return (k * (2 * window[1] - 1) + j) * (2 * window[2] - 1) + i
