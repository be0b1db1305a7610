"""NIfTI, NRRD and MetaImage: what is written is read, and what ITK would read silently wrong is refused."""

import gzip
import struct
import warnings

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_variants import MARKED, a_neck_phantom
from ece_core.errors import GeometryError, InputError
from ece_core.geometry import Volume, affine_from
from ece_core.io import read_ct, read_labelmap, write_image
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

SUFFIXES = [".nii", ".nii.gz", ".nrrd", ".mha"]
NAMES = {".nii": "nifti", ".nii.gz": "nifti", ".nrrd": "nrrd", ".mha": "mha"}


@pytest.fixture
def a_file(tmp_path):
    """Write the phantom, or another volume, and give its path."""

    def write(suffix, volume=None, **options):
        path = tmp_path / f"{MARKED}{suffix}"
        write_image(volume if volume is not None else a_neck_phantom(), path, **options)
        return path

    return write


def patched(path, offset, form, *values):
    """Numbers of a binary header exchanged."""
    data = bytearray(path.read_bytes())
    struct.pack_into("<" + form, data, offset, *values)
    path.write_bytes(data)
    return path


def edited(path, old, new):
    """Text of a header exchanged."""
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))
    return path


def refused(path, error, words):
    with pytest.raises(error, match=words) as caught:
        read_ct(path)
    assert MARKED not in str(caught.value)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(SUFFIXES),
    seed=st.integers(0, 10_000),
    flip=st.sampled_from([-1.0, 1.0]),
    spacing=st.tuples(*[st.floats(0.3, 5.0)] * 3),
)
def test_write_then_read_is_identity(tmp_path_factory, suffix, seed, flip, spacing):
    rng = np.random.default_rng(seed)
    direction = Rotation.random(random_state=seed).as_matrix() * flip  # both handednesses
    array = rng.integers(-1024, 3000, (4, 5, 6)).astype(np.int16)
    volume = Volume(array, affine_from(spacing, rng.uniform(-500, 500, 3), direction))
    path = tmp_path_factory.mktemp("image") / f"ct{suffix}"
    write_image(volume, path)
    scan = read_ct(path)
    np.testing.assert_array_equal(scan.volume.array, array)
    assert scan.volume.array.dtype == np.int16
    # NIfTI stores float32, NRRD and MetaImage text of full or 15 digits.
    np.testing.assert_allclose(scan.volume.affine, volume.affine, rtol=0, atol=1e-3 if "nii" in suffix else 1e-8)
    assert scan.format == NAMES[suffix]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_agrees_with_itk_on_where_a_voxel_lies(a_file, suffix):
    rotation = Rotation.from_euler("xyz", [17, -9, 5], degrees=True).as_matrix()
    path = a_file(suffix, Volume(a_neck_phantom().array, affine_from((2.5, 0.8, 0.6), (-7, 20, -100), rotation)))
    ours = read_ct(path).volume.to_lps(np.array((3, 5, 7)))
    np.testing.assert_allclose(ours, sitk.ReadImage(str(path)).TransformIndexToPhysicalPoint((7, 5, 3)), atol=1e-4)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.int32, np.float32])
def test_labels_come_back_as_the_smallest_unsigned_integers(a_file, suffix, dtype):
    labels = (np.arange(12 * 20 * 24).reshape(12, 20, 24) % (2 if dtype is bool else 200)).astype(dtype)
    back = read_labelmap(a_file(suffix, a_neck_phantom().with_array(labels)))
    assert back.array.dtype == np.uint8
    np.testing.assert_array_equal(back.array, labels)
    assert back.same_grid(a_neck_phantom())


def test_more_than_255_labels_need_16_bits(a_file):
    labels = np.zeros((12, 20, 24), np.uint16)
    labels[0, 0, 0] = 300
    assert read_labelmap(a_file(".nii.gz", a_neck_phantom().with_array(labels))).array.dtype == np.uint16


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.5, "from 0 to 0.5, not labels"), (-1, "from -1 to 0, not labels"), (70000, "to 70000, not labels")],
)
def test_what_is_no_label_map_is_refused(a_file, value, words):
    values = np.zeros((12, 20, 24), np.float32)
    values[1, 2, 3] = value
    with pytest.raises(InputError, match=words + ".*Choose a label map"):
        read_labelmap(a_file(".nii.gz", a_neck_phantom().with_array(values)))


