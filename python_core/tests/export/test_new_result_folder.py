"""A result folder is whole or not there."""

import errno
import os
import signal
import subprocess
import sys

import pytest
from ece_core.errors import Cancelled, InputError, RunError
from ece_core.export.result_folder import new_result_folder, remove_leftovers


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_appears_only_when_the_block_ends(tmp_path):
    with new_result_folder(tmp_path / "out") as folder:
        assert folder.parent == tmp_path and folder.name.startswith(".out.partial-")
        (folder / "result.json").write_text("{}")
        assert not (tmp_path / "out").exists()
    assert names(tmp_path) == ["out"] and names(tmp_path / "out") == ["result.json"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), Cancelled(), InputError("a", "b")])
def test_any_exception_leaves_nothing_and_comes_through(tmp_path, error):
    with pytest.raises(type(error)) as caught, new_result_folder(tmp_path / "deep" / "er" / "out") as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_text("half")
        raise error
    assert caught.value is error
    assert names(tmp_path) == []  # the parents that were made are gone, too


def test_parents_that_were_there_stay(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(ValueError, match="x"), new_result_folder(tmp_path / "mine" / "out"):
        raise ValueError("x")
    assert names(tmp_path) == ["mine"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    with new_result_folder(tmp_path / "out") as folder:
        (folder / "result.json").write_text("{}")
    assert names(tmp_path / "out") == ["result.json"]


def test_a_result_is_never_overwritten(tmp_path):
    with new_result_folder(tmp_path / "out") as folder:
        (folder / "result.json").write_text("first")
    with (
        pytest.raises(InputError, match=r"already holds a result, which is never overwritten. Choose another folder"),
        new_result_folder(tmp_path / "out"),
    ):
        pytest.fail("the block must not run")
    assert (tmp_path / "out" / "result.json").read_text() == "first"


def test_a_folder_with_other_things_is_not_touched(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.docx").write_text("years")
    with pytest.raises(InputError, match=r"not empty.*nothing was touched"), new_result_folder(tmp_path / "out"):
        pytest.fail("the block must not run")
    assert names(tmp_path) == ["out"] and names(tmp_path / "out") == ["thesis.docx"]


def test_a_file_of_that_name_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="a file of that name exists"), new_result_folder(tmp_path / "out"):
        pytest.fail("the block must not run")


def test_a_parent_that_is_a_file_is_refused_without_its_path(tmp_path):
    (tmp_path / "DOE_JOHN").write_text("")
    with (
        pytest.raises(InputError, match=r"cannot be made there.*may write to") as caught,
        new_result_folder(tmp_path / "DOE_JOHN" / "out"),
    ):
        pytest.fail("the block must not run")
    assert "DOE" not in str(caught.value)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_in_words_and_leaves_nothing(tmp_path, number):
    with pytest.raises(RunError, match=r"disk of the output folder is full.*Free some space"):  # noqa: SIM117
        with new_result_folder(tmp_path / "out") as folder:
            (folder / "half").write_text("")
            raise OSError(number, os.strerror(number), "/secret/DOE_JOHN")
    assert names(tmp_path) == []


def test_another_os_error_is_not_called_a_full_disk(tmp_path):
    with pytest.raises(PermissionError), new_result_folder(tmp_path / "out"):
        raise PermissionError(errno.EACCES, "no")
    assert names(tmp_path) == []


def test_a_folder_taken_meanwhile_is_kept(tmp_path):
    with pytest.raises(RunError, match="taken by something else"), new_result_folder(tmp_path / "out"):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "other").write_text("")
    assert names(tmp_path) == ["out"] and names(tmp_path / "out") == ["other"]


ANOTHER_RUN = """
import sys, time
from ece_core.export.result_folder import new_result_folder
with new_result_folder(sys.argv[1]) as folder:
    (folder / "half").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def another_run(tmp_path):
    """Another process in the middle of writing tmp_path/out."""
    process = subprocess.Popen([sys.executable, "-c", ANOTHER_RUN, tmp_path / "out"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_leftover_of_a_killed_run_goes_with_the_next_run(tmp_path, another_run):
    another_run.send_signal(signal.SIGKILL)
    another_run.wait()
    assert len(names(tmp_path)) == 1  # nothing else could remove it
    with new_result_folder(tmp_path / "out"):
        pass
    assert names(tmp_path) == ["out"]


def test_a_killed_run_that_nobody_waited_for_counts_as_gone(tmp_path, another_run):
    another_run.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, another_run.pid, os.WEXITED | os.WNOWAIT)  # dead, but still a zombie of ours
    remove_leftovers(tmp_path / "out")
    assert names(tmp_path) == []


def test_the_folder_of_a_living_run_stays(tmp_path, another_run):
    (living,) = names(tmp_path)
    with new_result_folder(tmp_path / "out"):
        pass
    assert names(tmp_path) == [living, "out"]
    assert (tmp_path / living / "half").exists()


def test_a_process_number_used_again_does_not_keep_a_leftover(tmp_path):
    """This process has the number, but began long after the one that wrote the leftover."""
    (tmp_path / f".out.partial-{os.getpid()}-1000-abcd").mkdir()
    remove_leftovers(tmp_path / "out")
    assert names(tmp_path) == []


def test_leftovers_of_other_outputs_and_unknown_names_stay(tmp_path):
    stay = [".out2.partial-999999-1000-ab", ".out.partial-notes", "out.partial-999999-1000-ab"]
    for name in stay:
        (tmp_path / name).mkdir()
    remove_leftovers(tmp_path / "out")
    assert names(tmp_path) == sorted(stay)


def test_names_with_glob_signs_are_taken_literally(tmp_path):
    (tmp_path / ".outX.partial-999999-1000-ab").mkdir()
    with new_result_folder(tmp_path / "out[A-Z]"):
        pass
    assert names(tmp_path) == [".outX.partial-999999-1000-ab", "out[A-Z]"]
