"""Cohorts on disk: what a case holds, that it can be made again alone, and what a stopped run leaves."""

import json
import multiprocessing
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from dataclasses import replace

import highdicom as hd
import numpy as np
import psutil
import pytest
from ece_core.classes import CLASS_NAMES
from ece_core.errors import InputError, RunError
from ece_core.io import read_ct, read_labelmap
from ece_core.io.rtstruct import read_rtstruct
from ece_core.pipeline import simulated_case, simulated_cohort
from ece_core.pipeline.simulated_case import bytes_needed
from ece_core.pipeline.simulated_cohort import simulate_cohort
from ece_core.simulate import Scanner, patch_grid, render, sample_patient
from ece_core.simulate import case as case_module
from scipy import ndimage

SMALL = ((36, 96, 96), (6.0, 2.7, 2.7))
SEED = 8


def make_small(patch: pytest.MonkeyPatch) -> None:
    """Coarse scans, so that a cohort takes seconds; what is written and where stays the same."""
    patch.setattr(simulated_case, "diagnostic_grid", lambda *settings: SMALL)


@pytest.fixture
def small_scans(monkeypatch):
    make_small(monkeypatch)


@pytest.fixture(scope="module", params=["dicom", "nifti"])
def a_cohort(request, tmp_path_factory):
    """Folder, manifest and format of two cases, half of whose metastases are read wrong."""
    out = tmp_path_factory.mktemp(request.param) / "cohort"
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        return out, simulate_cohort(out, 2, SEED, "hard", request.param, label_noise=0.5), request.param


@pytest.fixture(scope="module")
def one_patient():
    return case_module.draw_case(5, 1, "medium")


@pytest.fixture
def quick_patients(monkeypatch, one_patient):
    """One patient for all, for what does not depend on who it is."""
    monkeypatch.setattr(simulated_case, "draw_case", lambda *settings: one_patient)