def test_labels_are_written_small(a_file):
    path = a_file(".nrrd", a_neck_phantom().with_array(np.zeros((12, 20, 24), np.uint8)))
    assert path.stat().st_size < 1000 < 12 * 20 * 24
    assert a_file(".nrrd", compress=False).stat().st_size > 2 * 12 * 20 * 24


def test_an_unknown_suffix_is_neither_written_nor_read(tmp_path):
    with pytest.raises(InputError, match=r"not written as \.jpg"):
        write_image(a_neck_phantom(), tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(b"?")
    refused(tmp_path / "a.jpg", InputError, r"of a kind that is not read here.*\.nii\.gz")


def test_writing_where_one_cannot_is_our_error_without_the_path(tmp_path):
    with pytest.raises(InputError, match="could not be written") as caught:
        write_image(a_neck_phantom(), tmp_path / MARKED / "a.nii.gz")
    assert MARKED not in str(caught.value)


def test_a_series_cannot_be_chosen_in_a_file(a_file):
    with pytest.raises(InputError, match=r"in a DICOM folder only.*Leave out --series"):
        read_ct(a_file(".nii"), series_uid="1.2.3")


# NIfTI ---------------------------------------------------------------------------------------------------------------


def test_a_sheared_sform_is_refused_with_its_angle(a_file):
    sheared = (-0.6, 0, 0, 7.0, 0, -0.8, 0.6, 9.0, 0, 0, 2.5, -100.0)  # slices slide 0.6 mm per 2.5 mm: 13.5 degrees
    path = patched(a_file(".nii"), 280, "12f", *sheared)
    refused(path, GeometryError, r"not at right angles \(a sheared volume, 13\.5 degrees\): a gantry tilt.*Resample")


def test_no_orientation_is_refused(a_file):
    refused(patched(a_file(".nii"), 252, "2h", 0, 0), GeometryError, "no orientation .sform and qform codes are 0.")


def test_the_quaternion_is_used_where_there_is_no_sform(a_file):
    rotation = Rotation.from_euler("xyz", [170, -9, 65], degrees=True).as_matrix()
    for direction in (rotation, rotation @ np.diag([1, 1, -1])):
        volume = Volume(a_neck_phantom().array, affine_from((2.5, 0.8, 0.6), (-7, 20, -100), direction))
        scan = read_ct(patched(a_file(".nii", volume), 254, "h", 0))
        np.testing.assert_allclose(scan.volume.affine, volume.affine, atol=1e-4)
        assert scan.warnings == ()


@pytest.mark.parametrize("size", [0.0, -0.6, float("nan")])
def test_impossible_voxel_sizes_beside_a_quaternion_are_refused(a_file, size):
    path = patched(patched(a_file(".nii"), 254, "h", 0), 80, "f", size)
    refused(path, GeometryError, f"voxel size is {size:.4g} x 0.8 x 2.5 mm")


def test_two_orientations_are_said(a_file):
    path = patched(a_file(".nii"), 280, "12f", 0.6, 0, 0, 7, 0, -0.8, 0, 9, 0, 0, 2.5, -100)  # left and right swapped
    assert read_ct(path).warnings == ("The NIfTI file holds two different orientations; its sform was used.",)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "voxel size is 0 x 0.8 x 2.5 mm"), (float("nan"), "not a finite number"), (1e9, r"1e\+09 x 0.8 x 2.5 mm")],
)
def test_impossible_voxel_sizes_are_refused(a_file, value, words):
    refused(patched(a_file(".nii"), 280, "f", value), GeometryError, words)


def test_a_far_away_origin_is_refused(a_file):
    refused(patched(a_file(".nii"), 292, "f", 1e8), GeometryError, "more than 100 m from the scanner's origin")


def test_voxel_sizes_in_meters_are_understood(a_file):
    path = patched(a_file(".nii"), 280, "12f", -6e-4, 0, 0, 7e-3, 0, -8e-4, 0, 9e-3, 0, 0, 2.5e-3, -0.1)
    patched(patched(path, 123, "b", 1), 252, "h", 0)
    np.testing.assert_allclose(read_ct(path).volume.affine, a_neck_phantom().affine, atol=1e-4)


