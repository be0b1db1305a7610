"""`ece models list|verify|import|remove`: the model bundles of this computer."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from ece_core.cli.arguments import add_json_argument
from ece_core.cli.console import Console
from ece_core.cli.table import columns
from ece_core.errors import InputError, ModelError


def add_parser(commands) -> None:
    parser = commands.add_parser("models", help="list, verify, import and remove model bundles")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add(actions, "list", list_models, "which models are found, and where")
    verify = _add(actions, "verify", verify_models, "whether the weights are those that the model cards name")
    verify.add_argument("model", nargs="?", metavar="NAME", help="name or folder (default: all that are found)")
    _add(actions, "import", import_model, "copy a bundle into your own models").add_argument(
        "folder", type=Path, metavar="FOLDER", help="folder with model.json and weights.safetensors"
    )
    _add(actions, "remove", remove_model, "delete one of your own models").add_argument("model", metavar="NAME")


def _add(actions, name: str, run, help: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=help)
    add_json_argument(parser)
    parser.set_defaults(run=run)
    return parser


def list_models(asked: argparse.Namespace, console: Console) -> None:
    """One line per bundle; a damaged one is listed with what is wrong."""
    from ece_core.models import list_bundles, read_bundle

    rows: list[tuple[str, ...]] = [("Name", "Version", "Task", "Whose", "Folder")]
    for path in list_bundles():
        try:
            spec = read_bundle(path)
            row = (spec["name"], spec["version"], spec["task"], _whose(path), str(path))
        except ModelError as error:
            row = (path.name, "?", error.problem, _whose(path), str(path))
        rows.append(row)
        keys = ("name", "version", "task", "whose", "folder")
        console.event({"event": "model", **dict(zip(keys, row, strict=True))})
    console.say(columns(rows) if len(rows) > 1 else "No model was found.")


def verify_models(asked: argparse.Namespace, console: Console) -> None:
    """Stops at the first bundle that is not what its card says."""
    from ece_core.models import list_bundles, verify_bundle

    paths = [_find(asked.model)] if asked.model else list_bundles()
    for path in paths:
        spec = verify_bundle(path)
        console.event({"event": "verified", "name": spec["name"], "sha256": spec["weights_sha256"]})
        console.say(f"{spec['name']} {spec['version']}: the weights are those of its card.")
    if not paths:
        raise ModelError("No model was found.", "Import one with `ece models import FOLDER`.")


def import_model(asked: argparse.Namespace, console: Console) -> None:
    """Verifies first, copies under a temporary name, renames: a half-copied bundle is never found."""
    from ece_core.models import verify_bundle
    from ece_core.models.bundle import user_models_folder

    spec = verify_bundle(asked.folder)
    target = user_models_folder() / _safe_name(spec["name"])
    if target.exists():
        raise InputError(
            f"You already have a model named {spec['name']}.", f"Remove it first: ece models remove {spec['name']}"
        )
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        for file in ("model.json", "weights.safetensors"):  # nothing else of a stranger's folder comes along
            shutil.copyfile(asked.folder / file, partial / file)
        verify_bundle(partial)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    console.event({"event": "result", "id": None, "folder": str(target)})
    console.say(f"Imported {spec['name']} {spec['version']}: {target}")


def remove_model(asked: argparse.Namespace, console: Console) -> None:
    """Only from the user's own folder: what was shipped belongs to the installation."""
    path = _find(asked.model)
    if _whose(path) != "yours":
        raise InputError(f"The model {path.name} came with the program.", "Only models that you imported are removed.")
    shutil.rmtree(path)
    console.event({"event": "result", "id": None, "folder": None})
    console.say(f"Removed {path.name}.")


def _find(name: str) -> Path:
    from ece_core.models import list_bundles

    by_name = {path.name: path for path in list_bundles()}
    if name in by_name:
        return by_name[name]
    if (Path(name) / "model.json").is_file():
        return Path(name)
    raise InputError("There is no model with this name.", f"Known are: {', '.join(sorted(by_name)) or 'none'}.")


def _whose(path: Path) -> str:
    from ece_core.models.bundle import shipped_models_folders, user_models_folder

    if path.parent == user_models_folder():
        return "yours"
    return "shipped" if path.parent in shipped_models_folders() else "elsewhere"


def _safe_name(name: str) -> str:
    """A card is a stranger's text: its name becomes a folder name only if it is one."""
    if not name or name.startswith(".") or not all(letter.isalnum() or letter in "-_." for letter in name):
        raise ModelError("The model's name cannot be a folder name.", "Rename it in model.json: letters, digits, - _ .")
    return name
