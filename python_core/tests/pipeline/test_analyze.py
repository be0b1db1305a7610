"""The analysis with fake networks: what the pipeline itself adds, passes on and refuses."""

import csv
import json

import numpy as np
import pytest
from ece_core.errors import Cancelled, InputError, RunError
from ece_core.export.result import read_result
from ece_core.export.seg_nrrd import read_seg_nrrd
from ece_core.io import read_ct
from ece_core.pipeline import STAGES, AnalyzeOptions, analyze


def test_result_on_disk_is_the_result_returned(fake_models, a_ct_file, tmp_path):
    returned = analyze(a_ct_file, tmp_path / "out")
    assert json.loads(read_result(tmp_path / "out").to_json()) == json.loads(returned.to_json())


def test_files_of_design_section_4(fake_models, a_ct_file, tmp_path):
    analyze(a_ct_file, tmp_path / "out")
    files = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert files == {
        "result.json",
        "lymph_nodes.seg.nrrd",
        "lymph_nodes.csv",
        "heatmaps/gradcam.nrrd",
        "heatmaps/guided-backprop.nrrd",
        "report.html",
    }


def test_class_and_probability_are_the_classifiers(fake_models, a_ct_file, tmp_path):
    # The fake segmentation says P with certainty; the fake classifier says ENE where the ball is bright enough.
    fake_models(
        classify=lambda bundle, ct, instances, label, device: {
            "class_probabilities": {"N": 0.25, "P": 0.15, "ENE": 0.6},
            "ece_probability": 0.55,
        }
    )
    result = analyze(a_ct_file, tmp_path / "out")
    assert [node.class_name for node in result.lymph_nodes] == ["ENE", "ENE"]
    assert [node.ece_probability for node in result.lymph_nodes] == [0.55, 0.55]


def test_patient_is_the_most_suspicious_lymph_node_beside_the_other_rules(fake_models, a_ct_file, tmp_path):
    result = analyze(a_ct_file, tmp_path / "out")
    assert sorted(node.ece_probability for node in result.lymph_nodes) == pytest.approx([0.2, 0.4])
    assert result.patient["ece_probability"] == pytest.approx(0.4) and result.patient["method"] == "max"
    assert result.patient["outputs"] == pytest.approx({"max": 0.4, "noisy-or": 1 - 0.8 * 0.6, "ene-count": 0})


def test_instance_map_lies_on_the_grid_of_the_ct(fake_models, a_ct_file, tmp_path):
    analyze(a_ct_file, tmp_path / "out")
    ct = read_ct(a_ct_file).volume
    instances, _ = read_seg_nrrd(tmp_path / "out" / "lymph_nodes.seg.nrrd")
    assert instances.same_grid(ct)
    np.testing.assert_array_equal(instances.array > 0, ct.array >= 150)


def test_nothing_found_is_a_result_without_a_patient_probability(fake_models, an_empty_ct_file, tmp_path):
    result = analyze(an_empty_ct_file, tmp_path / "out")
    assert result.lymph_nodes == () and result.heatmaps == ()
    assert "ece_probability" not in read_result(tmp_path / "out").patient
    assert any("does not mean that there is none" in warning for warning in result.warnings)


def test_contour_quality_of_each_lymph_node_is_in_the_result_and_in_the_table(fake_models, a_ct_file, tmp_path):
    result = analyze(a_ct_file, tmp_path / "out")
    found = {node.contour_quality["score"]: node.contour_quality["risk"] for node in result.lymph_nodes}
    assert found == {0.4: "low", 0.2: "high"}
    with (tmp_path / "out" / "lymph_nodes.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [(row["contour_risk"], row["contour_score"]) for row in table] == [
        (node.contour_quality["risk"], str(node.contour_quality["score"])) for node in result.lymph_nodes
    ]


def test_every_stage_is_timed_and_explain_only_when_asked_for(fake_models, a_ct_file, tmp_path):
    names = [stage.name for stage in STAGES]
    assert list(analyze(a_ct_file, tmp_path / "a").seconds) == names
    quick = analyze(a_ct_file, tmp_path / "b", AnalyzeOptions(explain=()))
    assert list(quick.seconds) == [name for name in names if name not in ("contours", "explain")]
    assert all(node.contour_quality is None for node in quick.lymph_nodes)
    assert quick.heatmaps == ()


