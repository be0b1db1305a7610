"""What each action does to a review, and what it refuses."""

from dataclasses import replace

import a_review as drawn
import numpy as np
import pytest
from ece_core.errors import EmptyMaskError, InputError
from ece_core.review import OUT_OF_DATE, Opinion, Outline
from ece_core.review.session import new_review
from ece_core.review.slicer_status import slicer_status, status_from_slicer


def test_status_is_signed_and_logged(review):
    review.set_status("LN2", "flagged")
    row = review.state.get("LN2")
    assert (row.status, row.reviewer, row.reviewed_at) == ("flagged", "Reader A", "2026-03-01T09:00:01.000+00:00")
    (event,) = review.history
    assert (event.action, event.lymph_nodes, event.words) == ("status", ("LN2",), "new to flagged")


def test_a_rejected_lymph_node_is_hidden_until_it_is_not_rejected_any_more(review):
    review.set_status("LN1", "rejected")
    assert not review.state.get("LN1").visible
    review.set_status("LN1", "accepted")
    assert review.state.get("LN1").visible
    review.set_visible("LN1", False)
    review.set_status("LN1", "flagged")
    assert not review.state.get("LN1").visible, "hidden by hand stays hidden"


def test_an_edit_takes_the_probability_out_of_date_and_keeps_it_in_view(review):
    review.edit("LN2", drawn.a_block((5, 8, 8), (4, 4, 3)))
    row = review.state.get("LN2")
    assert row.lymph_node.volume_mm3 == 4 * 4 * 3 * drawn.VOXEL_MM3
    assert row.lymph_node.ece_probability is None and row.former_ece_probability == 0.87 and row.out_of_date
    assert row.lymph_node.class_set is None and row.lymph_node.contour_quality is None
    assert row.lymph_node.source == "SEMIAUTOMATIC"
    assert (row.lymph_node.side, row.lymph_node.level) == ("right", "III"), "where the landmarks do not say, as before"
    assert row.for_export().flags == (OUT_OF_DATE,)
    review.edit("LN2", drawn.a_block((5, 8, 8), (4, 4, 2)))
    assert review.state.get("LN2").former_ece_probability == 0.87, "a second edit does not lose it"


def test_reclassifying_takes_the_answer_but_not_its_name_source_and_status(review):
    review.set_status("LN2", "accepted")
    review.edit("LN2", drawn.a_block((5, 8, 8)))
    review.reclassify("LN2", review.state.get("LN2").outline, drawn.answer(1, 0.31))
    row = review.state.get("LN2")
    assert (row.id, row.label, row.status, row.lymph_node.source) == ("LN2", 2, "accepted", "SEMIAUTOMATIC")
    assert (row.lymph_node.ece_probability, row.former_ece_probability, row.out_of_date) == (0.31, 0.87, False)
    assert row.for_export().flags == ()
    assert review.history[-1].words == "ECE probability 0.87 to 0.31"


def test_an_answer_about_an_earlier_outline_is_not_used(review):
    asked = review.state.get("LN2").outline
    review.edit("LN2", drawn.a_block((5, 8, 8)))
    with pytest.raises(InputError, match="LN2 was changed while it was classified.*Re-classify it again"):
        review.reclassify("LN2", asked, drawn.answer(2, 0.3))
    assert review.state.get("LN2").out_of_date


def test_an_edit_takes_no_voxel_of_another_lymph_node(review):
    review.edit("LN1", drawn.a_block((2, 2, 2), (7, 10, 10)))
    # 7 x 10 x 10 voxels, of which all 64 of LN2's box that lie in slices 5 to 8 are LN2's.
    assert review.state.get("LN1").outline.voxels == 700 - 64
    assert review.state.get("LN2").outline.voxels == 64


def test_an_emptied_outline_is_refused_and_nothing_changes(review):
    before = review.state
    with pytest.raises(EmptyMaskError, match="all of it belongs to other lymph nodes"):
        review.edit("LN1", drawn.a_block((5, 8, 8)))
    assert review.state is before and review.history == [] and review.undo_words == ""