def files(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def truth_in(folder) -> dict:
    return json.loads((folder / "truth.json").read_text())


def test_a_case_holds_scan_maps_and_truth_on_one_grid(a_cohort):
    out, manifest, as_ = a_cohort
    folder = out / "case_0001"
    ct = read_ct(folder / ("ct" if as_ == "dicom" else "ct.nii.gz")).volume
    instances, classes = read_labelmap(folder / "instances.nii.gz"), read_labelmap(folder / "classes.nii.gz")
    assert ct.shape == SMALL[0] and ct.same_grid(instances) and ct.same_grid(classes)
    truth = truth_in(folder)
    assert {row["label"] for row in truth["lymph_nodes"]} == set(np.unique(instances.array).tolist()) - {0}
    for row in truth["lymph_nodes"]:
        value = CLASS_NAMES.index(row["class"]) + 1
        assert set(classes.array[instances.array == row["label"]].tolist()) == {value}
    assert truth["patient"]["ece"] == any(row["class"] == "ENE" for row in truth["lymph_nodes"])
    assert manifest == json.loads((out / "manifest.json").read_text())
    assert "Research use only" in manifest["note"]
    assert sorted(path.name for path in out.iterdir()) == ["case_0000", "case_0001", "manifest.json"]


def test_contours_and_segmentation_are_the_instance_map(a_cohort):
    out, _, as_ = a_cohort
    if as_ != "dicom":
        assert not list(out.rglob("*.dcm"))
        return
    folder = out / "case_0000"
    scan, instances = read_ct(folder / "ct"), read_labelmap(folder / "instances.nii.gz")
    rois = read_rtstruct(folder / "rtstruct.dcm", scan).rois
    rows = truth_in(folder)["lymph_nodes"]
    assert [roi.name for roi in rois] == [f"LN_{row['label']}_{row['class']}" for row in rows]
    for roi in rois:
        assert (roi.mask.array == (instances.array == roi.number)).all()
    segments = hd.seg.segread(folder / "seg.dcm").get_pixels_by_source_instance(  # highdicom's reader, not ours
        [header.SOPInstanceUID for header in scan.headers], combine_segments=True, ignore_spatial_locations=True
    )
    labels = np.array([0, *(row["label"] for row in rows)])
    assert (labels[segments] == instances.array).all()


@pytest.mark.slow
def test_a_case_alone_is_the_same_file_by_file(a_cohort, small_scans, tmp_path):
    out, _, as_ = a_cohort
    alone = simulate_cohort(tmp_path / "alone", 2, SEED, "hard", as_, case=1, label_noise=0.5)
    assert [row["case"] for row in alone["cases"]] == ["case_0001"]
    assert not (tmp_path / "alone" / "case_0000").exists()
    assert files(tmp_path / "alone" / "case_0001") == files(out / "case_0001")
    assert truth_in(out / "case_0000")["lymph_nodes"] != truth_in(out / "case_0001")["lymph_nodes"]


def test_label_noise_is_written_beside_the_truth(a_cohort):
    folder = a_cohort[0] / "case_0000"
    rows = truth_in(folder)["lymph_nodes"]
    patient, _, _ = case_module.draw_case(SEED, 0, "hard", *SMALL)
    drawn = {label: node.class_name for label, node in enumerate(patient.lymph_nodes, 1)}
    assert all(row["class"] == drawn[row["label"]] for row in rows)
    assert any(row["noisy_class"] != row["class"] for row in rows)
    assert all((row["noisy_class"] == "N") == (row["class"] == "N") for row in rows)
    assert truth_in(folder)["patient"]["noisy_ece"] == any(row["noisy_class"] == "ENE" for row in rows)
    instances, classes = read_labelmap(folder / "instances.nii.gz"), read_labelmap(folder / "noisy_classes.nii.gz")
    for row in rows:
        value = CLASS_NAMES.index(row["noisy_class"]) + 1
        assert set(classes.array[instances.array == row["label"]].tolist()) == {value}


def test_truth_only_says_what_the_whole_run_says_and_what_it_cannot_know(a_cohort, small_scans, tmp_path):
    drawn = simulate_cohort(tmp_path / "drawn", 1, SEED, "hard", truth_only=True)
    assert [path.name for path in (tmp_path / "drawn" / "case_0000").iterdir()] == ["truth.json"]
    rows, scanned = (
        {row["label"]: row for row in truth_in(out / "case_0000")["lymph_nodes"]}
        for out in (tmp_path / "drawn", a_cohort[0])
    )
    both = rows.keys() & scanned.keys()
    assert len(both) >= 0.8 * max(len(rows), len(scanned)), "the coarse scan has no voxel of the smallest"
    for label in both:
        for key in ("class", "level", "side", "short_axis_mm", "extent_mm", "center_lps_mm"):
            assert rows[label][key] == scanned[label][key]
    assert not {"visible", "iene_grade", "volume_mm3", "noisy_class"} & set(rows[min(rows)])
    assert "mean_hu is the mean of the drawn attenuation" in drawn["note"]


def test_splits_are_by_patient_and_in_the_declared_shares():
    names = [simulated_case.split_of(3, number) for number in range(2000)]
    assert [np.mean(np.array(names) == name) for name in ("train", "validation", "test")] == pytest.approx(
        [0.7, 0.1, 0.2], abs=0.03
    )
    assert simulated_case.split_of(3, 17) == names[17]


def test_the_manifest_says_which_bands_hold_and_warns(tmp_path, quick_patients):
    told = []
    manifest = simulate_cohort(
        tmp_path / "cohort", 3, 5, truth_only=True, report=lambda stage, fraction: told.append((stage, fraction))
    )
    assert told == [("simulate", pytest.approx(n / 3)) for n in (1, 2, 3)]
    assert set(manifest["baselines"]) == {row["name"] for row in manifest["declared"]}
    for row in manifest["declared"]:
        assert manifest["baselines"][row["name"]] == row["value"]
        assert row["within"] == (None if row["value"] is None else row["low"] <= row["value"] <= row["high"])
    outside = [row["title"] for row in manifest["declared"] if row["within"] is False]
    assert [warning.partition(":")[0] for warning in manifest["warnings"]] == outside
    assert sum(manifest["lymph_nodes"].values()) == 3 * len(
        json.loads((tmp_path / "cohort/case_0000/truth.json").read_text())["lymph_nodes"]
    )
    assert [row["number"] for row in manifest["cases"]] == [0, 1, 2]
    assert {"split", "scanner", "case", "ece"} <= set(manifest["cases"][0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cases": 0}, "cohort of 0 cases.*at least 1"),
        ({"as_": "jpeg"}, "cannot be written as 'jpeg'.*dicom or nifti"),
        ({"difficulty": "brutal"}, "no difficulty named 'brutal'"),
        ({"label_noise": 0.7}, "label noise is 0.7.*from 0 to 0.5"),
        ({"label_noise": float("nan")}, "label noise is nan.*from 0 to 0.5"),
        ({"case": -1}, "no case number -1.*from 0"),
        ({"seed": -1}, "seed is -1.*0 or more"),
    ],
)
def test_wrong_options_are_refused_and_nothing_is_written(tmp_path, options, words):
    values = {"cases": 1, "seed": 1, "difficulty": "medium", "as_": "nifti", **options}
    with pytest.raises(InputError, match=words):
        simulate_cohort(tmp_path / "cohort", **values)
    assert not (tmp_path / "cohort").exists()


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="not empty.*new folder"):
        simulate_cohort(tmp_path, 1, 1)
    with pytest.raises(InputError, match="file in the place"):
        simulate_cohort(tmp_path / "mine.txt", 1, 1)
    assert files(tmp_path) == {"mine.txt": b"precious"}


