"""SEG, SR, Parametric Map and RTSTRUCT of an enhanced CT, whose slices are frames, and of one that was resampled, whose
slices are no images at all: read by others, voxel by voxel, and naming nothing that a PACS does not have."""

import copy
import json
import subprocess
from types import SimpleNamespace

import dicom_variants
import highdicom as hd
import numpy as np
import pytest
import SimpleITK as sitk
from ece_core.cli.main import main
from ece_core.export.result import Result, read_result
from ece_core.export.result_folder import write_result
from ece_core.geometry import Volume, affine_from
from ece_core.io import read_ct, write_ct_series
from ece_core.io.dicom_instances import frames_of_slices
from ece_core.io.dicom_seg import read_dicom_seg
from ece_core.io.rtstruct import read_rtstruct
from ece_core.lymph_nodes.lymph_node import LymphNode
from orientations import DIRECTIONS
from other_readers import put_on
from pydicom import dcmread, dcmwrite

pytestmark = pytest.mark.slow

SHAPE_KJI = (14, 40, 36)
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"


def two_enhanced(slices):
    """A long series, cut into two objects; the upper one comes first."""
    upper, lower = (dicom_variants.enhanced(copy.deepcopy(part))[0] for part in (slices[6:], slices[:6]))
    dicom_variants.renamed([upper], seed=8)
    return [upper, lower]


KINDS = {
    "frames": ("oblique", dicom_variants.enhanced, ()),
    "frames of two objects": ("plain", two_enhanced, ()),
    "tilt": ("plain", dicom_variants.tilted, ("tilt",)),
    "spacing": ("oblique", lambda slices: slices[:3] + slices[4:], ("spacing",)),
    "tilt, frames": ("plain", lambda slices: dicom_variants.enhanced(dicom_variants.tilted(slices)), ("tilt",)),
}


@pytest.fixture(scope="module", params=KINDS)
def written(request, tmp_path_factory):
    """A result as `ece analyze` writes it."""
    direction, variant, correct = KINDS[request.param]
    folder = tmp_path_factory.mktemp("patient")
    rng = np.random.default_rng(1)
    array = rng.integers(-100, 100, SHAPE_KJI).astype(np.int16)
    affine = affine_from((2.5, 0.9, 0.8), (-12.5, 40.25, -310.0), DIRECTIONS[direction])
    paths = write_ct_series(Volume(array, affine), folder / "plain", seed=7)
    (folder / "ct").mkdir()
    for number, ds in enumerate(variant([dcmread(path) for path in paths])):
        dcmwrite(folder / "ct" / f"{number}.dcm", ds, enforce_file_format=True)
    scan = read_ct(folder / "ct", correct=correct)
    labels = np.zeros(scan.volume.shape, np.uint16)
    labels[2:6, 5:12, 4:9] = 1
    labels[5:8, 25:29, 20:31] = 2
    labels[-1, -1, 0] = 3
    heatmap = scan.volume.crop((1, 2, 3), (9, 30, 33))
    heatmap = heatmap.with_array(rng.random(heatmap.shape, np.float32))
    nodes = tuple(
        LymphNode(f"LN{n}", n, "P", {"N": 0.25, "P": 0.5, "ENE": 0.25}, 0.25, "left", "II", short_axis_mm=8.5)
        for n in (1, 2, 3)
    )
    frames = frames_of_slices(scan.headers)
    result = Result(
        {"name": "ece_core", "version": "0.1.0"}, (), "cpu", {}, (),
        {"format": "dicom", "shape_kji": list(labels.shape), "affine_lps": scan.volume.affine.tolist()}
        | ({"frames": frames} if frames else {}),
        {"ece_probability": 0.25, "method": "max", "outputs": {}}, nodes,
        ({"method": "gradcam", "title": "Grad-CAM", "file": "heatmaps/gradcam.nrrd", "scaling": "0 to 1"},),
    )  # fmt: skip
    (folder / "result").mkdir()
    instances = scan.volume.with_array(labels)
    saved = write_result(
        folder / "result", result, instances, {"gradcam": heatmap}, scan.volume, scan.headers, rtstruct=True
    )
    assert saved.warnings == ()
    return SimpleNamespace(
        kind=request.param, folder=folder, dicom=folder / "result" / "dicom", scan=scan, instances=instances,
        heatmap=heatmap, lymph_nodes=nodes,
    )  # fmt: skip


FILES = ["heatmap_gradcam.dcm", "rtstruct.dcm", "seg.dcm", "sr.dcm"]


def test_dciodvfy_finds_no_error(written, dciodvfy):
    assert sorted(file.name for file in written.dicom.iterdir()) == FILES
    for name in FILES:
        done = subprocess.run([dciodvfy, written.dicom / name], capture_output=True, text=True, timeout=60)
        assert "Error" not in done.stdout + done.stderr, done.stdout + done.stderr