def test_reported_fraction_never_falls_and_ends_at_one(fake_models, a_ct_file, tmp_path):
    seen = []
    analyze(a_ct_file, tmp_path / "out", report=lambda stage, fraction: seen.append((stage, fraction)))
    fractions = [fraction for _, fraction in seen]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == pytest.approx(1)
    assert list(dict.fromkeys(stage for stage, _ in seen)) == [stage.name for stage in STAGES]


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES])
def test_cancel_in_any_stage_leaves_nothing(stage, fake_models, a_ct_file, tmp_path):
    def cancel(now, fraction):
        if now == stage:
            raise Cancelled

    before = sorted(tmp_path.iterdir())
    with pytest.raises(Cancelled):
        analyze(a_ct_file, tmp_path / "out", report=cancel)
    assert sorted(tmp_path.iterdir()) == before


def test_memory_running_out_means_smaller_tiles_and_a_warning(fake_models, a_ct_file, tmp_path):
    from fake_networks import segment

    def needs_small_tiles(bundle, region, device, report, patch_scale, search):
        if patch_scale == 1:
            raise MemoryError
        return segment(bundle, region, device, report, patch_scale, search)

    fake_models(segment=needs_small_tiles)
    result = analyze(a_ct_file, tmp_path / "out")
    assert len(result.lymph_nodes) == 2
    assert [w for w in result.warnings if "Memory ran out" in w] == [
        "Memory ran out (finding lymph nodes, the CPU); it was done with smaller tiles on the CPU instead."
    ]


def test_gpu_memory_running_out_everywhere_means_the_cpu(fake_models, a_ct_file, tmp_path):
    import fake_networks

    class OutOfMemoryError(RuntimeError):
        """Named as torch's."""

    devices = []

    def only_on_cpu(work):
        def step(*arguments):
            device = next(a for a in arguments if a in ("cpu", "cuda:0"))
            devices.append(device)
            if device != "cpu":
                raise OutOfMemoryError
            return work(*arguments)

        return step

    fake_models(
        choose_device=lambda name: "cuda:0",
        segment=only_on_cpu(fake_networks.segment),
        classify=only_on_cpu(fake_networks.classify),
        heatmaps=only_on_cpu(fake_networks.heatmaps),
    )
    result = analyze(a_ct_file, tmp_path / "out")
    assert result.device == "cuda:0" and len(result.heatmaps) == 2
    assert devices[:3] == ["cuda:0", "cuda:0", "cpu"]
    assert sum("on the CPU instead" in w or "with the CPU instead" in w for w in result.warnings) == 3


def test_memory_running_out_in_every_way_ends_the_run_in_words(fake_models, a_ct_file, tmp_path):
    def never(*arguments):
        raise MemoryError

    fake_models(segment=never)
    with pytest.raises(RunError, match=r"Memory ran out \(finding lymph nodes\).*more memory"):
        analyze(a_ct_file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_bug_is_not_mistaken_for_memory(fake_models, a_ct_file, tmp_path):
    def broken(*arguments):
        raise RuntimeError("shape mismatch")

    fake_models(segment=broken)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        analyze(a_ct_file, tmp_path / "out")


def test_a_taken_output_folder_is_refused_before_anything_slow(fake_models, a_ct_file, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    reported = []
    with pytest.raises(InputError, match="not empty"):
        analyze(a_ct_file, tmp_path / "out", report=lambda *now: reported.append(now))
    assert reported == [] and (tmp_path / "out" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"explain": ("lime",)}, "no explanation method.*gradcam", id="explain"),
        pytest.param({"patient_model": "oracle"}, "no patient model.*noisy-or", id="patient model"),
    ],
)
def test_options_that_do_not_exist(options, words):
    with pytest.raises(InputError, match=words):
        AnalyzeOptions(**options)
