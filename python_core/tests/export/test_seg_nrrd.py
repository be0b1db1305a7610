"""lymph_nodes.seg.nrrd: voxels and geometry to the last bit, and the header that Slicer wants."""

import gzip
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from drawn_patient import a_lymph_node, an_affine, an_instance_map, three_lymph_nodes
from ece_core.errors import InputError
from ece_core.export.nrrd import write_nrrd
from ece_core.export.seg_nrrd import read_seg_nrrd, write_seg_nrrd
from ece_core.geometry import Volume

TURN = np.array([[0.96, -0.28, 0], [0.28, 0.96, 0], [0, 0, 1.0]])  # 7-24-25 triangle: exact to the last bit
DIRECTIONS = {"plain": np.eye(3), "flipped": np.diag([-1.0, 1, -1]), "turned": TURN, "sagittal": np.eye(3)[[2, 0, 1]]}


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_write_then_read_is_identity(tmp_path, direction):
    instances = an_instance_map(an_affine((2.5, 0.9, 0.8), direction))
    write_seg_nrrd(tmp_path / "x.seg.nrrd", instances, three_lymph_nodes())
    volume, segments = read_seg_nrrd(tmp_path / "x.seg.nrrd")
    np.testing.assert_array_equal(volume.array, instances.array)
    np.testing.assert_allclose(volume.affine, instances.affine, rtol=0, atol=1e-12)
    assert [(segment.id, segment.label) for segment in segments] == [("LN1", 1), ("LN2", 2), ("LN3", 3)]


def header_of(path) -> dict[str, str]:
    lines = path.read_bytes().split(b"\n\n", 1)[0].decode().splitlines()
    return dict(line.split(":=" if ":=" in line else ": ", 1) for line in lines[1:])


def test_the_affine_in_the_header_is_exact(tmp_path):
    """Numbers without a finite binary expansion come back as the same double."""
    affine = an_affine((1 / 3, 0.9765625, 0.1), TURN)
    write_seg_nrrd(tmp_path / "x.seg.nrrd", an_instance_map(affine), three_lymph_nodes())
    header = header_of(tmp_path / "x.seg.nrrd")
    columns = [[float(x) for x in vector.strip("()").split(",")] for vector in header["space directions"].split()]
    np.testing.assert_array_equal(np.array(columns).T, affine[:3, :3])
    assert [float(x) for x in header["space origin"].strip("()").split(",")] == affine[:3, 3].tolist()


def test_the_header_says_what_slicer_reads(tmp_path):
    write_seg_nrrd(tmp_path / "x.seg.nrrd", an_instance_map(), three_lymph_nodes(), "ECEDetector 0.1.0 (unet 1.0.0)")
    header = header_of(tmp_path / "x.seg.nrrd")
    assert (header["type"], header["encoding"], header["sizes"]) == ("unsigned char", "gzip", "48 40 24")
    assert header["Segmentation_MasterRepresentation"] == "Binary labelmap"
    assert header["Segment0_ID"] == "LN1"
    assert header["Segment0_Name"] == "LN1 left II, ENE"
    assert header["Segment0_Color"] == "0.839216 0.152941 0.156863"  # 214, 39, 40
    assert (header["Segment0_LabelValue"], header["Segment0_Layer"]) == ("1", "0")
    assert header["Segment0_Extent"] == "0 47 0 39 0 23"
    assert header["Segment0_Tags"] == (
        "TerminologyEntry:Segmentation category and type - DICOM master list"
        "~SCT^49755003^Morphologically Altered Structure~SCT^14799000^Neoplasm, Secondary~^^"
        "~Anatomic codes - neck levels (ECEDetector)~SCT^245321008^Upper jugular lymph node~SCT^7771000^Left|"
        "Segmentation.Status:notstarted|DICOM.SegmentAlgorithmType:AUTOMATIC|"
        "DICOM.SegmentAlgorithmName:ECEDetector 0.1.0 (unet 1.0.0)|ECE.Class:ENE|ECE.Status:new|"
    )
    assert "~SCT^123037004^Anatomical Structure~SCT^59441001^Lymph node~" in header["Segment1_Tags"]


