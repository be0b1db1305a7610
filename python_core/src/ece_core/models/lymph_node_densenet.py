"""A 3D DenseNet that judges one lymph node and marks where it sees signs of a breach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ece_core.models.dense_trunk import dense_maps, dense_parts, dense_widths
from ece_core.models.lymph_node_network import LymphNodeNetwork
from ece_core.models.size_blind import SizeBlind


class LymphNodeDenseNet(LymphNodeNetwork):
    """DenseNet (Huang 2017, as MONAI builds it) whose feature maps are pooled at every resolution.

    Parameters
    ----------
    block_config
        Layers of each dense block.
    hidden, size_blind
        As of :class:`LymphNodeNetwork`; ``size_blind`` holds the arguments of :class:`SizeBlind`.
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
        size_blind: dict[str, Any] | None = None,
    ) -> None:
        blind = None if size_blind is None else SizeBlind(in_channels, **size_blind)
        super().__init__(dense_widths(init_features, growth_rate, block_config), out_channels, hidden, blind)
        for name, part in dense_parts(in_channels, init_features, growth_rate, block_config, bn_size).items():
            self.add_module(name, part)

    def feature_maps(self, x: Tensor) -> list[Tensor]:
        return dense_maps(x, self.stem, self.blocks, self.transitions, self.norms)
