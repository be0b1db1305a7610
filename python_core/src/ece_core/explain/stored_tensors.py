"""What an explanation method has learned of a network: tensors in a file beside the bundle's weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ece_core.errors import ModelError


def store(file: Path, tensors: Mapping[str, Tensor], about: dict[str, str]) -> Path:
    """As safetensors; ``about`` says of which network they are, and whatever else is needed to read them."""
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, file, metadata=about)
    return file


def stored(file: Path, known_as: str, fix: str) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    """Tensors and what was said about them; None where there is no file.

    Raises
    ------
    ModelError
        The file is damaged, or says nothing of its network: "The model's ``known_as`` cannot be read."
    """
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="pt") as content:
            about = content.metadata()
            about["network"]  # else nobody knows what it belongs to
            return {name: content.get_tensor(name) for name in content.keys()}, about  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError) as error:
        raise unreadable(known_as, fix) from error


def unreadable(known_as: str, fix: str) -> ModelError:
    return ModelError(f"The model's {known_as} cannot be read.", fix)