def image_of(tool, file, out, *options):
    command = [tool, "--inputDICOM", file, "--outputDirectory", out, "--outputType", "nrrd", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (image,) = out.glob("*.nrrd")
    return sitk.ReadImage(str(image))


def test_dcmqi_reads_every_voxel_and_value(written, dcmqi, tmp_path):
    seg, pm = tmp_path / "seg", tmp_path / "pm"
    seg.mkdir(), pm.mkdir()
    image = image_of(dcmqi("segimage2itkimage"), written.dicom / "seg.dcm", seg, "--mergeSegments")
    np.testing.assert_array_equal(put_on(written.instances, image), written.instances.array)
    image = image_of(dcmqi("paramap2itkimage"), written.dicom / "heatmap_gradcam.dcm", pm)
    np.testing.assert_array_equal(put_on(written.heatmap, image), written.heatmap.array)
    done = subprocess.run(
        [dcmqi("tid1500reader"), "--inputDICOM", written.dicom / "sr.dcm", "--outputMetadata", tmp_path / "sr.json"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    groups = json.loads((tmp_path / "sr.json").read_text())["Measurements"]
    assert [(group["TrackingIdentifier"], group["ReferencedSegment"]) for group in groups] == [
        ("LN1", 1), ("LN2", 2), ("LN3", 3),
    ]  # fmt: skip


def test_highdicom_and_we_read_every_voxel(written):
    volume = hd.seg.segread(written.dicom / "seg.dcm").get_volume(combine_segments=True, relabel=False)
    index = np.argwhere(volume.array)
    place = np.rint(written.instances.to_index(volume.map_indices_to_reference(index))).astype(int)
    array = np.zeros(written.instances.shape, int)
    array[tuple(place.T)] = volume.array[volume.array > 0]
    np.testing.assert_array_equal(array, written.instances.array)
    for segment in read_dicom_seg(written.dicom / "seg.dcm", written.scan).segments:
        np.testing.assert_array_equal(segment.mask.array, written.instances.array == segment.number)
    structures = read_rtstruct(written.dicom / "rtstruct.dcm", written.scan)
    assert structures.warnings == () and len(structures.rois) == 3
    for roi in structures.rois:
        np.testing.assert_array_equal(roi.mask.array, written.instances.array == roi.number)
    groups = hd.sr.srread(written.dicom / "sr.dcm").content.get_volumetric_roi_measurement_groups()
    assert [group.tracking_identifier for group in groups] == ["LN1", "LN2", "LN3"]


def references(ds) -> set[str]:
    """Every instance that an object names, at any depth."""
    found = set()
    for element in ds:
        if element.keyword == "ReferencedSOPInstanceUID":
            found.add(str(element.value))
        elif element.VR == "SQ":
            for item in element.value:
                found |= references(item)
    return found


def test_only_instances_that_exist_are_named_and_frames_by_their_own_number(written):
    sources = {str(dcmread(file).SOPInstanceUID): dcmread(file) for file in (written.folder / "ct").iterdir()}
    seg, sr = (dcmread(written.dicom / name) for name in ("seg.dcm", "sr.dcm"))
    ours = {str(seg.SOPInstanceUID), str(seg.StudyInstanceUID)}  # an RTSTRUCT names the study, too
    for name in FILES:
        named = references(dcmread(written.dicom / name))
        assert named - ours <= set(sources) and named & set(sources), name
    (series,) = seg.ReferencedSeriesSequence
    assert {str(item.ReferencedSOPInstanceUID) for item in series.ReferencedInstanceSequence} == set(sources)
    for frame in seg.PerFrameFunctionalGroupsSequence:
        if not written.kind.startswith("frames"):
            assert len(frame.DerivationImageSequence) == 0
            continue
        (image,) = frame.DerivationImageSequence[0].SourceImageSequence
        assert image.ReferencedSOPClassUID == ENHANCED_CT
        groups = sources[str(image.ReferencedSOPInstanceUID)].PerFrameFunctionalGroupsSequence
        theirs = groups[int(image.ReferencedFrameNumber) - 1].PlanePositionSequence[0].ImagePositionPatient
        np.testing.assert_allclose(
            np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float), np.array(theirs, float), atol=1e-4
        )
    series_instead = "'121232'" in str(sr)  # DCM source series for segmentation
    assert series_instead == (not written.kind.startswith("frames"))


def test_the_saved_result_knows_its_slices_without_the_ct(written, tmp_path):
    """Another SEG, Parametric Map and RTSTRUCT from the result folder name the same and hold the same."""
    result = written.folder / "result"
    (result / "dicom" / "heatmap_gradcam.dcm").rename(tmp_path / "kept.dcm")  # else it is copied
    try:
        arguments = ["export", result, "--to", "seg,pm,rtstruct", "--deflate", "--out", tmp_path / "out"]
        assert main([str(argument) for argument in arguments]) == 0
    finally:
        (tmp_path / "kept.dcm").rename(result / "dicom" / "heatmap_gradcam.dcm")
    for name in ("seg.dcm", "heatmap_gradcam.dcm", "rtstruct.dcm"):
        assert references(dcmread(tmp_path / "out" / name)) == references(dcmread(written.dicom / name)), name
    volume = hd.seg.segread(tmp_path / "out" / "seg.dcm").get_volume(combine_segments=True, relabel=False)
    place = np.rint(written.instances.to_index(volume.map_indices_to_reference(np.argwhere(volume.array))))
    assert (written.instances.array[tuple(place.astype(int).T)] == volume.array[volume.array > 0]).all()
    assert len(place) == (written.instances.array > 0).sum()
    assert read_result(result).heatmaps[0]["dicom"] == "dicom/heatmap_gradcam.dcm"
