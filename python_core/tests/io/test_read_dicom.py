"""What a DICOM folder may look like and still be one CT, and what is refused, in which words (dicom.md section 4)."""

import hashlib

import dicom_variants as variants
import numpy as np
import pytest
from dicom_variants import MARKED, a_neck_phantom, a_series, save, setting, without
from ece_core.errors import GeometryError, InputError
from ece_core.geometry import Volume, affine_from
from ece_core.io import list_series, read_ct, write_ct_series
from ece_core.io.dicom_instances import frames_of_slices, instances_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)
from scipy.spatial.transform import Rotation


def read(tmp_path, variant, **options):
    return read_ct(save(variant(a_series(tmp_path, **options)), tmp_path))


ACCEPTED = {
    "regular": lambda slices: slices,
    "files in reverse": lambda slices: slices[::-1],
    "instance number 1 everywhere": setting("InstanceNumber", 1),
    "no instance number": without("InstanceNumber"),
    "positions rounded to 10 um": variants.jittered(0.005),
    "12 bits unsigned, rubbish above": variants.unsigned_12_bit,
    "12 bits signed": variants.signed_12_bit,
    "rescale differs per slice": variants.rescale_per_slice,
    "implicit little endian": variants.encoded(ImplicitVRLittleEndian),
    "deflated": variants.encoded(DeflatedExplicitVRLittleEndian),
    "RLE": variants.encoded(RLELossless),
    "JPEG-LS": variants.encoded(JPEGLSLossless),
    "no modality": without("Modality"),
    "modality spelled with blanks": setting("Modality", "CT "),
    "sequence nested 100 deep": variants.deeply_nested,
}


@pytest.mark.parametrize("variant", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_regular_series_is_read_exactly(tmp_path, variant):
    scan = read(tmp_path, variant)
    expected = a_neck_phantom()
    assert scan.volume.array.dtype == np.int16
    np.testing.assert_array_equal(scan.volume.array, expected.array)
    np.testing.assert_allclose(scan.volume.affine, expected.affine, atol=0.011)
    assert scan.warnings == ()
    assert (scan.format, scan.modality) == ("dicom", "CT")


def test_big_endian_is_read_exactly(tmp_path):
    slices = a_series(tmp_path)
    for ds in slices:
        list(ds.iterall())  # numbers, no longer the little-endian bytes that were read
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
        ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        ds.set_original_encoding(False, False)
    np.testing.assert_array_equal(read_ct(save(slices, tmp_path)).volume.array, a_neck_phantom().array)


def test_headers_follow_the_order_of_k_and_hold_no_pixels(tmp_path):
    scan = read(tmp_path, lambda slices: slices, slice_order="shuffled")
    heights = [float(header.ImagePositionPatient[2]) for header in scan.headers]
    assert heights == [-100.0 + 2.5 * k for k in range(variants.SLICES)]
    assert not any("PixelData" in header for header in scan.headers)


def test_series_uid_leaves_the_reader_only_as_a_hash(tmp_path):
    slices = a_series(tmp_path)
    expected = hashlib.sha256(slices[0].SeriesInstanceUID.encode()).hexdigest()
    assert read_ct(save(slices, tmp_path)).series_uid_sha256 == expected


def test_values_between_whole_hu_are_kept_as_float(tmp_path):
    scan = read(tmp_path, variants.half_unit_slope)
    assert scan.volume.array.dtype == np.float32
    # Stored 2 (hu + 1024) + 1, times 0.5, minus 1024: half a unit above the phantom.
    np.testing.assert_array_equal(scan.volume.array, a_neck_phantom().array + 0.5)


def test_padding_becomes_air_although_its_sign_is_written_wrong(tmp_path):
    scan = read(tmp_path, variants.padded_row)
    assert (scan.volume.array[:, 0] == -1024).all()
    np.testing.assert_array_equal(scan.volume.array[:, 1:], a_neck_phantom().array[:, 1:])


def test_padding_value_that_is_soft_tissue_is_not_believed(tmp_path):
    def water_is_padding(slices):
        for ds in slices:
            ds.add_new("PixelPaddingValue", "US", 1064)  # 40 HU
        return slices

    np.testing.assert_array_equal(read(tmp_path, water_is_padding).volume.array, a_neck_phantom().array)


def test_values_below_air_become_air(tmp_path):
    volume = a_neck_phantom()
    low = volume.with_array(np.where(volume.array < -900, -3024, volume.array).astype(np.int16))
    slices = a_series(tmp_path, low, signed=True)
    for ds in slices:  # as cornerstone's example: stored -2000, intercept -1024
        stored = np.frombuffer(ds.PixelData, "<i2").copy()
        stored[stored == -1024] = -3024
        ds.PixelData = stored.tobytes()
    assert read_ct(save(slices, tmp_path)).volume.array.min() == -1024


def test_stored_values_beyond_int16_are_held_at_its_end(tmp_path):
    def one_hot_voxel(slices):
        stored = np.frombuffer(slices[0].PixelData, "<u2").copy()
        stored[0] = 65535  # 64511 HU
        slices[0].PixelData = stored.tobytes()
        return slices

    assert read(tmp_path, one_hot_voxel).volume.array.max() == 32767


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        (variants.same_file_twice, "1 exact copy of a slice was left out"),
        (variants.with_marked_localizer, "Set aside, no CT slices: 1 localizer"),
        (variants.with_unmarked_localizer, "1 image of another orientation inside the series"),
        (variants.without_slice(11), "scanner recorded 12 images, 11 were found"),
        (setting("InstanceNumber", 20, only=[11]), "leave out 8 numbers"),
        (variants.without_slice(), None),
    ],
    ids=["copy", "marked localizer", "unmarked localizer", "end slice missing", "instance numbers", "complete"],
)
def test_what_geometry_cannot_settle_is_said(tmp_path, variant, words):
    said = setting("ImagesInAcquisition", variants.SLICES)(a_series(tmp_path))
    scan = read_ct(save(variant(said), tmp_path))
    assert len(scan.warnings) == (words is not None)
    assert words is None or words in scan.warnings[0]


