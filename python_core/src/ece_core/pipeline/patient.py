"""`patient` of `result.json`: what each rule and each patient-level network says, and which of them is the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.lymph_nodes.patient_networks import PATIENT_NETWORKS
from ece_core.lymph_nodes.patient_rules import PROBABILITY_RULES, rule_outputs

NOTHING_FOUND = (
    "No lymph node was found. This does not mean that there is none: "
    "the patient has no ECE probability. Look at the scan yourself."
)
NO_NETWORK = "none"  # the default rule answers, and no network that judges the patient as a whole is asked
PATIENT_MODELS = (*PROBABILITY_RULES, *PATIENT_NETWORKS, NO_NETWORK)
# First of them all on unseen simulated patients; docs/evaluation.md has the figures and the reason.
DEFAULT_PATIENT_MODEL = "max"


def patient_summary(
    lymph_nodes: Sequence[LymphNode],
    patient_model: str = DEFAULT_PATIENT_MODEL,
    networks: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """{ece_probability, method, outputs, boxes, not_evaluable}.

    Parameters
    ----------
    patient_model
        Whose output is the patient's ``ece_probability``: one of PATIENT_MODELS.
    networks
        By name, what patient-level networks said: {ece_probability, box}, the latter from those that chose one.

    Returns
    -------
    dict
        ``outputs``: what every rule and network said, side by side. ``ece_probability`` is absent, never 0, where the
        method has no output: nothing found is not nothing there. ``boxes``: where networks looked, by name; absent if
        none has one. ``not_evaluable``: how many lymph nodes no rule could take into account; absent if none.
    """
    networks = networks or {}
    outputs = {**rule_outputs(lymph_nodes), **{name: said["ece_probability"] for name, said in networks.items()}}
    method = DEFAULT_PATIENT_MODEL if patient_model == NO_NETWORK else patient_model
    summary: dict[str, Any] = {"method": method, "outputs": outputs}
    if method in outputs:
        summary = {"ece_probability": outputs[method], **summary}
    boxes = {name: said["box"] for name, said in networks.items() if "box" in said}
    if boxes:
        summary["boxes"] = boxes
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
