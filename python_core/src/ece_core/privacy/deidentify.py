"""A copy of DICOM objects for research: what is on the keep-list stays, all else goes; UIDs and dates get other values.

The list is data (`keep_list.json`), with the standard's words; `docs/privacy.md` says what it means. Pixels stay as
they are: text burned into them, and the face in a neck CT, stay, too.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import io
import json
import re
import uuid
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.uid import UID

from ece_core import __version__
from ece_core.io.ct_series_writer import IMPLEMENTATION_UID
from ece_core.io.dicom_file import text_of
from ece_core.io.mask_file import STRUCTURE_NAME
from ece_core.io.quiet import quiet

STANDARD_UIDS = "1.2.840.10008."  # of classes, transfer syntaxes and the like: the same for everyone
OLDEST_AGE = 89  # "over 89" is one group (45 CFR 164.514(b)(2)(i)(C))
MOST_DAYS = 3650
NO_TIME = "000000"
SHORTEST_NAME = 3  # letters; two-letter parts of names would hit ordinary words
# What a name that is none becomes, with its number.
LABELS = {"SegmentLabel": "Segment", "TrackingID": "Segment", "ROIName": "ROI"}
# Looked for in texts that are kept: people by each part of their names, the rest as a whole.
PEOPLE = (
    "PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName", "ReferringPhysicianName",
    "PerformingPhysicianName", "OperatorsName", "NameOfPhysiciansReadingStudy", "PhysiciansOfRecord",
    "RequestingPhysician", "ResponsiblePerson",
)  # fmt: skip
NUMBERS_AND_PLACES = (
    "PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID", "PatientAddress", "PatientTelephoneNumbers",
    "InstitutionName", "InstitutionAddress", "StationName",
)  # fmt: skip
FREE_TEXT = ("LO", "SH", "ST", "LT", "UT", "UC", "PN")  # numbers and enumerated words are none
FREE_WORDS = ("BodyPartExamined", "ContentLabel", "ScanOptions", "FilterType")  # CS in which anything can stand
STANDARD_CODES = ("DCM", "SCT", "SRT", "SNM3", "UCUM", "FMA", "LN", "RADLEX", "NCIt", "99LNECE")
METHOD = "ECEDetector keep-list {version}; pixels unchanged"  # DeidentificationMethod, LO: 64 characters
OPTIONS = (  # CID 7050
    codes.DCM.BasicApplicationConfidentialityProfile,
    codes.DCM.RetainLongitudinalTemporalInformationModifiedDatesOption,
    codes.DCM.RetainPatientCharacteristicsOption,
)


@dataclass
class Notes:
    """What was found on the way, over all files; counts only."""

    removed: int = 0
    names_found: int = 0
    burned_in: int = 0
    maybe_burned_in: int = 0
    left_out: dict[str, int] = field(default_factory=dict)


@cache
def keep_list() -> dict[str, Any]:
    """`keep_list.json`."""
    return json.loads(Path(__file__).with_name("keep_list.json").read_text(encoding="utf-8"))


@cache
def kept_keywords() -> frozenset[str]:
    return frozenset(keyword for group in keep_list()["keep"].values() for keyword in group)


class Deidentifier:
    """Replaces identities, the same way in every file.

    Parameters
    ----------
    key
        Secret, at least 16 bytes: who has it can tell which pseudonym belongs to a patient ID. Another key, other
        pseudonyms, UIDs and dates.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ValueError("the key has fewer than 16 bytes")
        self._key = key
        self.notes = Notes()

    def pseudonym(self, dataset: Dataset) -> str:
        """What the patient is called in the copy."""
        return f"ANON-{self._digest('patient', patient_of(dataset)).hex()[:12].upper()}"

    def uid(self, uid: str) -> str:
        """Another UID, the same for the same; those of the standard stay."""
        if uid.startswith(STANDARD_UIDS) or not uid:
            return uid
        return f"2.25.{uuid.UUID(bytes=self._digest('uid', uid)[:16], version=4).int}"

    def days(self, dataset: Dataset) -> int:
        """By how many days a patient's dates move: 1 to 3650 back."""
        return -1 - int.from_bytes(self._digest("days", patient_of(dataset))[:8], "big") % MOST_DAYS

    def copy(self, dataset: FileDataset) -> FileDataset:
        """The object without identity, ready to be written.

        Parameters
        ----------
        dataset
            With its file meta information. It is not changed.
        """
        with quiet():
            cleaner = _Cleaner(self, self.days(dataset), _personal_texts(dataset))
            copied = cleaner.clean(dataset)
            for keyword in keep_list()["empty"]:
                setattr(copied, keyword, "")
            copied.PatientID = self.pseudonym(dataset)
            copied.PatientName = copied.PatientID.replace("-", "^")
            _say_so(copied)
            self._note_burned_in(dataset)
            return _file(copied, dataset)

    def _note_burned_in(self, dataset: Dataset) -> None:
        said = text_of(dataset, "BurnedInAnnotation").upper()
        kind = text_of(dataset, "ImageType").upper().split("\\")
        self.notes.burned_in += said == "YES"
        self.notes.maybe_burned_in += said == "" and ("SECONDARY" in kind or "SCREEN SAVE" in kind)

    def _digest(self, what: str, text: str) -> bytes:
        return hmac.digest(self._key, f"{what}\0{text}".encode(), hashlib.sha256)


