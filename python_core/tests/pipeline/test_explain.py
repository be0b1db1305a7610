"""One more heatmap for a result that is already there."""

import numpy as np
import pytest
import SimpleITK as sitk
from ece_core.cli.explain import figures
from ece_core.errors import GeometryError, InputError
from ece_core.export.faithfulness_words import accumulated_words
from ece_core.export.result import read_result
from ece_core.geometry import Volume
from ece_core.io import read_ct, write_image
from ece_core.pipeline import AnalyzeOptions, analyze, explain
from ece_core.pipeline.heatmap_kind import HeatmapKind
from ece_core.pipeline.heatmaps import Heatmap
from fake_networks import a_neck_ct


@pytest.fixture
def a_result_folder(fake_models, a_ct_file, tmp_path):
    analyze(a_ct_file, tmp_path / "out", AnalyzeOptions(explain=()))
    return tmp_path / "out"


def test_heatmap_is_added_and_listed(a_result_folder, a_ct_file):
    before = read_result(a_result_folder)
    file = explain(a_ct_file, a_result_folder, "gradcam")
    after = read_result(a_result_folder)
    assert [entry["file"] for entry in after.heatmaps] == ["heatmaps/gradcam.nrrd"]
    assert file == a_result_folder / "heatmaps" / "gradcam.nrrd"
    assert after.lymph_nodes == before.lymph_nodes and after.patient == before.patient
    assert not list(a_result_folder.rglob(".*"))


def test_heatmap_of_one_lymph_node_covers_only_it(a_result_folder, a_ct_file):
    second = read_result(a_result_folder).lymph_nodes[1]
    file = explain(a_ct_file, a_result_folder, "gradcam", second.id)
    (entry,) = read_result(a_result_folder).heatmaps
    assert entry["title"] == f"Grad-CAM of {second.id}"
    heatmap = sitk.ReadImage(str(file))
    assert np.prod(heatmap.GetSize()) == np.prod(
        [b - a + 2 for a, b in zip(*second.bounding_box_kji, strict=True)]
    )  # the fake's block: one voxel more on each side


def test_figures_stand_with_the_heatmap_by_lymph_node(a_result_folder, a_ct_file):
    explain(a_ct_file, a_result_folder, "gradcam")
    explain(a_ct_file, a_result_folder, "guided-backprop", "LN2", AnalyzeOptions(faithfulness=True))
    first, second = read_result(a_result_folder).heatmaps
    assert set(first["faithfulness"]) == {"LN1", "LN2"} and "correlation" not in first
    assert "deletion_area" not in first["faithfulness"]["LN1"]
    assert second["faithfulness"]["LN2"]["deletion_area"] == 0.2
    assert second["correlation"] == {"gradcam": {"LN2": 1.0}}  # the fake's maps are the same


def test_another_kind_stands_beside_the_ordinary_heatmap(a_result_folder, a_ct_file, fake_models):
    asked = []

    def heatmaps(bundle, ct, instances, label, methods, device, with_network=False, kind=None):
        asked.append((kind.network_layer, kind.signed))
        block = instances.crop(*instances.label_box(label))
        return {methods[0]: Heatmap(block.with_array(np.full(block.shape, -1.0, np.float32)))}

    explain(a_ct_file, a_result_folder, "gradcam")
    fake_models(heatmaps=heatmaps)
    file = explain(a_ct_file, a_result_folder, "gradcam", "LN2", kind=HeatmapKind("decoder", signed=True))
    first, second = read_result(a_result_folder).heatmaps
    assert asked == [("bottleneck+decoder", True)]
    assert (first["method"], second["method"]) == ("gradcam", "gradcam-decoder-signed-LN2")
    assert second["title"] == "Grad-CAM at decoder, signed of LN2" and "what speaks against" in second["scaling"]
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(file))).min() == -1.0


@pytest.mark.parametrize("name", ["../x", "a b", "", "x" * 99])
def test_what_cannot_be_a_layers_name_never_becomes_a_files(name):
    with pytest.raises(InputError, match="cannot be the name of a layer.*last, all, decoder"):
        HeatmapKind(name)


def test_ways_to_sum_are_for_outlines():
    with pytest.raises(InputError, match="A class has one score.*Add --outline"):
        HeatmapKind(accumulate="sample")
    with pytest.raises(InputError, match="no such way to sum.*exact, blocks, sample"):
        HeatmapKind(outline=True, accumulate="guess")


