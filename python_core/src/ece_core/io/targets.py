"""From outlined targets to one label per lymph node: a component is a lymph node unless the file says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ece_core.errors import InputError
from ece_core.geometry import Array, Volume

FULL = np.ones((3, 3, 3), dtype=bool)  # pieces that touch by a corner are one, as in lymph_nodes/instances.py
SAME_OBJECT = 0.5  # of the smaller one's voxels: two outlines that share more are one lymph node drawn twice
MAX_LYMPH_NODES = np.iinfo(np.uint16).max


@dataclass(frozen=True, eq=False)
class Target:
    """Something outlined that holds lymph nodes.

    Parameters
    ----------
    name
        As the file has it.
    mask
        (K, J, I) bool.
    is_one
        The file says that it is one lymph node, in however many pieces.
    class_name
        "N", "P" or "ENE" if the file says so.
    """

    name: str
    mask: Volume
    is_one: bool = False
    class_name: str | None = None


@dataclass(frozen=True)
class OutlinedLymphNode:
    """One lymph node of an instance map: its label, and the target that it came from."""

    label: int
    target: str
    class_name: str | None = None


@dataclass(frozen=True, eq=False)
class Instances:
    """Lymph nodes on the grid of the CT.

    Parameters
    ----------
    volume
        (K, J, I) uint16: 0 background, 1..n.
    lymph_nodes
        One per label, ascending: in the order of the targets, within a target from the first slice on.
    notes
        Where outlines overlapped and what was made of it.
    """

    volume: Volume
    lymph_nodes: tuple[OutlinedLymphNode, ...]
    notes: tuple[str, ...] = ()


def lymph_nodes_of(targets: Iterable[Target], grid: Volume) -> Instances:
    """One label per lymph node.

    Where two targets overlap, the voxels that they share stay with the first; a lymph node of which more than half
    is shared is one drawn twice, and the second outline is left out. Both are said in the notes.

    Parameters
    ----------
    targets
        On the grid; one after the other, so that they need not all be in memory.

    Raises
    ------
    InputError
        There are more pieces than labels.
    """
    labels = np.zeros(grid.shape, dtype=np.uint16)
    found: list[OutlinedLymphNode] = []
    notes: list[str] = []
    for target in targets:
        for box, piece in _pieces(target):
            taken = labels[box][piece]
            shared = int(np.count_nonzero(taken))
            if shared and (shared == taken.size or _drawn_twice(labels, taken)):
                notes.append("A lymph node is outlined in two targets and was used once.")
                continue
            if shared:
                notes.append(f"Two targets overlap; the {shared} voxels that they share belong to the first.")
            if len(found) == MAX_LYMPH_NODES:
                raise InputError(
                    f"The outlines fall into more than {MAX_LYMPH_NODES} pieces.", "Choose a mask of lymph nodes."
                )
            found.append(OutlinedLymphNode(len(found) + 1, target.name, target.class_name))
            labels[box][piece & (labels[box] == 0)] = len(found)
    return Instances(grid.with_array(labels), tuple(found), tuple(dict.fromkeys(notes)))


def _pieces(target: Target) -> Iterator[tuple[tuple[slice, ...], Array]]:
    """Box and mask within it, per lymph node of a target."""
    from scipy import ndimage  # late: it would double the time that reading a CT takes to start

    mask = target.mask.array
    boxes = ndimage.find_objects(mask.astype(np.uint8))
    if not boxes:
        return
    whole = boxes[0]
    if target.is_one:
        yield whole, mask[whole]
        return
    components, _ = ndimage.label(mask[whole], FULL)
    for number, inner in enumerate(ndimage.find_objects(components), start=1):
        box = tuple(slice(a.start + b.start, a.start + b.stop) for a, b in zip(whole, inner, strict=True))
        yield box, components[inner] == number


def _drawn_twice(labels: Array, taken: Array) -> bool:
    """Whether an earlier lymph node shares more than half of the smaller one; ``taken``: labels below the piece."""
    overlaps = np.bincount(taken[taken > 0])
    other = int(overlaps.argmax())
    return bool(overlaps[other] > SAME_OBJECT * min(taken.size, int(np.count_nonzero(labels == other))))
