"""A folder of result folders, as a batch leaves them: which cases there are, and where the reader goes on."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from ece_core.errors import ECEError, InputError
from ece_core.export.result import RESULT_FILE
from ece_core.review.review_file import ReviewFile


@dataclass(frozen=True)
class CaseList:
    """Result folders in the order of the numbers in their names, and the one the reader is at.

    Attributes
    ----------
    folders
        At least one.
    position
        Of the present case, from 0.
    """

    folders: tuple[Path, ...]
    position: int = 0

    @property
    def folder(self) -> Path:
        """Of the present case."""
        return self.folders[self.position]

    @property
    def words(self) -> str:
        """``"case 3 of 20"``."""
        return f"case {self.position + 1} of {len(self.folders)}"

    def beside(self, step: int) -> CaseList | None:
        """The list at the next (1) or the previous (-1) case; None: there is none."""
        position = self.position + step
        return CaseList(self.folders, position) if 0 <= position < len(self.folders) else None


def open_case_list(folder: Path | str) -> CaseList:
    """The cases of a folder, at the first one without a final call; at the first of all where each has one.

    Raises
    ------
    InputError
        The folder cannot be read, or holds no result folder.
    """
    try:
        found = [path for path in Path(folder).iterdir() if _is_case(path)]
    except OSError as error:
        raise InputError(
            f"The folder of results cannot be read ({type(error).__name__}).", "Check the folder's permissions."
        ) from error
    if not found:
        raise InputError(
            "There is no result in this folder.",
            f"Choose a result folder (it holds {RESULT_FILE}), or a folder with several of them.",
        )
    folders = tuple(sorted(found, key=_by_number))
    position = next((number for number, case in enumerate(folders) if not has_final_call(case)), 0)
    return CaseList(folders, position)


def is_case_list(folder: Path | str) -> bool:
    """Whether a folder holds result folders and is none itself."""
    folder = Path(folder)
    try:
        return not (folder / RESULT_FILE).is_file() and any(_is_case(path) for path in folder.iterdir())
    except OSError:
        return False


def has_final_call(folder: Path | str) -> bool:
    """Whether a reader has called this case. A review that cannot be read says nothing: opening it will say why."""
    try:
        content = json.loads(ReviewFile(folder).read() or "{}")
    except (ECEError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and bool(content.get("final_call"))


def _is_case(path: Path) -> bool:
    return not path.name.startswith(".") and (path / RESULT_FILE).is_file()


def _by_number(path: Path) -> tuple[list[tuple[int, str]], str]:
    """``case_10`` comes after ``case_9``."""
    parts = re.findall(r"[0-9]+|[^0-9]+", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], path.name
