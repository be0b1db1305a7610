"""From lymph nodes to the patient: the rules, counted by hand and as laws."""

import pytest
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.lymph_nodes.patient_rules import PATIENT_RULES, noisy_or, rule_outputs
from hypothesis import given, settings
from hypothesis import strategies as st

probabilities = st.floats(0, 1)


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


@settings(max_examples=20)
@given(st.lists(probabilities, min_size=1, max_size=20))
def test_noisy_or_is_at_least_the_largest_and_at_most_the_sum(each):
    assert max(each) - 1e-12 <= noisy_or(each) <= min(1.0, sum(each)) + 1e-12


@given(st.lists(probabilities, max_size=8))
def test_noisy_or_does_not_know_the_order(each):
    assert noisy_or(each) == pytest.approx(noisy_or(each[::-1]))


@pytest.mark.parametrize(
    ("each", "expected"),
    [
        pytest.param([0.2], {"max": 0.2, "noisy-or": 0.2, "ene-count": 0}, id="one"),
        pytest.param([0.5, 0.5], {"max": 0.5, "noisy-or": 0.75, "ene-count": 2}, id="two at the limit"),
        pytest.param([0.49, None, 0.8], {"max": 0.8, "noisy-or": 1 - 0.51 * 0.2, "ene-count": 1}, id="one unknown"),
        pytest.param([None], {}, id="nothing known"),
        pytest.param([], {}, id="nothing found"),
    ],
)
def test_every_rule_by_hand(each, expected):
    nodes = [LymphNode("LN1", 1, "P", {}, ece_probability=p) for p in each]
    assert rule_outputs(nodes) == pytest.approx(expected)


@settings(max_examples=20)
@given(st.lists(probabilities, min_size=1, max_size=8), st.integers(0, 7), probabilities)
def test_no_rule_falls_when_a_lymph_node_grows_more_suspicious(each, which, more):
    raised = list(each)
    raised[which % len(each)] = max(raised[which % len(each)], more)
    for rule in PATIENT_RULES.values():
        assert rule.of(raised) >= rule.of(each) - 1e-12
