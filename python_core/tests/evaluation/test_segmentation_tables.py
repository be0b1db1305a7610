"""The tables of a cohort that is counted by hand, as CSV; and what they are counted from."""

import csv
import io

import numpy as np
import pytest
from ece_core.evaluation import segmentation_tables as tables
from ece_core.evaluation.cohort import read_cases
from ece_core.evaluation.evaluated_cohort import EvaluatedCohort
from ece_core.evaluation.voxel_dice import Tissue
from ece_core.geometry import Volume
from ece_core.io import write_image

from .tiny_cohort import AFFINE, add_case, true_node, two_scans


@pytest.fixture(scope="module")
def a_cohort(tmp_path_factory):
    root = two_scans(tmp_path_factory.mktemp("cohort"))
    return EvaluatedCohort.of(list(read_cases(root / "predictions", root / "reference")))


def read(table) -> dict[str, dict[str, str]]:
    """Rows of a CSV by their first cell."""
    rows = list(csv.DictReader(io.StringIO(table.csv())))
    return {row[table.columns[0]]: row for row in rows}


def column(table, heading) -> dict[str, float]:
    return {name: float(row[heading]) for name, row in read(table).items() if row[heading]}


def test_classes_and_sizes(a_cohort):
    table = tables.detection_table(a_cohort)
    assert column(table, "Number") == {
        "all": 5, "≥ 5 mm": 4, "< 5 mm": 1, "5 to < 10 mm": 3, "10 to < 15 mm": 0, "≥ 15 mm": 1,
        "N": 2, "P": 1, "ENE": 2, "P or ENE": 3, "necrotic": 0, "not necrotic": 0,
    }  # fmt: skip
    assert column(table, "Detected %")["P or ENE"] == pytest.approx(2 / 3)
    assert column(table, "> 50 % covered %")["P or ENE"] == pytest.approx(1 / 3)
    assert read(table)["10 to < 15 mm"]["Detected %"] == ""
    assert column(tables.class_by_size_table(a_cohort), "Number")["N, < 5 mm"] == 1


def test_only_the_right_class_counts(a_cohort):
    table = tables.by_class_table(a_cohort)
    assert column(table, "Detected %") == {"N": 0, "P": 0, "ENE": 1, "P or ENE": pytest.approx(2 / 3)}
    # Nothing is called N. P: one on a true N and two on nothing. ENE: none. P or ENE: the three called P.
    assert column(table, "False positives per scan") == {"N": 0, "P": 1.5, "ENE": 0, "P or ENE": 1.5}


def test_voxels_are_confused_as_counted(a_cohort):
    numbers, by_row, by_column, *_ = tables.confusion_tables(a_cohort)
    counted = {name: [int(row[c]) for c in ("background", "N", "P", "ENE")] for name, row in read(numbers).items()}
    assert counted == {
        "background": [2 * 3 * (14 + 12) - 18, 0, 3, 0],
        "N": [4, 0, 3, 0],
        "P": [2, 0, 0, 0],
        "ENE": [1, 0, 0, 5],
    }
    assert column(by_row, "P")["N"] == pytest.approx(3 / 7)
    assert column(by_column, "P")["N"] == pytest.approx(3 / 6)
    assert "N" not in column(by_column, "N")  # nothing was called N: no share of it


def test_lymph_nodes_are_confused_as_counted(a_cohort):
    *_, numbers, by_row, by_column = tables.confusion_tables(a_cohort)
    counted = {name: [int(row[c]) for c in ("N", "P", "ENE", "not found")] for name, row in read(numbers).items()}
    assert counted == {"N": [0, 1, 0, 1], "P": [0, 0, 0, 1], "ENE": [0, 0, 2, 0], "no lymph node": [0, 2, 0, 0]}
    assert column(by_row, "not found") == {"N": 0.5, "P": 1, "ENE": 0, "no lymph node": 0}
    assert column(by_column, "P")["no lymph node"] == pytest.approx(2 / 3)


def test_false_positives_by_class_and_size(a_cohort):
    per_scan = column(tables.false_positives_table(a_cohort), "Per scan")
    assert per_scan["all"] == per_scan["called P"] == per_scan["measured ≥ 15 mm"] == 1
    assert per_scan["called N"] == per_scan["called ENE"] == per_scan["measured < 5 mm"] == 0


def test_aggregated_f1_at_every_iou(a_cohort):
    found = {name: [int(row[c]) for c in ("TP", "FP", "FN")] for name, row in read(tables.f1_table(a_cohort)).items()}
    assert found == {"> 0": [3, 2, 2], "> 0.1": [3, 2, 2], "> 0.3": [3, 2, 2], "> 0.5": [2, 3, 3], "> 0.7": [2, 3, 3]}


def test_detection_falls_as_more_overlap_is_asked_for(a_cohort):
    rates = [float(row["all"]) for row in read(tables.overlap_table(a_cohort)).values()]
    assert rates[0] == pytest.approx(3 / 5) and rates[-1] == pytest.approx(1 / 5)
    assert rates == sorted(rates, reverse=True)
    by_share = column(tables.overlap_table(a_cohort), "all")
    assert (by_share["0.45"], by_share["0.5"], by_share["0.7"], by_share["0.75"]) == (0.6, 0.4, 0.4, 0.2)


