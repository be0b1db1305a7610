"""Answers at the coarser resolutions too, while training: each stage of the decoder learns from the labels directly.

The heads for this belong to training alone; a model bundle has none of them.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

NETWORK, HEADS = "network.", "heads."  # how weights are named in a checkpoint


class DeepSupervision(nn.Module):
    """A network and a head per stage of its decoder but for the coarsest, whose weight nnU-Net sets to 0.

    Parameters
    ----------
    network
        With ``decoded(x)``, features per stage of the decoder, the finest first; ``head`` of the finest;
        ``decoder_features``, their channels.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        outputs = network.head.out_channels
        self.heads = nn.ModuleList(nn.Conv3d(n, outputs, 1) for n in network.decoder_features[1:-1])

    def forward(self, x: Tensor) -> list[Tensor]:
        finest, *others = self.network.decoded(x)
        return [self.network.head(finest), *(head(f) for head, f in zip(self.heads, others, strict=False))]


def can_be_supervised(network: nn.Module) -> bool:
    """Whether it says what its decoder's stages give."""
    return all(hasattr(network, name) for name in ("decoded", "head", "decoder_features"))


def plain_network(network: nn.Module) -> nn.Module:
    """The network that answers once, without what training wrapped around it."""
    module = getattr(network, "module", network)  # DistributedDataParallel
    return module.network if isinstance(module, DeepSupervision) else module


def weights_of_network(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of a checkpoint's weights those that belong to the network itself."""
    if not all(key.startswith((NETWORK, HEADS)) for key in state):
        return state
    return {key.removeprefix(NETWORK): value for key, value in state.items() if key.startswith(NETWORK)}
