"""Matching of predicted and true lymph nodes, counted voxel by voxel."""

import numpy as np
import pytest
from ece_core.evaluation.overlap import Overlap
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

LABELS = arrays(np.uint16, (3, 4, 5), elements=st.integers(0, 4))


def row(text: str) -> np.ndarray:
    return np.array([[[int(letter) for letter in text]]], np.uint16)


def test_counts_by_hand():
    #                     five of label 1, two of label 3; label 7 on two of the first, 2 on nothing
    overlap = Overlap.of(row("1111100330"), row("0077000002"))
    assert overlap.true_labels.tolist() == [1, 3]
    assert overlap.predicted_labels.tolist() == [2, 7]
    assert overlap.shared.tolist() == [[0, 2], [0, 0]]
    assert overlap.covered().tolist() == [0.4, 0]
    assert overlap.is_false_positive().tolist() == [True, False]
    assert overlap.best_truth().tolist() == [-1, 0]
    assert overlap.best_prediction().tolist() == [1, -1]
    assert overlap.dice().tolist() == [pytest.approx(2 * 2 / (5 + 2)), 0]


def test_one_lymph_node_found_in_two_pieces_is_compared_with_both():
    overlap = Overlap.of(row("1111110"), row("2220333"))
    assert overlap.dice().tolist() == [pytest.approx(2 * 5 / (6 + 6))]
    assert overlap.best_prediction().tolist() == [0]  # label 2 shares three voxels, label 3 two


def test_two_lymph_nodes_found_as_one_are_both_compared_with_it():
    overlap = Overlap.of(row("1110220"), row("5555555"))
    assert overlap.dice().tolist() == [pytest.approx(2 * 3 / (3 + 7)), pytest.approx(2 * 2 / (2 + 7))]
    assert overlap.best_prediction().tolist() == [0, -1]  # the prediction is the first one's; the second has no call


@pytest.mark.parametrize(("truth", "predicted", "shape"), [("000", "010", (0, 1)), ("110", "000", (1, 0))])
def test_nothing_true_or_nothing_predicted(truth, predicted, shape):
    overlap = Overlap.of(row(truth), row(predicted))
    assert overlap.shared.shape == shape
    assert overlap.is_false_positive().all()
    assert overlap.dice().tolist() == [0] * shape[0]
    assert overlap.best_truth().tolist() == [-1] * shape[1]


@given(LABELS, LABELS)
def test_counting_voxel_by_voxel_gives_the_same(truth, predicted):
    overlap = Overlap.of(truth, predicted)
    for r, true_label in enumerate(overlap.true_labels):
        assert overlap.true_voxels[r] == (truth == true_label).sum()
        for p, label in enumerate(overlap.predicted_labels):
            assert overlap.shared[r, p] == ((truth == true_label) & (predicted == label)).sum()
            assert overlap.predicted_voxels[p] == (predicted == label).sum()


@given(LABELS)
def test_a_perfect_prediction_has_dice_one(labels):
    overlap = Overlap.of(labels, labels)
    assert (overlap.dice() == 1).all()
    assert (overlap.covered() == 1).all()
    assert not overlap.is_false_positive().any()


@given(LABELS, LABELS, st.permutations([1, 2, 3, 4]))
def test_names_of_the_predictions_do_not_matter(truth, predicted, names):
    renamed = np.array([0, *names], np.uint16)[predicted]
    one, other = Overlap.of(truth, predicted), Overlap.of(truth, renamed)
    assert np.array_equal(one.covered(), other.covered())
    assert one.is_false_positive().sum() == other.is_false_positive().sum()


@given(LABELS, LABELS, st.sampled_from([0, 1, 2]))
def test_dice_does_not_know_left_from_right(truth, predicted, axis):
    flipped = Overlap.of(np.flip(truth, axis), np.flip(predicted, axis))
    assert np.array_equal(Overlap.of(truth, predicted).dice(), flipped.dice())


def test_iou_and_pairs_by_hand():
    overlap = Overlap.of(row("1111022220"), row("3344055550"))
    assert overlap.iou().tolist() == [[2 / 4, 2 / 4, 0], [0, 0, 1]]
    assert len(overlap.pairs(0.3)) == 2  # two halves are one match and one false positive
    assert overlap.pairs(0.5) == [(1, 2)]  # a half is not more than a half


def test_as_many_pairs_as_can_be_not_the_best_one_first():
    # 1 fits 4 well and 5 a little; 2 fits 4 alone: both can be paired.
    overlap = Overlap.of(row("11111222"), row("54444444"))
    pairs = {(int(overlap.true_labels[r]), int(overlap.predicted_labels[c])) for r, c in overlap.pairs(0.1)}
    assert pairs == {(1, 5), (2, 4)}


@given(LABELS, LABELS, st.sampled_from([0.0, 0.3, 0.5]))
def test_pairs_are_one_to_one_above_the_threshold_and_no_matching_is_larger(truth, predicted, above):
    overlap = Overlap.of(truth, predicted)
    pairs = overlap.pairs(above)
    iou = overlap.iou()
    assert all(iou[pair] > above for pair in pairs)
    assert len({r for r, _ in pairs}) == len({c for _, c in pairs}) == len(pairs)
    assert len(pairs) == slow_matching(iou > above)


def slow_matching(allowed, first=0):
    """The size of the largest matching, by trying every partner of every row."""
    if first == len(allowed):
        return 0
    best = slow_matching(allowed, first + 1)
    for column in np.flatnonzero(allowed[first]):
        rest = allowed.copy()
        rest[:, column] = False
        best = max(best, 1 + slow_matching(rest, first + 1))
    return best


@given(LABELS, LABELS)
def test_leaving_out_labels_is_counting_without_them(truth, predicted):
    overlap = Overlap.of(truth, predicted)
    some = overlap.among(overlap.true_labels != 2, overlap.predicted_labels != 3)
    other = Overlap.of(np.where(truth == 2, 0, truth), np.where(predicted == 3, 0, predicted))
    assert some.shared.tolist() == other.shared.tolist()
    assert some.covered().tolist() == other.covered().tolist()
    assert some.predicted_voxels.tolist() == other.predicted_voxels.tolist()
