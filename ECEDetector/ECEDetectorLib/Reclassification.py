"""Re-classify: edited lymph nodes go to the worker one after the other, the classifier only."""

from collections.abc import Callable
from pathlib import Path


class Reclassification:
    """A queue in front of the panel's run.

    Parameters
    ----------
    run
        LymphNodeSegLib's AnalysisRun; its Cancel ends the queue, too.
    onAnswer
        Gets the id, the outline that was classified, and the classifier's LymphNode.
    """

    def __init__(self, run, onAnswer: Callable[[str, object, object], None]) -> None:
        self._run, self._onAnswer = run, onAnswer
        self._waiting: list = []

    def start(self, sceneReview, rows: list, volumeNode, options: dict) -> None:
        """Classify these rows as they are outlined now."""
        self._review, self._volumeNode, self._options = sceneReview, volumeNode, options
        self._waiting = list(rows)
        self._next()

    def _next(self) -> None:
        if not self._waiting:
            return
        row = self._waiting.pop(0)
        fields = {"label": row.label, "options": self._options}
        self._run.start(
            "classify", self._volumeNode, fields,
            lambda event, volumeNode: self._onFinished(row, event),
            lambda folder: {"mask": str(writeMask(self._review, row, folder / "mask.nrrd"))},
        )

    def _onFinished(self, row, event: dict) -> None:
        from ece_core.lymph_nodes.lymph_node import LymphNode

        self._onAnswer(row.id, row.outline, LymphNode.from_json(event["lymph_node"]))
        self._next()


def writeMask(sceneReview, row, path: Path) -> Path:
    """One lymph node on the grid of the result, under its own label."""
    import numpy as np
    from ece_core.export.nrrd import write_nrrd
    from ece_core.geometry import Volume

    mask = np.zeros(sceneReview.shape_kji, np.uint16)
    row.outline.paint(mask, row.label)
    write_nrrd(Volume(mask, sceneReview.affine), path)
    return path
