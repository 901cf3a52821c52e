import re
from dataclasses import fields
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pytest

from engine import Best, Curve, Hyperparameters, State, advance, start
from engine.activations import FloatArray
from engine.checksum import with_checksum
from engine.optimizers import OPTIMIZERS
from sweeps.interrupts import InterruptedSweepError
from sweeps.storage.checkpoint import Checkpoint
from sweeps.trials.space import Candidate
from sweeps.trials.trial import RunningTrial
from tests.engine.support.problem import random_problem
from tests.support.damage import MANY_DAMAGES, damages

CANDIDATE = Candidate(0.1, 90, (4, 3), "tanh")


def running_trial(
    number: int = 12, *, is_reduced: bool = True, n_moments: int = 2, is_averaged: bool = True, has_best: bool = True
) -> RunningTrial:
    generator = np.random.default_rng(number)

    def drawn(*shape: int) -> FloatArray:
        return generator.standard_normal(shape).astype(np.float32)

    trial = RunningTrial(number, CANDIDATE, (10, 30, 90), started_at=1.5)
    trial.state = State(
        iteration=30,
        theta=drawn(3, 40),
        offset=drawn(1, 4, 7) if is_reduced else None,
        settled=generator.standard_normal((3, 4, 7)) if is_reduced else None,
        moments=drawn(n_moments, 3, 40),
        average=drawn(3, 40) if is_averaged else None,
        best=Best(
            iteration=17,
            value=2 / 3,
            cost=1 / 3,
            theta=drawn(3, 40),
            settled=generator.standard_normal((3, 4, 7)) if is_reduced else None,
            logits=drawn(3, 1, 5),
        )
        if has_best
        else None,
    )
    trial.curves = [
        Curve(
            (0, 4, 10), *generator.standard_normal((5, 3, 3)), None, generator.standard_normal((3, 1, 5), np.float32)
        ),
        Curve((17, 30), *generator.standard_normal((5, 2, 3)), None),
    ]
    trial.training_seconds = 0.25
    return trial


def assert_same_fields(found: object, expected: object) -> None:
    """Fail unless two states are equal in every field: a field that is new and not written would be noticed."""
    assert type(found) is type(expected)
    for field in fields(expected):  # type: ignore[arg-type]
        one, other = getattr(found, field.name), getattr(expected, field.name)
        if isinstance(other, np.ndarray):
            np.testing.assert_array_equal(one, other, strict=True, err_msg=field.name)
        elif isinstance(other, Best):
            assert_same_fields(one, other)
        else:
            assert one == other, field.name


def interrupt_after_update(path: Path, study: str, trials: list[RunningTrial]) -> None:
    with pytest.raises(InterruptedSweepError, match="SIGTERM"), Checkpoint(path, study) as checkpoint:
        checkpoint.update(trials)
        raise InterruptedSweepError(15)


@pytest.mark.parametrize("has_best", [True, False])
@pytest.mark.parametrize("is_averaged", [True, False])
@pytest.mark.parametrize("n_moments", sorted({optimizer.n_moments for optimizer in OPTIMIZERS.values()}))
@pytest.mark.parametrize("is_reduced", [True, False])
def test_an_interrupted_study_finds_its_trials_bit_for_bit(
    tmp_path: Path, is_reduced: bool, n_moments: int, is_averaged: bool, has_best: bool
) -> None:
    written = running_trial(is_reduced=is_reduced, n_moments=n_moments, is_averaged=is_averaged, has_best=has_best)
    interrupt_after_update(tmp_path / "checkpoint.h5", "a/1", [written, running_trial(13)])

    restored = RunningTrial(12, CANDIDATE, (10, 30, 90), started_at=99.0)
    Checkpoint(tmp_path / "checkpoint.h5", "a/1").restore(restored)

    assert restored.state is not None
    assert written.state is not None
    assert_same_fields(restored.state, written.state)
    assert restored.state.iteration == 30
    assert [curve.iterations for curve in restored.curves] == [(0, 4, 10), (17, 30)]
    for mine, theirs in zip(restored.curves, written.curves, strict=True):
        np.testing.assert_array_equal(mine.validation_cost, theirs.validation_cost)
        np.testing.assert_array_equal(mine.train_accuracy, theirs.train_accuracy)
    np.testing.assert_array_equal(restored.curves[0].logits, written.curves[0].logits, strict=True)
    assert restored.curves[1].logits is None
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