def test_an_added_lymph_node_is_not_judged_yet(review):
    name = review.add(drawn.a_block((0, 12, 0)), "SEMIAUTOMATIC")
    row = review.state.get(name)
    assert (name, row.label, row.lymph_node.class_name, row.lymph_node.source) == (
        "LN4",
        4,
        "lymph_node",
        "SEMIAUTOMATIC",
    )
    assert row.out_of_date and row.lymph_node.ece_probability is None
    with pytest.raises(ValueError, match="source must be one of"):
        review.add(drawn.a_block((0, 0, 12)), "by hand")


def test_merging_keeps_the_lowest_name_and_the_highest_probability_in_view(review):
    review.set_comment("LN2", "matted")
    assert review.merge(["LN3", "LN2"]) == "LN2"
    row = review.state.get("LN2")
    assert review.state.ids == ("LN1", "LN2")
    assert row.outline.voxels == 64 + 12 and row.former_ece_probability == 0.87 and row.comment == "matted"
    with pytest.raises(InputError, match="needs two lymph nodes or more.*Ctrl or Shift"):
        review.merge(["LN1", "LN1"])


def test_the_largest_part_of_a_split_keeps_the_name(review):
    small, large = drawn.a_block((5, 8, 8), (1, 4, 4)), drawn.a_block((6, 8, 8), (3, 4, 4))
    assert review.split("LN2", [small, large]) == ("LN2", "LN4")
    assert review.state.get("LN2").outline == large and review.state.get("LN4").outline == small
    assert review.state.get("LN4").former_ece_probability == 0.87


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([drawn.a_block((5, 8, 8), (4, 4, 4))], id="one part"),
        pytest.param(
            [drawn.a_block((5, 8, 8), (1, 4, 4)), drawn.a_block((7, 8, 8), (2, 4, 4))], id="a slice is missing"
        ),
        pytest.param([drawn.a_block((5, 8, 8), (2, 4, 4)), drawn.a_block((6, 8, 8), (3, 4, 4))], id="they overlap"),
    ],
)
def test_parts_that_are_not_the_whole_are_refused(review, parts):
    with pytest.raises(InputError, match="parts do not make up the lymph node LN2"):
        review.split("LN2", parts)


def test_a_deleted_lymph_node_comes_back_with_all_that_was_said_of_it(review):
    review.set_comment("LN3", "vessel")
    review.delete("LN3")
    assert "LN3" not in review.state.ids
    with pytest.raises(InputError, match="LN3 is not in the review.*Undo its deletion"):
        review.set_status("LN3", "accepted")
    assert review.undo_words == "delete LN3"
    assert review.undo() and review.state.get("LN3").comment == "vessel"
    assert review.redo_words == "delete LN3"


def test_what_changes_nothing_is_no_action(review):
    review.set_status("LN1", "new")
    review.set_comment("LN1", "  ")
    review.set_visible("LN1", True)
    review.edit("LN1", review.state.get("LN1").outline)
    review.set_final_call(None)
    assert review.history == [] and not review.undo()


def test_a_new_action_drops_what_could_be_redone_and_the_log_keeps_everything(review):
    review.set_status("LN1", "accepted")
    review.undo()
    review.set_status("LN2", "rejected")
    assert not review.redo()
    assert [event.action for event in review.history] == ["status", "undo", "status"]
    assert review.history[1].words == "status: new to accepted"


def test_without_the_scan_outlines_cannot_be_changed_but_all_else_can():
    review = new_review(drawn.a_result(), drawn.instances())
    review.set_status("LN1", "accepted")
    review.delete("LN3")
    with pytest.raises(InputError, match="cannot be changed without the scan.*Load the scan"):
        review.edit("LN1", drawn.a_block((2, 2, 2)))


def test_a_result_whose_segmentation_lacks_a_lymph_node_is_refused():
    array = drawn.instances().array.copy()
    array[array == 3] = 0
    with pytest.raises(InputError, match="holds no voxel of LN3"):
        new_review(drawn.a_result(), drawn.instances().with_array(array))


