"""What both Slicer modules need: the worker process, its client, a run, the panel around a run."""

from .AnalysisPanel import AnalysisPanel
from .AnalysisParameters import AnalysisParameters
from .AnalysisRun import AnalysisRun
from .CorePackage import coreFolder, ensureCore
from .Dependencies import Dependencies
from .LymphNodeSegPanel import LymphNodeSegPanel
from .WorkerClient import WorkerClient
from .WorkerProcess import QtWorkerProcess, WorkerProcess

__all__ = [
    "AnalysisPanel",
    "AnalysisParameters",
    "AnalysisRun",
    "Dependencies",
    "LymphNodeSegPanel",
    "QtWorkerProcess",
    "WorkerClient",
    "WorkerProcess",
    "coreFolder",
    "ensureCore",
]
