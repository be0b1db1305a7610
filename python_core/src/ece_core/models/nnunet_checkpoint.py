"""Read a checkpoint of nnU-Net v2 without running anything that it brings."""

from __future__ import annotations

import pickle
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ece_core.errors import ModelError

# nnU-Net's log and best score are numpy scalars. We need neither: what a checkpoint names so becomes a _Forgotten,
# and not even numpy's own functions run on its bytes.
NUMPY_NAMES = {
    "numpy": ("dtype", "ndarray"),
    "numpy.core.multiarray": ("scalar", "_reconstruct"),
    "numpy._core.multiarray": ("scalar", "_reconstruct"),
}


class _Forgotten:
    def __init__(self, *arguments: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


FORGOTTEN: list[Any] = [
    type(name, (_Forgotten,), {"__module__": module}) for module, names in NUMPY_NAMES.items() for name in names
]


@dataclass(frozen=True)
class Checkpoint:
    """``weights`` with nnU-Net's names; ``mirror_axes`` are those that training allows, in nnU-Net's axis order."""

    weights: dict[str, Any]
    configuration: str
    trainer: str
    mirror_axes: tuple[int, ...]


def read_checkpoint(path: Path) -> Checkpoint:
    """The parts of a checkpoint that inference needs.

    Raises
    ------
    ModelError
        It is damaged, holds code or other objects, or is not one of nnU-Net v2.
    """
    content = _load(path)
    keys = ("network_weights", "init_args", "trainer_name")
    missing = [key for key in keys if key not in content] if isinstance(content, dict) else list(keys)
    if missing:
        raise ModelError(
            f"The checkpoint {path.name} in {path.parent.name} is not of nnU-Net v2: it lacks {', '.join(missing)}.",
            "Choose the results folder of an nnU-Net v2 training (version 1 is not read).",
        )
    try:
        weights = {re.sub(r"^(module\.|_orig_mod\.)+", "", key): value for key, value in _tensors(content)}
        axes = tuple(int(axis) for axis in content.get("inference_allowed_mirroring_axes") or ())
        return Checkpoint(weights, str(content["init_args"]["configuration"]), str(content["trainer_name"]), axes)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path) from error


def _tensors(content: dict[str, Any]):
    import torch

    for key, value in content["network_weights"].items():
        if not isinstance(value, torch.Tensor):
            raise TypeError(f"{key} is not a tensor")
        yield key, value


def _load(path: Path) -> Any:
    try:
        import torch
        from torch.serialization import safe_globals
    except ImportError as error:
        raise ModelError(
            "The import of an nnU-Net model needs PyTorch 2.5 or newer.", 'Run `pip install -U "ece-core[analysis]"`.'
        ) from error
    try:
        with warnings.catch_warnings(), safe_globals(FORGOTTEN):
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if not named:
            raise _damaged(path) from error
        raise ModelError(
            f"The checkpoint {path.name} in {path.parent.name} holds more than weights: it asks for {named[1]}. "
            "Nothing of it was run.",
            "Save it again with nnU-Net's own trainer, or ask those who made it why it is there.",
        ) from error
    except (EOFError, OSError, RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> ModelError:
    return ModelError(
        f"The checkpoint {path.name} in {path.parent.name} cannot be read: it is damaged or of another program.",
        "Copy the nnU-Net results folder again.",
    )
