"""The codes of the segments stand in Slicer's own dictionaries, not only in our strings."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
import slicer
import slicer_host
from ece_core.export.terminology import REGION_CONTEXT
from ece_core.export.terminology_contexts import SEGMENT_CONTEXT
from ece_core.scene import load_result
from ece_core.scene.terminologies import load_terminologies


@pytest.fixture
def scene_with_dictionaries():
    """Slicer's terminology files, which the wheel lacks and trame-slicer ships."""
    package = importlib.util.find_spec("trame_slicer")
    if package is None:
        pytest.skip("trame-slicer is not installed here; it ships Slicer's terminology dictionaries")
    share = Path(package.origin).parent / "resources" / "terminologies"
    yield slicer_host.start(str(share))
    slicer.mrmlScene.Clear(True)
    shutil.rmtree(slicer.app.temporaryPath, ignore_errors=True)


def known_types(logic, context: str) -> set[tuple[str, str]]:
    """(category code, type code) of all types in one of Slicer's dictionaries."""
    category, kind, known = slicer.vtkSlicerTerminologyCategory(), slicer.vtkSlicerTerminologyType(), set()
    for c in range(logic.GetNumberOfCategoriesInTerminology(context)):
        logic.GetNthCategoryInTerminology(context, c, category)
        for t in range(logic.GetNumberOfTypesInTerminologyCategory(context, category)):
            logic.GetNthTypeInTerminologyCategory(context, category, t, kind)
            known.add((category.GetCodeValue(), kind.GetCodeValue()))
    return known


def test_every_category_and_type_is_known_to_slicer(scene_with_dictionaries, result_folder):
    logic = slicer.modules.terminologies.logic()
    segmentation = load_result(result_folder).segmentationNode.GetSegmentation()
    meanings = {}
    for name in ("LN1", "LN2", "LN3"):
        entry = slicer.vtkSlicerTerminologyEntry()
        assert logic.DeserializeTerminologyEntry(segmentation.GetSegment(name).GetTerminology(), entry)
        codes = entry.GetCategoryObject().GetCodeValue(), entry.GetTypeObject().GetCodeValue()
        assert codes in known_types(logic, entry.GetTerminologyContextName())
        meanings[name] = entry.GetTypeObject().GetCodeMeaning()
    assert meanings == {"LN1": "Lymph node", "LN2": "Neoplasm, Secondary", "LN3": "Neoplasm, Secondary"}


def known_regions(logic, context: str) -> dict[str, bool]:
    """Region code -> whether it has modifiers, in one of Slicer's region contexts."""
    region = slicer.vtkSlicerTerminologyType()
    known = {}
    for number in range(logic.GetNumberOfRegionsInRegionContext(context)):
        assert logic.GetNthRegionInRegionContext(context, number, region)
        known[region.GetCodeValue()] = region.GetHasModifiers()
    return known


def test_slicer_loads_our_levels_and_classes(scene_with_dictionaries, result_folder):
    """Loading a result makes them known; the region of every segment is one of them, left and right."""
    logic = slicer.modules.terminologies.logic()
    segmentation = load_result(result_folder).segmentationNode.GetSegmentation()
    assert load_terminologies()  # and a second time changes nothing
    assert known_types(logic, SEGMENT_CONTEXT) == {("123037004", "59441001"), ("49755003", "14799000")}
    regions = known_regions(logic, REGION_CONTEXT)
    assert len(regions) == 9 and set(regions.values()) == {True}
    for name in ("LN1", "LN2", "LN3"):
        entry = slicer.vtkSlicerTerminologyEntry()
        assert logic.DeserializeTerminologyEntry(segmentation.GetSegment(name).GetTerminology(), entry)
        assert entry.GetRegionContextName() == REGION_CONTEXT
        assert entry.GetRegionObject().GetCodeValue() in regions


def test_slicer_offers_each_class_as_a_modifier(scene_with_dictionaries):
    logic = slicer.modules.terminologies.logic()
    load_terminologies()
    category, kind, modifier = (
        slicer.vtkSlicerTerminologyCategory(), slicer.vtkSlicerTerminologyType(), slicer.vtkSlicerTerminologyType(),
    )  # fmt: skip
    found = set()
    for c in range(logic.GetNumberOfCategoriesInTerminology(SEGMENT_CONTEXT)):
        logic.GetNthCategoryInTerminology(SEGMENT_CONTEXT, c, category)
        logic.GetNthTypeInTerminologyCategory(SEGMENT_CONTEXT, category, 0, kind)
        for m in range(logic.GetNumberOfTypeModifiersInTerminologyType(SEGMENT_CONTEXT, category, kind)):
            logic.GetNthTypeModifierInTerminologyType(SEGMENT_CONTEXT, category, kind, m, modifier)
            found.add(modifier.GetCodeValue())
    assert found == {"LN-NEG", "LN-ANY", "ENE-NEG", "ENE-POS", "LN-POS"}
