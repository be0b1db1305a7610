"""GMGENet's volume of interest: the box that holds most of the class activation map inside the head and neck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from ece_core.explain.grad_cam import grad_cam
from ece_core.geometry import Volume
from ece_core.preprocessing.head_and_neck import inside_head_and_neck

Array = np.ndarray

VOI_SHAPE = (25, 90, 90)  # k, j, i; the paper says 90x90x25
POSITIVE = 1  # the class of patients with ENE (also ECE)


@dataclass(frozen=True, eq=False)
class VolumeOfInterest:
    """Where the classifier looks.

    Attributes
    ----------
    start, shape
        (k, j, i) of the box on the volume's grid.
    heat
        (K, J, I) float32, >= 0: Grad-CAM of the positive class, 0 outside of the head and neck.
    is_guided
        False where the map is zero everywhere: the box is then in the middle of the head and neck.
    """

    start: tuple[int, int, int]
    shape: tuple[int, int, int]
    heat: Array
    is_guided: bool

    @property
    def box(self) -> tuple[slice, slice, slice]:
        k, j, i = (slice(a, a + n) for a, n in zip(self.start, self.shape, strict=True))
        return k, j, i


def volume_of_interest(
    extractor: nn.Module, volume: Volume, layer: str, shape: tuple[int, int, int] = VOI_SHAPE
) -> VolumeOfInterest:
    """Grad-CAM of the positive class, refined to the head and neck, and the box around its hottest region.

    Parameters
    ----------
    extractor
        Logits (n, 2) of (n, 1, K, J, I).
    volume
        As :func:`ece_core.preprocessing.head_and_neck.head_and_neck` gives it.
    layer
        The last one with feature maps.

    References
    ----------
    Wang et al., Med Phys 2024;51:2007, equations 7 and 8; that the region is a box of most heat is our reading.
    """
    device = next(extractor.parameters()).device
    x = torch.from_numpy(np.ascontiguousarray(volume.array, np.float32))[None, None].to(device)
    cam = grad_cam(extractor, x, POSITIVE, layer)[0, 0].cpu().numpy()
    inside = inside_head_and_neck(volume)
    heat = np.where(inside, cam, 0).astype(np.float32)
    is_guided = bool(heat.max() > 0)
    start = hottest_box(heat if is_guided else inside.astype(np.float32), shape)
    return VolumeOfInterest(start, shape, heat, is_guided)


def hottest_box(heat: Array, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Start (k, j, i) of the box of that shape, inside the grid, that holds the largest sum.

    Of boxes with the same sum it is the one nearest to the center of the heat: a small hot spot lies in the middle.

    Parameters
    ----------
    heat
        (K, J, I), >= 0, no smaller than the box.
    """
    sums = heat.astype(np.float64)
    for axis, length in enumerate(shape):
        total = np.cumsum(sums, axis=axis)
        ends = np.take(total, range(length - 1, total.shape[axis]), axis=axis)
        before = np.take(total, range(total.shape[axis] - length), axis=axis)
        pad = [(0, 0)] * 3
        pad[axis] = (1, 0)
        sums = ends - np.pad(before, pad)
    best = np.argwhere(sums >= sums.max() - 1e-9 * max(float(sums.max()), 1e-30))
    if heat.any():
        center = np.array(ndimage.center_of_mass(heat))
        wanted = center - (np.array(shape) - 1) / 2
        best = best[[int(((best - wanted) ** 2).sum(axis=1).argmin())]]
    k, j, i = (int(n) for n in best[0])
    return k, j, i
