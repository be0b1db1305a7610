"""Read a simulated cohort and the results for it, case by case."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ece_core.errors import GeometryError, InputError
from ece_core.evaluation.overlap import Overlap
from ece_core.evaluation.voxels import LabeledVoxels
from ece_core.export.result import Result, read_result
from ece_core.export.seg_nrrd import read_seg_nrrd
from ece_core.io import read_labelmap
from ece_core.lymph_nodes.lymph_node import LymphNode

CASES = "case_*"
CT_NAMES = ("ct.nii.gz", "ct")
TRUTH_FIX = "Make the cohort again with `ece simulate`."


@dataclass(frozen=True, eq=False)
class EvaluatedCase:
    """One case: the truth's rows, the result, and the voxels that they share.

    Attributes
    ----------
    name
        ``"case_0003"``.
    truth
        Row of `truth.json` by label: {label, class, short_axis_mm, ...}.
    patient_ece
        Whether the patient has extranodal extension (ENE, also ECE).
    ct
        The reference's CT, a file or a DICOM folder; None if it holds none.
    """

    name: str
    truth: dict[int, dict]
    patient_ece: bool | None
    result: Result
    overlap: Overlap
    voxels: LabeledVoxels
    ct: Path | None = None

    @cached_property
    def nodes(self) -> dict[int, LymphNode]:
        """Lymph nodes of the result by label."""
        return {node.label: node for node in self.result.lymph_nodes}

    def true_rows(self) -> list[dict]:
        """Rows of the truth in the order of ``overlap.true_labels``."""
        return [self.truth[label] for label in self.overlap.true_labels.tolist()]

    def predicted_nodes(self) -> list[LymphNode | None]:
        """Lymph nodes of the result in the order of ``overlap.predicted_labels``; None: only the map has it."""
        return [self.nodes.get(label) for label in self.overlap.predicted_labels.tolist()]


def read_cases(predictions: Path, reference: Path) -> Iterator[EvaluatedCase]:
    """Every case of the reference with its result, in the order of their names; one in memory at a time.

    Raises
    ------
    InputError
        The reference is no cohort, a case has no result, there are results of other cases, or a file is damaged.
    GeometryError
        A result is not on its case's grid.
    """
    for name in _matched_names(Path(predictions), Path(reference)):
        yield _read_case(name, Path(predictions) / name, Path(reference) / name)


def _matched_names(predictions: Path, reference: Path) -> list[str]:
    true_names = [file.parent.name for file in sorted(reference.glob(f"{CASES}/truth.json"))]
    found = [folder.name for folder in sorted(predictions.glob(CASES)) if folder.is_dir()]
    if not true_names:
        raise InputError(
            "The reference is not a simulated cohort: it has no case_NNNN folder with a truth.json.",
            "Choose a folder that `ece simulate` wrote.",
        )
    missing = [name for name in true_names if name not in found]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(true_names)} cases of the reference have no result: {_listed(missing)}.",
            "Analyze them first, into folders named like the cases.",
        )
    foreign = [name for name in found if name not in true_names]
    if foreign:
        raise InputError(
            f"{len(foreign)} results belong to no case of the reference: {_listed(foreign)}.",
            "Choose the cohort that these results were made from.",
        )
    return true_names


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")


def _read_case(name: str, predicted_folder: Path, true_folder: Path) -> EvaluatedCase:
    truth, patient_ece = _read_truth(name, true_folder / "truth.json")
    result = read_result(predicted_folder)
    true_map = read_labelmap(true_folder / "instances.nii.gz")
    predicted_map, _ = read_seg_nrrd(predicted_folder / "lymph_nodes.seg.nrrd")
    if not true_map.same_grid(predicted_map):
        raise GeometryError(
            f"{name}: the result ({predicted_map.shape} voxels) is not on the grid of the reference "
            f"({true_map.shape} voxels).",
            "Analyze the CT of this cohort again.",
        )
    voxels = LabeledVoxels.of(true_map, predicted_map)
    overlap = Overlap.of(voxels.truth, voxels.predicted)
    if not set(truth) == set(overlap.true_labels.tolist()):
        raise InputError(f"{name}: truth.json and instances.nii.gz list different lymph nodes.", TRUTH_FIX)
    ct = next((true_folder / ct for ct in CT_NAMES if (true_folder / ct).exists()), None)
    return EvaluatedCase(name, truth, patient_ece, result, overlap, voxels, ct)


def _read_truth(name: str, file: Path) -> tuple[dict[int, dict], bool | None]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        rows = {int(row["label"]): row for row in content["lymph_nodes"]}
        for row in rows.values():
            row["class"], row["short_axis_mm"] = str(row["class"]), float(row["short_axis_mm"])
        patient = content.get("patient", {}).get("ece")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{name}: truth.json is damaged.", TRUTH_FIX) from error
    return rows, None if patient is None else bool(patient)
