"""From the results folder of an nnU-Net v2 training to one of our bundles. Nothing of the folder is run.

Several folds become one bundle whose logits are averaged, as `nnUNetv2_predict` does. Class order and nnU-Net's order
of axes are built into the weights, so that inference knows neither.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ece_core.classes import CLASS_NAMES
from ece_core.errors import ModelError
from ece_core.models.bundle import save_bundle
from ece_core.models.nnunet_checkpoint import Checkpoint, read_checkpoint
from ece_core.models.registry import build

if TYPE_CHECKING:
    import torch

ARCHITECTURES = {"PlainConvUNet": False, "ResidualEncoderUNet": True}  # whether it is residual
# Trainers of nnunetv2 2.8.1 that change how a network learns, not what it is: all but nnUNetTrainerBN and Primus.
TRAINERS = re.compile(
    r"nnUNetTrainer(Benchmark|VanillaAdam|AdanCosAnneal|Adan|Adam|CosAnneal|CELoss|DiceLoss|DiceCELoss_noSmooth|"
    r"DiceTopK10Loss|Topk10LossLS01|Topk10Loss|DA5|Segord0|ord0|DASegOrd0|NoDA|NoDeepSupervision|NoMirroring|"
    r"onlyMirror01|noDummy2DDA|probabilisticOversampling|warmup|[134]en[134]|\d+epochs?|\d+ep|0\d\d|noDataLoading|_)*"
)
RESAMPLING = {"resampling_fn_data": 3, "resampling_fn_probabilities": 1}  # function of the plans: order of its splines
ABSENT_BIAS = -1e4  # logit of a class that the model does not know
INTENDED_USE = (
    "Research use with a model of the user's own. Not a medical device; not for diagnosis, staging or treatment. "
    "Nothing is known to us about its performance."
)


@dataclass(frozen=True)
class Choice:
    """What the folder does not say, or says more than once.

    ``folds``: empty means all. ``labels``: our class to the model's name for it; empty means that they are the same.
    ``orientation``: where the columns, rows and slices of the training images pointed to.
    """

    folds: Sequence[str] = ()
    labels: tuple[tuple[str, str], ...] = ()
    name: str = ""
    checkpoint: str = "checkpoint_final.pth"
    orientation: str = ""
    mirror: bool = False
    any_trainer: bool = False


def is_nnunet_folder(folder: Path) -> bool:
    """Whether it looks like a results folder of nnU-Net, complete or not, rather than a bundle."""
    if (folder / "model.json").is_file() or not folder.is_dir():
        return False
    marks = ("plans.json", "dataset.json", "fold_*", "nnUNetTrainer*", "*__*Plans__*")
    return any(next(folder.glob(mark), None) for mark in marks)


def import_nnunet(folder: Path, out: Path, choice: Choice) -> None:
    """Write the bundle ``out``, its weights in full precision.

    Raises
    ------
    ModelError
        A file is missing or damaged, or the model is not one that we can run as nnU-Net does.
    """
    _expect_one_training(folder)
    plans, dataset = _read_json(folder / "plans.json"), _read_json(folder / "dataset.json")
    folds = _folds(folder, choice)
    checkpoints = [read_checkpoint(folder / f"fold_{fold}" / choice.checkpoint) for fold in folds]
    for checkpoint in checkpoints:
        _expect_trainer(checkpoint.trainer, choice.any_trainer)
    if len({checkpoint.configuration for checkpoint in checkpoints}) != 1:
        raise ModelError("The folds are of different configurations.", "Choose one of them with --fold.")
    try:
        card, network = _bundle(plans, dataset, folds, checkpoints, choice)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, AssertionError) as error:
        raise ModelError(
            f"plans.json or dataset.json is not as nnU-Net v2 writes it ({type(error).__name__}: {error}).",
            "Copy the results folder again, as nnU-Net v2 wrote it.",
        ) from error
    save_bundle(out, card, network, half=False)


def _bundle(
    plans: dict[str, Any], dataset: dict[str, Any], folds: list[str], checkpoints: list[Checkpoint], choice: Choice
) -> tuple[dict[str, Any], torch.nn.Module]:
    """The card but for its schema and SHA-256, and the network with its weights."""
    name = checkpoints[0].configuration
    configuration = _configuration(plans, name)
    _expect_ct(dataset, configuration)
    _expect_resampling(configuration)
    channels = _channels(dataset["labels"], choice.labels)
    forward = [int(axis) for axis in plans["transpose_forward"]]
    axes = np.argsort(forward).tolist()  # nnU-Net's axis for each of ours
    member = _network_arguments(configuration, axes)
    mirror_axes = sorted(forward[axis] for axis in checkpoints[0].mirror_axes) if choice.mirror else []
    arguments = {"members": len(folds), "mirror_axes": mirror_axes, "member": member}
    network = build("NnunetEnsemble", arguments)
    state: dict[str, torch.Tensor] = {}
    for n, checkpoint in enumerate(checkpoints):
        weights = _weights(checkpoint.weights, len(member["strides"]), axes, channels)
        state |= {f"members.{n}.{key}": value for key, value in weights.items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(
            f"The weights do not fit the network that plans.json describes for {name}.",
            "The trainer changed the network, or the plans are of another training.",
        ) from error
    card = _card(plans, dataset, name, folds, checkpoints[0].trainer, choice)
    tile = {"tile_size": _ours(configuration["patch_size"], axes), "tile_multiple": _total(member["strides"])}
    card |= {"architecture": "NnunetEnsemble", "arguments": arguments}
    card["input"] = {**_input(plans, configuration, axes, choice), **tile}
    if not choice.mirror:  # else it always mirrors
        card["input"]["mirror_axes"] = sorted(forward[axis] for axis in checkpoints[0].mirror_axes)
    return card, network.eval()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"The nnU-Net folder has no {path.name}.",
            "Choose the one with plans.json, dataset.json and fold_0, such as nnUNetTrainer__nnUNetPlans__3d_fullres.",
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"The {path.name} of the nnU-Net folder cannot be read.", "Copy the folder again.") from error
    if not isinstance(content, dict):
        raise ModelError(f"The {path.name} of the nnU-Net folder is not one.", "Copy the folder again.")
    return content


def _expect_one_training(folder: Path) -> None:
    trainings = sorted(path.name for path in folder.glob("*__*__*") if path.is_dir())
    if trainings and not (folder / "plans.json").is_file():
        raise ModelError(
            f"This is the folder of an nnU-Net data set with the trainings {', '.join(trainings)}.",
            "Choose one of them.",
        )


def _folds(folder: Path, choice: Choice) -> list[str]:
    """The folds asked for, else all numbered ones, else `all`."""
    present = sorted(path.name.removeprefix("fold_") for path in folder.glob("fold_*") if path.is_dir())
    wanted = [str(fold) for fold in choice.folds] or [fold for fold in present if fold != "all"] or present
    if not wanted:
        raise ModelError("The nnU-Net folder has no fold (fold_0, ...).", "Copy it again, with its folds.")
    missing = [fold for fold in wanted if not (folder / f"fold_{fold}" / choice.checkpoint).is_file()]
    if missing:
        raise ModelError(
            f"There is no {choice.checkpoint} in {', '.join(f'fold_{fold}' for fold in missing)} "
            f"(the folder has the folds {', '.join(present) or 'none'}).",
            "Choose finished folds with --fold 0 1, or another file with --checkpoint checkpoint_best.pth.",
        )
    return wanted


def _expect_trainer(trainer: str, any_trainer: bool) -> None:
    if not TRAINERS.fullmatch(trainer) and not any_trainer:
        raise ModelError(
            f"The model was trained by {trainer}, not by one of nnU-Net's trainers that keep the planned network.",
            "If it changes nothing but training (no layer, no activation, no preprocessing), add --any-trainer.",
        )


def _configuration(plans: dict[str, Any], name: str) -> dict[str, Any]:
    """The configuration with what it inherits."""
    stated = plans["configurations"].get(name)
    if stated is None:
        raise ModelError(
            f"The checkpoint is of the configuration {name}, which plans.json does not have "
            f"({', '.join(plans['configurations'])}).",
            "Take plans.json from the same training.",
        )
    parent = stated.get("inherits_from")
    configuration = {**(_configuration(plans, parent) if parent and parent != name else {}), **stated}
    if configuration.get("previous_stage") or "cascade" in name:
        raise ModelError(
            f"The configuration {name} is the second stage of a cascade.", "Import the training of 3d_fullres instead."
        )
    if len(configuration["patch_size"]) != 3:
        raise ModelError(f"The configuration {name} is two-dimensional.", "Import the training of 3d_fullres instead.")
    return configuration


def _expect_ct(dataset: dict[str, Any], configuration: dict[str, Any]) -> None:
    channels = dataset.get("channel_names", dataset.get("modality", {}))
    schemes = configuration["normalization_schemes"]
    if len(channels) != 1 or list(schemes) != ["CTNormalization"]:
        raise ModelError(
            f"The model wants the channels {', '.join(map(str, channels.values()))} "
            f"({', '.join(map(str, schemes))}), not one CT (CTNormalization).",
            "Train nnU-Net on CT alone, with the channel named CT in dataset.json.",
        )


def _expect_resampling(configuration: dict[str, Any]) -> None:
    preprocessor = configuration.get("preprocessor_name", "DefaultPreprocessor")
    if preprocessor != "DefaultPreprocessor":
        raise ModelError(f"The model was trained with the preprocessor {preprocessor}.", "Use DefaultPreprocessor.")
    for key, order in RESAMPLING.items():
        asked = {"order": order, "order_z": 0, "force_separate_z": None, **configuration.get(f"{key}_kwargs", {})}
        function = configuration.get(key, "resample_data_or_seg_to_shape")
        usual = {"is_seg": False, "order": order, "order_z": 0, "force_separate_z": None}
        if function != "resample_data_or_seg_to_shape" or {"is_seg": False, **asked} != usual:
            raise ModelError(
                f"The plans resample by {function} with {asked}, which is not nnU-Net's usual way.",
                "Plan and train with nnU-Net's default resampling.",
            )


def _channels(labels: dict[str, Any], named: tuple[tuple[str, str], ...]) -> list[int | None]:
    """The model's output for background, N, P and ENE; None for a class that it does not know."""
    found = {name: value for name, value in labels.items() if name not in ("background", "ignore")}
    if any(isinstance(value, list) for value in found.values()):
        raise ModelError("The model was trained on regions (overlapping labels).", "Train on labels N, P and ENE.")
    theirs = {name.casefold(): name for name in found}
    wanted = dict(named) or {ours: theirs.get(ours.casefold(), "") for ours in CLASS_NAMES}
    if sorted(wanted.values()) != sorted(found) or not set(wanted) <= set(CLASS_NAMES):
        example = ",".join(f"{ours}={name}" for ours, name in zip(CLASS_NAMES, found, strict=False))
        raise ModelError(
            f"The model's labels are {', '.join(found) or 'none'}; each must be one of our classes N, P and ENE.",
            f"Say which is which, for example --labels {example or 'N=negative,P=positive,ENE=ene'}. "
            "A model with other labels beside lymph nodes cannot be used.",
        )
    return [0, *(int(found[wanted[ours]]) if ours in wanted else None for ours in CLASS_NAMES)]