def test_an_outlines_map_says_of_how_many_voxels_it_is(a_result_folder, a_ct_file, monkeypatch):
    def outline_heatmaps(bundle, ct, instances, label, methods, device, with_network, kind):
        block = instances.crop(*instances.label_box(label))
        summed = {"accumulated": {"voxels": 99, "passes": 64, "correlation": 0.97}}
        return {methods[0]: Heatmap(block.with_array(np.ones(block.shape, np.float32)), summed)}

    monkeypatch.setattr("ece_core.pipeline.networks.outline_heatmaps", outline_heatmaps)
    explain(a_ct_file, a_result_folder, "guided-backprop", kind=HeatmapKind(outline=True, accumulate="sample"))
    (entry,) = read_result(a_result_folder).heatmaps
    assert entry["method"] == "guided-backprop-outline-sample" and "estimated by sample" in entry["title"]
    words = "LN1: sum over 99 voxels in 64 passes, correlation with the exact sum about 0.970."
    assert figures(entry)[0] == words


def test_an_estimate_is_never_called_exact():
    summed = {"voxels": 9.0, "passes": 1.0, "correlation": 0.99996}
    assert accumulated_words(summed) == ["sum over 9 voxels in 1 pass, correlation with the exact sum about 0.999"]
    assert accumulated_words(summed | {"correlation": 1.0}) == ["sum over 9 voxels in 1 pass, exact"]


@pytest.mark.parametrize(
    ("method", "kind", "words"),
    [
        ("gradient", HeatmapKind("all"), "looks at no layer of your choosing.*gradcam"),
        ("hr-cam", HeatmapKind(outline=True), "does not explain outlines"),
        ("capsule-repair", HeatmapKind(signed=True), "has no signed map"),
    ],
)
def test_what_a_method_does_not_have_is_refused(a_result_folder, a_ct_file, method, kind, words):
    with pytest.raises(InputError, match=words):
        explain(a_ct_file, a_result_folder, method, kind=kind)
    assert not read_result(a_result_folder).heatmaps


def test_the_report_is_written_again(a_result_folder, a_ct_file):
    (a_result_folder / "report.html").unlink()
    explain(a_ct_file, a_result_folder, "gradcam")
    assert (a_result_folder / "report.html").exists()


def test_same_method_again_replaces_its_heatmap(a_result_folder, a_ct_file):
    for _ in range(2):
        explain(a_ct_file, a_result_folder, "gradcam")
    explain(a_ct_file, a_result_folder, "guided-backprop")
    methods = [entry["method"] for entry in read_result(a_result_folder).heatmaps]
    assert methods == ["gradcam", "guided-backprop"]


def test_failing_leaves_the_result_as_it_was(a_result_folder, a_ct_file, fake_models):
    def broken(*arguments):
        raise RuntimeError

    fake_models(heatmaps=broken)
    before = {path: path.read_bytes() for path in a_result_folder.rglob("*") if path.is_file()}
    with pytest.raises(RuntimeError):
        explain(a_ct_file, a_result_folder, "gradcam")
    assert before == {path: path.read_bytes() for path in a_result_folder.rglob("*") if path.is_file()}


def test_another_ct_is_refused(a_result_folder, tmp_path):
    ct = a_neck_ct()
    affine = ct.affine.copy()
    affine[2, 3] += 50
    write_image(Volume(ct.array, affine), tmp_path / "other.nii.gz")
    assert not read_ct(tmp_path / "other.nii.gz").volume.same_grid(ct)
    with pytest.raises(GeometryError, match="not the CT that the result was made from"):
        explain(tmp_path / "other.nii.gz", a_result_folder, "gradcam")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("lime",), "no explanation method.*gradcam", id="method"),
        pytest.param(("gradcam", "LN9"), "no lymph node with this ID.*LN1, LN2", id="lymph node"),
    ],
)
def test_what_does_not_exist(arguments, words, a_result_folder, a_ct_file):
    with pytest.raises(InputError, match=words):
        explain(a_ct_file, a_result_folder, *arguments)


def test_a_result_without_lymph_nodes(fake_models, an_empty_ct_file, tmp_path):
    analyze(an_empty_ct_file, tmp_path / "out")
    with pytest.raises(InputError, match="no lymph node to explain"):
        explain(an_empty_ct_file, tmp_path / "out", "gradcam")
