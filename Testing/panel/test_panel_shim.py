"""The shim and the stand-ins behave as PythonQt and Slicer's widgets do, and raise where those would."""

import panel_host
import pytest
import stand_ins


def test_a_property_is_an_attribute(application):
    import qt

    label = qt.QLabel("before")
    label.text = "after"
    assert label.text == "after"
    assert not callable(qt.QPushButton().enabled)


def test_connecting_to_a_signal_that_does_not_exist_raises(application):
    import qt

    with pytest.raises(ValueError, match=r"QPushButton has no signal clickd\(bool\)"):
        qt.QPushButton().connect("clickd(bool)", print)


@pytest.mark.parametrize("name", sorted(stand_ins.STAND_INS))
def test_a_stand_in_raises_on_a_name_that_slicer_does_not_have(application, name):
    widget = stand_ins.STAND_INS[name]()
    with pytest.raises(AttributeError, match="no attribute currentVolume"):
        _ = widget.currentVolume
    with pytest.raises(AttributeError, match="no attribute currentVolume"):
        widget.currentVolume = None


@pytest.mark.parametrize("name", sorted(stand_ins.STAND_INS))
def test_a_stand_in_offers_nothing_that_slicer_does_not_have(name):
    own = [attribute for attribute in vars(stand_ins.STAND_INS[name]) if attribute != "staticMetaObject"]
    assert [attribute for attribute in own if not stand_ins.isKnown(name, attribute)] == []


def test_a_node_selector_without_its_ui_connection_stays_empty(scene, a_neck_ct, tmp_path):
    """The mistake of a .ui file without its <connection>: the selector has no scene, and the panel no volume."""
    import slicer

    ui = (panel_host.MODULE_FOLDERS["LymphNodeSeg"] / "Resources" / "UI" / "LymphNodeSeg.ui").read_text()
    start, end = ui.index("<connection>"), ui.index("</connection>") + len("</connection>")
    (tmp_path / "broken.ui").write_text(ui[:start] + ui[end:])
    (tmp_path / "whole.ui").write_text(ui)
    counts = {}
    for name in ("broken", "whole"):
        widget = slicer.util.loadUI(str(tmp_path / f"{name}.ui"))
        widget.setMRMLScene(scene)
        counts[name] = slicer.util.childWidgetVariables(widget).inputSelector.nodeCount()
    assert counts == {"broken": 0, "whole": 1}
