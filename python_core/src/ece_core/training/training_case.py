"""One scan as training sees it, from the file or folder that preparing it left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ece_core.preprocessing.normalization import Normalization
from ece_core.training.labels import UNKNOWN

Array = np.ndarray

IMAGE, CLASSES, VOXELS = "image.npy", "classes.npy", "voxels.npz"  # of a prepared case
EARLIER = "earlier_{}.npy"  # what the low resolution's network found, by the fold that trained it


@dataclass(frozen=True, eq=False)
class TrainingCase:
    """A scan on the network's grid.

    Parameters
    ----------
    image
        (K, J, I), in memory or on disk, before ``normalize``.
    labels
        One or two (K, J, I) uint8: classes (1 N, 2 P, 3 ENE, 4 P or ENE, 5 any, 255 unknown), and outputs of the
        earlier stage where there is one.
    voxels
        Class -> (n, 3) indices of voxels that have it, all of them or many.
    normalize
        From ``image`` to what the network sees; what lies outside of the scan is 0 then.
    """

    image: Array
    labels: tuple[Array, ...]
    voxels: dict[int, Array]
    normalize: Callable[[Array], Array]

    def block(self, start: Array, size: Array) -> tuple[Array, Array]:
        """(1, *size) float32 and (labels, *size) uint8 from ``start``, which may lie outside of the scan."""
        shape = np.array(self.image.shape)
        low = np.clip(start, 0, shape)
        high = np.clip(start + size, low, shape)
        inside = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        pad = [(int(a - s), int(s + n - b)) for a, b, s, n in zip(low, high, start, size, strict=True)]
        image = np.pad(self.normalize(np.asarray(self.image[inside])), pad)
        labels = np.stack([np.pad(np.asarray(each[inside]), pad) for each in self.labels])
        return image[None].astype(np.float32, copy=False), labels


def load_case(path: Path, normalization: Normalization, earlier: str = "") -> TrainingCase:
    """A simulated scan (a file: HU in memory) or a prepared one (a folder: normalized, left on disk until it is asked
    for).

    Parameters
    ----------
    earlier
        The fold whose earlier network's answer is wanted too, or nothing.
    """
    if path.is_dir():
        names = [CLASSES, *([EARLIER.format(earlier)] if earlier else [])]
        with np.load(path / VOXELS) as archive:
            voxels = {int(name): archive[name] for name in archive.files}
        labels = tuple(np.load(path / name, mmap_mode="r") for name in names)
        return TrainingCase(np.load(path / IMAGE, mmap_mode="r"), labels, voxels, np.asarray)
    with np.load(path) as archive:
        hu, classes = archive["hu"], archive["classes"]
    found = [int(value) for value in np.unique(classes) if value not in (0, UNKNOWN)]
    voxels = {value: np.argwhere(classes == value).astype(np.int16) for value in found}
    return TrainingCase(hu, (classes,), voxels, normalization)
