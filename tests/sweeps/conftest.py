"""What tests of several wings share: the storages, a quiet Optuna.

And for the tests of whole sweeps a template process, a place for folders, the sweep that nothing disturbs.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from tests.sweeps.support.disk import events
from tests.sweeps.support.lives import Template, trace_file
from tests.sweeps.support.outcomes import Undisturbed, make_folder, outcome
from tests.sweeps.support.storages import STORAGES, Place
from tests.sweeps.support.warm import forked_deliveries, pages_without_figures, warm_up


@pytest.fixture(params=STORAGES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Every kind of storage, empty."""
    return request.param(tmp_path)


@pytest.fixture(scope="module")
def quiet_optuna() -> Iterator[None]:
    """Optuna tells of every trial otherwise."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(verbosity)


@pytest.fixture(scope="module")
def warm_deliveries() -> Iterator[None]:
    """For modules that run sweeps in this process: MLflow is told by a process that has imported it already."""
    warm_up()
    with forked_deliveries():
        yield


@pytest.fixture
def no_figures() -> Iterator[None]:
    """For tests that run sweeps in this process and do not look at their pages."""
    with pages_without_figures():
        yield


@pytest.fixture(scope="session")
def template() -> Iterator[Template]:
    """Forks lives of sweeps."""
    with Template() as started:
        yield started


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Path]:
    """A place for many folders: in memory where there is such a disk, since a kill does not depend on the disk."""
    memory = Path("/dev/shm")  # noqa: S108  # below it, a name nobody else has
    directory = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else tmp_path))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def undisturbed(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """It has every outcome, or what is compared with it would prove little."""
    lives, outcomes = [], []
    for name in ("one", "two", "three"):
        folder = make_folder(tmp_path_factory.mktemp("undisturbed") / name)
        lives.append(template.live(folder))
        assert lives[-1].exit_code == 0, lives[-1].err
        outcomes.append(outcome(folder))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert outcomes[0].files == outcomes[1].files == outcomes[2].files
    assert {row["state"] for row in outcomes[0].rows} == {"COMPLETE", "PRUNED", "FAIL"}
    assert outcomes[0].end.metrics["best_iteration"] > 0
    assert outcomes[0].end.corrected is not None
    assert len(outcomes[0].end.ensemble_shares) > 1
    return Undisturbed(outcomes[0], events(trace_file(folder)), min(life.seconds for life in lives))
