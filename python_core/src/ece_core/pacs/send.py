"""DICOM files to a PACS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ece_core.errors import InputError
from ece_core.io.dicom_file import is_dicom, read_header
from ece_core.io.limits import MAX_FILES
from ece_core.pacs.connection import Connection
from ece_core.pacs.instances import Failure, Instance, Transfer, Unreachable
from ece_core.pacs.query import find_instances
from ece_core.pacs.transfer import transfer

DICOMDIR = "1.2.840.10008.1.3.10"
RESULT_DICOM = "dicom"  # design.md section 4
Tell = Callable[[int, int], None]


def send(
    connection: Connection, files: dict[Instance, Path], tell: Tell = lambda done, total: None
) -> Transfer:
    """Send files; what the PACS has already is not sent again.

    Parameters
    ----------
    files
        As :func:`files_to_send` finds them.
    tell
        Told how many of how many instances are there.

    Returns
    -------
    Transfer
        Also when some could not be sent.

    Raises
    ------
    RunError
        The PACS does not answer, or refuses.
    """
    held = held_by(connection, list(files))
    confirmed: set[Instance] = set()
    broken = False

    def stored(instance: Instance) -> None:
        confirmed.add(instance)
        tell(len(held | confirmed), len(files))

    def arrived() -> set[Instance]:
        nonlocal broken
        if broken:  # an answer may have been lost with the line: the PACS has what it has
            try:
                held.update(held_by(connection, list(files)))
                broken = False
            except Unreachable:
                pass
        return held | confirmed

    def move(missing: Sequence[Instance]) -> list[Failure]:
        nonlocal broken
        try:
            return connection.store({one: files[one] for one in missing}, stored)
        except Unreachable:
            broken = True
            raise

    tell(len(held), len(files))
    return transfer(list(files), arrived, move)


def held_by(connection: Connection, instances: Sequence[Instance]) -> set[Instance]:
    """Which of these the PACS has."""
    series = dict.fromkeys((one.study_uid, one.series_uid) for one in instances)
    held = {one.sop_uid for study, number in series for one in find_instances(connection, study, number)}
    return {one for one in instances if one.sop_uid in held}


def files_to_send(path: Path) -> dict[Instance, Path]:
    """The DICOM files of a result folder (its ``dicom/``), of any folder to any depth, or one file.

    Raises
    ------
    InputError
        There is none, one is damaged or names no study, or two hold the same instance.
    """
    path = Path(path)
    if not path.exists():
        raise InputError("The file or folder does not exist.", "Check the path and try again.")
    if (path / "result.json").is_file():
        path = path / RESULT_DICOM
    candidates = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    if len(candidates) > MAX_FILES:
        raise InputError(f"The folder holds more than {MAX_FILES} files.", "Choose the folder of one study.")
    files: dict[Instance, Path] = {}
    for file in filter(is_dicom, candidates):
        instance = _instance(file)
        if instance is None:
            continue
        if instance in files:
            raise InputError("Two files hold the same DICOM object.", "Send each once: take one away.")
        files[instance] = file
    if not files:
        raise InputError(
            "There is no DICOM file to send.",
            "A result has DICOM objects when its CT was DICOM: analyze the DICOM series.",
        )
    return files


def _instance(file: Path) -> Instance | None:
    header = read_header(file)
    uids = [header.text(name) for name in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "SOPClassUID")]
    if header.header.file_meta.get("MediaStorageSOPClassUID") == DICOMDIR:
        return None
    if not all(uids):
        raise InputError("A DICOM file does not say which study it belongs to.", "Leave it out, or export it again.")
    return Instance(*uids)
