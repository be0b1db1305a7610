"""The reader's work on one result, the same for Slicer and the browser: no Qt, no MRML, no torch.

`state` holds what is, `actions` what a reader can do, `session` does it with undo, redo and a log, `rows` says what
the table shows, `text` and `review_file` keep it, `preflight` and `export_files` give it
to others, `case_list` says which case is next. The AI's own output is never overwritten.
"""

from ece_core.lymph_nodes.lymph_node import OUT_OF_DATE
from ece_core.review.case_list import CaseList, has_final_call, is_case_list, open_case_list
from ece_core.review.export_files import FILES, Exported, export_review
from ece_core.review.opinion import CERTAINTIES, VERDICTS, Opinion
from ece_core.review.outline import Outline, outlines_of
from ece_core.review.preflight import FORMATS, Check, ExportPlan, files_source, folder_source, plan_export
from ece_core.review.review_file import REVIEW_FILE, ReviewFile, SavedReview, open_review
from ece_core.review.reviewed_result import ACCEPTED, CHOICES, NOT_REJECTED, ReviewedResult, reviewed_result
from ece_core.review.rows import Filter, is_suspicious, listed, suspicious_beside
from ece_core.review.session import Event, Review, new_review
from ece_core.review.state import ReviewedLymphNode, ReviewState
from ece_core.review.text import from_text, start_or_resume, to_text

__all__ = [
    "ACCEPTED",
    "CERTAINTIES",
    "CHOICES",
    "FILES",
    "FORMATS",
    "NOT_REJECTED",
    "OUT_OF_DATE",
    "REVIEW_FILE",
    "VERDICTS",
    "CaseList",
    "Check",
    "Event",
    "ExportPlan",
    "Exported",
    "Filter",
    "Opinion",
    "Outline",
    "Review",
    "ReviewFile",
    "ReviewState",
    "ReviewedLymphNode",
    "ReviewedResult",
    "SavedReview",
    "export_review",
    "files_source",
    "folder_source",
    "from_text",
    "has_final_call",
    "is_case_list",
    "is_suspicious",
    "listed",
    "new_review",
    "open_case_list",
    "open_review",
    "outlines_of",
    "plan_export",
    "reviewed_result",
    "start_or_resume",
    "suspicious_beside",
    "to_text",
]
