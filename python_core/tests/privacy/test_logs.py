"""Whoever logs or warns: nothing but places leaves, except our own words."""

import logging
import warnings

import pytest
from ece_core.cli.main import main
from ece_core.errors import InputError
from ece_core.privacy.logs import private_logs
from pydicom.valuerep import PersonName

SECRET = "DOE^JANE"




@pytest.mark.parametrize("level", ["debug", "info", "warning"])
def test_a_librarys_words_are_cut_down_to_their_place(level, capsys):
    with private_logs({"ECE_LOG": level}):
        for name in ("pydicom", "pynetdicom.assoc", "highdicom", "urllib3.connectionpool", "ece_corex"):
            logging.getLogger(name).warning("value %r of %s", SECRET, SECRET)
            logging.getLogger(name).error(f"100 % {SECRET}")
    said = capsys.readouterr().err
    assert SECRET not in said and said.count("\n") == 10
    assert "WARNING pynetdicom.assoc: test_logs.py, line" in said


def test_a_handler_of_the_librarys_own_gets_no_more(capsys):
    seen = []
    own = logging.Handler()
    own.emit = lambda record: seen.append((record.getMessage(), record.args, record.exc_info, record.exc_text))
    logger = logging.getLogger("some.library")
    logger.addHandler(own)
    try:
        with private_logs({}):
            try:
                raise ValueError(SECRET)
            except ValueError:
                logger.exception("failed for %s", SECRET)
    finally:
        logger.removeHandler(own)
    assert len(seen) == 1 and SECRET not in str(seen) and "(ValueError)" in seen[0][0]
    assert SECRET not in capsys.readouterr().err


def test_our_own_words_stay_without_what_carries_identity(capsys):
    with private_logs({}):
        ours = logging.getLogger("ece_core.models")
        ours.warning("%d tiles, %s, %s", 3, PersonName(SECRET), ValueError(SECRET))
        ours.warning("100 % done")
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "WARNING ece_core.models: 3 tiles, <PersonName>, <ValueError>", "WARNING ece_core.models: 100 % done"
    ]  # fmt: skip


def test_warnings_say_their_kind_and_place_at_info_level(capsys):
    for level, lines in (("warning", 0), ("info", 1)):
        with private_logs({"ECE_LOG": level}):
            warnings.simplefilter("always")
            warnings.warn(f"Invalid value: {SECRET}", UserWarning, stacklevel=1)
        said = capsys.readouterr().err
        assert SECRET not in said and said.count("UserWarning in test_logs.py, line") == lines


def test_all_is_put_back():
    root = logging.getLogger()
    before = (root.handlers[:], root.level, logging.getLogRecordFactory(), warnings.showwarning)
    with pytest.raises(KeyError), private_logs({"ECE_LOG": "debug"}):
        raise KeyError
    assert (root.handlers[:], root.level, logging.getLogRecordFactory(), warnings.showwarning) == before


def test_a_level_that_is_none(monkeypatch, capsys):
    with pytest.raises(InputError, match="ECE_LOG names no level.*debug, info, warning, error"), private_logs(
        {"ECE_LOG": "loud"}
    ):
        pass
    monkeypatch.setenv("ECE_LOG", "loud")
    assert main(["models", "list"]) == 2 and "ECE_LOG" in capsys.readouterr().err
