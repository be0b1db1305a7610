"""SEG, SR, Parametric Map and RTSTRUCT of a patient with 20 lymph nodes, headers and voxels in memory, file on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry import Row, case
from timing import in_turns, median, spread

SEED = 20261121
SPACING_MM = (1.25, 0.977, 0.977)
MODELS = ({"name": "lymph_node_unet", "version": "3.0", "task": "lymph_node_segmentation"},)


@case("dicom_write_seg", threads=1, goal="at most 1.5 s")
def dicom_write_seg(tiny: bool) -> list[Row]:
    """BINARY, one segment per lymph node."""
    from ece_core.export.dicom_seg import write_dicom_seg

    return _timed(tiny, lambda p, file: write_dicom_seg(file, p.instances, p.lymph_nodes, p.headers, MODELS))


@case("dicom_write_sr", threads=1, goal="at most 1 s")
def dicom_write_sr(tiny: bool) -> list[Row]:
    """TID 1500, one measurement group per lymph node; its SEG is read from disk."""
    from ece_core.export.dicom_seg import write_dicom_seg
    from ece_core.export.dicom_sr import write_dicom_sr

    def write(p: _Patient, file: Path) -> None:
        write_dicom_sr(file, p.lymph_nodes, p.headers, MODELS, p.folder / "seg.dcm")

    def prepare(p: _Patient) -> None:
        write_dicom_seg(p.folder / "seg.dcm", p.instances, p.lymph_nodes, p.headers, MODELS)

    return _timed(tiny, write, prepare)


@case("dicom_write_pm", threads=1, goal="at most 2 s")
def dicom_write_pm(tiny: bool) -> list[Row]:
    """One heatmap, 40 mm around each lymph node, cropped to the box that holds them."""
    from ece_core.export.dicom_pm import write_dicom_pm

    return _timed(tiny, lambda p, file: write_dicom_pm(file, p.heatmap, "Grad-CAM", p.instances, p.headers))


@case("dicom_write_rtstruct", threads=1, goal="at most 2 s")
def dicom_write_rtstruct(tiny: bool) -> list[Row]:
    """Half-level contours of every lymph node on every slice."""
    from ece_core.io.rtstruct import write_rtstruct

    def write(p: _Patient, file: Path) -> None:
        write_rtstruct(file, p.instances, {node.label: node.id for node in p.lymph_nodes}, p.headers)

    return _timed(tiny, write)


@dataclass(frozen=True)
class _Patient:
    folder: Path
    headers: Any
    instances: Any
    heatmap: Any
    lymph_nodes: Any


def _timed(
    tiny: bool, write: Callable[[_Patient, Path], object], prepare: Callable[[_Patient], object] = lambda p: None
) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        patient = _a_patient(Path(name), tiny)
        prepare(patient)
        file = patient.folder / "out.dcm"
        seconds = in_turns({"ours": lambda: write(patient, file)}, rounds=2 if tiny else 5)["ours"]
        settings = {
            "seed": SEED,
            "shape_kji": patient.instances.shape,
            "lymph_nodes": len(patient.lymph_nodes),
            "voxels": int((patient.instances.array > 0).sum()),
            "megabytes": round(file.stat().st_size / 1e6, 2),
            "seconds": spread(seconds),
        }
    return [Row(median(seconds), settings=settings)]


def _a_patient(folder: Path, tiny: bool) -> _Patient:
    """Ellipsoids of 8 to 20 mm at seeded places, a heatmap around them, and the headers of a CT series."""
    import numpy as np
    from ece_core.geometry import Volume, affine_from
    from ece_core.io import read_ct, write_ct_series
    from ece_core.lymph_nodes.lymph_node import LymphNode

    shape, count = ((12, 48, 48), 3) if tiny else ((160, 512, 512), 20)
    rng = np.random.default_rng(SEED)
    write_ct_series(Volume(np.zeros(shape, np.int16), affine_from(SPACING_MM)), folder / "ct", seed=SEED)
    scan = read_ct(folder / "ct")
    labels, heat = np.zeros(shape, np.uint16), np.zeros(shape, np.float32)
    size = np.array(shape)
    for label in range(1, count + 1):
        center = (rng.uniform(0.3, 0.7, 3) * size).astype(int)
        reach = np.maximum(2, rng.uniform(4, 10, 3) / SPACING_MM).astype(int)
        box = _box(center, reach + 1, shape)
        offsets = np.indices([side.stop - side.start for side in box], sparse=True)
        parts = zip(offsets, box, center, reach, strict=True)
        inside = sum(((at + side.start - c) / r) ** 2 for at, side, c, r in parts)
        labels[box][(inside <= 1) & (labels[box] == 0)] = label
        warm = _box(center, np.rint(20 / np.array(SPACING_MM)).astype(int), shape)
        heat[warm] = rng.random(heat[warm].shape, np.float32)
    nodes = tuple(
        LymphNode(
            f"LN{label}", label, "P", {"N": 0.2, "P": 0.5, "ENE": 0.3}, 0.3, "left", "II", short_axis_mm=9.5,
            long_axis_mm=14.0, volume_mm3=800.0, detection_probability=0.9,
        )
        for label in np.unique(labels[labels > 0]).tolist()
    )  # fmt: skip
    return _Patient(folder, scan.headers, scan.volume.with_array(labels), scan.volume.with_array(heat), nodes)


def _box(center, reach, shape) -> tuple[slice, ...]:
    sides = zip(center, reach, shape, strict=True)
    return tuple(slice(max(0, int(c - r)), min(n, int(c + r + 1))) for c, r, n in sides)
