"""Which explanation becomes the default: by the ratio, unless it leaves maps empty."""

import pytest
from ece_core.evaluation.explanation_table import best_method, density_ratio, method_table, repair_table


def rows(*densities, patients=None):
    return [
        {"patient": patient, "breach": breach, "intact": intact, "share": 0.1, "hit": 1.0, "seconds": 2.0}
        for patient, (breach, intact) in zip(patients or range(len(densities)), densities, strict=True)
    ]


def test_ratio_is_mean_over_mean_and_every_lymph_node_counts_the_same():
    assert density_ratio(rows((6, 1), (2, 3)))["value"] == 2
    alone = density_ratio(rows((6, 1), (2, 3), patients=[7, 7]))
    assert alone["value"] == 2 and alone["low"] is None  # one patient: no interval


def test_the_best_ratio_wins_but_not_by_silence():
    pointed, even = rows(*[(6, 1)] * 9, (0, 0)), rows(*[(1, 1)] * 10)
    silent = rows(*[(0, 0)] * 5, *[(40, 1)] * 5)
    few = rows((90, 1))
    assert best_method({"even": even, "pointed": pointed, "silent": silent, "few": few}) == "pointed"


def test_table_shows_the_best_first_and_leaves_out_what_was_not_computed():
    table = method_table({"even": rows((1, 1), (1, 1)), "pointed": rows((6, 1), (2, 3))})
    assert [row[0] for row in table.rows] == ["pointed", "even"]
    words = dict(zip(table.columns, table.words()[0], strict=True))
    assert words["deletion area"] == "-" and words["empty maps"] == "0.0" and words["CPU s"] == "2.00"


def test_repair_beside_the_twin():
    found = [
        {"patient": 0, "as_is": 0.9, "whole": 0.5, "twin": 0.3, "twin_whole": 0.3, "same_sector": 1.0},
        {"patient": 1, "as_is": 0.5, "whole": 0.3, "twin": 0.2, "twin_whole": 0.1, "same_sector": None},
    ]
    table = repair_table(found)
    means = [row[2]["value"] for row in table.rows[:5]]
    assert means == pytest.approx([0.7, 0.4, 0.25, 0.2, 1.0])
    assert table.rows[4][1] == 1 and table.rows[5][2] == pytest.approx(1.0)
