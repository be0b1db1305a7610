"""Read what is true of each case, and the result for it: of a simulated cohort, or of anybody's data set."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ece_core.errors import GeometryError, InputError
from ece_core.evaluation.overlap import Overlap
from ece_core.evaluation.voxels import LabeledVoxels
from ece_core.export.result import Result, read_result
from ece_core.export.seg_nrrd import read_seg_nrrd
from ece_core.geometry import Volume
from ece_core.io import read_ct, read_labelmap
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.lymph_nodes.measures import short_axis_mm

if TYPE_CHECKING:
    from ece_core.io.datasets import Dataset

CASES = "case_*"
CT_NAMES = ("ct.nii.gz", "ct")
RESULT_FILES = ("result.json", "lymph_nodes.seg.nrrd")
TRUTH_FIX = "Make the cohort again with `ece simulate`."
UNKNOWN_CLASS = "unknown"  # of a lymph node of which the data set does not say what it is


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true of a case.

    Attributes
    ----------
    rows
        By label {label, class, short_axis_mm, ...}; "class" is N, P, ENE or ``UNKNOWN_CLASS``.
    instances
        (K, J, I), one label per lymph node.
    patient_ece
        Whether the patient has extranodal extension (ENE, also ECE); None: unknown.
    read_ct
        Reads the CT; None if there is none.
    """

    rows: dict[int, dict]
    instances: Volume
    patient_ece: bool | None = None
    read_ct: Callable[[], Volume] | None = None


@dataclass(frozen=True, eq=False)
class EvaluatedCase:
    """One case: the truth's rows, the result, and the voxels that they share.

    Attributes
    ----------
    name
        ``"case_0003"``.
    truth, patient_ece, read_ct
        See :class:`Truth`.
    """

    name: str
    truth: dict[int, dict]
    patient_ece: bool | None
    result: Result
    overlap: Overlap
    voxels: LabeledVoxels
    read_ct: Callable[[], Volume] | None = None

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
    """Every case of a simulated cohort with its result, in the order of their names; one in memory at a time.

    Raises
    ------
    InputError
        The reference is no cohort, a case has no result, there are results of other cases, or a file is damaged.
    GeometryError
        A result is not on its case's grid.
    """
    predictions, reference = Path(predictions), Path(reference)
    names = [file.parent.name for file in sorted(reference.glob(f"{CASES}/truth.json"))]
    if not names:
        raise InputError(
            "The reference is not a simulated cohort: it has no case_NNNN folder with a truth.json.",
            "Choose a folder that `ece simulate` wrote.",
        )
    _expect_results(predictions, names)
    for name in names:
        yield _evaluated(name, predictions / name, _simulated_truth(name, reference / name))


def read_dataset_cases(predictions: Path, dataset: Dataset) -> Iterator[EvaluatedCase]:
    """The same of a data set's cases with outlined lymph nodes; folders of results are named like its cases.

    Short axes are our measure of the outlines, as there is no other truth.

    Raises
    ------
    InputError
        No lymph node is outlined anywhere, a case has no result, or a file is damaged.
    GeometryError
        A result is not on its case's grid.
    """
    predictions = Path(predictions)
    names = [case.case_id for case in dataset if case.has_ct and case.has_outlines]
    if not names:
        raise InputError(
            "The reference has no case with a CT and outlines.", "Choose a data set with outlined lymph nodes."
        )
    _expect_results(predictions, names)
    outlined = 0
    for name in names:
        truth = _outlined_truth(dataset, name)
        if truth is not None:
            outlined += 1
            yield _evaluated(name, predictions / name, truth)
    if not outlined:
        raise InputError(
            "No case of the reference has outlined lymph nodes.",
            "Name their outlines as docs/datasets.md says, or choose another data set.",
        )


def _expect_results(predictions: Path, names: list[str]) -> None:
    """A result for each of these cases, and none of others."""
    found = sorted({file.parent.name for file in predictions.glob("*/*") if file.name in RESULT_FILES})
    missing = [name for name in names if name not in found]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(names)} cases of the reference have no result: {_listed(missing)}.",
            "Analyze them first, into folders named like the cases.",
        )
    foreign = [name for name in found if name not in names]
    if foreign:
        raise InputError(
            f"{len(foreign)} results belong to no case of the reference: {_listed(foreign)}.",
            "Choose the cohort that these results were made from.",
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")


def _evaluated(name: str, folder: Path, truth: Truth) -> EvaluatedCase:
    result = read_result(folder)
    predicted_map, _ = read_seg_nrrd(folder / RESULT_FILES[1])
    if not truth.instances.same_grid(predicted_map):
        raise GeometryError(
            f"{name}: the result ({predicted_map.shape} voxels) is not on the grid of the reference "
            f"({truth.instances.shape} voxels).",
            "Analyze the CT of this cohort again.",
        )
    voxels = LabeledVoxels.of(truth.instances, predicted_map)
    overlap = Overlap.of(voxels.truth, voxels.predicted)
    if not set(truth.rows) == set(overlap.true_labels.tolist()):
        raise InputError(f"{name}: truth.json and instances.nii.gz list different lymph nodes.", TRUTH_FIX)
    return EvaluatedCase(name, truth.rows, truth.patient_ece, result, overlap, voxels, truth.read_ct)


def _simulated_truth(name: str, folder: Path) -> Truth:
    rows, patient_ece = _read_truth(name, folder / "truth.json")
    ct = next((folder / ct for ct in CT_NAMES if (folder / ct).exists()), None)
    instances = read_labelmap(folder / "instances.nii.gz")
    return Truth(rows, instances, patient_ece, None if ct is None else lambda: read_ct(ct).volume)


def _outlined_truth(dataset: Dataset, name: str) -> Truth | None:
    """None where nobody outlined lymph nodes, which does not say that there are none."""
    case = dataset.case(name)
    instances = case.outlines.instances
    if instances is None:
        return None
    rows = {}
    for node in case.outlines.lymph_nodes:
        start, stop = instances.label_box(node.label) or ((0, 0, 0), (0, 0, 0))
        box = instances.crop(start, stop)
        mask = box.with_array(box.array == node.label)
        rows[node.label] = {
            "label": node.label,
            "class": node.class_name or UNKNOWN_CLASS,
            "short_axis_mm": short_axis_mm(mask),
        }
    return Truth(rows, instances, case.labels.has_pene, lambda: dataset.case(name).ct.volume)  # read again: memory


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
