"""The encoder of SwinUNETR as a judge of one lymph node: attention in place of convolutions, the same two tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ece_core.models.lymph_node_network import LymphNodeNetwork
from ece_core.models.size_blind import SizeBlind
from ece_core.models.swin_unetr import HALVINGS, SwinEncoder


class LymphNodeSwin(LymphNodeNetwork):
    """Encoder of Swin UNETR (Hatamizadeh 2022, arXiv:2201.01266); its decoder is not needed to tell classes.

    Parameters
    ----------
    feature_size, depths, heads, window
        As of :class:`~ece_core.models.swin_unetr.SwinEncoder`; its weights can come from a masked autoencoder.
    hidden, size_blind
        As of :class:`LymphNodeNetwork`; ``size_blind`` holds the arguments of :class:`SizeBlind`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        feature_size: int = 12,
        depths: Sequence[int] = (2, 2, 2, 2),
        heads: Sequence[int] = (3, 6, 12, 24),
        window: int = 4,
        hidden: int = 32,
        size_blind: dict[str, Any] | None = None,
    ) -> None:
        blind = None if size_blind is None else SizeBlind(in_channels, **size_blind)
        super().__init__([feature_size * 2**n for n in range(HALVINGS)], out_channels, hidden, blind)
        self.swinViT = SwinEncoder(in_channels, feature_size, depths, heads, window)

    def feature_maps(self, x: Tensor) -> list[Tensor]:
        half = [n // 2 for n in x.shape[2:]]
        maps = self.swinViT(_padded(x))
        # What was added around the block shows nothing: it must not be pooled.
        sizes = [[max(1, -(-n // 2**level)) for n in half] for level in range(HALVINGS)]
        return [each[:, :, :k, :j, :i] for each, (k, j, i) in zip(maps, sizes, strict=True)]


def _padded(x: Tensor) -> Tensor:
    """Edges up to multiples of 32: images black, and as far from the lymph node as the distance goes (1)."""
    multiple = 2**HALVINGS
    pad = [value for n in x.shape[:1:-1] for value in (0, -n % multiple)]
    images = nn.functional.pad(x[:, :-1], pad)
    return torch.cat((images, nn.functional.pad(x[:, -1:], pad, value=1.0)), dim=1)
