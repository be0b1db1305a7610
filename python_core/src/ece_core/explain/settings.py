"""What a user may choose about an explanation, and the one shape that every method has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from ece_core.explain.hr_cam import HRCam
    from ece_core.explain.patterns import Patterns

Layers: TypeAlias = str | nn.Module | Sequence[str | nn.Module] | None


@dataclass(frozen=True)
class Settings:
    """Options of all methods; each method reads its own.

    Attributes
    ----------
    layer
        CAM family: a name, a module, several of them, ``"last"``, ``"bottleneck+decoder"``, ``"all"``; None: the last
        one. Of several layers the maps, each divided by its maximum, are averaged.
    baseline
        Integrated gradients, DeepLIFT, occlusion: the image that says nothing, of the input's shape or a number.
    steps
        Integrated gradients: points on the way from the baseline to the input; more where the map is not complete.
    tolerance
        Integrated gradients, DeepLIFT: how much of the difference of the scores may be missing in the map's sum.
    samples, noise, seed
        SmoothGrad: noisy copies, the noise's standard deviation as a share of the input's range, the random seed.
    window, stride
        Occlusion: edge of the box that is blanked out, and how far it moves, in voxels (k, j, i); None: half of it.
    patterns
        PatternNet and PatternAttribution: see :func:`ece_core.explain.patterns.fit_patterns`.
    hr_cam
        HR-CAM: see :func:`ece_core.explain.hr_cam.fit_hr_cam`.
    at_once
        Voxels of a segmentation that each take a backward pass: so many share one, each with a copy of the image;
        memory grows with it. None: 8 on a GPU; 1 on a CPU, where more gain nothing and each is cropped to its cone.
    """

    layer: Layers = None
    baseline: Tensor | float = 0.0
    steps: int = 32
    tolerance: float = 0.05
    samples: int = 16
    noise: float = 0.1
    seed: int = 0
    window: int | Sequence[int] = 4
    stride: int | Sequence[int] | None = None
    patterns: Patterns | None = None
    hr_cam: HRCam | None = None
    at_once: int | None = None

    def baseline_of(self, x: Tensor) -> Tensor:
        """The baseline in the shape of ``x``."""
        return torch.as_tensor(self.baseline, dtype=x.dtype, device=x.device).expand_as(x)


@dataclass(frozen=True)
class Explainer:
    """A network's answer to one input, ready to be explained for any seed, as often as wanted, from one graph.

    Attributes
    ----------
    logits
        (n, classes) or (n, classes, k, j, i).
    of
        The map of ``sum(seed * logits)``: (n, c, k, j, i), or (n, 1, k, j, i) for class activation maps.
    copies
        All n images are copies of one, so that as many seeds can be explained at once.
    """

    logits: Tensor
    of: Callable[[Tensor], Tensor]
    copies: int = 1
