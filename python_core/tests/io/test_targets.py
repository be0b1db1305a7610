"""One component of a target is one lymph node, unless the file says otherwise."""

import numpy as np
import pytest
from ece_core.geometry import Volume, affine_from
from ece_core.io.nodal_names import is_nodal
from ece_core.io.targets import Target, lymph_nodes_of

GRID = Volume(np.zeros((6, 20, 20), np.int16), affine_from((2.0, 1.0, 1.0)))


def boxes(*corners) -> Volume:
    """(first, last + 1) in j and i of boxes in slices 1 to 3."""
    array = np.zeros(GRID.shape, bool)
    for j0, j1, i0, i1 in corners:
        array[1:4, j0:j1, i0:i1] = True
    return GRID.with_array(array)


def test_each_component_of_each_target_is_a_lymph_node():
    found = lymph_nodes_of(
        [Target("GTVn", boxes((1, 3, 1, 3), (8, 10, 1, 3))), Target("GTVn_R", boxes((1, 3, 8, 10)))], GRID
    )
    assert [(node.label, node.target) for node in found.lymph_nodes] == [(1, "GTVn"), (2, "GTVn"), (3, "GTVn_R")]
    assert np.bincount(found.volume.array.ravel())[1:].tolist() == [12, 12, 12]
    assert found.volume.array[2, 9, 2] == 2 and found.notes == ()


def test_pieces_that_touch_at_a_corner_are_one():
    found = lymph_nodes_of([Target("GTVn", boxes((1, 3, 1, 3), (3, 5, 3, 5)))], GRID)
    assert len(found.lymph_nodes) == 1


def test_a_target_that_says_it_is_one_stays_one_and_keeps_its_class():
    found = lymph_nodes_of([Target("LN1", boxes((1, 3, 1, 3), (8, 10, 1, 3)), is_one=True, class_name="ENE")], GRID)
    assert [(node.label, node.class_name) for node in found.lymph_nodes] == [(1, "ENE")]
    assert np.count_nonzero(found.volume.array == 1) == 24


def test_a_lymph_node_drawn_in_two_targets_counts_once_and_it_is_said():
    both = lymph_nodes_of([Target("GTVn", boxes((1, 5, 1, 5))), Target("GTVn_L", boxes((2, 5, 1, 5)))], GRID)
    assert len(both.lymph_nodes) == 1 and np.count_nonzero(both.volume.array) == 3 * 16
    assert both.notes == ("A lymph node is outlined in two targets and was used once.",)


def test_a_slight_overlap_goes_to_the_first_and_is_said():
    both = lymph_nodes_of([Target("a", boxes((1, 5, 1, 5))), Target("b", boxes((4, 9, 1, 5)))], GRID)
    assert [np.count_nonzero(both.volume.array == label) for label in (1, 2)] == [3 * 16, 3 * 16]
    assert both.notes == ("Two targets overlap; the 12 voxels that they share belong to the first.",)


def test_a_target_covered_by_two_others_leaves_no_empty_label():
    halves = [Target("a", boxes((1, 4, 1, 9))), Target("b", boxes((4, 7, 1, 9)))]
    found = lymph_nodes_of([*halves, Target("c", boxes((3, 5, 4, 6)))], GRID)
    assert [node.label for node in found.lymph_nodes] == [1, 2] == np.unique(found.volume.array)[1:].tolist()


def test_nothing_drawn_is_no_lymph_node():
    assert lymph_nodes_of([Target("GTVn", boxes())], GRID).lymph_nodes == ()


@pytest.mark.parametrize(
    "name",
    [
        "GTVn",
        "gtvn_L",
        "GTV-N1",
        "GTV N",
        "GTVnd",
        "GTV_ln_2",
        "nodal",
        "LN_2R",
        "ln left",
        "LN1 left II, ENE",
        "Lymph nodes",
        " GTVn",
    ],
)
def test_names_of_lymph_nodes(name):
    assert is_nodal(name)


@pytest.mark.parametrize(
    "name",
    ["GTVp", "GTV", "CTVn", "PTV_LN", "LN_CTV", "GTVn_PTV", "GTVnx", "GTV_nasopharynx", "Lung_L", "SMG_L", "", "LNG"],
)
def test_names_of_something_else(name):
    assert not is_nodal(name)
