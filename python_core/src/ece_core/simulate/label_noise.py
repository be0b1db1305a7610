"""Labels as an erring reader writes them: some P called ENE, some ENE called P. The truth stays beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

OTHER = {"P": "ENE", "ENE": "P"}  # what readers disagree about (kappa about 0.6); N stays N


def noisy_classes(rng: np.random.Generator, classes: Sequence[str], share: float) -> list[str]:
    """Each metastatic lymph node changes between P and ENE with probability ``share`` (0 to 0.5)."""
    flips = rng.random(len(classes)) < share
    return [OTHER.get(name, name) if flip else name for name, flip in zip(classes, flips, strict=True)]
