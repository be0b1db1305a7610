"""Model bundles: a folder with `model.json` and `weights.safetensors`. Never pickle, never code."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ece_core.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

SCHEMA = "ece-model/1"
TASKS = ("lymph_node_segmentation", "lymph_node_classification")
REQUIRED = (
    "schema", "name", "version", "task", "architecture", "arguments", "input", "labels", "training_data", "metrics",
    "license", "intended_use", "weights_sha256",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model ready to run: the card (``spec`` = model.json) and, once loaded, the network in eval mode."""

    name: str
    version: str
    task: str
    spec: dict[str, Any]
    sha256: str
    network: nn.Module
    folder: Path | None = None  # where it was loaded from

    def summary(self) -> dict[str, Any]:
        """What `result.json` says of it."""
        summary = {
            "name": self.name,
            "version": self.version,
            "task": self.task,
            "sha256": self.sha256,
            "training": self.spec["training_data"],
        }
        conformal = self.spec.get("conformal")
        return {**summary, "conformal_target": conformal["target"]} if conformal else summary


def user_models_folder() -> Path:
    """Where a user's own models live, outside of any installation; ``ECE_MODELS`` overrides it."""
    if os.environ.get("ECE_MODELS"):
        return Path(os.environ["ECE_MODELS"])
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "ECEDetector" / "models"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "ECEDetector" / "models"
    return Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "ECEDetector" / "models"


def shipped_models_folders() -> list[Path]:
    """Where shipped bundles can lie: inside the package, beside it in Slicer, or in a source tree."""
    package = Path(__file__).resolve().parents[1]
    candidates = [package / "Models", package.parent / "Resources" / "Models"]
    candidates += [parent / "Resources" / "Models" for parent in package.parents[1:4]]
    return [folder for folder in candidates if folder.is_dir()]


def model_folders(folder: Path | None = None) -> list[Path]:
    """Folders that are searched, first match first: the one given, else the user's, then the shipped ones."""
    if folder is not None:
        return [Path(folder)]
    return [user_models_folder(), *shipped_models_folders()]


def list_bundles(folder: Path | None = None) -> list[Path]:
    """Bundle folders that can be found, without duplicates by name."""
    found: dict[str, Path] = {}
    for place in model_folders(folder):
        for card in sorted(place.glob("*/model.json")):
            found.setdefault(card.parent.name, card.parent)
    return list(found.values())


def find_bundle(task: str, folder: Path | None = None, architecture: str | None = None) -> Path:
    """The bundle for a task. One's own come before the shipped ones; of several in a place, the highest version.

    Parameters
    ----------
    architecture
        Only bundles of this architecture; None: of any.

    Raises
    ------
    ModelError
        There is none.
    """
    found = bundle_for(task, folder, architecture)
    if found is None:
        what = task.replace("_", " ") + (f" by {architecture}" if architecture else "")
        raise ModelError(
            f"No model for {what} was found.",
            "Import one with 'ece models import FILE', or install the package with its models.",
        )
    return found


def bundle_for(task: str, folder: Path | None = None, architecture: str | None = None) -> Path | None:
    """As :func:`find_bundle`; None where there is none."""
    places = model_folders(folder)
    fitting = []
    for path in list_bundles(folder):
        try:
            spec = read_bundle(path)
        except ModelError:
            continue
        if spec["task"] == task and architecture in (None, spec["architecture"]):
            fitting.append(((-places.index(path.parent), _version_key(spec["version"])), path))
    return max(fitting, key=lambda row: row[0])[1] if fitting else None


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def read_bundle(path: Path) -> dict[str, Any]:
    """The model card, checked for what we need.

    Raises
    ------
    ModelError
        It is missing, damaged, of a newer schema, or lacks an entry.
    """
    try:
        spec = json.loads((Path(path) / "model.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError("This folder is not a model: model.json is missing.", "Choose a model bundle.") from error
    except (OSError, ValueError) as error:
        raise ModelError("The model card (model.json) cannot be read.", "Import the model again.") from error
    schema = spec.get("schema") if isinstance(spec, dict) else None
    if schema != SCHEMA:
        raise ModelError(
            f"The model card has the schema {schema!r}, not {SCHEMA!r}.",
            "Update ece-core, or import a model made for this version.",
        )
    missing = [key for key in REQUIRED if key not in spec]
    if missing:
        raise ModelError(f"The model card lacks {', '.join(missing)}.", "Export the model again from its training.")
    return spec


def verify_bundle(path: Path) -> dict[str, Any]:
    """The card, after the weights were found to be those that it names.

    Raises
    ------
    ModelError
        The weights are missing or their SHA-256 differs.
    """
    spec = read_bundle(path)
    weights = Path(path) / "weights.safetensors"
    if not weights.is_file():
        raise ModelError("The model's weights (weights.safetensors) are missing.", "Import the model again.")
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != spec["weights_sha256"]:
        raise ModelError(
            f"The weights of the model {spec['name']} are not those of its card "
            f"(SHA-256 {found[:12]}..., expected {str(spec['weights_sha256'])[:12]}...).",
            "The file is damaged or was changed: import the model again.",
        )
    return spec


def load_bundle(path: Path, device: str = "cpu", fold: bool = True) -> Bundle:
    """The network with its weights, in eval mode on ``device``.

    Parameters
    ----------
    fold
        Make batch normalization part of the convolutions where the network can (`folding.py`): faster, the same
        answers. False to go on training, or to save it again.

    Raises
    ------
    ModelError
        The bundle is damaged, or its weights do not fit its architecture.
    """
    from safetensors.torch import load_file

    from ece_core.models.folding import with_folded_norms
    from ece_core.models.registry import build

    spec = verify_bundle(path)
    network = build(spec["architecture"], spec["arguments"])
    state = load_file(Path(path) / "weights.safetensors")
    try:
        fits = set(_own_weights(network)) == set(state)
        network.load_state_dict(state, strict=False)  # the other names of shared weights are absent
    except RuntimeError as error:
        raise _unfit(spec) from error
    if not fits:
        raise _unfit(spec)
    network.eval()
    network = (with_folded_norms(network) if fold else network).to(device)
    return Bundle(spec["name"], spec["version"], spec["task"], spec, spec["weights_sha256"], network, Path(path))


def _unfit(spec: dict[str, Any]) -> ModelError:
    return ModelError(
        f"The weights of the model {spec['name']} do not fit its architecture.", "Import the model again."
    )


def _own_weights(network: nn.Module) -> dict[str, Any]:
    """The state without second names of the same tensor (MONAI's DynUNet registers each block twice)."""
    own, seen = {}, set()
    for key, value in network.state_dict().items():
        if value.data_ptr() not in seen or value.numel() == 0:
            own[key] = value
        seen.add(value.data_ptr())
    return own


def save_bundle(path: Path, spec: dict[str, Any], network: nn.Module, half: bool = True) -> None:
    """Write a bundle; ``half`` stores float weights as float16, which halves the download.

    The caller's ``spec`` lacks only ``schema`` and ``weights_sha256``.
    """
    import torch
    from safetensors.torch import save_file

    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    state = {
        key: (value.half() if half and value.dtype == torch.float32 else value).contiguous().cpu()
        for key, value in _own_weights(network).items()
    }
    save_file(state, path / "weights.safetensors")
    digest = hashlib.sha256((path / "weights.safetensors").read_bytes()).hexdigest()
    card = {"schema": SCHEMA, **spec, "weights_sha256": digest}
    (path / "model.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
