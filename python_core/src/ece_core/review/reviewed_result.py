"""A result as the reader left it: the lymph nodes that were chosen for export, their outlines, and what to know."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ece_core.export.result import Result
from ece_core.geometry import Volume
from ece_core.review.state import ReviewedLymphNode, ReviewState

ACCEPTED, NOT_REJECTED = "accepted", "not-rejected"
CHOICES = {ACCEPTED: "accepted lymph nodes", NOT_REJECTED: "all lymph nodes that were not rejected"}


@dataclass(frozen=True, eq=False)
class ReviewedResult:
    """What is exported of a review.

    Attributes
    ----------
    result
        The AI's, with the chosen lymph nodes as they were reviewed, and warnings that say what was done to it.
    instances
        (K, J, I) uint16 on the CT grid: the outlines of exactly these lymph nodes.
    rows
        The same lymph nodes as the review holds them.
    listed
        How many lymph nodes the review lists.
    empty
        Ids that were chosen and left out, because no voxel of the scan is theirs.
    """

    result: Result
    instances: Volume
    rows: tuple[ReviewedLymphNode, ...]
    listed: int
    empty: tuple[str, ...] = ()

    @property
    def out_of_date(self) -> tuple[str, ...]:
        """Ids of those that were edited and not classified since."""
        return tuple(row.id for row in self.rows if row.out_of_date)

    @property
    def redrawn(self) -> tuple[str, ...]:
        """Ids of those whose outline is not the one that the heatmaps were made of."""
        return tuple(row.id for row in self.rows if row.out_of_date or row.former_ece_probability is not None)


def reviewed_result(
    result: Result, state: ReviewState, affine: np.ndarray, choice: str = ACCEPTED
) -> ReviewedResult:
    """The lymph nodes that the reader accepted, or all that were not rejected, as one result.

    The patient's ECE probability stays the AI's, and a warning says so: no action of a reader changes it.

    Parameters
    ----------
    result
        The AI's, that the review is about.
    affine
        Of the CT, (4, 4): voxel (i, j, k) to LPS mm.
    choice
        One of CHOICES.
    """
    if choice not in CHOICES:
        raise ValueError(f"choice must be one of {sorted(CHOICES)}, got {choice!r}")
    chosen = [row for row in state.lymph_nodes if _is_chosen(row, choice)]
    rows = tuple(row for row in chosen if row.outline.voxels)
    array = np.zeros(state.grid_kji, np.uint16)
    for row in rows:
        row.outline.paint(array, row.label)
    found = ReviewedResult(result, Volume(array, affine), rows, len(state.lymph_nodes),
                           tuple(row.id for row in chosen if not row.outline.voxels))  # fmt: skip
    notes = _notes(found, state, choice)
    nodes = tuple(row.for_export() for row in rows)
    return replace(found, result=replace(result, lymph_nodes=nodes, warnings=(*result.warnings, *notes)))


def _is_chosen(row: ReviewedLymphNode, choice: str) -> bool:
    return row.status == "accepted" or (choice == NOT_REJECTED and row.status != "rejected")


def _notes(found: ReviewedResult, state: ReviewState, choice: str) -> list[str]:
    """What a reader of the export must know; it stands among the warnings."""
    notes = [f"Reviewed by a reader: {CHOICES[choice]} only ({len(found.rows)} of {found.listed})."]
    if found.result.patient.get("ece_probability") is not None:
        notes.append("The patient's ECE probability is the AI's, of all that it found before the review.")
    if state.final_call is not None:
        notes.append(f"The reader's final call of the patient: {state.final_call.words}.")
    if found.out_of_date:
        notes.append(f"Edited and not classified since, hence without an ECE probability: {_list(found.out_of_date)}.")
    if found.redrawn and found.result.heatmaps:
        notes.append(f"No heatmaps: they show former outlines of {_list(found.redrawn)}.")
    return notes


def _list(ids: tuple[str, ...]) -> str:
    return ", ".join(ids)
