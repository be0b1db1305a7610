"""One network, two answers: where the nodal region of interest is, and whether the patient has ECE (also ENE).

The encoder's features are averaged with the predicted region as weights (mask-guided pooling), so that what the class
is decided on is what the network itself has outlined.

References
----------
Dual-output SwinUNETR with masked-autoencoder pretraining, AAPM 2026 abstract 1550. Widths, pooling layers and head are
not given there; they are ours (docs/dual_swin_unetr.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ece_core.errors import ModelError
from ece_core.geometry import Volume
from ece_core.models.bundle import Bundle
from ece_core.models.swin_unetr import SwinUNETR
from ece_core.preprocessing import to_axial
from ece_core.preprocessing.neck_block import neck_block
from ece_core.preprocessing.normalization import Normalization
from ece_core.preprocessing.resample import resample_onto

TASK = "patient_ece"
ARCHITECTURE = "DualSwinUNETR"
LEAST_WEIGHT = 1e-6  # of the whole image: no region at all leaves a plain mean
PRIOR_LOGIT = -3.0  # 5 %: at first nothing is region. From 50 % the first hundreds of steps only unlearn that.
NEWEST = 0.1  # share of a new batch in the running mean: it has to keep up with an encoder that is learning


def mask_guided_pool(features: Tensor, region: Tensor) -> Tensor:
    """(n, channels) mean of the features, each place weighted with its share of the region.

    Parameters
    ----------
    features
        (n, channels, k, j, i).
    region
        (n, 1, K, J, I), 0 to 1, on the same grid or one a whole number of times finer.
    """
    k, j, i = features.shape[2:]
    weights = F.adaptive_avg_pool3d(region, (k, j, i)).clamp(min=LEAST_WEIGHT)
    return (features * weights).sum(dim=(2, 3, 4)) / weights.sum(dim=(2, 3, 4))


class RunningStandardization(nn.Module):
    """Mean 0 and variance 1 over the cases seen so far, in training too.

    Pooled features of different patients are nearly alike; what differs is small beside what they share. Batches are
    too small for the batch's own mean. The latest batches count most.
    """

    mean: Tensor
    variance: Tensor
    seen: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        """(n, width) to the same."""
        if self.training:
            self._look(features.detach())
        return (features - self.mean) / (self.variance + 1e-5).sqrt()

    def _look(self, features: Tensor) -> None:
        self.seen += 1
        self.mean = self.mean.lerp(features.mean(0), max(NEWEST, 1 / float(self.seen)))
        # From 1 on: two patients of a first batch can be alike, and what differs must not be blown up without end.
        self.variance = self.variance.lerp(((features - self.mean) ** 2).mean(0), NEWEST)


class DualSwinUNETR(SwinUNETR):
    """SwinUNETR with a second head.

    Parameters
    ----------
    in_channels, feature_size, depths, heads, window
        As of :class:`~ece_core.models.swin_unetr.SwinUNETR`.
    hidden
        Width of the class head.
    sees_volume
        The head also sees how large the region is.
    """

    def __init__(
        self, in_channels: int = 1, feature_size: int = 24, depths: Sequence[int] = (2, 2, 2, 2),
        heads: Sequence[int] = (3, 6, 12, 24), window: int = 7, hidden: int = 32, sees_volume: bool = True,
    ) -> None:
        super().__init__(in_channels, 1, feature_size, depths, heads, window)
        self.sees_volume = sees_volume
        pooled = sum(self.swinViT.widths[:4]) + feature_size  # 1/2 to 1/16 of the encoder, and the decoder's last
        self.head = nn.Sequential(
            RunningStandardization(pooled + sees_volume), nn.Dropout(0.1), nn.Linear(pooled + sees_volume, hidden),
            nn.GELU(), nn.Linear(hidden, 1),
        )  # fmt: skip
        bias = self.out.conv.conv.bias  # type: ignore[union-attr]
        nn.init.constant_(bias, PRIOR_LOGIT)  # type: ignore[arg-type]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Logits of the region and of ECE.

        Parameters
        ----------
        image
            (n, in_channels, k, j, i), normalized as the card says; edges multiples of 32.

        Returns
        -------
        Tensor, Tensor
            (n, 1, k, j, i) logits per voxel that it belongs to the nodal region, and (n,) logits of the case. The
            gradient of the second runs through the region too.
        """
        found, decoded, logits = self._outlined(image)
        return logits, self._decided(found, decoded, logits.sigmoid())

    def taught(self, image: Tensor, region: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As :meth:`forward`, and the logits of ECE if the features are pooled with the true ``region`` instead.

        While the predicted region is still noise, the class can be learned from the true one.

        Parameters
        ----------
        region
            (n, 1, k, j, i), 0 to 1.
        """
        found, decoded, logits = self._outlined(image)
        return logits, self._decided(found, decoded, logits.sigmoid()), self._decided(found, decoded, region)

    def _outlined(self, image: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        found = self.swinViT(image)
        decoded = self.decoded(image, found)
        return found, decoded, self.out(decoded)

    def _decided(self, found: Sequence[Tensor], decoded: Tensor, region: Tensor) -> Tensor:
        # The deepest grid (2 x 2 x 2 of 64 voxels) is coarser than any lymph node.
        pooled = [mask_guided_pool(features, region) for features in (*found[:4], decoded)]
        if self.sees_volume:
            pooled.append(torch.log1p(region.float().sum(dim=(2, 3, 4))))
        return self.head(torch.cat([each.float() for each in pooled], dim=1))[:, 0]


@dataclass(frozen=True, eq=False)
class PatientAnswer:
    """What the network says of a patient.

    Attributes
    ----------
    probability
        0 to 1 of ECE (also ENE) in any lymph node, by one network and not calibrated.
    region
        (K, J, I) bool on the CT's grid: the nodal region of interest that it was decided on. Empty: it found none,
        and the probability rests on the whole neck.
    """

    probability: float
    region: Volume


def answer(bundle: Bundle, ct: Volume, device: str = "cpu") -> PatientAnswer:
    """Run the network on a scan of any orientation; needs no contour.

    Parameters
    ----------
    bundle
        Whose task is ``patient_ece`` and whose network is a DualSwinUNETR.
    ct
        (K, J, I) HU.

    Raises
    ------
    ModelError
        The bundle is for something else.
    InputError
        There is no body in the scan.
    """
    if bundle.task != TASK or not isinstance(bundle.network, DualSwinUNETR):
        raise ModelError(
            f"The model {bundle.name} does not say whether a patient has ECE.", f"Choose one for the task {TASK}."
        )
    spec = bundle.spec["input"]
    axial, orientation = to_axial(ct)
    block = neck_block(axial, spec["patch_size"], spec["spacing_mm"])
    region, logit = _run(bundle.network, Normalization.of(spec)(block.array), device)
    low, high = _inside(axial, block)
    near = axial.crop(low, high)
    share = resample_onto(block.with_array(region), near.shape, near.affine).array
    found = np.zeros(axial.shape, bool)
    found[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = share >= 0.5
    return PatientAnswer(float(1 / (1 + np.exp(-logit))), ct.with_array(orientation.undo(found).copy()))


@torch.inference_mode()
def _run(network: nn.Module, image: np.ndarray, device: str) -> tuple[np.ndarray, float]:
    """(K, J, I) probability of the region, and the case's logit."""
    network.eval().to(device)
    logits, ece = network(torch.from_numpy(image)[None, None].to(device))
    return logits[0, 0].sigmoid().float().cpu().numpy(), float(ece)


def _inside(ct: Volume, block: Volume) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """The box of the CT (start, stop) whose voxel centers lie in the block."""
    ends = ct.to_index(block.to_lps(np.array([np.full(3, -0.5), np.array(block.shape) - 0.5])))
    low = np.clip(np.ceil(ends.min(axis=0)), 0, ct.shape).astype(int)
    high = np.clip(np.floor(ends.max(axis=0)) + 1, low, ct.shape).astype(int)
    return (int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2]))
