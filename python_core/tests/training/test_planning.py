"""Plans by hand, laws of plans, and what is said when there is nothing to plan."""

import json
import re
from itertools import permutations
from math import prod

import numpy as np
import pytest
import torch
from ece_core.cli.main import main
from ece_core.errors import InputError
from ece_core.geometry import Volume, affine_from
from ece_core.io import write_image
from ece_core.io.datasets import Case, Dataset, Outlines, load_dataset
from ece_core.io.scan import Scan
from ece_core.models.registry import build
from ece_core.training.planning import Fingerprint, fingerprint_of, plan_stages, target_spacing, topology_of
from ece_core.training.planning.fingerprint import intensities
from ece_core.training.planning.plan import REFERENCE_VALUES, network_arguments
from ece_core.training.planning.topology import feature_map_values
from hypothesis import given, settings
from hypothesis import strategies as st

edges = st.integers(4, 400)
spacings = st.floats(0.3, 8)


def test_a_cube_is_halved_until_four_voxels_are_left():
    topology = topology_of((1, 1, 1), (128, 128, 128))
    assert topology.strides == ((1, 1, 1), *[(2, 2, 2)] * 5)
    assert topology.kernel_sizes == ((3, 3, 3),) * 6
    assert topology.features == (32, 64, 128, 256, 320, 320)


def test_thick_slices_wait_until_the_axes_differ_by_less_than_two():
    topology = topology_of((4, 1, 1), (16, 64, 64))  # 4:1, 4:2 and only then 4:4
    assert topology.strides == ((1, 1, 1), (1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2))
    assert topology.kernel_sizes == ((1, 3, 3), (1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3))


def test_a_patch_grows_to_what_its_strides_divide():
    assert topology_of((1, 1, 1), (36, 50, 35)).patch_size == (40, 56, 40)


def test_feature_maps_are_counted_by_hand():
    topology = topology_of((1, 1, 1), (8, 8, 8))  # 32 channels of 8 x 8 x 8, 64 of 4 x 4 x 4
    assert feature_map_values(topology, 4) == (2 + 3) * 32 * 512 + 2 * 64 * 64 + 4 * 512


@given(st.tuples(spacings, spacings, spacings), st.tuples(edges, edges, edges))
def test_every_patch_is_divided_by_its_strides_down_to_four_voxels_or_more(spacing, size):
    topology = topology_of(spacing, size)
    for patch, wished, stride in zip(topology.patch_size, size, topology.total_stride, strict=True):
        assert wished <= patch < wished + stride
        assert patch % stride == 0
        assert patch // stride >= 4


@given(
    st.tuples(spacings, spacings, spacings), st.tuples(edges, edges, edges),
    st.sampled_from(list(permutations(range(3)))),
)  # fmt: skip
def test_topology_does_not_know_the_names_of_axes(spacing, size, order):
    def turned(values):
        return tuple(values[axis] for axis in order)

    straight, other = topology_of(spacing, size), topology_of(turned(spacing), turned(size))
    assert other.patch_size == turned(straight.patch_size)
    assert other.strides == tuple(map(turned, straight.strides))
    assert other.kernel_sizes == tuple(map(turned, straight.kernel_sizes))


def test_the_target_is_the_median_spacing_while_axes_are_alike():
    rows = [(1.0, 0.4, 0.4), (1.25, 0.5, 0.5), (1.3, 0.9, 0.9)]
    assert target_spacing(rows, [(200, 512, 512)] * 3) == pytest.approx([1.25, 0.5, 0.5])


def test_of_thick_slices_the_finer_ones_count():
    rows = [(float(mm), 0.5, 0.5) for mm in range(2, 13)]  # 2 to 12 mm: median 7, 10th percentile 3
    assert target_spacing(rows, [(40, 512, 512)] * 11) == pytest.approx([3, 0.5, 0.5])
    assert target_spacing(rows, [(200, 512, 512)] * 11)[0] == 7, "as many slices as pixels: nothing is gained"


def test_slices_never_become_finer_than_pixels():
    rows = [(0.6, 1.0, 1.0)] * 3 + [(9.0, 1.0, 1.0)] * 8
    assert target_spacing(rows, [(20, 200, 200)] * 11) == pytest.approx([1.0, 1, 1], abs=1e-4)


