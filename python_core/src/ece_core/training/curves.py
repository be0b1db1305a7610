"""What a training writes about itself: `curve.csv`, `validation.csv`, and TensorBoard where it is wanted."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ece_core.errors import InputError


def need_tensorboard() -> None:
    """Refuses now rather than after hours.

    Raises
    ------
    InputError
        It is not installed.
    """
    if find_spec("tensorboard") is None:
        raise InputError(
            'The config asks for TensorBoard ("tensorboard"), which is not installed.',
            'Install with `pip install "ece-core[tensorboard]"`, or take it out of the config: the curve is written '
            "as CSV in any case.",
        )


class Curves:
    """Rows after ``start`` are forgotten: a killed training wrote them, and makes them again.

    Parameters
    ----------
    work
        Folder of the training; None: nothing is written.
    """

    def __init__(self, work: Path | None, start: int, tensorboard: bool = False) -> None:
        self.work, self.writer = work, None
        if work is None:
            return
        for name in ("curve.csv", "validation.csv"):
            _forget(work / name, start)
        if tensorboard:
            need_tensorboard()
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(work / "tensorboard"), purge_step=start + 1)

    def loss(self, step: int, loss: float, rate: float, seconds: float) -> None:
        """Mean loss since the last row."""
        self._write("curve.csv", "", f"{step},{loss:.5f},{seconds:.0f}")
        self._draw(step, {"loss": loss, "learning_rate": rate})

    def validation(self, step: int, values: dict[str, float]) -> None:
        """Dice of patches that the network has not learned from."""
        header = ",".join(["step", *values])
        self._write("validation.csv", header, ",".join([str(step), *(f"{value:.4f}" for value in values.values())]))
        self._draw(step, {f"validation/{name}": value for name, value in values.items()})

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()

    def _write(self, name: str, header: str, row: str) -> None:
        if self.work is None:
            return
        path = self.work / name
        text = f"{header}\n" if header and not path.exists() else ""
        with path.open("a", encoding="utf-8") as stream:
            stream.write(f"{text}{row}\n")

    def _draw(self, step: int, values: dict[str, float]) -> None:
        if self.writer is not None:
            for name, value in values.items():
                self.writer.add_scalar(name, value, step)


def _forget(path: Path, after: int) -> None:
    if not path.exists():
        return
    rows = path.read_text(encoding="utf-8").splitlines()
    kept = [row for row in rows if _step(row) <= after]
    if kept != rows:
        path.write_text("".join(f"{row}\n" for row in kept), encoding="utf-8")


def _step(row: str) -> Any:
    first = row.partition(",")[0]
    return int(first) if first.isdigit() else 0  # a heading stays; so does what a kill left of a row
