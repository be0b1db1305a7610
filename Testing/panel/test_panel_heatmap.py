"""The heatmap's choices: of which lymph nodes, in which views, with its legend; on real MRML."""

import shutil

import pytest
from panel_host import click, clickRow


@pytest.fixture
def own_result(a_result_folder, tmp_path):
    """A result folder that the test may write its review to."""
    return shutil.copytree(a_result_folder, tmp_path / "own result")


@pytest.fixture
def red(scene):
    """A slice view of the application's layout."""
    import slicer

    composite = scene.AddNode(slicer.vtkMRMLSliceCompositeNode())
    composite.SetLayoutName("Red")
    return composite


@pytest.fixture
def shown(detector, red, own_result):
    """The panel with the Grad-CAM of a result in front of the reader."""
    detector.openResult(str(own_result))
    return detector


def foreground(red):
    import slicer

    node = slicer.mrmlScene.GetNodeByID(red.GetForegroundVolumeID() or "")
    return node and (node.GetAttribute("ECE.HeatmapSelection") or "all")


def painted() -> list[str]:
    from ece_core.scene.heatmap_surface import painted_surfaces

    return sorted(node.GetAttribute("ECE.PaintedLymphNode") for node in painted_surfaces())


def clouds() -> int:
    import slicer

    return sum(node.GetVisibility() for node in slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode"))


def test_of_the_selected_lymph_node_it_follows_the_table(shown, red):
    shown.ui.heatmapScopeComboBox.setCurrentIndex(1)
    assert foreground(red) == "all", "nothing is selected yet"
    clickRow(shown.ui.lymphNodeTable, 0)
    assert foreground(red) == "LN2"
    assert "Of LN2 only, up to 8 mm around it." in shown.ui.scalingLabel.text
    clickRow(shown.ui.lymphNodeTable, 2)
    assert foreground(red) == "LN1"
    shown.ui.heatmapScopeComboBox.setCurrentIndex(0)
    assert foreground(red) == "all" and "only" not in shown.ui.scalingLabel.text.split("Values:")[0]


def test_surfaces_and_cloud_come_and_go_with_the_mode(shown):
    shown.ui.heatmapModeComboBox.setCurrentIndex(2)
    assert painted() == ["LN1", "LN2", "LN3"] and clouds() == 0
    shown.ui.heatmapModeComboBox.setCurrentIndex(1)
    assert painted() == [] and clouds() == 1
    shown.ui.heatmapModeComboBox.setCurrentIndex(0)
    assert painted() == [] and clouds() == 0


def test_the_legend_is_switched_off_and_on(shown):
    import slicer

    def visible() -> int:
        return sum(legend.GetVisibility() for legend in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode"))

    assert visible() == 1
    click(shown.ui.heatmapLegendCheckBox)
    assert visible() == 0
    click(shown.ui.heatmapLegendCheckBox)
    assert visible() == 1


def test_off_hides_it_everywhere_and_says_why_nothing_can_be_chosen(shown, red):
    shown.ui.heatmapModeComboBox.setCurrentIndex(2)
    shown.ui.heatmapMethodComboBox.setCurrentIndex(0)
    assert painted() == [] and not foreground(red)
    for name in ("heatmapScopeComboBox", "heatmapModeComboBox", "heatmapLegendCheckBox"):
        widget = getattr(shown.ui, name)
        assert not widget.enabled and widget.toolTip == "Choose a method first."


def test_opacity_and_threshold_reach_the_painted_surfaces(shown):
    from ece_core.scene.heatmap_surface import painted_surfaces

    def colors() -> list:
        from vtk.util.numpy_support import vtk_to_numpy

        return [vtk_to_numpy(node.GetPolyData().GetPointData().GetArray("color")).sum() for node in painted_surfaces()]

    shown.ui.heatmapModeComboBox.setCurrentIndex(2)
    before = colors()
    shown.ui.heatmapOpacitySlider.value = 1.0
    after = colors()
    assert before != after
    shown.ui.heatmapThresholdSlider.value = 1.0
    assert colors() not in (before, after)


def test_a_rejected_lymph_node_is_not_painted_any_more(shown):
    shown.ui.heatmapModeComboBox.setCurrentIndex(2)
    clickRow(shown.ui.lymphNodeTable, 0)
    click(shown.ui.rejectButton)
    assert painted() == ["LN1", "LN3"]
    click(shown.ui.undoButton)
    assert painted() == ["LN1", "LN2", "LN3"]


def test_the_choices_are_kept_with_the_scene(shown, tmp_path):
    import panel_host
    import slicer

    shown.ui.heatmapModeComboBox.setCurrentIndex(2)
    click(shown.ui.heatmapLegendCheckBox)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear()
    panel_host.processEvents()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    panel_host.processEvents()
    assert painted() == ["LN1", "LN2", "LN3"], "made anew: those that were shown are not saved"
    assert shown.ui.heatmapModeComboBox.currentText == "Slices and surfaces in 3D"
    assert not shown.ui.heatmapLegendCheckBox.checked
