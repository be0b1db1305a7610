"""Asking a PACS what it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydicom import Dataset

from ece_core.errors import InputError
from ece_core.io.dicom_file import text_of
from ece_core.io.quiet import quiet
from ece_core.pacs.connection import Connection
from ece_core.pacs.instances import Instance
from ece_core.pacs.transfer import with_patience

STUDY_KEYS = ("StudyInstanceUID", "PatientID", "AccessionNumber", "StudyDate")
STUDY_ANSWERS = (
    "StudyInstanceUID", "StudyDate", "ModalitiesInStudy", "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)  # fmt: skip
SERIES_ANSWERS = ("SeriesInstanceUID", "Modality", "SeriesNumber", "NumberOfSeriesRelatedInstances")
# Only on request: what names the patient, and free text, which may.
STUDY_PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyDescription")
SERIES_PATIENT = ("SeriesDescription",)
INSTANCE_ANSWERS = ("SOPInstanceUID", "SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID")


@dataclass(frozen=True)
class Found:
    """A study or a series as the PACS describes it: keyword to text, in the order in which they were asked for."""

    values: dict[str, str] = field(repr=False)


def find_studies(connection: Connection, keys: Mapping[str, str], show_patient: bool = False) -> list[Found]:
    """Studies that match; newest first.

    Parameters
    ----------
    keys
        Of STUDY_KEYS; at least one, so that nobody lists a whole hospital by mistake. Dates as 20260131 or as a range
        20260101-20260131.
    show_patient
        Also what names the patient. For a screen, never for a file or a log.

    Raises
    ------
    InputError
        There is no key, or one that does not exist.
    RunError
        The PACS does not answer, or refuses.
    """
    if not keys or not set(keys) <= set(STUDY_KEYS):
        raise InputError("There is nothing to look for.", "Give a study, patient ID, accession number or date.")
    wanted = STUDY_ANSWERS + (STUDY_PATIENT if show_patient else ())
    answers = with_patience(lambda: connection.find("STUDY", keys, wanted))
    return sorted((_found(answer, wanted) for answer in answers), key=lambda one: one.values["StudyDate"], reverse=True)


def find_series(connection: Connection, study_uid: str, show_patient: bool = False) -> list[Found]:
    """The series of a study, by number. Raises as :func:`find_studies`."""
    wanted = SERIES_ANSWERS + (SERIES_PATIENT if show_patient else ())
    answers = with_patience(lambda: connection.find("SERIES", {"StudyInstanceUID": study_uid}, wanted))
    return sorted((_found(answer, wanted) for answer in answers), key=lambda one: one.values["SeriesNumber"].zfill(12))


def find_instances(connection: Connection, study_uid: str, series_uid: str) -> list[Instance]:
    """The instances of a series, in the order of their UIDs; none when there is no such series.

    Raises
    ------
    RunError
        The PACS does not answer, or refuses.
    """
    keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
    answers = with_patience(lambda: connection.find("IMAGE", keys, INSTANCE_ANSWERS))
    found = {
        uid: Instance(uid, series_uid, study_uid, text_of(answer, "SOPClassUID"))
        for answer in answers
        if (uid := text_of(answer, "SOPInstanceUID"))
    }
    return [found[uid] for uid in sorted(found)]


def _found(answer: Dataset, wanted: tuple[str, ...]) -> Found:
    return Found({keyword: _printable(_text(answer, keyword)) for keyword in wanted})


def _text(answer: Dataset, keyword: str) -> str:
    if keyword != "PatientName":
        return text_of(answer, keyword)
    with quiet():
        return str(answer.get(keyword, ""))  # a PersonName is a sequence of letters to text_of


def _printable(text: str) -> str:
    """What a server says cannot move the cursor or color the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