def test_no_case_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="spacings_mm must have at least one row"):
        target_spacing([], [])


def fingerprint(spacing, size, cases=10):
    return Fingerprint((tuple(spacing),) * cases, (tuple(size),) * cases, {})


def test_a_small_scan_needs_one_stage_and_a_large_one_two():
    (only,) = plan_stages(fingerprint((1, 1, 1), (100, 110, 120)))
    assert (only.name, only.patch_size) == ("full_resolution", (112, 112, 128))
    low, full = plan_stages(fingerprint((1.25, 0.5, 0.5), (240, 512, 512)))
    assert [low.name, full.name] == ["low_resolution", "full_resolution"]
    assert prod(full.patch_size) / prod(full.median_size) < 0.25 <= prod(low.patch_size) / prod(low.median_size)
    assert max(low.spacing_mm) / min(low.spacing_mm) <= 2.01


mild = st.floats(0.5, 1.4)


@settings(max_examples=25, deadline=None)
@given(st.tuples(mild, mild, mild), st.tuples(st.integers(8, 600), st.integers(60, 600), st.integers(60, 600)),
       st.sampled_from([0.5, 2.0, 8.0, 24.0]))  # fmt: skip
def test_plans_fit_the_memory_and_do_not_change_with_the_unit_of_length(spacing, size, memory_gb):
    stages = plan_stages(fingerprint(spacing, size), memory_gb)
    for stage in stages:
        assert stage.batch_size >= 2
        assert feature_map_values(stage.topology, 4) <= REFERENCE_VALUES * memory_gb / 8
    doubled = plan_stages(fingerprint([2 * mm for mm in spacing], size), memory_gb)
    assert [(s.topology, s.batch_size) for s in doubled] == [(s.topology, s.batch_size) for s in stages]


def test_too_little_memory_is_said():
    with pytest.raises(InputError, match=r"No useful patch fits 0.1 GB.*at least 0.5 GB"):
        plan_stages(fingerprint((1, 1, 1), (100, 100, 100)), 0.1)


def test_the_planned_network_can_be_built_and_keeps_the_shape_of_its_patch():
    topology = topology_of((5, 0.7, 0.7), (8, 32, 32))
    network = build("PlainConvUNet", network_arguments(topology, 4)).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, *topology.patch_size)).shape == (1, 4, *topology.patch_size)


def counted(*values):
    return np.unique(np.array(values), return_counts=True)


def test_every_case_counts_alike_however_large_its_lymph_nodes():
    answer = intensities([counted(*[100] * 30), counted(20), counted(*[60] * 2)])
    assert answer["mean"] == pytest.approx(60)
    assert answer["sd"] == pytest.approx(np.sqrt((40**2 + 40**2) / 3))
    assert (answer["min"], answer["median"], answer["max"]) == (20, 60, 100)


def test_percentiles_are_those_of_numpy():
    values = np.random.default_rng(1).normal(80, 40, 5000).round()
    answer = intensities([np.unique(values, return_counts=True)])
    for name, q in (("percentile_00_5", 0.5), ("median", 50), ("percentile_99_5", 99.5)):
        assert answer[name] == np.percentile(values, q, method="inverted_cdf")
    assert answer["sd"] == pytest.approx(values.std())


def a_scan(hu=60, direction=None):
    array = np.full((6, 8, 10), -1000, np.int16)
    array[2:4, 2:4, 2:4] = hu
    return Volume(array, affine_from((3.0, 1.0, 0.5), (0, 0, 0), direction))


def a_case(name, split=None, hu=60, outlined=True, direction=None):
    ct = a_scan(hu, direction)
    instances = ct.with_array((ct.array == hu).astype(np.uint16)) if outlined else None
    return Case(
        name, name, split, read_scan=lambda: Scan(ct, "nifti"), read_outlines=lambda scan: Outlines(instances)
    )  # fmt: skip


