"""The best trials of a study on disk: which ones, when, and what a lost or damaged file costs."""

import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from engine import Best
from sweeps.storage import kept_trials
from sweeps.storage.kept_trials import N_KEPT, KeptTrial, KeptTrials, n_rung_ends
from sweeps.storage.study_folder import StudyFolder
from sweeps.trials.trial import TrialResult
from tests.support.damage import MANY_DAMAGES, damages
from tests.sweeps.support.disk import Event
from tests.sweeps.support.outcomes import Undisturbed
from tests.sweeps.support.small_sweep import new_study, run_schedule, trial_of


def ended(
    number: int, value: float | None, state: TrialState = TrialState.COMPLETE, *, n_rung_ends: int = 2, **of_trial: Any
) -> TrialResult:
    """A trial that has just ended, with arrays of its own: two folds, five held-out columns each."""
    generator = np.random.default_rng(number)
    best = Best(
        iteration=40,
        value=0.0 if value is None else value,
        cost=0.0 if value is None else value,
        theta=generator.standard_normal((2, 9), np.float32),
        settled=generator.standard_normal((2, 3, 7)) if number % 2 else None,
        logits=generator.standard_normal((2, 1, 5), np.float32),
    )
    rung_ends = tuple(generator.standard_normal((n_rung_ends, 2, 1, 5), np.float32))
    return TrialResult(trial_of(number, state, value, **of_trial), None, 0.1, best, rung_ends)


def assert_holds(kept: KeptTrial, result: TrialResult) -> None:
    best = result.best
    assert best is not None
    assert kept.trial == result.trial
    assert (kept.best.iteration, kept.best.cost) == (best.iteration, best.cost)
    for name in ("theta", "settled", "logits"):
        found, given = getattr(kept.best, name), getattr(best, name)
        if given is None:
            assert found is None
        else:
            np.testing.assert_array_equal(found, given, strict=True)
    assert len(kept.rung_ends) == len(result.rung_ends)
    for found, given in zip(kept.rung_ends, reversed(result.rung_ends), strict=True):
        np.testing.assert_array_equal(found, given, strict=True)


def test_what_was_kept_comes_back_bit_for_bit_best_first_also_in_another_process(tmp_path: Path) -> None:
    results = [ended(0, 0.3), ended(1, 0.1), ended(2, 0.2), ended(3, 0.05, TrialState.PRUNED)]
    first = KeptTrials(tmp_path / "kept", [])
    for result in results:
        first.keep(result)
    resumed = KeptTrials(tmp_path / "kept", [result.trial for result in results])
    for there in (first, resumed):
        loaded = there.load()
        assert [kept.trial.number for kept in loaded] == [1, 2, 0, 3]
        for kept in loaded:
            assert_holds(kept, results[kept.trial.number])


def test_the_best_stay_and_the_file_of_one_that_is_pushed_out_goes(tmp_path: Path) -> None:
    kept = KeptTrials(tmp_path / "kept", [])
    order = np.random.default_rng(3).permutation(N_KEPT + 7).tolist()
    for number in order:
        kept.keep(ended(number, 1.0 + number))  # trial 0 is the best
    best = list(range(N_KEPT))
    assert [one.trial.number for one in kept.load()] == best
    assert sorted(file.name for file in (tmp_path / "kept").iterdir()) == [f"trial-{number:04d}.h5" for number in best]


def test_a_pruned_trial_gives_way_to_a_complete_one_whatever_its_value(tmp_path: Path) -> None:
    kept = KeptTrials(tmp_path / "kept", [])
    for number in range(N_KEPT):
        kept.keep(ended(number, 0.1 + number / 1000, TrialState.PRUNED))
    kept.keep(ended(N_KEPT, 5.0))
    assert [one.trial.number for one in kept.load()] == [N_KEPT, *range(N_KEPT - 1)]


@pytest.mark.parametrize(
    "result",
    [
        ended(0, None, TrialState.FAIL, best_iteration=None),
        TrialResult(trial_of(0), None, 0.0, best=None, is_recalled=True),
        ended(0, 0.5, best_iteration=13),
    ],
    ids=["failed", "recalled", "its best networks are of a rung that was not applied"],
)
def test_what_has_no_networks_at_its_value_is_not_kept(tmp_path: Path, result: TrialResult) -> None:
    kept = KeptTrials(tmp_path / "kept", [])
    kept.keep(result)
    assert kept.load() == []
    assert not (tmp_path / "kept").exists()


