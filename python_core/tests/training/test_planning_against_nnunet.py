"""Our plans are those of nnunetv2 2.8.1, number by number (its answers: nnunet/write_plans.py)."""

import json
from pathlib import Path

import pytest
from ece_core.training.planning import Fingerprint, plan_stages

ROWS = json.loads((Path(__file__).parent / "nnunet" / "plans_of_nnunetv2_2.8.1.json").read_text())
NAMES = {"3d_lowres": "low_resolution", "3d_fullres": "full_resolution"}


def in_our_order(values, back):
    return tuple(values[axis] for axis in back)


@pytest.mark.parametrize("row", ROWS, ids=[f"fingerprint {number}" for number in range(len(ROWS))])
def test_every_number_of_the_plan_is_nnunets(row):
    spacings, sizes = (tuple(map(tuple, row[key] * row["times"])) for key in ("spacings", "sizes"))
    stages = plan_stages(Fingerprint(spacings, sizes, {}), row["memory_gb"], row["outputs"])
    back, plans = row["plan"]["transpose_backward"], {key: row["plan"][key] for key in NAMES if key in row["plan"]}
    assert [stage.name for stage in stages] == [NAMES[key] for key in plans]
    for stage, theirs in zip(stages, plans.values(), strict=True):
        assert stage.spacing_mm == pytest.approx(in_our_order(theirs["spacing"], back), rel=1e-9)
        assert stage.median_size == pytest.approx(in_our_order(theirs["median"], back))
        assert stage.patch_size == in_our_order(theirs["patch"], back)
        assert stage.batch_size == theirs["batch"]
        assert stage.topology.kernel_sizes == tuple(in_our_order(kernel, back) for kernel in theirs["kernels"])
        assert stage.topology.strides == tuple(in_our_order(stride, back) for stride in theirs["strides"])
        assert stage.topology.features == tuple(theirs["features"])


def test_the_rows_hold_what_is_hard():
    plans = [row["plan"] for row in ROWS]
    assert 10 <= sum("3d_lowres" in plan for plan in plans) <= len(plans) - 10
    assert sum(plan["3d_fullres"]["batch"] > 2 for plan in plans) >= 3
    assert sum(plan["3d_fullres"]["kernels"][0][0] == 1 for plan in plans) >= 3