def patient_of(dataset: Dataset) -> str:
    """What tells patients apart: the ID with its issuer; without one the name and birth date, else the study."""
    with quiet():
        if patient_id := text_of(dataset, "PatientID"):
            return "\0".join(("id", patient_id, text_of(dataset, "IssuerOfPatientID")))
        if name := str(dataset.get("PatientName") or ""):
            return "\0".join(("name", name, text_of(dataset, "PatientBirthDate")))
        return "\0".join(("study", text_of(dataset, "StudyInstanceUID")))


class _Cleaner:
    """One object, to any depth."""

    def __init__(self, identities: Deidentifier, days: int, personal: re.Pattern[str] | None) -> None:
        self._identities, self._days, self._personal = identities, days, personal
        self._notes = identities.notes

    def clean(self, dataset: Dataset) -> Dataset:
        copied = Dataset()
        for element in dataset:
            keyword = element.keyword
            if element.tag.is_private or keyword not in kept_keywords():
                self._notes.removed += 1
                if keyword in keep_list()["dummy"]:
                    setattr(copied, keyword, keep_list()["dummy"][keyword])
                continue
            copied.add(DataElement(element.tag, element.VR, self._value(element, dataset),
                                   is_undefined_length=element.is_undefined_length))  # fmt: skip
        if "SpecificCharacterSet" in dataset:
            copied.SpecificCharacterSet = "ISO_IR 192"
        return copied

    def _value(self, element: DataElement, dataset: Dataset) -> Any:
        if element.VR == "SQ":
            return Sequence([self.clean(item) for item in element.value])
        if element.VR in ("OB", "OW", "OF", "OD", "OL", "OV", "AT", "US", "SS", "UL", "SL", "FL", "FD"):
            return element.value
        texts = [self._text(element, str(value), dataset) for value in _values(element)]
        return texts if element.VM > 1 else (texts or [""])[0]

    def _text(self, element: DataElement, text: str, dataset: Dataset) -> str:
        if element.VR == "UI":
            return self._identities.uid(text)
        if element.VR in ("DA", "DT"):
            return shifted(text, self._days, with_time=element.VR == "DT")
        if element.VR == "TM":
            return NO_TIME
        if element.keyword == "PatientAge":
            return coarse_age(text)
        if element.keyword in LABELS and not STRUCTURE_NAME.fullmatch(text):
            return _numbered(element.keyword, dataset)
        if self._is_free(element, dataset) and self._personal is not None and self._personal.search(text):
            self._notes.names_found += 1
            return _numbered(element.keyword, dataset) if element.keyword in LABELS else ""
        return text


    @staticmethod
    def _is_free(element: DataElement, dataset: Dataset) -> bool:
        """Whether anyone may have typed a name there."""
        if text_of(dataset, "CodingSchemeDesignator") in STANDARD_CODES:
            return False
        return element.VR in FREE_TEXT or element.keyword in FREE_WORDS


def shifted(text: str, days: int, with_time: bool = False) -> str:
    """A DICOM date moved by days; with a time that says nothing where the element needs one. Empty if it is none."""
    try:
        date = datetime.datetime.strptime(text[:8], "%Y%m%d") + datetime.timedelta(days=days)
    except (ValueError, OverflowError):
        return ""
    return date.strftime("%Y%m%d").zfill(8) + (NO_TIME if with_time else "")


def coarse_age(text: str) -> str:
    """The age, at most 90 years; empty if it is none."""
    if not re.fullmatch(r"\d{3}[DWMY]", text):
        return ""
    return "090Y" if text.endswith("Y") and int(text[:3]) > OLDEST_AGE else text


def _values(element: DataElement) -> list[Any]:
    if element.value is None or element.value == "":
        return []
    return list(element.value) if element.VM > 1 else [element.value]


def _numbered(keyword: str, dataset: Dataset) -> str:
    return f"{LABELS[keyword]} {text_of(dataset, 'SegmentNumber') or text_of(dataset, 'ROINumber')}".strip()


def _personal_texts(dataset: Dataset) -> re.Pattern[str] | None:
    """Finds people, IDs and the hospital in a text that would be kept."""
    parts: set[str] = set()
    for keyword in (*PEOPLE, *NUMBERS_AND_PLACES):
        for value in _values(dataset[keyword]) if keyword in dataset else ():
            parts.update(re.split(r"[\^=\s,]+", str(value)) if keyword in PEOPLE else [str(value).strip()])
    words = "|".join(re.escape(part) for part in sorted(parts) if len(part) >= SHORTEST_NAME)
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE) if words else None


def _say_so(copied: Dataset) -> None:
    """PS3.3 C.7.1.1 and C.12.1: that identity was removed, and how."""
    copied.PatientIdentityRemoved = "YES"
    copied.DeidentificationMethod = METHOD.format(version=keep_list()["version"])
    copied.DeidentificationMethodCodeSequence = Sequence([_code(code) for code in OPTIONS])
    copied.LongitudinalTemporalInformationModified = "MODIFIED"


def _code(code: Any) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def _file(copied: Dataset, source: FileDataset) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = copied.SOPClassUID
    meta.MediaStorageSOPInstanceUID = copied.SOPInstanceUID
    meta.TransferSyntaxUID = source.file_meta.TransferSyntaxUID
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    meta.ImplementationVersionName = f"ECE {__version__}"[:16]
    return FileDataset(io.BytesIO(), copied, file_meta=meta, preamble=b"\0" * 128)
