"""DICOM Segmentations of others: every voxel where it was drawn, or a reason in words."""

import highdicom as hd
import numpy as np
import pytest
from ece_core.errors import GeometryError, InputError
from ece_core.geometry import Volume, affine_from
from ece_core.io import Scan
from ece_core.io.dicom_seg import read_dicom_seg
from pydicom import Dataset, Sequence
from pydicom.data import get_testdata_file
from pydicom.uid import DeflatedExplicitVRLittleEndian
from seg_files import SHAPE_KJI, a_ct, a_seg, bent, described, in_frame_order, moved, outlines, write_seg

FEET_FIRST = np.diag([-1.0, 1.0, -1.0])
TURNED = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # a sagittal series


@pytest.fixture(scope="module", params=[np.eye(3), FEET_FIRST, TURNED], ids=["axial", "feet first", "sagittal"])
def any_ct(request, tmp_path_factory):
    return a_ct(tmp_path_factory.mktemp("ct") / "ct", request.param)


@pytest.fixture(scope="module")
def ct(tmp_path_factory):
    return a_ct(tmp_path_factory.mktemp("ct") / "ct")


def masks(seg):
    return [segment.mask.array for segment in seg.segments]


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
@pytest.mark.parametrize("omit", [True, False], ids=["cropped to slices", "all slices"])
def test_highdicoms_segments_come_back_voxel_by_voxel(any_ct, tmp_path, kind, omit):
    seg = read_dicom_seg(a_seg(tmp_path / "s.dcm", any_ct, kind=kind, omit_empty_frames=omit), any_ct)
    assert [(s.number, s.label, s.error) for s in seg.segments] == [(1, "GTVn", None), (2, "Parotid", None)]
    for number, mask in enumerate(masks(seg), start=1):
        np.testing.assert_array_equal(mask, outlines(any_ct) == number)
    assert seg.warnings == ()


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(lambda frames: frames[::-1], id="backwards"),
        pytest.param(lambda frames: frames[::2] + frames[1::2], id="interleaved"),
    ],
)
def test_the_order_of_frames_does_not_matter(ct, tmp_path, order):
    path = a_seg(tmp_path / "s.dcm", ct)
    bent(path, in_frame_order(order))
    for number, mask in enumerate(masks(read_dicom_seg(path, ct)), start=1):
        np.testing.assert_array_equal(mask, outlines(ct) == number)


def test_segments_may_overlap(ct, tmp_path):
    stack = np.stack([outlines(ct) == 1, outlines(ct) > 0], axis=-1).astype(np.uint8)
    seg = read_dicom_seg(write_seg(tmp_path / "s.dcm", ct, stack, [described(1, "a"), described(2, "b")]), ct)
    np.testing.assert_array_equal(masks(seg)[0], outlines(ct) == 1)
    np.testing.assert_array_equal(masks(seg)[1], outlines(ct) > 0)


def test_a_segment_without_voxels_is_there_and_empty(ct, tmp_path):
    three = [described(1, "GTVn"), described(2, "b"), described(3, "nothing drawn")]
    seg = read_dicom_seg(write_seg(tmp_path / "s.dcm", ct, outlines(ct), three), ct)
    assert [segment.voxels for segment in seg.segments] == [60, 40, 0]
    assert seg.segments[2].error is None and not seg.segments[2].mask.array.any()


def test_a_deflated_file_and_a_ct_of_which_more_was_scanned(ct, tmp_path):
    path = a_seg(tmp_path / "s.dcm", ct)
    bent(path, lambda ds: setattr(ds.file_meta, "TransferSyntaxUID", DeflatedExplicitVRLittleEndian))
    longer = Scan(
        Volume(np.zeros((20, 30, 40), np.int16), affine_from((2.5, 0.8, 0.8), (-7.0 - 8, -9.0 - 4, -100.0 - 5))),
        "dicom",
        ct.headers,
    )
    mask = read_dicom_seg(path, longer).segments[0].mask.array
    np.testing.assert_array_equal(mask[2:11, 5:22, 10:29], outlines(ct) == 1)
    assert mask.sum() == 60


