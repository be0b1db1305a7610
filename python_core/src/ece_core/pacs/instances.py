"""What is moved: DICOM objects, by their UIDs; and what became of those that could not be moved."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from ece_core.errors import PartialError, RunError

TRY_AGAIN = "Start it again: what has arrived is not moved twice."


@dataclass(frozen=True)
class Instance:
    """One object of a study. UIDs point at the patient: they are never logged as they are."""

    sop_uid: str = field(repr=False)
    series_uid: str = field(repr=False)
    study_uid: str = field(repr=False)
    sop_class_uid: str = ""

    @property
    def alias(self) -> str:
        """A name for messages and file names that says nothing about the patient, the same in every run."""
        return alias_of(self.sop_uid)


def alias_of(uid: str) -> str:
    """The first 64 bits of the UID's SHA-256, in hexadecimal."""
    return hashlib.sha256(uid.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Failure:
    """An instance that was not moved.

    Parameters
    ----------
    reason
        Why, in our words, with the status that the server gave.
    is_passing
        Whether it may work a moment later (the server was busy).
    """

    instance: Instance
    reason: str
    is_passing: bool = False


@dataclass(frozen=True)
class Transfer:
    """What became of all instances of one command.

    Parameters
    ----------
    moved
        Moved by this command.
    there_before
        Had arrived earlier, and were left alone.
    failures
        One per instance that is still missing.
    """

    moved: int
    there_before: int
    failures: tuple[Failure, ...] = ()

    @property
    def total(self) -> int:
        return self.moved + self.there_before + len(self.failures)


class Unreachable(RunError):
    """The server does not answer, or the connection broke: worth another try."""


class Refused(RunError):
    """The server answered, and does not want to talk to us."""


def unreachable() -> Unreachable:
    return Unreachable("The PACS does not answer, or the connection broke.",
                       f"Check the address and the network. {TRY_AGAIN}")  # fmt: skip


def unproven() -> Refused:
    return Refused(
        "The PACS could not prove who it is, or does not accept our certificate.",
        "Give its certificate authority as ca_file, and the host name that the certificate holds.",
    )


def raise_if_incomplete(transfer: Transfer, done: str) -> None:
    """One error for all that is missing, with the reason for each.

    Parameters
    ----------
    done
        What should have happened: "fetched" or "sent".

    Raises
    ------
    PartialError
        Something is missing.
    """
    if transfer.failures:
        failures = [{"instance": one.instance.alias, "reason": one.reason} for one in transfer.failures]
        problem = f"{len(failures)} of {transfer.total} DICOM objects were not {done}."
        raise PartialError(problem, TRY_AGAIN, failures)
