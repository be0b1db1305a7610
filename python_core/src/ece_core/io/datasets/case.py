"""One case of a data set: scan and outlines that are read when asked for, and the labels that its source gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal, get_args

from ece_core.errors import InputError
from ece_core.geometry import Volume
from ece_core.io.scan import Scan

Split = Literal["train", "validation", "test"]
# What the pathologist found. "present": extension without a word on its extent, as in lyDATA.
PathologicENE = Literal["none", "microscopic", "gross", "present"]
SPLITS: tuple[Split, ...] = get_args(Split)
PATHOLOGIC_ENE: tuple[PathologicENE, ...] = get_args(PathologicENE)
IENE_GRADES = (0, 1, 2, 3)  # HNCIG, Henson et al. 2024, doi:10.1016/S1470-2045(24)00066-4
NO_FACTS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class PatientLabels:
    """What is known of the patient. None is unknown, never negative. Pathology and imaging are kept apart.

    Parameters
    ----------
    pene
        Pathologic ENE (also ECE).
    iene_grade
        A reader's imaging grade (HNCIG 0 to 3).
    facts
        Numbers that the source gives beside them, such as ``positive_lymph_nodes`` or ``largest_lymph_node_mm``.
    """

    pene: PathologicENE | None = None
    iene_grade: int | None = None
    facts: Mapping[str, float] = field(default_factory=lambda: NO_FACTS)

    @property
    def has_pene(self) -> bool | None:
        """Whether the pathologist found extension; None if unknown."""
        return None if self.pene is None else self.pene != "none"


@dataclass(frozen=True)
class LymphNodeLabels:
    """What is known of one lymph node of the instance map. None is unknown.

    Parameters
    ----------
    label
        Its value in the instance map.
    target
        What the file calls the thing that it is a component of, such as an ROI's name.
    class_name
        "N", "P" or "ENE".
    pene, iene_grade
        As for the patient.
    """

    label: int
    target: str
    class_name: str | None = None
    pene: PathologicENE | None = None
    iene_grade: int | None = None


@dataclass(frozen=True, eq=False)
class Outlines:
    """What is outlined on the grid of the CT.

    Parameters
    ----------
    instances
        (K, J, I) uint16, one label per lymph node; None if the source outlines no lymph nodes.
    lymph_nodes
        One per label, ascending.
    notes
        What could not be read, and where outlines overlapped.
    readers
        Name -> how to read the mask of everything else that is outlined (organs, primary tumor, margins).
    """

    instances: Volume | None = None
    lymph_nodes: tuple[LymphNodeLabels, ...] = ()
    notes: tuple[str, ...] = ()
    readers: Mapping[str, Callable[[], Volume]] = field(default_factory=dict, repr=False)

    @property
    def structures(self) -> tuple[str, ...]:
        """Names of what is outlined beside lymph nodes."""
        return tuple(self.readers)

    def structure(self, name: str) -> Volume:
        """(K, J, I) bool of one of ``structures``; read now, and not kept.

        Raises
        ------
        InputError
            There is none of this name, or its file cannot be read.
        """
        if name not in self.readers:
            raise InputError("The case has no structure with this name.", "Choose one of its structures.")
        return self.readers[name]()


@dataclass(frozen=True, eq=False)
class Case:
    """One scan of one patient, or one row of a table.

    Parameters
    ----------
    case_id
        Unique in its data set; safe to write anywhere: the user's own file or folder name, or for DICOM a hash.
    patient
        The same for all cases of one patient, so that a split can keep them together.
    split
        As the source says; None if it does not.
    labels
        Of the patient.
    keys
        By what else a table of labels may call the case (folder name, PatientID). Only to match, never to write.
    read_scan, read_outlines
        How to read them; None if the source has none.
    """

    case_id: str
    patient: str
    split: Split | None = None
    labels: PatientLabels = PatientLabels()
    keys: tuple[str, ...] = field(default=(), repr=False)
    read_scan: Callable[[], Scan] | None = field(default=None, repr=False)
    read_outlines: Callable[[Scan], Outlines] | None = field(default=None, repr=False)

    @property
    def has_ct(self) -> bool:
        return self.read_scan is not None

    @property
    def has_outlines(self) -> bool:
        return self.read_outlines is not None

    @cached_property
    def ct(self) -> Scan:
        """The scan, read at the first call and kept as long as this case is.

        Raises
        ------
        InputError
            There is none, or it cannot be read.
        """
        if self.read_scan is None:
            raise InputError("The case has no CT: its source is a table.", "Choose a data set with images.")
        return self.read_scan()

    @cached_property
    def outlines(self) -> Outlines:
        """What is outlined, read at the first call and kept; empty if the source outlines nothing.

        Raises
        ------
        InputError
            The scan or the outlines cannot be read, or do not fit each other.
        """
        return Outlines() if self.read_outlines is None else self.read_outlines(self.ct)
