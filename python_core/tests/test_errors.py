import pickle

import pytest
from ece_core.errors import Cancelled, ECEError, GeometryError, InputError, RunError


@pytest.mark.parametrize("kind", [ECEError, InputError, GeometryError, RunError])
def test_an_error_says_problem_then_fix_and_survives_a_process_boundary(kind):
    error = kind("The mask is empty.", "Paint the lymph node again.")
    assert str(error) == "The mask is empty. Paint the lymph node again."
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.problem, copy.fix) == (kind, error.problem, error.fix)


def test_cancelled_survives_a_process_boundary():
    assert isinstance(pickle.loads(pickle.dumps(Cancelled())), Cancelled)


def test_no_error_without_a_way_out():
    with pytest.raises(TypeError):
        ECEError("The mask is empty.")
