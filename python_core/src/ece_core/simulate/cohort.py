"""Cohorts on disk: `ece simulate OUT` (layout in the design document, section 5)."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ece_core import RESEARCH_USE_ONLY
from ece_core.errors import InputError
from ece_core.io import write_ct_series, write_image
from ece_core.simulate.case import simulate_case
from ece_core.simulate.population import DIFFICULTIES
from ece_core.simulate.truth import auc


def simulate_cohort(
    out: Path, cases: int, seed: int, difficulty: str = "medium", as_: str = "dicom", jobs: int = 1, report=None
) -> dict:
    """Write a cohort and its manifest; return the manifest.

    Parameters
    ----------
    as_
        ``"dicom"`` (``ct/`` holds a series) or ``"nifti"`` (``ct.nii.gz``).
    jobs
        Cases simulated at the same time.
    report
        Called with (stage, fraction) after each case.

    Raises
    ------
    InputError
        ``out`` exists and is not empty, or an option is not one of those above.
    """
    out = Path(out)
    if as_ not in ("dicom", "nifti"):
        raise InputError(f"A cohort cannot be written as {as_!r}.", "Choose dicom or nifti.")
    if difficulty not in DIFFICULTIES:
        raise InputError(f"There is no difficulty named {difficulty!r}.", f"Choose one of {', '.join(DIFFICULTIES)}.")
    if cases < 1:
        raise InputError(f"A cohort of {cases} cases was asked for.", "Ask for at least 1.")
    if out.exists() and any(out.iterdir()):
        raise InputError("The folder for the cohort is not empty.", "Choose a new folder; nothing was written.")
    out.mkdir(parents=True, exist_ok=True)
    arguments = [(out, seed, number, difficulty, as_) for number in range(cases)]
    rows: list[dict] = []
    for row in _run(arguments, jobs):
        rows.append(row)
        if report is not None:
            report("simulate", len(rows) / cases)
    manifest = _manifest(rows, seed, difficulty)
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2))
    return manifest


def _run(arguments: list[tuple], jobs: int):
    if jobs == 1:
        yield from (write_case(*a) for a in arguments)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(write_case, *zip(*arguments, strict=True))


def write_case(out: Path, seed: int, number: int, difficulty: str, as_: str) -> dict:
    """Write ``case_NNNN`` and return what the manifest says of it."""
    case = simulate_case(seed, number, difficulty)
    simulation, truth = case.simulation, case.truth
    folder = out / f"case_{number:04d}"
    folder.mkdir()
    if as_ == "dicom":
        write_ct_series(simulation.ct, folder / "ct", seed=seed * 100_000 + number)
    else:
        write_image(simulation.ct, folder / "ct.nii.gz")
    write_image(simulation.classes, folder / "classes.nii.gz")
    write_image(simulation.instances, folder / "instances.nii.gz")
    patient_truth = {"ece": any(row["class"] == "ENE" for row in truth)}
    (folder / "truth.json").write_text(json.dumps({"lymph_nodes": truth, "patient": patient_truth}, indent=1))
    split = ("train", "validation", "test")[int(np.random.default_rng((seed, number, 9)).choice(3, p=(0.7, 0.1, 0.2)))]
    return {"case": folder.name, "split": split, "scanner": asdict(case.scanner), "truth": truth}


def _manifest(rows: list[dict], seed: int, difficulty: str) -> dict:
    lymph_nodes = [node for row in rows for node in row["truth"]]
    ene = np.array([node["class"] == "ENE" for node in lymph_nodes if node["class"] != "N"])

    def baseline(key: str) -> float | None:
        return auc(np.array([node[key] for node in lymph_nodes if node["class"] != "N"]), ene)

    return {
        "schema": "ece-cohort/1",
        "seed": seed,
        "difficulty": difficulty,
        "cases": [{key: row[key] for key in ("case", "split", "scanner")} for row in rows],
        "baselines": {
            "size_auc_p_vs_ene": baseline("short_axis_mm"),
            "mean_hu_auc_p_vs_ene": baseline("mean_hu"),
        },
        "note": f"Simulated, no patient. {RESEARCH_USE_ONLY}",
    }

