"""Structure sets that are wrong in one place: that ROI says so in words, and the others load whole."""

import copy
import logging
import warnings

import numpy as np
import pytest
from a_structure_set import DIRECTIONS, a_ct, read_bent, three_lymph_nodes, written
from ece_core.errors import EmptyMaskError, GeometryError, InputError
from ece_core.io import Scan
from ece_core.io.rtstruct import read_rtstruct
from pydicom import Dataset
from pydicom.dataelem import DataElement

OTHER_UID = "1.2.3.4.5"


@pytest.fixture(scope="module")
def ct(tmp_path_factory) -> Scan:
    return a_ct(tmp_path_factory.mktemp("ct"))


def contours_of_roi_1(ds: Dataset) -> list[Dataset]:
    return ds.ROIContourSequence[0].ContourSequence


def points(ds: Dataset, change, only=slice(None)) -> None:
    """Put ``change(points (n, 3))`` into the contours of ROI 1."""
    for contour in contours_of_roi_1(ds)[only]:
        changed = change(np.array(contour.ContourData, float).reshape(-1, 3))
        contour.ContourData = [f"{value:.4f}" for value in np.ravel(changed)]
        contour.NumberOfContourPoints = len(contour.ContourData) // 3


def raw_data(text: str):
    """ContourData of the first contour as text that pydicom does not look at."""

    def bend(ds: Dataset) -> None:
        element = DataElement("ContourData", "DS", text.split("\\") if text else None, already_converted=True)
        contours_of_roi_1(ds)[0].add(element)

    return bend


def another_frame(ds: Dataset) -> None:
    ds.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = OTHER_UID


def dangling_image(ds: Dataset) -> None:
    contours_of_roi_1(ds)[1].ContourImageSequence[0].ReferencedSOPInstanceUID = OTHER_UID


def of_type(kind: str, only=slice(None)):
    def bend(ds: Dataset) -> None:
        for contour in contours_of_roi_1(ds)[only]:
            contour.ContourGeometricType = kind

    return bend


def no_contour_sequence(ds: Dataset) -> None:
    del ds.ROIContourSequence[0].ContourSequence


def empty_contour_sequence(ds: Dataset) -> None:
    ds.ROIContourSequence[0].ContourSequence = []


def no_contour_item(ds: Dataset) -> None:
    del ds.ROIContourSequence[0]


def no_contour_data(ds: Dataset) -> None:
    del contours_of_roi_1(ds)[0].ContourData


def wrong_count(ds: Dataset) -> None:
    contours_of_roi_1(ds)[0].NumberOfContourPoints = 99


def tilted(ds: Dataset) -> None:
    points(ds, lambda xyz: xyz + np.column_stack([np.zeros((len(xyz), 2)), np.linspace(0, 2, len(xyz))]), slice(1))


def shifted(x=0.0, y=0.0, z=0.0):
    return lambda ds: points(ds, lambda xyz: xyz + (x, y, z))


def one_point_each(ds: Dataset) -> None:
    points(ds, lambda xyz: xyz[:1])


def too_small(ds: Dataset) -> None:
    points(ds, lambda xyz: xyz[:1] + [[0, 0, 0], [1e-3, 0, 0], [0, 1e-3, 0]])


def number_twice(ds: Dataset) -> None:
    ds.StructureSetROISequence.append(ds.StructureSetROISequence[0])


