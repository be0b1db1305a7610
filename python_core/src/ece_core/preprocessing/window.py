"""The HU window of GMGENet."""

import numpy as np

WINDOW_HU = (-400.0, 400.0)  # GMGENet, Med Phys 2024;51:2007, arXiv 2201.00895, preprocessing


def window(hu: np.ndarray, window_hu: tuple[float, float] = WINDOW_HU) -> np.ndarray:
    """HU clipped to the window and scaled to [0, 1], float32, same shape."""
    low, high = window_hu
    return ((np.clip(hu, low, high) - low) / (high - low)).astype(np.float32)
