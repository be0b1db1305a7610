"""The codes of the segments stand in Slicer's own dictionaries, not only in our strings."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
import slicer
import slicer_host
from ece_core.scene import load_result


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
