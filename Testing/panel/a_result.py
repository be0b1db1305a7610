"""A small phantom with three lymph nodes, as a volume in the scene and as a result folder written by the core."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SHAPE_KJI = (24, 48, 48)
SPACING_MM = 2.0
ORIGIN_LPS = (-48.0, -48.0, -20.0)
# label, center (k, j, i), radius in voxels, class, ECE probability, short axis, side, level
LYMPH_NODES = (
    (1, (8, 14, 12), 3, "P", 0.094, 9.5, "right", "IIA"),
    (2, (12, 30, 36), 4, "ENE", 0.871, 21.4, "left", "III"),
    (3, (17, 16, 34), 2, "N", 0.1, 6.2, "left", "IB"),
)


def affine_lps() -> np.ndarray:
    matrix = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    matrix[:3, 3] = ORIGIN_LPS
    return matrix


def center_lps(center_kji) -> tuple[float, float, float]:
    k, j, i = center_kji
    return tuple(float(x) for x in (affine_lps() @ [i, j, k, 1])[:3])


def ball(center, radius: float) -> np.ndarray:
    grid = np.indices(SHAPE_KJI)
    return sum((axis - c) ** 2 for axis, c in zip(grid, center, strict=True)) <= radius**2


def ct_array() -> np.ndarray:
    array = np.full(SHAPE_KJI, -1000, np.int16)
    array[:, 4:44, 4:44] = 40
    for _label, center, radius, *_ in LYMPH_NODES:
        array[ball(center, radius)] = 110
    return array


def addVolume(name: str = "Neck CT", volume=None):
    """The phantom, or another ece_core Volume, as a volume node (RAS)."""
    import slicer
    import vtk

    array, affine = (ct_array(), affine_lps()) if volume is None else (volume.array, volume.affine)
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(ras.ravel())
    node = slicer.util.addVolumeFromArray(array, matrix, name)
    node.CreateDefaultDisplayNodes()
    return node


def lymphNodes() -> tuple:
    from ece_core.lymph_nodes.lymph_node import LymphNode

    return tuple(
        LymphNode(
            id=f"LN{label}", label=label, class_name=name,
            class_probabilities={other: 0.8 if other == name else 0.1 for other in ("N", "P", "ENE")},
            ece_probability=probability, side=side, level=level, short_axis_mm=axis,
            volume_mm3=float(ball(center, radius).sum() * SPACING_MM**3), centroid_lps_mm=center_lps(center),
        )
        for label, center, radius, name, probability, axis, side, level in LYMPH_NODES
    )


def write(folder: Path) -> Path:
    """The result folder, by the core's own writer."""
    from ece_core.export.result import Result
    from ece_core.export.result_folder import new_result_folder, write_result
    from ece_core.geometry import Volume

    instances = np.zeros(SHAPE_KJI, np.uint16)
    heatmap = np.zeros(SHAPE_KJI, np.float32)
    for label, center, radius, *_ in LYMPH_NODES:
        instances[ball(center, radius)] = label
        heatmap[ball(center, radius)] = 0.4 + 0.2 * label
    methods = {"gradcam": "Grad-CAM", "guided-backprop": "Guided backpropagation"}
    result = Result(
        software={"name": "ECEDetector", "version": "0.1.0"}, models=(), device="cpu", seconds={"read": 1.0},
        warnings=("Part of the neck is not in the scan.",),
        input={"format": "nrrd", "modality": "CT", "series_uid_sha256": None, "shape_kji": list(SHAPE_KJI),
               "spacing_mm": [SPACING_MM] * 3, "affine_lps": affine_lps().tolist()},
        patient={"ece_probability": 0.88, "method": "noisy-or", "outputs": {"noisy-or": 0.88}},
        lymph_nodes=lymphNodes(),
        heatmaps=tuple(
            {"method": method, "title": title, "file": f"heatmaps/{method}.nrrd", "scaling": "per lymph node"}
            for method, title in methods.items()
        ),
    )
    ct = Volume(ct_array(), affine_lps())
    with new_result_folder(folder) as partial:
        write_result(partial, result, Volume(instances, affine_lps()),
                     {method: Volume(heatmap, affine_lps()) for method in methods}, ct)
    return folder


def writeDicom(base: Path) -> Path:
    """`series`: the phantom as DICOM files; `result`: the result folder of an analysis of them."""
    from dataclasses import replace

    from ece_core.export.result import read_result
    from ece_core.export.result_folder import read_heatmaps, write_result
    from ece_core.export.seg_nrrd import read_seg_nrrd
    from ece_core.geometry import Volume
    from ece_core.io import read_ct, write_ct_series

    ct = Volume(ct_array(), affine_lps())
    write_ct_series(ct, base / "series", seed=7)
    scan = read_ct(base / "series")
    plain = write(base / "plain")
    result = read_result(plain)
    facts = {**result.input, "format": "dicom", "series_uid_sha256": scan.series_uid_sha256}
    model = {"name": "lymph_node_unet", "version": "1.0.0", "task": "lymph_node_segmentation", "sha256": "a" * 64}
    (base / "result").mkdir()
    write_result(base / "result", replace(result, input=facts, models=(model,)),
                 read_seg_nrrd(plain / "lymph_nodes.seg.nrrd")[0], read_heatmaps(plain, result), ct, scan.headers)
    return base


def writeCorrectedDicom(base: Path) -> Path:
    """As `writeDicom`, of a series with a gantry tilt that the analysis straightened (``--correct tilt``)."""
    from dataclasses import replace

    import pydicom
    from ece_core.export.result import read_result
    from ece_core.export.result_folder import write_result
    from ece_core.export.seg_nrrd import read_seg_nrrd
    from ece_core.geometry import Volume
    from ece_core.io import read_ct, write_ct_series

    write_ct_series(Volume(ct_array(), affine_lps()), base / "series", seed=8)
    cosine, sine = np.cos(np.radians(15)), np.sin(np.radians(15))
    for file in (base / "series").rglob("*.dcm"):
        dataset = pydicom.dcmread(file)
        dataset.ImageOrientationPatient = [1, 0, 0, 0, f"{cosine:.9f}", f"{-sine:.9f}"]
        dataset.save_as(file)
    scan = read_ct(base / "series", correct=["tilt"])
    result = read_result(write(base / "plain"))
    facts = {**result.input, "format": "dicom", "series_uid_sha256": scan.series_uid_sha256,
             "shape_kji": list(scan.volume.shape), "spacing_mm": list(scan.volume.spacing_mm),
             "affine_lps": scan.volume.affine.tolist()}
    labels = np.zeros(scan.volume.shape, np.uint16)
    labels[tuple(slice(size) for size in SHAPE_KJI)] = read_seg_nrrd(base / "plain" / "lymph_nodes.seg.nrrd")[0].array
    (base / "result").mkdir()
    write_result(base / "result", replace(result, input=facts, heatmaps=()), scan.volume.with_array(labels), {},
                 scan.volume, scan.headers)
    return base


def fillDatabase(base: Path, volumeNode) -> None:
    """Slicer's DICOM database holds the series, and the volume was loaded from there."""
    import pydicom
    import slicer

    slicer.dicomDatabase.isOpen = True
    for file in sorted((base / "series").rglob("*.dcm")):
        slicer.dicomDatabase.files[str(pydicom.dcmread(file).SOPInstanceUID)] = str(file)
    volumeNode.SetAttribute("DICOM.instanceUIDs", " ".join(slicer.dicomDatabase.files))
