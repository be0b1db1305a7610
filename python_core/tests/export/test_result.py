"""What is written to result.json is what is read from it, and it is JSON."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from drawn_patient import a_lymph_node, a_result
from ece_core.errors import InputError
from ece_core.export.result import Result, read_result


def strict(text: str) -> dict:
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_write_then_read_is_identity():
    result = a_result()
    assert Result.from_json(result.to_json()) == result


def test_a_second_writing_gives_the_same_bytes():
    text = a_result().to_json()
    assert Result.from_json(text).to_json() == text


def test_the_keys_are_those_of_the_design_and_always_in_this_order():
    content = strict(a_result().to_json())
    assert list(content) == [
        "schema", "research_use_only", "software", "models", "device", "seconds", "warnings", "input", "patient",
        "lymph_nodes", "heatmaps", "search",
    ]  # fmt: skip  # the last one is ours
    assert content["schema"] == "ece-result/1"
    assert content["research_use_only"] == "Research use only. Not a medical device."
    assert list(content["lymph_nodes"][0])[:3] == ["id", "label", "class"]


def test_what_was_not_computed_is_absent():
    row = strict(replace(a_result(), lymph_nodes=(a_lymph_node(mean_hu=None),)).to_json())["lymph_nodes"][0]
    assert "mean_hu" not in row and "contour_quality" not in row


def test_numbers_that_are_not_finite_are_left_out():
    hostile = a_lymph_node(mean_hu=math.nan, sd_hu=np.float32("inf"), centroid_lps_mm=(1.0, math.nan, 2.0))
    row = strict(replace(a_result(), lymph_nodes=(hostile,)).to_json())["lymph_nodes"][0]
    assert not {"mean_hu", "sd_hu", "centroid_lps_mm"} & set(row)
    assert row["volume_mm3"] == 1500.0


def test_numpy_numbers_are_written_as_numbers():
    content = strict(replace(a_result(), seconds={"read": np.float32(0.5)}).to_json())
    assert content["seconds"] == {"read": 0.5}


def test_keys_of_a_later_writer_are_ignored():
    content = strict(a_result().to_json())
    content["weather"] = "fine"
    content["lymph_nodes"][0]["mood"] = "good"
    assert Result.from_json(json.dumps(content)) == a_result()


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("ece-result/2", "newer version .schema ece-result/2; this one reads ece-result/1.*Update"),
        ("nnunet/1", "not a result of this software.*ece analyze"),
        (None, "not a result of this software"),
    ],
)
def test_another_schema_is_refused_in_words(schema, words):
    content = strict(a_result().to_json())
    content["schema"] = schema
    with pytest.raises(InputError, match=words):
        Result.from_json(json.dumps(content))


def without(key):
    return lambda content: content.pop(key)


@pytest.mark.parametrize(
    "break_it",
    [
        without("lymph_nodes"),
        without("patient"),
        lambda content: content.update(lymph_nodes="none"),
        lambda content: content.update(seconds=[1]),
        lambda content: content["lymph_nodes"].append(content["lymph_nodes"][0]),
        lambda content: content["lymph_nodes"][0]["class"].update(name="X"),
        lambda content: content["lymph_nodes"][0].pop("label"),
        lambda content: content["heatmaps"][0].update(file="../../etc/passwd"),
        lambda content: content["heatmaps"][0].update(file="/etc/passwd"),
        lambda content: content["heatmaps"][0].update(file="C:\\windows"),
    ],
)
def test_a_damaged_result_is_refused_in_words(break_it):
    content = strict(a_result().to_json())
    break_it(content)
    with pytest.raises(InputError, match=r"result.json is damaged.*Run the analysis again"):
        Result.from_json(json.dumps(content))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": NaN}', "[" * 100_000])
def test_text_that_is_no_json_object_is_refused_in_words(text):
    with pytest.raises(InputError, match="damaged"):
        Result.from_json(text)


def test_a_folder_without_result_json_is_not_a_result(tmp_path):
    with pytest.raises(InputError, match=r"not a whole result: it has no result.json.*ece analyze"):
        read_result(tmp_path)


def test_a_result_is_read_from_its_folder(tmp_path):
    (tmp_path / "result.json").write_text(a_result().to_json(), encoding="utf-8")
    assert read_result(tmp_path) == a_result()


def test_sets_and_reasons_survive_and_old_results_have_none():
    node = a_lymph_node(class_set=("P", "ENE"))
    hidden = a_lymph_node(2, "metastatic", ece_probability=None, not_evaluable=("cut off",))
    result = replace(a_result(), lymph_nodes=(node, hidden))
    rows = strict(result.to_json())["lymph_nodes"]
    assert rows[0]["class"]["set"] == ["P", "ENE"] and "not_evaluable" not in rows[0] and "class_set" not in rows[0]
    assert rows[1]["not_evaluable"] == ["cut off"] and not {"ece_probability", "class_set"} & set(rows[1])
    assert "set" not in rows[1]["class"]
    assert Result.from_json(result.to_json()) == result
    old = Result.from_json(a_result().to_json()).lymph_nodes[0]
    assert old.class_set is None and old.not_evaluable == () and old.certainty == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"class_set": ("ENE",)}, "ENE only", id="one fits"),
        pytest.param({"class_set": ("P", "ENE")}, "not sure: P or ENE", id="two fit"),
        pytest.param({"class_set": ("N", "P", "ENE")}, "not sure: N, P or ENE", id="all fit"),
        pytest.param({"class_set": ("P",)}, "not sure: P or ENE", id="the most probable class fits badly"),
        pytest.param({"class_set": ()}, "not sure: fits no class well", id="none fits"),
        pytest.param({"class_set": ("ENE",), "not_evaluable": ("a", "b")}, "not evaluable: a; b", id="not evaluable"),
    ],
)
def test_certainty_in_words(changes, words):
    assert a_lymph_node(**changes).certainty == words