def test_an_mr_study_beside_the_ct_is_set_aside_and_named(tmp_path):
    mr = variants.as_other_object("1.2.840.10008.5.1.4.1.1.4", "MR")(a_series(tmp_path, seed=5))
    scan = read_ct(save([*a_series(tmp_path), *mr], tmp_path))
    assert scan.warnings == ("Set aside, no CT slices: 12 MR Image Storage.",)
    assert scan.volume.shape == a_neck_phantom().shape


def test_other_files_in_the_folder_do_not_disturb(tmp_path):
    folder = save(a_series(tmp_path), tmp_path)
    (folder / "notes.txt").write_text("not DICOM")
    (folder / "extra.dcm").write_bytes(b"")
    (folder / "nested").mkdir()
    assert read_ct(folder).warnings == ("1 file was left out: it is not a DICOM file, or it is empty or damaged.",)


REFUSED_GEOMETRY = {
    "gantry tilt": (variants.tilted, r"gantry was tilted by 15.0 degrees.*--correct tilt"),
    "uneven": (variants.uneven, r"Slice distances differ: from 2.500 to 5.000 mm.*equal slice distances"),
    "one gap": (variants.without_slice(4), r"A slice is missing: .*2.5 mm apart, but 5 mm .*\(-7.0, -9.0, -90.0\)"),
    "two gaps": (variants.without_slice(4, 8), r"2 slices are missing.*first expected at position .*-90.0"),
    "wide gap": (variants.without_slice(4, 5, 6), r"3 slices are missing.*complete series"),
    "jitter beyond rounding": (variants.jittered(0.06), "Slice distances differ: from 2.380 to 2.620 mm"),
    "table shift": (variants.shifted_sideways, "shifted sideways against each other by up to 3.00 mm"),
    "two kernels": (
        variants.two_kernels,
        r"12 of 12 positions hold more than one slice: #1 kernel B70f \(12 slices\), #2 kernel SIMULATED \(12 slices\)",
    ),
    "two acquisitions": (
        variants.two_acquisitions,
        r"#1 acquisition 1 \(12 slices\), .*number: --series [\d.]+#1\. In Slicer, load one",
    ),
    "two alike": (variants.two_alike, "12 of 12 positions hold more than one slice, which the headers do not tell ap"),
    "one position": (variants.one_position, "All 12 slices lie at one position"),
    "axial and coronal": (variants.axial_and_coronal, "mixes slices of 2 orientations: 12 axial, 12 coronal"),
    "no position": (without("ImagePositionPatient"), "ImagePositionPatient is missing in all 12 slices"),
    "no position in two": (without("ImagePositionPatient", [1, 2]), "Patient is missing in 2 of 12 slices"),
    "no orientation": (without("ImageOrientationPatient"), "ImageOrientationPatient is missing in all 12"),
    "zero orientation": (setting("ImageOrientationPatient", [0] * 6), "not made of unit directions in all 12"),
    "long directions": (setting("ImageOrientationPatient", [2, 0, 0, 0, 2, 0]), "not made of unit directions"),
    "skewed axes": (setting("ImageOrientationPatient", [1, 0, 0, "0.6", "0.8", 0]), r"not at right angles.*53.1 deg"),
    "five directions": (setting("ImageOrientationPatient", [1, 0, 0, 0, 1]), "does not hold 6 numbers"),
    "NaN orientation": (setting("ImageOrientationPatient", ["nan", 0, 0, 0, 1, 0]), "not made of unit directions"),
    "infinite position": (setting("ImagePositionPatient", [0, 0, "inf"], [3]), "not a finite point.* 1 of 12"),
    "NaN position": (setting("ImagePositionPatient", ["nan", 0, 0], [3]), "not a finite point.* in 1 of 12"),
    "absurd position": (setting("ImagePositionPatient", [0, 0, "1e300"], [3]), "not a finite point"),
    "zero spacing": (setting("PixelSpacing", [0, 0]), "PixelSpacing is 0 x 0 mm in all 12 slices.*0.01 and 50 mm"),
    "negative spacing": (setting("PixelSpacing", ["-0.5", "0.5"]), "PixelSpacing is -0.5 x 0.5 mm"),
    "NaN spacing": (setting("PixelSpacing", ["nan", "0.5"], [7]), "PixelSpacing is nan x 0.5 mm in 1 of 12"),
    "infinite spacing": (setting("PixelSpacing", ["inf", "0.5"]), "PixelSpacing is inf x 0.5 mm"),
    "two spacings": (setting("PixelSpacing", ["0.5", "0.5"], [7]), "PixelSpacing differs between slices: 0.5 to 0.8"),
    "no spacing": (without("PixelSpacing"), "PixelSpacing is missing in all 12 slices"),
    "one spacing": (setting("PixelSpacing", "0.5"), "PixelSpacing does not hold 2 numbers in all 12 slices"),
}


