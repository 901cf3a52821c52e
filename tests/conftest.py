"""What every test runs under: floating-point errors raise, and hypothesis draws the same examples each time."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

hypothesis.settings.register_profile("sweeps", derandomize=True, deadline=None, max_examples=60, database=None)
hypothesis.settings.load_profile("sweeps")


@pytest.fixture(autouse=True)
def _floating_point_errors_raise() -> Iterator[None]:
    """Underflow excepted: exp(-z) -> 0 is the right limit, and SciPy and Optuna rely on it."""
    with np.errstate(all="raise", under="ignore"):
        yield


@pytest.fixture(scope="session")
def cats_directory() -> Path:
    """The course's two HDF5 files."""
    directory = REPOSITORY.parent / "shared" / "data" / "cats"
    if not directory.is_dir():
        pytest.skip(
            "the course's cat images are not here: expected the folder ../shared/data/cats beside the repository"
        )
    return directory
