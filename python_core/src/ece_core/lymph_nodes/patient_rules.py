"""From lymph nodes to the patient: what their ECE probabilities together say, each rule under its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import prod

from ece_core.lymph_nodes.lymph_node import LymphNode

CALLED_FROM = 0.5  # a lymph node counts as one with ENE from this probability on


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


def largest(probabilities: Iterable[float]) -> float:
    """That of the most suspicious lymph node; 0 without any. Max pooling of multiple-instance learning."""
    return max(probabilities, default=0.0)


def ene_count(probabilities: Iterable[float]) -> float:
    """How many lymph nodes have a probability of 0.5 or more: a number of lymph nodes, not a probability."""
    return float(sum(p >= CALLED_FROM for p in probabilities))


@dataclass(frozen=True)
class PatientRule:
    """One way from lymph nodes to the patient.

    Attributes
    ----------
    of
        From the probabilities of the lymph nodes.
    title
        Above the value in a report.
    meaning
        One or two sentences for the reader.
    is_probability
        Only such a rule may give the patient's ECE probability.
    """

    of: Callable[[Iterable[float]], float]
    title: str
    meaning: str
    is_probability: bool = True


PATIENT_RULES = {
    "max": PatientRule(
        largest,
        "Most suspicious lymph node",
        "The largest of the lymph nodes' probabilities. It does not grow with the number of lymph nodes.",
    ),
    "noisy-or": PatientRule(
        noisy_or,
        "Any lymph node (noisy-OR)",
        "Noisy-OR of the lymph nodes: 1 minus the product of (1 − p) over all lymph nodes. It is the probability "
        "that at least one lymph node has ENE if the lymph nodes are taken as independent, and it grows with "
        "their number.",
    ),
    "ene-count": PatientRule(
        ene_count,
        "Lymph nodes with ENE (also ECE)",
        "How many lymph nodes have a probability of ENE (also ECE) of 0.5 or more. A number, not a probability.",
        is_probability=False,
    ),
}
PROBABILITY_RULES = tuple(name for name, rule in PATIENT_RULES.items() if rule.is_probability)


def rule_outputs(lymph_nodes: Sequence[LymphNode]) -> dict[str, float]:
    """What each rule says, by its name; empty where no lymph node has a probability: nothing found is not 0."""
    known = [node.ece_probability for node in lymph_nodes if node.ece_probability is not None]
    return {name: rule.of(known) for name, rule in PATIENT_RULES.items()} if known else {}
