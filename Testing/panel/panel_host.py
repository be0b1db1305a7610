"""Opens our modules outside the application: Qt by the shim, MRML by slicer_host, the worker as the test wants it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pythonqt_shim

MODULE_FOLDERS = {name: Path(__file__).parents[2] / name for name in ("LymphNodeSeg", "ECEDetector")}
FAKE_WORKER = Path(__file__).parent / "fake_worker.py"


def startQt():
    return pythonqt_shim.install()


def startSlicer(folder: Path):
    """A fresh scene; modules of ours that an earlier test imported are imported again."""
    import slicer_double
    import slicer_host

    scene = slicer_host.start()
    slicer_double.install(folder)
    for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
        del sys.modules[name]
    return scene


OURS = ("LymphNodeSeg", "LymphNodeSegLib", "ECEDetector", "ECEDetectorLib")


class FakeWorker:
    """Makes the worker process, says how it behaves (``mode``, at any time), and reads what it was asked."""

    def __init__(self, record: Path, result: Path) -> None:
        self.record, self.result = record, result
        self.processes: list = []
        self.mode = "happy"

    @property
    def mode(self) -> str:
        return self.record.with_suffix(".mode").read_text()

    @mode.setter
    def mode(self, mode: str) -> None:
        self.record.with_suffix(".mode").write_text(mode)

    def makeProcess(self):
        from LymphNodeSegLib import QtWorkerProcess

        arguments = (str(FAKE_WORKER), str(self.record.with_suffix(".mode")), str(self.record), str(self.result))
        self.processes.append(QtWorkerProcess(arguments, sys.executable))
        return self.processes[-1]

    @property
    def asked(self) -> list[dict]:
        if not self.record.exists():
            return []
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    def request(self, name: str) -> dict:
        return next(request for request in self.asked if request["request"] == name)


def openModule(name: str, makeProcess: Callable | None = None):
    """The module's widget after setup(), in a parent as the application gives it.

    Parameters
    ----------
    makeProcess
        The worker's process; None: the real one.
    """
    import importlib

    import qt
    import slicer
    import stand_ins

    module = importlib.import_module(name)
    client = importlib.import_module("LymphNodeSegLib").WorkerClient
    if client._shared is None and makeProcess is not None:
        client._shared = client(makeProcess)
    parent = stand_ins.qMRMLWidget()
    parent.setLayout(qt.QVBoxLayout())
    parent.layout().setContentsMargins(0, 0, 0, 0)
    parent.setMRMLScene(slicer.mrmlScene)
    widget = getattr(module, f"{name}Widget")(parent)
    widget.setup()
    parent.resize(440, 700)
    parent.show()
    processEvents()
    return widget


def processEvents() -> None:
    from PySide6 import QtWidgets

    QtWidgets.QApplication.processEvents()


def waitFor(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Let Qt work until the condition holds; fails with what was waited for."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain for: {what}")
        processEvents()
        time.sleep(0.01)


def click(widget) -> None:
    """A real click of the left button in the middle of the widget; of a check box on its box."""
    from PySide6 import QtCore, QtTest, QtWidgets

    place = QtCore.QPoint(8, widget.rect.height() // 2) if isinstance(widget, QtWidgets.QCheckBox) else QtCore.QPoint()
    QtTest.QTest.mouseClick(widget, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, place)
    processEvents()


def cellCenter(table, row: int, column: int = 1):
    return table.visualItemRect(table.item(row, column)).center()


def clickRow(table, row: int, double: bool = False, column: int = 1, control: bool = False) -> None:
    """Click, or double-click, a row of the table; with the Ctrl key a row is added to the selection."""
    from PySide6 import QtCore, QtTest

    table.scrollToItem(table.item(row, column))
    processEvents()
    place = cellCenter(table, row, column)
    modifier = QtCore.Qt.ControlModifier if control else QtCore.Qt.NoModifier
    QtTest.QTest.mouseClick(table.viewport(), QtCore.Qt.LeftButton, modifier, place)
    if double:
        QtTest.QTest.mouseDClick(table.viewport(), QtCore.Qt.LeftButton, modifier, place)
    processEvents()


def press(widget, key: str, hold: bool = False, control: bool = False) -> None:
    """A real key on the widget, also with Ctrl; ``hold`` leaves it down."""
    from PySide6 import QtCore, QtTest

    code = getattr(QtCore.Qt, f"Key_{key.upper() if len(key) == 1 else key}")
    modifier = QtCore.Qt.ControlModifier if control else QtCore.Qt.NoModifier
    QtTest.QTest.keyPress(widget, code, modifier)
    if not hold:
        QtTest.QTest.keyRelease(widget, code, modifier)
    processEvents()


def release(widget, key: str) -> None:
    from PySide6 import QtCore, QtTest

    QtTest.QTest.keyRelease(widget, getattr(QtCore.Qt, f"Key_{key.upper()}"))
    processEvents()


def write(lineEdit, text: str) -> None:
    """Type into a line edit and press Enter."""
    from PySide6 import QtCore, QtTest

    lineEdit.clear()
    QtTest.QTest.keyClicks(lineEdit, text)
    QtTest.QTest.keyClick(lineEdit, QtCore.Qt.Key_Return)
    processEvents()


def clickHeader(table, column: int) -> None:
    from PySide6 import QtCore, QtTest

    header = table.horizontalHeader()
    place = QtCore.QPoint(header.sectionViewportPosition(column) + header.sectionSize(column) // 2, 8)
    QtTest.QTest.mouseClick(header.viewport(), QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, place)
    processEvents()


def column(table, number: int) -> list[str]:
    """The texts of a column, top to bottom; of the probability column those in the bars."""
    texts = []
    for row in range(table.rowCount):
        bar = table.cellWidget(row, number)
        texts.append(bar.property("format") if bar else table.item(row, number).text())
    return texts
