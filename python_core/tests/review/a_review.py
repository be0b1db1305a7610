"""A drawn scan of 12 x 16 x 16 voxels with three lymph nodes, its result and a review of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from ece_core.export.result import Result
from ece_core.geometry import Volume, affine_from
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.review import Outline, Review, new_review

SHAPE = (12, 16, 16)
SPACING_MM = (2.0, 1.0, 1.0)
VOXEL_MM3 = 2.0
BOXES = {1: ((2, 2, 2), (4, 5, 5)), 2: ((5, 8, 8), (9, 12, 12)), 3: ((9, 2, 9), (11, 4, 12))}


def box(label: int) -> tuple[slice, ...]:
    return tuple(slice(a, b) for a, b in zip(*BOXES[label], strict=True))


def instances() -> Volume:
    array = np.zeros(SHAPE, np.uint16)
    for label in BOXES:
        array[box(label)] = label
    return Volume(array, affine_from(SPACING_MM, (-8.0, -8.0, -20.0)))


def ct() -> Volume:
    array = np.full(SHAPE, -80, np.int16)
    array[instances().array > 0] = 100
    return instances().with_array(array)


def lymph_nodes() -> tuple[LymphNode, ...]:
    """ECE probability 0.2, 0.87, and none: not evaluable."""
    return (
        LymphNode("LN1", 1, "P", {"N": 0.1, "P": 0.7, "ENE": 0.2}, 0.2, "left", "II", 9.5, volume_mm3=36.0),
        LymphNode("LN2", 2, "ENE", {"N": 0.03, "P": 0.1, "ENE": 0.87}, 0.87, "right", "III", 21.4, volume_mm3=128.0,
                  class_set=("ENE",), contour_quality={"risk": "low", "score": 0.9}),
        LymphNode("LN3", 3, "metastatic", {"N": 0.3, "metastatic": 0.7}, None, "right", "IB", 6.2, volume_mm3=24.0,
                  not_evaluable=("too small",)),
    )  # fmt: skip


def a_result() -> Result:
    return Result(
        software={"name": "ECEDetector", "version": "0.1.0"}, models=(), device="cpu", seconds={}, warnings=(),
        input={"format": "nrrd"}, patient={"ece_probability": 0.87, "method": "max", "outputs": {"max": 0.87}},
        lymph_nodes=lymph_nodes(),
    )  # fmt: skip


def counted(outline: Outline) -> dict:
    """A measure that can be checked by counting; the real ones are tested by themselves."""
    return {"volume_mm3": outline.voxels * VOXEL_MM3, "short_axis_mm": None, "flags": (), "side": None, "level": None}


class Clock:
    """One second later at each look."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


def a_review() -> Review:
    review = new_review(a_result(), instances(), counted, now=Clock())
    review.reviewer = "Reader A"
    return review


def a_block(start: tuple[int, int, int], size: tuple[int, int, int] = (2, 2, 2)) -> Outline:
    return Outline(start, np.ones(size, bool))


def answer(label: int, probability: float) -> LymphNode:
    """What the worker says of one lymph node; it calls every mask MANUAL."""
    said = {"N": 0.0, "P": 1 - probability, "ENE": probability}
    return LymphNode(f"LN{label}", label, "ENE" if probability >= 0.5 else "P", said, probability, "left", "V", 7.7,
                     volume_mm3=99.0, source="MANUAL", class_set=("P", "ENE"))  # fmt: skip
