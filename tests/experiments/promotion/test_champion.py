"""The alias `champion` in a real MLflow store: it moves once for each verdict, and only from where it was expected."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.delivery import deliver
from experiments.errors import InputError
from experiments.facts import VerdictReached
from experiments.outbox import Outbox
from experiments.promotion import champion as champion_module
from experiments.promotion.by_hand import back_to, champions_of, make_champion, verdict_of_version
from experiments.promotion.champion import Champion, find_champion
from experiments.promotion.comparison import ACCURACY, Counts, Evidence
from experiments.promotion.history import Move, version_before
from experiments.promotion.judgement import Terms
from experiments.promotion.outcome import Outcome
from experiments.promotion.verdict import ModelRef, Verdict, find
from tests.experiments.support.delivery import Killed
from tests.experiments.support.models import model_of
from tests.experiments.support.study_facts import T0, finished, started

BETTER, WORSE = Counts(800, 20, 80, 100), Counts(800, 80, 20, 100)


class Nights:
    """A folder of sweeps and an MLflow store; each night's study ends with a model and a verdict on it."""

    def __init__(self, folder: Path, models: Path) -> None:
        self.root, self._models, self.n = folder / ".sweeps", models, 0
        self.uri = f"sqlite:///{folder}/mlflow.db"

    def decided(self, champion="", counts=BETTER, mode="auto"):
        """The outbox of a night on which the challenger was compared with a version; "" for nobody."""
        study = f"cats/2026112{self.n}-020000"
        folder = self.root / study
        folder.mkdir(parents=True)
        shutil.copy(self._models / f"{self.n}.h5", folder / "model.h5")
        digest = champion_module.sha256((folder / "model.h5").read_bytes()).hexdigest()
        terms = Terms(alpha=0.001, spent=0.0, alpha_per_year=0.05, margin=0.0, seed=1)
        evidence, reference = None, "nobody"
        if champion:
            evidence = Evidence(ACCURACY, sum(counts), counts, {}, 2, None, float("nan"), float("nan"))
            reference = "champion"
        verdict = Verdict(
            sweep="cats",
            decided_at=T0 + self.n,
            challenger=ModelRef("", study, digest),
            champion=ModelRef(champion, "", "") if champion else None,
            reference=reference,
            problem="",
            mode=mode,
            rows=None,
            evidence=evidence,
            terms=terms,
            finding=find(evidence, terms, reference, ""),
            software={},
            previous="",
        )
        outbox = Outbox(folder / "outbox.jsonl")
        outbox.append(started(study=study, started_at=T0 + self.n))
        outbox.append(replace(finished(model_file="model.h5"), study=study, ended_at=T0 + self.n + 0.5))
        outbox.append(VerdictReached(study, digest, verdict.to_json()))
        self.n += 1
        return outbox

    def delivered(self, outbox):
        """Deliver it; the outcome."""
        result = deliver(outbox, self.uri)
        assert result.error is None, result.error
        outcome = Outcome.load(outbox.path.parent / "outcome.json")
        assert outcome is not None
        return outcome

    def night(self, champion="", counts=BETTER, mode="auto"):
        return self.delivered(self.decided(champion, counts, mode))

    @property
    def client(self):
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.uri)

    @property
    def champion(self):
        return str(self.client.get_registered_model("cats").aliases.get("champion", ""))

    @property
    def history(self):
        return [(reign.version, reign.kind) for reign in champions_of(self.uri, "cats")]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Five models."""
    folder = tmp_path_factory.mktemp("models")
    for number in range(5):
        model_of("binary", folder, seed=number)[1].save(folder / f"{number}.h5")
    return folder


@pytest.fixture
def nights(tmp_path, with_store, models):
    return Nights(with_store(tmp_path), models)


def test_who_was_champion_is_known_in_a_folder_that_was_moved(tmp_path):
    before, after = tmp_path / "cats", tmp_path / "moved" / "cats"
    model = before / "20261121-020000" / "model.h5"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"a model")
    known = Champion(ModelRef("2", "cats/20261121-020000", "0" * 64), str(model), past=[(T0, 0.01)])
    known.save(before / "champion.json")
    assert Champion.load(before / "champion.json") == known
    after.parent.mkdir()
    before.rename(after)
    moved = Champion.load(after / "champion.json")
    assert moved == replace(known, file=str(after / "20261121-020000" / "model.h5"))
    Champion(None, problem="MLflow is down").save(after / "champion.json")
    assert Champion.load(after / "champion.json") == Champion(None, problem="MLflow is down")


def test_the_first_candidate_becomes_champion_then_those_that_prove_better_and_no_others(nights):
    assert nights.night().champion == "1"
    assert nights.night("1", BETTER).champion == "2"
    known = Champion.load(nights.root / "cats" / "champion.json")
    assert known is not None
    assert (known.model.version, Path(known.file).parent.name) == ("2", "20261121-020000")
    outcome = nights.night("2", WORSE)
    assert (outcome.version, outcome.champion, outcome.problem) == ("3", "2", "")
    assert nights.night("2", BETTER, mode="never").champion == "2"
    assert nights.night("2", WORSE, mode="force").champion == "5"
    assert nights.champion == "5"
    reigns = champions_of(nights.uri, "cats")
    assert [reign.version for reign in reigns] == ["1", "2", "5"]
    assert [reign.until for reign in reigns] == [reigns[1].since, reigns[2].since, None]
    assert reigns[0].reason == "there is no champion yet"
    assert "better than the champion by 0.06" in reigns[1].reason
    assert reigns[2].reason.startswith("forced (accuracy worse than the champion")
    tags = nights.client.get_model_version("cats", "3").tags
    assert tags["sweeps.promotion"].startswith("not promoted: accuracy worse than the champion")
    assert Verdict.from_json(verdict_of_version(nights.uri, "cats", "3"), "cats/3").holds


def test_of_two_that_were_compared_with_the_same_champion_one_is_promoted(nights):
    nights.night()
    one, other = nights.decided("1"), nights.decided("1")
    assert nights.delivered(other).champion == "2"
    late = nights.delivered(one)
    assert (late.version, late.champion) == ("3", "2")
    assert late.problem == "it was compared with version 1, and meanwhile version 2 is champion"
    assert nights.history == [("1", "verdict"), ("2", "verdict")]
    assert nights.client.get_model_version("cats", "3").tags["sweeps.promotion"].startswith("not promoted: it was comp")


def test_a_verdict_that_is_delivered_again_moves_nothing_back(nights):
    first = nights.decided()
    nights.delivered(first)
    nights.night("1")
    first.forget_delivered()
    assert nights.delivered(first).champion == "2"
    assert nights.history == [("1", "verdict"), ("2", "verdict")]


def test_a_kill_between_the_alias_and_its_history_leaves_neither_undone(nights, monkeypatch):
    outbox = nights.decided()

    def killed(*args):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(champion_module, "write_move", killed)
        with pytest.raises(Killed):
            deliver(outbox, nights.uri)
    assert (nights.champion, nights.history) == ("1", [("1", "unknown")])
    nights.delivered(Outbox(outbox.path))
    assert nights.history == [("1", "verdict")]


def test_a_version_that_was_deleted_is_judged_no_more(nights):
    outbox = nights.decided()
    nights.delivered(outbox)
    nights.client.delete_model_version("cats", "1")
    outbox.forget_delivered()
    assert nights.delivered(outbox).problem == "its version was deleted"


def test_the_champion_is_found_with_its_file_here_fetched_or_gone(nights, tmp_path):
    assert find_champion(nights.uri, "cats", nights.root, with_past=True).model is None
    nights.night()
    nights.night("1")
    study = nights.root / "cats" / "20261121-020000"
    found = find_champion(nights.uri, "cats", nights.root, with_past=False)
    assert found.model.version == "2"
    assert Path(found.file) == study / "model.h5"
    Path(found.file).unlink()
    fetched = find_champion(nights.uri, "cats", nights.root, with_past=True)
    assert Path(fetched.file) == nights.root / "cats" / "champion.h5"
    assert sorted(fetched.past) == [(T0, 0.0), (T0 + 1, 0.001)], "a folder without a ledger learns what was spent"
    Path(fetched.file).unlink()
    shutil.rmtree(tmp_path / "mlruns")
    gone = find_champion(nights.uri, "cats", nights.root, with_past=False)
    assert gone.file is None
    assert gone.problem.startswith("the model file of version 2 is gone")


def test_a_person_promotes_what_its_verdict_speaks_for_or_by_force_and_goes_back(nights):
    nights.night()
    nights.night("1", BETTER, mode="never")
    nights.night("1", WORSE)
    with pytest.raises(InputError, match=r"^cats/3: its verdict is against it: accuracy worse .* --force$"):
        make_champion(nights.uri, "cats", "3", is_forced=False)
    assert make_champion(nights.uri, "cats", "2", is_forced=False) == "1"
    assert make_champion(nights.uri, "cats", "2", is_forced=False) == "2", "already"
    make_champion(nights.uri, "cats", "3", is_forced=True)
    assert back_to(nights.uri, "cats", None) == ("2", "3")
    assert back_to(nights.uri, "cats", None) == ("1", "2")
    with pytest.raises(InputError, match="version 1 is champion, and nobody was before it"):
        back_to(nights.uri, "cats", None)
    assert back_to(nights.uri, "cats", "3") == ("3", "1")
    assert nights.champion == "3"
    assert [kind for _, kind in nights.history] == ["verdict", "promote", "promote", "rollback", "rollback", "rollback"]


def test_what_a_person_types_wrong_moves_nothing(nights):
    nights.night()
    nights.night("1", BETTER, mode="never")
    client = nights.client
    document = client.get_model_version("cats", "2").tags["sweeps.verdict"]
    client.set_model_version_tag("cats", "2", "sweeps.verdict", document.replace("cats/", "dogs/"))
    for call, match in (
        (lambda: make_champion(nights.uri, "cats", "2", is_forced=False), r"^cats/2: .* was changed .* to the byte"),
        (lambda: make_champion(nights.uri, "cats", "9", is_forced=True), r"^cats/9: no such version\. cats has the"),
        (lambda: make_champion(nights.uri, "cast", "1", is_forced=True), r"Did you mean 'cats'"),
        (lambda: back_to(nights.uri, "cats", "2"), r"^cats/2: never was champion\. .* promote cats/2$"),
        (lambda: champions_of(nights.uri, "dogs"), r"^dogs: no registered model of this name"),
    ):
        with pytest.raises(InputError, match=match):
            call()
    assert (nights.champion, nights.history) == ("1", [("1", "verdict")])


def test_an_alias_that_somebody_else_moved_is_seen_in_the_history(nights):
    nights.night()
    nights.night("1", WORSE)
    nights.client.set_registered_model_alias("cats", "champion", "2")
    assert nights.history == [("1", "verdict"), ("2", "unknown")]


def test_going_back_twice_goes_further_back():
    def moves(*steps):
        return [Move(float(at), version, "", kind, "") for at, (version, kind) in enumerate(steps)]

    up = (("1", "verdict"), ("2", "verdict"), ("3", "verdict"))
    assert version_before(moves(*up)) == "2"
    assert version_before(moves(*up, ("2", "rollback"))) == "1"
    assert version_before(moves(*up, ("2", "rollback"), ("4", "verdict"))) == "2"
    assert version_before(moves(up[0])) is None
