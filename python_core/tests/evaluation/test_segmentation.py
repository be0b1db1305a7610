"""Detection and segmentation figures of a cohort that is counted by hand."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest
from ece_core.cli.main import main
from ece_core.errors import GeometryError, InputError
from ece_core.evaluation import evaluate_segmentation, metrics_table
from ece_core.evaluation.cohort import read_cases
from ece_core.evaluation.segmentation import segmentation_metrics

from .tiny_cohort import add_case, true_node, two_scans


@pytest.fixture
def a_cohort(tmp_path):
    return two_scans(tmp_path)


def evaluated(root):
    return evaluate_segmentation(root / "predictions", root / "reference", root / "out")


def metrics_of(root):
    """The figures without page, tables and plots."""
    return segmentation_metrics(list(read_cases(root / "predictions", root / "reference")))


def plots_of(root):
    return (root / "out" / "plots").glob("*.png")


def test_every_figure_is_counted_by_hand(a_cohort):
    metrics = metrics_of(a_cohort)
    rates = {key: figure["value"] for key, figure in metrics["detection_rate"].items()}
    assert rates == pytest.approx(
        {"all": 3 / 5, "ge5mm": 3 / 4, "ge8mm": 2 / 3, "ge15mm": 1, "N": 1 / 2, "P": 0, "ENE": 1}
    )
    assert metrics["detection_rate_half"]["all"]["value"] == pytest.approx(2 / 5)  # half is not more than half
    assert metrics["false_positives_per_scan"]["value"] == pytest.approx(2 / 2)
    dice = [2 * 3 / (4 + 3), 2 * 1 / (2 + 1), 1.0]
    assert metrics["dice_detected"]["value"] == pytest.approx(np.mean(dice))
    assert metrics["dice_detected_ge8mm"]["value"] == pytest.approx(np.mean(dice[1:]))
    assert (metrics["cases"], metrics["lymph_nodes"], metrics["predicted_lymph_nodes"]) == (2, 5, 5)
    assert metrics["notes"] == [
        "detection_by_size 10to15mm: not computed: the cohort has no such lymph node.",
        "detection_by_necrosis necrotic: not computed: the cohort has no such lymph node.",
        "detection_by_necrosis not necrotic: not computed: the cohort has no such lymph node.",
    ]


def test_outlines_are_counted_by_hand(a_cohort):
    metrics = metrics_of(a_cohort)
    expected = {
        "dice_slice": 8 / 13,  # one slice each: 4 shared of 8 and 5, 4 shared of 7 and 6
        "dice_volume": 8 / 13,
        "dice_aggregated": 16 / 26,
        "f1_aggregated": 2 * 3 / (2 * 3 + 2 + 2),  # IoU 3/4, 1/2 and 1; two invented, two missed
        "hd95_mm": (0.85 + 0.95 + 0) / 3,  # 95th percentiles of 0, 0, 0, 1 and of 0, 1
        "assd_mm": (1 / (4 + 3) + 1 / (2 + 1) + 0) / 3,
        "short_axis_bias_mm": (4 - 6) / 3,  # 4 of 6, 16 of 16, 8 of 8 mm
        "short_axis_error_mm": 2 / 3,
        "short_axis_inside_repeatability": 2 / 3,
    }
    assert {name: metrics[name]["value"] for name in expected} == pytest.approx(expected)
    rates = {key: figure["value"] for key, figure in metrics["detection_by_size"].items()}
    assert rates == pytest.approx({"lt5mm": 0, "5to10mm": 2 / 3, "ge15mm": 1})


def test_froc_without_a_score_takes_the_predicted_short_axis(a_cohort):
    metrics = metrics_of(a_cohort)
    assert metrics["froc_score"] == "short_axis_mm"
    # 5 mm and more: 16, 8 and 4 mm found, one missed; false positives of 28 and 20 mm come first.
    rates = {rate: figure["value"] for rate, figure in metrics["froc_ge5mm_at"].items()}
    assert rates == pytest.approx({"0.5": 0, "1": 3 / 4, "2": 3 / 4, "4": 3 / 4, "8": 3 / 4})


def test_froc_takes_the_networks_probability_where_all_predictions_hold_it(a_cohort):
    for name, values in {"case_0000": {1: 0.9, 5: 0.5, 4: 0.8}, "case_0001": {2: 0.7, 7: 0.95}}.items():
        file = a_cohort / "predictions" / name / "result.json"
        content = json.loads(file.read_text())
        for node in content["lymph_nodes"]:
            node["detection_probability"] = values[node["label"]]
        file.write_text(json.dumps(content))
    metrics = metrics_of(a_cohort)
    assert metrics["froc_score"] == "detection_probability"
    assert metrics["froc_ge5mm_at"]["0.5"]["value"] == pytest.approx(3 / 4)  # 0.95 false, then 0.9, 0.8 and 0.7


def test_intervals_hold_their_values(a_cohort):
    rate = metrics_of(a_cohort)["detection_rate"]["all"]
    assert rate["low"] == pytest.approx(1 / 2)  # only the second patient drawn: 1 of 2
    assert rate["high"] == pytest.approx(2 / 3)


def test_leaving_out_small_predictions_trades_detection_for_false_positives(a_cohort):
    froc = metrics_of(a_cohort)["froc"]  # predictions measure 4 mm times their label; 8 mm and more: P, ENE, ENE
    by_size = {p["minimum_short_axis_mm"]: (p["detection_rate_ge8mm"], p["false_positives_per_scan"]) for p in froc}
    assert by_size[0] == by_size[8] == pytest.approx((2 / 3, 1.0))
    assert by_size[10] == by_size[15] == pytest.approx((1 / 3, 1.0))  # label 2 (8 mm) goes


def test_files_hold_what_was_returned(a_cohort):
    metrics = evaluated(a_cohort)
    assert json.loads((a_cohort / "out" / "metrics.json").read_text()) == metrics
    page = (a_cohort / "out" / "index.html").read_text()
    assert "Research use only. Not a medical device." in page
    assert "<script" not in page and "href=" not in page
    assert page.count('src="') == page.count('src="data:image/png;base64,') == len(list(plots_of(a_cohort)))
    assert "<td>detection rate: short axis at least 8 mm</td><td>0.667</td>" in page
    _Balanced().feed(page)


class _Balanced(HTMLParser):
    """Every tag that opens is closed, in order."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_one_command_writes_page_metrics_tables_and_plots(a_cohort, capsys):
    out = a_cohort / "out"
    arguments = ["evaluate", "segmentation", a_cohort / "predictions", a_cohort / "reference", "--out", out]
    assert main([str(argument) for argument in arguments]) == 0
    assert "aggregated F1, IoU above 0.3" in capsys.readouterr().out
    assert {file.name for file in out.iterdir()} == {"index.html", "metrics.json", "plots", "tables"}
    tables = {file.stem for file in (out / "tables").glob("*.csv")}
    assert tables >= {
        "detection",
        "dice",
        "froc",
        "f1_aggregated",
        "short_axis",
        "voxel_confusion_by_row",
        "lymph_nodes",
    }
    assert {file.stem for file in plots_of(a_cohort)} >= {"detection_against_overlap", "froc", "short_axis_error"}


