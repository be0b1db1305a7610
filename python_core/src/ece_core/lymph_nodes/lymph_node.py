"""One lymph node of a result, the row that table, JSON, SEG and scene share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields

from ece_core.classes import CLASS_COLORS, CLASS_NAMES, CLASS_TITLES

__all__ = ["CLASS_COLORS", "CLASS_NAMES", "CLASS_TITLES", "OUT_OF_DATE", "LymphNode"]

OUT_OF_DATE = "edited, ECE out of date"  # what a row says, and the flag that every export carries


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
    contour_quality
        {risk, score}: ``"low"``, ``"moderate"`` or ``"high"`` risk that the outline is among the worst, and the Dice to
        expect; both None, beside a ``reason``, where they cannot be told. None: nobody asked.
    source
        Slicer's and DICOM's SegmentAlgorithmType: AUTOMATIC, SEMIAUTOMATIC or MANUAL.
    status
        ``"new"``, ``"accepted"``, ``"rejected"``, ``"flagged"``.
    flags
        Plain words such as ``"touches the border of the scan"``.
    detection_probability
        The segmentation network's probability of lymph node tissue of any class, median over the voxels, 0 to 1.
    class_set
        The classes that fit, in the order of CLASS_NAMES: each class is missed in no more lymph nodes than the model's
        card says. Several: not sure. Empty: unlike most lymph nodes of any class. None: the model has no such sets.
    not_evaluable
        Why ENE (also ECE) cannot be judged here, in plain words; then there is no ``ece_probability``.
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
    class_set: tuple[str, ...] | None = None
    not_evaluable: tuple[str, ...] = ()

    @property
    def certainty(self) -> str:
        """What a reader must know before the class is believed; empty where nothing was said about it."""
        if self.not_evaluable:
            return f"not evaluable: {'; '.join(self.not_evaluable)}"
        if self.class_set is None:
            return ""
        if not self.class_set:
            return "not sure: fits no class well"
        possible = [name for name in CLASS_NAMES if name in (*self.class_set, self.class_name)]
        if len(possible) == 1:
            return f"{possible[0]} only"
        return f"not sure: {', '.join(possible[:-1])} or {possible[-1]}"

    @property
    def contour_risk(self) -> str | None:
        """Of :attr:`contour_quality`."""
        return (self.contour_quality or {}).get("risk")

    def to_json(self) -> dict:
        """The node as `result.json` writes it; what was not computed is absent."""
        row = {key: value for key, value in asdict(self).items() if value is not None}
        row["class"] = {"name": row.pop("class_name"), "probabilities": row.pop("class_probabilities")}
        if "class_set" in row:
            row["class"]["set"] = list(row.pop("class_set"))
        row["flags"] = list(self.flags)
        row["not_evaluable"] = list(self.not_evaluable)
        if not self.not_evaluable:
            del row["not_evaluable"]
        return row

    @classmethod
    def from_json(cls, row: dict) -> LymphNode:
        """The inverse of :meth:`to_json`. Unknown keys (a newer writer's) are ignored."""
        row = dict(row)
        row["class_name"] = row["class"]["name"]
        row["class_probabilities"] = row["class"]["probabilities"]
        row["class_set"] = tuple(row["class"]["set"]) if "set" in row["class"] else None
        known = {f.name for f in fields(cls)}
        values = {key: value for key, value in row.items() if key in known}
        for key in ("centroid_lps_mm", "flags", "not_evaluable"):
            if key in values:
                values[key] = tuple(values[key])
        if "bounding_box_kji" in values:
            values["bounding_box_kji"] = tuple(tuple(corner) for corner in values["bounding_box_kji"])
        return cls(**values)
