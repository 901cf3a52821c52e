"""Nights of a real sweep: the first model becomes champion, a better one takes its place, and no other does."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.errors import InputError
from experiments.promotion.rows import StudyRows
from sweeps.cli import app
from sweeps.prediction.named_model import find_model
from sweeps.promotion.documents import find_verdict
from sweeps.results.result import SweepResult
from sweeps.results.summary import summary
from sweeps.run import run_sweep
from sweeps.storage.workspace import Workspace
from tests.sweeps.support.small_sweep import small_config

pytestmark = pytest.mark.usefixtures("quiet_optuna")


@dataclass
class Nights:
    folder: Path
    results: list[SweepResult]

    @property
    def workspace(self):
        return Workspace(self.folder)


def night(folder, n_iterations, **sections):
    """One trial on digits, trained so long, in a study of its own."""
    config = small_config(
        folder,
        sweep={"name": "digits", "n_trials": 1},
        data={"train": "sklearn:digits"},
        search={"n_iterations": n_iterations, "learning_rate": 0.5, "depth": 1, "hidden_units": 8},
        study={"ensemble": 0},
        **sections,
    )
    return run_sweep(config, is_new=True, directory=folder)


@pytest.fixture(scope="module")
def nights(tmp_path_factory, empty_store):
    """A weak model, a better one, the same again, and one on a night without MLflow."""
    folder = tmp_path_factory.mktemp("nights")
    shutil.copy(empty_store, folder / "mlflow.db")
    results = [night(folder, 3), night(folder, 60), night(folder, 60)]
    results.append(night(folder, 90, tracking={"uri": "http://127.0.0.1:9"}))
    return Nights(folder, results)


def test_the_first_model_becomes_champion_and_a_better_one_takes_its_place(nights):
    first, second, third, _ = (result.promotion for result in nights.results)
    assert (first.is_moved, first.outcome.version) == (True, "1")
    assert (second.is_moved, second.outcome.version) == (True, "2")
    assert second.verdict.champion.version == "1"
    assert second.verdict.evidence.n_rows == nights.results[1].n_test == 360
    assert second.verdict.finding.alpha_spent == pytest.approx(0.05 / 365)
    assert (third.is_moved, third.outcome.champion) == (False, "2")
    assert third.verdict.terms.spent == pytest.approx(0.05 / 365)


def test_a_tie_keeps_the_champion_and_spends_nothing_that_could_not_have_won(nights):
    finding = nights.results[2].promotion.verdict.finding
    assert finding.decision == "keep"
    assert finding.reason.startswith("a tie in log-loss on 360 rows")


def test_a_night_without_mlflow_decides_against_the_champion_it_knows_and_says_what_is_pending(nights):
    promotion = nights.results[3].promotion
    assert promotion.verdict.champion.version == "2"
    assert promotion.outcome is None
    assert promotion.to_dict()["is_pending"]
    assert "as soon as MLflow has it" in promotion.in_words()


def test_the_summary_and_the_json_say_it(nights):
    assert "Champion: digits/2 is promoted: log-loss better than the champion by" in summary(nights.results[1])
    document = nights.results[1].to_dict()["promotion"]
    assert (document["decision"], document["is_promoted"], document["version"]) == ("promote", True, "2")
    json.dumps(document, allow_nan=False)


def test_the_champion_predicts_by_its_alias(nights):
    model = find_model("digits@champion", nights.workspace, f"sqlite:///{nights.folder}/mlflow.db")
    assert model.study == nights.results[1].study


def test_the_rows_of_a_study_are_kept_as_digests(nights):
    study = nights.workspace.study_folder(nights.results[0].study)
    rows = StudyRows.load(study.rows)
    assert (len(rows.train), len(rows.test)) == (1437, 360)


def test_each_verdict_is_found_and_follows_from_its_document(nights):
    newest = find_verdict(nights.workspace, "digits")
    assert newest.promotion.verdict.challenger.study == nights.results[3].study
    for number, result in enumerate(nights.results[:3], start=1):
        found = find_verdict(nights.workspace, f"digits/{number}")
        assert found.holds
        assert found.promotion.digest == result.promotion.digest
    with pytest.raises(InputError, match=r"^dogs: no document of the newest verdict"):
        find_verdict(nights.workspace, "dogs")


def test_a_verdict_whose_folder_is_gone_is_read_from_mlflow(nights, tmp_path):
    copy = shutil.copytree(nights.folder, tmp_path / "copy")
    shutil.rmtree(copy / ".sweeps" / nights.results[1].study)
    found = find_verdict(Workspace(copy), "digits/2", f"sqlite:///{nights.folder}/mlflow.db")
    assert found.holds
    assert found.promotion.digest == nights.results[1].promotion.digest


def test_an_edited_document_is_told_in_three_parts_with_exit_2(nights, tmp_path, monkeypatch):
    shutil.copytree(nights.folder / ".sweeps", tmp_path / ".sweeps")
    monkeypatch.chdir(tmp_path)
    file = Workspace(tmp_path).study_folder(nights.results[1].study).verdict
    file.write_text(file.read_text().replace('"decision": "promote"', '"decision": "keep"'))
    result = CliRunner().invoke(app, ["verdict", "digits/2"])
    assert result.exit_code == 2
    assert "verdict.json: was changed since it was written" in result.stderr
    assert "to the byte. Restore it" in result.stderr
    newest = CliRunner().invoke(app, ["verdict", "digits", "--json"])
    assert newest.exit_code == 0
    assert json.loads(newest.stdout)["agrees"]


def test_a_champion_that_cannot_be_scored_is_named_and_does_not_lock_the_gate(nights):
    """The last test: it takes the champion's files away. The run itself may promote nothing, and says how to."""
    shutil.rmtree(nights.folder / "mlruns")
    (nights.workspace.study_folder(nights.results[1].study).model).unlink()
    promotion = night(nights.folder, 120, promotion={"promote": "never"}).promotion
    assert promotion.verdict.reference == "constant"
    decision = promotion.verdict.finding.decision
    assert (decision, promotion.is_moved, promotion.outcome.champion) == ("promote", False, "2")
    words = " ".join(promotion.in_words().split())
    assert "digits/2 stays (promote = never), though the champion cannot be scored (the model file of" in words
    assert f"To promote: python -m sweeps promote digits/{promotion.outcome.version}." in words