def test_table_for_the_terminal(a_cohort):
    table = metrics_table(metrics_of(a_cohort)).splitlines()
    assert table[0].split() == ["Figure", "Value", "Low", "High"]
    assert any(line.split()[-3:] == ["0.600", "0.500", "0.667"] for line in table if "detection rate: all" in line)


def test_an_end_of_an_interval_that_was_not_computed_is_a_dash():
    table = metrics_table({"detection_rate": {"ge8mm": {"value": 0.875, "low": 0.8, "high": None}}, "seed": 3})
    assert table.splitlines()[-1].split("  ") == ["detection rate: short axis at least 8 mm", "0.875", "0.800", "-"]


def test_what_does_not_occur_is_absent_and_said(tmp_path):
    add_case(tmp_path, "case_0000", "0110", "0110", [true_node("N", 6)])
    metrics = metrics_of(tmp_path)
    assert set(metrics["detection_rate"]) == {"all", "ge5mm", "N"}
    assert metrics["froc"] == []
    assert "detection_rate ENE: not computed: the cohort has no such lymph node." in metrics["notes"]
    assert metrics["detection_rate"]["all"] == {"value": 1.0, "low": None, "high": None}
    evaluated(tmp_path)
    assert "NaN" not in (tmp_path / "out" / "metrics.json").read_text()


def test_a_cohort_without_detections_has_no_dice(tmp_path):
    add_case(tmp_path, "case_0000", "0110", "0000", [true_node("N", 6)])
    metrics = metrics_of(tmp_path)
    assert "dice_detected" not in metrics
    assert "dice_detected: not computed: no lymph node was detected." in metrics["notes"]
    assert metrics["false_positives_per_scan"]["value"] == 0


def test_missing_results_are_listed(a_cohort):
    (a_cohort / "predictions" / "case_0001").rename(a_cohort / "elsewhere")
    with pytest.raises(InputError, match=r"1 of 2 cases of the reference have no result: case_0001.*Analyze them"):
        evaluated(a_cohort)
    assert not (a_cohort / "out").exists()


def test_results_of_other_cases_are_refused(a_cohort):
    (a_cohort / "reference" / "case_0001").rename(a_cohort / "elsewhere")
    with pytest.raises(InputError, match=r"1 results belong to no case of the reference: case_0001.*Choose the cohort"):
        evaluated(a_cohort)


def test_a_folder_without_cases_is_no_cohort(tmp_path):
    with pytest.raises(InputError, match=r"not a simulated cohort.*ece simulate"):
        evaluate_segmentation(tmp_path, tmp_path, tmp_path / "out", "simulated")


def test_another_grid_is_refused(tmp_path):
    add_case(tmp_path, "case_0000", "0110", "01100", [true_node("N", 6)])
    with pytest.raises(GeometryError, match=r"case_0000: the result \(\(2, 3, 5\) voxels\) is not on the grid"):
        evaluated(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"lymph_nodes": [{"label": 1}]}', '{"lymph_nodes": 3}'])
def test_a_damaged_truth_is_refused(tmp_path, content):
    add_case(tmp_path, "case_0000", "0110", "0110", [true_node("N", 6)])
    (tmp_path / "reference" / "case_0000" / "truth.json").write_text(content)
    with pytest.raises(InputError, match=r"case_0000: truth.json is damaged.*ece simulate"):
        evaluated(tmp_path)


def test_truth_and_map_must_list_the_same_lymph_nodes(tmp_path):
    add_case(tmp_path, "case_0000", "0110", "0110", [true_node("N", 6), true_node("P", 9)])
    with pytest.raises(InputError, match="list different lymph nodes"):
        evaluated(tmp_path)


def test_half_a_result_is_refused(a_cohort):
    (a_cohort / "predictions" / "case_0001" / "result.json").unlink()
    with pytest.raises(InputError, match="not a whole result"):
        evaluated(a_cohort)
