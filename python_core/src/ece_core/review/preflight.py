"""What is looked at before a reviewed result is exported: what is there, what is missing, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ece_core.errors import ECEError, InputError
from ece_core.export.result import Result
from ece_core.export.terminology import CERVICAL_LYMPH_NODE, CLASSES, region
from ece_core.review.reviewed_result import ReviewedResult

if TYPE_CHECKING:
    from pydicom import Dataset

FORMATS = {"seg": "DICOM SEG", "sr": "DICOM SR", "csv": "table (CSV)", "html": "report (HTML)"}
DICOM = ("seg", "sr")
OK, WARNING, MISSING = "ok", "warning", "missing"
NOT_AT_HAND = (
    "The DICOM series of the scan is not at hand.",
    "Choose the scan, loaded from the DICOM database, as input volume, or open the result from its folder.",
)
NOT_DICOM_FIX = "Load the series through the DICOM module and analyze that. The table and the report can be exported."


@dataclass(frozen=True)
class Check:
    """One line of the list.

    Attributes
    ----------
    name
        What was looked at.
    state
        ``"ok"``; ``"warning"``: exported all the same; ``"missing"``: ``formats`` cannot be written.
    found
        What is there, or not.
    fix
        How to mend it; empty where nothing is to be mended.
    formats
        Names of FORMATS that it is about.
    """

    name: str
    state: str
    found: str
    fix: str = ""
    formats: tuple[str, ...] = tuple(FORMATS)


@dataclass(frozen=True, eq=False)
class ExportPlan:
    """What would be exported, and what was looked at.

    Attributes
    ----------
    headers
        Of the CT's slices in the order of k; empty: no DICOM object can be written.
    """

    reviewed: ReviewedResult
    headers: tuple[Dataset, ...]
    checks: tuple[Check, ...]

    def reason_not(self, name: str) -> str:
        """Why this format cannot be written, with how to mend it; empty: it can."""
        wrong = [check for check in self.checks if check.state == MISSING and name in check.formats]
        return f"{wrong[0].found} {wrong[0].fix}".strip() if wrong else ""

    @property
    def possible(self) -> tuple[str, ...]:
        return tuple(name for name in FORMATS if not self.reason_not(name))


def plan_export(reviewed: ReviewedResult, sources: Sequence[Callable[[], Sequence[Dataset]]] = ()) -> ExportPlan:
    """Look at everything that an export needs.

    Parameters
    ----------
    sources
        Ways to the headers of the CT's slices, tried in this order; each returns them or raises an ECEError. Not asked
        for a result whose scan was not DICOM.
    """
    headers, reference = _reference(reviewed.result, sources)
    checks = (_chosen(reviewed), reference, _terminology(reviewed), _algorithm(reviewed), _empty(reviewed),
              _out_of_date(reviewed))  # fmt: skip
    return ExportPlan(reviewed, headers, tuple(check for check in checks if check is not None))


def folder_source(folder: Path | str, result: Result) -> Callable[[], Sequence[Dataset]]:
    """The slices as the result folder knows them; ``result`` is the AI's own."""

    def headers() -> Sequence[Dataset]:
        from ece_core.export.dicom_source import source_headers

        try:
            return source_headers(Path(folder), result)
        except InputError as error:
            raise InputError(*NOT_AT_HAND) from error

    return headers


def files_source(files: Sequence[Path | str], result: Result) -> Callable[[], Sequence[Dataset]]:
    """The slices' own files, such as those of the DICOM database; one per slice, in any order."""

    def headers() -> Sequence[Dataset]:
        from ece_core.export.dicom_source import headers_of_files

        return headers_of_files(files, result)

    return headers


def _chosen(reviewed: ReviewedResult) -> Check:
    count = len(reviewed.rows)
    if count:
        return Check("Lymph nodes", OK, f"{count} of {reviewed.listed} are exported.")
    return Check("Lymph nodes", MISSING, "No lymph node is accepted." if reviewed.listed else "There is none.",
                 "Accept those that are right (key A in the table), or choose all that were not rejected."
                 if reviewed.listed else "Add one, or export the result folder as it is.")  # fmt: skip


def _reference(result: Result, sources: Sequence[Callable[[], Sequence[Dataset]]]) -> tuple[tuple[Dataset, ...], Check]:
    name, kind = "Reference series", str(result.input.get("format", "")).upper()
    if result.input.get("format") != "dicom":
        words = f"The scan was not DICOM ({kind})." if kind else "The scan was not DICOM."
        return (), Check(name, MISSING, words, NOT_DICOM_FIX, DICOM)
    problems = []
    for source in sources:
        try:
            headers = tuple(source())
        except ECEError as error:
            problems.append((error.problem, error.fix))
            continue
        return headers, Check(name, OK, f"{len(headers)} slices; the export joins their study.")
    return (), Check(name, MISSING, *(problems or [NOT_AT_HAND])[0], DICOM)


def _terminology(reviewed: ReviewedResult) -> Check | None:
    if not reviewed.rows:
        return None
    nodes = [row.lymph_node for row in reviewed.rows]
    unknown = [node.id for node in nodes if node.class_name not in CLASSES]
    if unknown:
        return Check("Terminology", MISSING, f"There is no code for the class of {', '.join(unknown)}.",
                     "Re-classify them with a model of this version.", DICOM)  # fmt: skip
    coarse = [node.id for node in nodes if node.level and region(node) == CERVICAL_LYMPH_NODE]
    unplaced = [node.id for node in nodes if not node.level]
    if unplaced:
        return Check("Terminology", WARNING, f"The neck level of {', '.join(unplaced)} is not known: coded as cervical "
                     "lymph node.", "Nothing needs to be done; the outline shows the place.", DICOM)  # fmt: skip
    note = f" ({', '.join(coarse)} as cervical lymph node: their level has no code of its own)" if coarse else ""
    return Check("Terminology", OK, f"SNOMED CT codes for all{note}.", "", DICOM)


def _algorithm(reviewed: ReviewedResult) -> Check | None:
    """A segment that a program drew must name it with its version; one that was drawn by hand must not."""
    if all(row.lymph_node.source == "MANUAL" for row in reviewed.rows):
        return Check("Algorithm", OK, "None: all outlines were drawn by hand.", "", DICOM) if reviewed.rows else None
    model = next((m for m in reviewed.result.models if "segmentation" in str(m.get("task"))), {})
    if model.get("name") and model.get("version"):
        return Check("Algorithm", OK, f"ECEDetector {model['name']} {model['version']}.", "", DICOM)
    return Check("Algorithm", WARNING, "The result does not say which network drew the outlines: the export names "
                 "ECEDetector alone.", "Analyze the scan again to have it named.", DICOM)  # fmt: skip


def _empty(reviewed: ReviewedResult) -> Check | None:
    if not reviewed.empty:
        return None
    return Check("Empty segments", WARNING, f"Skipped, because they hold no voxel: {', '.join(reviewed.empty)}.",
                 "Paint them again, or delete them.")  # fmt: skip


def _out_of_date(reviewed: ReviewedResult) -> Check | None:
    ids = reviewed.out_of_date
    if not ids:
        return None
    return Check("Edited", WARNING,
                 f"ECE out of date in {', '.join(ids)}: exported without an ECE probability, and flagged.",
                 "Re-classify them first to export one.")  # fmt: skip
