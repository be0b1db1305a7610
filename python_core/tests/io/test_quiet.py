"""The one place where library calls are wrapped: silent, translated, and everything put back as it was."""

import logging
import warnings

import pytest
import SimpleITK as sitk
from ece_core.errors import GeometryError, InputError
from ece_core.io.quiet import itk_quiet, library_call, quiet


def test_pydicom_may_say_nothing_inside_and_everything_afterwards(caplog):
    logger = logging.getLogger("pydicom")
    with quiet(), warnings.catch_warnings(record=True) as seen:
        logger.error("DOE^JOHN")
        logging.getLogger("pydicom.pixels").critical("DOE^JOHN")
    assert (caplog.text, seen) == ("", [])
    logger.error("again")
    assert "again" in caplog.text


def test_the_logger_is_put_back_after_an_exception():
    level = logging.getLogger("pydicom").level
    with pytest.raises(RuntimeError), quiet():
        raise RuntimeError
    assert logging.getLogger("pydicom").level == level


@pytest.mark.parametrize("error", [ValueError, KeyError, NotImplementedError, EOFError, MemoryError, RecursionError])
def test_library_errors_become_ours_and_stay_as_the_cause(error):
    with pytest.raises(InputError, match=r"^It broke\. Mend it\.$") as caught, library_call("It broke.", "Mend it."):
        raise error("DOE^JOHN")
    assert isinstance(caught.value.__cause__, error)


def test_our_own_errors_pass_unchanged():
    ours = GeometryError("Tilted.", "Straighten it.")
    with pytest.raises(GeometryError) as caught, library_call("It broke.", "Mend it."):
        raise ours
    assert caught.value is ours


def test_a_file_without_permission_is_named_as_such_without_its_path():
    with pytest.raises(InputError, match=r"may not be opened\. Ask for read access") as caught, library_call("a", "b"):
        raise PermissionError(13, "denied", "/data/DOE^JOHN")
    assert "DOE" not in str(caught.value)


def test_a_programmers_mistake_is_not_hidden():
    with pytest.raises(AssertionError), library_call("It broke.", "Mend it."):
        raise AssertionError


@pytest.mark.parametrize("shown", [True, False])
def test_itk_warnings_are_put_back(shown):
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    try:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)
        with itk_quiet():
            assert not sitk.ProcessObject.GetGlobalWarningDisplay()
        assert sitk.ProcessObject.GetGlobalWarningDisplay() == shown
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)
