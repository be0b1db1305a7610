"""report.html: says what it must, hides what it must, and needs nothing from outside."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from drawn_patient import a_heatmap, a_lymph_node, a_neck_ct, a_result, an_instance_map, three_lymph_nodes
from ece_core.export.report import lymph_nodes_with_images, report_html
from PIL import Image

HOSTILE = "<script>alert('x')</script>&\"<img src=x onerror=alert(1)>"


def a_report(result=None, ct=True, instances=None, heatmaps=None):
    heatmaps = {"gradcam": a_heatmap()} if heatmaps is None else heatmaps
    return report_html(result or a_result(), instances or an_instance_map(), heatmaps, a_neck_ct() if ct else None)


class Words(HTMLParser):
    """What a reader sees, and the tags that make it."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.words, self.open = [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def test_it_says_research_use_only_at_the_beginning_at_the_end_and_on_every_printed_page():
    html = a_report()
    text = Words(html).text
    assert text.index("Research use only. Not a medical device.") < 60
    assert "Research use only. Not a medical device. Not for diagnosis" in text
    assert '@bottom-center { content: "Research use only. Not a medical device."' in html


def test_it_loads_nothing_and_runs_nothing():
    html = a_report()
    page = Words(html)
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert not re.search(r"https?://|@import|url\(|srcset|href", html)
    assert "default-src 'none'; img-src data:" in html
    assert page.open == []  # every tag is closed


def test_every_text_from_outside_is_escaped():
    node = replace(
        three_lymph_nodes()[0], id=f"LN{HOSTILE}", side=HOSTILE, level=HOSTILE, flags=(HOSTILE,), status=HOSTILE,
        source=HOSTILE, contour_quality={"risk": HOSTILE, "score": 1},
    )  # fmt: skip
    evil = a_result(
        lymph_nodes=(node,), warnings=(HOSTILE,), device=HOSTILE, seconds={HOSTILE: 1.0},
        software={"name": HOSTILE, "version": HOSTILE},
        models=({"name": HOSTILE, "version": HOSTILE, "task": HOSTILE, "sha256": HOSTILE, "training": HOSTILE},),
        patient={"ece_probability": 0.5, "method": HOSTILE, "outputs": {HOSTILE: 0.5, "b": HOSTILE}},
        heatmaps=({"method": "gradcam", "title": HOSTILE, "file": "heatmaps/x.nrrd", "scaling": HOSTILE},),
        input={"format": HOSTILE, "modality": HOSTILE, "shape_kji": [HOSTILE] * 3, "spacing_mm": [HOSTILE] * 3,
               "series_uid_sha256": HOSTILE},
    )  # fmt: skip
    instances = an_instance_map().with_array((an_instance_map().array == 1).astype("uint16"))
    page = Words(a_report(evil, instances=instances))
    assert "script" not in page.tags and "onerror" not in page.attributes
    assert page.text.count("alert('x')") > 10  # shown as text


def test_fields_that_nobody_allowed_do_not_appear():
    leaky = a_result(
        input={**a_result().input, "patient_name": "MARKED^NAME", "path": "/data/MARKED"},
        patient={**a_result().patient, "note": "MARKED"},
        models=({"name": "m", "version": "1", "path": "MARKED"},),
    )
    assert "MARKED" not in a_report(leaky)


def test_the_table_is_sorted_by_probability_and_holds_the_measures():
    rows = re.findall(r"<tr class=.*?</tr>", a_report(), re.DOTALL)
    cells = [re.sub(r"<[^>]+>", " ", row).split() for row in rows]
    assert [row[0] for row in cells] == ["LN1", "LN3", "LN2"]  # 0.70, 0.40, 0.05
    assert cells[0][:15] == [
        "LN1", "ENE", "0.70", "left", "II", "11.5", "17.2", "1.50", "82", "±", "22", "25", "%", "0.10", "0.20",
    ]  # fmt: skip
    assert 'style="width:70.0%"' in rows[0]


def test_what_was_not_computed_has_no_column_and_no_invented_value():
    bare = tuple(replace(node, necrosis_fraction=None, mean_hu=None, sd_hu=None) for node in three_lymph_nodes())
    text = Words(a_report(replace(a_result(), lymph_nodes=bare))).text
    assert "SD HU" not in text and "None" not in text and "nan" not in text
    assert "not computed" in Words(a_report(a_result(patient={"method": "noisy-or"}))).text


@pytest.mark.parametrize(
    ("probability", "words"),
    [(0.83, "0.83"), (0.9999, "> 0.99"), (0.0001, "< 0.01"), (1.0, "> 0.99"), (0.994, "0.99")],
)
def test_rounding_makes_no_certainty(probability, words):
    page = a_report(a_result(patient={"ece_probability": probability, "method": "noisy-or"}))
    (big,) = re.findall(r'<div class="big">(.*?)</div>', page)
    assert Words(big).text == words


