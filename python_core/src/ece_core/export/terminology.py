"""What a lymph node is called in SNOMED CT, for DICOM and for Slicer.

Sources: DICOM PS3.16 CID 7600 (lymph node anatomic regions) and CID 244 (laterality); Slicer's
"DICOM master list" contexts, which hold the lymph node, secondary neoplasm, neck, left and right.
Ours hold what they lack: neck levels, and ENE (terminology_contexts.py).
The mapping of neck levels to lymph node groups is a reading of the terms: level VI has no single code and
level VII none, both are then "cervical lymph node". No code exists for ENE (also ECE): in a SEG it stands in the
segment's name and description, in an SR under codes of our own scheme, ``99LNECE`` (docs/dicom.md lists them).
"""

from __future__ import annotations

from typing import NamedTuple

from ece_core.lymph_nodes.lymph_node import OUT_OF_DATE, LymphNode


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
NECK = Code("45048000", "SCT", "Neck")
LEVELS = {
    "IA": Code("46055009", "SCT", "Submental lymph node"),
    "IB": Code("59503006", "SCT", "Submandibular lymph node"),
    "II": Code("245321008", "SCT", "Upper jugular lymph node"),
    "III": Code("245322001", "SCT", "Middle jugular lymph node"),
    "IV": Code("245323006", "SCT", "Lower jugular lymph node"),
    "V": Code("245324000", "SCT", "Posterior triangle cervical lymph node"),
}
SIDES = {"left": Code("7771000", "SCT", "Left"), "right": Code("24028007", "SCT", "Right")}

OWN_SCHEME = "99LNECE"
ENE_PROBABILITY = Code("ECE-P", OWN_SCHEME, "Probability of extranodal extension")
DETECTION_PROBABILITY = Code("LN-P", OWN_SCHEME, "Probability of lymph node tissue")
LYMPH_NODE_CLASS = Code("LN-CLASS", OWN_SCHEME, "Lymph node class")
CLASSES = {
    "N": Code("LN-NEG", OWN_SCHEME, "Not metastatic"),
    "P": Code("ENE-NEG", OWN_SCHEME, "Metastatic without extranodal extension"),
    "ENE": Code("ENE-POS", OWN_SCHEME, "Metastatic with extranodal extension"),
    "metastatic": Code("LN-POS", OWN_SCHEME, "Metastatic, extranodal extension not judged"),
    "lymph_node": Code("LN-ANY", OWN_SCHEME, "Lymph node, class not judged"),
}
CERTAINTY = Code("LN-SURE", OWN_SCHEME, "Certainty of the lymph node class")
SURE = Code("SURE", OWN_SCHEME, "One class fits")
NOT_SURE = Code("NOT-SURE", OWN_SCHEME, "Not sure: several classes fit, or none")
NOT_EVALUABLE = Code("NOT-EVAL", OWN_SCHEME, "Extranodal extension not evaluable")
EDITED = Code("EDITED", OWN_SCHEME, "Outline edited since, class out of date")
REVIEW = Code("LN-REVIEW", OWN_SCHEME, "Status of the review")
STATUSES = {
    "new": Code("NEW", OWN_SCHEME, "Not reviewed"),
    "accepted": Code("ACCEPTED", OWN_SCHEME, "Accepted by the reader"),
    "rejected": Code("REJECTED", OWN_SCHEME, "Rejected by the reader"),
    "flagged": Code("FLAGGED", OWN_SCHEME, "Flagged by the reader"),
}
CONTOUR_RISK = Code("LN-CONTOUR", OWN_SCHEME, "Risk that the outline is wrong")
RISKS = {name: Code(f"RISK-{name.upper()[:8]}", OWN_SCHEME, f"{name.capitalize()} risk")
         for name in ("low", "moderate", "high")}  # fmt: skip
FOUND = Code("LN-FOUND", OWN_SCHEME, "Lymph nodes found")
NONE_FOUND = Code("LN-NONE", OWN_SCHEME, "No lymph node found")
HEATMAP = Code("HEATMAP", OWN_SCHEME, "Heatmap of one lymph node's class, scaled to 0..1")
NECK_LEVELS = ("IA", "IB", "II", "III", "IV", "V", "VI", "VII")

CATEGORY_CONTEXT = "Segmentation category and type - DICOM master list"
REGION_CONTEXT = "Anatomic codes - neck levels (ECEDetector)"  # ours: Slicer's master list has no neck levels


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


def level_modifier(lymph_node: LymphNode) -> Code | None:
    """The neck level in words (AAO-HNS), which no coding scheme has: it stands beside the lymph node group."""
    level = lymph_node.level or ""
    known = level if level in NECK_LEVELS else level.rstrip("ABC")
    return own_level(level) if known in NECK_LEVELS else None


def own_level(level: str) -> Code:
    return Code(f"LN-{level}", OWN_SCHEME, f"Neck level {level}")


def evaluations(lymph_node: LymphNode) -> list[tuple[Code, Code]]:
    """What was judged without a number: class, certainty, the reader's status, contour quality."""
    rows = [(LYMPH_NODE_CLASS, CLASSES[lymph_node.class_name])]
    if OUT_OF_DATE in lymph_node.flags:
        rows.append((CERTAINTY, EDITED))
    elif lymph_node.not_evaluable:
        rows.append((CERTAINTY, NOT_EVALUABLE))
    elif lymph_node.class_set is not None:
        rows.append((CERTAINTY, SURE if set(lymph_node.class_set) == {lymph_node.class_name} else NOT_SURE))
    risk = RISKS.get(str(lymph_node.contour_risk))
    if risk is not None:
        rows.append((CONTOUR_RISK, risk))
    return [*rows, (REVIEW, STATUSES[lymph_node.status])]


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
