"""Nothing gets into a result that is not listed."""

import pytest
from ece_core.export.allow_list import LYMPH_NODE, RESULT, unlisted
from ece_core.export.result import Result
from ece_core.lymph_nodes.lymph_node import LymphNode


def a_result(**changes) -> Result:
    values = {"software": {}, "models": (), "device": "cpu", "seconds": {}, "warnings": (), "input": {}, "patient": {}}
    return Result(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        pytest.param({"input": {"patient_name": "DOE"}}, "input.patient_name", id="a header's value"),
        pytest.param({"input": {"spacing_mm": ["DOE"]}}, "input.spacing_mm", id="text among numbers"),
        pytest.param({"patient": {"outputs": {"rule": {"x": "DOE"}}}}, "patient.outputs", id="deep"),
        pytest.param({"models": ({"header": {}},)}, r"models\[\].header", id="in a list"),
        pytest.param({"warnings": ({"a": 1},)}, r"warnings\[\]", id="no text"),
        pytest.param({"software": {"version": ["1"]}}, "software.version", id="a list for a text"),
    ],
)
def test_what_is_not_listed_is_refused_by_its_place_and_never_by_its_value(changes, where):
    with pytest.raises(ValueError, match=rf"allow_list.py\): {where}$") as caught:
        a_result(**changes).to_json()
    assert "DOE" not in str(caught.value)


def test_what_is_listed_passes():
    patient = {"ece_probability": 0.5, "method": "max", "outputs": {"max": 0.5}, "boxes": {"a": [[0, 1], [2, 3]]}}
    result = a_result(patient=patient, input={"series_uid_sha256": None, "shape_kji": [1, 2, 3]})
    assert Result.from_json(result.to_json()).patient == patient


def test_what_is_not_listed_is_left_out_when_read():
    text = a_result(patient={"method": "max"}).to_json().replace('"method"', '"name": "DOE", "method"')
    assert Result.from_json(text).patient == {"method": "max"}


def test_every_field_is_listed_and_nothing_else():
    full = LymphNode("LN1", 1, "P", {"P": 1.0}).to_json()
    assert not list(unlisted({**full, "id": "LN1"}, LYMPH_NODE))
    names = set(LymphNode.__dataclass_fields__) - {"class_name", "class_probabilities", "class_set"} | {"class"}
    assert names == set(LYMPH_NODE) and set(Result.__dataclass_fields__) == set(RESULT)
