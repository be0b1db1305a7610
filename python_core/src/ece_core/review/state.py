"""What the review says at one moment. Nothing in it changes: an action makes a new state out of an old one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ece_core.errors import InputError
from ece_core.geometry import Volume
from ece_core.lymph_nodes.lymph_node import OUT_OF_DATE, LymphNode
from ece_core.review.opinion import Opinion
from ece_core.review.outline import Outline


@dataclass(frozen=True)
class ReviewedLymphNode:
    """One lymph node as the reader sees it now.

    Attributes
    ----------
    lymph_node
        Measures, class and status of the outline as it is now. After an edit it has no ``ece_probability`` until it
        is classified again: a value of another outline would be a wrong one.
    outline
        Its voxels. No two lymph nodes share one.
    visible
    comment
    reviewer, reviewed_at
        Who set the status or wrote the comment last, and when (UTC, ISO 8601); empty: nobody yet.
    out_of_date
        The outline is not the one that was classified.
    former_ece_probability
        The last value of an earlier outline, kept in view; None: there is none.
    """

    lymph_node: LymphNode
    outline: Outline
    visible: bool = True
    comment: str = ""
    reviewer: str = ""
    reviewed_at: str = ""
    out_of_date: bool = False
    former_ece_probability: float | None = None

    @property
    def id(self) -> str:
        return self.lymph_node.id

    @property
    def label(self) -> int:
        return self.lymph_node.label

    @property
    def status(self) -> str:
        return self.lymph_node.status

    def for_export(self) -> LymphNode:
        """As CSV, SEG and SR take it: a class of an earlier outline is flagged as such."""
        if not self.out_of_date:
            return self.lymph_node
        return replace(self.lymph_node, flags=(*self.lymph_node.flags, OUT_OF_DATE))


@dataclass(frozen=True)
class ReviewState:
    """All that undo and redo go back and forth over.

    Attributes
    ----------
    lymph_nodes
        In the order of their labels.
    grid_kji
        Shape of the CT grid.
    next_label
        Of the next lymph node that is added; a label is not given twice within a review.
    final_call
        The radiologist's call of the patient, None: not made yet.
    read_first
        Findings stay hidden until the reader has given a first opinion.
    first_opinion
        Given before the findings were seen; never changes afterwards.
    """

    lymph_nodes: tuple[ReviewedLymphNode, ...]
    grid_kji: tuple[int, int, int]
    next_label: int
    final_call: Opinion | None = None
    read_first: bool = False
    first_opinion: Opinion | None = None

    @property
    def hidden(self) -> bool:
        """Whether the reader must not see findings yet."""
        return self.read_first and self.first_opinion is None

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(row.id for row in self.lymph_nodes)

    @property
    def edited(self) -> tuple[ReviewedLymphNode, ...]:
        """Those whose ECE probability is out of date."""
        return tuple(row for row in self.lymph_nodes if row.out_of_date)

    def get(self, lymph_node_id: str) -> ReviewedLymphNode:
        """
        Raises
        ------
        InputError
            There is no such lymph node (any more).
        """
        for row in self.lymph_nodes:
            if row.id == lymph_node_id:
                return row
        raise InputError(f"Lymph node {lymph_node_id} is not in the review.", "Undo its deletion or its merge first.")

    def with_rows(self, *rows: ReviewedLymphNode) -> ReviewState:
        """Rows of the same id replaced, new ones added; in the order of their labels."""
        kept = {row.id: row for row in self.lymph_nodes} | {row.id: row for row in rows}
        return replace(
            self,
            lymph_nodes=tuple(sorted(kept.values(), key=lambda row: row.label)),
            next_label=max([self.next_label, *(row.label + 1 for row in rows)]),
        )

    def without(self, *ids: str) -> ReviewState:
        return replace(self, lymph_nodes=tuple(row for row in self.lymph_nodes if row.id not in ids))

    def others(self, *ids: str) -> list[Outline]:
        """Outlines of all lymph nodes but these."""
        return [row.outline for row in self.lymph_nodes if row.id not in ids]

    def instances(self, affine: np.ndarray) -> Volume:
        """The outlines as one instance map, (K, J, I) uint16 on the CT grid.

        Parameters
        ----------
        affine
            Of the CT, (4, 4): voxel (i, j, k) to LPS mm.
        """
        array = np.zeros(self.grid_kji, np.uint16)
        for row in self.lymph_nodes:
            row.outline.paint(array, row.label)
        return Volume(array, affine)
