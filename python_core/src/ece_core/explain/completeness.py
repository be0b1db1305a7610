"""The law of integrated gradients and DeepLIFT: what is attributed is the difference of two scores, no less."""

from __future__ import annotations

from torch import Tensor

from ece_core.explain.engine import NotExplainableError

_SMALL_SHARE = 0.1  # a difference far below what is attributed in both directions is measured against that


def is_complete(attribution: Tensor, difference: Tensor, tolerance: float) -> bool:
    """Whether the sum of ``attribution`` misses no more than ``tolerance`` of ``difference``."""
    gap = (attribution.sum() - difference).abs()
    scale = max(float(difference.abs()), _SMALL_SHARE * float(attribution.abs().sum()))
    return float(gap) <= tolerance * scale + 1e-12  # nan is not complete


def check_complete(method: str, attribution: Tensor, difference: Tensor, tolerance: float) -> Tensor:
    """``attribution``, unless its sum misses ``difference`` by more than ``tolerance`` of it.

    Raises
    ------
    NotExplainableError
        The gap is larger: the map is not what the method's name promises.
    """
    if not is_complete(attribution, difference, tolerance):
        raise NotExplainableError(
            f"{method} is not complete here: the map sums to {float(attribution.sum()):.4g}, but the score changes by "
            f"{float(difference):.4g} from the baseline to the input.",
            "Take more steps, or a baseline that is not constant (GroupNorm divides by a variance of zero there).",
        )
    return attribution
