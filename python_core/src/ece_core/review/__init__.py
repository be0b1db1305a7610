"""The reader's work on one result, the same for Slicer and the browser: no Qt, no MRML, no torch.

`state` holds what is, `actions` what a reader can do, `session` does it with undo, redo and a log, `rows` says what
the table shows, `text` and `review_file` keep it. The AI's own output is never overwritten.
"""

from ece_core.review.opinion import CERTAINTIES, VERDICTS, Opinion
from ece_core.review.outline import Outline, outlines_of
from ece_core.review.review_file import REVIEW_FILE, ReviewFile, SavedReview, open_review
from ece_core.review.rows import Filter, is_suspicious, listed, suspicious_beside
from ece_core.review.session import Event, Review, new_review
from ece_core.review.state import OUT_OF_DATE, ReviewedLymphNode, ReviewState
from ece_core.review.text import from_text, start_or_resume, to_text

__all__ = [
    "CERTAINTIES",
    "OUT_OF_DATE",
    "REVIEW_FILE",
    "VERDICTS",
    "Event",
    "Filter",
    "Opinion",
    "Outline",
    "Review",
    "ReviewFile",
    "ReviewState",
    "ReviewedLymphNode",
    "SavedReview",
    "from_text",
    "is_suspicious",
    "listed",
    "new_review",
    "open_review",
    "outlines_of",
    "start_or_resume",
    "suspicious_beside",
    "to_text",
]
