"""Writes the lists of files that CMake packages: python3 Testing/panel/list_packaged_files.py [--check]

Run it after adding, moving or removing a file of ece_core or of Resources. Files must be known to git (git add), so
that nothing untracked is packaged. With --check nothing is written; exit code 1 says that a list is out of date.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
HEADER = "# Written by Testing/panel/list_packaged_files.py; do not edit.\n"
NOT_PACKAGED = ("Screenshots/", "CMakeLists.txt", "PackagedFiles.cmake")


def tracked(folder: str) -> list[str]:
    """Files that git knows below a folder, relative to it."""
    command = ["git", "ls-files", "--cached", "--", "."]
    listed = subprocess.run(command, cwd=REPOSITORY / folder, check=True, capture_output=True, text=True).stdout
    return sorted(name for name in listed.splitlines() if (REPOSITORY / folder / name).exists())


def cmake_list(name: str, files: list[str]) -> str:
    return "\n".join([f"set({name}", *(f"  {file}" for file in files), ")\n"])


def core_list() -> str:
    files = [file for file in tracked("python_core/src") if file.startswith("ece_core/")]
    scripts = [file for file in files if file.endswith(".py")]
    resources = [file for file in files if not file.endswith(".py")]
    return HEADER + cmake_list("ECE_CORE_SCRIPTS", scripts) + cmake_list("ECE_CORE_RESOURCES", resources)


def resources_list() -> str:
    files = [file for file in tracked("Resources") if not file.startswith(NOT_PACKAGED)]
    return HEADER + cmake_list("SHARED_RESOURCES", files)


LISTS = {"python_core/src/PackagedFiles.cmake": core_list, "Resources/PackagedFiles.cmake": resources_list}


def outdated() -> list[str]:
    """Lists that differ from what git knows."""
    return [path for path, make in LISTS.items() if read(REPOSITORY / path) != make()]


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main(arguments: list[str]) -> int:
    stale = outdated()
    if "--check" in arguments:
        print("\n".join(f"out of date: {path}" for path in stale) or "up to date")
        return 1 if stale else 0
    for path in stale:
        (REPOSITORY / path).write_text(LISTS[path](), encoding="utf-8")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
