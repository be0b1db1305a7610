"""nnU-Net's own predictor around a network of ours: the same weights, tiles, spacing and window on both sides."""

from __future__ import annotations

import os
import tempfile
from typing import Any

LINEAR = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}
CUBIC = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}


def predictor(network, spacing_mm: float, tile: list[int], window_hu: tuple[float, float]):
    """nnunetv2's predictor without mirroring, on the CPU, as its Python interface is used."""
    for name in ("raw", "preprocessed", "results"):
        os.environ.setdefault(f"nnUNet_{name}", tempfile.gettempdir())  # it warns without; nothing is written
    os.environ["nnUNet_compile"] = "f"  # noqa: SIM112
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    made = nnUNetPredictor(
        tile_step_size=0.5, use_gaussian=True, use_mirroring=False, perform_everything_on_device=False,
        device=torch.device("cpu"), allow_tqdm=False,
    )  # fmt: skip
    manager = PlansManager(_plans(spacing_mm, tile, window_hu))
    dataset = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "N": 1, "P": 2, "ENE": 3}, "numTraining": 1}
    configuration, weights = manager.get_configuration("3d_fullres"), [network.state_dict()]
    made.manual_initialization(network, manager, configuration, weights, dataset, "nnUNetTrainer", None)
    return made


def _plans(spacing_mm: float, tile: list[int], window_hu: tuple[float, float]) -> dict[str, Any]:
    low, high = window_hu
    resampling = "resample_data_or_seg_to_shape"
    configuration = {
        "data_identifier": "bench", "preprocessor_name": "DefaultPreprocessor", "batch_size": 2,
        "patch_size": tile, "median_image_size_in_voxels": tile, "spacing": [spacing_mm] * 3,
        "normalization_schemes": ["CTNormalization"], "use_mask_for_norm": [False], "batch_dice": True,
        "resampling_fn_data": resampling, "resampling_fn_seg": resampling, "resampling_fn_probabilities": resampling,
        "resampling_fn_data_kwargs": CUBIC, "resampling_fn_seg_kwargs": {**LINEAR, "is_seg": True},
        "resampling_fn_probabilities_kwargs": LINEAR,
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet", "arch_kwargs": {},
            "_kw_requires_import": [],
        },
    }  # fmt: skip
    intensities = {"mean": low, "std": high - low, "percentile_00_5": low, "percentile_99_5": high}
    intensities |= {"min": low, "max": high, "median": low}
    return {
        "dataset_name": "Dataset001_Bench", "plans_name": "nnUNetPlans", "image_reader_writer": "SimpleITKIO",
        "original_median_spacing_after_transp": [spacing_mm] * 3, "original_median_shape_after_transp": tile,
        "transpose_forward": [0, 1, 2], "transpose_backward": [0, 1, 2],
        "configurations": {"3d_fullres": configuration},
        "experiment_planner_used": "ExperimentPlanner", "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": intensities},
    }  # fmt: skip


def labels(made, hu, spacing_mm: tuple[float, float, float]):
    """(K, J, I) labels of a CT: what its `predict_single_npy_array` returns."""
    import numpy as np

    return made.predict_single_npy_array(hu[None].astype(np.float32), {"spacing": list(spacing_mm)}, None, None, False)
