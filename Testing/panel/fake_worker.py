"""A worker without an analysis: speaks the protocol of design.md, section 6, and behaves as it is told.

    python fake_worker.py MODE RECORD RESULT

MODE: a file that holds one of happy, chatty, slow, deaf, error, dies; read at each request. RECORD: a file that gets
every request, one a line. RESULT: a result folder that `happy` and `chatty` copy as their answer. `classify` is
answered with an ECE probability of 0.4 plus the label in hundredths; `explain` adds the first heatmap under a new name.
`send` counts the DICOM files of the folder; in the mode `partial` the first of them is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

MODE, RECORD, RESULT = (Path(argument) for argument in sys.argv[1:4])
STAGES = [("read", "Reading the scan", 0.1, None), ("segment", "Finding lymph nodes", 0.6, 41.0)]
UNFINISHED: list[Path] = []
writing = threading.Lock()


def say(**event: object) -> None:
    with writing:
        print(json.dumps(event), flush=True)


def progress(identifier: str) -> None:
    for stage, title, fraction, remaining in STAGES:
        say(event="progress", id=identifier, stage=stage, title=title, fraction=fraction, elapsed_s=1.0,
            remaining_s=remaining)
        time.sleep(0.05)


def partial(out: str) -> Path:
    """The half-written folder of a run under way, named as the real one names it."""
    folder = Path(out).parent / f".{Path(out).name}.partial-999999999-0-fake"
    folder.mkdir(parents=True)
    return folder


def modeFor(request: dict) -> str:
    """`fails on b`, `dies on b`, `slow on b`: only of a scan whose name begins so; of others happy."""
    mode, _, name = MODE.read_text().partition(" on ")
    if name and not Path(request.get("ct", "")).name.startswith(name):
        return "happy"
    return "error" if mode == "fails" else mode


def run(request: dict) -> None:
    identifier, mode = request["id"], modeFor(request)
    if mode == "chatty":
        print("a library that prints to stdout", flush=True)
        print("a warning of a library", file=sys.stderr, flush=True)
    if mode == "deaf":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        RECORD.with_suffix(".child").write_text(str(child.pid))
    if mode in ("slow", "deaf") and "out" in request:
        UNFINISHED.append(partial(request["out"]))
    if request["request"] == "send":
        say(event="progress", id=identifier, stage="send", title="Sending to the PACS", fraction=0.5, elapsed_s=1.0,
            remaining_s=None)
    else:
        progress(identifier)
    if mode in ("slow", "deaf"):
        return  # it goes on until it is cancelled
    if mode == "error":
        say(event="error", id=identifier, kind="input", problem="The scan has a gantry tilt of 18.5 degrees.",
            fix="Reconstruct the series without tilt.")
    elif mode == "dies":
        os._exit(137)
    elif request["request"] == "send":
        sendTo(request, mode)
    elif request["request"] == "classify":
        say(event="result", id=identifier, folder=None, lymph_node=judged(request["label"]), warnings=[])
    elif request["request"] == "explain":
        say(event="result", id=identifier, folder=request["result"], file=explained(request))
    else:
        shutil.copytree(RESULT, request["out"])
        say(event="result", id=identifier, folder=request["out"])


def sendTo(request: dict, mode: str) -> None:
    folder = Path(request["path"])
    files = sorted((folder / "dicom" if (folder / "result.json").exists() else folder).rglob("*.dcm"))
    if mode == "partial":
        from pydicom import dcmread  # late: every test of a panel starts this worker

        alias = hashlib.sha256(dcmread(files[0]).SOPInstanceUID.encode()).hexdigest()[:16]
        say(event="error", id=request["id"], kind="failed", problem=f"1 of {len(files)} DICOM objects were not sent.",
            fix="Start it again.", failures=[{"instance": alias, "reason": "refused: it is full (A700)"}])
        return
    counts = {"total": len(files), "sent": len(files) - 1, "there_before": 1}
    warnings = ["The connection is not encrypted: whoever is on the network can read it."]
    say(event="result", id=request["id"], folder=request["path"], transfer=counts,
        warnings=[] if request["server"].startswith(("https:", "dicoms:")) else warnings)


def judged(label: int) -> dict:
    """A classifier's row; its name and source are not those of the review, which has to know better."""
    probability = 0.4 + label / 100
    probabilities = {"N": 0.0, "P": 1 - probability, "ENE": probability}
    return {"id": f"LN{label}", "label": label, "class": {"name": "P", "probabilities": probabilities, "set": ["P"]},
            "ece_probability": probability, "short_axis_mm": 5.5, "volume_mm3": 500.0, "source": "MANUAL",
            "status": "new", "flags": []}


def explained(request: dict) -> str:
    folder, method = Path(request["result"]), request["method"]
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    file = f"heatmaps/{method}.nrrd"
    shutil.copyfile(folder / result["heatmaps"][0]["file"], folder / file)
    result["heatmaps"].append({"method": method, "title": method.title(), "file": file, "scaling": "per lymph node"})
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return str(folder / file)


def main() -> None:
    say(event="ready", device="cpu", seconds=0.1, warnings=[])
    for line in sys.stdin:
        request = json.loads(line)
        with RECORD.open("a") as record:
            record.write(json.dumps({**request, "files": filesOf(request)}) + "\n")
        if request["request"] in ("analyze", "segment", "classify", "explain", "send"):
            threading.Thread(target=run, args=(request,), daemon=True).start()
        elif request["request"] == "cancel" and MODE.read_text() != "deaf":
            for folder in UNFINISHED:
                folder.rmdir()
            say(event="error", id=request["id"], kind="cancelled", problem="Cancelled.", fix="Start it again.")


def filesOf(request: dict) -> list[str]:
    """What was handed over, as the worker found it."""
    ct = Path(request.get("ct", "")) if request.get("ct") else None
    if ct is None:
        return []
    mask = [Path(request["mask"]).name] if Path(request.get("mask", "/nowhere")).is_file() else []
    return (sorted(file.name for file in ct.iterdir()) if ct.is_dir() else [ct.name]) + mask


main()
