"""`ece` in this process and in one of its own, both over fake networks."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ece_core.cli.main import main
from ece_core.io import write_image

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))
import fake_networks

PATIENCE_S = 180  # a busy test machine


class Outcome:
    """Exit code and what was printed."""

    def __init__(self, code, printed) -> None:
        self.code, self.out, self.err = code, printed.out, printed.err

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def ece(monkeypatch, capsys):
    """Runs `ece` in this process."""
    fake_networks.install(monkeypatch.setattr)

    def run(*arguments) -> Outcome:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Outcome(code, capsys.readouterr())

    return run


@pytest.fixture
def a_ct_file(tmp_path):
    path = tmp_path / "scan.nii.gz"
    write_image(fake_networks.a_neck_ct(), path)
    return path


class Process:
    """One `ece` in a process of its own."""

    def __init__(self, server: subprocess.Popen, arguments, output: Path, segmentation_s: float) -> None:
        self._server, self._output = server, output
        arguments = [str(argument) for argument in arguments]
        request = {"arguments": arguments, "output": str(output), "segmentation_s": segmentation_s}
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        self.pid = self._hear(lambda words: "code" not in words)["pid"]

    def _hear(self, wanted) -> dict:
        """The next words of the server that are wanted; those about processes that a failed test left are not."""
        while not wanted(words := json.loads(self._server.stdout.readline())):
            pass
        return words

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> int:
        with contextlib.suppress(ProcessLookupError):  # it was quicker
            self.signal(signal.SIGKILL)
        return self.wait()

    def wait(self) -> int:
        """The exit code; negative: the signal."""
        return self._hear(lambda words: words["pid"] == self.pid and "code" in words)["code"]

    def wait_until_it_says(self, words: str, times: int = 1) -> None:
        until = time.monotonic() + PATIENCE_S
        while self.said().count(words) < times:
            assert time.monotonic() < until, self.said()
            time.sleep(0.005)

    def said(self) -> str:
        return self._output.read_text() if self._output.exists() else ""


@pytest.fixture(scope="session")
def _server():
    script = Path(__file__).with_name("ece_with_fake_networks.py")
    process = subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process
    process.stdin.close()
    process.wait(PATIENCE_S)


@pytest.fixture
def start_ece(_server, tmp_path_factory):
    """Starts `ece` in a process of its own."""
    outputs, number = tmp_path_factory.mktemp("said"), itertools.count()

    def start(*arguments, segmentation_s=0.2) -> Process:
        return Process(_server, arguments, outputs / f"{next(number)}.txt", segmentation_s)

    return start
