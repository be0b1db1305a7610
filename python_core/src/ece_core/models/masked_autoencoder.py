"""A Swin encoder that learns from CT without labels: parts are hidden, and it has to say what is there.

A masked autoencoder (He et al. 2022) leaves the hidden patches out and computes with the rest. Windows of a Swin
encoder need every token in its place, so here a learned token stands where something is hidden, and a light head reads
the answer from the encoder's features (SimMIM). What is kept for other networks is the encoder.

References
----------
He et al. 2022, arXiv:2111.06377 (masked autoencoders). Xie et al. 2022, arXiv:2111.09886 (SimMIM).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ece_core.models.swin_unetr import SwinEncoder

CELL = 4  # voxels: the head answers once per cell, for all voxels of it


class MaskedAutoencoder(nn.Module):
    """CT with hidden blocks to CT.

    Parameters
    ----------
    in_channels, feature_size, depths, heads, window
        Of the encoder, under the name ``swinViT`` as in SwinUNETR.
    head
        Width of the head that puts the image together again.
    """

    def __init__(
        self, in_channels: int = 1, feature_size: int = 24, depths: Sequence[int] = (2, 2, 2, 2),
        heads: Sequence[int] = (3, 6, 12, 24), window: int = 7, head: int = 48,
    ) -> None:
        super().__init__()
        self.swinViT = SwinEncoder(in_channels, feature_size, depths, heads, window)
        self.token = nn.Parameter(torch.zeros(feature_size))
        nn.init.trunc_normal_(self.token, std=0.02)
        # The finest features are the image itself, before any attention: nothing can be read from a hidden one.
        self.narrow = nn.ModuleList(nn.Conv3d(width, head, 1) for width in self.swinViT.widths[1:])
        self.voxels = nn.Conv3d(head, in_channels * CELL**3, 1)

    def forward(self, image: Tensor, hidden: Tensor) -> Tensor:
        """The whole image as the network thinks it is.

        Parameters
        ----------
        image
            (n, channels, k, j, i), edges multiples of 32.
        hidden
            (n, 1, k, j, i) bool, the same within each block of 2 x 2 x 2 voxels: nothing of the image is seen there.
        """
        tokens = F.max_pool3d(hidden.float(), 2) > 0
        found = self.swinViT(image, tokens, self.token)[1:]
        grid = found[0].shape[2:]
        joined = torch.stack(
            [F.interpolate(narrow(each), size=grid) for narrow, each in zip(self.narrow, found, strict=True)]
        ).sum(0)
        return _spread(self.voxels(F.gelu(joined)), image.shape[1])


def _spread(cells: Tensor, channels: int) -> Tensor:
    """(n, channels * CELL^3, k, j, i) to (n, channels, CELL k, CELL j, CELL i)."""
    n, _, k, j, i = cells.shape
    apart = cells.reshape(n, channels, CELL, CELL, CELL, k, j, i).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return apart.reshape(n, channels, CELL * k, CELL * j, CELL * i)


def take_encoder(network: nn.Module, weights: dict[str, Tensor]) -> int:
    """Give ``network`` the encoder's weights of another one; returns how many tensors were taken.

    Raises
    ------
    ValueError
        The encoders differ.
    """
    ours = {name: value for name, value in network.state_dict().items() if name.startswith("swinViT.")}
    theirs = {name: value for name, value in weights.items() if name.startswith("swinViT.")}
    if not ours or {k: v.shape for k, v in ours.items()} != {k: v.shape for k, v in theirs.items()}:
        raise ValueError("the two encoders differ")
    network.load_state_dict(theirs, strict=False)
    return len(theirs)
