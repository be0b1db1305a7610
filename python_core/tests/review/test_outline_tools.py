"""Growing and cutting in the words of the review."""

import a_review as drawn
import pytest
from ece_core.errors import InputError
from ece_core.review.outline_tools import grown_outline, parts_of


def test_parts_of_an_outline_make_up_the_lymph_node(review):
    affine = drawn.instances().affine
    outline = review.state.get("LN2").outline  # rows 8 to 12, slices 5 to 9: y from 0, z from -10
    parts = parts_of(outline, affine, [(1.5, 0.0, -7.0), (1.5, 3.0, -7.0)])
    assert review.split("LN2", parts) == ("LN2", "LN4")
    assert [part.start_kji for part in parts] == [(5, 8, 8), (5, 10, 8)]


def test_a_click_into_another_lymph_node_is_refused(review):
    point = drawn.instances().to_lps((6, 9, 9))
    with pytest.raises(InputError, match="outlined there already"):
        grown_outline(drawn.ct(), review.state, tuple(point))


def test_a_deleted_lymph_node_is_found_again_by_a_click(review):
    expected = review.state.get("LN2").outline
    review.delete("LN2")
    found = grown_outline(drawn.ct(), review.state, tuple(drawn.instances().to_lps((6, 9, 9))))
    assert found.voxels == pytest.approx(expected.voxels, rel=0.3)
    assert review.add(found, "SEMIAUTOMATIC") == "LN4"
