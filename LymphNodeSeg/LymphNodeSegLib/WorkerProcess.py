"""The process that the analysis runs in: a Protocol, and the QProcess that fulfils it in Slicer."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Protocol

import qt

from .CorePackage import coreFolder


class WorkerProcess(Protocol):
    """A process that reads and writes lines of text. Started once, ended once."""

    def start(
        self, onLine: Callable[[str], None], onLog: Callable[[str], None], onEnded: Callable[[int | None], None]
    ) -> None:
        """Start. ``onLine`` gets lines of stdout, ``onLog`` of stderr; ``onEnded`` the exit code (None: no start)."""

    def send(self, line: str) -> None:
        """Write one line to stdin."""

    def stop(self) -> None:
        """End the process and all its children now. ``onEnded`` is not called for it."""


def pythonExecutable() -> str:
    """PythonSlicer: Slicer's Python with Slicer's libraries, but outside the application."""
    return shutil.which("PythonSlicer") or sys.executable


class QtWorkerProcess:
    """``python -m ece_core.worker`` in a QProcess: Slicer's event loop reads it, nothing blocks.

    Parameters
    ----------
    arguments
        What Python is given; another script here makes a test worker.
    program
        The Python executable; PythonSlicer unless given.
    """

    def __init__(self, arguments: tuple[str, ...] = ("-m", "ece_core.worker"), program: str | None = None) -> None:
        self._arguments, self._program = list(arguments), program
        self._process = None
        self._started = False
        self._onLine = self._onLog = self._onEnded = None
        self._output, self._errors = b"", b""

    def start(self, onLine, onLog, onEnded) -> None:
        self._onLine, self._onLog, self._onEnded = onLine, onLog, onEnded
        self._process = qt.QProcess()
        self._process.setProcessEnvironment(self._environment())
        self._process.connect("started()", self._onStarted)
        self._process.connect("readyReadStandardOutput()", self._onOutput)
        self._process.connect("readyReadStandardError()", self._onErrorOutput)
        self._process.connect("finished(int,QProcess::ExitStatus)", self._onFinished)
        self._process.connect("errorOccurred(QProcess::ProcessError)", self._onProcessError)
        self._process.start(self._program or pythonExecutable(), self._arguments)

    def send(self, line: str) -> None:
        self._process.write((line + "\n").encode("utf-8"))

    def stop(self) -> None:
        process, self._process = self._process, None
        self._onLine = self._onLog = self._onEnded = None
        if process is None:
            return
        endProcessTree(int(process.processId()))
        process.kill()
        process.waitForFinished(1000)

    def processId(self) -> int:
        return int(self._process.processId()) if self._process else 0

    @staticmethod
    def _environment():
        environment = qt.QProcessEnvironment.systemEnvironment()
        paths = [str(coreFolder()), environment.value("PYTHONPATH", "")]
        environment.insert("PYTHONPATH", os.pathsep.join(path for path in paths if path))
        environment.insert("PYTHONUTF8", "1")  # JSON lines are UTF-8 on Windows too
        return environment

    def _onStarted(self) -> None:
        self._started = True

    def _onOutput(self) -> None:
        if self._process:
            self._output = self._deliver(self._output + bytes(self._process.readAllStandardOutput().data()), "_onLine")

    def _onErrorOutput(self) -> None:
        if self._process:
            self._errors = self._deliver(self._errors + bytes(self._process.readAllStandardError().data()), "_onLog")

    def _deliver(self, data: bytes, receiver: str) -> bytes:
        """Hand over whole lines, return the rest. The receiver may stop the process, so it is looked up each time."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            callback = getattr(self, receiver)
            if callback is not None:
                callback(line.decode("utf-8", "replace").rstrip("\r"))
        return rest

    def _onFinished(self, exitCode, exitStatus=None) -> None:
        self._onOutput()
        self._onErrorOutput()
        self._end(int(exitCode))

    def _onProcessError(self, error=None) -> None:
        if not self._started:  # a program that cannot start never sends finished()
            self._end(None)

    def _end(self, exitCode: int | None) -> None:
        callback, self._process = self._onEnded, None
        self._onLine = self._onLog = self._onEnded = None
        if callback is not None:
            callback(exitCode)


def endProcessTree(processId: int) -> None:
    """Kill a process and everything it started.

    PythonSlicer is a launcher, and QProcess.kill stops only the launcher: the children go first.
    """
    if not processId:
        return
    try:
        import psutil
    except ImportError:  # it comes with the packages of the analysis; without them there is only the launcher's own way
        if os.name == "nt":
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(processId)], check=False, capture_output=True)
        return
    try:
        root = psutil.Process(processId)
        tree = [*root.children(recursive=True), root]
    except psutil.NoSuchProcess:
        return
    for process in tree:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
