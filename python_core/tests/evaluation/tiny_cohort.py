"""A cohort that can be counted by hand: a row of voxels per scan, a few lymph nodes each."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from ece_core.export.result import Result
from ece_core.export.seg_nrrd import write_seg_nrrd
from ece_core.geometry import Volume, affine_from
from ece_core.io import write_image
from ece_core.lymph_nodes.lymph_node import LymphNode

AFFINE = affine_from((3.0, 1.0, 1.0), (10, 20, 30))


def scan(text: str) -> Volume:
    """A line of voxels, one digit each ("0110" holds label 1 in the middle), as a small volume."""
    array = np.zeros((2, 3, len(text)), np.uint16)
    array[1, 1] = [int(letter) for letter in text]
    return Volume(array, AFFINE)


def add_case(
    root: Path,
    name: str,
    truth: str,
    predicted: str,
    rows: list[dict],
    probabilities=(),
    ece=False,
    patient=0.5,
    models=(),
    outputs=None,
    **of_label,
) -> None:
    """Write one case: ``rows`` of truth.json without labels (1, 2 ... in order), ECE probability per prediction.

    ``outputs``: of patient-level networks. ``of_label``: more fields of lymph nodes, ``LN3={...}``.
    """
    reference, results = root / "reference" / name, root / "predictions" / name
    reference.mkdir(parents=True)
    results.mkdir(parents=True)
    write_image(scan(truth), reference / "instances.nii.gz")
    lymph_nodes = [{"label": label, **row} for label, row in enumerate(rows, start=1)]
    (reference / "truth.json").write_text(json.dumps({"lymph_nodes": lymph_nodes, "patient": {"ece": ece}}))
    labels = sorted({int(letter) for letter in predicted} - {0})
    chances = dict(zip(labels, probabilities, strict=False))
    nodes = tuple(
        LymphNode(
            f"LN{label}",
            label,
            **{
                "class_name": "ENE" if chances.get(label, 0) > 0.5 else "P",
                "class_probabilities": {"N": 0.0, "P": 0.5, "ENE": 0.5},
                "ece_probability": chances.get(label),
                "short_axis_mm": 4.0 * label,
                **of_label.get(f"LN{label}", {}),
            },
        )
        for label in labels
    )
    write_seg_nrrd(results / "lymph_nodes.seg.nrrd", scan(predicted), nodes)
    said = {"ece_probability": patient, "method": "noisy-or", "outputs": outputs or {}}
    result = Result({}, models, "cpu", {}, (), {}, said, nodes)
    (results / "result.json").write_text(result.to_json())


def true_node(class_name: str, short_axis_mm: float, mean_hu: float = 90.0, **more) -> dict:
    return {"class": class_name, "short_axis_mm": short_axis_mm, "mean_hu": mean_hu, **more}


def two_scans(root: Path) -> Path:
    """Two scans, five lymph nodes, three of them found, two false positives.

    Predictions measure 4 mm times their label; they are ENE where their probability is above 0.5, else P.
    """
    add_case(
        root,
        "case_0000",
        truth="__1111__22__33".replace("_", "0"),
        predicted="__1110_____5_4".replace("_", "0"),  # 1 in part; 2 missed; 3 half; 5 a false positive
        rows=[true_node("N", 6), true_node("P", 9), true_node("ENE", 16)],
        probabilities=(0.1, 0.9, 0.2),
    )
    add_case(
        root,
        "case_0001",
        truth="111_2222____".replace("_", "0"),
        predicted="____2222__77".replace("_", "0"),
        rows=[true_node("N", 4), true_node("ENE", 8)],
        probabilities=(0.8, 0.3),
        ece=True,
    )
    return root
