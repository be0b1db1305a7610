"""Any order of what a reader does, on real MRML: the review, the segmentation, the files and the export agree.

python_core/tests/review/test_any_order.py holds the same of the review alone. Here the strokes are the Segment
Editor's (voxels in the segment's labelmap), and loading is a saved scene or a result folder that is opened again.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import phantom_result as phantom
import pytest
import slicer
import slicer_host
from ece_core.errors import ECEError
from ece_core.export.seg_nrrd import read_seg_nrrd
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.review import Opinion, Outline, open_review, outlines_of
from ece_core.review.outline_tools import parts_of
from ece_core.review.reviewed_result import ACCEPTED, NOT_REJECTED, reviewed_result
from ece_core.scene import SceneReview, load_result, results_in_scene
from ece_core.scene.outlines import outlines_in
from ece_core.scene.surfaces import has_surface
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

EXAMPLES, STEPS = 14, 22  # a fixed budget: some 20 s on an idle machine
CT = phantom.a_ct(phantom.DIRECTIONS["plain"])
SLICERS_WORDS = {"accepted": "completed", "rejected": "completed", "flagged": "flagged"}
corners = st.tuples(*(st.integers(0, size - 1) for size in phantom.SHAPE))
sizes = st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))


@st.composite
def boxes(draw) -> tuple[slice, ...]:
    """Near a lymph node or anywhere, up to 4 x 9 x 9 voxels; cut off at the border of the scan."""
    start = draw(st.one_of(corners, st.sampled_from([box[0] for box in phantom.BOXES.values()])))
    size = draw(sizes)
    return tuple(slice(a, min(a + b, c)) for a, b, c in zip(start, size, phantom.SHAPE, strict=True))


def outline_of(box: tuple[slice, ...]) -> Outline:
    return Outline(tuple(side.start for side in box), np.ones([side.stop - side.start for side in box], bool))


class SceneMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.folder = self.base / "result"
        phantom.write_folder(self.folder, CT, methods=())
        self.untouched = self.ai_files()
        self.past, self.future = [], []  # the model: states as they were, kept beside the review's own list
        self.kept = None  # what was saved last, and where
        slicer_host.start()
        self.open_folder()

    def teardown(self) -> None:
        if hasattr(self, "base"):
            shutil.rmtree(self.base)
            slicer.mrmlScene.Clear(True)
            shutil.rmtree(slicer.app.temporaryPath, ignore_errors=True)

    # How a session begins

    def open_folder(self) -> None:
        self.volumeNode = phantom.add_ct_node(CT)
        self.session = SceneReview(load_result(self.folder, self.volumeNode), self.folder, self.volumeNode)
        self.session.show()

    def open_scene(self, file: Path, with_folder: bool) -> None:
        slicer.util.loadScene(str(file))
        (nodes,) = results_in_scene()
        self.volumeNode = slicer.util.getNode("CT")
        self.session = SceneReview(nodes, self.folder if with_folder else None, self.volumeNode)
        self.session.show()

    # What is looked at

    @property
    def review(self):
        return self.session.review

    @property
    def segmentation(self):
        return self.session.nodes.segmentationNode.GetSegmentation()

    def ai_files(self) -> dict[str, str]:
        """What the analysis wrote; a review only adds review.json."""
        return {
            file.name: hashlib.sha256(file.read_bytes()).hexdigest()
            for file in self.folder.rglob("*") if file.is_file() and file.name != "review.json"
        }

    def any_id(self, data) -> str:
        return data.draw(st.sampled_from(self.review.state.ids))

    @property
    def has_rows(self) -> bool:
        return bool(self.review.state.ids)

    def attempt(self, action) -> None:
        """An action happens as a whole, or it raises in words and changes nothing; then the scene is made to say it."""
        before = self.review.state
        try:
            action()
        except ECEError as error:
            assert error.problem and error.fix
            assert self.review.state is before
        else:
            self.remember(before)
        self.session.show()

    def remember(self, before) -> None:
        if self.review.state != before:
            self.past.append(before)
            self.future = []

    # The reader

    @precondition(lambda self: self.has_rows)
    @rule(data=st.data(), status=st.sampled_from(("new", "accepted", "rejected", "flagged")))
    def judge(self, data, status) -> None:
        name = self.any_id(data)
        self.attempt(lambda: self.review.set_status(name, status))

    @precondition(lambda self: self.has_rows)
    @rule(data=st.data(), visible=st.booleans())
    def hide_or_show(self, data, visible) -> None:
        name = self.any_id(data)
        self.attempt(lambda: self.review.set_visible(name, visible))

    @precondition(lambda self: self.has_rows)
    @rule(data=st.data(), box=boxes(), on=st.booleans())
    def stroke(self, data, box, on) -> None:
        """The Segment Editor writes a labelmap for one segment, and overwrites no other."""
        name = self.any_id(data)
        node = self.session.nodes.segmentationNode
        array = slicer.util.arrayFromSegmentBinaryLabelmap(node, name, self.volumeNode).astype(np.uint8)
        array[box] = on
        slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, name, self.volumeNode)
        self.take(name, emptied=not array.any())

    @precondition(lambda self: self.has_rows)
    @rule(data=st.data())
    def segment_is_removed_by_hand(self, data) -> None:
        """In Slicer's Segment Editor; only the review deletes lymph nodes."""
        name = self.any_id(data)
        self.segmentation.RemoveSegment(name)
        self.take(name, emptied=True)

    def take(self, name: str, emptied: bool) -> None:
        before = self.review.state
        try:
            changed = self.session.take_edits()
        except ECEError as error:
            assert name in error.problem and error.fix
            assert self.review.state is before
            return
        assert not emptied and set(changed) <= {name}
        # A stroke that lay wholly in neighbors is an edit that changes nothing.
        assert bool(changed) >= (self.review.state != before)
        self.remember(before)
        self.session.show()

    @rule(box=boxes(), source=st.sampled_from(("MANUAL", "SEMIAUTOMATIC")))
    def add(self, box, source) -> None:
        self.attempt(lambda: self.review.add(outline_of(box), source))

    @precondition(lambda self: len(self.review.state.ids) > 1)
    @rule(data=st.data())
    def merge(self, data) -> None:
        ids = data.draw(st.lists(st.sampled_from(self.review.state.ids), min_size=2, max_size=3, unique=True))
        self.attempt(lambda: self.review.merge(ids))

    @precondition(lambda self: self.has_rows)
    @rule(data=st.data())
    def split(self, data) -> None:
        row = self.review.state.get(self.any_id(data))
        self.attempt(lambda: self.review.split(row.id, parts_of(row.outline, self.session.affine)))

    @precondition(lambda self: self.has_rows)
    @rule(data=st.data())
    def delete(self, data) -> None:
        name = self.any_id(data)
        self.attempt(lambda: self.review.delete(name))

    @precondition(lambda self: self.has_rows)
    @rule(data=st.data(), probability=st.floats(0, 1))
    def reclassify(self, data, probability) -> None:
        row = self.review.state.get(self.any_id(data))
        said = {"N": 0.0, "P": 1 - probability, "ENE": probability}
        answer = LymphNode(row.id, row.label, "P", said, probability,
                           **{key: value for key, value in self.review.measure(row.outline).items() if key != "flags"})
        self.attempt(lambda: self.review.reclassify(row.id, row.outline, answer))
        assert not self.review.state.get(row.id).out_of_date

    @rule(verdict=st.sampled_from(("ene", "no ene", "not evaluable")))
    def call(self, verdict) -> None:
        self.attempt(lambda: self.review.set_final_call(Opinion(verdict, "75")))

    @rule()
    def undo(self) -> None:
        before = self.review.state
        assert self.review.undo() == bool(self.past)
        if self.past:
            self.future.append(before)
            assert self.review.state == self.past.pop()
        self.session.show()

    @rule()
    def redo(self) -> None:
        before = self.review.state
        assert self.review.redo() == bool(self.future)
        if self.future:
            self.past.append(before)
            assert self.review.state == self.future.pop()
        self.session.show()

    # Saving and loading

    @rule(how=st.sampled_from(("folder", "scene", "scene without its folder")))
    def save_and_load(self, how) -> None:
        """The application is closed and opened again: nothing but the list of undo is lost."""
        self.session.save()
        state, history = self.review.state, self.review.history
        file = self.base / "scene.mrb"
        assert how == "folder" or slicer.util.saveScene(str(file))
        slicer.mrmlScene.Clear(False)
        self.open_folder() if how == "folder" else self.open_scene(file, with_folder=how == "scene")
        assert self.review.state == state and self.review.history == history
        self.past, self.future = [], []
        self.session.file or self.use_folder()

    def use_folder(self) -> None:
        """Back on the machine that has the folder; the scene has what both know."""
        self.session = SceneReview(self.session.nodes, self.folder, self.volumeNode)
        self.session.show()

    @rule()
    def crash(self) -> None:
        """The application dies after a save; what was done since is lost, and the folder is whole."""
        self.session.save()
        kept = self.review.state
        if self.has_rows:
            self.review.set_comment(self.review.state.ids[0], "lost")
        slicer.mrmlScene.Clear(False)
        self.open_folder()
        assert self.review.state == kept
        self.past, self.future = [], []

    # What always holds

    @invariant()
    def the_segmentation_says_what_the_review_says(self) -> None:
        if not hasattr(self, "session"):
            return
        state, node = self.review.state, self.session.nodes.segmentationNode
        assert outlines_in(node, CT.shape, CT.affine) == {row.id: row.outline for row in state.lymph_nodes}
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        for row in state.lymph_nodes:
            segment = self.segmentation.GetSegment(row.id)
            status = logic.GetSegmentStatusAsMachineReadableString(logic.GetSegmentStatus(segment))
            expected = SLICERS_WORDS.get(row.status, "inprogress" if row.out_of_date else "notstarted")
            assert status == expected
            assert node.GetDisplayNode().GetSegmentVisibility(row.id) == row.visible
            assert segment.GetName().startswith(row.id) and has_surface(segment)
            assert tag(segment, "DICOM.SegmentAlgorithmType") == row.lymph_node.source

    @invariant()
    def rows_say_what_is_outlined(self) -> None:
        if not hasattr(self, "session"):
            return
        voxel_mm3 = float(np.prod(CT.spacing_mm))
        for row in self.review.state.lymph_nodes:
            assert row.lymph_node.volume_mm3 == pytest.approx(row.outline.voxels * voxel_mm3)
            assert not (row.out_of_date and row.lymph_node.ece_probability is not None)

    @invariant()
    def what_is_exported_is_what_was_chosen(self) -> None:
        if not hasattr(self, "session"):
            return
        state = self.review.state
        for choice in (ACCEPTED, NOT_REJECTED):
            found = reviewed_result(self.session.nodes.result, state, CT.affine, choice)
            chosen = [row for row in state.lymph_nodes
                      if row.status == "accepted" or (choice == NOT_REJECTED and row.status != "rejected")]
            assert [row.id for row in found.result.lymph_nodes] == [row.id for row in chosen]
            assert outlines_of(found.instances) == {row.label: row.outline for row in chosen}
            assert found.result.patient == self.session.nodes.result.patient, "the AI's value stays the AI's"

    @invariant()
    def what_the_ai_wrote_is_not_touched(self) -> None:
        if hasattr(self, "session"):
            assert self.ai_files() == self.untouched

    @precondition(lambda self: hasattr(self, "session"))
    @rule()
    def the_saved_review_reads_back(self) -> None:
        self.session.save()
        read = open_review(self.folder).review
        assert read.state == self.review.state
        ai = outlines_of(read_seg_nrrd(self.folder / "lymph_nodes.seg.nrrd")[0])
        untouched = [row for row in read.state.lymph_nodes if row.lymph_node.source == "AUTOMATIC"]
        assert all(ai[row.label] == row.outline for row in untouched)


def tag(segment, name: str) -> str:
    import vtk

    value = vtk.reference("")
    segment.GetTag(name, value)
    return str(value)


# Without shrinking: each example draws in a scene, and making one smaller took minutes.
SceneMachine.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None,
                                          phases=(Phase.explicit, Phase.generate))
TestAnyOrderInTheScene = pytest.mark.slow(SceneMachine.TestCase)
