"""Inputs that nobody meant, and what is asked of each: a right volume or an `ECEError`, within 5 s and 2 GiB.

What is right is read a second time, by pydicom alone: every slice of the volume must lie where its file (of an
enhanced CT: its frame) says, and hold the HU that it says.
"""

from __future__ import annotations

import io
import resource
import signal
import struct
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from ece_core.errors import ECEError
from ece_core.io import Scan, read_ct
from ece_core.io.quiet import LIBRARY_ERRORS
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.tag import Tag

MAX_SECONDS = 5.0
MAX_BYTES = 2 * 2**30
POSITION_MM = 0.1  # our tolerances together: jitter along the normal, drift beside it
AIR_HU = -1024

NUMBERS = (
    "0", "-1", "1e308", "-1e308", "nan", "inf", "1e-300", "", "text", "0.5", "65536", "2147483648", "1\\2\\3",
    "9" * 16,
)  # fmt: skip
KEYWORDS = {  # keyword -> value representation to write, whatever the standard says
    "ImagePositionPatient": "DS", "ImageOrientationPatient": "DS", "PixelSpacing": "DS", "SliceThickness": "DS",
    "RescaleSlope": "DS", "RescaleIntercept": "DS", "NumberOfFrames": "IS", "InstanceNumber": "IS", "Rows": "US",
    "Columns": "US", "BitsAllocated": "US", "BitsStored": "US", "HighBit": "US", "PixelRepresentation": "US",
    "SamplesPerPixel": "US", "PhotometricInterpretation": "CS", "PixelPaddingValue": "US", "SOPClassUID": "UI",
    "SOPInstanceUID": "UI", "SeriesInstanceUID": "UI", "FrameOfReferenceUID": "UI", "AcquisitionNumber": "IS",
    "SpecificCharacterSet": "CS", "ImageType": "CS", "Modality": "CS", "RescaleType": "LO",
}  # fmt: skip


# Functional groups of an enhanced CT (PS3.3 C.7.6.16), and which of the elements above stand in them.
GROUPS = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
}
SHARED, OF_EACH_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
STRUCTURE = ("removed", "emptied", "doubled", "in the other place", "moved by one")


class Hang(Exception):
    """The reader took longer than it may."""


def judge(path: Path, read: Callable[[Path], object] = read_ct) -> str:
    """What came out, "refused" or "read"; anything else is raised.

    Raises
    ------
    AssertionError
        A volume that is not what the files say, or too much memory.
    Hang
        More than MAX_SECONDS.
    """
    with warnings.catch_warnings(), bounded():
        warnings.simplefilter("error")  # a warning of a library may quote a name
        try:
            found = read(path)
        except ECEError as error:
            assert error.problem and error.fix
            return "refused"
    if isinstance(found, Scan):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's, of what we have just let pass
            assert_right(found, path)
    return "read"


@contextmanager
def bounded() -> Iterator[None]:
    """Interrupt Python after MAX_SECONDS; measure what cannot be interrupted; refuse memory above MAX_BYTES."""

    def stop(*_: object) -> None:
        raise Hang(f"more than {MAX_SECONDS} s")

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = signal.signal(signal.SIGALRM, stop)
    resource.setrlimit(resource.RLIMIT_AS, (used + MAX_BYTES, hard))
    signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS * _slow_machine())
    started = time.process_time()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    if time.process_time() - started > MAX_SECONDS:
        raise Hang(f"{time.process_time() - started:.1f} s of processor time")


def _slow_machine() -> float:
    """Wall time is longer where others compute, too; processor time is judged as it is."""
    return 6.0


def assert_right(scan: Scan, folder: Path) -> None:
    """Each slice lies where its own file says, and holds its own HU."""
    for k, told in enumerate(_told(scan, folder)):
        first, last = told.corners
        ours = scan.volume.to_lps([(k, 0, 0), (k, scan.volume.shape[1] - 1, scan.volume.shape[2] - 1)])
        room = POSITION_MM + 0.02 * np.abs(last - first).max()  # directions of length 0.99 to 1.01 are taken
        assert np.abs(ours - [first, last]).max() <= room, "wrong geometry"
        _assert_hu(scan.volume.array[k], told)


def _told(scan: Scan, folder: Path) -> list[SimpleNamespace]:
    """What the file of each slice says, in the order of the volume."""
    files = _by_uid(folder)
    enhanced = [ds for ds in files.values() if OF_EACH_FRAME in ds]
    if not enhanced:
        return [_slice(files[str(header.SOPInstanceUID).strip()]) for header in scan.headers]
    # Frames have no UID: the one that says it lies nearest, whose HU then decide.
    frames = [frame for ds in enhanced for frame in _frames(ds)]
    places = np.array([frame.corners[0] for frame in frames])
    ours = scan.volume.to_lps([(k, 0, 0) for k in range(scan.volume.shape[0])])
    return [frames[int(np.linalg.norm(places - place, axis=1).argmin())] for place in ours]


def _slice(ds: Dataset) -> SimpleNamespace:
    return SimpleNamespace(ds=ds, corners=_corners(ds, ds), rescale=(ds.RescaleSlope, ds.RescaleIntercept), frame=None)


def _frames(ds: Dataset) -> list[SimpleNamespace]:
    (shared,) = ds[SHARED].value or [Dataset()]
    found = []
    for number, own in enumerate(ds[OF_EACH_FRAME].value):
        flat = Dataset()
        for group in GROUPS:
            for element in (own.get(group) or shared.get(group) or [Dataset()])[0]:
                flat.add(element)
        rescale = flat.get("RescaleSlope"), flat.get("RescaleIntercept")
        found.append(SimpleNamespace(ds=ds, corners=_corners(flat, ds), rescale=rescale, frame=number))
    return found


