"""What every test runs under: floating-point errors raise, and hypothesis draws the same examples each time.

And what is too slow to make more than once: an MLflow store.
"""

import shutil
from collections.abc import Callable, Iterator
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


@pytest.fixture(scope="session", autouse=True)
def _cache_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests keep for the next time is no business of the person who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
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


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its schema and nothing else: creating one takes seconds, copying it none."""
    from experiments.mlflow_connection import prepare_environment

    prepare_environment()
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def with_store(empty_store: Path) -> Callable[[Path], Path]:
    """Copies the empty store into a folder, which is made where it is not there, as its mlflow.db; the folder."""

    def copied_into(folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        shutil.copy(empty_store, folder / "mlflow.db")
        return folder

    return copied_into
