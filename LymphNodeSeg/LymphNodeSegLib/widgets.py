"""What the parts of the panels share."""

from contextlib import contextmanager

import qt


def setEnabled(widget, reason: str, toolTip: str) -> None:
    """A widget that is disabled says why."""
    widget.enabled = not reason
    widget.toolTip = reason or toolTip


@contextmanager
def waiting():
    """The cursor says that it takes a moment."""
    qt.QApplication.setOverrideCursor(qt.QCursor(qt.Qt.WaitCursor))
    try:
        yield
    finally:
        qt.QApplication.restoreOverrideCursor()
