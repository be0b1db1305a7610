"""How often which axis is halved, with which kernels, and what the feature maps of such a U-Net cost.

References
----------
Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, online methods (network topology); the rules of version 2, checked
against nnunetv2 2.8.1 (python_core/tests/training/test_planning_against_nnunet.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, prod

Numbers = tuple[int, ...]

LEAST_EDGE = 4  # voxels of the coarsest feature map along an axis
ALIKE = 2.0  # axes whose spacings differ by less than this factor are halved together
BASE_FEATURES, MOST_FEATURES = 32, 320
CONVOLUTIONS_PER_STAGE = 2


@dataclass(frozen=True)
class Topology:
    """Stages of a U-Net, the full-resolution one first, and the patch they need.

    Parameters
    ----------
    strides
        Per stage and axis, 1 or 2; of the first stage all 1.
    kernel_sizes
        Per stage and axis, 1 or 3.
    patch_size
        Each edge divisible by the product of its strides.
    """

    strides: tuple[Numbers, ...]
    kernel_sizes: tuple[Numbers, ...]
    patch_size: Numbers

    @property
    def total_stride(self) -> Numbers:
        """By what each edge of a patch must be divisible."""
        return tuple(prod(axis) for axis in zip(*self.strides, strict=True))

    @property
    def features(self) -> Numbers:
        """Channels per stage: doubled with each, up to 320."""
        return tuple(min(MOST_FEATURES, BASE_FEATURES * 2**stage) for stage in range(len(self.strides)))


def topology_of(spacing_mm: Iterable[float], patch_size: Sequence[float]) -> Topology:
    """Halve the finest axes until the others are within a factor of 2, then all, while 4 voxels are left.

    Parameters
    ----------
    spacing_mm
        Of the voxels of the patch.
    patch_size
        What is wished for, in the same order; it grows to the next size that the strides divide.

    Notes
    -----
    A kernel measures 1 along an axis while that axis is coarser than the finest by 2 or more, then 3 for good. A single
    axis is halved only where 12 voxels are left of it.
    """
    spacing, size = [float(s) for s in spacing_mm], [float(n) for n in patch_size]
    axes = range(len(size))
    kernel = [1] * len(spacing)
    strides, kernels = [(1,) * len(spacing)], []
    while halved := _axes_to_halve(spacing, size):
        kernel = [3 if spacing[a] / min(spacing) < ALIKE else kernel[a] for a in axes]
        kernels.append(tuple(kernel))
        strides.append(tuple(2 if a in halved else 1 for a in axes))
        for a in halved:
            spacing[a], size[a] = spacing[a] * 2, ceil(size[a] / 2)
    kernels.append((3,) * len(spacing))
    total = [prod(axis) for axis in zip(*strides, strict=True)]
    padded = tuple(ceil(n / t) * t for n, t in zip(patch_size, total, strict=True))
    return Topology(tuple(strides), tuple(kernels), padded)


def _axes_to_halve(spacing: list[float], size: list[float]) -> list[int]:
    large = [a for a in range(len(size)) if size[a] >= 2 * LEAST_EDGE]
    alike = [a for a in large if spacing[a] / min(spacing[b] for b in large) < ALIKE]
    return [] if len(alike) == 1 and size[alike[0]] < 3 * LEAST_EDGE else alike


def feature_map_values(topology: Topology, outputs: int) -> int:
    """Values that a forward pass of one patch keeps, the measure of memory.

    Every stage has two convolutions on the way down; all but the coarsest have a transposed convolution and two
    convolutions on the way up, and the finest has the output.

    Parameters
    ----------
    outputs
        Channels of the output, background among them.
    """
    voxels, size = [], topology.patch_size
    for stride in topology.strides:
        size = tuple(n // s for n, s in zip(size, stride, strict=True))
        voxels.append(prod(size))
    down = sum(CONVOLUTIONS_PER_STAGE * f * v for f, v in zip(topology.features, voxels, strict=True))
    up = sum((CONVOLUTIONS_PER_STAGE + 1) * f * v for f, v in list(zip(topology.features, voxels, strict=True))[:-1])
    return down + up + outputs * prod(topology.patch_size)
