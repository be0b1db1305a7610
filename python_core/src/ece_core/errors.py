"""Errors that people can act on: what is wrong, what was found, what to do."""

from __future__ import annotations

from collections.abc import Sequence


class ECEError(Exception):
    """Base of the errors we raise on purpose. ``fix`` is required: no one raises without a way out.

    Neither text may hold a patient's name, an identifier or a path: both reach logs and screens.
    """

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem, fix)  # both in args, so it survives a process boundary
        self.problem, self.fix = problem, fix

    def __str__(self) -> str:
        return f"{self.problem} {self.fix}"


class InputError(ECEError):
    """The input or the options are wrong. Nothing was written; exit code 2."""


class GeometryError(InputError):
    """The input's geometry is missing, contradictory or not one that we read."""


class EmptyMaskError(InputError):
    """A mask has no voxel set where one lymph node is needed."""


class ModelError(InputError):
    """A model bundle is missing, damaged or not ours to run."""


class RunError(ECEError):
    """The run itself failed. Nothing half-written is left; exit code 3."""


class PartialError(RunError):
    """Some of many parts failed. ``failures``: {"instance": an alias, "reason": in words} of each."""

    def __init__(self, problem: str, fix: str, failures: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(problem, fix)
        self.failures = tuple(failures)


class Cancelled(ECEError):
    """The user stopped the run. Nothing half-written is left."""

    def __init__(self) -> None:
        super().__init__("The run was cancelled.", "Start it again when you are ready.")

    def __reduce__(self):
        return (Cancelled, ())
