"""From HU to the numbers that a network was trained on: clipped, shifted, scaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Normalization:
    """``(clip(hu) - subtract_hu) / divide_hu``. A window is the case that ends in [0, 1]."""

    clip_hu: tuple[float, float]
    subtract_hu: float
    divide_hu: float

    @classmethod
    def of(cls, model_input: dict[str, Any]) -> Normalization:
        """What the ``input`` of a model card asks for: its ``normalization``, or else its ``window_hu``."""
        if "normalization" in model_input:
            stated = model_input["normalization"]
            low, high = stated["clip_hu"]
            return cls((low, high), stated["subtract_hu"], stated["divide_hu"])
        low, high = model_input["window_hu"]
        return cls((low, high), low, high - low)

    def __call__(self, hu: np.ndarray | float) -> np.ndarray:
        """Normalized values, float32, same shape."""
        clipped = np.clip(np.asarray(hu, np.float32), *self.clip_hu)
        return ((clipped - self.subtract_hu) / self.divide_hu).astype(np.float32)
