"""One name per layout of a data set, and which one a folder has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ece_core.errors import InputError
from ece_core.io.datasets.dataset import Dataset
from ece_core.io.datasets.dicom_studies import load_dicom_studies
from ece_core.io.datasets.hecktor import load_hecktor
from ece_core.io.datasets.nnunet import load_nnunet
from ece_core.io.datasets.nrrd_organs import load_nrrd_organs
from ece_core.io.datasets.simulated_cohort import MANIFEST_FILE, load_simulated_cohort

LAYOUTS: dict[str, Callable[[Path], Dataset]] = {
    "simulated": load_simulated_cohort,
    "nnunet": load_nnunet,
    "dicom": load_dicom_studies,
    "hecktor": load_hecktor,
    "nrrd": load_nrrd_organs,
}
TOLD_BY = {MANIFEST_FILE: "simulated", "dataset.json": "nnunet"}


def load_dataset(folder: Path | str, layout: str | None = None) -> Dataset:
    """The data set in a folder, by the loader of its layout.

    Parameters
    ----------
    layout
        A name of ``LAYOUTS``; None: a simulated cohort and an nnU-Net data set are known by their files.

    Raises
    ------
    InputError
        There is no folder or no such layout, it cannot be told, or the loader refuses the folder.
    """
    folder, known = Path(folder), ", ".join(LAYOUTS)
    if not folder.is_dir():
        raise InputError("The data set is not a folder.", "Give the folder that holds its cases.")
    layout = layout or next((name for file, name in TOLD_BY.items() if (folder / file).is_file()), None)
    if layout is None:
        raise InputError(
            "The layout of the data set cannot be told from its files: it has neither manifest.json nor dataset.json.",
            f"Say which it is with --layout: {known} (docs/datasets.md).",
        )
    if layout not in LAYOUTS:
        raise InputError(f"There is no layout of data sets named {layout!r}.", f"Choose one of {known}.")
    return LAYOUTS[layout](folder)