@pytest.mark.parametrize(
    ("label", "code", "is_lymph_node"),
    [("LN1 left II, ENE", False, True), ("anything", True, True), ("GTVp", False, False), ("PTVn", False, False)],
)
def test_lymph_nodes_are_known_by_code_or_by_name(ct, tmp_path, label, code, is_lymph_node):
    array = (outlines(ct) == 1).astype(np.uint8)
    (segment,) = read_dicom_seg(write_seg(tmp_path / "s.dcm", ct, array, [described(1, label, code)]), ct).segments
    assert segment.is_lymph_node is is_lymph_node and not segment.is_tracked


def test_a_ct_that_is_no_dicom_must_have_the_grid_and_it_is_said(ct, tmp_path):
    path = a_seg(tmp_path / "s.dcm", ct)
    seg = read_dicom_seg(path, Scan(ct.volume, "nifti"))
    assert seg.warnings == ("The CT is no DICOM: whether the segmentation belongs to it was judged by its grid alone.",)
    np.testing.assert_array_equal(masks(seg)[0], outlines(ct) == 1)


def test_every_second_slice_is_said(ct, tmp_path):
    array = outlines(ct) == 1
    array[::2] = False
    array[1:8:2, 4, 6] = True
    seg = read_dicom_seg(write_seg(tmp_path / "s.dcm", ct, array.astype(np.uint8), [described(1, "GTVn")]), ct)
    assert seg.warnings == ("Segment 1 lies only on every 2nd slice of the CT; the slices between were left empty.",)


OTHER_PLACES = [
    pytest.param(moved((0.4, 0, 0)), "Segment 1: it lies between the voxels.*0.4 mm beside", id="half a voxel"),
    pytest.param(moved((0, 0, 1.0)), "Segment 1: it lies between the voxels.*1 mm beside", id="between slices"),
    pytest.param(moved((0, 0, 250.0)), "Segment 1: 20 of its voxels lie outside the CT", id="off the end"),
]


@pytest.mark.parametrize(("change", "words"), OTHER_PLACES)
def test_off_the_grid_is_refused_never_resampled(ct, tmp_path, change, words):
    path = a_seg(tmp_path / "s.dcm", ct)
    bent(path, change)
    segment = read_dicom_seg(path, ct).segments[0]
    assert isinstance(segment.error, GeometryError) and segment.mask is None
    with pytest.raises(GeometryError, match=words + ".*(Choose the CT series)"):
        raise segment.error


def test_one_bad_segment_leaves_the_others(ct, tmp_path):
    path = a_seg(tmp_path / "s.dcm", ct)
    bent(path, moved((0.4, 0, 0), segment=2))
    first, second = read_dicom_seg(path, ct).segments
    np.testing.assert_array_equal(first.mask.array, outlines(ct) == 1)
    assert "Segment 2: it lies between" in str(second.error)


def test_rounded_positions_are_on_the_grid(ct, tmp_path):
    path = a_seg(tmp_path / "s.dcm", ct)
    bent(path, moved((0.004, -0.004, 0.01)))
    np.testing.assert_array_equal(read_dicom_seg(path, ct).segments[0].mask.array, outlines(ct) == 1)


def with_shared(keyword, item):
    def change(dataset: Dataset) -> None:
        inner = Dataset()
        for name, value in item.items():
            setattr(inner, name, value)
        setattr(dataset.SharedFunctionalGroupsSequence[0], keyword, Sequence([inner]))

    return change


def test_coarser_pixels_are_refused_in_the_right_words(ct, tmp_path):
    path = a_seg(tmp_path / "s.dcm", ct)
    bent(path, with_shared("PixelMeasuresSequence", {"PixelSpacing": [1.6, 1.6], "SliceThickness": 2.5}))
    error = read_dicom_seg(path, ct).segments[0].error
    with pytest.raises(GeometryError, match="pixels of 1.6 x 1.6 mm are not the voxels of the CT.*Or resample"):
        raise error


