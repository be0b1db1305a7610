"""Headers and files written by a hostile or broken hand: each ends in its own words (dicom.md section 8)."""

import logging
import resource
import warnings
import zlib
from importlib.util import find_spec

import dicom_variants as variants
import numpy as np
import pytest
from dicom_variants import MARKED, a_neck_phantom, a_series, save, setting, without
from ece_core.errors import ECEError, InputError
from ece_core.io import Scan, list_series, read_ct
from ece_core.io.dicom_file import read_header
from ece_core.io.dicom_pixels import can_decode, decoder_of
from ece_core.io.limits import MAX_INFLATED_BYTES
from pydicom import dcmwrite
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, JPEGLSLossless, RLELossless


def encapsulated_as(syntax: str):
    """RLE pixels under the name of another compression."""

    def change(slices):
        slices = variants.encoded(RLELossless)(slices)
        for ds in slices:
            ds.file_meta.TransferSyntaxUID = syntax
        return slices

    return change


REFUSED_HEADERS = {
    "slope 0": (setting("RescaleSlope", "0"), "RescaleSlope is 0 in all 12 slices: every voxel has one value"),
    "slope 0 in one": (setting("RescaleSlope", "0", [3]), "RescaleSlope is 0 in 1 of 12 slices"),
    "slope NaN": (setting("RescaleSlope", "nan"), "cannot lead to Hounsfield units"),
    "intercept infinite": (setting("RescaleIntercept", "inf"), "all 12 slices cannot lead to Hounsfield units"),
    "no slope": (without("RescaleSlope"), "RescaleSlope is missing in all 12 slices.*Export the original series"),
    "no intercept": (without("RescaleIntercept", [0]), "RescaleIntercept is missing in 1 of 12 slices"),
    "not HU": (setting("RescaleType", "MGML"), "something else than Hounsfield units.*material"),
    "rows absurd": (setting("Rows", 65535), "65535 rows and 24 columns; CT slices have 16 to 2048"),
    "columns tiny": (setting("Columns", 3), "20 rows and 3 columns; CT slices have 16 to 2048"),
    "no rows": (without("Rows"), "Rows is missing in all 12 slices"),
    "rows differ": (variants.one_wider_slice, r"do not have one matrix size: 20 x 24, 40 x 24.*one reconstruction"),
    "frames": (setting("NumberOfFrames", 2_000_000_000), "NumberOfFrames is not 1 in all 12 slices"),
    "13 bits": (setting("BitsAllocated", 13), "BitsAllocated is 13 in all 12 slices; it must be 8 or 16"),
    "bits stored 0": (setting("BitsStored", 0), "BitsStored is 0 in all 12 slices; it must be 1 up to BitsAllocated"),
    "bits stored 17": (setting("BitsStored", 17), "BitsStored is 17"),
    "high bit 40": (setting("HighBit", 40), "HighBit is 40 in all 12 slices"),
    "no representation": (without("PixelRepresentation"), "PixelRepresentation is missing in all 12 slices"),
    "representation 7": (setting("PixelRepresentation", 7), "PixelRepresentation is 7.*must be 0 or 1"),
    "color": (setting("PhotometricInterpretation", "RGB"), "All 12 slices of the series are color images"),
    "no series UID": (without("SeriesInstanceUID"), "SeriesInstanceUID is missing in all 12 slices"),
    "no SOP UID": (without("SOPInstanceUID", [2]), "SOPInstanceUID is missing in 1 of 12 slices"),
    "no pixels": (without("PixelData"), "no pixel data in all 12 slices; the files are probably cut off"),
    "short pixels": (setting("PixelData", bytes(800)), "incomplete in all 12 slices.*960 bytes expected"),
    "same UID, other pixels": (variants.same_uid_other_pixels, "one SOPInstanceUID but differ in content.*one source"),
    "same UID, other header": (variants.same_uid_other_header, "one SOPInstanceUID but differ in content"),
    "MR": (variants.as_other_object("1.2.840.10008.5.1.4.1.1.4", "MR"), "no CT slices, only: 12 MR Image Storage"),
    "MR in a CT object": (setting("Modality", "MR"), "no CT slices, only: 12 CT image with another modality"),
    "localizers": (setting("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]), "no CT slices, only: 12 localizer"),
    "unknown object": (variants.as_other_object("1.2.3.4", "CT"), "only: 12 unknown object"),
    "enhanced without frames": (variants.as_other_object("1.2.840.10008.5.1.4.1.1.2.1", "CT"), "describes 0 frames.*1"),
    "enhanced, frames absurd": (lambda slices: variants.enhanced(slices, 2_000_000_000), "2000000000 frames; more"),
    "enhanced without UID": (
        lambda slices: variants.without("SOPInstanceUID")(variants.enhanced(slices)),
        "SOPInstanceUID of the multi-frame CT is missing",
    ),
    "enhanced, shared groups twice": (
        lambda slices: variants.twice("SharedFunctionalGroupsSequence")(variants.enhanced(slices)),
        "has 2 items in its SharedFunctionalGroupsSequence, where one may be",
    ),
    "enhanced, orientation twice": (
        lambda slices: variants.twice("PlaneOrientationSequence")(variants.enhanced(slices)),
        "has 2 items in its PlaneOrientationSequence, where one may be",
    ),
    "a UID of ours": (variants.setting("SOPInstanceUID", "1.2#3", [3]), "SOPInstanceUID of a slice is no UID"),
    "enhanced, frames cut": (lambda slices: variants.enhanced(slices, 13), "describes 12 frames, but says.*13"),
    "single slice": (lambda slices: slices[:1], "a single slice, which is no volume.*covers the neck"),
    "MPEG4": (encapsulated_as("1.2.840.10008.1.2.4.102"), "cannot be read here: MPEG-4.*uncompressed"),
    "HTJ2K": (encapsulated_as("1.2.840.10008.1.2.4.201"), "High-Throughput JPEG 2000.*Install pylibjpeg-openjpeg"),
    "unknown syntax": (encapsulated_as("1.2.3.4.5"), "a transfer syntax unknown to DICOM"),
    "wrong codec": (encapsulated_as(JPEGLSLossless), "incomplete or damaged"),
    "JPEG Lossless of garbage": (encapsulated_as("1.2.840.10008.1.2.4.70"), "incomplete or damaged"),
    "JPEG 2000 of garbage": (encapsulated_as("1.2.840.10008.1.2.4.90"), "incomplete or damaged"),
}


@pytest.mark.parametrize(("variant", "words"), REFUSED_HEADERS.values(), ids=REFUSED_HEADERS.keys())
def test_headers_that_cannot_be_a_ct_are_refused_in_their_own_words(tmp_path, variant, words):
    folder = save(variant(a_series(tmp_path)), tmp_path)
    with pytest.raises(InputError, match=words) as caught:
        read_ct(folder)
    assert MARKED not in str(caught.value)


REFUSED_FILES = {
    "cut in the pixels": (variants.cut_in_pixels, "incomplete in 1 of 12 slices"),
    "cut in the header": (variants.cut_in_header, "SeriesInstanceUID is missing in 1 of 12 slices; .*cut off"),
    "empty": (variants.emptied, "A slice is missing.*1 file was left out: it is not a DICOM file, or it is empty"),
    "garbage": (variants.garbage, "A slice is missing.*1 file was left out"),
    "text in PixelSpacing": (variants.replaced(rb"0.8\0.6", rb"ab8\0.6"), "PixelSpacing does not hold 2 numbers in 1"),
    "text in position": (variants.replaced(rb"-7.0\-9.0", rb"-7.0\left"), "ImagePositionPatient does not hold 3 num"),
    "text in slope": (variants.text_of(0x0028, 0x1053, b"DS", b"DOE^JOHN"), "RescaleSlope does not hold a number in 1"),
    "half a number": (
        variants.replaced(b"\x28\x00\x10\x00US", b"\x28\x00\x10\x00UL"),
        "Rows does not hold a number in 1",
    ),
    "unknown VR": (variants.replaced(b"\x28\x00\x53\x10DS", b"\x28\x00\x53\x10ZZ"), "RescaleSlope does not hold a num"),
}


@pytest.mark.parametrize(("change", "words"), REFUSED_FILES.values(), ids=REFUSED_FILES.keys())
def test_one_damaged_file_is_refused_in_its_own_words(tmp_path, change, words):
    folder = save(a_series(tmp_path), tmp_path)
    change(folder / "004.dcm")
    with pytest.raises(InputError, match=words) as caught:
        read_ct(folder)
    assert MARKED not in str(caught.value)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless], ids=["RLE", "JPEG-LS"])
