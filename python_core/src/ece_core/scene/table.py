"""The table node: a row per lymph node, the highest ECE probability first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ece_core import RESEARCH_USE_ONLY
from ece_core.classes import CLASS_TITLES
from ece_core.lymph_nodes.lymph_node import LymphNode

if TYPE_CHECKING:
    import slicer


class Column(NamedTuple):
    """One column: its name, LymphNode's attribute, and what stands in the header's tool tip."""

    name: str
    attribute: str
    unit: str = ""
    description: str = ""
    scale: float = 1.0


TEXTS = (
    Column("id", "id", description="Name of the segment"),
    Column("side", "side", description="Estimated from the position"),
    Column("level", "level", description="Neck level, estimated from the position"),
    Column("class", "class_name", description="; ".join(f"{name}: {title}" for name, title in CLASS_TITLES.items())),
)
NUMBERS = (
    Column("ece_probability", "ece_probability", "", "Probability of extranodal extension, ENE (also ECE), 0 to 1"),
    Column("short_axis_mm", "short_axis_mm", "mm", "Largest short axis over the axial slices"),
    Column("long_axis_mm", "long_axis_mm", "mm", "Largest diameter"),
    Column("volume_ml", "volume_mm3", "mL", "Volume of the outline", scale=1e-3),
    Column("mean_hu", "mean_hu", "HU", "Mean within the outline"),
    Column("sd_hu", "sd_hu", "HU", "Standard deviation within the outline"),
    Column("necrosis_fraction", "necrosis_fraction", "", "Share of the outline that looks necrotic, 0 to 1"),
)
LAST_TEXTS = (
    Column("certainty", "certainty", description="Classes that fit; or why ENE (also ECE) cannot be judged"),
    Column("contour_risk", "contour_risk", description="Risk that the outline is among the worst (research use)"),
    Column("source", "source", description="Who drew the outline"),
    Column("status", "status", description="What the reader decided"),
)


def add_table(name: str, lymph_nodes: tuple[LymphNode, ...]) -> slicer.vtkMRMLTableNode:
    """Add the table. A column that was computed for no lymph node is left out; a missing number is an empty NaN."""
    import slicer

    rows = by_ece_probability(lymph_nodes)
    tableNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    tableNode.SetDescription(f"Lymph nodes found by ECEDetector, highest ECE probability first. {RESEARCH_USE_ONLY}")
    tableNode.SetUseColumnTitleAsColumnHeader(True)
    tableNode.SetLocked(True)  # the AI's own output; what the reader changes is kept elsewhere
    for column in TEXTS:
        _add_texts(tableNode, column, rows)
    for column in NUMBERS:
        if any(getattr(row, column.attribute) is not None for row in rows):
            _add_numbers(tableNode, column, rows)
    for column in LAST_TEXTS:
        if not rows or any(getattr(row, column.attribute) for row in rows):
            _add_texts(tableNode, column, rows)
    return tableNode


def by_ece_probability(lymph_nodes: tuple[LymphNode, ...]) -> list[LymphNode]:
    """Highest first; without a probability last; ties in the order of the labels."""
    return sorted(lymph_nodes, key=lambda row: (row.ece_probability is None, -(row.ece_probability or 0.0), row.label))


def _add_texts(tableNode: slicer.vtkMRMLTableNode, column: Column, rows: list[LymphNode]) -> None:
    import vtk

    values = vtk.vtkStringArray()
    for row in rows:
        values.InsertNextValue(str(getattr(row, column.attribute) or ""))
    _add(tableNode, column, values)


def _add_numbers(tableNode: slicer.vtkMRMLTableNode, column: Column, rows: list[LymphNode]) -> None:
    import vtk

    values = vtk.vtkDoubleArray()
    for row in rows:
        value = getattr(row, column.attribute)
        values.InsertNextValue(float("nan") if value is None else value * column.scale)
    _add(tableNode, column, values)


def _add(tableNode: slicer.vtkMRMLTableNode, column: Column, values) -> None:
    values.SetName(column.name)
    tableNode.AddColumn(values)
    tableNode.SetColumnUnitLabel(column.name, column.unit)
    tableNode.SetColumnDescription(column.name, column.description)
