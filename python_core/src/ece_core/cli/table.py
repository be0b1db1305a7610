"""A result in words: the table of lymph nodes, the patient, the warnings."""

from __future__ import annotations

from collections.abc import Sequence

from ece_core.export.result import Result
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.lymph_nodes.patient_rules import PATIENT_RULES

NOT_COMPUTED = "-"
_HEADINGS = ("Lymph node", "Side", "Level", "Class", "ECE probability", "Short axis", "Volume", "Certainty", "Remarks")


def result_text(result: Result) -> str:
    """The table (most suspicious first), the patient's probability and the warnings."""
    lines = [lymph_node_table(result.lymph_nodes), "", _patient_line(result)]
    lines += [f"Warning: {warning}" for warning in result.warnings]
    return "\n".join(lines)


def lymph_node_table(lymph_nodes: Sequence[LymphNode]) -> str:
    """One line per lymph node, sorted by ECE probability, those without one last."""
    if not lymph_nodes:
        return "No lymph node was found."
    ordered = sorted(lymph_nodes, key=lambda node: -1.0 if node.ece_probability is None else node.ece_probability)
    return columns([_HEADINGS, *(_row(lymph_node) for lymph_node in reversed(ordered))])


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text, aligned; a line under the first."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _row(node: LymphNode) -> tuple[str, ...]:
    return (
        node.id,
        node.side or NOT_COMPUTED,
        node.level or NOT_COMPUTED,
        node.class_name,
        "not evaluable" if node.not_evaluable else _number(node.ece_probability, ".2f"),
        _number(node.short_axis_mm, ".1f", " mm"),
        _number(None if node.volume_mm3 is None else node.volume_mm3 / 1000, ".2f", " ml"),
        node.certainty or NOT_COMPUTED,
        "; ".join(node.flags),
    )


def _patient_line(result: Result) -> str:
    probability = result.patient.get("ece_probability")
    if probability is None:
        return "Patient: no ECE probability."
    method = result.patient.get("method", NOT_COMPUTED)
    judged = sum(node.ece_probability is not None for node in result.lymph_nodes)
    source = f"{method} of {judged} lymph nodes" if method in PATIENT_RULES else method
    return f"Patient: ECE probability {probability:.2f} ({source}){_others(result)}."


def _others(result: Result) -> str:
    """What the other rules and networks say."""
    method, outputs = result.patient.get("method"), result.patient.get("outputs", {})
    others = [f"{name} {value:.3g}" for name, value in outputs.items() if name != method]
    return f"; {', '.join(others)}" if others else ""


def _number(value: float | None, form: str, unit: str = "") -> str:
    return NOT_COMPUTED if value is None else f"{value:{form}}{unit}"
