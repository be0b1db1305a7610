"""HECKTOR: PET/CT of head-and-neck cancer with primary tumor (1) and lymph nodes (2), as 2022 and 2025 lay it out."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ece_core.io.datasets.case import Case
from ece_core.io.datasets.dataset import Dataset
from ece_core.io.datasets.labelmaps import LabelName, labelmap_outlines
from ece_core.io.image_files import suffix_of
from ece_core.io.reading import read_ct

LABELS = (LabelName("background", (0,)), LabelName("GTVp", (1,)), LabelName("GTVn", (2,)))
CT_TAIL = "__CT"  # CHUM-001__CT.nii.gz beside CHUM-001__PT.nii.gz
TRUTH_NOTE = (
    "Outlines were drawn on PET and CT without contrast; a GTVn may hold several lymph nodes that have grown together."
)


def load_hecktor(folder: Path | str) -> Dataset:
    """One case per CT, found at any depth; its outline lies beside it or in ``labelsTr``. Each component of GTVn is
    one lymph node.

    Raises
    ------
    InputError
        There is no file ``*__CT.nii.gz`` (or .mha, .nrrd).

    References
    ----------
    HECKTOR 2025, arXiv 2509.00367; HECKTOR 2022, doi:10.1007/978-3-031-27420-6_1
    """
    folder = Path(folder)
    cases = []
    for image in sorted(folder.rglob(f"*{CT_TAIL}.*")):
        ending = suffix_of(image)
        case_id = image.name[: -len(ending)].removesuffix(CT_TAIL)
        places = (image.with_name(f"{case_id}{ending}"), image.parent.parent / "labelsTr" / f"{case_id}{ending}")
        label = next((place for place in places if place.is_file()), None)
        cases.append(
            Case(
                case_id,
                case_id,
                read_scan=partial(read_ct, image),
                read_outlines=None if label is None else partial(labelmap_outlines, label, LABELS),
            )
        )
    return Dataset("HECKTOR", cases, [TRUTH_NOTE])
