"""What a lymph node is called in SNOMED CT, for DICOM and for Slicer.

Sources: DICOM PS3.16 CID 7600 (lymph node anatomic regions) and CID 244 (laterality); Slicer's
"DICOM master list" contexts, which hold the lymph node, secondary neoplasm, neck, left and right.
The mapping of neck levels to lymph node groups is a reading of the terms: level VI has no single code and
level VII none, both are then "cervical lymph node". No code exists for ENE (also ECE): it stands in the segment's
name and description.
"""

from __future__ import annotations

from typing import NamedTuple

from ece_core.lymph_nodes.lymph_node import LymphNode


class Code(NamedTuple):
    """A coded concept: value, coding scheme and meaning as DICOM writes them."""

    value: str
    scheme: str
    meaning: str


ANATOMICAL_STRUCTURE = Code("123037004", "SCT", "Anatomical Structure")
MORPHOLOGICALLY_ALTERED_STRUCTURE = Code("49755003", "SCT", "Morphologically Altered Structure")
LYMPH_NODE = Code("59441001", "SCT", "Lymph node")
SECONDARY_NEOPLASM = Code("14799000", "SCT", "Neoplasm, Secondary")
CERVICAL_LYMPH_NODE = Code("81105003", "SCT", "Cervical lymph node")
LEVELS = {
    "IA": Code("46055009", "SCT", "Submental lymph node"),
    "IB": Code("59503006", "SCT", "Submandibular lymph node"),
    "II": Code("245321008", "SCT", "Upper jugular lymph node"),
    "III": Code("245322001", "SCT", "Middle jugular lymph node"),
    "IV": Code("245323006", "SCT", "Lower jugular lymph node"),
    "V": Code("245324000", "SCT", "Posterior triangle cervical lymph node"),
}
SIDES = {"left": Code("7771000", "SCT", "Left"), "right": Code("24028007", "SCT", "Right")}

CATEGORY_CONTEXT = "Segmentation category and type - DICOM master list"
REGION_CONTEXT = "Anatomic codes - DICOM master list"


def category_and_type(lymph_node: LymphNode) -> tuple[Code, Code]:
    """Segmented property category and type: a lymph node, or a secondary neoplasm when metastatic."""
    if lymph_node.class_name in ("N", "lymph_node"):
        return ANATOMICAL_STRUCTURE, LYMPH_NODE
    return MORPHOLOGICALLY_ALTERED_STRUCTURE, SECONDARY_NEOPLASM


def region(lymph_node: LymphNode) -> Code:
    """The lymph node group of the level; sublevels (IIA, VB) are coded as their level."""
    level = lymph_node.level or ""
    return LEVELS.get(level) or LEVELS.get(level.rstrip("ABC")) or CERVICAL_LYMPH_NODE


def laterality(lymph_node: LymphNode) -> Code | None:
    return SIDES.get(lymph_node.side or "")


def terminology_entry(lymph_node: LymphNode) -> str:
    """Slicer's ``TerminologyEntry``: context~category~type~modifier~region context~region~modifier."""
    category, kind = category_and_type(lymph_node)
    return "~".join(
        [
            CATEGORY_CONTEXT,
            _slicer(category),
            _slicer(kind),
            _slicer(None),
            REGION_CONTEXT,
            _slicer(region(lymph_node)),
            _slicer(laterality(lymph_node)),
        ]
    )


def segment_name(lymph_node: LymphNode) -> str:
    """``"LN3 left II, ENE"``: what Slicer's segment list and a PACS viewer show; at most 64 characters."""
    place = " ".join(word for word in (lymph_node.side, lymph_node.level) if word)
    return f"{lymph_node.id} {place}".strip()[:58] + f", {lymph_node.class_name}"


def _slicer(code: Code | None) -> str:
    return f"{code.scheme}^{code.value}^{code.meaning}" if code else "^^"
