"""A simulated patient: anatomy and lymph nodes, all from one seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ece_core.errors import InputError
from ece_core.simulate.anatomy import Anatomy, sample_anatomy
from ece_core.simulate.capsule import SimulatedLymphNode
from ece_core.simulate.lookalikes import LookAlike, add_lookalikes
from ece_core.simulate.placement import place_all
from ece_core.simulate.population import DIFFICULTIES, LEVEL_PRIOR, sample_classes, sample_lymph_node


@dataclass(frozen=True, eq=False)
class Patient:
    """Everything that is true about a patient before a scanner looks. Labels are positions in ``lymph_nodes`` + 1."""

    seed: tuple[int, ...]
    anatomy: Anatomy
    lymph_nodes: tuple[SimulatedLymphNode, ...]
    difficulty: str
    lookalikes: tuple[LookAlike, ...] = ()

    @property
    def sex(self) -> str:
        """``"F"`` or ``"M"``."""
        return self.anatomy.person.sex

    @property
    def age_years(self) -> float:
        """35 to 90."""
        return self.anatomy.person.age_years


def sample_patient(seed: int | tuple[int, ...], difficulty: str = "medium") -> Patient:
    """The patient of this seed; the same seed gives the same patient on every machine.

    Raises
    ------
    InputError
        ``difficulty`` is not easy, medium or hard.
    """
    if difficulty not in DIFFICULTIES:
        raise InputError(f"There is no difficulty named {difficulty!r}.", f"Choose one of {', '.join(DIFFICULTIES)}.")
    key = (seed,) if isinstance(seed, int) else tuple(seed)
    rng = np.random.default_rng(key)
    # A stream of its own: a change to the anatomy leaves the lymph nodes of a seed as they are.
    anatomy = sample_anatomy(np.random.default_rng((*key, 101)))
    anatomy, lookalikes = add_lookalikes(np.random.default_rng((*key, 102)), anatomy)
    age = anatomy.person.age_years
    drawn = [sample_lymph_node(rng, name, DIFFICULTIES[difficulty], age) for name in sample_classes(rng)]
    placed = place_all(rng, anatomy, drawn, LEVEL_PRIOR)
    ordered = sorted(placed, key=lambda node: -node.center_lps[2])
    return Patient(key, anatomy, tuple(ordered), difficulty, lookalikes)
