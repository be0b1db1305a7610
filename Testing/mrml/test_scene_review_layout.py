"""The layout "ECE review" on Slicer's own layout logic."""

import xml.etree.ElementTree as ElementTree

import pytest
import slicer
import slicer.util
from ece_core.scene import load_result
from ece_core.scene.review_layout import (
    DESCRIPTION,
    LAYOUT_ID,
    add_review_layout,
    is_review_layout,
    show_review_layout,
)
from phantom_result import add_ct_node


@pytest.fixture
def logic(scene):
    """Slicer's own: makes the views of a layout."""
    made = slicer.vtkMRMLLayoutLogic()
    made.SetMRMLScene(scene)
    yield made
    made.SetMRMLScene(None)


@pytest.fixture
def layout(logic):
    node = logic.GetLayoutNode()
    node.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    return node


def test_it_is_added_and_not_forced(layout):
    assert add_review_layout() and add_review_layout()
    assert layout.IsLayoutDescription(LAYOUT_ID)
    assert layout.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView


def test_loading_a_result_leaves_the_users_layout(layout, ct, result_folder):
    add_review_layout()
    load_result(result_folder, add_ct_node(ct))
    assert not is_review_layout()


def test_slicers_logic_makes_its_views(logic, layout):
    assert show_review_layout() and is_review_layout()
    views = [logic.GetViewNodes().GetItemAsObject(index) for index in range(logic.GetViewNodes().GetNumberOfItems())]
    slices = {view.GetLayoutName(): view.GetOrientation() for view in views if view.IsA("vtkMRMLSliceNode")}
    assert slices == {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}
    others = [view.GetClassName() for view in views if not view.IsA("vtkMRMLSliceNode")]
    assert sorted(others) == ["vtkMRMLTableViewNode", "vtkMRMLViewNode"]


def test_the_axial_slice_is_the_largest_view():
    root = ElementTree.fromstring(DESCRIPTION)
    above, below = root.findall("item")
    assert int(above.get("splitSize")) > 2 * int(below.get("splitSize"))
    left, right = above.findall("./layout/item")
    assert left.find("view/property[@name='orientation']").text == "Axial"
    assert int(left.get("splitSize")) > int(right.get("splitSize"))
    assert below.find("view").get("class") == "vtkMRMLTableViewNode"


def test_the_table_view_shows_the_result(layout, ct, result_folder):
    nodes = load_result(result_folder, add_ct_node(ct))
    show_review_layout(nodes.tableNode)
    (view,) = slicer.util.getNodesByClass("vtkMRMLTableViewNode")
    assert view.GetTableNode() is nodes.tableNode


def test_a_layout_that_the_user_chooses_then_stays(layout, ct, result_folder):
    show_review_layout(load_result(result_folder, add_ct_node(ct)).tableNode)
    layout.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    load_result(result_folder, slicer.util.getNode("CT"))
    add_review_layout()
    assert layout.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


def test_without_views_there_is_no_layout(scene):
    assert not add_review_layout() and not show_review_layout() and not is_review_layout()
