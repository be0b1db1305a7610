"""From lymph nodes to the patient."""

import pytest
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.pipeline.patient import noisy_or, patient_summary
from hypothesis import given
from hypothesis import strategies as st

probabilities = st.floats(0, 1)


def a_lymph_node(ece_probability):
    return LymphNode("LN1", 1, "P", {"N": 0.0, "P": 1.0, "ENE": 0.0}, ece_probability=ece_probability)


@pytest.mark.parametrize(
    ("each", "any_of_them"),
    [
        pytest.param([], 0.0, id="none"),
        pytest.param([0.3], 0.3, id="one is itself"),
        pytest.param([0.5, 0.5], 0.75, id="two coins"),
        pytest.param([0.2, 0.4, 1.0], 1.0, id="one is certain"),
    ],
)
def test_noisy_or_is_counted_by_hand(each, any_of_them):
    assert noisy_or(each) == pytest.approx(any_of_them)


@given(st.lists(probabilities, min_size=1, max_size=20))
def test_noisy_or_is_at_least_the_largest_and_at_most_the_sum(each):
    assert max(each) - 1e-12 <= noisy_or(each) <= min(1.0, sum(each)) + 1e-12


@given(st.lists(probabilities, max_size=8))
def test_noisy_or_does_not_know_the_order(each):
    assert noisy_or(each) == pytest.approx(noisy_or(each[::-1]))


def test_no_lymph_node_is_no_probability_not_zero():
    assert patient_summary([]) == {"method": "noisy-or", "outputs": {}}


def test_lymph_nodes_without_a_probability_do_not_count():
    summary = patient_summary([a_lymph_node(None), a_lymph_node(0.25)])
    assert summary == {"ece_probability": 0.25, "method": "noisy-or", "outputs": {"noisy-or": 0.25}}