@pytest.mark.parametrize("version", [1, 2, 3, 4, 6])
def test_a_file_of_another_format_is_ignored(tmp_path: Path, version: int) -> None:
    path = tmp_path / "checkpoint.h5"
    interrupt_after_update(path, "a/1", [running_trial()])
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = version
        if version < 3:  # what the State of then had
            for name in ("moments", "average", "best"):
                del file[f"trial-0012/{name}"]
    image = BytesIO(path.read_bytes().partition(b"\nsha256 ")[0])
    path.write_bytes(with_checksum(image))
    restored = RunningTrial(12, CANDIDATE, (10, 30, 90), started_at=0.0)

    Checkpoint(path, "a/1").restore(restored)

    assert restored.state is None
    assert restored.curves == []


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_goes_on_from_its_file_to_the_same_bits(tmp_path: Path, optimizer: str) -> None:
    problem = random_problem(3, m=20, n_networks=3)
    data = problem.data(reduced=False, dtype=np.float32)
    hyperparameters = Hyperparameters(
        problem.architecture, 0.01, optimizer, minibatch_size=6, weight_decay=0.1, is_averaged=True
    )
    trial = running_trial()
    state = start(problem.initial, data, problem.architecture)
    trial.state, _ = advance(state, data, hyperparameters, 30, [0, 15, 30])
    interrupt_after_update(tmp_path / "checkpoint.h5", "a/1", [trial])
    restored = RunningTrial(12, CANDIDATE, (10, 30, 90), started_at=0.0)
    Checkpoint(tmp_path / "checkpoint.h5", "a/1").restore(restored)

    assert restored.state is not None
    on, _ = advance(restored.state, data, hyperparameters, 90, [60, 90])
    expected, _ = advance(trial.state, data, hyperparameters, 90, [60, 90])
    assert_same_fields(on, expected)


@MANY_DAMAGES
def test_a_damaged_file_is_put_aside_and_said_and_costs_work_and_nothing_else(tmp_path: Path, n_damages: int) -> None:
    path = tmp_path / "checkpoint.h5"
    interrupt_after_update(path, "a/1", [running_trial()])
    for what, damaged in damages(path.read_bytes(), n_damages):
        path.write_bytes(damaged)
        restored, said = RunningTrial(12, CANDIDATE, (10, 30, 90), started_at=0.0), list[str]()

        Checkpoint(path, "a/1", said.append).restore(restored)

        assert restored.state is None, what
        assert not path.exists(), what
        assert re.search(r"checkpoint\.h5: damaged.*kept as checkpoint\.h5\.damaged; .*trained again", said[0]), what
        aside = path.with_name("checkpoint.h5.damaged")
        assert aside.read_bytes() == damaged
        aside.unlink()


def test_a_second_damaged_file_does_not_replace_the_first(tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        (tmp_path / "checkpoint.h5").write_bytes(content)
        Checkpoint(tmp_path / "checkpoint.h5", "a/1")
    assert (tmp_path / "checkpoint.h5.damaged").read_bytes() == b"one"
    assert (tmp_path / "checkpoint.h5.damaged-2").read_bytes() == b"two"


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    interrupt_after_update(tmp_path / "checkpoint.h5", "a/1", [running_trial()])

    with h5py.File(tmp_path / "checkpoint.h5") as file:
        assert dict(file.attrs) == {"format": "sweeps-checkpoint", "format_version": 5, "study": "a/1"}
        assert list(file) == ["trial-0012"]
        assert file["trial-0012"].attrs["iteration"] == 30
