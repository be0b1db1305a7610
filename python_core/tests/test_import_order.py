"""The one way imports go (design.md section 2), and who may load torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "ece_core"

# Lowest first: a package imports only what stands above it. training and evaluation stand beside pipeline.
ORDER = (
    ("errors", "classes"),
    ("geometry",),
    ("io",),
    ("privacy",),
    ("pacs",),
    ("preprocessing",),
    ("simulate",),
    ("models",),
    ("explain",),
    ("lymph_nodes",),
    ("export",),
    ("pipeline",),
    ("training",),
    ("evaluation",),
    ("review",),
    ("worker",),
    ("cli",),
    ("scene",),
    ("web",),
)
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
# Beside each other: neither imports the other, although the list has to put one first.
APART = {("training", "pipeline"), ("evaluation", "pipeline"), ("evaluation", "training")}
LOAD_TORCH = {"models", "explain", "training"}
LOAD_SLICER = {"scene", "web"}
HEAVY = {"torch", "monai", "captum", "torchvision"}
LIGHT_PACKAGES = (
    "io", "lymph_nodes", "export", "review", "scene", "worker", "cli", "pipeline", "worker.supervisor", "cli.main",
)  # fmt: skip


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


def package_of(path: Path) -> str:
    """`io` for io/scan.py, `errors` for errors.py, `` for the package's own __init__.py."""
    first = path.relative_to(SOURCE).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def imports(tree: ast.AST) -> list[tuple[str, ast.stmt]]:
    """Dotted names that are imported anywhere in the tree, also in functions and for type checking."""
    found: list[tuple[str, ast.stmt]] = []
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Import):
            found += [(alias.name, statement) for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            assert statement.level == 0, "imports are written out from ece_core"
            if statement.module == "ece_core":
                found += [(f"ece_core.{alias.name}", statement) for alias in statement.names]
            else:
                found.append((statement.module or "", statement))
    return found


def runs_on_import(tree: ast.Module) -> list[tuple[str, ast.stmt]]:
    """Only the imports that happen when the module is loaded: not in functions, not for type checking."""
    late: set[ast.AST] = set()
    for part in ast.walk(tree):
        is_type_check = isinstance(part, ast.If) and "TYPE_CHECKING" in ast.dump(part.test)
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) or is_type_check:
            late.update(ast.walk(part))
    return [(name, statement) for name, statement in imports(tree) if statement not in late]


def wrong_way(package: str, text: str) -> list[str]:
    """Which packages of ours a module of ``package`` imports although it must not."""
    wrong = []
    for name, _ in imports(ast.parse(text)):
        parts = name.split(".")
        if parts[0] != "ece_core" or len(parts) == 1 or parts[1] not in RANK or parts[1] == package:
            continue
        if RANK[parts[1]] >= RANK[package] or (package, parts[1]) in APART:
            wrong.append(parts[1])
    return wrong


def test_every_package_has_its_place_in_the_order():
    packages = {package_of(path) for path in modules()} - {""}
    assert packages <= set(RANK), packages - set(RANK)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_go_one_way(path):
    if package_of(path):
        assert wrong_way(package_of(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_only_those_who_may_name_torch_or_slicer(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = {name.split(".")[0] for name, _ in imports(tree)}
    if package_of(path) not in LOAD_TORCH:
        assert not named & HEAVY
    if package_of(path) not in LOAD_SLICER:
        assert "slicer" not in named
    assert "slicer" not in {name.split(".")[0] for name, _ in runs_on_import(tree)}


@pytest.mark.parametrize(
    ("package", "text", "wrong"),
    [
        pytest.param("io", "from ece_core.geometry import Volume", [], id="upwards"),
        pytest.param("io", "from ece_core.io.scan import Scan", [], id="its own"),
        pytest.param("io", "from ece_core.export.result import Result", ["export"], id="downwards"),
        pytest.param("io", "def f():\n    import ece_core.cli.main", ["cli"], id="downwards in a function"),
        pytest.param("io", "from ece_core import pipeline", ["pipeline"], id="downwards by name"),
        pytest.param("training", "from ece_core.pipeline import analyze", ["pipeline"], id="sideways"),
        pytest.param("geometry", "from ece_core import __version__", [], id="the package's own facts"),
    ],
)
def test_the_check_sees_what_it_should(package, text, wrong):
    assert wrong_way(package, text) == wrong


@pytest.mark.parametrize("name", LIGHT_PACKAGES)
def test_importing_it_loads_neither_torch_nor_slicer(name, loaded_by):
    assert loaded_by[name] == []


@pytest.fixture(scope="module")
def loaded_by() -> dict[str, list[str]]:
    """Per package, which heavy modules are loaded after its import; one after the other in one fresh interpreter."""
    code = f"import ast, importlib, os, sys\nfor name in {LIGHT_PACKAGES!r}:\n" + (
        "    importlib.import_module('ece_core.' + name)\n"
        f"    print(name, sorted(set(sys.modules) & {(HEAVY | {'slicer', 'vtk'})!r}), sep='=')\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return {line.partition("=")[0]: ast.literal_eval(line.partition("=")[2]) for line in answer.splitlines()}
