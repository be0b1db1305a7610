"""`ece doctor`: what is installed, which device, what is missing and how to fix it."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from ece_core import RESEARCH_USE_ONLY, __version__
from ece_core.cli.arguments import add_json_argument
from ece_core.cli.console import Console
from ece_core.errors import ECEError

NEEDED = ("numpy", "scipy", "SimpleITK", "pydicom", "highdicom", "scikit-image", "pillow", "safetensors", "psutil")
FOR_ANALYSIS = ("torch", "monai")
FOR_PACS = ("dicomweb-client", "pynetdicom")  # DICOMweb, DIMSE
LEAST_MEMORY_GIB = 6  # the aim of `make bench` for one analysis
TRANSFER_SYNTAXES = {
    "JPEG": "1.2.840.10008.1.2.4.50",
    "JPEG lossless": "1.2.840.10008.1.2.4.70",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
    "RLE": "1.2.840.10008.1.2.5",
    "HTJ2K": "1.2.840.10008.1.2.4.201",
}
RARE = ("HTJ2K",)  # no CT archive that we know of; its absence is said, and nothing to fix


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report; ``fix`` is empty when all is well."""

    name: str
    found: str
    fix: str = ""


def add_parser(commands) -> None:
    parser = commands.add_parser("doctor", help="what is installed, which device, what is missing")
    add_json_argument(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace, console: Console) -> None:
    missing = 0
    for finding in examine():
        missing += bool(finding.fix)
        console.event({"event": "finding", **asdict(finding)})
        console.say(f"{'MISSING' if finding.fix else 'ok':<8}{finding.name:<22}{finding.found}")
        if finding.fix:
            console.say(f"        {finding.fix}")
    console.event({"event": "result", "id": None, "missing": missing})
    console.say(f"{missing} thing(s) to fix." if missing else "Everything is ready.")
    console.say(RESEARCH_USE_ONLY)


def examine() -> Iterator[Finding]:
    """All findings, quick ones first."""
    yield Finding("ece-core", __version__)
    yield _python()
    for name in NEEDED:
        yield _package(name, f"pip install {name}")
    for name in FOR_ANALYSIS:
        yield _package(name, 'pip install "ece-core[analysis]" (reviewing and exporting work without)')
    yield _memory()
    yield _guarded("DICOM compressions", _decoders)
    yield _guarded("PACS", _pacs)
    yield _guarded("device", _device)
    for task in ("lymph_node_segmentation", "lymph_node_classification"):
        yield _guarded(f"model {task.removeprefix('lymph_node_')}", partial(_model, task))


def _python() -> Finding:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("Python", found, "" if sys.version_info >= (3, 11) else "Install Python 3.11 or later.")


def _package(name: str, fix: str) -> Finding:
    try:
        return Finding(name, version(name))
    except PackageNotFoundError:
        return Finding(name, "not installed", fix)


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    total, free = memory.total / 2**30, memory.available / 2**30
    short = f"One analysis takes up to {LEAST_MEMORY_GIB} GiB: close other programs." if free < LEAST_MEMORY_GIB else ""
    return Finding("memory", f"{total:.1f} GiB, {free:.1f} GiB free, {os.cpu_count()} CPU cores", short)


def _decoders() -> Finding:
    from pydicom.uid import UID

    from ece_core.io.dicom_checks import DECODER_PACKAGES
    from ece_core.io.dicom_pixels import decoder_of

    by = {name: decoder_of(UID(uid)) for name, uid in TRANSFER_SYNTAXES.items()}
    found = ", ".join(f"{name} ({decoder or 'not readable'})" for name, decoder in by.items())
    lacking = [name for name in by if not by[name] and name not in RARE]
    missing = [DECODER_PACKAGES.get(TRANSFER_SYNTAXES[name], "pydicom") for name in lacking]
    return Finding("DICOM compressions", found, f"Install {', '.join(missing)}." if missing else "")


def _pacs() -> Finding:
    """Not everybody has a PACS: what is absent is said, and nothing to fix."""
    try:
        return Finding("PACS", ", ".join(f"{name} {version(name)}" for name in FOR_PACS))
    except PackageNotFoundError:
        return Finding("PACS", 'not installed, and only for `ece pacs`: pip install "ece-core[pacs]"')


def _device() -> Finding:
    if find_spec("torch") is None:
        return Finding("device", "unknown without torch", 'pip install "ece-core[analysis]"')
    from ece_core.pipeline.networks import choose_device

    device = choose_device("auto")
    return Finding("device", "the CPU (no CUDA GPU that torch can use)" if device == "cpu" else f"GPU {device}")


def _model(task: str) -> Finding:
    from ece_core.models import find_bundle, verify_bundle

    spec = verify_bundle(find_bundle(task))
    return Finding(f"model {task.removeprefix('lymph_node_')}", f"{spec['name']} {spec['version']}")


def _guarded(name: str, examine_it: Callable[[], Finding]) -> Finding:
    """A broken installation is a finding, not the end of the report."""
    try:
        return examine_it()
    except ECEError as error:
        return Finding(name, error.problem, error.fix)
    except Exception as error:
        return Finding(name, f"broken ({type(error).__name__})", "Install the packages again.")