# The patient


def test_the_final_call_stands_apart_and_can_be_taken_back(review):
    review.set_final_call(Opinion("ene", ">90"))
    assert review.state.final_call == Opinion("ene", ">90", "", "Reader A", "2026-03-01T09:00:01.000+00:00")
    review.set_final_call(Opinion("ene", ">90"))
    assert len(review.history) == 1, "the same again is no change"
    review.set_final_call(Opinion("no ene"))
    assert review.history[-1].words == "ENE (also ECE), more than 90 % sure to no ENE (also ECE)"
    review.undo()
    assert review.state.final_call.verdict == "ene"


@pytest.mark.parametrize(("verdict", "certainty"), [("maybe", ""), ("ene", "80")])
def test_an_opinion_has_known_words(verdict, certainty):
    with pytest.raises(ValueError, match="must be one of"):
        Opinion(verdict, certainty)


def test_read_first_hides_until_the_first_opinion_which_is_final(review):
    review.start_read_first()
    assert review.state.hidden
    with pytest.raises(InputError, match="hidden until you have given your first opinion"):
        review.set_status("LN1", "accepted")
    review.give_first_opinion(Opinion("no ene", "75"))
    assert not review.state.hidden
    assert [event.action for event in review.history] == ["read first", "first opinion", "reveal"]
    times = [event.time for event in review.history]
    assert times == sorted(set(times)), "each with its time"
    assert not review.undo(), "a first opinion is not taken back"
    with pytest.raises(InputError, match="no first opinion.*final call"):
        review.give_first_opinion(Opinion("ene"))
    review.set_final_call(Opinion("ene"))
    assert review.state.first_opinion.verdict == "no ene"


def test_read_first_comes_first(review):
    review.set_status("LN1", "accepted")
    with pytest.raises(InputError, match="This review has begun.*nobody has reviewed yet"):
        review.start_read_first()


# Slicer's words


def test_slicers_status_and_back(review):
    row = review.state.get("LN1")
    edited = replace(row, out_of_date=True)
    rejected = replace(row, lymph_node=replace(row.lymph_node, status="rejected"))
    assert [slicer_status(one) for one in (row, edited, rejected)] == ["notstarted", "inprogress", "completed"]
    assert status_from_slicer("completed", rejected) == "rejected", "untouched in Slicer's table"
    assert status_from_slicer("completed", row) == "accepted"
    assert status_from_slicer("flagged", rejected) == "flagged"
    assert status_from_slicer("notstarted", rejected) == "new"


def test_measures_of_an_outline_are_those_of_the_analysis():
    from ece_core.lymph_nodes.measures import measure
    from ece_core.review.outline_measures import OutlineMeasures

    ct, instances = drawn.ct(), drawn.instances()
    for label in drawn.BOXES:
        ours = OutlineMeasures(ct)(Outline.from_mask(instances.array == label))
        expected = measure(ct, instances, label)
        np.testing.assert_allclose(ours.pop("centroid_lps_mm"), expected.pop("centroid_lps_mm"))
        assert ours.pop("side") in ("left", "right", "midline") and ours.pop("level") is None
        assert ours == expected


def test_an_outline_at_the_border_of_the_scan_says_so_and_one_beside_it_does_not():
    from ece_core.lymph_nodes.measures import TOUCHES_BORDER
    from ece_core.review.outline_measures import OutlineMeasures

    measures = OutlineMeasures(drawn.ct())
    assert TOUCHES_BORDER in measures(drawn.a_block((0, 4, 4)))["flags"]
    assert TOUCHES_BORDER in measures(drawn.a_block((10, 4, 4)))["flags"]
    assert TOUCHES_BORDER not in measures(drawn.a_block((1, 1, 1)))["flags"]
    with pytest.raises(ValueError, match="leaves the grid"):
        measures(drawn.a_block((11, 4, 4)))