def damage(file: Path, how: str) -> None:
    whole = file.read_bytes()
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(
            whole[: {"empty": 0, "torn": len(whole) // 2, "last byte": whole.rfind(b"\nsha256 ") - 1}[how]]
        )


@pytest.mark.parametrize("how", ["gone", "empty", "torn", "last byte"])
def test_a_lost_or_damaged_file_costs_one_candidate(tmp_path: Path, how: str) -> None:
    kept = KeptTrials(tmp_path / "kept", [])
    for number in range(3):
        kept.keep(ended(number, 0.1 + number))
    damage(tmp_path / "kept" / "trial-0001.h5", how)
    assert [one.trial.number for one in kept.load()] == [0, 2]


@MANY_DAMAGES
def test_whatever_happens_to_a_file_its_trial_is_whole_or_named_and_left_out(tmp_path: Path, n_damages: int) -> None:
    result = ended(0, 0.1)
    kept = KeptTrials(tmp_path / "kept", [])
    kept.keep(result)
    file = tmp_path / "kept" / "trial-0000.h5"
    whole = file.read_bytes()
    for what, damaged in damages(whole, n_damages):
        file.write_bytes(damaged)
        said: list[str] = []
        for one in kept.load(said.append):
            assert_holds(one, result)
        assert bool(said) != file.exists(), what
        if said:
            assert "trial-0000.h5: damaged, and kept as trial-0000.h5.damaged. Trial 0 is on the leaderboard" in said[0]
            file.with_name("trial-0000.h5.damaged").unlink()


def test_where_examples_are_many_fewer_ends_of_rungs_are_kept_the_latest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = ended(0, 0.1, n_rung_ends=4)
    for n_kept, room in ((4, 125), (2, 3.9), (2, 3), (0, 1.9), (0, 0.5)):
        monkeypatch.setattr(kept_trials, "MAX_ANSWERS", int(room * N_KEPT * 10))
        kept = KeptTrials(tmp_path / str(room), [])
        kept.keep(result)
        (loaded,) = kept.load()
        assert len(loaded.rung_ends) == n_kept
        for found, given in zip(loaded.rung_ends, result.rung_ends[::-1], strict=False):
            np.testing.assert_array_equal(found, given)
    assert result.best is not None
    monkeypatch.undo()
    assert n_rung_ends(result.best) > 4


def test_the_folder_is_private_and_gone_when_it_is_removed(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    folder.remove_kept_trials()  # a sweep without a trial to keep
    KeptTrials(folder.kept_trials, []).keep(ended(0, 0.1))
    assert stat.S_IMODE(folder.kept_trials.stat().st_mode) == 0o700
    folder.remove_kept_trials()
    assert list(tmp_path.iterdir()) == []


def test_a_trial_is_on_record_before_it_is_kept_and_kept_before_the_storage_hears_of_its_end(
    undisturbed: Undisturbed,
) -> None:
    """Or a sweep that is killed in between has a trial that it will never train again, and not its networks."""
    order = [kind for event in undisturbed.events if (kind := kind_of(event))]
    files = [position for position, kind in enumerate(order) if kind == "file"]
    assert len(files) > 5
    for position in files:
        assert order[position - 1] == "fact"
        assert order[position + 1] == "storage"


def kind_of(event: Event) -> str:
    """What of a trial's end is written: the fact, the file, or the storage's line of a state; else an empty text."""
    if event.operation == "write" and event.file.endswith("outbox.jsonl") and '"key":"trial-' in event.data:
        return "fact"
    if event.operation == "replace" and "/kept/" in event.file:
        return "file"
    return "storage" if event.file.endswith("journal.log") and '"op_code":6,' in event.data else ""


def test_a_trials_ends_of_rungs_are_those_of_its_curves_but_the_one_it_is_best_at() -> None:
    results = [result for result in run_schedule(new_study(InMemoryStorage())) if result.trial.value is not None]
    assert max(len(result.rung_ends) for result in results) >= 2
    for result in results:
        for logits in result.rung_ends:
            assert logits.shape == result.best.logits.shape
            assert not np.array_equal(logits, result.best.logits)
