"""One run of the worker, from the volume in the scene to the result folder; and all the ways it can end early."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from .CorePackage import problemAndFix
from .Precheck import stampOf
from .VolumeHandover import VolumeHandover
from .WorkerClient import WorkerClient

IDLE, RUNNING, CANCELLING = "idle", "running", "cancelling"


class AnalysisRun:
    """State of the run that the panel shows. ``onChanged`` is called after each change.

    Parameters
    ----------
    client
        The worker; shared with the other module.
    onChanged
        Draw the state.
    onLog
        Gets each line of the worker's log.
    """

    def __init__(
        self,
        client: WorkerClient,
        onChanged: Callable[[], None],
        onLog: Callable[[str], None],
    ) -> None:
        self.client = client
        self._onChanged, self._onLogLine = onChanged, onLog
        self._onFinished: Callable[[dict, object], None] | None = None
        self.state = IDLE
        self.stage, self.fraction, self.remaining = "", 0.0, None
        self.problem, self.fix, self.note = "", "", ""
        self._startedAt = self._remainingAt = 0.0
        self._handover: VolumeHandover | None = None
        self._inputId = None
        self._inputStamp: tuple = ()
        self._out = ""
        self._observed = None
        self._observers: list[int] = []

    @property
    def isActive(self) -> bool:
        return self.state != IDLE

    @property
    def elapsed(self) -> float:
        """Seconds since Analyze, counted here, so that it moves while the worker is silent."""
        return time.monotonic() - self._startedAt

    @property
    def remainingNow(self) -> float | None:
        """Seconds left as the worker last said, less the time since; None: not known."""
        if self.remaining is None:
            return None
        return max(0.0, self.remaining - (time.monotonic() - self._remainingAt))

    def start(
        self,
        request: str,
        volumeNode,
        fields: dict,
        onFinished: Callable[[dict, object], None],
        prepare: Callable[[Path], dict] = lambda folder: {},
    ) -> None:
        """Hand the volume over and send the request.

        Parameters
        ----------
        fields
            Of the request, without ``ct``; ``out`` is what a cancelled run must not leave behind.
        onFinished
            Gets the worker's answer and the input volume.
        prepare
            Writes what else the worker needs into the folder of the handed-over scan, and says it as fields.
        """
        self.problem = self.fix = self.note = ""
        self.stage, self.fraction, self.remaining = _("Handing over the scan"), 0.0, None
        self._startedAt = time.monotonic()
        self._out, self._onFinished = fields.get("out", ""), onFinished
        try:
            self._handover = VolumeHandover(volumeNode)
            self._inputId, self._inputStamp = volumeNode.GetID(), stampOf(volumeNode)
            more = prepare(self._handover.folder)
            self._observeScene()
            self.state = RUNNING
            self.client.submit(request, {"ct": str(self._handover.path), **fields, **more}, self)
        except Exception as error:
            self._end()
            self.showProblem(*problemAndFix(error))
            return
        self._onChanged()

    def cancel(self) -> None:
        if self.state == RUNNING:
            self.state = CANCELLING
            self.client.cancel()
            self._onChanged()

    def abort(self, note: str) -> None:
        """End at once, because what the run was about has gone."""
        if self.isActive:
            self.client.stop()
            self.note = note
            self._onChanged()

    def showProblem(self, problem: str, fix: str) -> None:
        self.problem, self.fix = problem, fix
        self._onChanged()

    # What the worker says (JobListener)

    def onProgress(self, stage: str, fraction: float, remaining: float | None) -> None:
        self.stage, self.fraction = stage, min(max(float(fraction), 0.0), 1.0)
        self.remaining, self._remainingAt = remaining, time.monotonic()
        self._onChanged()

    def onLog(self, line: str) -> None:
        self._onLogLine(line)

    def onResult(self, event: dict) -> None:
        volumeNode = slicer.mrmlScene.GetNodeByID(self._inputId)
        changed = stampOf(volumeNode) != self._inputStamp
        self._end()
        try:
            self._onFinished(event, volumeNode)
        except Exception as error:
            self.showProblem(*problemAndFix(error))
            return
        if changed:
            self.problem = _("The volume was changed while it was analyzed.")
            self.fix = _("The result is of the volume as it was. Analyze it again if it is to be of the present one.")
        self._onChanged()

    def onError(self, problem: str, fix: str, failures: Sequence[dict] = ()) -> None:
        self._end()
        self.showProblem(problem, fix)

    def onCancelled(self) -> None:
        self._end()
        if self._out:
            removeLeftovers(self._out)  # a worker that had to be killed could not tidy up
        self.note = _("Cancelled. Nothing was written.")
        self._onChanged()

    def _end(self) -> None:
        self.state = IDLE
        for tag in self._observers:
            self._observed.RemoveObserver(tag)
        self._observers, self._observed, self._inputId = [], None, None
        if self._handover is not None:
            self._handover.remove()
            self._handover = None

    def _observeScene(self) -> None:
        self._observed = slicer.mrmlScene
        self._observers = [
            self._observed.AddObserver(slicer.vtkMRMLScene.StartCloseEvent, self._onSceneClosing),
            self._observed.AddObserver(slicer.vtkMRMLScene.NodeRemovedEvent, self._onNodeRemoved),
        ]

    def _onSceneClosing(self, caller=None, event=None) -> None:
        self.abort(_("The scene was closed, so the run was ended."))

    def _onNodeRemoved(self, caller=None, event=None) -> None:
        if self.isActive and slicer.mrmlScene.GetNodeByID(self._inputId) is None:
            self.abort(_("The volume was removed, so the run was ended."))


def removeLeftovers(out: str) -> None:
    """The half-written folder of a worker that was killed."""
    try:
        from ece_core.export.result_folder import remove_leftovers
    except ImportError:  # without the packages of the analysis nothing has run
        return
    remove_leftovers(Path(out))
