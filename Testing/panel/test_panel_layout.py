"""The layout "ECE review" in a stand-in of Slicer's layout menu, and the button; the layout node is the real one."""

import importlib
import shutil
from types import SimpleNamespace

import pytest
from panel_host import click


@pytest.fixture
def own_result(a_result_folder, tmp_path):
    """A result folder that the test may write its review to."""
    return shutil.copytree(a_result_folder, tmp_path / "own result")


@pytest.fixture
def layoutNode(scene):
    import slicer

    node = scene.AddNode(slicer.vtkMRMLLayoutNode())
    node.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    return node


@pytest.fixture
def menu(layoutNode):
    """Of a main window with a view toolbar, as Slicer's."""
    import qt
    import slicer

    window = qt.QMainWindow()
    window.setObjectName("qSlicerMainWindow")
    toolBar, button, made = qt.QToolBar(window), qt.QToolButton(), qt.QMenu()
    toolBar.setObjectName("ViewToolBar")
    window.addToolBar(toolBar)
    button.setMenu(made)
    toolBar.addWidget(button)
    made.addAction("Four-Up").setData(3)
    slicer.app.topLevelWidgets = lambda: [window]
    yield made
    slicer.app.topLevelWidgets = list


def entries(menu) -> list:
    return [(action.text, action.data()) for action in menu.actions()]


def test_it_is_listed_once_and_nothing_is_switched(menu, layoutNode, open_panel):
    for _ in range(2):
        open_panel("ECEDetector")
    assert entries(menu) == [("Four-Up", 3), ("ECE review", 71350)]
    assert layoutNode.IsLayoutDescription(71350) and layoutNode.GetViewArrangement() == 3


def test_it_is_known_from_the_start(menu, layoutNode):
    import slicer

    importlib.import_module("ECEDetector").ECEDetector(SimpleNamespace())
    for _signal, receiver in slicer.app.started:
        receiver()
    assert ("ECE review", 71350) in entries(menu) and layoutNode.GetViewArrangement() == 3


def test_the_button_switches_and_shows_the_table(layoutNode, detector, own_result):
    import slicer

    detector.openResult(str(own_result))
    assert layoutNode.GetViewArrangement() == 3, "showing a result leaves the user's layout"
    click(detector.ui.reviewLayoutButton)
    assert layoutNode.GetViewArrangement() == 71350
    selectionNode = slicer.app.applicationLogic().GetSelectionNode()
    assert selectionNode.GetActiveTableID() == detector.nodes.tableNode.GetID()


def test_hidden_findings_are_not_shown_in_the_table_view(layoutNode, detector, own_result):
    import slicer

    click(detector.ui.readFirstCheckBox)
    detector.openResult(str(own_result))
    click(detector.ui.reviewLayoutButton)
    assert layoutNode.GetViewArrangement() == 71350
    assert not slicer.app.applicationLogic().GetSelectionNode().GetActiveTableID()


def test_without_a_main_window_the_panel_opens(detector):
    from ECEDetectorLib.ReviewLayout import addToMenu

    assert not addToMenu()
    assert "Slicer's layout menu" in detector.ui.reviewLayoutButton.toolTip


def test_the_banner_has_the_probability_and_the_research_only_sentence(detector, own_result):
    from ece_core import RESEARCH_USE_ONLY

    detector.openResult(str(own_result))
    assert detector.ui.patientLabel.text.startswith("ECE probability 0.")
    assert RESEARCH_USE_ONLY in detector.ui.patientDetailsLabel.text
