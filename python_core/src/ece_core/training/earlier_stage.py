"""What the low resolution's network found, as further channels of the full resolution's input.

References
----------
nnU-Net's cascade (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z): one channel per label; while training, the
labels are shrunken, grown, opened, closed, and lose components, so that the second network does not just copy the
first (nnunetv2 2.8.1: ApplyRandomBinaryOperatorTransform, RemoveRandomConnectedComponentFromOneHotEncodingTransform).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

Array = np.ndarray

CHANGE, MOST_STEPS = 0.4, 8
DROP, LARGEST_DROPPED = 0.2, 0.15  # of the patch


def as_channels(found: Array, labels: int) -> Array:
    """(labels, k, j, i) float32 of a label map (k, j, i): one channel per label, background left out."""
    return (found[None] == np.arange(1, labels + 1)[:, None, None, None]).astype(np.float32)


def disturbed(found: Array, labels: int, rng: np.random.Generator) -> Array:
    """The label map (k, j, i) with labels changed and components dropped at random."""
    found = found.copy()
    for label in rng.permutation(np.arange(1, labels + 1)):
        if rng.random() < CHANGE:
            found = _changed(found, int(label), rng)
    for label in range(1, labels + 1):
        if rng.random() < DROP:
            found = _without_component(found, label, rng)
    return found


def _changed(found: Array, label: int, rng: np.random.Generator) -> Array:
    change = (ndimage.binary_dilation, ndimage.binary_erosion, ndimage.binary_closing, ndimage.binary_opening)
    operation, steps = change[int(rng.integers(4))], int(rng.integers(1, MOST_STEPS + 1))
    mask = found == label
    if not mask.any():
        return found
    changed = operation(mask, iterations=steps)
    found = np.where(mask & ~changed, 0, found)
    return np.where(changed, label, found)


def _without_component(found: Array, label: int, rng: np.random.Generator) -> Array:
    components, count = ndimage.label(found == label)
    sizes = np.bincount(components.ravel(), minlength=count + 1)[1:]
    small = np.flatnonzero(sizes < LARGEST_DROPPED * found.size) + 1
    if not len(small):
        return found
    return np.where(components == int(rng.choice(small)), 0, found)
