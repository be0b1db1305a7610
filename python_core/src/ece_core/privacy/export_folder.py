"""All DICOM files of a folder as a de-identified copy in a new one, with names that say nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pydicom import dcmread

from ece_core import RESEARCH_USE_ONLY
from ece_core.errors import InputError
from ece_core.io.dicom_file import is_dicom, read_header
from ece_core.io.dicom_folder import kind_of
from ece_core.io.limits import MAX_FILES
from ece_core.io.quiet import library_call
from ece_core.privacy.deidentify import Deidentifier, Notes, keep_list

MANIFEST = "manifest.json"
FACE = "The pixels are unchanged: a neck CT shows the face, which can be drawn from it and recognized."
BURNED_IN = "BurnedInAnnotation is YES"


def deidentify_folder(
    source: Path, target: Path, key: bytes, *, with_burned_in: bool = False,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Notes:  # fmt: skip
    """Write the copy.

    Parameters
    ----------
    source
        A folder, searched to any depth, or one file. What is no DICOM is left out.
    target
        An empty folder. Gets ``PSEUDONYM/series_01/0001.dcm`` and ``manifest.json``.
    key
        See :class:`~ece_core.privacy.deidentify.Deidentifier`.
    with_burned_in
        Also images that say that text is burned into them.
    tell
        Told how many of how many files are done.

    Raises
    ------
    InputError
        There is nothing to copy, or a file is damaged.
    """
    files = _dicom_files(Path(source))
    identities = Deidentifier(key)
    left_out: Counter[str] = Counter()
    written: Counter[Path] = Counter()
    series: dict[tuple[str, str], Path] = {}
    kinds: Counter[str] = Counter()
    for done, file in enumerate(files, start=1):
        reason = _reason_to_leave_out(file, with_burned_in)
        if reason:
            left_out[reason] += 1
        else:
            with library_call("A DICOM file cannot be copied: it is damaged.", "Export it again, or leave it out."):
                dataset = dcmread(file)
                patient = identities.pseudonym(dataset)
                number = (patient, str(dataset.SeriesInstanceUID))
                same = sum(known == patient for known, _ in series)
                folder = series.setdefault(number, target / patient / f"series_{same + 1:02d}")
                folder.mkdir(parents=True, exist_ok=True)
                written[folder] += 1
                kinds[keep_list()["objects"][str(dataset.SOPClassUID)]] += 1
                identities.copy(dataset).save_as(folder / f"{written[folder]:04d}.dcm", enforce_file_format=True)
        tell(done, len(files))
    if not written:
        exported = ", ".join(keep_list()["objects"].values())
        raise InputError("No DICOM object is left to export.", f"These are exported: {exported}.")
    identities.notes.left_out = dict(left_out)
    _write_manifest(target, identities.notes, kinds, len({patient for patient, _ in series}), len(series))
    return identities.notes


def warnings_of(notes: Notes) -> list[str]:
    """What whoever passes the copy on must know."""
    said = [FACE]
    if notes.burned_in:
        said.append(f"{notes.burned_in} images say that text is burned into them: look at each before it leaves.")
    if notes.maybe_burned_in:
        said.append(f"{notes.maybe_burned_in} images were made by a computer and may have text burned into them.")
    if notes.names_found:
        said.append(f"Names or IDs stood in {notes.names_found} elements where none belong; these are empty now.")
    said += [f"{count} objects were left out: {reason}." for reason, count in sorted(notes.left_out.items())]
    return said


def _dicom_files(source: Path) -> list[Path]:
    if not source.exists():
        raise InputError("The file or folder does not exist.", "Check the path and try again.")
    found = [source] if source.is_file() else sorted(file for file in source.rglob("*") if file.is_file())
    if len(found) > MAX_FILES:
        raise InputError(f"The folder holds more than {MAX_FILES} files.", "Choose the folder of one study.")
    files = [file for file in found if is_dicom(file)]
    if not files:
        raise InputError("There is no DICOM file.", "Choose a folder that holds DICOM files.")
    return files


def _reason_to_leave_out(file: Path, with_burned_in: bool) -> str:
    header = read_header(file)
    if header.text("SOPClassUID") not in keep_list()["objects"]:
        return f"{kind_of(header)} may hold free text or pictures of it"
    if header.text("BurnedInAnnotation").upper() == "YES" and not with_burned_in:
        return BURNED_IN
    return ""


def _write_manifest(target: Path, notes: Notes, kinds: Counter[str], patients: int, series: int) -> None:
    content = {
        "research_use_only": RESEARCH_USE_ONLY,
        "keep_list": keep_list()["version"],
        "patients": patients,
        "series": series,
        "objects": dict(sorted(kinds.items())),
        "elements_removed": notes.removed,
        "warnings": warnings_of(notes),
    }
    (target / MANIFEST).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
