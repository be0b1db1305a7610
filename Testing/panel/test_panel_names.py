"""Every name that the modules use on a widget, or on slicer.app, exists in Slicer. Read from the source, not run."""

import ast
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import stand_ins

REPOSITORY = Path(__file__).parents[2]
MODULES = ("LymphNodeSeg", "ECEDetector")
SOURCES = sorted(path for name in MODULES for path in (REPOSITORY / name).rglob("*.py"))
# The shared files see the widgets of whichever module they run in, so both must have them.
SHARED = "LymphNodeSegLib"
LYMPH_NODE_SEG_ALONE = ("LymphNodeSegPanel", "BatchPart")
# Python's part of Slicer adds the one (Base/Python/slicer), PythonQt the other: neither is in the headers.
ADDED_IN_PYTHON = {"testingEnabled", "connect"}


UI_FILES = {path.stem: path for module in MODULES for path in (REPOSITORY / module / "Resources" / "UI").glob("*.ui")}


def widgetsOf(name: str) -> dict[str, str]:
    """Class by object name, of the .ui file of a module or a dialog."""
    return {widget.get("name"): widget.get("class") for widget in ElementTree.parse(UI_FILES[name]).iter("widget")}


def modulesOf(source: Path) -> tuple[str, ...]:
    """Whose widgets a file sees: a dialog's own .ui file is called as it is."""
    if source.stem in UI_FILES and source.stem not in MODULES:
        return (source.stem,)
    if source.parent.name == SHARED and source.stem not in LYMPH_NODE_SEG_ALONE:
        return MODULES
    return (source.relative_to(REPOSITORY).parts[0],)


def dottedNames(source: Path) -> list[tuple[int, str]]:
    """(line, "self.ui.widget.attribute") of every attribute access."""
    nodes = ast.walk(ast.parse(source.read_text(encoding="utf-8")))
    return [(node.lineno, ast.unparse(node)) for node in nodes if isinstance(node, ast.Attribute)]


def isOffered(className: str, attribute: str) -> bool:
    if className in stand_ins.API or attribute in ("name", "connect", "disconnect"):
        return stand_ins.isKnown(className, attribute)
    return stand_ins.qtOffers(className, attribute)


def isProperty(className: str, attribute: str) -> bool:
    """Whether PythonQt offers the name as an attribute, so that calling it fails."""
    if className in stand_ins.API:
        return attribute in stand_ins.API[className]["properties"]
    return stand_ins.isQtProperty(className, attribute)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_every_widget_attribute_is_in_the_ui_file_and_in_the_api_list(source):
    unknown = []
    for module in modulesOf(source):
        widgets = widgetsOf(module)
        for line, name in dottedNames(source):
            match = re.fullmatch(r"(?:self|panel)\.ui\.(\w+)(?:\.(\w+))?", name)
            if not match:
                continue
            widget, attribute = match.groups()
            if widget not in widgets:
                unknown.append(f"line {line}: {module}.ui has no widget {widget}")
            elif attribute and not isOffered(widgets[widget], attribute):
                unknown.append(f"line {line}: {widgets[widget]} has no attribute {attribute}")
    assert unknown == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_every_name_used_on_the_application_is_in_the_api_list(source):
    used = {match[1] for _, name in dottedNames(source) if (match := re.fullmatch(r"slicer\.app\.(\w+)", name))}
    assert used - stand_ins.apiNames("qSlicerApplication") - ADDED_IN_PYTHON == set()


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_no_property_is_called_as_a_function(source):
    """``label.text()`` works in PySide and fails in Slicer."""
    wrong = []
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        match = isinstance(node, ast.Call) and re.fullmatch(r"self\.ui\.(\w+)\.(\w+)", ast.unparse(node.func))
        for module in modulesOf(source) if match else ():
            if isProperty(widgetsOf(module)[match[1]], match[2]):
                wrong.append(f"line {node.lineno}: {match[0]} is an attribute")
    assert wrong == []


def test_the_check_finds_a_wrong_name():
    assert isProperty("QLabel", "text") and isProperty("ctkSliderWidget", "value")
    assert not isOffered("qMRMLNodeComboBox", "currentVolume")
    assert not isOffered("QPushButton", "enabld")
    assert isOffered("qMRMLNodeComboBox", "currentNode") and isOffered("ctkPathLineEdit", "currentPath")


@pytest.mark.parametrize("module", MODULES)
def test_every_node_selector_is_connected_to_the_scene(module):
    tree = ElementTree.parse(REPOSITORY / module / "Resources" / "UI" / f"{module}.ui")
    connected = {
        connection.findtext("receiver") for connection in tree.iter("connection")
        if connection.findtext("slot") == "setMRMLScene(vtkMRMLScene*)" and connection.findtext("sender") == module
    }
    selectors = {name for name, cls in widgetsOf(module).items() if cls == "qMRMLNodeComboBox"}
    assert selectors and selectors == connected


@pytest.mark.parametrize("name", UI_FILES)
def test_every_property_in_the_ui_file_exists(name):
    for widget in ElementTree.parse(UI_FILES[name]).iter("widget"):
        for prop in widget.findall("property"):
            assert isOffered(widget.get("class"), prop.get("name")), (widget.get("name"), prop.get("name"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_files_import_only_slicer_qt_vtk_numpy_and_the_standard_library_at_the_top(source):
    """Importing a module may neither need nor load the analysis: no torch, no ece_core at file scope."""
    import sys

    allowed = {"slicer", "qt", "vtk", "numpy", *MODULES, *(f"{name}Lib" for name in MODULES), *sys.stdlib_module_names}
    imported = set()
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported.add(node.module.split(".")[0])
    assert imported - allowed == set()


def test_a_text_for_the_user_that_is_translated_holds_no_f_string():
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
                assert isinstance(node.args[0], ast.Constant), f"{source.name}:{node.lineno}"
