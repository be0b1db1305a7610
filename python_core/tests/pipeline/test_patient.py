"""From the rules of the lymph nodes to `patient` of the result."""

import numpy as np
import pytest
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.lymph_nodes.patient_rules import PROBABILITY_RULES
from ece_core.pipeline.patient import DEFAULT_PATIENT_MODEL, PATIENT_MODELS, left_out_warning, patient_summary


def a_lymph_node(ece_probability, **more):
    return LymphNode("LN1", 1, "P", {"N": 0.0, "P": 1.0, "ENE": 0.0}, ece_probability=ece_probability, **more)


def test_every_rule_stands_beside_the_others_and_the_method_is_the_answer():
    nodes = [a_lymph_node(0.5), a_lymph_node(0.6), a_lymph_node(0.1)]
    outputs = pytest.approx({"max": 0.6, "noisy-or": 1 - 0.5 * 0.4 * 0.9, "ene-count": 2})
    for model in PROBABILITY_RULES:
        summary = patient_summary(nodes, model)
        assert summary["outputs"] == outputs
        assert summary["ece_probability"] == summary["outputs"][model] and summary["method"] == model


def test_a_network_stands_beside_the_rules_and_may_be_the_answer():
    box = {"center_lps_mm": [0, 0, 0], "size_mm": [9, 9, 9], "axes_lps": np.eye(3).tolist()}
    summary = patient_summary([a_lymph_node(0.25)], "gmgenet", {"gmgenet": {"ece_probability": 0.9, "box": box}})
    assert summary["boxes"] == {"gmgenet": box}
    assert (summary["ece_probability"], summary["method"]) == (0.9, "gmgenet")
    assert summary["outputs"] == {"max": 0.25, "noisy-or": 0.25, "ene-count": 0, "gmgenet": 0.9}


def test_without_networks_the_default_rule_answers():
    summary = patient_summary([a_lymph_node(0.25)], "none")
    assert (summary["ece_probability"], summary["method"]) == (0.25, DEFAULT_PATIENT_MODEL)


def test_a_network_that_gave_nothing_is_no_probability():
    assert "ece_probability" not in patient_summary([a_lymph_node(0.25)], "gmgenet")


def test_a_number_of_lymph_nodes_is_never_the_probability():
    assert "ene-count" not in PATIENT_MODELS and DEFAULT_PATIENT_MODEL in PATIENT_MODELS


def test_no_lymph_node_is_no_probability_not_zero():
    assert patient_summary([]) == {"method": DEFAULT_PATIENT_MODEL, "outputs": {}}


def test_lymph_nodes_without_a_probability_do_not_count_and_are_counted():
    left_out = a_lymph_node(None, not_evaluable=("cut off",))
    summary = patient_summary([left_out, a_lymph_node(None), a_lymph_node(0.25)])
    assert summary["ece_probability"] == 0.25
    assert summary["not_evaluable"] == 1  # the other one has no probability for another reason


def test_the_reader_is_told_whom_the_probability_leaves_out():
    left_out = a_lymph_node(None, not_evaluable=("cut off",))
    assert left_out_warning([a_lymph_node(0.3), a_lymph_node(None)]) is None
    assert left_out_warning([left_out, a_lymph_node(0.3)]) == (
        "1 lymph node has no ECE probability (LN1): not evaluable. The patient's probability leaves it out; judge it "
        "yourself."
    )
    assert "10 lymph nodes have" in left_out_warning([left_out] * 10)
