"""A GMGENet study small enough for a test: drawn volumes, networks of a few weights, two steps each."""

import hashlib

import numpy as np
from ece_core.training.gmgenet.patients import Patient

DENSENET = {"in_channels": 1, "out_channels": 2, "init_features": 4, "growth_rate": 2, "block_config": [1, 1, 1, 1, 1],
            "bn_size": 1}  # fmt: skip


def a_network(arguments, architecture="VolumeDenseNet", steps=2):
    return {"architecture": architecture, "arguments": arguments, "steps": steps, "batch_size": 4, "learning_rate": 1.0}


CONFIG = {
    "task": "gmgenet", "name": "tiny", "seed": 1, "data_seed": 7, "difficulty": "medium",
    "patients": 16, "extractor_patients": 6,
    "scan_shape": [50, 60, 60], "scan_spacing_mm": [4.0, 5.0, 5.0],
    "volume_shape": [8, 16, 16], "voi_shape": [4, 10, 10], "gradcam_layer": "class_layers.relu",
    "networks": {
        "extractor": a_network({**DENSENET, "halvings": 1}),
        "classifier": a_network({**DENSENET, "stem_pool": False, "halvings": 1}),
        "densenet": a_network({**DENSENET, "halvings": 1}),
        "cnn": a_network({"in_channels": 1, "out_channels": 2, "channels": [2, 4], "hidden": 4}, "PlainCNN"),
    },
    "jobs": 1, "log_every": 1, "checkpoint_every": 1,
}  # fmt: skip


def write_patient(folder, number, has_ene, seed=7, name=None, size=(8, 16, 16)):
    """A body with a lymph node that is bright where there is ENE, in the file that :func:`patient_file` leaves."""
    rng = np.random.default_rng((seed, number))
    volume = np.zeros(size, np.float32)
    volume[:, 2:-2, 2:-2] = 0.5 + rng.normal(0, 0.02, (size[0], size[1] - 4, size[2] - 4))
    k, j, i = (int(rng.integers(2, n - 4)) for n in size)
    volume[k : k + 2, j : j + 3, i : i + 3] = 0.95 if has_ene else 0.6
    ene = np.zeros(size, bool)
    ene[k : k + 2, j : j + 3, i : i + 3] = has_ene
    values = volume.astype(np.float16)
    np.savez(
        folder / f"patient_{number:04d}.npz", volume=values, affine=np.diag([2.0, 2.0, 2.0, 1.0]),
        ene=np.packbits(ene), has_ene=np.array(has_ene), name=np.array(name or f"{seed}-{number}"),
        digest=np.array(hashlib.sha256(values.tobytes()).hexdigest()),
        largest_mm=np.array(12.0 + 5 * has_ene + number % 4),
        mean_hu=np.array(90.0 + number % 7),
    )  # fmt: skip


def write_patients(folder, count=16, **options):
    """Every second one has ENE."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        write_patient(folder, number, number % 2 == 1, **options)


def a_patient(name, digest=None, has_ene=False, largest_mm=10.0, mean_hu=90.0):
    return Patient(name, has_ene, digest or f"scan of {name}", largest_mm, None, mean_hu)
