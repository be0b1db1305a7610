"""`ece models list|verify|import|remove`: the model bundles of this computer."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from ece_core.classes import CLASS_NAMES
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
    _add_import(_add(actions, "import", import_model, "copy a bundle, or a trained nnU-Net v2, into your own models"))
    _add(actions, "remove", remove_model, "delete one of your own models").add_argument("model", metavar="NAME")


def _add(actions, name: str, run, help: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=help)
    add_json_argument(parser)
    parser.set_defaults(run=run)
    return parser


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER",
        help="folder with model.json and weights.safetensors or a zip file of one, or nnU-Net's results folder with "
        "plans.json and fold_0",
    )  # fmt: skip
    parser.add_argument("--replace", action="store_true", help="take the place of a model of the same name")
    nnunet = parser.add_argument_group("for an nnU-Net")
    nnunet.add_argument(
        "--labels", type=_labels, default=(), metavar="N=NAME,P=NAME,ENE=NAME",
        help="the model's own names of our classes, where they differ",
    )  # fmt: skip
    nnunet.add_argument("--fold", nargs="+", default=[], metavar="FOLD", help="default: all, their logits averaged")
    nnunet.add_argument("--checkpoint", default="checkpoint_final.pth", metavar="FILE", help="default: %(default)s")
    nnunet.add_argument("--name", default="", help="default: the data set's and the configuration's")
    nnunet.add_argument(
        "--orientation", default="", choices=["LPS", "RAS", "LAS", "RPS"],
        help="where columns, rows and slices of the training images pointed to (default: LPS, as DICOM has it)",
    )  # fmt: skip
    nnunet.add_argument("--mirror", action="store_true", help="mirror as nnU-Net does: up to 8 times slower")
    nnunet.add_argument("--any-trainer", action="store_true", help="take a trainer that nnU-Net does not bring")


def _labels(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(ours in CLASS_NAMES and theirs for ours, _, theirs in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form N=NAME,P=NAME,ENE=NAME")
    return tuple((ours, theirs) for ours, _, theirs in pairs)


def list_models(asked: argparse.Namespace, console: Console) -> None:
    """One line per bundle; a damaged one is listed with what is wrong."""
    from ece_core.models import list_bundles, read_bundle
    from ece_core.models.user_models import whose

    rows: list[tuple[str, ...]] = [("Name", "Version", "Task", "Whose", "Folder")]
    for path in list_bundles():
        try:
            spec = read_bundle(path)
            row = (spec["name"], spec["version"], spec["task"], whose(path), str(path))
        except ModelError as error:
            row = (path.name, "?", error.problem, whose(path), str(path))
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
    """A bundle as it is; a trained nnU-Net after it was turned into one."""
    from ece_core.models.import_nnunet import Choice, import_nnunet, is_nnunet_folder

    if not is_nnunet_folder(asked.folder):
        _import_bundle(asked.folder, console, asked.replace)
        return
    keys = ("labels", "name", "checkpoint", "orientation", "mirror", "any_trainer")
    choice = Choice(folds=asked.fold, **{key: getattr(asked, key) for key in keys})
    with tempfile.TemporaryDirectory() as scratch:
        import_nnunet(asked.folder, Path(scratch), choice)
        _import_bundle(Path(scratch), console, asked.replace)


def _import_bundle(source: Path, console: Console, replace: bool) -> None:
    from ece_core.models.bundle import user_models_folder
    from ece_core.models.user_models import import_bundle

    spec = import_bundle(source, replace)
    target = user_models_folder() / spec["name"]
    console.event({"event": "result", "id": None, "folder": str(target)})
    console.say(f"Imported {spec['name']} {spec['version']}: {target}")


def remove_model(asked: argparse.Namespace, console: Console) -> None:
    """Only from the user's own folder: what was shipped belongs to the installation."""
    from ece_core.models.user_models import remove_bundle

    remove_bundle(asked.model)
    console.event({"event": "result", "id": None, "folder": None})
    console.say(f"Removed {asked.model}.")


def _find(name: str) -> Path:
    from ece_core.models import list_bundles

    by_name = {path.name: path for path in list_bundles()}
    if name in by_name:
        return by_name[name]
    if (Path(name) / "model.json").is_file():
        return Path(name)
    raise InputError("There is no model with this name.", f"Known are: {', '.join(sorted(by_name)) or 'none'}.")
