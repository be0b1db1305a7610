"""The faithfulness figures of one heatmap of one lymph node, as a result keeps them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import nn

from ece_core.explain.faithfulness.curves import Curve, deletion_and_insertion
from ece_core.explain.faithfulness.pointing_game import pointing_game
from ece_core.explain.faithfulness.randomization import randomization
from ece_core.explain.faithfulness.repeatability import repeatability
from ece_core.explain.faithfulness.shell import RegionFocus, perinodal_shell, region_focus

Array = np.ndarray


@dataclass(frozen=True)
class Faithfulness:
    """Figures of one heatmap; None: not computed, or not defined (a map that is zero everywhere).

    Attributes
    ----------
    shell
        Share and focus of the map on the perinodal shell.
    hottest_in_shell
        Pointing game on the shell: 1 if the hottest voxel lies in it, else 0.
    deletion, insertion
        Curves of the probability of ENE (also ECE).
    randomization
        Correlation with the maps of networks whose weights were shuffled; near 0 is good.
    repeatability
        Correlation with the maps of the same CT with more noise; 1 is good.
    """

    shell: RegionFocus | None
    hottest_in_shell: float
    deletion: Curve | None = None
    insertion: Curve | None = None
    randomization: float | None = None
    repeatability: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, absent where None; a curve as its values at equal steps, and its area."""
        found: dict[str, Any] = {"hottest_in_shell": self.hottest_in_shell}
        if self.shell is not None:
            found |= {"shell_share": _short(self.shell.share), "shell_focus": _short(self.shell.focus)}
        for name, curve in (("deletion", self.deletion), ("insertion", self.insertion)):
            if curve is not None:
                found |= {f"{name}_area": _short(curve.area), f"{name}_curve": [_short(v) for v in curve.values]}
        for name, value in (("randomization", self.randomization), ("repeatability", self.repeatability)):
            if value is not None:
                found[name] = _short(value)
        return found


def map_figures(
    heatmap: Array, distance_mm: Array, seen: Array, spacing_mm: tuple[float, float, float]
) -> Faithfulness:
    """What the map alone tells, without running the network.

    Parameters
    ----------
    heatmap
        (K, J, I) in [0, 1].
    distance_mm
        (K, J, I) signed distance to the outline, negative inside.
    seen
        (K, J, I) bool: where the network sees tissue.
    """
    shell = perinodal_shell(distance_mm)
    return Faithfulness(region_focus(heatmap, shell, seen), pointing_game(heatmap, shell & seen, spacing_mm))


@dataclass(frozen=True, eq=False)
class Experiment:
    """What is needed to try a map against its network.

    Attributes
    ----------
    probability
        Of ENE (also ECE), (n,) of a batch (n, c, K, J, I).
    x, blank
        (c, K, J, I): the input, and the input without tissue.
    hu
        (K, J, I), the CT in ``x``.
    of_network
        The map that the method gives of another network for ``x``.
    of_hu
        The map that the method gives of this network for another CT.
    """

    probability: Callable[[Array], Array]
    x: Array
    blank: Array
    hu: Array
    of_network: Callable[[nn.Module], Array]
    of_hu: Callable[[Array], Array]


def with_experiments(
    figures: Faithfulness, heatmap: Array, seen: Array, network: nn.Module, experiment: Experiment
) -> Faithfulness:
    """The same figures and those for which the network runs: some 30 times forwards, 5 times through the method."""
    deletion, insertion = deletion_and_insertion(experiment.probability, experiment.x, experiment.blank, heatmap, seen)
    return replace(
        figures,
        deletion=deletion,
        insertion=insertion,
        randomization=randomization(experiment.of_network, network, heatmap, seen),
        repeatability=repeatability(experiment.of_hu, experiment.hu, heatmap, seen),
    )


def _short(value: float) -> float:
    return round(value, 4)