@pytest.mark.parametrize(("variant", "words"), REFUSED_GEOMETRY.values(), ids=REFUSED_GEOMETRY.keys())
def test_geometry_that_is_no_regular_grid_is_refused_in_its_own_words(tmp_path, variant, words):
    with pytest.raises(GeometryError, match=words) as caught:
        read(tmp_path, variant)
    assert MARKED not in str(caught.value)


def test_several_series_are_listed_and_one_can_be_chosen(tmp_path):
    large, small = a_series(tmp_path, seed=1), a_series(tmp_path, a_neck_phantom(slices=5), seed=2)
    folder = save([*small, *large], tmp_path)
    uids = [large[0].SeriesInstanceUID, small[0].SeriesInstanceUID]
    with pytest.raises(InputError, match=r"(?s)holds 2 CT series.*--series UID") as caught:
        read_ct(folder)
    assert f"1. CT, 12 slices, 20 x 24, 2.5 x 0.8 x 0.6 mm, {uids[0]}" in str(caught.value)
    assert f"2. CT, 5 slices, 20 x 24, 2.5 x 0.8 x 0.6 mm, {uids[1]}" in str(caught.value)
    assert MARKED not in str(caught.value)
    assert read_ct(folder, series_uid=uids[1]).volume.shape == (5, 20, 24)
    assert [info.series_uid for info in list_series(folder)] == uids


def test_one_of_two_kernels_in_a_series_can_be_chosen(tmp_path):
    slices = variants.two_kernels(a_series(tmp_path))
    folder = save(slices, tmp_path)
    uid = slices[0].SeriesInstanceUID
    for part, kernel in (("#1", "B70f"), ("#2", "SIMULATED")):
        scan = read_ct(folder, series_uid=uid + part)
        assert {header.ConvolutionKernel for header in scan.headers} == {kernel}
        np.testing.assert_array_equal(scan.volume.array, a_neck_phantom().array)
    with pytest.raises(GeometryError, match="#2 kernel SIMULATED"):
        read_ct(folder, series_uid=uid + "#3")
    with pytest.raises(InputError, match=r"chosen by its number.*--series UID#1"):
        read_ct(folder, series_uid=uid + "#B70f")


def test_a_plain_series_has_no_parts(tmp_path):
    slices = a_series(tmp_path)
    with pytest.raises(InputError, match=r"no parts to choose from.*Leave out the #"):
        read_ct(save(slices, tmp_path), series_uid=slices[0].SeriesInstanceUID + "#1")


def test_a_series_that_is_not_there_is_refused_with_the_list(tmp_path):
    folder = save(a_series(tmp_path), tmp_path)
    with pytest.raises(InputError, match=r"no CT series with the UID that was asked for. It has 1:\n1. CT, 12 slices"):
        read_ct(folder, series_uid="1.2.3")


def test_a_series_without_a_grid_is_listed_as_such(tmp_path):
    infos = list_series(save(variants.two_kernels(a_series(tmp_path)), tmp_path))
    assert [(info.slices, info.spacing_mm) for info in infos] == [(24, None)]
    assert "no regular grid" in str(infos[0])


def test_a_file_stands_for_its_series(tmp_path):
    folder = save([*a_series(tmp_path, seed=1), *a_series(tmp_path, a_neck_phantom(5), seed=2)], tmp_path)
    assert read_ct(folder / "014.dcm").volume.shape == (5, 20, 24)


