"""`patient` of `result.json`: what each rule and each patient-level network says, and which of them is the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.lymph_nodes.patient_rules import PROBABILITY_RULES, rule_outputs

NOTHING_FOUND = (
    "No lymph node was found. This does not mean that there is none: "
    "the patient has no ECE probability. Look at the scan yourself."
)
PATIENT_MODELS = PROBABILITY_RULES
# First of the rules on unseen simulated patients; docs/evaluation.md has the figures and the reason.
DEFAULT_PATIENT_MODEL = "max"


def patient_summary(
    lymph_nodes: Sequence[LymphNode],
    patient_model: str = DEFAULT_PATIENT_MODEL,
    networks: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """{ece_probability, method, outputs, not_evaluable}.

    Parameters
    ----------
    patient_model
        Whose output is the patient's ``ece_probability``: one of PATIENT_MODELS, or a name in ``networks``.
    networks
        Probabilities that patient-level networks gave, by name.

    Returns
    -------
    dict
        ``outputs``: what every rule and network said, side by side. ``ece_probability`` is absent, never 0, where the
        method has no output: nothing found is not nothing there. ``not_evaluable``: how many lymph nodes no rule could
        take into account; absent if none.
    """
    outputs = {**rule_outputs(lymph_nodes), **(networks or {})}
    summary: dict[str, Any] = {"method": patient_model, "outputs": outputs}
    if patient_model in outputs:
        summary = {"ece_probability": outputs[patient_model], **summary}
    left_out = sum(bool(node.not_evaluable) for node in lymph_nodes)
    return {**summary, "not_evaluable": left_out} if left_out else summary


def left_out_warning(lymph_nodes: Sequence[LymphNode]) -> str | None:
    """For the reader: how many lymph nodes the patient's probability leaves out; None if none."""
    left_out = [node for node in lymph_nodes if node.not_evaluable]
    if not left_out:
        return None
    names = ", ".join(node.id for node in left_out[:8]) + (" ..." if len(left_out) > 8 else "")
    have, them = ("lymph node has", "it") if len(left_out) == 1 else ("lymph nodes have", "them")
    return (
        f"{len(left_out)} {have} no ECE probability ({names}): not evaluable. The patient's probability leaves {them} "
        f"out; judge {them} yourself."
    )
