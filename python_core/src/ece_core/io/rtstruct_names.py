"""Which ROIs of a structure set are asked for. What means lymph nodes: ``nodal_names.is_nodal``."""

from __future__ import annotations

import re
from collections.abc import Callable

Names = Callable[[str], bool] | str | re.Pattern[str] | None

ONE_LYMPH_NODE = "One lymph node."  # starts the ROIDescription of an ROI that is one, in however many pieces


def name_filter(names: Names) -> Callable[[str], bool]:
    """A function of the name: the callable itself, "the regular expression is found in it", or "any"."""
    if names is None:
        return lambda name: True
    if callable(names):
        return names
    pattern = re.compile(names)
    return lambda name: bool(pattern.search(name))
