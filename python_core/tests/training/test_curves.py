"""The curve of a training that was killed is the curve of one that was not; TensorBoard shows the same."""

import pytest
from ece_core.errors import InputError
from ece_core.training import curves
from ece_core.training.curves import Curves


def test_rows_after_the_checkpoint_are_written_anew(tmp_path):
    first = Curves(tmp_path, 0)
    for step in (10, 20, 30):
        first.loss(step, 1 / step, 0.01, step)
        first.validation(step, {"dice_N": step / 100})
    again = Curves(tmp_path, 20)
    again.loss(30, 0.5, 0.01, 30.4)
    again.validation(30, {"dice_N": 0.9})
    assert (tmp_path / "curve.csv").read_text() == "10,0.10000,10\n20,0.05000,20\n30,0.50000,30\n"
    assert (tmp_path / "validation.csv").read_text() == "step,dice_N\n10,0.1000\n20,0.2000\n30,0.9000\n"


def test_only_the_first_process_writes(tmp_path):
    Curves(None, 0, tensorboard=True).loss(1, 1.0, 1.0, 1.0)
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_that_is_not_there_is_said_at_once(monkeypatch):
    monkeypatch.setattr(curves, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"TensorBoard.*not installed.*ece-core\[tensorboard\]"):
        curves.need_tensorboard()


@pytest.mark.slow
def test_tensorboard_shows_what_the_files_say(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    first = Curves(tmp_path, 0, tensorboard=True)
    for step in (10, 20):
        first.loss(step, 1 / step, 0.01, step)
    first.close()
    again = Curves(tmp_path, 10, tensorboard=True)
    again.loss(20, 0.5, 0.01, 20)
    again.close()
    shown = EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("loss")
    assert [(row.step, pytest.approx(row.value)) for row in shown] == [(10, 0.1), (20, 0.5)]