def _network_arguments(configuration: dict[str, Any], axes: list[int]) -> dict[str, Any]:
    """Arguments of our NnunetUNet, along our axes."""
    name, stated = _architecture(configuration)
    if name not in ARCHITECTURES:
        raise ModelError(
            f"The model's network is a {name}.",
            f"We can run nnU-Net's {' and '.join(ARCHITECTURES)}: train one of them.",
        )
    residual = ARCHITECTURES[name]
    _expect_usual_layers(name, stated)
    stages = int(stated["n_stages"])
    depths = _per_stage(stated["n_blocks_per_stage" if residual else "n_conv_per_stage"], stages)
    return {
        "outputs": len(CLASS_NAMES) + 1,
        "residual": residual,
        "features": _per_stage(stated["features_per_stage"], stages),
        "kernel_sizes": [_ours(size, axes) for size in _per_stage(stated["kernel_sizes"], stages)],
        "strides": [_ours(stride, axes) for stride in _per_stage(stated["strides"], stages)],
        "depths": depths,
        "decoder_depths": _per_stage(stated["n_conv_per_stage_decoder"], stages - 1),
        "bias": bool(stated.get("conv_bias", False)),
        "eps": float((stated.get("norm_op_kwargs") or {}).get("eps", 1e-5)),
        "slope": float((stated.get("nonlin_kwargs") or {}).get("negative_slope", 0.01)),
    }


