"""DICOM is written strictly and silently; what we change for that is put back."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom import config


@contextmanager
def strict_dicom() -> Iterator[None]:
    """pydicom refuses malformed values instead of writing them, and no library logs or warns.

    Warnings and log lines of pydicom and highdicom quote tag values, patient names among them. The validation mode
    belongs to the whole process (in Slicer other modules share it), so it is restored, also after an exception.
    """
    mode = config.settings._writing_validation_mode  # the property hides "not set", which must come back as such
    loggers = [logging.getLogger(name) for name in ("pydicom", "highdicom")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        config.settings.writing_validation_mode = config.RAISE
        try:
            yield
        finally:
            config.settings._writing_validation_mode = mode
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
