"""Filters, sorting by number, next and previous suspicious."""

import a_review as drawn
import pytest
from ece_core.review import Filter, is_suspicious, listed, suspicious_beside


def ids(rows) -> list[str]:
    return [row.id for row in rows]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param(Filter(), ["LN2", "LN1", "LN3"], id="all"),
        pytest.param(Filter("RIGHT"), ["LN2", "LN3"], id="side"),
        pytest.param(Filter("right iii"), ["LN2"], id="every word"),
        pytest.param(Filter("matted"), ["LN1"], id="comment"),
        pytest.param(Filter("not judged"), ["LN3"], id="class in words"),
        pytest.param(Filter(statuses=frozenset({"flagged"})), ["LN1"], id="status"),
        pytest.param(Filter(least=0.5), ["LN2", "LN3"], id="a missing probability is never filtered away"),
        pytest.param(Filter(most=0.5), ["LN1", "LN3"], id="at most"),
        pytest.param(Filter(least=0.87, most=0.87), ["LN2", "LN3"], id="bounds belong to the range"),
    ],
)
def test_filters(review, wanted, expected):
    review.set_comment("LN1", "Matted with its neighbor")
    review.set_status("LN1", "flagged")
    assert ids(listed(review.state.lymph_nodes, wanted)) == expected


@pytest.mark.parametrize(
    ("column", "descending", "expected"),
    [
        ("short_axis", True, ["LN2", "LN1", "LN3"]),  # as text 9.5 would come before 21.4
        ("short_axis", False, ["LN3", "LN1", "LN2"]),
        ("probability", False, ["LN1", "LN2", "LN3"]),  # what was not computed stays last
        ("volume", True, ["LN2", "LN1", "LN3"]),
        ("place", False, ["LN1", "LN3", "LN2"]),
        ("class", True, ["LN3", "LN2", "LN1"]),
        ("contour", True, ["LN2", "LN1", "LN3"]),
        ("status", False, ["LN3", "LN1", "LN2"]),
        ("comment", False, ["LN2", "LN1", "LN3"]),
        ("visible", True, ["LN1", "LN3", "LN2"]),
        ("id", True, ["LN3", "LN2", "LN1"]),
    ],
)
def test_sorting_is_by_value(review, column, descending, expected):
    review.set_status("LN3", "flagged")
    review.set_comment("LN2", "b")
    review.set_visible("LN2", False)
    assert ids(listed(review.state.lymph_nodes, None, column, descending)) == expected


def test_suspicious_is_likely_or_not_evaluable_though_metastatic_and_not_rejected(review):
    def suspicious():
        return [row.id for row in review.state.lymph_nodes if is_suspicious(row)]

    assert suspicious() == ["LN2", "LN3"]
    review.edit("LN2", drawn.a_block((5, 8, 8)))
    assert suspicious() == ["LN2", "LN3"], "edited: by its former probability"
    review.reclassify("LN2", review.state.get("LN2").outline, drawn.answer(2, 0.1))
    review.set_status("LN3", "rejected")
    assert suspicious() == []


@pytest.mark.parametrize(
    ("current", "step", "expected"),
    [(None, 1, "LN2"), ("LN2", 1, "LN3"), ("LN3", 1, "LN2"), (None, -1, "LN3"), ("LN1", -1, "LN2"), ("LN9", 1, "LN2")],
)
def test_next_and_previous_go_round_in_the_order_of_the_table(review, current, step, expected):
    rows = listed(review.state.lymph_nodes)  # LN2, LN1, LN3; the first and the last are suspicious
    assert suspicious_beside(rows, current, step).id == expected


def test_without_a_suspicious_row_there_is_none(review):
    assert suspicious_beside([review.state.get("LN1")], "LN1", 1) is None
    assert suspicious_beside([], None, -1) is None
    with pytest.raises(ValueError, match="step must be 1 or -1"):
        suspicious_beside([], None, 2)
