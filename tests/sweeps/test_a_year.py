"""A nightly job over many nights, in which all that can happen happens once: what is champion, what is on record, and
how much there is of it."""

import json
import statistics
from itertools import pairwise

import pytest
from optuna.trial import TrialState
from typer.testing import CliRunner

from experiments.outbox import Outbox
from experiments.promotion.ledger import Ledger
from sweeps.cli import app
from sweeps.doctor.examination import examine
from sweeps.doctor.finding import Verdict
from sweeps.results.status import all_studies
from tests.support.sql import query
from tests.sweeps.support.year import DAY, FIRST_NIGHT, NAME, Year

pytestmark = pytest.mark.usefixtures("quiet_optuna")

SHORT = {
    1: ("killed",),
    2: ("mlflow is down",),
    3: ("overlap",),
    4: ("drift",),
    5: ("broken file",),
    6: ("missed",),
    7: ("drift",),
    8: ("champion lost",),
}
LONG = {
    20: ("same data",),
    40: ("killed",),
    80: ("mlflow is down",),
    120: ("overlap",),
    150: ("drift",),
    200: ("broken file",),
    230: ("missed",),
    260: ("drift",),
    300: ("champion lost",),
}


def lived(folder, monkeypatch, events, n_nights, **retention):
    monkeypatch.chdir(folder)
    year = Year(folder, events, retention)
    year.begin()
    year.live(n_nights)
    return year


def night_of(events, event):
    return [night for night, those in sorted(events.items()) if event in those]


def check_exit_codes(year):
    expected = {night: [0] for night in (night.number for night in year.nights)}
    for event, codes in (
        ("killed", [-9, 0]),
        ("mlflow is down", [4]),
        ("overlap", [75, 0]),
        ("broken file", [2]),
    ):
        for night in night_of(year.events, event):
            expected[night] = codes
    assert {night.number: night.exit_codes for night in year.nights} == expected
    assert "train.npz" in next(night.said for night in year.nights if night.exit_codes == [2])


def check_champions(year):
    """Promoted were the first model, those after a drift, and the one after the champion's files were lost."""
    moved = [0, *night_of(year.events, "drift"), *night_of(year.events, "champion lost")]
    assert [night.number for night in year.nights if night.promoted] == moved
    told = CliRunner().invoke(app, ["history", NAME, "--json"])
    champions = json.loads(told.stdout)["champions"]
    assert [int((reign["since"] - FIRST_NIGHT) // DAY) for reign in champions] == moved
    assert champions[-1]["until"] is None
    assert all(night.verdict_code == 0 for night in year.nights), "each verdict follows from its document"
    entries = Ledger(year.workspace.ledger(NAME)).entries
    assert sum(entry.alpha_spent for entry in entries) <= 0.05
    assert sum(entry.decision == "promote" for entry in entries) == len(moved)


def check_record(year):
    """No orphan, no trial that is in one place and not in another."""
    findings = examine(year.workspace, has_to_mend=False)
    assert [str(finding) for finding in findings if finding.verdict is not Verdict.NOTE] == []
    uri = f"sqlite:///{year.folder}/mlflow.db"
    of_trials = (
        "select study.value, count(*) from tags study join tags kind on study.run_uuid = kind.run_uuid "
        "where study.key = 'sweeps.study' and kind.key = 'sweeps.kind' and kind.value = 'trial' group by 1"
    )
    in_mlflow = dict(query(uri, of_trials))
    assert query(uri, "select count(*) from runs where status != 'FINISHED' or lifecycle_stage != 'active'") == [(0,)]
    studies = all_studies(year.workspace)
    for study in studies:
        assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 2
        outbox = Outbox(year.workspace.study_folder(study.name).outbox)
        assert len(list(outbox.trials_without_curves())) == 2
        assert in_mlflow.pop(study.name) == 2
    assert in_mlflow == {}
    assert {folder.study_name for folder in year.workspace.study_folders()} == {study.name for study in studies}
    return studies


def test_eight_nights_in_which_everything_happens(tmp_path, with_store, monkeypatch):
    year = lived(with_store(tmp_path / "nights"), monkeypatch, SHORT, 9, keep=3)
    check_exit_codes(year)
    check_champions(year)
    studies = check_record(year)
    assert len(studies) == 3 + 1  # and the champion before this one


@pytest.mark.slow
def test_a_year_promotes_what_is_better_loses_nothing_and_does_not_grow_with_retention(
    tmp_path, with_store, monkeypatch
):
    year = lived(with_store(tmp_path / "nights"), monkeypatch, LONG, 365, keep=10)
    tell(year, "keep = 10")
    check_exit_codes(year)
    check_champions(year)
    assert len(check_record(year)) <= 10 + 3
    first, last = thirds(year)
    grown = statistics.mean(night.n_bytes for night in last) / statistics.mean(night.n_bytes for night in first)
    assert grown < 1.25
    assert max(night.n_files for night in last) <= 1.1 * max(night.n_files for night in first)


@pytest.mark.slow
def test_without_retention_it_grows_by_the_same_each_night(tmp_path, with_store, monkeypatch):
    events = {night // 3: those for night, those in LONG.items()}
    year = lived(with_store(tmp_path / "nights"), monkeypatch, events, 122)
    tell(year, "keeps everything")
    check_exit_codes(year)
    check_champions(year)
    check_record(year)
    first, last = (
        statistics.mean(after.n_bytes - before.n_bytes for before, after in pairwise(those)) for those in thirds(year)
    )
    assert last < 1.3 * first


def thirds(year):
    """The nights of the second and of the last third of the time: the first fills the retention."""
    n = len(year.nights) // 3
    return year.nights[n : 2 * n], year.nights[-n:]


def tell(year, what):
    """What tests/benchmarks/RESULTS.md has; shown with -s."""
    for name, those in zip(("second third", "last third"), thirds(year), strict=True):
        seconds = statistics.median(night.seconds for night in those)
        size, files = those[-1].n_bytes / 1e6, those[-1].n_files
        print(f"{what}, {name}: {seconds:.2f} s of processor a night; {size:.1f} MB in {files} files at its end")
