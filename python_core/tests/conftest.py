"""Fixtures that every test of the core may use."""

import os
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

# The networks of the tests are so small that threads only wait for one another: on a busy machine ten times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# OpenVINO takes longer to take over a tiny network than torch to run it; its own tests ask for it by name.
os.environ.setdefault("ECE_CPU_ENGINE", "torch")

# Hypothesis fails an example that takes more than 200 ms, which says more about the machine than about the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

REPO_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def the_patient():
    """Simulated patients by seed, each drawn once for all tests: it takes half a second, and nobody can change one."""
    from ece_core.simulate import sample_patient

    return cache(sample_patient)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data beside the repository, which the project does not need: tests that use it skip where it is absent."""
    folder = REPO_ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared data folder is not beside the repository")
    return folder
