"""Slicer's DICOM database: whether it is open, and taking files into it."""

from pathlib import Path

import slicer
from slicer.i18n import tr as _


def isOpen() -> bool:
    database = getattr(slicer, "dicomDatabase", None)
    return database is not None and bool(database.isOpen)


def takeInto(folder: Path, instanceUids: list) -> None:
    """Copy the DICOM files of a folder into the database.

    Raises
    ------
    ECEError
        The database did not take them; the files are still in the folder.
    """
    from DICOMLib import DICOMUtils

    taken = DICOMUtils.importDicom(str(folder), slicer.dicomDatabase, True)
    if not taken or not all(slicer.dicomDatabase.fileForInstance(uid) for uid in instanceUids):
        from ece_core.errors import RunError

        raise RunError(
            _("The DICOM database did not take the exported files."),
            _("Check that its disk is not full (module DICOM), or export into a folder and import it there."),
        )
