"""A small patient: a drawn neck of 24 x 40 x 48 voxels with three lymph nodes, one of each class."""

import numpy as np
from ece_core.export.result import Result
from ece_core.geometry import Volume, affine_from
from ece_core.lymph_nodes.lymph_node import LymphNode


def a_lymph_node(label=1, class_name="ENE", **changes) -> LymphNode:
    values = {
        "id": f"LN{label}",
        "label": label,
        "class_name": class_name,
        "class_probabilities": {"N": 0.1, "P": 0.2, "ENE": 0.7},
        "ece_probability": 0.7,
        "detection_probability": 0.95,
        "side": "left",
        "level": "II",
        "short_axis_mm": 11.5,
        "long_axis_mm": 17.25,
        "volume_mm3": 1500.0,
        "centroid_lps_mm": (10.5, -4.0, 31.0),
        "bounding_box_kji": ((4, 8, 8), (10, 16, 20)),
        "mean_hu": 81.5,
        "sd_hu": 22.0,
        "necrosis_fraction": 0.25,
        "flags": ("touches the border of the scan",),
    }
    return LymphNode(**{**values, **changes})


def three_lymph_nodes() -> tuple[LymphNode, ...]:
    return (
        a_lymph_node(1, "ENE"),
        a_lymph_node(2, "N", ece_probability=0.05, side="right", level="IB", flags=()),
        a_lymph_node(3, "P", ece_probability=0.4, side="midline", level="VI", flags=()),
    )


def an_affine(spacing_mm=(2.5, 0.9, 0.8), direction=None):
    return affine_from(spacing_mm, (-19.0, -18.0, 7.5), direction)


def an_instance_map(affine=None) -> Volume:
    """Labels 1 (288 voxels), 2 (27 voxels) and 3 (one voxel)."""
    array = np.zeros((24, 40, 48), np.uint16)
    array[4:10, 8:16, 8:14] = 1
    array[12:15, 20:23, 30:33] = 2
    array[20, 30, 24] = 3
    return Volume(array, an_affine() if affine is None else affine)


def a_neck_ct(affine=None) -> Volume:
    """Fat at -100 HU, muscle at 60, air outside; the lymph nodes at 90."""
    k, j, i = np.mgrid[:24, :40, :48]
    radius = np.hypot((j - 19.5) / 19, (i - 23.5) / 23)
    ct = np.where(radius < 1, -100, -1000)
    ct = np.where(radius < 0.8, 60, ct)
    ct = np.where(an_instance_map().array > 0, 90, ct) + (k + 3 * j + 7 * i) % 11
    return Volume(ct.astype(np.int16), an_affine() if affine is None else affine)


def a_heatmap(affine=None) -> Volume:
    """A ramp 0 to 1 on a crop of the CT around lymph node 1."""
    whole = np.zeros((24, 40, 48), np.float32)
    whole[3:12, 6:18, 6:18] = np.linspace(0, 1, 9 * 12 * 12, dtype=np.float32).reshape(9, 12, 12)
    return Volume(whole, an_affine() if affine is None else affine).crop((3, 6, 6), (12, 18, 18))


def a_result(**changes) -> Result:
    ct = a_neck_ct()
    values = {
        "software": {"name": "ece_core", "version": "0.1.0"},
        "models": (
            {"name": "lymph_node_unet", "version": "1.0.0", "task": "segmentation", "sha256": "a" * 64},
            {"name": "ece_densenet", "version": "1.0.0", "task": "classification", "sha256": "b" * 64},
        ),
        "device": "cpu",
        "seconds": {"read": 0.5, "segment": 20.25, "explain": 3.0},
        "warnings": ("The scan ends below the skull base.",),
        "input": {
            "format": "dicom",
            "modality": "CT",
            "series_uid_sha256": "c" * 64,
            "shape_kji": list(ct.shape),
            "spacing_mm": list(ct.spacing_mm),
            "affine_lps": ct.affine.tolist(),
        },
        "patient": {"ece_probability": 0.83, "method": "noisy-or", "outputs": {"noisy-or": 0.83}},
        "lymph_nodes": three_lymph_nodes(),
        "heatmaps": (
            {"method": "gradcam", "title": "Grad-CAM", "file": "heatmaps/gradcam.nrrd", "scaling": "per lymph node"},
        ),
    }
    return Result(**{**values, **changes})
