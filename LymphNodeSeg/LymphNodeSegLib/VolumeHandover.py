"""Gives the scan in the scene to the worker as files: DICOM where it came from DICOM, else an NRRD file."""

import os
import shutil
import tempfile
from pathlib import Path

import slicer


class VolumeHandover:
    """A private temporary folder that holds the scan, until ``remove``.

    File names are numbers: what the volume is called may be a patient's name.
    """

    def __init__(self, volumeNode) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ece-", dir=slicer.app.temporaryPath))
        try:
            files = dicomFiles(volumeNode)
            if files:
                self.path = linkFiles(files, self.folder / "ct")
            else:
                self.path = writeNrrd(volumeNode, self.folder / "ct.nrrd")
        except Exception:
            self.remove()
            raise

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def dicomFiles(volumeNode) -> list[str]:
    """The DICOM files that the volume was loaded from, or [] when they are not all there.

    All or nothing, and one file per slice: a volume that was cropped or resampled may still carry the UIDs of the
    series it came from.
    """
    database = getattr(slicer, "dicomDatabase", None)
    uids = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()
    if database is None or not uids or len(uids) != volumeNode.GetImageData().GetDimensions()[2]:
        return []
    files = [database.fileForInstance(uid) for uid in uids]
    return files if all(file and os.path.isfile(file) for file in files) else []


def linkFiles(files: list[str], folder: Path) -> Path:
    """Hard links cost no disk; across disks, or where there are none, a copy."""
    folder.mkdir()
    for number, file in enumerate(files):
        target = folder / f"{number:06d}.dcm"
        try:
            os.link(file, target)
        except OSError:
            shutil.copyfile(file, target)
    return folder


def writeNrrd(volumeNode, path: Path) -> Path:
    """Uncompressed: written once, read once, deleted. The node keeps its own storage node."""
    storage = slicer.vtkMRMLNRRDStorageNode()
    storage.SetFileName(str(path))
    storage.SetUseCompression(0)
    if not storage.WriteData(volumeNode) or not path.is_file():
        from ece_core.errors import ECEError

        raise ECEError("The volume could not be written for the analysis.",
                       "Check that the disk with Slicer's temporary folder (Application Settings) has space.")
    return path
