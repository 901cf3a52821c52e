"""A short sweep with every outcome, and what comes of it, however often it was killed on its way."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine import load_weights
from experiments.facts import SweepFinished, SweepStarted, TrialFinished, VerdictReached
from experiments.outbox import Outbox
from sweeps.results.status import all_studies
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.workspace import Workspace
from tests.sweeps.support.command_line import changed, toml
from tests.sweeps.support.disk import Event
from tests.sweeps.support.lives import Life, Template, rungs_trained
from tests.sweeps.support.small_sweep import table

SHORT: dict[str, dict[str, Any]] = {
    "sweep": {"name": "short", "n_trials": 12},
    "data": {"train": "waves.npz", "folds": 2},
    "search": {
        "learning_rate": {"low": 1e-3, "high": 30.0, "log": True},  # squared errors diverge above 1 or so
        "n_iterations": {"low": 6, "high": 54},
        "depth": {"low": 0, "high": 2},
        "hidden_units": {"low": 2, "high": 5},
    },
    "training": {"recipe": "textbook"},  # the range of learning rates is one for gradient descent
    "study": {"trials_in_flight": 4, "pruner": "hyperband"},
    "execution": {"executor": "serial"},
    "tracking": {"uri": "http://127.0.0.1:9"},
}
"""Has trials of every outcome: complete, pruned, failed."""


def make_folder(folder: Path, **sections: dict[str, Any]) -> Path:
    """A working folder with the data of `SHORT` and its configuration, `sections` changed, as `sweep.toml`."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(5)
    X = generator.standard_normal((80, 3))
    y = 2 * X[:, 0] + np.sin(2 * X[:, 1]) + X[:, 2] ** 2 / 2 + generator.standard_normal(80) / 10
    np.savez(folder / "waves.npz", X=X, y=y)
    values = SHORT
    for section, changes in sections.items():
        values = changed(values, **{section: changes})
    (folder / "sweep.toml").write_text(toml(values))
    return folder


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a sweep leaves behind and that must not depend on how it was run; floats compare bit for bit.

    Attributes:
        rows: Of the trial table: number, state, parameters, every value that was reported.
        facts: Of the trials, by key, without times.
        end: The last fact: state and scores of the winner on the test set.
        weights: Of the winner, and of the ensemble's members, as bytes; None without a winner.
        files: Everything in the working folder; a life that is killed when all is done may leave a little more.
    """

    rows: list[dict[str, Any]]
    facts: dict[str, TrialFinished]
    end: SweepFinished
    weights: list[bytes] | None
    files: set[str] = field(compare=False)


def outcome(folder: Path, sweep_name: str = "short", *, is_delivered: bool = True) -> Outcome:
    """What the lives of a folder have come to; fails where the record contradicts itself."""
    workspace = Workspace(folder)
    studies = [study for storage in workspace.storages(sweep_name) for study in StoredStudy.all_of(storage)]
    (stored,) = studies
    assert stored.attributes.state == "FINISHED"
    rows = table(stored)
    assert {row["state"] for row in rows} <= {"COMPLETE", "PRUNED", "FAIL"}
    names = {file.parent.name for file in folder.glob(f".sweeps/{sweep_name}/*/outbox.jsonl")}
    assert {f"{sweep_name}/{name}" for name in names} == {stored.name}, "a record without a study"

    outbox = Outbox(workspace.study_folder(stored.name).outbox)
    assert not is_delivered or outbox.n_pending == 0, "a fact was not delivered"
    facts = [fact for _, fact in outbox.facts()]
    keys = [fact.key for fact in facts]
    assert len(keys) == len(set(keys)), "a fact is there twice"
    assert isinstance(facts[0], SweepStarted)
    last = outbox.last_finish()
    assert last is not None
    assert not outbox.is_open
    trials = [fact for fact in facts if isinstance(fact, TrialFinished)]
    assert sorted(fact.number for fact in trials) == [row["number"] for row in rows]
    for fact in trials:
        row = rows[fact.number]
        assert (fact.state, fact.metrics.get("value")) == (row["state"], row["value"])
    assert last.state == ("FAILED" if last.model_file is None else "FINISHED")
    verdicts = [fact for fact in facts if isinstance(fact, VerdictReached)]
    assert len(verdicts) == (last.model_file is not None), "one model, one verdict"
    weights = None
    if last.model_file is not None:
        files = [file for file in (last.model_file, last.ensemble_file) if file is not None]
        members = [m for file in files for m in load_weights(workspace.study_folder(stored.name).path / file).members]
        weights = [array.tobytes() for m in members for array in (*m.parameters.W, *m.parameters.b)]
    return Outcome(
        rows=rows,
        facts={fact.key: _without_times(fact) for fact in trials},
        end=replace(last, study="", ended_at=0.0, order=0.0, sequence=0),
        weights=weights,
        files={str(path.relative_to(folder)).replace(stored.name, "STUDY") for path in folder.rglob("*")},
    )


def _without_times(fact: TrialFinished) -> TrialFinished:
    metrics = {name: value for name, value in fact.metrics.items() if name != "training_seconds"}
    return replace(fact, study="", metrics=metrics, started_at=0.0, ended_at=0.0)


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """The sweep `SHORT` that nothing disturbs: what comes of it, what it does to the disk, how long it takes."""

    outcome: Outcome
    events: list[Event]
    seconds: float


Death = dict[str, Any]
"""How a life is to end: arguments of `Template.live`."""


def live_through(template: Template, folder: Path, deaths: Iterable[Death], undisturbed: Undisturbed) -> list[Life]:
    """Live and die so often, then live to the end of the sweep, which must be the undisturbed one's.

    After every life the record says where it is to be delivered, and no later one trains a trial again that the storage
    shows as finished.

    Returns:
        The lives, the last one last; there are fewer when a death came too late.
    """
    lives: list[Life] = []
    finished: set[int] = set()
    for death in (*deaths, {}):
        n_rungs = len(rungs_trained(folder))
        life = template.live(folder, **death)
        trained = {trial for _, trial, _ in rungs_trained(folder)[n_rungs:]}
        assert not trained & finished, f"trained again: {trained & finished}"
        lives.append(life)
        for record in folder.glob(".sweeps/*/*/outbox.jsonl"):
            if record.stat().st_size > 0:
                assert record.with_name("tracking_uri").read_text() == SHORT["tracking"]["uri"]
        studies = all_studies(Workspace(folder))
        if any(study.attributes.state == "FINISHED" for study in studies):
            break
        finished = {trial.number for study in studies for trial in study.trials if trial.state.is_finished()}
    found = outcome(folder)
    for name in ("rows", "facts", "end", "weights"):
        ours, theirs = getattr(found, name), getattr(undisturbed.outcome, name)
        assert ours == theirs, f"{name}: {ours} where undisturbed it is {theirs}"
    if life.exit_code == 0:
        assert found.files == undisturbed.outcome.files, found.files ^ undisturbed.outcome.files
    return lives


def assert_tells_of_a_full_disk(err: str) -> None:
    """One message, without a traceback, that says what to do."""
    assert re.fullmatch(
        r"(No report was made: .*\n)?\S*: the disk is full\. The record up to here is whole; free some space, then "
        r"type the same command again to continue\.\n|\S*: cannot be written \(No space left on device\)\. .*\n",
        err,
    ), err
