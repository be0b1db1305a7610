"""What the headers hint at and geometry cannot prove."""

from __future__ import annotations

from collections.abc import Sequence

from ece_core.io.dicom_file import DicomFile


def complete_by_its_own_count(files: Sequence[DicomFile]) -> list[str]:
    """A warning when InstanceNumber or ImagesInAcquisition say that slices are missing at an end."""
    numbers = [file.text("InstanceNumber") for file in files]
    if all(number.isdecimal() for number in numbers) and len(set(numbers)) == len(files):
        values = [int(number) for number in numbers]
        lost = max(values) - min(values) + 1 - len(files)
        if lost > 0:
            return [f"The instance numbers leave out {lost} numbers: slices may be missing at an end of the scan."]
    said = {file.text("ImagesInAcquisition") for file in files}
    if len(said) == 1 and (count := said.pop()).isdecimal() and int(count) > len(files):
        return [f"The scanner recorded {int(count)} images, {len(files)} were found: the scan may be cut at an end."]
    return []
