"""What nnU-Net v2 writes beside its weights, for networks small enough for a test. Imports neither torch nor us."""

INTENSITIES = {"max": 900.0, "mean": 40.0, "median": 45.0, "min": -500.0, "std": 80.0}
INTENSITIES |= {"percentile_00_5": -120.0, "percentile_99_5": 260.0}
LABELS = {"background": 0, "N": 1, "P": 2, "ENE": 3}


def plans(residual=False, transpose_forward=(0, 1, 2)):
    """plans.json of nnU-Net 2.8 with one 3D configuration, anisotropic along nnU-Net's first axis."""
    layers = {
        "n_stages": 3, "features_per_stage": [4, 8, 8], "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]], "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
        "n_conv_per_stage_decoder": [2, 1], "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d", "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None, "dropout_op_kwargs": None, "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }  # fmt: skip
    layers["n_blocks_per_stage" if residual else "n_conv_per_stage"] = [1, 2, 2]
    name = "ResidualEncoderUNet" if residual else "PlainConvUNet"
    resampling = "resample_data_or_seg_to_shape"
    configuration = {
        "data_identifier": "nnUNetPlans_3d_fullres", "preprocessor_name": "DefaultPreprocessor", "batch_size": 2,
        "patch_size": [12, 24, 28], "median_image_size_in_voxels": [20.0, 40.0, 44.0], "spacing": [2.5, 1.0, 1.1],
        "normalization_schemes": ["CTNormalization"], "use_mask_for_norm": [False],
        "resampling_fn_data": resampling, "resampling_fn_seg": resampling, "resampling_fn_probabilities": resampling,
        "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
        "resampling_fn_seg_kwargs": {"is_seg": True, "order": 1, "order_z": 0, "force_separate_z": None},
        "resampling_fn_probabilities_kwargs": {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None},
        "architecture": {
            "network_class_name": f"dynamic_network_architectures.architectures.unet.{name}", "arch_kwargs": layers,
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
        "batch_dice": True,
    }  # fmt: skip
    return {
        "dataset_name": "Dataset501_Neck", "plans_name": "nnUNetPlans", "image_reader_writer": "SimpleITKIO",
        "original_median_spacing_after_transp": [2.5, 1.0, 1.1],
        "original_median_shape_after_transp": [20, 40, 44], "transpose_forward": list(transpose_forward),
        "transpose_backward": [list(transpose_forward).index(axis) for axis in range(3)],
        "configurations": {"3d_fullres": configuration}, "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager", "foreground_intensity_properties_per_channel": {"0": dict(INTENSITIES)},
    }  # fmt: skip


def dataset(labels=None):
    return {
        "channel_names": {"0": "CT"}, "labels": dict(labels or LABELS), "numTraining": 4, "file_ending": ".nii.gz",
    }  # fmt: skip
