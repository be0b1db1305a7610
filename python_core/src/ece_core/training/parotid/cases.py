"""What a parotid network is trained on and asked about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class ParotidCase:
    """``image`` (k, j, i) float32 as the network sees it; ``truth`` (k, j, i) bool; ``patient``: of which it is one."""

    name: str
    patient: str
    image: np.ndarray
    truth: np.ndarray


def dice_of(found: np.ndarray, truth: np.ndarray) -> float:
    """Dice of two masks; 1 where both are empty."""
    total = int(found.sum()) + int(truth.sum())
    return 1.0 if total == 0 else 2 * int((found & truth).sum()) / total
