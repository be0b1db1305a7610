"""What the Extensions Index asks for: catalog entry, home page, size, pages; point by point of its checklist."""

import json
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
MODULES = ("LymphNodeSeg", "ECEDetector")
MAX_MB = 100  # check_description_files.py of the Extensions Index


def text(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def cmake(name: str) -> str:
    return re.search(rf'set\({name} "([^"]*)"\)', text("CMakeLists.txt"))[1]


@pytest.fixture
def entry() -> dict:
    return json.loads(text("ECEDetector.json"))


def test_the_catalog_entry_says_what_cmake_says(entry):
    project = re.search(r"project\((\w+)\)", text("CMakeLists.txt"))[1]
    assert (REPOSITORY / f"{project}.json").is_file() and not project.startswith("Slicer")
    assert entry["build_dependencies"] == cmake("EXTENSION_DEPENDS").split()
    assert entry["scm_url"] == cmake("EXTENSION_HOMEPAGE") + ".git"
    assert entry["scm_url"].endswith(f"/Slicer{project}.git")
    for key in ("EXTENSION_ICONURL", "EXTENSION_SCREENSHOTURLS"):
        for url in cmake(key).split():
            raw = cmake("EXTENSION_HOMEPAGE").replace("github.com", "raw.githubusercontent.com")
            assert url.startswith(f"{raw}/{entry['scm_revision']}/")
            assert (REPOSITORY / url.split(f"/{entry['scm_revision']}/")[1]).is_file()


def test_the_catalog_entry_has_the_keys_of_its_schema(entry):
    """Schema v1.0.2 of Slicer: these, all of them but the rule for DICOM required or with a default."""
    assert set(entry) == {"$schema", "build_dependencies", "build_subdirectory", "category", "scm_revision", "scm_url",
                          "tier"}
    assert entry["tier"] in (1, 3, 5) and entry["build_subdirectory"] == "."


@pytest.mark.parametrize("module", MODULES)
def test_the_category_is_that_of_the_modules(module, entry):
    (category,) = re.findall(r'categories = \[translate\("qSlicerAbstractCoreModule", "(\w+)"\)\]',
                             text(f"{module}/{module}.py"))
    assert category == entry["category"]


def test_a_checkout_is_small_enough():
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, check=True, capture_output=True).stdout
    paths = [REPOSITORY / name for name in files.decode().split("\0") if name]
    assert sum(path.stat().st_size for path in paths if path.is_file()) < MAX_MB * 1e6


def test_the_license_is_a_permissive_one_that_the_home_page_names():
    assert "Apache License" in text("LICENSE.txt") and "LICENSE.txt" in text("README.md")


@pytest.mark.parametrize("module", MODULES)
def test_the_home_page_has_a_sentence_and_a_picture_of_each_module(module):
    readme = text("README.md")
    assert re.search(rf"\*\*{module}\*\* [a-z][^\n]+", readme)
    pictures = re.findall(rf"\(Resources/Screenshots/({module}_\w+\.png)\)", readme)
    assert pictures and all((REPOSITORY / "Resources" / "Screenshots" / name).is_file() for name in pictures)
    assert "## How to cite" in readme and "docs/tutorial.md" in readme and "docs/troubleshooting.md" in readme


def test_every_link_of_the_new_pages_leads_somewhere():
    for page in ("docs/tutorial.md", "docs/troubleshooting.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", text(page)):
            assert (REPOSITORY / "docs" / target).resolve().exists(), f"{page}: {target}"


def test_the_tutorial_names_its_sample_data_and_only_widgets_that_exist():
    page = text("docs/tutorial.md")
    assert "Neck CT (simulated)" in page and "Sample Data" in page
    shown = "".join(text(f"{name}/Resources/UI/{file}.ui") for name, file in
                    (("LymphNodeSeg", "LymphNodeSeg"), ("ECEDetector", "ECEDetector"), ("ECEDetector", "ExportDialog")))
    sources = "".join(path.read_text(encoding="utf-8") for name in MODULES
                      for path in (REPOSITORY / name).rglob("*.py"))
    for name in re.findall(r"\*\*([^*]+)\*\*", page):
        assert f"<string>{name}</string>" in shown or f'"{name}"' in sources, name


def test_every_quoted_error_is_one_that_the_software_says():
    """Troubleshooting by quoted text helps nobody once the text has changed."""
    folders = ("LymphNodeSeg", "ECEDetector", "python_core/src")
    # as one line without the quotes between the parts of a text
    source = " ".join(re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8"))
                      for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))
    quoted = re.findall(r"^### \"(.+)\"$", text("docs/troubleshooting.md"), re.MULTILINE)
    assert len(quoted) >= 10
    for words in quoted:
        parts = [part.strip() for part in words.split("...") if part.strip()]
        assert all(part in source for part in parts), words


@pytest.mark.parametrize("page", ["docs/tutorial.md", "docs/troubleshooting.md", "docs/privacy.md"])
def test_the_pages_say_what_this_is_not(page):
    if page != "docs/privacy.md":
        assert "Research use only. Not a medical device." in text(page)
    assert "network" in text("docs/privacy.md")


def test_the_troubleshooting_page_says_how_to_remove_what_was_downloaded():
    page = text("docs/troubleshooting.md")
    assert "## Remove everything" in page
    for word in ("Remove", "Extensions Manager", "PyTorch", "ECEDetector results", "pip uninstall"):
        assert word in page.split("## Remove everything")[1], word


@pytest.mark.parametrize("module", MODULES)
def test_self_tests_are_registered_with_ctest(module):
    registered = text("Testing/slicer/CMakeLists.txt")
    assert f"slicer_add_python_unittest(SCRIPT ${{CMAKE_SOURCE_DIR}}/{module}/{module}.py)" in registered
    assert f"class {module}Test(ScriptedLoadableModuleTest)" in text(f"{module}/{module}.py")
    assert "slicer_add_python_test(SCRIPT run_self_tests.py" in registered


def test_visible_text_goes_through_translation():
    """Every text property that is set from a literal is translated."""
    for module in MODULES:
        for source in (REPOSITORY / module).rglob("*.py"):
            for line in source.read_text(encoding="utf-8").splitlines():
                wrong = re.search(r'\.(text|toolTip|title|helpText) = f?"[^"]*[a-z]{3}', line)
                assert not wrong, f"{source.name}: {line}"