@pytest.mark.parametrize(
    ("dimensions", "words"),
    [
        ((4, 24, 20, 6, 2), r"not a single 3D volume \(24 x 20 x 6 x 2\)"),
        ((2, 24, 240, 1, 1), r"not a single 3D volume \(24 x 240\)"),
        ((3, 24, 20, 0, 1), "says that it has 24 x 20 x 0 voxels"),
        ((3, 24, 240, 1, 1), r"single slice \(24 x 240 x 1\)"),
        ((3, 30000, 30000, 30000, 1), r"30000 x 30000 x 30000 voxels; at most 1.07e\+09 are read"),
        ((3, -24, 20, 12, 1), "says that it has -24 x 20 x 12 voxels"),
        ((99, 24, 20, 12, 1), "not a single 3D volume"),
    ],
)
def test_sizes_that_are_no_volume_are_refused(a_file, dimensions, words):
    refused(patched(a_file(".nii"), 40, "5h", *dimensions), InputError, words)


def test_a_fourth_dimension_of_one_is_no_dimension(a_file):
    assert read_ct(patched(a_file(".nii"), 40, "5h", 4, 24, 20, 12, 1)).volume.shape == (12, 20, 24)


def test_color_is_refused(a_file):
    refused(patched(a_file(".nii"), 70, "h", 128), InputError, "not plain numbers")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_cut_files_are_refused(a_file, suffix):
    path = a_file(suffix)
    path.write_bytes(path.read_bytes()[:-200])
    refused(path, InputError, "incomplete")


def test_a_packed_file_in_two_parts_is_complete(a_file):
    path = a_file(".nii.gz")
    plain = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(plain[:5000]) + gzip.compress(plain[5000:]))
    np.testing.assert_array_equal(read_ct(path).volume.array, a_neck_phantom().array)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"x", bytes(400), b"\x1f\x8b" + bytes(50)], ids=["empty", "x", "0", "gzip"])
def test_what_is_no_image_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"{MARKED}{suffix}"
    path.write_bytes(content)
    refused(path, InputError, "not an? (single-file )?(NIfTI|NRRD|MetaImage)")


def test_a_compressed_bomb_declares_its_size_and_is_refused(tmp_path, a_file):
    header = bytearray(a_file(".nii").read_bytes()[:352])
    struct.pack_into("<4h", header, 40, 3, 30000, 30000, 10)
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(bytes(header) + bytes(50_000_000)))
    refused(path, InputError, "30000 x 30000 x 10 voxels; at most")


# NRRD ----------------------------------------------------------------------------------------------------------------


def test_sheared_space_directions_are_refused(a_file):
    refused(edited(a_file(".nrrd"), b"(0,0,2.5)", b"(0,1,2.5)"), GeometryError, "a sheared volume, 21.8 degrees")


def test_nrrd_in_ras_is_turned_to_lps(a_file):
    path = edited(a_file(".nrrd"), b"left-posterior-superior", b"right-anterior-superior")
    np.testing.assert_allclose(read_ct(path).volume.affine, np.diag([-1, -1, 1, 1]) @ a_neck_phantom().affine)


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        (b"space: left-posterior-superior", b"space: scanner-xyz", GeometryError, "no orientation in patient space"),
        (b"(0,0,2.5)", b"(0,0,nan)", GeometryError, "not a finite number"),
        (b"(0,0,2.5)", b"(0,0,0)", GeometryError, "voxel size is 0.6 x 0.8 x 0 mm"),
        (b"(0,0,2.5)", b"(0,0,abc)", InputError, "orientation is damaged"),
        (b"(0,0,2.5)", b"none", InputError, "orientation is damaged"),
        (b"dimension: 3", b"dimension: 4", InputError, r"not a single 3D volume \(4 dimensions\)"),
        (b"sizes: 24 20 12", b"sizes: 24 20", InputError, "NRRD header is damaged"),
        (b"sizes: 24 20 12", b"sizes: 24 20 99999999", InputError, "99999999 voxels; at most"),
        (b"encoding: ", b"data file: ../other.raw\nencoding: ", InputError, "keeps its voxels in another file"),
    ],
)
def test_nrrd_headers_that_are_no_volume_are_refused(a_file, old, new, error, words):
    refused(edited(a_file(".nrrd"), old, new), error, words)


