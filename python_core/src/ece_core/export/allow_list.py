"""What may stand in `result.json`, and so in the table, the report and the segmentation's metadata: nothing else does.

A key that is not listed here is refused where the file is written, so that nobody can add a part of a DICOM header in
passing. Whoever adds one asks first: can it name the patient? See `docs/privacy.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

TEXT = "words of our own: names of models, methods and levels, sentences; never a value of a header"
NUMBERS = "numbers, alone, in lists or by name"

LYMPH_NODE = {
    "id": TEXT, "label": NUMBERS, "class": {"name": TEXT, "probabilities": NUMBERS, "set": [TEXT]},
    "ece_probability": NUMBERS, "detection_probability": NUMBERS, "side": TEXT, "level": TEXT,
    "short_axis_mm": NUMBERS, "long_axis_mm": NUMBERS, "volume_mm3": NUMBERS, "centroid_lps_mm": NUMBERS,
    "bounding_box_kji": NUMBERS, "mean_hu": NUMBERS, "sd_hu": NUMBERS, "necrosis_fraction": NUMBERS,
    "contour_quality": {"risk": TEXT, "score": NUMBERS, "reason": TEXT}, "source": TEXT, "status": TEXT,
    "flags": [TEXT], "not_evaluable": [TEXT],
}  # fmt: skip
RESULT = {
    "schema": TEXT, "research_use_only": TEXT, "device": TEXT, "warnings": [TEXT], "seconds": NUMBERS,
    "software": {"name": TEXT, "version": TEXT},
    "models": [{
        "name": TEXT, "version": TEXT, "task": TEXT, "sha256": TEXT, "training": TEXT, "conformal_target": NUMBERS,
    }],
    # A hash of the series' UID, to know the series again; the geometry; no other header.
    "input": {
        "format": TEXT, "modality": TEXT, "series_uid_sha256": TEXT, "shape_kji": NUMBERS, "spacing_mm": NUMBERS,
        "affine_lps": NUMBERS, "frames": NUMBERS,
    },
    "search": {"mode": TEXT, "mirrored": NUMBERS, "engine": TEXT},
    "patient": {
        "ece_probability": NUMBERS, "method": TEXT, "outputs": NUMBERS, "boxes": NUMBERS, "not_evaluable": NUMBERS,
    },
    "lymph_nodes": [LYMPH_NODE],
    "heatmaps": [{
        "method": TEXT, "title": TEXT, "file": TEXT, "dicom": TEXT, "scaling": TEXT, "faithfulness": NUMBERS,
        "capsule_repair": NUMBERS, "correlation": NUMBERS, "accumulated": NUMBERS,
    }],
}  # fmt: skip


def only_listed(content: Any, allowed: Any = RESULT) -> Any:
    """Without the keys that are not listed: a newer version's, or anyone's."""
    if isinstance(allowed, dict) and isinstance(content, Mapping):
        return {key: only_listed(value, allowed[key]) for key, value in content.items() if key in allowed}
    if isinstance(allowed, list) and isinstance(content, list):
        return [only_listed(value, allowed[0]) for value in content]
    return content


def unlisted(content: Any, allowed: Any = RESULT, where: str = "") -> Iterator[str]:
    """Where something stands that may not: keys that are not listed, and values of another kind.

    Parameters
    ----------
    content
        Plain values, as JSON knows them. None (not computed) may stand everywhere.
    """
    if content is None:
        return
    if isinstance(allowed, dict) and isinstance(content, Mapping):
        for key, value in content.items():
            place = f"{where}.{key}".lstrip(".")
            if key in allowed:
                yield from unlisted(value, allowed[key], place)
            else:
                yield place
    elif isinstance(allowed, list) and isinstance(content, (list, tuple)):
        for value in content:
            yield from unlisted(value, allowed[0], f"{where}[]")
    elif allowed is NUMBERS and isinstance(content, (Mapping, list, tuple)):
        for value in content.values() if isinstance(content, Mapping) else content:
            yield from unlisted(value, NUMBERS, where)
    elif not isinstance(content, str if allowed is TEXT else (int, float)):
        yield where