BAD = [
    pytest.param(another_frame, GeometryError, "ROI 1 lies in another frame of reference than the CT.*Choose the CT"),
    pytest.param(dangling_image, InputError, r"1 of 6 contours of ROI 1 refer to images that are not in this CT"),
    pytest.param(of_type("POINT"), InputError, r"6 of 6 contours of ROI 1 are not closed \(6 POINT\)"),
    pytest.param(
        of_type("OPEN_PLANAR", slice(2)), InputError, r"2 of 6 .* not closed \(2 OPEN_PLANAR\).*closed contou"
    ),
    pytest.param(of_type("OPEN_NONPLANAR", slice(1)), InputError, r"\(1 OPEN_NONPLANAR\)"),
    pytest.param(of_type("ZZMARKED", slice(1)), InputError, r"not closed \(1 of an unknown type\)"),
    pytest.param(no_contour_sequence, EmptyMaskError, "ROI 1 has no contours.*Draw it again, or leave it out"),
    pytest.param(empty_contour_sequence, EmptyMaskError, "ROI 1 has no contours"),
    pytest.param(no_contour_item, EmptyMaskError, "ROI 1 has no contours"),
    pytest.param(no_contour_data, InputError, r"ROI 1 has no points \(ContourData is empty\)"),
    pytest.param(raw_data(""), InputError, r"ROI 1 has no points \(ContourData is empty\)"),
    pytest.param(raw_data("1\\2\\3\\4"), InputError, "has 4 coordinates, which is not a multiple of 3: it was cut off"),
    pytest.param(raw_data("1\\2\\3\\4\\nan\\6"), GeometryError, "ROI 1 has coordinates that are not finite points"),
    pytest.param(raw_data("1\\2\\inf"), GeometryError, "coordinates that are not finite points near the scanner"),
    pytest.param(raw_data("1\\2\\1e30"), GeometryError, "coordinates that are not finite points near the scanner"),
    pytest.param(raw_data("1,5\\2\\3"), InputError, "holds something that is not a number"),
    pytest.param(raw_data("ZZMARKED"), InputError, "holds something that is not a number"),
    pytest.param(wrong_count, InputError, r"ROI 1 has \d+ points, but the file says 99: it was cut off"),
    pytest.param(tilted, GeometryError, r"ROI 1 are not parallel to the CT's slices: .* 2\.0 mm along"),
    pytest.param(shifted(z=1.0), GeometryError, r"6 of 6 contours of ROI 1 lie between two slices .* up to 1\.00 mm"),
    pytest.param(shifted(z=250.0), GeometryError, "6 of 6 contours of ROI 1 lie outside of the scan"),
    pytest.param(shifted(z=-7.5), GeometryError, "1 of 6 contours of ROI 1 lie outside of the scan"),
    pytest.param(shifted(x=-5.0), GeometryError, "lie outside of the scan.*with all of its slices"),
    pytest.param(one_point_each, EmptyMaskError, "ROI 1 have one or two points and enclose nothing"),
    pytest.param(too_small, EmptyMaskError, "ROI 1 are so small that they enclose no voxel center"),
    pytest.param(number_twice, InputError, "2 ROIs share the number 1"),
]


@pytest.mark.parametrize(("bend", "kind", "words"), BAD)
def test_a_wrong_roi_says_so_and_the_others_load(tmp_path, ct, bend, kind, words):
    instances = three_lymph_nodes(ct)
    first, second, third, *_ = read_bent(tmp_path, ct, bend).rois
    assert first.mask is None
    with pytest.raises(kind, match=words) as raised:
        raise first.error
    assert "ZZMARKED" not in str(raised.value)
    np.testing.assert_array_equal(second.mask.array, instances.array == 2)
    np.testing.assert_array_equal(third.mask.array, instances.array == 7)


def test_nothing_of_the_file_reaches_a_log_or_a_warning(tmp_path, ct, caplog):
    path = written(tmp_path, ct, raw_data("ZZMARKED"))
    with warnings.catch_warnings(), caplog.at_level(logging.DEBUG):
        warnings.simplefilter("error")
        read_rtstruct(path, ct)
    assert "ZZMARKED" not in caplog.text


def test_positions_rounded_by_the_planning_system_still_lie_on_their_slices(tmp_path, ct):
    structure_set = read_bent(tmp_path, ct, shifted(z=0.5))
    np.testing.assert_array_equal(structure_set.rois[0].mask.array, three_lymph_nodes(ct).array == 1)


def test_contours_of_a_scan_with_thinner_slices_do_not_undo_each_other(tmp_path, ct):
    """The same outline on two planes 1.25 mm apart: both are nearest to one slice, and even-odd would empty it."""

    def bend(ds: Dataset) -> None:
        first = contours_of_roi_1(ds)[0]
        ds.ROIContourSequence[0].ContourSequence = [first, copy.deepcopy(first)]
        points(ds, lambda xyz: xyz + (0, 0, 1.24), slice(1, 2))

    with pytest.raises(GeometryError, match="1 of 2 contours of ROI 1 lie between two slices"):
        raise read_bent(tmp_path, ct, bend).rois[0].error


def test_a_contour_that_the_file_holds_twice_is_taken_once(tmp_path, ct):
    def bend(ds: Dataset) -> None:
        ds.ROIContourSequence[0].ContourSequence += contours_of_roi_1(ds)[:2]

    roi = read_bent(tmp_path, ct, bend).rois[0]
    np.testing.assert_array_equal(roi.mask.array, three_lymph_nodes(ct).array == 1)
    assert roi.warnings == ("ROI 1: 2 contours that the file holds twice were taken once.",)


