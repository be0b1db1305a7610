"""Our two terminology contexts for Slicer: classes of lymph nodes (ENE, also ECE), and neck levels.

No context that Slicer ships has a code for either. The files beside this one, in ``terminologies``, are what Slicer
loads; ``scripts/write_terminologies.py`` writes them from here, and a test holds both equal. Schema: dcmqi's
segment-context-schema and anatomic-context-schema, which Slicer's terminology logic checks when it loads them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ece_core.classes import CLASS_COLORS
from ece_core.export import terminology as terms

FOLDER = Path(__file__).parent / "terminologies"
SEGMENT_CONTEXT = "Segmentation category and type - lymph nodes and ENE (ECEDetector)"
SEGMENT_FILE = "SegmentationCategoryTypeModifier-LNECE.term.json"
REGION_FILE = "AnatomicRegionAndModifier-LNECE.term.json"
SCHEMAS = "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/"
CLASSES_OF = (  # category, type, and our classes as its modifiers
    (terms.ANATOMICAL_STRUCTURE, terms.LYMPH_NODE, ("N", "lymph_node")),
    (terms.MORPHOLOGICALLY_ALTERED_STRUCTURE, terms.SECONDARY_NEOPLASM, ("P", "ENE", "metastatic")),
)
OWN_LEVELS = ("VI", "VII")  # no single code in SNOMED CT


def segment_context() -> dict[str, Any]:
    """Lymph node and secondary neoplasm; what we tell apart within each is a modifier of the type."""
    return {
        "SegmentationCategoryTypeContextName": SEGMENT_CONTEXT,
        "@schema": f"{SCHEMAS}segment-context-schema.json#",
        "SegmentationCodes": {
            "Category": [
                {
                    **_coded(category),
                    "showAnatomy": True,
                    "Type": [
                        {
                            **_coded(kind),
                            "recommendedDisplayRGBValue": list(CLASS_COLORS[classes[0]]),
                            "Modifier": [
                                {**_coded(terms.CLASSES[name]), "recommendedDisplayRGBValue": list(CLASS_COLORS[name])}
                                for name in classes
                            ],
                        }
                    ],
                }
                for category, kind, classes in CLASSES_OF
            ]
        },
    }


def region_context() -> dict[str, Any]:
    """Lymph node groups by neck level (AAO-HNS), each left or right."""
    regions = [*terms.LEVELS.values(), *(terms.own_level(level) for level in OWN_LEVELS), terms.CERVICAL_LYMPH_NODE]
    sides = [_coded(side) for side in (terms.SIDES["right"], terms.SIDES["left"])]
    return {
        "AnatomicContextName": terms.REGION_CONTEXT,
        "@schema": f"{SCHEMAS}anatomic-context-schema.json#",
        "AnatomicCodes": {"AnatomicRegion": [{**_coded(region), "Modifier": sides} for region in regions]},
    }


def contexts() -> dict[str, str]:
    """File name -> content, as `scripts/write_terminologies.py` writes them."""
    made = {SEGMENT_FILE: segment_context(), REGION_FILE: region_context()}
    return {name: json.dumps(context, indent=2) + "\n" for name, context in made.items()}


def _coded(code: terms.Code) -> dict[str, Any]:
    return {"CodeMeaning": code.meaning, "CodingSchemeDesignator": code.scheme, "CodeValue": code.value}
