"""What git knows and what CMake packages are the same: a file that is not listed vanishes from the extension."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import list_packaged_files
from list_packaged_files import REPOSITORY, tracked

MODULES = ("LymphNodeSeg", "ECEDetector")


def listed(cmake_file: Path) -> list[str]:
    """The files in the set(...) lists of a CMake file, its MODULE_NAME filled in."""
    text = re.sub(r"#[^\n]*", "", cmake_file.read_text(encoding="utf-8"))
    name = re.search(r"set\(MODULE_NAME (\w+)\)", text)
    files = [file for content in re.findall(r"set\(\w+\n([^)]*)\)", text) for file in content.split()]
    return sorted(file.replace("${MODULE_NAME}", name[1]) if name else file for file in files)


@pytest.fixture(autouse=True)
def a_checkout():
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout: there is nothing to compare the lists with")


@pytest.mark.parametrize("module", MODULES)
def test_a_module_lists_every_file_it_has(module):
    assert listed(REPOSITORY / module / "CMakeLists.txt") == [f for f in tracked(module) if f != "CMakeLists.txt"]


def test_ece_core_lists_every_file_it_has():
    cmake = listed(REPOSITORY / "python_core/src/PackagedFiles.cmake")
    assert cmake == [file for file in tracked("python_core/src") if file.startswith("ece_core/")], REGENERATE


def test_resources_list_every_file_but_the_screenshots():
    files = [file for file in tracked("Resources") if not file.startswith(list_packaged_files.NOT_PACKAGED)]
    assert listed(REPOSITORY / "Resources/PackagedFiles.cmake") == files, REGENERATE


REGENERATE = "run: python3 Testing/panel/list_packaged_files.py"


def test_a_file_that_is_missing_from_a_list_is_found(tmp_path):
    cmake = tmp_path / "CMakeLists.txt"
    cmake.write_text("set(MODULE_NAME A)\nset(MODULE_PYTHON_SCRIPTS\n  ${MODULE_NAME}.py # a comment\n)\n")
    assert listed(cmake) == ["A.py"]


def test_every_folder_with_packaged_files_is_added_at_the_top():
    top = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    folders = re.findall(r"add_subdirectory\(([^)]+)\)", top)
    assert folders == ["LymphNodeSeg", "ECEDetector", "python_core/src", "Resources", "Testing/slicer"]


def test_the_extension_depends_on_pytorch_and_says_what_it_is_for():
    top = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    assert re.search(r'set\(EXTENSION_DEPENDS "PyTorch"\)', top)
    description = re.search(r'set\(EXTENSION_DESCRIPTION "([^"]+)"\)', top)[1]
    assert "research only" in description and "not a medical device" in description


def test_requirements_are_those_of_the_core_without_what_slicer_brings():
    """pip must not replace Slicer's numpy and SimpleITK, nor the torch of the PyTorch extension."""
    import tomllib

    project = tomllib.loads((REPOSITORY / "python_core/pyproject.toml").read_text())["project"]
    needed = {*project["dependencies"], *project["optional-dependencies"]["analysis"]}
    brought = {item for item in needed if re.split(r"[<>=]", item)[0] in ("numpy", "SimpleITK", "torch")}
    lines = (REPOSITORY / "LymphNodeSeg/Resources/requirements.txt").read_text().splitlines()
    assert {line for line in lines if line and not line.startswith("#")} == needed - brought


def test_the_libraries_that_send_are_those_of_the_cores_extra():
    """Read from the source: the module itself needs Slicer."""
    import ast
    import tomllib

    extra = tomllib.loads((REPOSITORY / "python_core/pyproject.toml").read_text())["project"]["optional-dependencies"]
    source = (REPOSITORY / "LymphNodeSeg/LymphNodeSegLib/Dependencies.py").read_text(encoding="utf-8")
    named = {node.targets[0].id: node.value for node in ast.parse(source).body if isinstance(node, ast.Assign)}
    assert sorted(ast.literal_eval(named["PACS"]).values()) == sorted(extra["pacs"])
