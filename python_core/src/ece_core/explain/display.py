"""How a heatmap is drawn; what is measured and saved stays as :func:`ece_core.explain.to_heatmap` gives it."""

from __future__ import annotations

import numpy as np
from skimage.exposure import equalize_adapthist

TRANSPARENT_BELOW = 0.17  # Strijbis et al. 2025


def equalized(heatmap: np.ndarray) -> np.ndarray:
    """Adaptive histogram equalization, for display only: faint structures show, but values no longer compare.

    Parameters
    ----------
    heatmap
        (k, j, i) or (j, i) in [0, 1].

    Returns
    -------
    np.ndarray
        In its shape, float32 in [0, 1]; 0 where the heatmap is 0.

    References
    ----------
    Strijbis et al. 2025, for guided backpropagation, guided Grad-CAM(++), LRP and PatternNet attribution.
    """
    if heatmap.max() == heatmap.min():
        return heatmap.astype(np.float32)
    return np.where(heatmap > 0, equalize_adapthist(heatmap.astype(np.float64)), 0.0).astype(np.float32)


def opacity(heatmap: np.ndarray, most: float = 1.0) -> np.ndarray:
    """How opaque each voxel's color is: 0 below TRANSPARENT_BELOW, ``most`` above, so that the CT stays in view."""
    return np.where(heatmap < TRANSPARENT_BELOW, 0.0, most).astype(np.float32)
