"""A data set in nnU-Net's layout and a plan for it, so small that a network of a few channels learns in a second."""

import json

import numpy as np
from ece_core.geometry import Volume, affine_from
from ece_core.io import write_image

LABELS = {"background": 0, "N": 1, "P": 2, "ENE": 3}
ARGUMENTS = {
    "in_channels": 1, "out_channels": 4, "features": [4, 6, 8], "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]], "depths": [1, 1, 1], "decoder_depths": [1, 1], "bias": True,
}  # fmt: skip
HU = {"mean": 60.0, "sd": 40.0, "percentile_00_5": -100.0, "percentile_99_5": 200.0}


def a_scan(number):
    """(12, 20, 20) voxels of 2 x 1 x 1 mm: three lymph nodes of different classes and brightness in fat."""
    rng = np.random.default_rng(number)
    hu = rng.normal(-80, 10, (12, 20, 20)).astype(np.int16)
    labels = np.zeros(hu.shape, np.uint8)
    for value, row in zip((1, 2, 3), (1, 8, 14), strict=True):
        labels[4:8, row : row + 5, 6 + number % 4 : 12 + number % 4] = value
    hu[labels > 0] = 20 + 40 * labels[labels > 0]
    affine = affine_from((2.0, 1.0, 1.0))
    return Volume(hu, affine), Volume(labels, affine)


def write_dataset(folder, names="abcde", labels=LABELS, make=a_scan):
    """imagesTr, labelsTr and dataset.json; one scan per patient."""
    for place in ("imagesTr", "labelsTr"):
        (folder / place).mkdir(parents=True)
    about = {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": len(names), "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(about))
    for number, name in enumerate(names):
        ct, outlines = make(number)
        write_image(ct, folder / "imagesTr" / f"{name}_0000.nii.gz")
        write_image(outlines, folder / "labelsTr" / f"{name}.nii.gz")
    return folder


def a_stage(name="full_resolution", spacing_mm=(2.0, 1.0, 1.0), patch_size=(8, 8, 8)):
    return {
        "name": name, "spacing_mm": list(spacing_mm), "patch_size": list(patch_size), "batch_size": 2,
        "architecture": "PlainConvUNet", "arguments": ARGUMENTS,
    }  # fmt: skip


def write_plan(path, *stages):
    path.write_text(json.dumps({"schema": "ece-plan/1", "foreground_hu": HU, "stages": list(stages or [a_stage()])}))
    return path


def a_config(dataset, plan):
    return {
        "task": "segmentation", "name": "tiny", "version": "0.1", "dataset": str(dataset), "plan": str(plan),
        "steps": 4, "log_every": 1, "checkpoint_every": 2, "validate_every": 2, "loaders": 0,
    }  # fmt: skip
