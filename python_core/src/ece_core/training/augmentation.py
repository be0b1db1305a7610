"""Random changes of a training patch, by MONAI: geometry for image and labels alike, intensity for the image.

References
----------
nnU-Net v2 (`nnUNetTrainer.get_training_transforms` of nnunetv2 2.8.1): probabilities and ranges of ``NNUNET``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray

FLAT = 3.0  # a patch whose longest edge has over 3 times the voxels of its shortest is turned in its plane only


@dataclass(frozen=True)
class Look:
    """What may happen to a patch.

    Parameters
    ----------
    probability
        Of a turn, and apart from it of a change of size.
    turn_radians
        Most, about every axis; a flat patch is turned by any angle in its plane.
    zoom
        Least and most.
    mirror
        Axes (0, 1, 2 for k, j, i), each flipped half of the time.
    limits
        To which values are cut afterwards, or None.
    intensity
        Makes MONAI's random transforms.
    """

    probability: float
    turn_radians: float
    zoom: tuple[float, float]
    mirror: tuple[int, ...]
    limits: tuple[float, float] | None
    intensity: Callable[[], list[Any]]


def _simulator() -> list[Any]:
    from monai import transforms as t

    return [
        t.RandGaussianNoise(prob=0.25, std=0.03),
        t.RandGaussianSmooth(prob=0.2, sigma_x=(0.4, 1.0), sigma_y=(0.4, 1.0), sigma_z=(0.4, 1.0)),
        t.RandScaleIntensity(factors=0.12, prob=0.3),
        t.RandShiftIntensity(offsets=0.04, prob=0.3),
        t.RandAdjustContrast(prob=0.15, gamma=(0.8, 1.25)),
        t.RandSimulateLowResolution(prob=0.25, zoom_range=(0.35, 1.0)),
    ]


def _nnunet() -> list[Any]:
    from monai import transforms as t

    blur = (0.5, 1.0)
    return [
        t.RandGaussianNoise(prob=0.1, std=0.1),
        t.RandGaussianSmooth(prob=0.2, sigma_x=blur, sigma_y=blur, sigma_z=blur),
        t.RandScaleIntensity(factors=0.25, prob=0.15),
        t.RandScaleIntensityFixedMean(factors=0.25, prob=0.15, preserve_range=True),
        t.RandSimulateLowResolution(prob=0.25, zoom_range=(0.5, 1.0)),
        t.RandAdjustContrast(prob=0.1, gamma=(0.7, 1.5), invert_image=True, retain_stats=True),
        t.RandAdjustContrast(prob=0.3, gamma=(0.7, 1.5), retain_stats=True),
    ]


LOOKS = {
    "none": Look(0.0, 0.0, (1.0, 1.0), (), None, list),
    "simulator": Look(0.2, 0.26, (0.85, 1.15), (2,), (0.0, 1.0), _simulator),
    "nnunet": Look(0.2, np.pi / 6, (0.7, 1.4), (0, 1, 2), None, _nnunet),
}


class Augmentation:
    """Geometry first, so that the sampler can read just the block that a turned patch needs.

    Parameters
    ----------
    name
        A key of ``LOOKS``.
    patch_size, spacing_mm
        (k, j, i). Turns are turns of the patient: thick slices are not sheared.
    """

    def __init__(self, name: str, patch_size: Sequence[int], spacing_mm: Sequence[float] | Array) -> None:
        self.look, self.size = LOOKS[name], np.array(patch_size)
        self.spacing = np.array(spacing_mm, float)
        self.flat = self.size.max() > FLAT * self.size[0]
        self.intensities = self.look.intensity()

    def draw_turn(self, rng: np.random.Generator) -> Array | None:
        """(3, 3) from offsets in the patch to those in the scan, in voxels (k, j, i); None: as it is."""
        turned, zoomed = rng.random(2) < self.look.probability
        if not (turned or zoomed):
            return None
        matrix = np.eye(3)
        if turned:
            most = np.pi if self.flat else self.look.turn_radians
            for axis in (0,) if self.flat else (0, 1, 2):
                matrix = matrix @ _about(axis, rng.uniform(-most, most))
        if zoomed:
            low, high = self.look.zoom
            zoom = rng.uniform(low, 1) if rng.random() < 0.5 else rng.uniform(1, high)
            matrix = matrix @ np.diag([1.0 if self.flat else zoom, zoom, zoom])
        return matrix * self.spacing / self.spacing[:, None]

    def block_size(self, turn: Array | None) -> Array:
        """(3,) edges of the block around the patch that the turned patch reaches."""
        if turn is None:
            return self.size
        reach = np.abs(turn) @ self.size
        return np.ceil(reach / 2 + 1).astype(int) * 2 + self.size % 2  # so that both have their center alike

    def apply(self, image: Array, labels: Array, turn: Array | None, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """The patch of a block.

        Parameters
        ----------
        image, labels
            (1, k, j, i) float32 and (m, k, j, i) integers of ``block_size``.

        Returns
        -------
        Tensor, Tensor
            (1, K, J, I) float32 and (m, K, J, I) int64 of the patch.
        """
        seed = int(rng.integers(2**31))
        flips = [axis + 1 for axis in self.look.mirror if rng.random() < 0.5]
        moved, moved_labels = torch.from_numpy(image), torch.from_numpy(labels.astype(np.float32))
        if turn is not None:
            moved, moved_labels = self._turned(moved, "bilinear", turn), self._turned(moved_labels, "nearest", turn)
        moved, moved_labels = moved.flip(flips), moved_labels.flip(flips)
        for number, transform in enumerate(self.intensities):
            transform.set_random_state((seed + 7919 * number) % 2**31)
            moved = transform(moved)
        moved = torch.as_tensor(moved).as_subclass(torch.Tensor).float()
        if self.look.limits is not None:
            moved = moved.clamp(*self.look.limits)
        return moved.contiguous(), moved_labels.round().long().contiguous()

    def _turned(self, block: Tensor, mode: str, turn: Array) -> Tensor:
        from monai.transforms import Affine

        matrix = np.eye(4)
        matrix[:3, :3] = turn
        affine = Affine(affine=matrix, spatial_size=tuple(self.size.tolist()), padding_mode="border", image_only=True)
        return torch.as_tensor(affine(block, mode=mode)).as_subclass(torch.Tensor)


def _about(axis: int, angle: float) -> Array:
    a, b = (n for n in range(3) if n != axis)
    matrix = np.eye(3)
    matrix[a, a] = matrix[b, b] = np.cos(angle)
    matrix[a, b], matrix[b, a] = -np.sin(angle), np.sin(angle)
    return matrix
