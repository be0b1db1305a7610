"""Outlines from label maps and mask files: which values are lymph nodes, which are something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ece_core.classes import CLASS_NAMES
from ece_core.errors import GeometryError, InputError
from ece_core.geometry import Volume
from ece_core.io.datasets.case import LymphNodeLabels, Outlines
from ece_core.io.image_files import read_labelmap
from ece_core.io.nodal_names import is_nodal
from ece_core.io.scan import Scan
from ece_core.io.targets import Instances, Target, lymph_nodes_of

CLASS_OF_NAME = {name.casefold(): name for name in CLASS_NAMES}


@dataclass(frozen=True)
class LabelName:
    """What some values of a label map stand for; several values are one region."""

    name: str
    values: tuple[int, ...]

    @property
    def class_name(self) -> str | None:
        """ "N", "P" or "ENE" if that is the name."""
        return CLASS_OF_NAME.get(self.name.strip().casefold())

    @property
    def is_nodal(self) -> bool:
        return self.class_name is not None or is_nodal(self.name)


def read_on_grid(path: Path, ct: Scan) -> Volume:
    """A label map that must be on the grid of the CT.

    Raises
    ------
    GeometryError
        It is not.
    InputError
        It cannot be read.
    """
    labelmap = read_labelmap(path)
    if not labelmap.same_grid(ct.volume):
        raise GeometryError(
            f"The label map is not on the grid of the CT: its shape is {labelmap.shape}, the CT's {ct.volume.shape} "
            "(or origin, spacing or direction differ).",
            "Resample it to the CT, or check that both belong to one case.",
        )
    return Volume(labelmap.array, ct.volume.affine)


def labelmap_outlines(path: Path, names: Sequence[LabelName], ct: Scan) -> Outlines:
    """Outlines of a label map: components of nodal labels are lymph nodes, the rest are structures.

    Parameters
    ----------
    names
        Of all labels. A label that is named N, P or ENE gives its lymph nodes that class.

    Raises
    ------
    GeometryError
        The label map is not on the grid of the CT.
    InputError
        It cannot be read, or holds a value that has no name.
    """
    labelmap = read_on_grid(path, ct)
    nameless = set(np.unique(labelmap.array).tolist()) - {0} - {value for name in names for value in name.values}
    if nameless:
        raise InputError(
            f"The label map holds values that have no name: {', '.join(map(str, sorted(nameless)[:5]))}.",
            "Add them to the list of labels, or correct the label map.",
        )
    # Classes first: a region such as "lymph nodes" of all classes then repeats what is there already.
    nodal = sorted((name for name in names if name.is_nodal), key=lambda name: name.class_name is None)
    targets = (Target(name.name, _where(labelmap, name.values), class_name=name.class_name) for name in nodal)
    readers = {
        name.name: partial(_structure, path, name.values, ct)
        for name in names
        if not name.is_nodal and name.values != (0,)
    }
    return outlines_of(lymph_nodes_of(targets, ct.volume) if nodal else None, readers)


def outlines_of(
    instances: Instances | None, readers: Mapping[str, Callable[[], Volume]], notes: Sequence[str] = ()
) -> Outlines:
    """Outlines of an instance map and of what else there is."""
    if instances is None:
        return Outlines(notes=tuple(notes), readers=dict(readers))
    rows = tuple(LymphNodeLabels(node.label, node.target, node.class_name) for node in instances.lymph_nodes)
    return Outlines(instances.volume, rows, (*notes, *instances.notes), dict(readers))


def _structure(path: Path, values: tuple[int, ...], ct: Scan) -> Volume:
    return _where(read_on_grid(path, ct), values)


def _where(labelmap: Volume, values: tuple[int, ...]) -> Volume:
    return labelmap.with_array(np.isin(labelmap.array, values))
