"""Capsule repair as a figure, and faithfulness in words."""

import re
from xml.etree import ElementTree

import pytest
from drawn_patient import a_heatmap, a_neck_ct, a_result, an_instance_map
from ece_core.export.faithfulness_words import faithfulness_words, repair_words
from ece_core.export.report import report_html
from ece_core.export.sector_figure import CENTER_X, CENTER_Y, sector_svg

NAMES = ("anterior", "left anterior", "left", "left posterior", "posterior", "right posterior", "right",
         "right anterior", "above", "below")  # fmt: skip


def a_repair(**lowered):
    sectors = {name: lowered.get(name.replace(" ", "_"), 0.81) for name in NAMES}
    return {"as_is": 0.81, "whole": 0.12, "sectors": sectors}


def test_each_sector_has_its_number_where_it_lies():
    texts = {
        each.text: (float(each.get("x")) - CENTER_X, float(each.get("y")) - CENTER_Y)
        for each in ElementTree.fromstring(sector_svg(a_repair(left=0.34, anterior=0.56, above=0.78))).iter("text")
    }
    assert texts["0.34"][0] > 50 and abs(texts["0.34"][1]) < 10  # the patient's left is on the right
    assert texts["0.56"][1] < -50 and abs(texts["0.56"][0]) < 1
    assert "0.78" in texts and "above" in texts
    assert texts["A"][1] < 0 < texts["P"][1] and texts["R"][0] < 0 < texts["L"][0]


def test_the_further_it_falls_the_darker():
    svg = sector_svg(a_repair(left=0.01, right=0.41))
    fills = dict(re.findall(r'fill="rgb\((\d+), \d+, \d+\)" stroke="#8a94a3"><title>(\w+):', svg))
    light = {name: int(red) for red, name in fills.items()}
    assert light["left"] < light["right"] < 255
    assert "rgb(255, 255, 255)" in svg  # no fall, no color


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        pytest.param(
            {"hottest_in_shell": 1.0, "shell_share": 0.62, "shell_focus": 1.94},
            [
                "62 % of the heat on the perinodal shell, 1.9 times its share of the tissue",
                "hottest voxel on the shell",
            ],
            id="cheap ones",
        ),
        pytest.param({"hottest_in_shell": 0.0}, ["the map is empty"], id="an empty map"),
        pytest.param(
            {"deletion_area": 0.2, "insertion_area": 0.7, "randomization": -0.04, "repeatability": 0.93},
            [
                "deletion 0.20, insertion 0.70 (mean probability; good: low, high)",
                "correlation with shuffled weights −0.04 (good: 0)",
                "with more noise 0.93 (good: 1)",
            ],
            id="those with the network",
        ),
        pytest.param({}, [], id="nothing computed"),
    ],
)
def test_figures_in_words(figures, words):
    assert faithfulness_words(figures) == words


def test_repair_in_words():
    assert repair_words(a_repair(left=0.34)) == [
        "probability of ENE 0.81 as scanned, 0.12 with the capsule repaired all around",
        "of single sectors it falls most with left: 0.34",
    ]
    assert repair_words(a_repair())[1] == "no single sector lowers it"


def test_the_report_shows_figures_and_sectors_beside_the_map():
    entry = dict(a_result().heatmaps[0])
    entry["faithfulness"] = {"LN1": {"hottest_in_shell": 0.0, "shell_share": 0.5, "shell_focus": 2.0}}
    entry["capsule_repair"] = {"LN1": a_repair(left=0.34)}
    page = report_html(a_result(heatmaps=(entry,)), an_instance_map(), {"gradcam": a_heatmap()}, a_neck_ct())
    cards = page.split('<article class="card')
    first = next(card for card in cards if "LN1" in card and "<svg" in card)
    assert "hottest voxel off the shell" in first and "it falls most with left: 0.34" in first
    assert page.count('<svg class="sectors"') == 1  # of LN1 alone; nothing is invented for the others
