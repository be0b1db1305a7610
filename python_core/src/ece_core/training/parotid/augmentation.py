"""The paper's augmentation, by MONAI: rotation, zoom and intensity shift, each in a fifth of the cases, and flips."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from torch import Tensor

PROBABILITY, FLIP = 0.2, 0.5
DEGREES, ZOOM, SHIFT = 15.0, (0.9, 1.1), 0.1
LEFT_RIGHT = 2  # axis i

Augment = Callable[[np.ndarray, np.ndarray, int], tuple[Tensor, Tensor]]


def augmented(image: np.ndarray, truth: np.ndarray, seed: int) -> tuple[Tensor, Tensor]:
    """Image and truth (1, k, j, i) float32; the seed alone decides what happens to them."""
    from monai.utils.misc import MAX_SEED

    transform = _transform()
    transform.set_random_state(seed % MAX_SEED)
    found = transform({"image": image[None], "truth": truth[None].astype(np.float32)})
    return found["image"].as_tensor(), found["truth"].as_tensor()


@lru_cache(maxsize=1)
def _transform():
    from monai import transforms as monai

    both, modes = ("image", "truth"), ("bilinear", "nearest")
    angle = float(np.deg2rad(DEGREES))
    return monai.Compose(
        [
            monai.RandFlipd(both, prob=FLIP, spatial_axis=LEFT_RIGHT),
            monai.RandRotated(
                both, angle, angle, angle, prob=PROBABILITY, mode=modes, padding_mode="border", keep_size=True
            ),
            monai.RandZoomd(
                both, prob=PROBABILITY, min_zoom=ZOOM[0], max_zoom=ZOOM[1], mode=("trilinear", "nearest"),
                padding_mode="edge",
            ),
            monai.RandShiftIntensityd(("image",), offsets=SHIFT, prob=PROBABILITY),
            monai.ToTensord(both),
        ]
    )  # fmt: skip
