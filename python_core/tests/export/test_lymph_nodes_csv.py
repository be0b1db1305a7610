"""The CSV says what result.json says, flat."""

import csv

from drawn_patient import a_lymph_node, a_result, three_lymph_nodes
from ece_core.export.lymph_nodes_csv import COLUMNS, write_lymph_nodes_csv


def rows_of(tmp_path, result):
    write_lymph_nodes_csv(tmp_path / "x.csv", result)
    with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_by_hand(tmp_path):
    first = rows_of(tmp_path, a_result())[0]
    assert first == {
        "id": "LN1", "label": "1", "class": "ENE", "p_N": "0.1", "p_P": "0.2", "p_ENE": "0.7",
        "p_metastatic": "0.9", "ece_probability": "0.7", "detection_probability": "0.95",
        "side": "left", "level": "II", "short_axis_mm": "11.5", "long_axis_mm": "17.25",
        "volume_mm3": "1500.0", "centroid_l_mm": "10.5", "centroid_p_mm": "-4.0", "centroid_s_mm": "31.0",
        "box_k0": "4", "box_j0": "8", "box_i0": "8", "box_k1": "10", "box_j1": "16", "box_i1": "20",
        "mean_hu": "81.5", "sd_hu": "22.0", "necrosis_fraction": "0.25", "contour_risk": "", "contour_score": "",
        "source": "AUTOMATIC", "status": "new", "flags": "touches the border of the scan",
        "class_set": "", "not_evaluable": "",
    }  # fmt: skip


def test_every_field_of_result_json_has_its_column(tmp_path):
    node = a_lymph_node(
        contour_quality={"risk": "low", "score": 0.9}, class_set=("P", "ENE"), not_evaluable=("too small", "cut off")
    )
    nested = {"class", "centroid_lps_mm", "bounding_box_kji", "contour_quality"}
    plain = set(a_result(lymph_nodes=(node,)).node_rows()[0]) - nested
    assert plain <= set(COLUMNS)
    (row,) = rows_of(tmp_path, a_result(lymph_nodes=(node,)))
    assert all(row.values())  # with everything computed no cell is empty
    assert row["class_set"] == "P ENE" and row["not_evaluable"] == "too small; cut off"


def test_what_was_not_computed_is_an_empty_cell_and_the_columns_stay(tmp_path):
    bare = a_lymph_node(short_axis_mm=None, centroid_lps_mm=None, bounding_box_kji=None, ece_probability=float("nan"))
    (row,) = rows_of(tmp_path, a_result(lymph_nodes=(bare,)))
    assert list(row) == list(COLUMNS)
    assert {row[key] for key in ("short_axis_mm", "centroid_l_mm", "box_k0", "ece_probability")} == {""}


def test_no_lymph_node_is_a_table_with_a_header_only(tmp_path):
    assert rows_of(tmp_path, a_result(lymph_nodes=())) == []
    assert (tmp_path / "x.csv").read_text() == ",".join(COLUMNS) + "\n"


def test_one_row_per_lymph_node_in_their_order(tmp_path):
    assert [row["id"] for row in rows_of(tmp_path, a_result())] == [node.id for node in three_lymph_nodes()]


def test_text_that_a_spreadsheet_would_run_is_disarmed_and_negative_numbers_are_not(tmp_path):
    node = a_lymph_node(flags=("=HYPERLINK(1)",), mean_hu=-12.5)
    (row,) = rows_of(tmp_path, a_result(lymph_nodes=(node,)))
    assert row["flags"] == "'=HYPERLINK(1)" and row["mean_hu"] == "-12.5"
