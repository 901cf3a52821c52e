"""What a person sees while a sweep runs."""

import sys

from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from sweeps.results.progress import LineProgress, LiveProgress, QuietProgress, Tally
from tests.sweeps.support.small_sweep import new_study, run_schedule


def test_a_continued_sweep_counts_what_is_on_record_and_knows_its_best():
    stored = new_study(InMemoryStorage())
    run_schedule(stored)
    done = [trial for trial in stored.leaderboard() if trial.has_ended]
    best = min((t for t in done if t.state == TrialState.COMPLETE), key=lambda t: t.value)
    n = {state: sum(trial.state == state for trial in done) for state in (TrialState.PRUNED, TrialState.FAIL)}
    counts = f"({n[TrialState.PRUNED]} pruned, {n[TrialState.FAIL]} failed)"
    said = f"12 of 20 trials {counts}, best {best.value:.4f} (trial {best.number})"
    assert Tally(20, done).text() == said
    assert Tally(12, done).text() == f"{said.replace('20', '12', 1)}, now the winner, the report and MLflow"


def test_trials_that_the_end_of_a_sweep_cut_off_are_run_again_and_not_counted_twice():
    stored, looks = new_study(InMemoryStorage()), iter(range(12))
    ended = run_schedule(stored, is_over=lambda: next(looks, None) is None)
    assert any(result.trial.notes.is_interrupted for result in ended)
    assert {trial.number for trial in stored.leaderboard() if trial.has_ended} == {
        result.trial.number for result in ended if not result.trial.notes.is_interrupted
    }


def test_nobody_who_reads_is_no_reason_to_stop(monkeypatch):
    class Gone:
        def write(self, text):
            raise BrokenPipeError

        def flush(self):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    LineProgress().say("12 of 50 trials")


def test_quiet_progress_says_what_must_be_read_and_nothing_else():
    said: list[str] = []
    progress = QuietProgress(said.append)
    with progress:
        progress.tell("Starting a/1.")
        progress.begin("a/1", 3, [])
        progress.say("No report was made.")
    assert said == ["No report was made."]


def test_how_far_reading_many_files_is_is_a_line_every_few_seconds(monkeypatch, capsys):
    now = iter([0.0, 1.0, 6.0, 6.0, 7.0])
    monkeypatch.setattr("sweeps.results.progress.time.monotonic", lambda: next(now))
    progress = LineProgress()
    for n_done in (1, 1200, 1300):
        progress.reading("pets", n_done, 12500)
    assert capsys.readouterr().err == "pets: 1,200 of 12,500 files read\n"


def test_a_bar_of_files_goes_when_all_are_read():
    with LiveProgress() as progress:
        progress.reading("pets", 1, 2)
        assert [task.description for task in progress._bar.tasks] == ["pets: 1 of 2 files read"]
        progress.reading("pets", 2, 2)
        assert progress._bar.tasks == []
