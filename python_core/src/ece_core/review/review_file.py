"""`review.json` in the result folder: written whole or not at all, and never over somebody else's work."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any

from ece_core.errors import InputError, RunError
from ece_core.export.result import Result, read_result
from ece_core.export.result_folder import DISK_FULL
from ece_core.export.seg_nrrd import read_seg_nrrd
from ece_core.geometry import Volume
from ece_core.review.actions import Measure
from ece_core.review.outline import Outline, outlines_of
from ece_core.review.session import Review
from ece_core.review.text import start_or_resume, to_text

REVIEW_FILE = "review.json"
MAX_REVIEW_BYTES = 256 * 2**20  # sixty lymph nodes, all edited, are about 1 MB


class ReviewFile:
    """The file of one result folder. Remembers what it held, so that another reader's work is not overwritten.

    Parameters
    ----------
    folder
        A result folder.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._seen: str | None = None

    def read(self) -> str | None:
        """The text of the file; None: nobody has reviewed this result yet.

        Raises
        ------
        InputError
            The file cannot be read.
        """
        self._seen = self._text()
        return self._seen

    def write(self, text: str) -> None:
        """Replace the file. If that fails, the old one is still there, and so is the review in memory.

        Raises
        ------
        InputError
            Somebody else has changed the file since it was read.
        RunError
            The disk is full, or the folder cannot be written to.
        """
        if self._text() != self._seen:
            raise InputError(
                "Somebody else has changed the review of this result since you opened it; yours was not saved.",
                "Save the scene to keep your work, then open the result again to see theirs.",
            )
        partial = self.folder / f".{REVIEW_FILE}.partial-{secrets.token_hex(4)}"
        try:
            with partial.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())  # renamed first and written later, a power cut would leave an empty review
            os.replace(partial, self.folder / REVIEW_FILE)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise _not_saved(error) from error
        self._seen = text

    def _text(self) -> str | None:
        file = self.folder / REVIEW_FILE
        try:
            if file.stat().st_size > MAX_REVIEW_BYTES:
                raise InputError("The saved review is too large to be one.", "Rename review.json and start again.")
            return file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"The saved review cannot be read ({type(error).__name__}).", "Check the result folder's permissions."
            ) from error


class SavedReview:
    """A result folder under review: the result, the AI's outlines, the review, and its file."""

    def __init__(self, result: Result, outlines: dict[int, Outline], review: Review, file: ReviewFile) -> None:
        self.result, self.outlines, self.review, self.file = result, outlines, review, file

    def text(self) -> str:
        return to_text(self.review, self.result, self.outlines)

    def save(self) -> None:
        """As :meth:`ReviewFile.write`."""
        self.file.write(self.text())


def open_review(folder: Path | str, ct: Volume | None = None, **arguments: Any) -> SavedReview:
    """The review of a result folder: the saved one, or a new one.

    Parameters
    ----------
    ct
        (K, J, I) HU, for the measures of what the reader changes; None: outlines cannot be changed.
    arguments
        As for :class:`Review`.

    Raises
    ------
    InputError
        The folder is no result; the review is damaged, of a newer schema or about another result.
    """
    result = read_result(Path(folder))
    instances, _ = read_seg_nrrd(Path(folder) / "lymph_nodes.seg.nrrd")
    outlines, file = outlines_of(instances), ReviewFile(folder)
    review = start_or_resume(file.read(), result, outlines, instances.shape, _measures(ct, instances), **arguments)
    return SavedReview(result, outlines, review, file)


def _measures(ct: Volume | None, instances: Volume) -> Measure | None:
    from ece_core.review.outline_measures import OutlineMeasures

    if ct is None:
        return None
    if not ct.same_grid(instances):
        raise InputError("The result does not lie on this scan.", "Choose the scan that was analyzed.")
    return OutlineMeasures(ct)


def _not_saved(error: OSError) -> RunError:
    if error.errno in DISK_FULL:
        return RunError(
            "The disk of the result folder is full; the review was not saved. Nothing is lost: what was saved before "
            "is still there, and your work is still open.",
            "Free some space and save again.",
        )
    reason = os.strerror(error.errno) if error.errno else type(error).__name__  # str(error) would hold the path
    return RunError(
        f"The review could not be saved ({reason}). Nothing is lost: your work is still open.",
        "Check that you may write to the result folder, or save the scene.",
    )