def test_numbers_by_size_as_in_the_seed_paper(a_cohort):
    assert tables.sizes_table(a_cohort).rows == [
        ("N", 2, 0, 0, 0),
        ("P", 1, 0, 1, 2),  # predicted: 4, 20 and 28 mm
        ("ENE", 1, 1, 1, 1),  # 8 and 16 mm
        ("P or ENE", 2, 1, 2, 3),
    ]


def test_a_row_per_lymph_node(a_cohort):
    rows = [row.split(",") for row in tables.lymph_nodes_table(a_cohort).csv().splitlines()]
    # Four voxels in a row on one slice: the section of 1 x 4 mm is 1 mm thin.
    assert rows[1][:7] == ["case_0000", "1", "N", "6.0", "1.0", "", "0.75"]
    assert rows[2][6:] == ["0.0", "", "", "", "", "", "0"]  # missed: no outline, no class, no size
    predicted = list(csv.DictReader(io.StringIO(tables.predicted_table(a_cohort).csv())))
    assert [row["is_false_positive"] for row in predicted] == ["0", "0", "1", "0", "1"]


def test_merged_and_split_lymph_nodes_have_no_short_axis_of_their_own(tmp_path):
    rows = [true_node("N", 6), true_node("N", 7), true_node("N", 8)]
    add_case(tmp_path, "case_0000", "111022203333", "555555506077", rows)
    (case,) = EvaluatedCohort.of(list(read_cases(tmp_path / "predictions", tmp_path / "reference"))).true
    assert np.isnan(case.predicted_short_axis_mm).tolist() == [True, True, True]
    assert case.found.all()


@pytest.mark.parametrize(
    ("name", "groups", "names"),
    [
        pytest.param("metastatic", ("N", "P or ENE"), ("N", "metastatic"), id="P and ENE joined"),
        pytest.param("lymph_node", (), ("lymph_node",), id="all joined"),
    ],
)
def test_a_network_is_not_judged_by_classes_that_it_cannot_tell(tmp_path, name, groups, names):
    add_case(tmp_path, "case_0000", "11022", "11022", [true_node("N", 6), true_node("ENE", 9)])
    file = tmp_path / "predictions" / "case_0000" / "result.json"
    file.write_text(file.read_text().replace('"name": "P"', f'"name": "{name}"').replace('"P": 0.5', f'"{name}": 0.5'))
    cohort = EvaluatedCohort.of(list(read_cases(tmp_path / "predictions", tmp_path / "reference")))
    assert (cohort.groups(), cohort.names) == (groups, names)
    counts = read(tables.confusion_tables(cohort)[0])
    assert counts["ENE"][name] == "2"
    assert [row[0] for row in tables.by_class_table(cohort).rows] == list(groups)


def test_slices_are_averaged_in_each_scan_first(tmp_path):
    """Two scans: slices with Dice 1 and 0; and one slice with 2/3."""
    for name in ("case_0000", "case_0001"):
        add_case(tmp_path, name, "1100", "1000", [true_node("ENE", 9)])
    truth, predicted = np.zeros((2, 2, 3, 4), np.uint16)
    truth[0, 1, :2], truth[1, 1, :2], predicted[0, 1, :2] = 1, 1, 1
    write_image(Volume(truth, AFFINE), tmp_path / "reference" / "case_0000" / "instances.nii.gz")
    cases = list(read_cases(tmp_path / "predictions", tmp_path / "reference"))
    both = Tissue(cases[0], truth.ravel()[truth.ravel() > 0] > 0, predicted.ravel()[truth.ravel() > 0] > 0)
    assert both.slice_dice().tolist() == [1, 0]
    assert both.volume_dice().tolist() == [2 * 2 / (4 + 2)]
    single = Tissue.of(cases[1], ("ENE",), ("P",))
    assert single.slice_dice().tolist() == single.volume_dice().tolist() == [pytest.approx(2 / 3)]
    assert Tissue.of(cases[1], ("N",), ("N",)).volume_dice().size == 0  # neither truth nor prediction
    assert Tissue.of(cases[1], ("N",), ("P",)).volume_dice().tolist() == [0]  # only a prediction


def test_perfect_predictions_are_perfect_everywhere(tmp_path):
    rows = [true_node("P", 9, necrotic=True), true_node("P", 12, necrotic=False)]
    add_case(tmp_path, "case_0000", "110022200", "110022200", rows)
    cohort = EvaluatedCohort.of(list(read_cases(tmp_path / "predictions", tmp_path / "reference")))
    detection = read(tables.detection_table(cohort))
    assert [float(detection["necrotic"][c]) for c in ("Number", "Detected %", "Dice", "HD95 mm")] == [1, 1, 1, 0]
    assert set(column(tables.dice_table(cohort), "Per slice, mean of scans").values()) == {1}
    assert column(tables.f1_table(cohort), "F1") == {f"> {iou:g}": 1 for iou in tables.IOUS}
    assert column(tables.confusion_tables(cohort)[4], "P") == {"P": 1}


def test_an_interval_is_three_columns_and_a_share_is_shown_in_percent():
    table = tables.Table("x", "X", ("Name", "Rate %"), [("a", {"value": 0.5, "low": 0.25, "high": 1.0}), ("b", None)],
                         percent=frozenset({"Rate %"}))  # fmt: skip
    assert table.csv() == "Name,Rate %,Rate % low,Rate % high\na,0.5,0.25,1.0\nb,,,\n"
    assert table.markdown() == ["| Name | Rate % |", "| --- | --- |", "| a | 50.0 (25.0 to 100.0) |", "| b | - |"]
    assert "<td>50.0 (25.0 to 100.0)</td>" in table.html()
