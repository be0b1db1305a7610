"""Writes plans_of_nnunetv2_2.8.1.json: what nnU-Net's own planner makes of made-up fingerprints.

Run it where nnunetv2 is installed (pip install nnunetv2==2.8.1): python write_plans.py. Last run 2026-11-21.
"""

import json
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

ROOT = Path(tempfile.mkdtemp())
for place in ("raw", "preprocessed", "results"):
    (ROOT / place).mkdir()
    os.environ[f"nnUNet_{place}"] = str(ROOT / place)

import torch  # noqa: E402
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import (  # noqa: E402
    ExperimentPlanner,
)

# Spacing k and in plane (mm), size k and in plane, cases, memory (GB), outputs, spread (log-normal).
CHOSEN = [
    (1.25, 0.49, 200, 512, 11, 8, 4, 0.15), (1.25, 0.49, 200, 512, 9, 24, 3, 0.15),
    (3, 0.49, 80, 512, 12, 8, 2, 0.15), (5, 0.7, 40, 512, 14, 8, 4, 0.3), (10, 1.5, 10, 230, 12, 8, 4, 0.3),
    (1.5, 1.5, 120, 130, 6, 8, 4, 0), (1, 1, 36, 50, 14, 8, 3, 0.15), (2.5, 0.98, 120, 512, 8, 11, 4, 0.15),
    (0.5, 0.9, 300, 300, 9, 8, 4, 0.15), (1, 1, 300, 300, 5, 2, 4, 0), (3, 3, 40, 40, 4, 40, 2, 0.15),
    (1.5, 0.8, 150, 400, 14, 8, 4, 0.15), (5, 0.45, 5, 512, 10, 8, 4, 0.15),
]  # fmt: skip


def fingerprints(drawn: int = 23) -> list[dict]:
    rng = np.random.default_rng(7)
    rows = list(CHOSEN)
    for _ in range(drawn):
        coarse, fine = np.exp(rng.uniform(np.log((0.5, 0.3)), np.log((8, 2.5))))
        sizes = int(rng.uniform(8, 400)), int(rng.uniform(60, 600))
        memory = float(rng.choice([2, 4, 8, 8, 11, 24, 40]))
        rows.append((coarse, fine, *sizes, int(rng.integers(3, 15)), memory, int(rng.integers(2, 5)),
                     float(rng.choice([0, 0.1, 0.3]))))  # fmt: skip
    return [fingerprint(rng, *row) for row in rows]


def fingerprint(rng, coarse, fine, slices, pixels, cases, memory_gb, outputs, spread) -> dict:
    factors = np.exp(rng.normal(0, spread, (cases, 5)))
    spacings = [[round(coarse * a, 4), round(fine * b, 4), round(fine * b, 4)] for a, b, *_ in factors]
    sizes = [[max(2, int(n * f)) for n, f in zip((slices, pixels, pixels), row[2:], strict=True)] for row in factors]
    times = int(rng.choice([1, 25]))  # each case so often: batches grow only where there are many
    return {"spacings": spacings, "sizes": sizes, "times": times, "memory_gb": memory_gb, "outputs": outputs}


def nnunet_plan(number: int, row: dict) -> dict:
    name = f"Dataset{number:03d}_MadeUp"
    raw, cases = ROOT / "raw" / name, len(row["sizes"]) * row["times"]
    for folder in (raw / "imagesTr", raw / "labelsTr", ROOT / "preprocessed" / name):
        folder.mkdir(parents=True)
    for case in range(cases):
        (raw / "imagesTr" / f"c{case}_0000.nii.gz").touch()
        (raw / "labelsTr" / f"c{case}.nii.gz").touch()
    labels = {"background": 0, **{f"label{n}": n for n in range(1, row["outputs"])}}
    about = {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": cases, "file_ending": ".nii.gz",
             "overwrite_image_reader_writer": "SimpleITKIO"}  # fmt: skip
    (raw / "dataset.json").write_text(json.dumps(about))
    seen = {"spacings": row["spacings"] * row["times"], "shapes_after_crop": row["sizes"] * row["times"],
            "median_relative_size_after_cropping": 1.0, "foreground_intensity_properties_per_channel": {}}  # fmt: skip
    (ROOT / "preprocessed" / name / "dataset_fingerprint.json").write_text(json.dumps(seen))
    with torch.device("meta"):  # it builds a network per step to count feature maps; weights are not needed
        plans = ExperimentPlanner(number, row["memory_gb"]).plan_experiment()
    found = plans["configurations"]
    stages = {key: stage(found[key]) for key in ("3d_lowres", "3d_fullres") if key in found}
    return {"transpose_backward": plans["transpose_backward"], **stages}


def stage(found: dict) -> dict:
    network = found["architecture"]["arch_kwargs"]
    return {
        "spacing": found["spacing"], "median": found["median_image_size_in_voxels"], "patch": found["patch_size"],
        "batch": found["batch_size"], "kernels": network["kernel_sizes"], "strides": network["strides"],
        "features": network["features_per_stage"],
    }  # fmt: skip


if __name__ == "__main__":
    rows = [json.dumps({**row, "plan": nnunet_plan(number, row)}) for number, row in enumerate(fingerprints(), 1)]
    path = Path(__file__).with_name(f"plans_of_nnunetv2_{version('nnunetv2')}.json")
    path.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")