def test_a_stray_click_is_left_out(tmp_path, ct):
    def bend(ds: Dataset) -> None:
        contours_of_roi_1(ds).append(Dataset())
        contours_of_roi_1(ds)[-1].ContourGeometricType = "CLOSED_PLANAR"
        contours_of_roi_1(ds)[-1].ContourData = ["1", "2", "3"]

    roi = read_bent(tmp_path, ct, bend).rois[0]
    np.testing.assert_array_equal(roi.mask.array, three_lymph_nodes(ct).array == 1)
    assert roi.warnings == ("ROI 1: 1 contours of one or two points were left out.",)


def test_closed_planar_xor_means_what_we_do_anyway(tmp_path, ct):
    roi = read_bent(tmp_path, ct, of_type("CLOSEDPLANAR_XOR")).rois[0]
    np.testing.assert_array_equal(roi.mask.array, three_lymph_nodes(ct).array == 1)


def test_contours_on_every_second_slice_are_not_filled_up_and_said(tmp_path, ct):
    def bend(ds: Dataset) -> None:
        heights = {contour.ContourData[2] for contour in contours_of_roi_1(ds)}
        wanted = sorted(heights)[::2]
        kept = [contour for contour in contours_of_roi_1(ds) if contour.ContourData[2] in wanted]
        ds.ROIContourSequence[0].ContourSequence = [*kept, copy.deepcopy(kept[-1])]
        points(ds, lambda xyz: xyz + (0, 0, 5.0), slice(-1, None))
        del contours_of_roi_1(ds)[-1].ContourImageSequence

    roi = read_bent(tmp_path, ct, bend).rois[0]
    assert np.flatnonzero(roi.mask.array.any(axis=(1, 2))).tolist() == [2, 4, 6]
    assert roi.warnings == ("ROI 1 has contours on about every 2. slice only; the slices between them stay empty.",)


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=list(DIRECTIONS))
def test_coordinates_decide_where_a_contour_lies_and_a_wrong_reference_is_said(tmp_path, direction):
    """What plastimatch 1.9.4 writes for an oblique series."""
    ct = a_ct(tmp_path / "ct", direction)

    def bend(ds: Dataset) -> None:
        for contour in contours_of_roi_1(ds):
            contour.ContourImageSequence[0].ReferencedSOPInstanceUID = ct.headers[9].SOPInstanceUID

    structure_set = read_bent(tmp_path, ct, bend)
    np.testing.assert_array_equal(structure_set.rois[0].mask.array, three_lymph_nodes(ct).array == 1)
    (warning,) = structure_set.warnings
    assert warning.startswith("ROI 1: 6 of 6 contours refer to a slice that they do not lie on")


@pytest.mark.parametrize("bend", [another_frame, dangling_image])
def test_position_alone_decides_on_request(tmp_path, ct, bend):
    roi = read_bent(tmp_path, ct, bend, check_references=False).rois[0]
    np.testing.assert_array_equal(roi.mask.array, three_lymph_nodes(ct).array == 1)


def test_position_alone_decides_where_the_ct_was_not_dicom_and_that_is_said(tmp_path, ct):
    nifti = Scan(ct.volume, "nifti")
    structure_set = read_rtstruct(written(tmp_path, ct, another_frame), nifti)
    np.testing.assert_array_equal(structure_set.rois[0].mask.array, three_lymph_nodes(ct).array == 1)
    assert structure_set.warnings == ("The CT is not DICOM: contours are placed by position alone.",)


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (None, [1, 2, 7]),
        ("^GTVn", [1, 2]),
        (lambda name: "right" in name, [2]),
        (r"(?i)gtvN_LEFT", [1]),
        ("nothing", []),
    ],
)
def test_rois_are_chosen_by_name(tmp_path, ct, names, numbers):
    assert [roi.number for roi in read_rtstruct(written(tmp_path, ct), ct, names).rois] == numbers


def test_an_roi_may_have_the_number_0(tmp_path, ct):
    """plastimatch counts from 0."""

    def bend(ds: Dataset) -> None:
        ds.StructureSetROISequence[0].ROINumber = ds.ROIContourSequence[0].ReferencedROINumber = 0

    roi = read_bent(tmp_path, ct, bend).rois[0]
    assert (roi.number, roi.error) == (0, None)


def test_an_roi_without_a_number_has_no_contours(tmp_path, ct):
    def bend(ds: Dataset) -> None:
        del ds.StructureSetROISequence[0].ROINumber

    first, second, third, stray = read_bent(tmp_path, ct, bend).rois
    with pytest.raises(InputError, match="An ROI of the structure set has no number"):
        raise first.error
    assert second.error is None
    assert third.error is None
    assert stray.name == ""
    with pytest.raises(InputError, match="contours of ROI 1 belong to no ROI that the file defines"):
        raise stray.error


