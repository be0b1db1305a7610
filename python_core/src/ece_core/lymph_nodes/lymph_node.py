"""One lymph node of a result, the row that table, JSON, SEG and scene share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields

from ece_core.classes import CLASS_COLORS, CLASS_NAMES, CLASS_TITLES

__all__ = ["CLASS_COLORS", "CLASS_NAMES", "CLASS_TITLES", "LymphNode"]

@dataclass(frozen=True)
class LymphNode:
    """One lymph node as `result.json` holds it. ``None`` means: not computed, and left out of every output.

    Attributes
    ----------
    id, label
        ``"LN1"`` and 1: the instance map's value.
    class_name, class_probabilities
        One of CLASS_NAMES, or "metastatic" or "lymph_node" where the model cannot tell them apart; probabilities by
        class name, summing to 1.
    ece_probability
        Model output 0 to 1 for extranodal extension (ENE, also ECE), target pENE.
    side, level
        ``"left"``, ``"right"`` or ``"midline"``; ``"IA"`` ... ``"VII"``, estimated.
    short_axis_mm, long_axis_mm
        Largest over axial slices of the section's smallest Feret diameter; largest Feret diameter.
    volume_mm3, centroid_lps_mm
    bounding_box_kji
        ((k0, j0, i0), (k1, j1, i1)), half open, on the CT grid.
    mean_hu, sd_hu, necrosis_fraction
        Inside the mask.
    source
        Slicer's and DICOM's SegmentAlgorithmType: AUTOMATIC, SEMIAUTOMATIC or MANUAL.
    status
        ``"new"``, ``"accepted"``, ``"rejected"``, ``"flagged"``.
    flags
        Plain words such as ``"touches the border of the scan"``.
    detection_probability
        The segmentation network's probability of lymph node tissue of any class, mean over the voxels, 0 to 1.
    """

    id: str
    label: int
    class_name: str
    class_probabilities: dict[str, float]
    ece_probability: float | None = None
    side: str | None = None
    level: str | None = None
    short_axis_mm: float | None = None
    long_axis_mm: float | None = None
    volume_mm3: float | None = None
    centroid_lps_mm: tuple[float, float, float] | None = None
    bounding_box_kji: tuple[tuple[int, int, int], tuple[int, int, int]] | None = None
    mean_hu: float | None = None
    sd_hu: float | None = None
    necrosis_fraction: float | None = None
    contour_quality: dict | None = None
    source: str = "AUTOMATIC"
    status: str = "new"
    flags: tuple[str, ...] = field(default_factory=tuple)
    detection_probability: float | None = None

    def to_json(self) -> dict:
        """The node as `result.json` writes it; what was not computed is absent."""
        row = {key: value for key, value in asdict(self).items() if value is not None}
        row["class"] = {"name": row.pop("class_name"), "probabilities": row.pop("class_probabilities")}
        row["flags"] = list(self.flags)
        return row

    @classmethod
    def from_json(cls, row: dict) -> LymphNode:
        """The inverse of :meth:`to_json`. Unknown keys (a newer writer's) are ignored."""
        row = dict(row)
        row["class_name"] = row["class"]["name"]
        row["class_probabilities"] = row["class"]["probabilities"]
        known = {f.name for f in fields(cls)}
        values = {key: value for key, value in row.items() if key in known}
        for key in ("centroid_lps_mm", "flags"):
            if key in values:
                values[key] = tuple(values[key])
        if "bounding_box_kji" in values:
            values["bounding_box_kji"] = tuple(tuple(corner) for corner in values["bounding_box_kji"])
        return cls(**values)
