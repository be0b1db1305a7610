"""A worker over a real subprocess, and a CT for it."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, SimpleQueue

import psutil
import pytest
from ece_core.io import write_image

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))
import fake_networks

PATIENCE_S = 180  # a busy test machine; what is promised sooner is measured by the test itself


class Worker:
    """Talks to a worker: sends requests, waits for events."""

    def __init__(self, behaviour: str, command: tuple[str, ...] | None = None) -> None:
        command = command or (sys.executable, str(Path(__file__).with_name("fake_worker.py")), behaviour)
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self._events: SimpleQueue = SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()
        self._stderr: list[str] = []
        threading.Thread(target=lambda: self._stderr.extend(self.process.stderr), daemon=True).start()

    def _listen(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line)
            self._events.put(json.loads(line))

    def send(self, **request) -> None:
        self.send_line(json.dumps(request))

    def send_line(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait_for(self, *kinds: str, **fields) -> dict:
        """The next event of these kinds with these fields; others are passed over."""
        while True:
            try:
                event = self._events.get(timeout=PATIENCE_S)
            except Empty:
                raise AssertionError(f"no {kinds} {fields}; stderr: {''.join(self._stderr)}") from None
            if event["event"] in kinds and all(event.get(key) == value for key, value in fields.items()):
                return event

    def warm_process(self) -> psutil.Process:
        (child,) = psutil.Process(self.process.pid).children()
        return child

    def stderr(self) -> str:
        self.process.wait(PATIENCE_S)
        return "".join(self._stderr)

    def end(self) -> None:
        """Closes stdin and waits."""
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)


@pytest.fixture
def a_worker():
    """Starts workers, and leaves none behind."""
    started = []

    def start(behaviour: str = "quick") -> Worker:
        started.append(Worker(behaviour))
        return started[-1]

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.process.kill()
            worker.process.wait()


@pytest.fixture(scope="module")
def the_worker():
    """One worker for all tests that do not cancel, kill or end it: a start costs seconds."""
    worker = Worker("quick")
    yield worker
    worker.end()


@pytest.fixture
def a_ct_file(tmp_path):
    path = tmp_path / "scan.nii.gz"
    write_image(fake_networks.a_neck_ct(), path)
    return path
