"""Slicer's segment status in the words of the review, and back. No Slicer needed."""

from __future__ import annotations

from ece_core.export.seg_nrrd import SLICER_STATUS
from ece_core.review.state import ReviewedLymphNode

IN_PROGRESS = "inprogress"


def slicer_status(row: ReviewedLymphNode) -> str:
    """``"notstarted"``, ``"inprogress"``, ``"completed"`` or ``"flagged"``.

    In progress: edited and not judged, so that something is left to do. Slicer has no "rejected": a tag of ours says
    whether what is completed was accepted or rejected.
    """
    if row.status == "new" and row.out_of_date:
        return IN_PROGRESS
    return SLICER_STATUS[row.status]


def status_from_slicer(status: str, row: ReviewedLymphNode) -> str:
    """The status after the user chose one in Slicer's own segment table.

    "Completed" there is accepted, unless the row is rejected already, which is completed too.
    """
    if status == slicer_status(row):
        return row.status
    return {"completed": "accepted", "flagged": "flagged"}.get(status, "new")
