"""A cohort that `ece simulate` wrote: scans whose truth is known exactly. No patients."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ece_core.errors import InputError
from ece_core.io.datasets.case import SPLITS, Case, LymphNodeLabels, Outlines, PathologicENE, PatientLabels
from ece_core.io.datasets.dataset import Dataset
from ece_core.io.datasets.labelmaps import read_on_grid
from ece_core.io.quiet import library_call
from ece_core.io.reading import read_ct
from ece_core.io.scan import Scan

MANIFEST_FILE, TRUTH_FILE, INSTANCES_FILE = "manifest.json", "truth.json", "instances.nii.gz"
SCHEMA = "ece-cohort/1"
COHORT_FIX = "Choose a folder that `ece simulate` wrote to the end."
PATHOLOGY: dict[str, PathologicENE] = {"N": "none", "P": "none", "ENE": "present"}


def load_simulated_cohort(folder: Path | str, *, noisy: bool = False) -> Dataset:
    """One case per simulated patient.

    Parameters
    ----------
    noisy
        Labels as a reader would give them (``noisy_class``), where the cohort was made with label noise.

    Raises
    ------
    InputError
        It is no whole cohort, or has no noisy labels although they are asked for.
    """
    folder = Path(folder)
    manifest = _read(folder / MANIFEST_FILE)
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise InputError("The folder's manifest.json is not that of a simulated cohort.", COHORT_FIX)
    with library_call("The manifest of the cohort is damaged.", COHORT_FIX):
        cases = [_case(folder, str(row["case"]), row.get("split"), noisy) for row in manifest["cases"]]
    return Dataset("Simulated cohort", cases, ["Simulated: figures on it say nothing about patients."])


def _case(folder: Path, name: str, split: str | None, noisy: bool) -> Case:
    if Path(name).name != name:
        raise InputError("The manifest of the cohort names a case outside its folder.", COHORT_FIX)
    truth = _read(folder / name / TRUTH_FILE)
    if noisy and any("noisy_class" not in row for row in truth["lymph_nodes"]):
        raise InputError("The cohort has no noisy labels.", "Simulate it with label noise, or load the truth.")
    ece = bool(truth["patient"]["noisy_ece" if noisy else "ece"])
    grades = [row["iene_grade"] for row in truth["lymph_nodes"] if row.get("iene_grade") is not None]
    image = next((p for p in (folder / name / "ct", folder / name / "ct.nii.gz") if p.exists()), None)
    outlined = (folder / name / INSTANCES_FILE).is_file()
    return Case(
        name,
        name,
        next((known for known in SPLITS if known == split), None),
        PatientLabels("present" if ece else "none", max(grades, default=None)),
        read_scan=None if image is None else partial(read_ct, image),
        read_outlines=partial(_outlines, folder / name / INSTANCES_FILE, truth["lymph_nodes"], noisy)
        if outlined
        else None,
    )


def _outlines(path: Path, truth: Sequence[Mapping[str, Any]], noisy: bool, ct: Scan) -> Outlines:
    with library_call("The truth of a simulated case is damaged.", COHORT_FIX):
        rows = tuple(
            LymphNodeLabels(
                int(row["label"]),
                f"LN{row['label']}",
                row["noisy_class" if noisy else "class"],
                PATHOLOGY[row["noisy_class" if noisy else "class"]],
                row.get("iene_grade"),
            )
            for row in sorted(truth, key=lambda row: row["label"])
        )
    return Outlines(read_on_grid(path, ct), rows)


def _read(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"The simulated cohort has no {path.name}.", COHORT_FIX)
    with library_call(f"{path.name} of the simulated cohort is damaged.", COHORT_FIX):
        return json.loads(path.read_text(encoding="utf-8"))
