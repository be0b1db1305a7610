"""Where ece_core is: in qt-scripted-modules of an installed extension, or in a source tree."""

import importlib.util
import sys
from pathlib import Path


def ensureCore() -> None:
    """Make ``import ece_core`` work. Call it inside a function, before the import.

    An installed extension has ece_core beside the modules, which is on the path already. Module folders added from a
    source tree (Application Settings > Modules) do not put ``python_core/src`` there, so that one folder is added.
    """
    if importlib.util.find_spec("ece_core") is not None:
        return
    source = Path(__file__).resolve().parents[2] / "python_core" / "src"
    if not (source / "ece_core" / "__init__.py").is_file():
        raise ImportError("ece_core is not in this installation. Install the ECE Detector extension again.")
    sys.path.append(str(source))


def coreFolder() -> Path:
    """The folder that holds the package ece_core: the worker process needs it on its own path."""
    ensureCore()
    return Path(importlib.util.find_spec("ece_core").origin).resolve().parents[1]


def problemAndFix(error: Exception) -> tuple[str, str]:
    """Headline and way out for the panel, of our own errors (ECEError) and of any other."""
    problem = getattr(error, "problem", "")
    if problem:
        return problem, getattr(error, "fix", "")
    return f"{type(error).__name__}: {error}", "Details hold the log. Please report it with the log attached."