def test_only_training_cases_with_outlines_shape_a_plan():
    cases = [a_case("a", "train"), a_case("b", "train", outlined=False), a_case("c", "test", hu=500)]
    found = fingerprint_of(Dataset("Made up", cases))
    assert found.sizes == ((6, 8, 10),)
    assert found.spacings_mm == (pytest.approx((3.0, 1.0, 0.5)),)
    assert found.foreground_hu["max"] == 60
    assert found.notes == (
        "1 of 3 cases have no scan, have no outlines or do not belong to the training split: left out.",
        "1 of 2 cases have no outlined lymph nodes: left out.",
    )


def test_grids_are_those_of_axial_scans():
    sagittal = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], float)
    found = fingerprint_of(Dataset("Made up", [a_case("a", direction=sagittal)]))
    assert sorted(found.sizes[0]) == [6, 8, 10] and found.sizes[0] != (6, 8, 10)
    assert dict(zip(found.sizes[0], found.spacings_mm[0], strict=True)) == pytest.approx({6: 3.0, 8: 1.0, 10: 0.5})


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (a_case("a", outlined=False), "Nobody outlined lymph nodes in the 1 training cases.*docs/datasets.md"),
        (a_case("a", hu=-1001), "outlines of all 1 cases are empty.*Check the outlines"),
    ],
)
def test_nothing_to_plan_for_is_said(case, words):
    if "empty" in words:
        empty = a_scan().with_array(np.zeros((6, 8, 10), np.uint16))
        case = Case("a", "a", read_scan=case.read_scan, read_outlines=lambda scan: Outlines(empty))
    with pytest.raises(InputError, match=words):
        fingerprint_of(Dataset("Made up", [case]))


@pytest.fixture
def an_nnunet_folder(tmp_path):
    folder = tmp_path / "Dataset001_Neck"
    about = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "GTVn": 1}, "file_ending": ".nii.gz"}
    for place in ("imagesTr", "labelsTr"):
        (folder / place).mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps(about | {"numTraining": 2}))
    for name in ("a", "b"):
        ct = a_scan()
        write_image(ct, folder / "imagesTr" / f"{name}_0000.nii.gz")
        write_image(ct.with_array((ct.array == 60).astype(np.uint8)), folder / "labelsTr" / f"{name}.nii.gz")
    return folder


def test_plan_of_a_folder_is_one_file_to_read(an_nnunet_folder, tmp_path, capsys):
    assert main(["train", "plan", str(an_nnunet_folder), "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "plan.json").read_text()
    plan = json.loads(text)
    assert (plan["schema"], plan["cases"], plan["dataset"]) == ("ece-plan/1", 2, "nnU-Net data set")
    assert plan["foreground_hu"]["mean"] == pytest.approx(60)
    assert '"median_size": [6.0, 8.0, 10.0]' in text, "a list of numbers stands in one line"
    assert "Full resolution: 3.00 x 1.00 x 0.50 mm" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("classes", "setting"),
    [
        ({"N", "P", "ENE"}, "apart"), ({"N", "ENE"}, "metastatic_joined"), ({"N"}, "all_joined"),
        ({"P", "ENE"}, "all_joined"), ((), "all_joined"),
    ],
)
def test_labels_follow_from_the_classes_that_are_named(classes, setting):
    assert Fingerprint((), (), {}, classes=frozenset(classes)).label_setting == setting


def test_the_config_beside_the_plan_is_written_once(an_nnunet_folder, tmp_path, capsys):
    config = tmp_path / "out" / "segmentation.json"
    for _ in range(2):
        assert main(["train", "plan", str(an_nnunet_folder), "--out", str(tmp_path / "out")]) == 0
        written = json.loads(config.read_text())
        config.write_text(json.dumps(written | {"steps": 7}))
    assert (written["steps"], written["labels"]) == (7, "all_joined")
    assert "kept as it was" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "plan.json").read_text())["labels"] == ["lymph_node"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent"], "data set is not a folder"),
        (["."], "layout of the data set cannot be told.*\n.*--layout: simulated, nnunet, dicom"),
        ([".", "--layout", "coco"], "no layout of data sets named 'coco'"),
        ([".", "--layout", "hecktor"], "case"),
    ],
)
def test_what_cannot_be_planned_is_said_and_nothing_is_written(arguments, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "plan", *arguments]) == 2
    assert re.search(words, capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


def test_a_simulated_cohort_is_known_by_its_manifest(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="not that of a simulated cohort"):
        load_dataset(tmp_path)
