"""Orthanc with DICOMweb on loopback, in a fresh folder; it can be killed and started again."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

PROGRAM, PLUGIN = Path("/usr/sbin/Orthanc"), Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
PATIENCE_S = 60  # a busy test machine


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Orthanc:
    """One server. ``settings`` come on top of those of the recipe (AE title ORTHANC; it knows LNECE)."""

    def __init__(self, folder: Path, **settings) -> None:
        self.folder = folder
        self.http, self.dicom, self.ours = free_port(), free_port(), free_port()
        (folder / "db").mkdir()
        (folder / "orthanc.json").write_text(json.dumps(self._recipe() | settings))
        self._process: subprocess.Popen | None = None

    def _recipe(self) -> dict:
        us = {"AET": "LNECE", "Host": "127.0.0.1", "Port": self.ours, "Manufacturer": "Generic"}
        us |= {f"Allow{what}": True for what in ("Echo", "Find", "Get", "Move", "Store")}
        return {
            "Name": "LNECE-TEST",
            "StorageDirectory": str(self.folder / "db"),
            "IndexDirectory": str(self.folder / "db"),
            "HttpPort": self.http,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomPort": self.dicom,
            "DicomAet": "ORTHANC",
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowEcho": True,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": False,
            "DicomAlwaysAllowGet": False,
            "DicomAlwaysAllowMove": False,
            "UnknownSopClassAccepted": True,
            "DicomModalities": {"lnece": us},
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "StudiesMetadata": "Full", "SeriesMetadata": "Full"},
            "OverwriteInstances": False,
        }

    def start(self) -> None:
        starts = self._said("Orthanc has started")
        with (self.folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                [PROGRAM, self.folder / "orthanc.json"], stdout=log, stderr=subprocess.STDOUT
            )
        until = time.monotonic() + PATIENCE_S
        # Not by connecting: version 1.10.1 dies of a TLS connection that ends before it has begun.
        while self._said("Orthanc has started") == starts:
            assert time.monotonic() < until and self._process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)

    def _said(self, words: str) -> int:
        log = self.folder / "log"
        return log.read_text(errors="replace").count(words) if log.exists() else 0

    def kill(self) -> None:
        """As a power cut does it."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Its folder goes with the test: nothing is worth the seconds of an orderly end."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def restart(self) -> None:
        self.kill()
        self.start()

    @property
    def addresses(self) -> dict[str, list]:
        """The arguments of `ece` for each way to talk to it."""
        dicom = f"dicom://ORTHANC@127.0.0.1:{self.dicom}"
        return {
            "web": ["--server", f"http://127.0.0.1:{self.http}/dicom-web"],
            "get": ["--server", dicom],
            "move": ["--server", dicom, "--move-port", str(self.ours)],
        }

    def count(self) -> int:
        """How many instances it holds; Orthanc's own interface, none of ours."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/statistics") as answer:
            return json.load(answer)["CountInstances"]