def _corners(place: Dataset, ds: Dataset) -> np.ndarray:
    """Centers of the first and the last voxel (PS3.3 C.7.6.2.1.1)."""
    position = np.array([float(value) for value in place.ImagePositionPatient])
    axes = np.reshape([float(value) for value in place.ImageOrientationPatient], (2, 3))
    row_mm, column_mm = (float(value) for value in place.PixelSpacing)
    return np.array([position, position + axes[0] * column_mm * (ds.Columns - 1) + axes[1] * row_mm * (ds.Rows - 1)])


def _assert_hu(ours: np.ndarray, told: SimpleNamespace) -> None:
    ds = told.ds
    if "HighBit" in ds and ds.HighBit != ds.BitsStored - 1:
        return  # pydicom does not look at it, and we do
    try:
        stored = ds.pixel_array if told.frame is None else ds.pixel_array.reshape(-1, *ours.shape)[told.frame]
    except (*LIBRARY_ERRORS, UserWarning):
        return  # pydicom has no opinion (GDCM decoded it, or an odd bit depth)
    slope, intercept = (float(value) for value in told.rescale)
    hu = stored * slope + intercept
    least, most = np.iinfo(np.int16).min, np.iinfo(np.int16).max
    same = np.abs(np.clip(hu, AIR_HU, most) - np.clip(ours, least, most)) <= 1e-3 * np.maximum(1, np.abs(hu))
    assert (same | (ours == AIR_HU)).all(), "wrong HU"  # padding becomes air


def _by_uid(folder: Path) -> dict[str, Dataset]:
    found = {}
    for path in sorted(folder.glob("*.dcm")):
        try:
            ds = dcmread(path)
            found.setdefault(str(ds.SOPInstanceUID).strip(), ds)
        except (*LIBRARY_ERRORS, UserWarning):
            continue
    return found


def flip_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, cut out, put in or repeated behind the preamble; or the end cut off."""
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        at = int(rng.integers(132, max(133, len(damaged))))
        length = int(rng.integers(1, 17))
        kind = rng.integers(6)
        if kind == 0:
            damaged[at : at + 1] = rng.bytes(1)
        elif kind == 1:
            del damaged[at : at + length]
        elif kind == 2:
            damaged[at:at] = rng.bytes(length)
        elif kind == 3:
            damaged[at : at + 4] = struct.pack("<I", int(rng.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFFE])))
        elif kind == 4:
            damaged[at:at] = damaged[max(132, at - 200) : at]
        elif rng.integers(8) == 0:
            del damaged[at:]
    return bytes(damaged)


def set_raw(path: Path, keyword: str, value: str | None, frame: int | None = None) -> None:
    """Write an element as no library would: the text as it is, or two bytes of a number; None deletes it.

    Of an enhanced CT what belongs to frames is written where it stands: of all of them, or of one.
    """
    with changed(path) as ds:
        for place in _places(ds, keyword, frame):
            if value is None:
                place.pop(Tag(keyword), None)
            elif KEYWORDS[keyword] == "US":
                place[keyword] = _raw(keyword, "US", struct.pack("<H", _small(value)))
            else:
                text = value.encode("ascii", "replace")
                place[keyword] = _raw(keyword, KEYWORDS[keyword], text + b" " * (len(text) % 2))


@contextmanager
def changed(path: Path) -> Iterator[Dataset]:
    """A file as a dataset, written again when the block ends; left as it was where pydicom cannot write it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = dcmread(path)
        yield ds
        damaged = io.BytesIO()
        try:
            dcmwrite(damaged, ds)
        except LIBRARY_ERRORS:  # names in a character set that does not exist
            return
        path.write_bytes(damaged.getvalue())


def _places(ds: Dataset, keyword: str, frame: int | None) -> list[Dataset]:
    """Where an element of a slice stands: in the file's dataset, or in functional groups."""
    group = next((group for group, keywords in GROUPS.items() if keyword in keywords), None)
    items = [*(ds.get(SHARED) or ()), *(ds.get(OF_EACH_FRAME) or ())]
    found = [item[group].value[0] for item in items if group is not None and item.get(group)]
    if not found:
        return [ds]
    return found if frame is None else [found[frame % len(found)]]


def restructure(path: Path, group: str, how: str, frame: int | None = None) -> None:
    """Functional groups of an enhanced CT as no scanner writes them. ``group``: of GROUPS, or one of the two lists."""
    with changed(path) as ds:
        frames = list(ds.get(OF_EACH_FRAME) or ())
        if group in (SHARED, OF_EACH_FRAME):
            holders = [ds]
        else:
            holders = [item for item in [*(ds.get(SHARED) or ()), *frames] if group in item]
            holders = holders if frame is None or not holders else [holders[frame % len(holders)]]
        for holder in holders:
            items = list(holder.get(group) or ())
            if how == "removed":
                holder.pop(Tag(group), None)
            elif how == "in the other place" and ds.get(SHARED) and frames:
                setattr(frames[-1] if holder is ds[SHARED].value[0] else ds[SHARED].value[0], group, items)
                holder.pop(Tag(group), None)
            else:
                kept = {"emptied": [], "doubled": [*items, *items], "moved by one": [*items[1:], *items[:1]]}
                setattr(holder, group, kept.get(how, items))


def _raw(keyword: str, vr: str, value: bytes):
    from pydicom.dataelem import RawDataElement

    return RawDataElement(Tag(keyword), vr, len(value), value, 0, False, True)


def _small(value: str) -> int:
    try:
        return int(abs(float(value))) % 65536
    except (ValueError, OverflowError):
        return 65535