def test_two_frames_at_one_place_are_refused(ct, tmp_path):
    path = a_seg(tmp_path / "s.dcm", ct)

    def twice(dataset: Dataset) -> None:
        first, second = dataset.PerFrameFunctionalGroupsSequence[:2]
        second.PlanePositionSequence = first.PlanePositionSequence

    bent(path, twice)
    assert "Segment 1: two frames have one position" in str(read_dicom_seg(path, ct).segments[0].error)


def setting(keyword, value):
    return lambda dataset: setattr(dataset, keyword, value)


def other_segment(dataset: Dataset) -> None:
    dataset.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence[0].ReferencedSegmentNumber = 7


def one_number_twice(dataset: Dataset) -> None:
    dataset.SegmentSequence[1].SegmentNumber = 1


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        pytest.param(
            setting("FrameOfReferenceUID", "1.2.3"),
            GeometryError,
            "another frame of reference.*Choose the CT series",
            id="another frame of reference",
        ),
        pytest.param(lambda ds: delattr(ds, "FrameOfReferenceUID"), GeometryError, "names no frame", id="none at all"),
        pytest.param(
            setting("SegmentationType", "FRACTIONAL"), InputError, "FRACTIONAL.*Export it as a BINARY", id="fractional"
        ),
        pytest.param(
            setting("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2"), InputError, "no DICOM Segmentation but", id="a CT"
        ),
        pytest.param(setting("PixelData", b"\0\0"), InputError, "pixel data.*incomplete.*Export", id="cut short"),
        pytest.param(
            setting("NumberOfFrames", 999), InputError, "another number of frames", id="frames that are not there"
        ),
        pytest.param(other_segment, InputError, "no description of its segment 7", id="an unknown segment"),
        pytest.param(one_number_twice, InputError, "Two segments.*one number", id="one number twice"),
        pytest.param(
            lambda ds: delattr(ds.PerFrameFunctionalGroupsSequence[0], "PlanePositionSequence"),
            None,
            "Segment 1: A frame.*has no PlanePositionSequence",
            id="no position",
        ),
        pytest.param(lambda ds: delattr(ds, "SegmentSequence"), InputError, "incomplete or damaged", id="no segments"),
        pytest.param(setting("Rows", 0), InputError, "0 rows", id="no rows"),
    ],
)
def test_damage_is_said_in_words(ct, tmp_path, change, error, words):
    path = a_seg(tmp_path / "MARKED_NAME.dcm", ct)
    bent(path, change)
    if error is None:
        error, failure = InputError, read_dicom_seg(path, ct).segments[0].error
        with pytest.raises(error, match=words):
            raise failure
        return
    with pytest.raises(error, match=words) as raised:
        read_dicom_seg(path, ct)
    assert "MARKED" not in str(raised.value)


def test_a_file_that_is_no_dicom(ct, tmp_path):
    (tmp_path / "x.dcm").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a DICOM file"):
        read_dicom_seg(tmp_path / "x.dcm", ct)


def test_pydicoms_liver_belongs_to_another_scan(ct):
    path = get_testdata_file("liver_1frame.dcm", download=False)
    if path is None:
        pytest.skip("pydicom came without its test file liver_1frame.dcm")
    with pytest.raises(GeometryError, match="another frame of reference"):
        read_dicom_seg(path, ct)


def test_our_frames_begin_within_a_byte(ct, tmp_path):
    """Guards the fixture: 323 bits a frame, so that unpacking by whole bytes would be seen."""
    seg = hd.seg.segread(a_seg(tmp_path / "s.dcm", ct))
    assert (SHAPE_KJI[1] * SHAPE_KJI[2]) % 8 == 3 and seg.NumberOfFrames == 6