def test_compressed_pixels_that_are_cut_are_refused(tmp_path, syntax):
    folder = save(variants.encoded(syntax)(a_series(tmp_path)), tmp_path)
    variants.cut_in_pixels(folder / "004.dcm")
    with pytest.raises(InputError, match="pixel data are incomplete in 1 of 12 slices"):
        read_ct(folder)


@pytest.mark.parametrize("change", [variants.emptied, variants.garbage], ids=["empty", "garbage"])
def test_a_folder_of_damage_says_so(tmp_path, change):
    folder = save(a_series(tmp_path), tmp_path)
    for path in folder.iterdir():
        change(path)
    with pytest.raises(InputError, match=r"No CT slice could be read\. 12 files were left out"):
        read_ct(folder)


def test_an_empty_folder_and_no_folder_are_told_apart(tmp_path):
    with pytest.raises(InputError, match=r"holds no DICOM files.*or a NIfTI file"):
        read_ct(tmp_path)
    for read in (read_ct, list_series):
        with pytest.raises(InputError, match=r"does not exist.*Check the path"):
            read(tmp_path / MARKED)


def test_too_many_slices_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ece_core.io.dicom_checks.MAX_SLICES", 11)
    with pytest.raises(InputError, match="has 12 slices; more than 11 are not read"):
        read_ct(save(a_series(tmp_path), tmp_path))


