"""What the radiologist says of the patient as a whole, apart from what the AI says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

VERDICTS = {
    "ene": "ENE (also ECE)",
    "no ene": "no ENE (also ECE)",
    "not evaluable": "not evaluable",
}
# The four bins that raised the agreement of readers from kappa 0.56 to 0.86: Chin 2022, Oral Oncol 125:105716.
CERTAINTIES = {"<25": "less than 25 %", "50": "about 50 %", "75": "about 75 %", ">90": "more than 90 %"}


@dataclass(frozen=True)
class Opinion:
    """One call of the patient.

    Attributes
    ----------
    verdict
        One of VERDICTS.
    certainty
        One of CERTAINTIES, or empty: not said.
    comment, reviewer
    time
        UTC, ISO 8601.

    Raises
    ------
    ValueError
        A verdict or a certainty that does not exist.
    """

    verdict: str
    certainty: str = ""
    comment: str = ""
    reviewer: str = ""
    time: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict must be one of {sorted(VERDICTS)}, got {self.verdict!r}")
        if self.certainty and self.certainty not in CERTAINTIES:
            raise ValueError(f"certainty must be one of {sorted(CERTAINTIES)} or empty, got {self.certainty!r}")

    @property
    def words(self) -> str:
        """``"ENE (also ECE), about 75 % sure"``."""
        sure = f", {CERTAINTIES[self.certainty]} sure" if self.certainty else ""
        return VERDICTS[self.verdict] + sure

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
