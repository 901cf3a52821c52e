from pathlib import Path

import h5py
import numpy as np
import pytest

from engine import Curve, State
from sweeps.interrupts import InterruptedSweepError
from sweeps.storage.checkpoint import Checkpoint
from sweeps.trials.space import Candidate
from sweeps.trials.trial import RunningTrial

CANDIDATE = Candidate(0.1, 90, (4, 3), "tanh")


def running_trial(number: int = 12, *, is_reduced: bool = True) -> RunningTrial:
    generator = np.random.default_rng(number)
    trial = RunningTrial(number, CANDIDATE, (10, 30, 90), started_at=1.5)
    trial.state = State(
        iteration=30,
        theta=generator.standard_normal(40).astype(np.float32),
        offset=generator.standard_normal((1, 4, 7)).astype(np.float32) if is_reduced else None,
        settled=generator.standard_normal((3, 4, 7)) if is_reduced else None,
    )
    trial.curves = [
        Curve(iterations, *generator.standard_normal((4, len(iterations), 3)), diverged_at=None)
        for iterations in ((0, 4, 10), (17, 30))
    ]
    trial.training_seconds = 0.25
    return trial


def interrupt_after_update(path: Path, study: str, trials: list[RunningTrial]) -> None:
    with pytest.raises(InterruptedSweepError, match="SIGTERM"), Checkpoint(path, study) as checkpoint:
        checkpoint.update(trials)
        raise InterruptedSweepError(15)


@pytest.mark.parametrize("is_reduced", [True, False])
def test_an_interrupted_study_finds_its_trials_bit_for_bit(tmp_path: Path, is_reduced: bool) -> None:
    written = running_trial(is_reduced=is_reduced)
    interrupt_after_update(tmp_path / "checkpoint.h5", "a/1", [written, running_trial(13)])

    restored = RunningTrial(12, CANDIDATE, (10, 30, 90), started_at=99.0)
    Checkpoint(tmp_path / "checkpoint.h5", "a/1").restore(restored)

    assert restored.state is not None
    assert written.state is not None
    np.testing.assert_array_equal(restored.state.theta, written.state.theta, strict=True)
    for name in ("offset", "settled"):
        if is_reduced:
            np.testing.assert_array_equal(getattr(restored.state, name), getattr(written.state, name), strict=True)
        else:
            assert getattr(restored.state, name) is None
    assert restored.state.iteration == 30
    assert [curve.iterations for curve in restored.curves] == [(0, 4, 10), (17, 30)]
    for mine, theirs in zip(restored.curves, written.curves, strict=True):
        np.testing.assert_array_equal(mine.validation_cost, theirs.validation_cost)
        np.testing.assert_array_equal(mine.train_accuracy, theirs.train_accuracy)
    assert (restored.started_at, restored.training_seconds) == (1.5, 0.25)


def test_a_trial_with_other_hyperparameters_is_not_given_anothers_state(tmp_path: Path) -> None:
    interrupt_after_update(tmp_path / "checkpoint.h5", "a/1", [running_trial()])
    other = RunningTrial(12, Candidate(0.2, 90, (4, 3), "tanh"), (10, 30, 90), started_at=0.0)

    Checkpoint(tmp_path / "checkpoint.h5", "a/1").restore(other)

    assert other.state is None
    assert other.curves == []


def test_the_file_of_a_study_that_ended_is_gone(tmp_path: Path) -> None:
    with Checkpoint(tmp_path / "checkpoint.h5", "a/1") as checkpoint:
        checkpoint.update([running_trial()])

    assert list(tmp_path.iterdir()) == []


def test_another_studys_file_is_ignored(tmp_path: Path) -> None:
    interrupt_after_update(tmp_path / "checkpoint.h5", "a/1", [running_trial()])
    restored = RunningTrial(12, CANDIDATE, (10, 30, 90), started_at=0.0)

    Checkpoint(tmp_path / "checkpoint.h5", "a/2").restore(restored)

    assert restored.state is None


def test_a_damaged_file_costs_work_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.h5"
    interrupt_after_update(path, "a/1", [running_trial()])
    whole = path.read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        restored = RunningTrial(12, CANDIDATE, (10, 30, 90), started_at=0.0)

        Checkpoint(path, "a/1").restore(restored)

        assert restored.state is None


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    interrupt_after_update(tmp_path / "checkpoint.h5", "a/1", [running_trial()])

    with h5py.File(tmp_path / "checkpoint.h5") as file:
        assert dict(file.attrs) == {"format": "sweeps-checkpoint", "format_version": 3, "study": "a/1"}
        assert list(file) == ["trial-0012"]
        assert file["trial-0012"].attrs["iteration"] == 30
