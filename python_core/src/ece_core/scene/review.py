"""The review of a result in the scene: what the panel shows, kept with the scene and in the result folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ece_core import RESEARCH_USE_ONLY
from ece_core.errors import ECEError, EmptyMaskError, GeometryError
from ece_core.export.result_folder import algorithm_name
from ece_core.geometry import Volume
from ece_core.review import Review, ReviewFile, ReviewState, start_or_resume, to_text
from ece_core.review.outline import Outline
from ece_core.scene.ct_of_node import ct_of_node
from ece_core.scene.outlines import outlines_in
from ece_core.scene.record import find_record
from ece_core.scene.result_nodes import ResultNodes
from ece_core.scene.shown import Shown, show_state

if TYPE_CHECKING:
    import slicer

REVIEW = "ECE.Review"  # role: the record refers to a text node that holds the review


class SceneReview:
    """One result's review, tied to its nodes. The scene's own copy goes before that of the folder: it is the work that
    was under way when the scene was saved.

    Parameters
    ----------
    nodes
        As :func:`ece_core.scene.load_result` gives them.
    folder
        The result folder; empty or gone: the review is kept in the scene alone.
    volumeNode
        The scan; None: outlines cannot be changed.

    Raises
    ------
    InputError
        The saved review is damaged, of a newer schema, or about another result.
    """

    def __init__(
        self, nodes: ResultNodes, folder: Path | str | None = None, volumeNode: slicer.vtkMRMLVolumeNode | None = None
    ) -> None:
        self.nodes = nodes
        self.affine = np.array(nodes.result.input["affine_lps"], float)
        self.shape_kji = tuple(nodes.result.input["shape_kji"])
        self.file = ReviewFile(folder) if folder and Path(folder).is_dir() else None
        self._record: Any = find_record(nodes.result, None)  # there is one: nodes are made with it
        drawn = self._drawn()
        labels = {row.id: row.label for row in nodes.result.lymph_nodes}
        self._found = {labels[name]: outline for name, outline in drawn.items() if outline and name in labels}
        in_folder = self.file.read() if self.file else None
        textNode = self._textNode()
        text = textNode.GetText() if textNode is not None else in_folder
        self.review: Review = start_or_resume(text, nodes.result, self._ai_outlines(), self.shape_kji)
        self._shown = Shown.of(nodes.segmentationNode, drawn)
        self.set_volume(volumeNode)

    @property
    def state(self) -> ReviewState:
        return self.review.state

    def ct(self, volumeNode: slicer.vtkMRMLVolumeNode | None) -> Volume | None:
        """The scan on the grid of the result; None: it is not there, or another one."""
        if volumeNode is None or volumeNode.GetImageData() is None:
            return None
        try:
            return ct_of_node(volumeNode, self.shape_kji, self.affine)
        except GeometryError:
            return None

    def set_volume(self, volumeNode: slicer.vtkMRMLVolumeNode | None) -> None:
        """Measure on this scan from now on."""
        from ece_core.review.outline_measures import OutlineMeasures

        ct = self.ct(volumeNode)
        self.review.measure = None if ct is None else OutlineMeasures(ct)

    def take_result(self, nodes: ResultNodes) -> None:
        """The same result with a heatmap more."""
        self.nodes = nodes

    def show(self) -> None:
        """Make the segmentation say what the review says."""
        self._shown = show_state(
            self.nodes.segmentationNode, self.state, self.affine, self._shown, algorithm_name(self.nodes.result)
        )

    def take_edits(self) -> list[str]:
        """Take what the user painted or removed in the segmentation into the review; the ids that changed.

        Raises
        ------
        ECEError
            An outline was emptied, or cannot be measured; the segmentation shows the review's outline again.
        """
        drawn, changed = self._drawn(), []
        self._shown = replace(self._shown, outlines=drawn)
        for row in self.state.lymph_nodes:
            outline = drawn.get(row.id)
            if outline == row.outline:
                continue
            try:
                if outline is None:
                    raise EmptyMaskError(
                        f"The outline of {row.id} was emptied; it was put back.",
                        "Delete the lymph node if it is not there.",
                    )
                self.review.edit(row.id, outline)
            except ECEError:
                self.show()  # what is drawn is not what the review says
                raise
            changed.append(row.id)
        return changed

    def save(self) -> None:
        """Into the scene, and into the result folder where it is still there.

        Raises
        ------
        ECEError
            The folder cannot be written to; the scene has it.
        """
        self._keep_in_scene()
        if self.file is not None and self.file.folder.is_dir():
            self.file.write(to_text(self.review, self.nodes.result, self._found))

    def _drawn(self) -> dict[str, Outline | None]:
        return outlines_in(self.nodes.segmentationNode, self.shape_kji, self.affine)

    def _ai_outlines(self) -> dict[int, Outline]:
        """The AI's outlines: from the folder where there is one, for the segmentation may have been edited since."""
        from ece_core.export.seg_nrrd import read_seg_nrrd
        from ece_core.review.outline import outlines_of

        if self.file is not None:
            try:
                self._found = outlines_of(read_seg_nrrd(self.file.folder / "lymph_nodes.seg.nrrd")[0])
            except ECEError:
                self.file = None  # another folder lies there now: the scene has all that is needed
        return self._found

    def _textNode(self) -> slicer.vtkMRMLTextNode | None:
        return self._record.GetNodeReference(REVIEW)

    def _keep_in_scene(self) -> None:
        import slicer

        textNode = self._textNode()
        if textNode is None:
            textNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", "ECE review")
            textNode.SetDescription(f"What the reader did. {RESEARCH_USE_ONLY}")
            self._record.SetNodeReferenceID(REVIEW, textNode.GetID())
        textNode.SetText(to_text(self.review, self.nodes.result, {}))  # with all outlines: the folder may be gone
