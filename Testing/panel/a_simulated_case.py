"""A simulated neck CT as a DICOM series, and a result of it, for the review flow. No network has run.

Outlines are the simulation's truth, all but one, which is the missed lymph node; class, ECE probability and heatmap
are made up from the truth and written by the core's own writers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

SEED, NUMBER = 2027, 7  # two lymph nodes with ENE (also ECE)
# The picture of one class, a little different from one lymph node to the next.
PROBABILITIES = {"N": (0.02, 0.12), "P": (0.15, 0.45), "ENE": (0.62, 0.94)}
METHODS = {"gradcam": "Grad-CAM", "guided-backprop": "Guided backpropagation"}
SMALLEST_VOXELS = 12  # a smaller one has no measures worth showing on a coarse grid


@dataclass(frozen=True)
class SimulatedCase:
    """`series`: DICOM files; `result`: what the fake worker answers; `missed_lps`: within the lymph node left out."""

    series: Path
    result: Path
    missed_lps: tuple[float, float, float]
    count: int


def write(base: Path, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> SimulatedCase:
    """Simulate, write the series, read it as the worker does, write the result."""
    from ece_core.io import read_ct, write_ct_series
    from ece_core.simulate import simulate_case

    case = simulate_case(SEED, NUMBER, "medium", shape, spacing_mm)
    write_ct_series(case.simulation.ct, base / "series", seed=SEED)
    scan = read_ct(base / "series")
    truth = {row["label"]: row for row in case.truth}
    instances, classes, missed = relabeled(case.simulation.instances.array, truth)
    outlined = scan.volume.with_array(instances)
    rows = lymph_nodes_of(scan.volume, outlined, classes)
    _write_result(base / "result", scan, outlined, rows)
    return SimulatedCase(base / "series", base / "result", missed, len(rows))


def relabeled(array: np.ndarray, truth: dict[int, dict]) -> tuple[np.ndarray, list[str], tuple[float, float, float]]:
    """Labels 1, 2, ... without the smallest ones and without the largest that is no ENE: the one that was missed."""
    voxels = np.bincount(array.ravel())
    kept = [label for label in truth if voxels[label] >= SMALLEST_VOXELS]
    missed = max((label for label in kept if truth[label]["class"] != "ENE"), key=lambda label: voxels[label])
    kept.remove(missed)
    instances = np.zeros(array.shape, np.uint16)
    for new, old in enumerate(kept, 1):
        instances[array == old] = new
    return instances, [truth[label]["class"] for label in kept], tuple(truth[missed]["center_lps_mm"])


def lymph_nodes_of(ct, instances, classes: list[str]) -> tuple:
    from ece_core.lymph_nodes.lymph_node import LymphNode
    from ece_core.review import outlines_of
    from ece_core.review.outline_measures import OutlineMeasures

    rng, measure = np.random.default_rng(SEED), OutlineMeasures(ct)
    rows = []
    for label, outline in sorted(outlines_of(instances).items()):
        name = classes[label - 1]
        probability = round(float(rng.uniform(*PROBABILITIES[name])), 3)
        said = {"N": 0.0, "P": round(1 - probability, 3), "ENE": probability}
        measures = {key: value for key, value in measure(outline).items() if key != "flags"}
        rows.append(LymphNode(f"LN{label}", label, name, said, probability, class_set=(name,), **measures))
    return tuple(rows)


def heatmap_of(rows, instances) -> np.ndarray:
    """As warm as the ECE probability, warmest at one side of the lymph node: as if the capsule were breached there."""
    heatmap = np.zeros(instances.shape, np.float32)
    for row, box in zip(rows, ndimage.find_objects(instances.array), strict=True):
        wide = tuple(slice(max(side.start - 3, 0), side.stop + 3) for side in box)
        inside = instances.array[wide] == row.label
        side = np.cumsum(np.ones(inside.shape), axis=2) / inside.shape[2]
        blurred = ndimage.gaussian_filter(inside * side, 1.2)
        heatmap[wide] = np.maximum(heatmap[wide], row.ece_probability * blurred / blurred.max())
    return heatmap


def _write_result(folder: Path, scan, instances, rows: tuple) -> None:
    from ece_core.export.result import Result
    from ece_core.export.result_folder import new_result_folder, write_result

    ct = scan.volume
    most = max(row.ece_probability for row in rows)
    result = Result(
        software={"name": "ECEDetector", "version": "0.1.0"},
        models=({"name": "fake_worker", "version": "0", "task": "lymph_node_segmentation", "sha256": "0" * 64},),
        device="cpu", seconds={"read": 1.0},
        warnings=("Values are made up for this walk-through: no network has run.",),
        input={"format": "dicom", "modality": "CT", "series_uid_sha256": scan.series_uid_sha256,
               "shape_kji": list(ct.shape), "spacing_mm": list(ct.spacing_mm), "affine_lps": ct.affine.tolist()},
        patient={"ece_probability": most, "method": "max", "outputs": {"max": most}},
        lymph_nodes=rows,
        heatmaps=tuple({"method": method, "title": title, "file": f"heatmaps/{method}.nrrd",
                        "scaling": "per lymph node"} for method, title in METHODS.items()),
    )
    heatmap = ct.with_array(heatmap_of(rows, instances))
    sharper = heatmap.with_array(heatmap.array**2)
    with new_result_folder(folder) as partial:
        write_result(partial, result, instances, {"gradcam": heatmap, "guided-backprop": sharper}, ct,
                     scan.headers)