def test_raw_nrrd_is_measured_before_it_is_read(a_file):
    path = edited(a_file(".nrrd", compress=False), b"sizes: 24 20 12", b"sizes: 24 20 13")
    refused(path, InputError, "voxels are incomplete: 11520 bytes of 12480")


# MetaImage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        (b"TransformMatrix = 1 0 0 0 1 0 0 0 1", b"TransformMatrix = 1 0 0 0 1 0 0 1 1", GeometryError, "sheared"),
        (b"TransformMatrix = 1 0 0 0 1 0 0 0 1", b"TransformMatrix = 1 0 0 0 1 0 0 0", InputError, "header is damaged"),
        (b"ElementSpacing = 0.", b"ElementSpacing = -0.", GeometryError, "voxel size is -0.6 x 0.8 x 2.5 mm"),
        (
            b"ElementSpacing = 0.",
            b"ElementSpacing = nan 0.8 2.5\nComment = 0.",
            GeometryError,
            "voxel size is nan x 0.8 x 2.5 mm",
        ),
        (b"NDims = 3", b"NDims = 4", InputError, "header is damaged"),
        (b"DimSize = 24 20 12", b"DimSize = 24 20 9999999", InputError, "9999999 voxels; at most"),
        (b"ElementDataFile = LOCAL", b"ElementDataFile = /etc/passwd", InputError, "not in one file beside its header"),
        (b"ElementDataFile = LOCAL", b"ElementDataFile = %03d.raw 1 9 1", InputError, "not in one file beside"),
    ],
)
def test_metaimage_headers_that_are_no_volume_are_refused(a_file, old, new, error, words):
    refused(edited(a_file(".mha"), old, new), error, words)


def test_metaimage_without_orientation_is_read_with_a_warning(a_file):
    path = edited(a_file(".mha"), b"TransformMatrix = 1 0 0 0 1 0 0 0 1\n", b"")
    assert "holds no orientation" in read_ct(path).warnings[0]


def test_a_header_with_its_voxels_beside_it_is_read(tmp_path):
    image = sitk.GetImageFromArray(a_neck_phantom().array)
    sitk.WriteImage(image, str(tmp_path / "a.mhd"))
    np.testing.assert_array_equal(read_ct(tmp_path / "a.mhd").volume.array, a_neck_phantom().array)


# HU ------------------------------------------------------------------------------------------------------------------


def test_values_that_are_no_hounsfield_units_are_said(a_file):
    offset = a_neck_phantom().with_array((a_neck_phantom().array + 1024).astype(np.uint16))
    assert "No voxel is below -500" in read_ct(a_file(".nii.gz", offset)).warnings[0]


def test_a_box_of_air_is_said(a_file):
    air = a_neck_phantom().with_array(np.full((12, 20, 24), -1000, np.int16))
    assert "Only 0.0 % of the voxels are in the range of soft tissue" in read_ct(a_file(".nrrd", air)).warnings[0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_without_a_number_are_refused(a_file, value):
    array = a_neck_phantom().array.astype(np.float32)
    array[1, 2, 3] = value
    refused(a_file(".nrrd", a_neck_phantom().with_array(array)), InputError, r"1 voxels hold no number.*by -1024")


def test_floats_that_are_whole_become_int16_and_others_stay(a_file):
    array = a_neck_phantom().array.astype(np.float64)
    assert read_ct(a_file(".mha", a_neck_phantom().with_array(array))).volume.array.dtype == np.int16
    scan = read_ct(a_file(".mha", a_neck_phantom().with_array(array + 0.25)))
    assert scan.volume.array.dtype == np.float32
    np.testing.assert_array_equal(scan.volume.array, array + 0.25)


def test_padding_below_air_becomes_air(a_file):
    array = a_neck_phantom().array.copy()
    array[:, 0] = -3024
    assert read_ct(a_file(".nii.gz", a_neck_phantom().with_array(array))).volume.array.min() == -1024


def test_nothing_reaches_the_streams_or_the_warnings(a_file, capfd):
    path = patched(a_file(".nii"), 280, "12f", -0.6, 0, 0, 7.0, 0, -0.8, 0.6, 9.0, 0, 0, 2.5, -100.0)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for damaged in (path, edited(a_file(".nrrd"), b"kinds: domain", b"kinds: strange")):
            with pytest.raises(InputError):
                read_ct(damaged)
    assert seen == []
    assert capfd.readouterr() == ("", "")