def test_too_many_voxels_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ece_core.io.dicom_checks.MAX_VOXELS", 5000)
    with pytest.raises(InputError, match=r"has 5.76e\+03 voxels; at most 5e\+03 are read"):
        read_ct(save(a_series(tmp_path), tmp_path))


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ece_core.io.dicom_folder.MAX_FILES", 5)
    with pytest.raises(InputError, match=r"more than 5 files.*one study"):
        read_ct(save(a_series(tmp_path), tmp_path))


def test_a_pipe_in_the_folder_does_not_block(tmp_path):
    import os

    folder = save(a_series(tmp_path), tmp_path)
    os.mkfifo(folder / "pipe.dcm")
    assert read_ct(folder).volume.shape == a_neck_phantom().shape


def test_a_deflate_bomb_is_not_inflated(tmp_path):
    slices = variants.encoded(DeflatedExplicitVRLittleEndian)(a_series(tmp_path))
    folder = save(slices, tmp_path)
    path = folder / "003.dcm"
    data = path.read_bytes()
    dataset_at = 132 + 12 + int.from_bytes(data[140:144], "little")
    inflated = zlib.decompress(data[dataset_at:], -zlib.MAX_WBITS)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = packer.compress(inflated) + packer.compress(bytes(5 * MAX_INFLATED_BYTES)) + packer.flush()
    path.write_bytes(data[:dataset_at] + bomb)
    with pytest.raises(InputError, match="grows to more than 64 MiB, far more than a CT slice needs"):
        read_header(path)
    with pytest.raises(InputError, match="A slice is missing"):
        read_ct(folder)


