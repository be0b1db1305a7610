"""SEG, SR, Parametric Map and RTSTRUCT of a patient with 20 lymph nodes, as `ece export` writes them from a result:
five orientations, three spacings, and every reader that we could find. Voxels, values, units and codes, exactly."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
import SimpleITK as sitk
from ece_core.cli.main import main
from ece_core.export.dicom_seg import tracking_uid
from ece_core.export.result import Result
from ece_core.export.result_folder import write_result
from ece_core.export.terminology import category_and_type, region, segment_name
from ece_core.geometry import Volume, affine_from
from ece_core.io import read_ct, write_ct_series
from ece_core.io.dicom_seg import read_dicom_seg
from ece_core.io.rtstruct import read_rtstruct
from ece_core.io.scan import Scan
from ece_core.lymph_nodes.lymph_node import LymphNode
from orientations import ALL_DIRECTIONS
from other_readers import DCMQI, of_dcmqi, of_debian, put_on

pytestmark = pytest.mark.slow

SHAPE_KJI = (36, 84, 76)
SPACINGS_MM = {"thin": (1.25, 0.49, 0.49), "thick": (3.0, 0.9, 0.8), "isotropic": (1.0, 1.0, 1.0)}
LEVELS = ("IA", "IB", "II", "III", "IV", "V", "VI", "VII", "VA", None)
MODELS = (
    {"name": "lymph_node_unet", "version": "3.0", "task": "lymph_node_segmentation", "sha256": "a" * 64},
    {"name": "lymph_node_densenet", "version": "2.1", "task": "lymph_node_classification", "sha256": "b" * 64},
)
METHOD = "gradcam"


def twenty_lymph_nodes() -> np.ndarray:
    """Ellipsoids of a 5 x 4 pattern that no mirror leaves as it is; one has a hole, one is one voxel in a corner."""
    rng = np.random.default_rng(20)
    k, j, i = np.indices(SHAPE_KJI)
    array = np.zeros(SHAPE_KJI, np.uint16)
    for label in range(1, 20):
        row, column = divmod(label - 1, 4)
        center = (rng.uniform(6, 29), 10 + 16 * row + rng.uniform(-2, 2), 10 + 18 * column + rng.uniform(-2, 2))
        radius = rng.uniform((2, 3, 3), (5, 6, 6))
        inside = sum(((x - c) / r) ** 2 for x, c, r in zip((k, j, i), center, radius, strict=True)) < 1
        array[inside & (array == 0)] = label
    middle = np.rint(np.argwhere(array == 5).mean(axis=0)).astype(int)
    array[tuple(middle)] = 0
    array[35, 83, 0] = 20
    return array


def measured(label: int) -> LymphNode:
    name, side = (("N", "midline"), ("P", "left"), ("ENE", "right"))[label % 3]
    return LymphNode(
        f"LN{label}", label, name, {"N": 0.2, "P": 0.3, "ENE": 0.5}, label / 32, side,
        LEVELS[label % len(LEVELS)], short_axis_mm=5.25 + label, long_axis_mm=9.5 + label, volume_mm3=100.75 * label,
        detection_probability=0.9375,
    )  # fmt: skip


@dataclass(frozen=True)
class Exported:
    """A CT on disk, what was found on it, and the folder with the four DICOM objects."""

    ct: Path
    scan: Scan
    instances: Volume
    heatmap: Volume
    lymph_nodes: tuple[LymphNode, ...]
    folder: Path

    @property
    def pm(self) -> Path:
        return self.folder / f"heatmap_{METHOD}.dcm"


@pytest.fixture(scope="module", params=[(d, s) for d in ALL_DIRECTIONS for s in SPACINGS_MM], ids="-".join)
def exported(request, tmp_path_factory) -> Exported:
    direction, spacing = request.param
    folder = tmp_path_factory.mktemp("patient")
    rng = np.random.default_rng(1)
    affine = affine_from(SPACINGS_MM[spacing], (-12.5, 40.25, -310.0), ALL_DIRECTIONS[direction])
    write_ct_series(Volume(rng.integers(-900, 200, SHAPE_KJI).astype(np.int16), affine), folder / "ct", seed=7)
    scan = read_ct(folder / "ct")
    # Both handednesses: our reader turns k so that it ascends along the normal.
    index = np.rint(Volume(np.zeros(SHAPE_KJI), affine).to_index(scan.volume.to_lps(np.argwhere(np.ones(SHAPE_KJI)))))
    instances = scan.volume.with_array(twenty_lymph_nodes()[tuple(index.astype(int).T)].reshape(SHAPE_KJI))
    crop = scan.volume.crop((2, 5, 4), (33, 80, 70))
    heatmap = crop.with_array(rng.random(crop.shape, np.float32))
    nodes = tuple(measured(label) for label in range(1, 21))
    result = Result(
        {"name": "ece_core", "version": "0.1.0"}, MODELS, "cpu", {}, (),
        {"format": "dicom", "shape_kji": list(SHAPE_KJI), "affine_lps": scan.volume.affine.tolist()},
        {"ece_probability": 0.5, "method": "max", "outputs": {}}, nodes,
        ({"method": METHOD, "title": "Grad-CAM", "file": f"heatmaps/{METHOD}.nrrd", "scaling": "0 to 1"},),
    )  # fmt: skip
    (folder / "result").mkdir()
    written = write_result(folder / "result", result, instances, {METHOD: heatmap}, scan.volume, scan.headers)
    assert written.warnings == ()
    command = ["export", str(folder / "result"), "--to", "seg,sr,pm,rtstruct", "--out", str(folder / "out")]
    assert main(command) == 0
    return Exported(folder / "ct", scan, instances, heatmap, nodes, folder / "out")


@pytest.fixture(params=DCMQI)
def dcmqi(request, tmp_path):
    """Run one of dcmqi's programs on a file; the folder with what it wrote."""

    def run(program: str, file: Path, *options: str) -> Path:
        command = [of_dcmqi(program, request.param), "--inputDICOM", file, *options]
        done = subprocess.run([*command], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return tmp_path

    return run


def read(path: Path):
    return sitk.ReadImage(str(path))


def test_dciodvfy_finds_no_error_in_any(exported):
    tool = of_debian("dciodvfy", "dicom3tools")
    files = sorted(exported.folder.glob("*.dcm"))
    assert [file.name for file in files] == ["heatmap_gradcam.dcm", "rtstruct.dcm", "seg.dcm", "sr.dcm"]
    for file in files:
        done = subprocess.run([tool, file], capture_output=True, text=True, timeout=60)
        assert "Error" not in done.stdout + done.stderr, done.stdout + done.stderr


def test_dcmqi_reads_every_voxel_name_and_code_of_the_seg(exported, dcmqi, tmp_path):
    seg = exported.folder / "seg.dcm"
    out = dcmqi("segimage2itkimage", seg, "--outputDirectory", str(tmp_path), "--outputType", "nrrd", "--mergeSegments")
    (image,) = out.glob("*.nrrd")
    np.testing.assert_array_equal(put_on(exported.instances, read(image)), exported.instances.array)
    meta = json.loads(next(out.glob("*.json")).read_text())
    segments = sorted((each for group in meta["segmentAttributes"] for each in group), key=lambda each: each["labelID"])
    for node, segment in zip(exported.lymph_nodes, segments, strict=True):
        assert segment["SegmentLabel"] == segment_name(node)
        assert segment["SegmentedPropertyTypeCodeSequence"]["CodeValue"] == category_and_type(node)[1].value
        assert segment["AnatomicRegionSequence"]["CodeValue"] == region(node).value


def test_highdicom_and_we_read_every_voxel_of_the_seg(exported):
    volume = hd.seg.segread(exported.folder / "seg.dcm").get_volume(combine_segments=True, relabel=False)
    index = np.argwhere(volume.array)
    place = np.rint(exported.instances.to_index(volume.map_indices_to_reference(index))).astype(int)
    array = np.zeros(SHAPE_KJI, int)
    array[tuple(place.T)] = volume.array[volume.array > 0]
    np.testing.assert_array_equal(array, exported.instances.array)
    for segment in read_dicom_seg(exported.folder / "seg.dcm", exported.scan).segments:
        np.testing.assert_array_equal(segment.mask.array, exported.instances.array == segment.number)


def test_dcmqi_reads_every_value_unit_and_code_of_the_sr(exported, dcmqi, tmp_path):
    out = dcmqi("tid1500reader", exported.folder / "sr.dcm", "--outputMetadata", str(tmp_path / "sr.json"))
    groups = json.loads((out / "sr.json").read_text())["Measurements"]
    series_uid = str(exported.scan.headers[0].SeriesInstanceUID)
    for node, group in zip(exported.lymph_nodes, groups, strict=True):
        assert (group["TrackingIdentifier"], group["ReferencedSegment"]) == (node.id, node.label)
        assert group["TrackingUniqueIdentifier"] == tracking_uid(series_uid, node.id)
        assert group["FindingSite"]["CodeValue"] == region(node).value
        found = {
            item["quantity"]["CodeValue"]: (float(item["value"]), item["units"]["CodeValue"])
            for item in group["measurementItems"]
        }
        assert found == {
            "103340004": (node.short_axis_mm, "mm"), "103339001": (node.long_axis_mm, "mm"),
            "118565006": (node.volume_mm3, "mm3"), "ECE-P": (round(node.ece_probability, 4), "1"),
            "LN-P": (0.9375, "1"),
        }  # fmt: skip


def test_highdicom_reads_every_group_of_the_sr(exported):
    groups = hd.sr.srread(exported.folder / "sr.dcm").content.get_volumetric_roi_measurement_groups()
    assert [group.tracking_identifier for group in groups] == [node.id for node in exported.lymph_nodes]
    for node, group in zip(exported.lymph_nodes, groups, strict=True):
        values = {each.name.value: (each.value, each.unit.value) for each in group.get_measurements()}
        assert values["103340004"] == (node.short_axis_mm, "mm") and values["118565006"] == (node.volume_mm3, "mm3")


def test_dcmqi_reads_every_value_of_the_parametric_map(exported, dcmqi, tmp_path):
    out = dcmqi("paramap2itkimage", exported.pm, "--outputDirectory", str(tmp_path), "--outputType", "nrrd")
    (image,) = out.glob("*.nrrd")
    np.testing.assert_array_equal(put_on(exported.heatmap, read(image)), exported.heatmap.array)


def test_highdicom_reads_every_value_of_the_parametric_map(exported):
    volume = hd.imread(exported.pm).get_volume(dtype=np.float32)
    index = np.argwhere(np.ones(volume.array.shape, bool))
    place = np.rint(exported.heatmap.to_index(volume.map_indices_to_reference(index))).astype(int)
    np.testing.assert_array_equal(volume.array.ravel(), exported.heatmap.array[tuple(place.T)])


def test_plastimatch_and_we_read_every_voxel_of_the_rtstruct(exported, tmp_path):
    for roi in read_rtstruct(exported.folder / "rtstruct.dcm", exported.scan).rois:
        np.testing.assert_array_equal(roi.mask.array, exported.instances.array == roi.number)
    command = [of_debian("plastimatch", "plastimatch"), "convert", "--input", exported.folder / "rtstruct.dcm"]
    command += ["--referenced-ct", exported.ct, "--xor-contours"]
    command += ["--output-prefix", tmp_path, "--prefix-format", "nrrd"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    masks = sorted(tmp_path.glob("*.nrrd"))
    assert len(masks) == 20
    union = np.zeros(SHAPE_KJI, int)
    for path in masks:
        mask = put_on(exported.instances, read(path)) > 0
        (label,) = np.unique(exported.instances.array[mask])  # one lymph node, and nothing beside it
        union[mask] += label
    np.testing.assert_array_equal(union, exported.instances.array)