@pytest.mark.parametrize(
    ("status", "slicer"),
    [("new", "notstarted"), ("accepted", "completed"), ("rejected", "completed"), ("flagged", "flagged")],
)
def test_the_reader_s_decision_is_slicer_s_status_and_our_own_tag(tmp_path, status, slicer):
    decided = tuple(replace(lymph_node, status=status) for lymph_node in three_lymph_nodes())
    write_seg_nrrd(tmp_path / "x.seg.nrrd", an_instance_map(), decided)
    for segment in read_seg_nrrd(tmp_path / "x.seg.nrrd")[1]:
        assert (segment.tags["Segmentation.Status"], segment.tags["ECE.Status"]) == (slicer, status)


def test_more_than_255_lymph_nodes_keep_their_labels(tmp_path):
    array = np.arange(300, dtype=np.uint16).reshape(1, 10, 30)
    nodes = tuple(a_lymph_node(label) for label in range(1, 300))
    write_seg_nrrd(tmp_path / "x.seg.nrrd", Volume(array, np.eye(4)), nodes)
    volume, segments = read_seg_nrrd(tmp_path / "x.seg.nrrd")
    np.testing.assert_array_equal(volume.array, array)
    assert len(segments) == 299


def test_no_lymph_node_is_an_empty_segmentation(tmp_path):
    empty = Volume(np.zeros((2, 3, 4), np.uint16), np.eye(4))
    write_seg_nrrd(tmp_path / "x.seg.nrrd", empty, ())
    volume, segments = read_seg_nrrd(tmp_path / "x.seg.nrrd")
    assert segments == () and volume.shape == (2, 3, 4) and not volume.array.any()


def test_a_label_without_a_lymph_node_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"labels without a lymph node: \[3\]"):
        write_seg_nrrd(tmp_path / "x.seg.nrrd", an_instance_map(), three_lymph_nodes()[:2])


def test_hostile_names_cannot_add_header_lines_or_tags(tmp_path):
    nodes = (*three_lymph_nodes()[:2], a_lymph_node(3, level="II\nSegment0_Name:=hacked"))
    write_seg_nrrd(tmp_path / "x.seg.nrrd", an_instance_map(), nodes, "name|Segmentation.Status:flagged")
    segments = read_seg_nrrd(tmp_path / "x.seg.nrrd")[1]
    assert segments[0].name == "LN1 left II, ENE"
    assert segments[0].tags["Segmentation.Status"] == "notstarted"


def test_the_same_input_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_seg_nrrd(tmp_path / f"{name}.seg.nrrd", an_instance_map(), three_lymph_nodes())
    assert (tmp_path / "a.seg.nrrd").read_bytes() == (tmp_path / "b.seg.nrrd").read_bytes()


def test_a_missing_and_a_damaged_file_are_refused_without_their_path(tmp_path):
    folder = tmp_path / "DOE_JOHN"
    folder.mkdir()
    with pytest.raises(InputError, match="missing from the result"):
        read_seg_nrrd(folder / "x.seg.nrrd")
    (folder / "x.seg.nrrd").write_bytes(b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n\n1")
    with pytest.raises(InputError, match="damaged or not a labelmap") as caught:
        read_seg_nrrd(folder / "x.seg.nrrd")
    assert "DOE" not in str(caught.value)


def test_overlapping_segments_saved_by_slicer_are_refused_in_words(tmp_path):
    layers = sitk.GetImageFromArray(np.zeros((3, 4, 5, 2), np.uint8), isVector=True)
    sitk.WriteImage(layers, str(tmp_path / "x.seg.nrrd"))
    with pytest.raises(InputError, match=r"segments of this segmentation overlap.*In Slicer"):
        read_seg_nrrd(tmp_path / "x.seg.nrrd")


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float32])
def test_every_type_that_we_write_is_read_by_simpleitk(tmp_path, kind):
    values = np.arange(24).reshape(2, 3, 4).astype(kind)
    write_nrrd(Volume(values.astype(kind, order="F"), np.diag([0.5, 2, 3, 1])), tmp_path / "x.nrrd")
    image = sitk.ReadImage(str(tmp_path / "x.nrrd"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), values)
    assert image.GetSpacing() == (0.5, 2, 3)


def test_a_type_that_we_do_not_write_is_named(tmp_path):
    with pytest.raises(ValueError, match="NRRD of float64 is not written"):
        write_nrrd(Volume(np.zeros((1, 1, 1)), np.eye(4)), tmp_path / "x.nrrd")


def test_the_data_are_one_gzip_stream_of_the_array(tmp_path):
    write_nrrd(an_instance_map(), tmp_path / "x.nrrd")
    data = (tmp_path / "x.nrrd").read_bytes().split(b"\n\n", 1)[1]
    assert gzip.decompress(data) == an_instance_map().array.tobytes()
