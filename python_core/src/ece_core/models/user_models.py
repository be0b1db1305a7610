"""The user's own models: imported from a folder or a zip file, checked before anything is replaced, and removed.

For hospitals without internet: the file comes on a stick. Nothing of it is run, and of a stranger's folder only the
card and safetensors come along.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ece_core.errors import InputError, ModelError, RunError
from ece_core.models.bundle import list_bundles, read_bundle, shipped_models_folders, user_models_folder, verify_bundle

CARD, WEIGHTS = "model.json", "weights.safetensors"
BESIDE = ("contour_quality.safetensors",)  # what a bundle may hold beside its weights
MAX_BYTES = 4 * 2**30  # unpacked; our largest bundle is a few MB, a large nnU-Net ensemble about 1 GB
MAX_HEADER_BYTES = 100 * 2**20  # as the safetensors library itself allows
PICKLES = (".pt", ".pth", ".ckpt", ".pkl", ".bin")


def import_bundle(source: Path | str, replace: bool = False) -> dict[str, Any]:
    """Copy a bundle into the user's own models.

    It is copied and checked under a temporary name beside its place, and takes it only then: a half-copied bundle is
    never found, and a model of the same name stays whole until the new one is.

    Parameters
    ----------
    source
        A folder with model.json and weights.safetensors, or a zip file of one.
    replace
        Take the place of a model of the same name.

    Returns
    -------
    dict
        The card.

    Raises
    ------
    ModelError
        It is no bundle, of a newer schema, or its weights are not safetensors or not those that the card names.
    InputError
        A model of this name is there, and ``replace`` is False.
    RunError
        It cannot be written.
    """
    with _as_folder(Path(source)) as folder:
        spec = _checked(folder)
        target = user_models_folder() / _safe_name(spec["name"])
        if target.exists() and not replace:
            raise InputError(
                f"You already have a model named {spec['name']}.", f"Remove it first: ece models remove {spec['name']}"
            )
        partial = target.with_name(f".{target.name}.partial")
        try:
            _copy(folder, partial)
            _checked(partial)
            _put_in_place(partial, target)
        except OSError as error:
            fix = "Check that the disk is not full and that you may write there."
            raise RunError("The model could not be copied to your models.", fix) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return spec


def user_bundles() -> list[Path]:
    """Folders of the models that the user imported."""
    return [path for path in list_bundles() if path.parent == user_models_folder()]


def remove_bundle(name: str) -> None:
    """Delete one of the user's own models.

    Raises
    ------
    InputError
        There is none of this name, or it came with the program.
    """
    by_name = {path.name: path for path in list_bundles()}
    if name not in by_name:
        raise InputError("There is no model with this name.", f"Known are: {', '.join(sorted(by_name)) or 'none'}.")
    if whose(by_name[name]) != "yours":
        raise InputError(f"The model {name} came with the program.", "Only models that you imported are removed.")
    shutil.rmtree(by_name[name])


def whose(path: Path) -> str:
    """``"yours"``, ``"shipped"`` or ``"elsewhere"``."""
    if path.parent == user_models_folder():
        return "yours"
    return "shipped" if path.parent in shipped_models_folders() else "elsewhere"


@contextmanager
def _as_folder(source: Path) -> Iterator[Path]:
    """The folder itself, or that of a zip file, unpacked for a moment."""
    if source.is_dir():
        yield source
        return
    if not source.is_file():
        raise InputError("The file or folder does not exist.", "Check the path and try again.")
    if not zipfile.is_zipfile(source):
        raise ModelError(
            "This file is no model bundle: it is not a zip file.",
            "Choose the zip file of a bundle, or a folder with model.json and weights.safetensors.",
        )
    with tempfile.TemporaryDirectory(prefix="ece-model-") as temporary:
        _unpack(source, Path(temporary))
        yield Path(temporary)


def _unpack(source: Path, folder: Path) -> None:
    """Only the files that belong to a bundle, by name; paths in the archive are not followed."""
    try:
        with zipfile.ZipFile(source) as archive:
            cards = [info for info in archive.infolist() if Path(info.filename).name == CARD]
            if len(cards) != 1:
                raise ModelError(f"The zip file holds {len(cards)} model cards (model.json), not one.",
                                 "Choose the zip file of a single bundle.")  # fmt: skip
            inside = cards[0].filename.removesuffix(CARD)
            wanted = {f"{inside}{name}": name for name in (CARD, WEIGHTS, *BESIDE)}
            members = [info for info in archive.infolist() if info.filename in wanted]
            if sum(info.file_size for info in members) > MAX_BYTES:
                raise ModelError("The zip file is too large to be a model bundle.", "Choose the zip file of a bundle.")
            for info in members:
                with archive.open(info) as packed, (folder / wanted[info.filename]).open("wb") as file:
                    shutil.copyfileobj(packed, file)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelError("The zip file is damaged or encrypted.", "Copy it again from where it came.") from error


def _checked(folder: Path) -> dict[str, Any]:
    """Card, hash, and that every file of numbers is one of safetensors."""
    if not (folder / WEIGHTS).is_file() and (folder / CARD).is_file() and _pickles(folder):
        raise ModelError(
            "The model's weights are a pickle, which can run code: it was not read.",
            "Ask for weights.safetensors, or import a trained nnU-Net with `ece models import FOLDER`.",
        )
    spec = verify_bundle(folder)
    for name in (WEIGHTS, *BESIDE):
        if (folder / name).is_file():
            _check_safetensors(folder / name)
    return spec


def _pickles(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix in PICKLES]


def _check_safetensors(file: Path) -> None:
    """The header alone: eight bytes of length, then JSON that says where each tensor lies in the file.

    Source: https://huggingface.co/docs/safetensors, "Format".
    """
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(MAX_HEADER_BYTES, file.stat().st_size - 8):
                raise ValueError("no header")
            header = json.loads(stream.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        if 8 + length + max(ends, default=0) != file.stat().st_size:
            raise ValueError("not as long as its header says")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        fix = "Export the model again from its training."
        raise ModelError(f"{file.name} is not a safetensors file.", fix) from error


def _copy(folder: Path, partial: Path) -> None:
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in (CARD, WEIGHTS, *BESIDE):  # nothing else of a stranger's folder comes along
        if (folder / name).is_file():
            shutil.copyfile(folder / name, partial / name)


def _put_in_place(partial: Path, target: Path) -> None:
    """The former model is set aside until the new one stands in its place."""
    former = target.with_name(f".{target.name}.former")
    shutil.rmtree(former, ignore_errors=True)
    if target.exists():
        target.rename(former)
    try:
        partial.rename(target)
    except OSError:
        if former.exists():
            former.rename(target)
        raise
    shutil.rmtree(former, ignore_errors=True)


def _safe_name(name: str) -> str:
    """A card is a stranger's text: its name becomes a folder name only if it is one."""
    if not name or name.startswith(".") or not all(letter.isalnum() or letter in "-_." for letter in name):
        raise ModelError("The model's name cannot be a folder name.", "Rename it in model.json: letters, digits, - _ .")
    return name


def installed() -> dict[str, str]:
    """By task, the model that an analysis would take, as ``"lymph-node-unet 3.0"``; no entry where there is none."""
    from ece_core.models.bundle import TASKS, bundle_for

    found = {task: bundle_for(task) for task in TASKS}
    specs = {task: read_bundle(path) for task, path in found.items() if path is not None}
    return {task: f"{spec['name']} {spec['version']}" for task, spec in specs.items()}