def test_a_disk_too_small_is_said_before_anything_is_written(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**12, 0, 3 * 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(InputError, match=r"200 cases need about 1\d.\d GB, but the disk has 3.0 GB free.*--as nifti"):
        simulate_cohort(tmp_path / "new" / "cohort", 200, 7)
    assert not (tmp_path / "new").exists()


def test_the_announced_space_is_that_of_what_is_written(a_cohort, small_scans):
    out, _, as_ = a_cohort
    settings = simulated_cohort.cohort_settings(SEED, "hard", as_, 0.5, False)
    written = sum(len(content) for content in files(out / "case_0000").values())
    assert 0.8 * written < bytes_needed(0, settings) < 2 * written


@pytest.mark.parametrize(("difficulty", "low", "high"), [("easy", 0.6, 1.5), ("medium", 0.6, 2.5), ("hard", 1, 3)])
def test_slices_are_as_thick_as_the_difficulty_says(difficulty, low, high):
    drawn = [case_module.diagnostic_grid(1, number, difficulty) for number in range(40)]
    assert all(low <= spacing[0] <= high and 0.4 <= spacing[1] <= 0.6 for _, spacing in drawn)
    assert all(shape[0] * spacing[0] == pytest.approx(200, abs=1.5) for shape, spacing in drawn)
    assert len({spacing[0] for _, spacing in drawn}) > 2


def test_a_stopped_run_keeps_whole_cases_and_goes_on(tmp_path, quick_patients, monkeypatch):
    write = simulated_cohort.write_case

    def fails_at_2(out, number, settings):
        if number == 2:
            raise RunError("The disk of the output folder is full; nothing was kept.", "Free some space.")
        write(out, number, settings)

    monkeypatch.setattr(simulated_cohort, "write_case", fails_at_2)
    out = tmp_path / "cohort"
    with pytest.raises(RunError, match="disk"):
        simulate_cohort(out, 4, 5, truth_only=True)
    assert sorted(path.name for path in out.iterdir()) == ["case_0000", "case_0001", "unfinished.json"]
    with pytest.raises(InputError, match="other settings \\(seed 5\\)"):
        simulate_cohort(out, 4, 6, truth_only=True)

    made = []
    monkeypatch.setattr(simulated_cohort, "write_case", lambda *a: made.append(a[1]) or write(*a))
    manifest = simulate_cohort(out, 4, 5, truth_only=True)
    assert made == [2, 3]
    assert len(manifest["cases"]) == 4 and not (out / "unfinished.json").exists()
    with pytest.raises(InputError, match="holds these cases already"):
        simulate_cohort(out, 4, 5, truth_only=True)
    assert len(simulate_cohort(out, 5, 5, truth_only=True)["cases"]) == 5


def test_a_run_that_fails_before_the_first_case_leaves_nothing(tmp_path, monkeypatch):
    def fails(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(simulated_cohort, "write_case", fails)
    with pytest.raises(KeyboardInterrupt):
        simulate_cohort(tmp_path / "cohort", 2, 5, truth_only=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_several_at_once_write_what_one_after_the_other_does(tmp_path):
    before = set(multiprocessing.active_children())
    together = simulate_cohort(tmp_path / "together", 3, 5, truth_only=True, jobs=2)
    assert together == simulate_cohort(tmp_path / "single", 3, 5, truth_only=True)
    assert files(tmp_path / "together") == files(tmp_path / "single")
    assert set(multiprocessing.active_children()) == before


@pytest.fixture
def a_run_of_its_own(tmp_path):
    """Starts a long cohort with two jobs in a process of its own, and gives it when three cases are whole."""
    runs = []

    def start(out):
        script = tmp_path / "run.py"
        script.write_text(
            "import sys\nfrom ece_core.cli.main import main\nif __name__ == '__main__':\n"
            f"    sys.exit(main(['simulate', {str(out)!r}, '--cases', '500', '--seed', '3', '--truth-only',"
            " '--jobs', '2']))\n"
        )
        runs.append(subprocess.Popen([sys.executable, script], stderr=subprocess.DEVNULL))
        until = time.monotonic() + 600  # a busy test machine
        while len(list(out.glob("case_*"))) < 3:
            assert time.monotonic() < until and runs[-1].poll() is None
            time.sleep(0.05)
        return runs[-1]

    yield start
    for run in runs:
        run.kill()
        run.wait()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_killed_while_several_are_at_work_it_leaves_no_half_case_and_no_process(tmp_path, a_run_of_its_own, number):
    out = tmp_path / "cohort"
    run = a_run_of_its_own(out)
    children = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(number)
    assert run.wait(120) == (3 if number != signal.SIGKILL else -number)
    psutil.wait_procs(children, timeout=120)
    assert not any(child.is_running() for child in children)
    whole = list(out.glob("case_*"))
    assert all(truth_in(folder)["lymph_nodes"] for folder in whole)
    assert (out / "unfinished.json").exists() and not (out / "manifest.json").exists()
    manifest = simulate_cohort(out, len(whole) + 1, 3, truth_only=True)
    assert len(manifest["cases"]) == len(whole) + 1
    assert not list(out.glob(".case_*"))


@pytest.mark.slow
def test_a_hard_cohort_is_what_it_declares(tmp_path):
    """The first line of "done when", in small: 40 patients rather than 200."""
    manifest = simulate_cohort(tmp_path / "cohort", 40, 7, "hard", truth_only=True, jobs=2)
    assert manifest["warnings"] == []
    assert all(row["within"] for row in manifest["declared"]), manifest["declared"]
    low, high = next((row["low"], row["high"]) for row in manifest["declared"] if row["name"] == "size_auc_p_vs_ene")
    assert high - low < 0.35, "a band so wide would hold anything"


@pytest.mark.slow
def test_the_counterfactual_twin_differs_only_where_the_breach_is():
    """The same patient, scanner and noise, one capsule repaired, on a block of 1 mm voxels round each ENE."""
    seen = 0
    for number in range(6):
        patient = sample_patient((7, number), "hard")
        for index, node in enumerate(patient.lymph_nodes):
            if node.breach is None:
                continue
            seen += 1
            others = (*patient.lymph_nodes[:index], node.repaired(), *patient.lymph_nodes[index + 1 :])
            low, high = node.bounds()
            grid = patch_grid(node.center_lps, tuple(int(n) for n in np.ceil(high - low)[::-1]), (1.0, 1.0, 1.0))
            scanner = Scanner(psf_fwhm_mm=0.9)
            pair = [render(p, grid, scanner) for p in (patient, replace(patient, lymph_nodes=others))]
            assert_differs_only_over_the_breach(node, index + 1, *pair)
    assert seen >= 5


def assert_differs_only_over_the_breach(node, label, breached, whole):
    """Beyond the scanner's point spread (2 mm) from the sector of the breach, nothing differs."""
    changed = breached.instances.array != whole.instances.array
    assert (breached.instances.array[changed] == label).all() or node.extent_mm < 1
    different = breached.ct.array != whole.ct.array
    assert different.any() or node.extent_mm < 1
    k, j, i = np.indices(different.shape)
    points = breached.ct.to_lps(np.stack([k, j, i], axis=-1).reshape(-1, 3))
    _, _, unit = node.field(*points.T)
    sector = (node.breach.nearness(unit) > 0).reshape(different.shape)
    allowed = ndimage.distance_transform_edt(~sector) <= 2.0
    assert not (different & ~allowed).any()