def test_it_says_how_the_patient_s_probability_was_made():
    assert "Noisy-OR of the lymph nodes: 1 minus the product of (1 − p)" in Words(a_report()).text
    other = a_result(patient={"ece_probability": 0.5, "method": "transformer", "outputs": {"a": 0.25, "b": 0.75}})
    text = Words(a_report(other)).text
    assert "Method: transformer." in text and "a 0.25 b 0.75" in text


def test_it_names_the_models_and_says_that_they_saw_simulated_patients_only():
    text = Words(a_report()).text
    assert "lymph_node_unet 1.0.0 segmentation Trained on simulated patients only" in text


def test_warnings_and_seconds_per_stage_are_there():
    text = Words(a_report()).text
    assert "Warnings The scan ends below the skull base." in text
    assert "segment 20.2 s" in text and "23.8 s in all" in text


def pictures(html):
    return re.findall(r'<img src="data:image/png;base64,([^"]+)" alt="([^"]+)"', html)


def test_each_lymph_node_has_three_planes_with_and_without_each_heatmap():
    found = pictures(a_report())
    assert [alt for _, alt in found][:6] == [
        "LN1, axial, CT", "LN1, coronal, CT", "LN1, sagittal, CT",
        "LN1, axial, Grad-CAM", "LN1, coronal, Grad-CAM", "LN1, sagittal, Grad-CAM",
    ]  # fmt: skip
    assert len(found) == 3 * 6
    for data, _ in found:
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (256, 256)


def test_the_scale_bar_is_10_mm_of_the_field():
    """The field is 60 mm here: a sixth."""
    assert 'class="bar10" style="width:16.67%"' in a_report()


def test_heatmaps_come_with_a_legend_and_a_caution_and_no_heatmap_with_neither():
    text = Words(a_report()).text
    assert "transparent below 17 %" in text and "not where disease is" in text and "Scaling: per lymph node." in text
    text = Words(a_report(a_result(heatmaps=()), heatmaps={})).text
    assert "17 %" not in text and "not where disease is" not in text


def test_images_show_the_top_three_and_all_metastatic_ones_at_most_twelve():
    nodes = [a_lymph_node(n, "N", ece_probability=1 - n / 100) for n in range(1, 20)]
    assert [node.label for node in lymph_nodes_with_images(nodes)] == [1, 2, 3]
    nodes[9] = replace(nodes[9], class_name="P")
    assert [node.label for node in lymph_nodes_with_images(nodes)] == [1, 2, 3, 10]
    metastatic = [replace(node, class_name="ENE") for node in nodes]
    assert [node.label for node in lymph_nodes_with_images(metastatic)] == list(range(1, 13))


def test_it_says_how_many_are_shown():
    nodes = tuple(replace(a_lymph_node(1, "N"), id=f"LN{n}") for n in range(1, 6))
    assert "3 of 5 lymph nodes are shown" in Words(a_report(a_result(lymph_nodes=nodes))).text
    assert "All 3 lymph nodes are shown." in Words(a_report()).text


def test_no_lymph_node_is_said_without_a_promise():
    empty = an_instance_map().with_array(an_instance_map().array * 0)
    page = a_report(a_result(lymph_nodes=(), heatmaps=()), instances=empty, heatmaps={})
    assert "No lymph node was found. That does not exclude disease." in Words(page).text
    assert '<table class="nodes"' not in page and not pictures(page)


def test_without_the_ct_there_are_no_images_and_it_says_so():
    page = a_report(ct=False)
    assert "None: the CT was not at hand when this was written." in Words(page).text
    assert not pictures(page) and "LN1" in page


def test_what_cannot_be_judged_is_said_where_the_probability_would_stand():
    hidden = a_lymph_node(2, "metastatic", ece_probability=None, not_evaluable=("cut off: too near",))
    sure = a_lymph_node(1, class_set=("P", "ENE"))
    text = Words(a_report(a_result(lymph_nodes=(sure, hidden)), ct=False)).text
    assert "LN2 metastatic not evaluable" in text and "not evaluable: cut off: too near" in text
    assert "1 lymph node is not evaluable and is left out of all these." in text
    assert "not sure: P or ENE" in text and "each class was left out of no more" in text


def test_the_rules_stand_side_by_side_under_their_names():
    patient = {"ece_probability": 0.7, "method": "max", "outputs": {"max": 0.7, "noisy-or": 0.81, "ene-count": 2.0}}
    text = Words(a_report(a_result(patient=patient), ct=False)).text
    assert "Most suspicious lymph node 0.70 Any lymph node (noisy-OR) 0.81 Lymph nodes with ENE (also ECE) 2 " in text
    assert "Certainty" not in text and "not evaluable" not in text


def test_risk_of_an_outline_is_told_and_a_reason_for_none_is_no_risk():
    judged, unknown, *rest = three_lymph_nodes()
    judged = replace(judged, contour_quality={"risk": "high", "score": 0.714})
    unknown = replace(unknown, contour_quality={"risk": None, "score": None, "reason": "no fit"})
    text = Words(a_report(a_result(lymph_nodes=(judged, unknown, *rest)))).text
    assert text.count("high risk, Dice 0.71 expected") == 1 and "None" not in text and text.count("expected") == 1
