"""From a checkpoint to a model bundle with an honest card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ece_core.models.bundle import save_bundle
from ece_core.models.registry import build
from ece_core.training.labels import labels_of, network_arguments
from ece_core.training.model_input import model_input

if TYPE_CHECKING:
    from torch import nn

BUNDLE_TASK = {"segmentation": "lymph_node_segmentation", "classification": "lymph_node_classification"}
CHANNELS = ["CT near the lymph node, per window", "distance to its surface"]  # of a classification
OPTIONAL = ("gradcam_layer", "least_confidence", "calibration", "conformal")
TRAINING = ("seed", "data_seed", "cases", "steps", "signs", "batch_size", "difficulty", "stage", "fold")
NOT_MEASURED = {"note": "Not measured yet. 'scripts/evaluate_models.py' writes the figures of held-out cases here."}
INTENDED_USE = (
    "Research and software development with simulated scans. Not a medical device; not for diagnosis, staging or "
    "treatment. Nothing is known about its performance on patients."
)
INTENDED_USE_OF_OTHERS = (
    "Research use with a model of the user's own. Not a medical device; not for diagnosis, staging or treatment. "
    "Nothing is known to us about its performance."
)


def export_bundle(config: dict[str, Any], checkpoint: Path, out: Path, with_real_ct: bool) -> Path:
    """Write ``out/model.json`` and ``out/weights.safetensors`` (float16)."""
    save_bundle(out, card(config, with_real_ct), _trained(config, checkpoint))
    return out


def export_segmentation(
    config: dict[str, Any], checkpoint: Path, out: Path, with_real_ct: bool, earlier: Path | None = None
) -> Path:
    """Like :func:`export_bundle`; with the bundle of an ``earlier`` stage both become one, which runs them in a row."""
    from ece_core.models.bundle import load_bundle
    from ece_core.models.cascade import Cascade

    spec, network = card(config, with_real_ct), _trained(config, checkpoint)
    if earlier is not None:
        first = load_bundle(earlier, fold=False)
        parts = {"earlier": first.spec, "full": spec}
        spec["arguments"] = {
            name: {key: part[key] for key in ("architecture", "arguments")} for name, part in parts.items()
        }
        spec["architecture"] = "Cascade"
        spec["input"] = {**spec["input"], "earlier": first.spec["input"]}
        network = Cascade(first.network, network)
    # What a hospital trained stays as it was trained; what we ship has to be small.
    save_bundle(out, spec, network.eval(), half="plan" not in config)
    return out


def _trained(config: dict[str, Any], checkpoint: Path) -> nn.Module:
    import torch

    from ece_core.training.deep_supervision import weights_of_network

    network = build(config["architecture"], network_arguments(config))
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    network.load_state_dict(weights_of_network(state["network"]))
    return network.eval()


def card(config: dict[str, Any], with_real_ct: bool) -> dict[str, Any]:
    """The model card but for schema, SHA-256 and measured figures."""
    if config["task"] == "segmentation":
        inputs = model_input(config)
    else:
        keys = ("spacing_mm", "patch_size", "windows_hu", "margin_mm")
        inputs = {**{key: config[key] for key in keys}, "channels": CHANNELS}
    labels = labels_of(config)
    optional: dict[str, Any] = {key: config[key] for key in OPTIONAL if key in config}
    return {
        "name": config["name"],
        "version": config["version"],
        "task": BUNDLE_TASK[config["task"]],
        "architecture": config["architecture"],
        "arguments": network_arguments(config),
        "input": inputs,
        **optional,
        "labels": list(labels),
        **({"target": "pENE"} if "ENE" in labels else {}),
        "training_data": _training_data(config, with_real_ct),
        "training": {key: config[key] for key in TRAINING if key in config},
        "metrics": NOT_MEASURED,
        "limits": config.get("limits", []),
        "license": config.get("license", "Apache-2.0" if "plan" not in config else "unstated"),
        "intended_use": INTENDED_USE if "plan" not in config else INTENDED_USE_OF_OTHERS,
    }


def _training_data(config: dict[str, Any], with_real_ct: bool) -> str:
    if "plan" in config:
        kept_out = f", without fold {config['fold']} of five" if "fold" in config else ""
        return config.get("training_data", f"The user's own data set{kept_out}; what it is was not stated.")
    sentence = (
        f"{config['cases']} simulated patients (no real lymph node, no pathology; difficulty {config['difficulty']}, "
        f"seed {config['data_seed']})"
    )
    if with_real_ct and config.get("real_share"):
        sentence += (
            f", and {config['real_cases']} real planning CT of OpenKBP (Babier et al. 2021) into which simulated lymph "
            "nodes were inserted; what lies inside their target volumes was ignored"
        )
    return sentence + "."