def test_absurd_sizes_take_no_memory(tmp_path):
    folder = save(setting("Rows", 65535)(setting("Columns", 65535)(a_series(tmp_path))), tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="65535 rows and 65535 columns"):
        read_ct(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_headers_are_checked_before_any_pixel_is_decoded(tmp_path, monkeypatch):
    def never(file):
        raise AssertionError("a pixel was decoded")

    monkeypatch.setattr("ece_core.io.dicom_series.hounsfield", never)
    with pytest.raises(InputError, match="RescaleSlope is 0"):
        read_ct(save(setting("RescaleSlope", "0", [11])(a_series(tmp_path)), tmp_path))


def test_malformed_patient_data_neither_stop_the_reader_nor_get_out(tmp_path, caplog, capfd):
    slices = a_series(tmp_path)
    folder = save(slices, tmp_path)
    for path in folder.iterdir():
        variants.replaced(b"DA\x08\x0020200101", b"DA\x08\x00" + MARKED.encode())(path)
    with warnings.catch_warnings(record=True) as seen, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        scan = read_ct(folder)
        text = repr(scan) + " ".join(scan.warnings) + " ".join(map(str, list_series(folder)))
    assert seen == []
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")
    assert MARKED not in text


@pytest.mark.slow
def test_every_refusal_keeps_the_patient_to_itself(tmp_path, caplog, capfd):
    """Messages, log, warnings and both streams, over every refused header at once."""
    with caplog.at_level(logging.DEBUG):
        for number, (name, (variant, _)) in enumerate(REFUSED_HEADERS.items()):
            (tmp_path / str(number)).mkdir()
            folder = save(variant(a_series(tmp_path / str(number))), tmp_path / str(number))
            caplog.clear()
            capfd.readouterr()
            with warnings.catch_warnings(record=True) as seen, pytest.raises(ECEError) as caught:
                warnings.simplefilter("always")
                read_ct(folder)
            streams = capfd.readouterr()
            said = " ".join([str(caught.value), *map(str, seen), caplog.text, streams.out, streams.err])
            assert MARKED not in said, name
            assert str(tmp_path) not in said, name


@pytest.mark.parametrize("seed", range(60))
def test_random_damage_ends_in_a_scan_or_in_our_own_error(tmp_path, seed):
    """Bytes changed, cut out or put in, anywhere in one file."""
    rng = np.random.default_rng(seed)
    syntax = [None, RLELossless, DeflatedExplicitVRLittleEndian, JPEGLSLossless][seed % 4]
    slices = a_series(tmp_path, a_neck_phantom(4))
    folder = save(slices if syntax is None else variants.encoded(syntax)(slices), tmp_path)
    path = folder / "001.dcm"
    data = bytearray(path.read_bytes())
    for _ in range(rng.integers(1, 8)):
        at = int(rng.integers(132, len(data)))
        kind = rng.integers(3)
        if kind == 0:
            data[at] = int(rng.integers(256))
        elif kind == 1:
            del data[at : at + int(rng.integers(1, 9))]
        else:
            data[at:at] = rng.bytes(int(rng.integers(1, 9)))
    path.write_bytes(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert isinstance(read_ct(folder), Scan)
    except ECEError as error:
        assert MARKED not in str(error)


def test_a_header_of_the_wrong_kind_is_not_dicom(tmp_path):
    path = tmp_path / "a.dcm"
    dcmwrite(path, a_series(tmp_path)[0], enforce_file_format=True)
    path.write_bytes(path.read_bytes()[132:])
    with pytest.raises(InputError, match="of a kind that is not read here"):
        read_ct(path)


@pytest.mark.parametrize(
    ("syntax", "decoder"),
    [("1.2.840.10008.1.2.5", "pydicom"), ("1.2.840.10008.1.2.4.80", "pyjpegls"), ("1.2.840.10008.1.2.4.70", "GDCM")],
)
def test_every_compression_names_its_decoder(syntax, decoder):
    if decoder == "pyjpegls" and find_spec("jpeg_ls") is None:
        pytest.skip("pyjpegls is not installed")
    assert decoder_of(UID(syntax)) is not None and decoder in decoder_of(UID(syntax)) and can_decode(UID(syntax))
    assert decoder_of(UID("1.2.840.10008.1.2.4.102")) is None  # MPEG-4


def test_deflated_data_without_their_end_are_refused(tmp_path):
    """Found by fuzzing (seed 1, input 485): a flipped bit made other voxels of a stream that never ended."""
    folder = save(variants.encoded(DeflatedExplicitVRLittleEndian)(a_series(tmp_path)), tmp_path)
    path = folder / "003.dcm"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match=r"do not end.*Export the series again"):
        read_header(path)
    with pytest.raises(ECEError, match=r"A slice is missing.*1 file was left out"):
        read_ct(folder)


@pytest.mark.parametrize("depth", [300, 100_000])
def test_sequences_that_never_end_are_refused(tmp_path, depth):
    """1.6 MB of sequences within sequences: no deep recursion, no memory, no time."""
    path = save(a_series(tmp_path), tmp_path) / "003.dcm"
    data = path.read_bytes()
    level = bytes.fromhex("40005505") + b"SQ" + bytes(2) + b"\xff" * 4 + bytes.fromhex("feff00e0") + b"\xff" * 4
    at = data.index(bytes.fromhex("e07f1000") + b"OW")
    path.write_bytes(data[:at] + depth * level + data[at:])
    with pytest.raises(InputError, match="empty or damaged"):
        read_header(path)