def test_only_what_says_so_is_one_lymph_node_in_several_pieces(tmp_path, ct):
    def bend(ds: Dataset) -> None:
        ds.StructureSetROISequence[0].ROIDescription = "all nodes of the left neck"

    assert [roi.one_lymph_node for roi in read_bent(tmp_path, ct, bend).rois] == [False, True, True]


def remove(*keywords: str):
    def bend(ds: Dataset) -> None:
        for keyword in keywords:
            delattr(ds, keyword)

    return bend


def test_without_any_contours_every_roi_says_so(tmp_path, ct):
    rois = read_bent(tmp_path, ct, remove("ROIContourSequence")).rois
    assert [str(roi.error) for roi in rois] == [
        f"ROI {number} has no contours. Draw it again, or leave it out." for number in (1, 2, 7)
    ]


def test_a_structure_set_without_rois_is_refused(tmp_path, ct):
    with pytest.raises(InputError, match="defines no ROI.*Export the structure set again"):
        read_bent(tmp_path, ct, remove("StructureSetROISequence"))


def test_a_ct_slice_is_no_structure_set(tmp_path, ct):
    def bend(ds: Dataset) -> None:
        ds.SOPClassUID = ct.headers[0].SOPClassUID

    with pytest.raises(InputError, match="not an RT Structure Set.*RTSTRUCT file of the CT's study"):
        read_bent(tmp_path, ct, bend)


@pytest.mark.parametrize("content", [b"", b"no DICOM at all", b"\0" * 200])
def test_what_is_not_dicom_is_refused(tmp_path, ct, content):
    (tmp_path / "rt.dcm").write_bytes(content)
    with pytest.raises(InputError, match="not a DICOM file, or it is empty or damaged"):
        read_rtstruct(tmp_path / "rt.dcm", ct)


def test_a_file_cut_anywhere_loads_what_is_whole_or_says_why(tmp_path, ct):
    """No crash, and never a wrong mask: what loads is exact."""
    instances = three_lymph_nodes(ct)
    whole = written(tmp_path, ct).read_bytes()
    cut = tmp_path / "cut.dcm"
    for length in np.linspace(200, len(whole) - 1, 40).astype(int):
        cut.write_bytes(whole[:length])
        try:
            rois = read_rtstruct(cut, ct).rois
        except InputError:
            continue
        for roi in rois:
            if roi.mask is not None:
                np.testing.assert_array_equal(roi.mask.array, instances.array == roi.number, err_msg=str(length))


@pytest.fixture
def rt_utils_phantom(shared_data, tmp_path):
    """Two slices of a phantom, and the folder of its structure sets (qurit/rt-utils, MIT)."""
    from ece_core.io import read_ct

    folder = shared_data / "rtstruct_rtutils_phantom"
    if not folder.is_dir():
        pytest.skip("rtstruct_rtutils_phantom is not in the shared data")
    for name in ("ct_1.dcm", "ct_2.dcm"):
        (tmp_path / name).symlink_to(folder / name)
    return read_ct(tmp_path), folder


def test_rt_utils_phantom_has_a_square_with_a_hole(rt_utils_phantom):
    """rt-utils gave the file a frame of reference of its own: refused, unless position alone is asked for."""
    ct, folder = rt_utils_phantom
    with pytest.raises(GeometryError, match="ROI 1 lies in another frame of reference"):
        raise read_rtstruct(folder / "rt.dcm", ct).rois[0].error
    (roi,) = read_rtstruct(folder / "rt.dcm", ct, check_references=False).rois
    assert roi.mask.array[0].any()
    assert not roi.mask.array[1].any()
    area_mm2 = roi.mask.array.sum() * np.prod(roi.mask.spacing_mm[1:])
    # The outer square is 24 x 24 mm; of the inner one (15 x 15 mm) one corner is cut, by a triangle of 1 x 1 mm.
    assert area_mm2 == pytest.approx(24 * 24 - (15 * 15 - 0.5), abs=24 * 4 * 0.488 / 4)


@pytest.mark.parametrize("file", ["invalid_reference_rt.dcm", "non_existent_reference_rt.dcm"])
def test_rt_utils_phantom_with_images_of_another_series_is_refused_in_words(rt_utils_phantom, file):
    ct, folder = rt_utils_phantom
    rois = read_rtstruct(folder / file, ct).rois
    assert [roi.number for roi in rois] == [1, 2, 3, 4]
    for roi in rois:
        assert f"1 of 3 contours of ROI {roi.number} refer to images that are not in this CT series" in str(roi.error)
    for roi in read_rtstruct(folder / file, ct, check_references=False).rois:
        assert f"1 of 3 contours of ROI {roi.number} lie outside of the scan" in str(roi.error)
