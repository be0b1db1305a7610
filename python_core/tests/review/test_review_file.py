"""`review.json`: written whole or not at all, and what is read back is what was written."""

import errno
import json
import os

import a_review as drawn
import pytest
from ece_core.errors import InputError, RunError
from ece_core.review import Opinion, ReviewFile, open_review


def worked_on(folder):
    saved = open_review(folder, drawn.ct(), now=drawn.Clock())
    review = saved.review
    review.reviewer = "Reader A"
    review.set_status("LN1", "accepted")
    review.set_comment("LN2", "touches the ear — 'matted'")
    review.edit("LN2", drawn.a_block((5, 8, 8), (3, 4, 4)))
    review.add(drawn.a_block((0, 12, 0)))
    review.delete("LN3")
    review.set_final_call(Opinion("ene", "75", "clear"))
    return saved


def test_what_is_saved_comes_back(result_folder):
    saved = worked_on(result_folder)
    saved.save()
    again = open_review(result_folder, drawn.ct())
    assert again.review.state == saved.review.state
    assert again.review.history == saved.review.history
    assert again.text() == saved.text()


def test_the_results_own_files_stay_as_they_are(result_folder):
    before = {file.name: file.read_bytes() for file in result_folder.iterdir()}
    worked_on(result_folder).save()
    after = {file.name: file.read_bytes() for file in result_folder.iterdir()}
    assert set(after) - set(before) == {"review.json"}
    assert {name: after[name] for name in before} == before


def test_an_outline_of_the_ai_is_not_written_again(result_folder):
    rows = json.loads(worked_on(result_folder).text())["lymph_nodes"]
    assert [(row["lymph_node"]["id"], "outline" in row) for row in rows] == [
        ("LN1", False), ("LN2", True), ("LN4", True),
    ]  # fmt: skip


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_full_disk_loses_nothing(result_folder, monkeypatch, fails):
    saved = worked_on(result_folder)
    saved.save()
    before = (result_folder / "review.json").read_bytes()
    saved.review.set_status("LN1", "rejected")
    with monkeypatch.context() as patch:
        patch.setattr(os, fails, lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        with pytest.raises(RunError, match="disk of the result folder is full.*Nothing is lost.*save again"):
            saved.save()
    assert (result_folder / "review.json").read_bytes() == before
    assert [file.name for file in result_folder.iterdir() if "partial" in file.name] == []
    saved.save()  # the space is free again
    assert open_review(result_folder).review.state.get("LN1").status == "rejected"


def test_a_folder_that_cannot_be_written_to_is_told_without_its_path(result_folder, monkeypatch):
    saved = worked_on(result_folder)
    monkeypatch.setattr(os, "fsync", lambda *_: (_ for _ in ()).throw(PermissionError(errno.EACCES, "no", "/DOE^JANE")))
    with pytest.raises(RunError, match="could not be saved \\(Permission denied\\)") as caught:
        saved.save()
    assert "DOE" not in str(caught.value)


def test_two_readers_of_one_folder_do_not_overwrite_each_other(result_folder):
    mine, theirs = worked_on(result_folder), open_review(result_folder)
    theirs.review.set_status("LN3", "rejected")
    theirs.save()
    with pytest.raises(InputError, match="Somebody else has changed the review.*yours was not saved"):
        mine.save()
    assert open_review(result_folder).review.state.get("LN3").status == "rejected"


def test_a_newer_schema_is_refused_in_words_and_left_alone(result_folder):
    saved = worked_on(result_folder)
    saved.save()
    newer = (result_folder / "review.json").read_text().replace("ece-review/1", "ece-review/2")
    (result_folder / "review.json").write_text(newer)
    with pytest.raises(InputError, match="newer version \\(schema ece-review/2.*Update ECEDetector"):
        open_review(result_folder)
    assert (result_folder / "review.json").read_text() == newer


def test_a_review_of_another_result_is_refused(result_folder):
    worked_on(result_folder).save()
    result = (result_folder / "result.json").read_text().replace("0.87", "0.88")
    (result_folder / "result.json").write_text(result)
    with pytest.raises(InputError, match="about another result"):
        open_review(result_folder)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda text: text[:200], id="cut off"),
        pytest.param(lambda text: "[]", id="a list"),
        pytest.param(lambda text: text.replace("ece-review", "something"), id="another file"),
        pytest.param(lambda text: text.replace('"accepted"', '"approved"', 1), id="a status that does not exist"),
        pytest.param(lambda text: text.replace('"next_label": 5', '"next_label": 2'), id="a label twice"),
        pytest.param(lambda text: text.replace('"verdict": "ene"', '"verdict": "yes"'), id="a verdict"),
        pytest.param(lambda text: text.replace('"history"', '"story"'), id="no history"),
        pytest.param(
            lambda text: text.replace('"former_ece_probability": 0.87', '"former_ece_probability": NaN'), id="NaN"
        ),
    ],
)
def test_a_damaged_review_is_refused_and_says_how_to_go_on(result_folder, damage):
    text = worked_on(result_folder).text()
    assert damage(text) != text
    (result_folder / "review.json").write_text(damage(text), encoding="utf-8")
    with pytest.raises(InputError, match="The saved review is damaged.*Rename review.json"):
        open_review(result_folder)


def test_a_scan_on_another_grid_is_refused(result_folder):
    from ece_core.geometry import Volume

    with pytest.raises(InputError, match="does not lie on this scan"):
        open_review(result_folder, Volume(drawn.ct().array, drawn.ct().affine + 5 * (drawn.np.arange(4) == 3)))


def test_a_folder_without_a_review_has_none(tmp_path):
    assert ReviewFile(tmp_path).read() is None


def test_a_heatmap_that_is_added_later_makes_it_no_other_result(result_folder):
    from dataclasses import replace

    worked_on(result_folder).save()
    heatmap = {"method": "saliency", "title": "Saliency", "file": "heatmaps/saliency.nrrd"}
    more = replace(drawn.a_result(), heatmaps=(heatmap,), warnings=("slow",))
    (result_folder / "result.json").write_text(more.to_json(), encoding="utf-8")
    assert open_review(result_folder).review.state.get("LN1").status == "accepted"
