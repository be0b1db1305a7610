"""Studies and series from a PACS into a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom import DataElement, dcmread
from pydicom.dataelem import RawDataElement

from ece_core.errors import InputError, RunError
from ece_core.io.dicom_file import PIXEL_TAGS, read_header
from ece_core.io.quiet import LIBRARY_ERRORS, quiet
from ece_core.pacs.connection import Connection
from ece_core.pacs.instances import Failure, Instance, Transfer, alias_of
from ece_core.pacs.query import find_instances, find_series
from ece_core.pacs.transfer import transfer

PARTIAL = ".partial"
UNDEFINED = 0xFFFFFFFF  # length of what ends with a delimiter
Tell = Callable[[int, int], None]
"""Told how many of how many instances are there."""


def fetch(
    connection: Connection,
    study_uid: str,
    folder: Path,
    series_uid: str | None = None,
    modality: str | None = None,
    tell: Tell = lambda done, total: None,
) -> Transfer:
    """Fetch a study, or one series of it.

    Parameters
    ----------
    folder
        Made if absent. ``SERIES/INSTANCE.dcm``, named by hashes: no UID, no name. An instance that is there whole is
        not fetched again.
    series_uid
        None: all series.
    modality
        Only series of this kind ("CT"); None: all.

    Returns
    -------
    Transfer
        Also when some could not be fetched.

    Raises
    ------
    InputError
        The PACS has no such study or series, or the folder cannot be made.
    RunError
        The PACS does not answer, or refuses.
    """
    wanted = wanted_instances(connection, study_uid, series_uid, modality)
    arrived = {one for one in wanted if _is_whole(_place(folder, one), one)}

    def keep(instance: Instance, write: Callable[[Path], object]) -> Failure | None:
        failure = _keep(_place(folder, instance), instance, write)
        if failure is None:
            arrived.add(instance)
            tell(len(arrived), len(wanted))
        return failure

    tell(len(arrived), len(wanted))
    return transfer(wanted, lambda: set(arrived), lambda missing: connection.retrieve(missing, keep))


def wanted_instances(
    connection: Connection, study_uid: str, series_uid: str | None, modality: str | None
) -> list[Instance]:
    """What a study or series holds, series by series."""
    series = [
        one.values["SeriesInstanceUID"]
        for one in find_series(connection, study_uid)
        if series_uid in (None, one.values["SeriesInstanceUID"]) and modality in (None, one.values["Modality"])
    ]
    wanted = [instance for uid in series for instance in find_instances(connection, study_uid, uid)]
    if not wanted:
        raise InputError(
            f"The PACS has no {'' if modality is None else modality + ' '}images of this study"
            f"{'' if series_uid is None else ' and series'}.",
            "Look for it with `ece pacs query`.",
        )
    return wanted


def _place(folder: Path, instance: Instance) -> Path:
    """Names of our own: what a server says never becomes a path."""
    return Path(folder) / alias_of(instance.series_uid) / f"{instance.alias}.dcm"


def _keep(place: Path, instance: Instance, write: Callable[[Path], object]) -> Failure | None:
    """Writes beside the place and moves it there when it is whole."""
    partial = place.with_suffix(PARTIAL)
    with _folder_errors():
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            try:
                with quiet():
                    write(partial)
            except OSError:
                raise
            except LIBRARY_ERRORS:
                return Failure(instance, "the server's answer is no DICOM object")
            if not _is_whole(partial, instance):
                return Failure(instance, "the server sent another object than the one asked for, or a damaged one")
            os.replace(partial, place)
        finally:
            partial.unlink(missing_ok=True)
    return None


def _is_whole(file: Path, instance: Instance) -> bool:
    """Whether the file holds this instance to its end."""
    if not file.is_file():
        return False
    try:
        read_header(file)  # refuses what a deflated file may grow to
        with quiet():
            dataset = dcmread(file)
            uids = (dataset.SOPInstanceUID, dataset.SeriesInstanceUID, dataset.StudyInstanceUID)
            if uids != (instance.sop_uid, instance.series_uid, instance.study_uid):
                return False
            has_pixels = any(tag in dataset for tag in PIXEL_TAGS)
            return has_pixels >= ("Rows" in dataset) and all(map(_is_full, map(dataset.get_item, dataset.keys())))
    except (InputError, *LIBRARY_ERRORS):
        return False


def _is_full(element: DataElement | RawDataElement | None) -> bool:
    """Whether an element has as many bytes as it says: pydicom takes what is left of a file that was cut."""
    if not isinstance(element, RawDataElement) or element.length == UNDEFINED or element.value is None:
        return True
    return len(element.value) == element.length


@contextmanager
def _folder_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError("What was fetched cannot be written.", "Check the folder and the free space.") from error
