"""What all networks that judge one lymph node share: signs marked voxel by voxel, classes from several resolutions.

A breach is a few voxels of strands or of a tongue. In the deepest feature map they are gone, and an average over it
drowns them. So feature maps of every resolution are pooled by mean and by maximum, and the signs of the breach are
marked voxel by voxel from all of them: there the simulator's counterfactual twins teach what a label per lymph node is
too weak to teach.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

# A voxel shows no sign unless it is likelier than this logit: what lies below adds nothing to the pooled signs.
LEAST_SIGN_LOGIT = -4.0


class LymphNodeNetwork(nn.Module):
    """Logits of N, P and ENE, and where signs of a breach are.

    Subclasses give ``feature_maps``, the finest first, at half the resolution of the block.

    Parameters
    ----------
    widths
        Channels of each feature map.
    hidden
        Width of the layer between the pooled features and the classes.
    size_blind
        A second look at the lymph node, in which each is equally large (`size_blind.py`): what says ENE there cannot
        be size. Two looks, one that sees size beside one that does not, as Kann et al. 2018,
        doi:10.1038/s41598-018-32441-y, had them.
    """

    def __init__(
        self, widths: Sequence[int], out_channels: int, hidden: int, size_blind: nn.Module | None = None
    ) -> None:
        super().__init__()
        seen = 2 * sum(widths) + 2
        if size_blind is not None:
            self.size_blind = size_blind
            seen += 2 * sum(size_blind.widths)  # type: ignore[arg-type]
        self.signs = nn.ModuleList(nn.Conv3d(width, 1, 1) for width in widths)
        self.evidence = nn.Identity()  # what of the signs is pooled, by a name that a class activation map can ask for
        self.head = nn.Sequential(
            nn.Linear(seen, hidden), nn.ReLU(), nn.Dropout(0.2), nn.Linear(hidden, out_channels)
        )
        self.statistics_fixed = False

    def train(self, mode: bool = True) -> LymphNodeNetwork:
        """As usual, but fixed statistics stay fixed."""
        super().train(mode)
        if self.statistics_fixed:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm3d):
                    module.training = False
        return self

    def feature_maps(self, x: Tensor) -> list[Tensor]:
        """(n, width, k, j, i) per resolution, the finest first: half that of ``x`` (n, c, k, j, i)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(n, classes) logits of (n, c, k, j, i)."""
        return self.logits_and_signs(x)[0]

    def logits_and_signs(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, classes), and logits (n, 1, k/2, j/2, i/2) that a voxel shows a sign of a breach."""
        maps = self.feature_maps(x)
        signs = self._signs(maps)
        looks = [*maps, self.evidence(torch.relu(signs - LEAST_SIGN_LOGIT))]
        if hasattr(self, "size_blind"):
            looks += self.size_blind(x)
        return self.head(torch.cat([_pooled(each) for each in looks], dim=1)), signs

    def _signs(self, maps: list[Tensor]) -> Tensor:
        grid = maps[0].shape[2:]
        signs = self.signs[0](maps[0])
        for convolution, each in zip(list(self.signs)[1:], maps[1:], strict=True):
            signs = signs + nn.functional.interpolate(convolution(each), size=grid, mode="trilinear")
        return signs


def _pooled(maps: Tensor) -> Tensor:
    """(n, 2 c): mean and maximum of each channel of (n, c, k, j, i)."""
    return torch.cat([maps.mean((2, 3, 4)), nn.functional.adaptive_max_pool3d(maps, 1).flatten(1)], dim=1)
