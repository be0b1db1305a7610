"""From lymph nodes to the patient: the probability that any lymph node shows ENE (also ECE)."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

from ece_core.lymph_nodes.lymph_node import LymphNode

NOTHING_FOUND = (
    "No lymph node was found. This does not mean that there is none: "
    "the patient has no ECE probability. Look at the scan yourself."
)


def noisy_or(probabilities: Iterable[float]) -> float:
    """Probability that at least one of several independent causes is present.

    Parameters
    ----------
    probabilities
        Each 0 to 1. None at all gives 0.

    Notes
    -----
    Lymph nodes of one patient are not independent and a false detection still adds its share, so the value
    rises with the number of lymph nodes; the result names the method so that a reader can weigh it.

    References
    ----------
    Pearl, Probabilistic Reasoning in Intelligent Systems, 1988, section 4.3.2 (noisy-OR gate).
    """
    return 1.0 - prod(1.0 - p for p in probabilities)


PATIENT_MODELS = {"noisy-or": noisy_or}


def patient_summary(lymph_nodes: Iterable[LymphNode], patient_model: str = "noisy-or") -> dict[str, Any]:
    """`patient` of `result.json`: {ece_probability, method, outputs}.

    ``ece_probability`` is absent, never 0, where no lymph node has one: nothing found is not nothing there.
    """
    known = [node.ece_probability for node in lymph_nodes if node.ece_probability is not None]
    if not known:
        return {"method": patient_model, "outputs": {}}
    value = PATIENT_MODELS[patient_model](known)
    return {"ece_probability": value, "method": patient_model, "outputs": {patient_model: value}}
