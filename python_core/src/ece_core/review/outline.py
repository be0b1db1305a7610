"""The voxels of one lymph node, small enough to keep every version that the reader may want back."""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ece_core.errors import EmptyMaskError, InputError
from ece_core.geometry import Array, Volume


@dataclass(frozen=True, eq=False)
class Outline:
    """One lymph node's mask on the grid of the CT, without the empty rest of the grid. Equal by content.

    Attributes
    ----------
    start_kji
        Index of the block's first voxel on the CT grid.
    block
        (K, J, I) bool, as tight as it can be; at least one voxel is set. Read-only.
    """

    start_kji: tuple[int, int, int]
    block: Array

    @classmethod
    def from_mask(cls, mask: Array) -> Outline:
        """From a (K, J, I) array on the whole CT grid; what is not 0 belongs to the lymph node.

        Raises
        ------
        EmptyMaskError
            No voxel is set.
        """
        return cls.from_block((0, 0, 0), mask)

    @classmethod
    def from_block(cls, start_kji: tuple[int, int, int], block: Array) -> Outline:
        """From a block of the CT grid that begins at ``start_kji``, made as tight as it can be.

        Raises
        ------
        EmptyMaskError
            No voxel is set.
        """
        box = _box(block)
        if box is None:
            raise EmptyMaskError(
                "The outline is empty.", "Paint the lymph node again, or delete it if it is not there."
            )
        tight = np.array(block[box], dtype=bool)
        tight.setflags(write=False)
        k, j, i = (int(first) + side.start for first, side in zip(start_kji, box, strict=True))
        return cls((k, j, i), tight)

    @property
    def stop_kji(self) -> tuple[int, int, int]:
        """One past the last voxel, on the CT grid."""
        k, j, i = (first + size for first, size in zip(self.start_kji, self.block.shape, strict=True))
        return k, j, i

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where the block lies in an array on the CT grid."""
        k, j, i = (slice(a, b) for a, b in zip(self.start_kji, self.stop_kji, strict=True))
        return k, j, i

    @property
    def voxels(self) -> int:
        return int(np.count_nonzero(self.block))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Outline):
            return NotImplemented
        return self is other or (self.start_kji == other.start_kji and np.array_equal(self.block, other.block))

    def __hash__(self) -> int:
        return hash((self.start_kji, self.block.shape, self.voxels))

    def paint(self, array: Array, value: int) -> None:
        """Set this lymph node's voxels in an array on the CT grid."""
        array[self.box][self.block] = value

    def inside(self, shape_kji: tuple[int, int, int]) -> bool:
        """Whether a grid of this shape holds all of it."""
        return min(self.start_kji) >= 0 and all(a <= b for a, b in zip(self.stop_kji, shape_kji, strict=True))

    def without(self, others: list[Outline]) -> Outline:
        """Less what belongs to others: a voxel belongs to one lymph node only.

        Raises
        ------
        EmptyMaskError
            Nothing is left.
        """
        left = np.array(self.block)
        for other in others:
            ours, theirs = _common(self, other)
            if ours is not None:
                left[ours] &= ~other.block[theirs]
        if not left.any():
            raise EmptyMaskError(
                "Nothing is left of the outline: all of it belongs to other lymph nodes.",
                "Draw outside of them, or merge the lymph nodes.",
            )
        return Outline.from_block(self.start_kji, left)

    @classmethod
    def union(cls, outlines: list[Outline]) -> Outline:
        """All voxels of several."""
        start = np.min([outline.start_kji for outline in outlines], axis=0)
        stop = np.max([outline.stop_kji for outline in outlines], axis=0)
        block = np.zeros(tuple(stop - start), dtype=bool)
        for outline in outlines:
            moved = Outline((*(np.array(outline.start_kji) - start),), outline.block)  # type: ignore[arg-type]
            moved.paint(block, True)
        k, j, i = (int(value) for value in start)
        return cls.from_block((k, j, i), block)

    def to_json(self) -> dict[str, Any]:
        return self._json

    @cached_property
    def _json(self) -> dict[str, Any]:
        packed = zlib.compress(np.packbits(self.block).tobytes(), 6)
        return {
            "start_kji": list(self.start_kji),
            "shape_kji": list(self.block.shape),
            "voxels": base64.b64encode(packed).decode("ascii"),
        }

    @classmethod
    def from_json(cls, row: dict[str, Any], grid_kji: tuple[int, int, int]) -> Outline:
        """The inverse of :meth:`to_json`.

        Raises
        ------
        InputError
            It is damaged, empty, or leaves the grid.
        """
        try:
            start, shape = (tuple(int(value) for value in row[key]) for key in ("start_kji", "shape_kji"))
            if len(start) != 3 or len(shape) != 3 or min(shape) < 1 or min(start) < 0:
                raise ValueError("not a block")
            if any(a + b > c for a, b, c in zip(start, shape, grid_kji, strict=True)):
                raise ValueError("outside of the grid")
            bits = _unpacked(row["voxels"], int(np.prod(shape)))
            return cls.from_block((start[0], start[1], start[2]), bits.reshape(shape))
        except (KeyError, TypeError, ValueError, EmptyMaskError, binascii.Error, zlib.error) as error:
            raise InputError(
                "The outline of a lymph node in the review is damaged or outside of the scan.",
                "Open the review of this result, or start a new one from the result.",
            ) from error


def outlines_of(instances: Volume) -> dict[int, Outline]:
    """By label, the outlines of an instance map: (K, J, I) integers, 0 background."""
    from scipy import ndimage

    found = {}
    for label, box in enumerate(ndimage.find_objects(instances.array), start=1):
        if box is not None:
            k, j, i = (side.start for side in box)
            found[label] = Outline.from_block((k, j, i), instances.array[box] == label)
    return found


def _box(array: Array) -> tuple[slice, slice, slice] | None:
    sides = []
    for axis in range(3):
        used = np.flatnonzero(array.any(axis=tuple(other for other in range(3) if other != axis)))
        if used.size == 0:
            return None
        sides.append(slice(int(used[0]), int(used[-1]) + 1))
    return sides[0], sides[1], sides[2]


def _common(one: Outline, other: Outline):
    """The block that two boxes share, as slices into each of them; (None, None) if they share none."""
    start = np.maximum(one.start_kji, other.start_kji)
    stop = np.minimum(one.stop_kji, other.stop_kji)
    if (start >= stop).any():
        return None, None
    return tuple(
        tuple(slice(int(a - c), int(b - c)) for a, b, c in zip(start, stop, outline.start_kji, strict=True))
        for outline in (one, other)
    )


def _unpacked(text: str, voxels: int) -> Array:
    size = (voxels + 7) // 8
    data = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), size + 1)
    if len(data) != size:
        raise ValueError("not as many voxels as the shape says")
    return np.unpackbits(np.frombuffer(data, np.uint8), count=voxels).astype(bool)