def _architecture(configuration: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and arguments of the network, also from plans before nnU-Net 2.4, which named only their parts."""
    if "architecture" in configuration:
        stated = configuration["architecture"]
        return stated["network_class_name"].rpartition(".")[2], stated["arch_kwargs"]
    name, depths = configuration["UNet_class_name"], configuration["n_conv_per_stage_encoder"]
    base, most = configuration["UNet_base_num_features"], configuration["unet_max_num_features"]
    return name, {
        "n_stages": len(depths),
        "features_per_stage": [min(base * 2**n, most) for n in range(len(depths))],
        "kernel_sizes": configuration["conv_kernel_sizes"],
        "strides": configuration["pool_op_kernel_sizes"],
        "n_conv_per_stage": depths,
        "n_blocks_per_stage": depths,
        "n_conv_per_stage_decoder": configuration["n_conv_per_stage_decoder"],
        "conv_bias": True,
    }


def _expect_usual_layers(name: str, stated: dict[str, Any]) -> None:
    usual = {"conv_op": "Conv3d", "norm_op": "InstanceNorm3d", "nonlin": "LeakyReLU", "dropout_op": None}
    odd = [
        f"{key} {stated[key]}" for key, layer in usual.items()
        if key in stated and (str(stated[key]).rpartition(".")[2] if stated[key] else None) != layer
    ]  # fmt: skip
    odd += [key for key in ("nonlin_first", "block", "bottleneck_channels", "stem_channels") if stated.get(key)]
    if not (stated.get("norm_op_kwargs") or {"affine": True}).get("affine", False):
        odd.append("norm_op_kwargs without affine")
    if odd:
        raise ModelError(
            f"The model's {name} is built unlike those that nnU-Net plans ({', '.join(odd)}).",
            "Train with nnU-Net's own plans.",
        )


def _per_stage(value: Any, stages: int) -> list[Any]:
    values = [value] * stages if isinstance(value, int) else list(value)
    if len(values) != stages:
        raise ValueError(f"{len(values)} entries for {stages} stages")
    return values


def _ours(values: Any, axes: list[int]) -> list[Any]:
    """Three values along nnU-Net's axes, or one for all of them, along ours (k, j, i)."""
    three = [values] * 3 if isinstance(values, int | float) else list(values)
    return [three[axis] for axis in axes]


def _total(strides: list[list[int]]) -> list[int]:
    return np.prod(strides, axis=0).tolist()


def _weights(
    stated: dict[str, torch.Tensor], stages: int, axes: list[int], channels: list[int | None]
) -> dict[str, torch.Tensor]:
    """nnU-Net's weights under our names, axes and classes; second names and the heads of deep supervision left out."""
    last = f"decoder.seg_layers.{stages - 2}."
    ours = {}
    for key, value in stated.items():
        if ".all_modules." in key or key.startswith("decoder.encoder."):
            continue
        if key.startswith(last):
            ours[key.replace(last, "decoder.head.")] = _classes_in_order(value, channels)
        elif not key.startswith("decoder.seg_layers."):
            ours[key] = value
    turn = (0, 1, *(axis + 2 for axis in axes))
    return {key: (value.permute(turn) if value.ndim == 5 else value).float() for key, value in ours.items()}


def _classes_in_order(head: torch.Tensor, channels: list[int | None]) -> torch.Tensor:
    """Rows of the last layer's weight (n, c, 1, 1, 1) or bias (n,) for background, N, P and ENE."""
    import torch

    if len(head) != 1 + max(channel for channel in channels if channel is not None):
        raise ModelError(
            f"The model has {len(head)} outputs, which are not those of the labels in dataset.json.",
            "Take dataset.json from the same training.",
        )
    absent = head[0] * 0 + (ABSENT_BIAS if head.ndim == 1 else 0.0)
    return torch.stack([absent if channel is None else head[channel] for channel in channels])


def _input(plans: dict[str, Any], configuration: dict[str, Any], axes: list[int], choice: Choice) -> dict[str, Any]:
    """How nnU-Net's recipe prepares a scan."""
    intensities = plans["foreground_intensity_properties_per_channel"]["0"]
    reader = plans.get("image_reader_writer", "SimpleITKIO")
    return {
        "recipe": "nnunet",
        "spacing_mm": [float(value) for value in _ours(configuration["spacing"], axes)],
        "normalization": {
            "clip_hu": [float(intensities["percentile_00_5"]), float(intensities["percentile_99_5"])],
            "subtract_hu": float(intensities["mean"]),
            "divide_hu": max(float(intensities["std"]), 1e-8),
        },
        "orientation": choice.orientation or ("RAS" if "Reorient" in reader else "LPS"),
        "channels": ["CT"],
    }


def _card(
    plans: dict[str, Any], dataset: dict[str, Any], configuration: str, folds: list[str], trainer: str, choice: Choice
) -> dict[str, Any]:
    name = str(plans.get("dataset_name") or dataset.get("name") or "nnunet")
    cases = dataset.get("numTraining", "an unknown number of")
    return {
        "name": choice.name or re.sub(r"[^\w.-]+", "-", f"{name}-{configuration}"),
        "version": "1.0",
        "task": "lymph_node_segmentation",
        "labels": list(CLASS_NAMES),
        "training_data": f"The user's own nnU-Net data set {name}: {cases} cases, unknown to us.",
        "training": {"program": "nnU-Net v2", "trainer": trainer, "configuration": configuration, "folds": folds},
        "metrics": {"note": "Not measured here. See the validation folders of the nnU-Net training."},
        "license": str(dataset.get("licence") or dataset.get("license") or "unknown: ask those who trained it"),
        "intended_use": INTENDED_USE,
    }