def test_a_file_that_is_no_ct_slice_is_named(tmp_path):
    slices = variants.as_other_object("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT")(a_series(tmp_path))
    with pytest.raises(InputError, match="holds no CT slice: RT Structure Set Storage"):
        read_ct(save(slices, tmp_path) / "000.dcm")


def test_slices_in_subfolders_are_found(tmp_path):
    slices = a_series(tmp_path)
    root = tmp_path / "study"
    for name, part in (("a", slices[::2]), ("b", slices[1::2])):
        (root / name).mkdir(parents=True)
        save(part, root / name)
    assert read_ct(root).volume.shape == a_neck_phantom().shape


def orientations():
    """Rotations of every kind: axis-aligned, flipped (two axes), oblique."""
    return st.one_of(
        st.sampled_from([m.as_matrix().round() for m in Rotation.create_group("O")]),
        st.integers(0, 10_000).map(lambda seed: Rotation.random(random_state=seed).as_matrix()),
    )


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    direction=orientations(),
    spacing=st.tuples(*[st.floats(0.3, 5.0)] * 3),
    origin=st.tuples(*[st.floats(-2000, 2000)] * 3),
    signed=st.booleans(),
    order=st.sampled_from(["ascending", "descending", "shuffled"]),
    seed=st.integers(0, 2**31),
)
def test_write_then_read_is_identity(tmp_path_factory, direction, spacing, origin, signed, order, seed):
    array = np.random.default_rng(seed).integers(-1024, 3072, (5, 17, 19)).astype(np.int16)
    volume = Volume(array, affine_from(spacing, origin, direction))
    folder = tmp_path_factory.mktemp("series")
    write_ct_series(volume, folder, seed=seed, signed=signed, slice_order=order)
    scan = read_ct(folder)
    np.testing.assert_array_equal(scan.volume.array, array)
    np.testing.assert_allclose(scan.volume.affine, volume.affine, rtol=0, atol=1e-8)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_left_handed_grid_comes_back_with_k_reversed_and_every_voxel_in_its_place(tmp_path, axis):
    phantom = a_neck_phantom()
    direction = np.eye(3)
    direction[axis, axis] = -1
    left_handed = Volume(phantom.array, affine_from(phantom.spacing_mm, (3.0, 4.0, 5.0), direction))
    write_ct_series(left_handed, tmp_path, seed=1)
    back = read_ct(tmp_path).volume
    assert np.linalg.det(back.affine[:3, :3]) > 0
    np.testing.assert_array_equal(back.array, phantom.array[::-1])
    np.testing.assert_allclose(back.to_lps(np.array((0, 0, 0))), left_handed.to_lps(np.array((11, 0, 0))), atol=1e-9)
    np.testing.assert_allclose(back.to_lps(np.array((11, 5, 7))), left_handed.to_lps(np.array((0, 5, 7))), atol=1e-9)


def test_reading_leaves_the_files_as_they_were(tmp_path):
    folder = save(a_series(tmp_path), tmp_path)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    read_ct(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert dcmread(folder / "000.dcm").PatientID == f"{MARKED}-ID"


@pytest.mark.parametrize("syntax", [None, RLELossless, DeflatedExplicitVRLittleEndian], ids=str)
def test_an_enhanced_ct_is_read_as_its_frames(tmp_path, syntax):
    """Frames in a wild order, rescale that differs between them: of twelve, those at odd places come first."""
    slices = variants.enhanced(variants.rescale_per_slice(a_series(tmp_path)))
    scan = read_ct(save(slices if syntax is None else variants.encoded(syntax)(slices), tmp_path))
    np.testing.assert_array_equal(scan.volume.array, a_neck_phantom().array)
    np.testing.assert_allclose(scan.volume.affine, a_neck_phantom().affine, atol=1e-6)
    assert scan.warnings == () and scan.series_uid_sha256 is not None
    assert frames_of_slices(scan.headers) == [[0, frame] for frame in (7, 1, 8, 2, 9, 3, 10, 4, 11, 5, 12, 6)]
    assert [one.sop_instance_uid for one in instances_of(scan.headers)] == [str(slices[0].SOPInstanceUID)]


def test_an_enhanced_ct_keeps_to_the_same_geometry_rules(tmp_path):
    with pytest.raises(GeometryError, match=r"gantry was tilted by 15.0 degrees"):
        read_ct(save(variants.enhanced(variants.tilted(a_series(tmp_path))), tmp_path))
    (info,) = list_series(save(variants.enhanced(a_series(tmp_path, seed=5)), tmp_path))
    assert (info.slices, info.spacing_mm) == (12, pytest.approx((2.5, 0.8, 0.6)))
