"""Which rows the table shows and in which order: filters, sorting by number, next and previous suspicious."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ece_core.classes import CLASS_TITLES
from ece_core.lymph_nodes.patient_rules import CALLED_FROM
from ece_core.review.state import ReviewedLymphNode

RISKS = ("low", "moderate", "high")
_STATUS_ORDER = ("flagged", "new", "accepted", "rejected")


@dataclass(frozen=True)
class Filter:
    """Which lymph nodes are listed.

    Attributes
    ----------
    text
        Every word of it must occur in id, side, level, class, comment or reviewer; case does not count.
    statuses
        Only these; empty: all.
    least, most
        Range of the ECE probability, 0 to 1. A lymph node without one (not evaluable, not classified since its edit)
        is listed whatever the range: it may be the one to look at.
    """

    text: str = ""
    statuses: frozenset[str] = frozenset()
    least: float = 0.0
    most: float = 1.0

    def takes(self, row: ReviewedLymphNode) -> bool:
        probability = row.lymph_node.ece_probability
        in_range = probability is None or self.least <= probability <= self.most
        has_status = not self.statuses or row.status in self.statuses
        words = _searched(row)
        return in_range and has_status and all(word in words for word in self.text.lower().split())


def _place(row: ReviewedLymphNode) -> tuple[str, str] | None:
    side, level = row.lymph_node.side, row.lymph_node.level
    return (side, level or "") if side else None


def _contour(row: ReviewedLymphNode) -> Any:
    quality = row.lymph_node.contour_quality or {}
    if quality.get("risk") not in RISKS:
        return None
    return RISKS.index(quality["risk"]), -(quality.get("score") or 0.0)


SORT_KEYS: dict[str, Callable[[ReviewedLymphNode], Any]] = {
    "visible": lambda row: row.visible,
    "id": lambda row: row.label,
    "place": _place,
    "short_axis": lambda row: row.lymph_node.short_axis_mm,
    "volume": lambda row: row.lymph_node.volume_mm3,
    "class": lambda row: list(CLASS_TITLES).index(row.lymph_node.class_name),
    "probability": lambda row: row.lymph_node.ece_probability,
    "contour": _contour,
    "status": lambda row: _STATUS_ORDER.index(row.status),
    "comment": lambda row: row.comment.lower() or None,
}
NUMBERS = {"short_axis", "volume", "probability", "contour", "visible"}  # their first click lists the largest first


def listed(
    rows: Sequence[ReviewedLymphNode],
    wanted: Filter | None = None,
    column: str = "probability",
    descending: bool = True,
) -> list[ReviewedLymphNode]:
    """The rows that the filter takes, by value and not by text; what was not computed comes last either way.

    Parameters
    ----------
    column
        One of SORT_KEYS. Equal rows stay in the order of their labels.
    """
    key = SORT_KEYS[column]
    taken = sorted((row for row in rows if wanted is None or wanted.takes(row)), key=lambda row: row.label)
    known = [row for row in taken if key(row) is not None]
    unknown = [row for row in taken if key(row) is None]
    return sorted(known, key=key, reverse=descending) + unknown


def is_suspicious(row: ReviewedLymphNode) -> bool:
    """ECE probability 0.5 or more (of the earlier outline, where the present one was not classified yet), or not
    evaluable though metastatic; a rejected one is done with."""
    if row.status == "rejected":
        return False
    lymph_node = row.lymph_node
    if lymph_node.not_evaluable:
        return lymph_node.class_name != "N"
    value = row.former_ece_probability if row.out_of_date else lymph_node.ece_probability
    return value is not None and value >= CALLED_FROM


def suspicious_beside(rows: Sequence[ReviewedLymphNode], current: str | None, step: int) -> ReviewedLymphNode | None:
    """The next (``step`` 1) or previous (-1) suspicious row in the order of the table, round the end; None: there is
    none. From no row, or one that is not listed, the first or the last."""
    if step not in (1, -1):
        raise ValueError(f"step must be 1 or -1, got {step}")
    ids = [row.id for row in rows]
    at = ids.index(current) if current in ids else (-1 if step == 1 else len(rows))
    around = [rows[(at + step * distance) % len(rows)] for distance in range(1, len(rows) + 1)] if rows else []
    return next((row for row in around if is_suspicious(row)), None)


def _searched(row: ReviewedLymphNode) -> str:
    lymph_node = row.lymph_node
    parts = (row.id, lymph_node.side, lymph_node.level, lymph_node.class_name, row.comment, row.reviewer)
    return " ".join([part for part in parts if part] + [CLASS_TITLES[lymph_node.class_name]]).lower()
