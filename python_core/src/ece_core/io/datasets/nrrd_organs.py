"""Folders of organ masks, one NRRD file per structure: PDDCA, the DeepMind set, HaN-Seg."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ece_core.geometry import Volume
from ece_core.io.datasets.case import Case, Outlines
from ece_core.io.datasets.dataset import Dataset
from ece_core.io.datasets.labelmaps import outlines_of, read_on_grid
from ece_core.io.nodal_names import is_nodal
from ece_core.io.reading import read_ct
from ece_core.io.scan import Scan
from ece_core.io.targets import Target, lymph_nodes_of

CT_NAMES = ("img.nrrd", "CT_IMAGE.nrrd")  # PDDCA, DeepMind
CT_TAIL = "_IMG_CT.nrrd"  # HaN-Seg: case_01_IMG_CT.nrrd beside case_01_OAR_Mandible.seg.nrrd
MASK_FOLDERS = ("structures", "segmentations")  # PDDCA, DeepMind
HAN_SEG_MASK = "_OAR_"


def load_nrrd_organs(folder: Path | str) -> Dataset:
    """One case per folder with a CT, found at any depth; ids are folder names.

    Raises
    ------
    InputError
        There is no ``img.nrrd``, ``CT_IMAGE.nrrd`` or ``*_IMG_CT.nrrd``.

    References
    ----------
    PDDCA: Raudaschl et al. 2017, doi:10.1002/mp.12197; DeepMind: Nikolov et al., arXiv:1809.04430; HaN-Seg: Podobnik
    et al. 2023, doi:10.1002/mp.16197
    """
    folder = Path(folder)
    images = sorted(path for path in folder.rglob("*.nrrd") if path.name in CT_NAMES or path.name.endswith(CT_TAIL))
    cases = []
    for image in images:
        masks = _masks(image)
        inner = image.parent.relative_to(folder)
        # One patient is outlined by several observers in the DeepMind set: the last folder is the patient.
        case_id, patient = "-".join(inner.parts) or folder.name, inner.name or folder.name
        cases.append(
            Case(
                case_id,
                patient,
                read_scan=partial(read_ct, image),
                read_outlines=partial(_outlines, masks) if masks else None,
            )
        )
    return Dataset("Organ folders (NRRD)", cases)


def _masks(image: Path) -> tuple[tuple[str, Path], ...]:
    """(name, file) of each structure."""
    for name in MASK_FOLDERS:
        if (image.parent / name).is_dir():
            return tuple((path.name.split(".")[0], path) for path in sorted((image.parent / name).glob("*.nrrd")))
    beside = sorted(image.parent.glob(f"*{HAN_SEG_MASK}*.nrrd"))
    return tuple((path.name.split(".")[0].partition(HAN_SEG_MASK)[2], path) for path in beside)


def _outlines(masks: Sequence[tuple[str, Path]], ct: Scan) -> Outlines:
    nodal = [(name, path) for name, path in masks if is_nodal(name)]
    targets = (Target(name, _mask(path, ct)) for name, path in nodal)
    readers = {name: partial(_mask, path, ct) for name, path in masks if not is_nodal(name)}
    return outlines_of(lymph_nodes_of(targets, ct.volume) if nodal else None, readers)


def _mask(path: Path, ct: Scan) -> Volume:
    labelmap = read_on_grid(path, ct)
    return labelmap.with_array(np.asarray(labelmap.array > 0))
