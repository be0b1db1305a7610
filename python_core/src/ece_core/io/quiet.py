"""The one place where calls into pydicom and SimpleITK are wrapped.

Their warnings, log lines and exceptions quote tag values and paths, and those hold patient names. Nothing of
them leaves this module except as the cause (``__cause__``) of an error of ours.
"""

from __future__ import annotations

import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom.errors import BytesLengthException, InvalidDicomError

from ece_core.errors import ECEError, InputError

LIBRARY_ERRORS = (
    InvalidDicomError,
    BytesLengthException,  # of a number's bytes; no ValueError
    ValueError,
    AttributeError,
    NotImplementedError,
    RuntimeError,  # also RecursionError
    LookupError,  # KeyError, IndexError, unknown character sets
    TypeError,
    EOFError,
    OSError,
    ArithmeticError,
    MemoryError,
    struct.error,
    zlib.error,
)


@contextmanager
def quiet(*libraries: str) -> Iterator[None]:
    """Keep Python warnings and the loggers of pydicom and of other libraries silent, and put all back as they were."""
    loggers = [logging.getLogger(name) for name in ("pydicom", *libraries)]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)  # the child loggers inherit the level
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def library_call(problem: str, fix: str) -> Iterator[None]:
    """Run library code silently; whatever it raises becomes ``InputError(problem, fix)``.

    Raises
    ------
    InputError
        The library failed. Its own words stay in ``__cause__``.
    """
    try:
        with quiet():
            yield
    except ECEError:
        raise
    except FileNotFoundError as error:
        raise InputError("The file or folder does not exist.", "Check the path and try again.") from error
    except PermissionError as error:
        raise InputError("The file or folder may not be opened.", "Ask for read access to it.") from error
    except LIBRARY_ERRORS as error:
        raise InputError(problem, fix) from error


@contextmanager
def itk_quiet() -> Iterator[None]:
    """Keep ITK from printing warnings with paths on the process's standard error."""
    import SimpleITK as sitk

    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.GlobalWarningDisplayOff()
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)
