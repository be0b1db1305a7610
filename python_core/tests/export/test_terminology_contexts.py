"""Our contexts for Slicer: the files say what the code says, in dcmqi's schema. Slicer itself loads them in
Testing/mrml/test_scene_terminology.py."""

import json

import pytest
from drawn_patient import a_lymph_node
from ece_core.classes import CLASS_COLORS
from ece_core.export.terminology import NECK_LEVELS, category_and_type, region, terminology_entry
from ece_core.export.terminology_contexts import (
    FOLDER,
    REGION_FILE,
    SEGMENT_FILE,
    contexts,
    region_context,
    segment_context,
)

# segment-context-common-schema.json of dcmqi: additionalProperties is false everywhere.
CODE = {"CodeValue", "CodeMeaning", "CodingSchemeDesignator", "recommendedDisplayRGBValue", "cid", "contextGroupName",
        "UMLSConceptUID", "SNOMEDCTConceptID"}  # fmt: skip
ALLOWED = {
    "Category": CODE | {"3dSlicerLabel", "showAnatomy", "Type"},
    "Type": CODE | {"3dSlicerLabel", "Modifier"},
    "AnatomicRegion": CODE | {"Modifier"},
    "Modifier": CODE,
}


def coded(content, kind=None):
    """(kind, entry) of everything that has a code, at any depth."""
    for key, value in content.items() if isinstance(content, dict) else ():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                if key in ALLOWED:
                    yield key, item
                yield from coded(item)


def test_the_files_are_those_that_the_code_makes():
    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == contexts()  # scripts/write_terminologies.py


@pytest.mark.parametrize("file", [SEGMENT_FILE, REGION_FILE])
def test_every_entry_keeps_to_dcmqis_schema(file):
    found = list(coded(json.loads((FOLDER / file).read_text())))
    assert len(found) > 5
    for kind, entry in found:
        assert set(entry) <= ALLOWED[kind]
        assert 0 < len(entry["CodeValue"]) <= 16 and 0 < len(entry["CodingSchemeDesignator"]) <= 16  # SH
        assert 0 < len(entry["CodeMeaning"]) <= 64  # LO
        color = entry.get("recommendedDisplayRGBValue", [0, 0, 0])
        assert len(color) == 3 and all(0 <= value <= 255 for value in color)


def test_every_class_and_every_level_can_be_chosen():
    """What a result's segments say must be in the lists, else Slicer shows a code that nobody can choose again."""
    categories = segment_context()["SegmentationCodes"]["Category"]
    types = {(category["CodeValue"], kind["CodeValue"]) for category in categories for kind in category["Type"]}
    regions = {entry["CodeValue"] for entry in region_context()["AnatomicCodes"]["AnatomicRegion"]}
    for name in CLASS_COLORS:
        category, kind = category_and_type(a_lymph_node(class_name=name))
        assert (category.value, kind.value) in types
    for level in (*NECK_LEVELS, "IIA", None):
        assert region(a_lymph_node(level=level)).value in regions
    assert f"~{region_context()['AnatomicContextName']}~" in terminology_entry(a_lymph_node())
