"""A study's models reach MLflow's registry exactly once, whatever happens on the way, and can be asked for there."""

import math
import shutil
import subprocess
import sys
import textwrap
from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest

from experiments.delivery import deliver
from experiments.errors import InputError
from experiments.facts import Score
from experiments.model import Model
from experiments.model_lookup import ModelName, fetch_model
from experiments.outbox import Outbox
from experiments.registry import publish_models, registered_name
from tests.experiments.support.delivery import Killed, tags_of
from tests.experiments.support.models import ensemble_of, model_of
from tests.experiments.support.study_facts import STUDY, T0, accuracy, finished, started, trial
from tests.support.servers import free_port, mlflow_server
from tests.support.sql import query


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with two models and an ensemble."""
    folder = tmp_path_factory.mktemp("models")
    ensemble_of("binary", folder, study=STUDY)[1].save(folder / "ensemble.h5")
    for name, seed in (("model.h5", 1), ("other.h5", 2)):
        model_of("binary", folder, seed=seed, study=STUDY)[1].save(folder / name)
    return folder


@pytest.fixture
def folder(tmp_path, with_store, models):
    """An MLflow database, two models and an ensemble."""
    return shutil.copytree(models, with_store(tmp_path), dirs_exist_ok=True)


@pytest.fixture
def uri(folder):
    return f"sqlite:///{folder}/mlflow.db"


@pytest.fixture
def client(uri):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


@pytest.fixture
def run_id(client, folder):
    experiment = client.create_experiment("cats", (folder / "mlruns" / "cats").as_uri())
    return client.create_run(experiment, run_name=STUDY).info.run_id


def won(sequence=1, model_file="model.h5", **changes):
    """The end of a study with a winner."""
    return finished(sequence, model_file=model_file, **changes)


def won_by_both(sequence=1, recommended="ensemble", **changes):
    """The end of a study with a winner and an ensemble."""
    ensemble = {"ensemble_file": "ensemble.h5", "ensemble_scores": [accuracy(0.85)], "recommended": recommended}
    return won(sequence, **(ensemble | changes))


def aliases(client, name="cats"):
    """Alias to version."""
    return client.get_registered_model(name).aliases


def assert_published_once(uri, version=1):
    """One logged model, bound to its run once, with each score once; one version, which both aliases name."""
    assert query(uri, "SELECT name, status FROM logged_models") == [("model", 2)]  # READY
    assert query(uri, "SELECT count(*) FROM inputs WHERE source_type = 'RUN_OUTPUT'") == [(1,)]
    assert query(uri, "SELECT metric_name, metric_value FROM logged_model_metrics ORDER BY metric_value") == [
        ("test_accuracy_ci95_low", 0.7),
        ("test_accuracy", 0.8),
        ("test_accuracy_ci95_high", 0.95),
    ]
    assert query(uri, "SELECT name, version, status FROM model_versions WHERE current_stage = 'None'") == [
        ("cats", version, "READY")
    ]
    assert query(uri, "SELECT name, alias, version FROM registered_model_aliases ORDER BY alias") == [
        ("cats", "candidate", version),
        ("cats", "winner", version),
    ]
    assert query(uri, "SELECT value FROM tags WHERE key = 'sweeps.model_version'") == [(f"cats/{version}",)]


def assert_both_published_once(uri, recommended="ensemble"):
    """Two logged models, each bound once, with its own scores once; two versions, each alias on the right one."""
    version = {"model": 1, "ensemble": 2}
    assert query(uri, "SELECT name, status FROM logged_models ORDER BY name") == [("ensemble", 2), ("model", 2)]
    assert query(uri, "SELECT count(*) FROM inputs WHERE source_type = 'RUN_OUTPUT'") == [(2,)]
    scores = "SELECT name, metric_name, metric_value FROM logged_model_metrics JOIN logged_models USING (model_id)"
    assert sorted(query(uri, scores)) == [
        (name, f"test_accuracy{suffix}", value)
        for name, own in (("ensemble", 0.85), ("model", 0.8))
        for suffix, value in (("", own), ("_ci95_high", 0.95), ("_ci95_low", 0.7))
    ]
    described = "SELECT version, status, description FROM model_versions WHERE current_stage = 'None' ORDER BY version"
    assert query(uri, described) == [
        (1, "READY", f"Winner of `{STUDY}`: test_accuracy 0.8."),
        (2, "READY", f"Ensemble of `{STUDY}`: test_accuracy 0.85."),
    ]
    assert query(uri, "SELECT alias, version FROM registered_model_aliases ORDER BY alias") == [
        ("candidate", version["ensemble" if recommended == "ensemble" else "model"]),
        ("winner", version["model"]),
    ]
    latest = query(uri, "SELECT value FROM latest_metrics WHERE key = 'test_accuracy'")
    assert latest == [(0.8,)], "of the run's own scores the winner's are the latest"


def test_a_score_that_does_not_exist_is_no_metric_of_the_model(folder, uri):
    outbox = Outbox(folder / "outbox.jsonl")
    scores = [Score("rmse", 0.8, math.nan, math.nan, {"constant": 0.9}), Score("r2", math.nan, math.nan, math.nan, {})]
    for fact in (started(), trial(0), finished(model_file="model.h5", scores=scores)):
        outbox.append(fact)
    assert deliver(outbox, uri).n_pending == 0
    assert query(uri, "SELECT metric_name, metric_value FROM logged_model_metrics") == [("test_rmse", 0.8)]


def test_a_finished_study_leaves_its_winner_in_the_registry_from_where_mlflow_loads_it(folder, uri):
    outbox = Outbox(folder / "outbox.jsonl")
    for fact in (started(), trial(0), finished(model_file="model.h5")):
        outbox.append(fact)
    result = deliver(outbox, uri)
    assert (result.n_pending, result.error) == (0, None)
    assert_published_once(uri)
    assert tags_of(uri, STUDY)["sweeps.model_version"] == "cats/1"
    model = Model.load(folder / "model.h5")
    X = np.zeros((2, 30))
    X[1] = model.preprocessing.offset.ravel()

    load = """
        import sys, mlflow.pyfunc, mlflow, numpy as np
        mlflow.set_tracking_uri(sys.argv[1])
        for name in ("models:/cats@candidate", "models:/cats/1", "runs:/" + sys.argv[2] + "/model"):
            model = mlflow.pyfunc.load_model(name)
            X = np.array(eval(sys.argv[3]))
            print(model.predict(X, params={"proba": True}).to_numpy()[:, 1:].astype(float).tolist())
    """
    command = [sys.executable, "-c", textwrap.dedent(load), uri, str(result.run_id), str(X.tolist())]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
    assert done.stdout == f"{model.predict_proba(X).tolist()}\n" * 3, done.stderr


@pytest.mark.parametrize("recommended", ["ensemble", "winner"])
def test_a_study_with_an_ensemble_leaves_both_models_and_the_recommended_one_is_the_candidate(
    folder, uri, client, recommended
):
    outbox = Outbox(folder / "outbox.jsonl")
    for fact in (started(), trial(0), won_by_both(recommended=recommended)):
        outbox.append(fact)
    result = deliver(outbox, uri)
    assert (result.n_pending, result.error) == (0, None)
    assert_both_published_once(uri, recommended)
    metrics = dict(query(uri, "SELECT key, value FROM latest_metrics WHERE key LIKE '%accuracy'"))
    assert (metrics["test_accuracy"], metrics["ensemble_test_accuracy"]) == (0.8, 0.85)
    assert tags_of(uri, STUDY)["sweeps.model_version"] == f"cats/{1 if recommended == 'winner' else 2}"
    Path(folder, "outbox.jsonl.delivered").unlink()
    assert deliver(Outbox(outbox.path), uri).n_pending == 0
    assert_both_published_once(uri, recommended)

    run_id = str(result.run_id)
    n_members = {"winner": 1, "ensemble": 2}
    for name, kind in {
        "cats@candidate": recommended,
        "cats@winner": "winner",
        "cats/1": "winner",
        "cats/2": "ensemble",
        run_id: recommended,
        f"runs:/{run_id}/model": "winner",
        f"runs:/{run_id}/ensemble": "ensemble",
    }.items():
        assert len(fetch_model(ModelName.parse(name), uri).members) == n_members[kind], name
    with pytest.raises(
        InputError, match=r"ensembl: the run .* Did you mean 'ensemble'\? It has ensemble, model\. Name"
    ):
        fetch_model(ModelName.parse(f"runs:/{run_id}/ensembl"), uri)
    import mlflow.pyfunc

    loaded = mlflow.pyfunc.load_model(client.get_model_version_download_uri("cats", "2"))
    X = loaded.input_example
    ensemble = Model.load(folder / "ensemble.h5")
    np.testing.assert_array_equal(loaded.predict(X)["prediction"], ensemble.predict(X))


@pytest.mark.parametrize("state", ["FAILED", "KILLED"])
def test_a_study_that_did_not_finish_registers_nothing(folder, uri, state):
    outbox = Outbox(folder / "outbox.jsonl")
    outbox.append(started())
    outbox.append(finished(state=state, model_file="model.h5"))
    assert deliver(outbox, uri).n_pending == 0
    assert query(uri, "SELECT count(*) FROM logged_models") == [(0,)]
    assert query(uri, "SELECT count(*) FROM registered_models") == [(0,)]


STEPS = (
    "search_logged_models", "create_logged_model", "log_outputs", "log_batch", "log_model_artifacts",
    "finalize_logged_model", "create_registered_model", "search_model_versions", "create_model_version",
    "set_logged_model_tags", "set_registered_model_alias", "set_tag",
)  # fmt: skip


@pytest.mark.parametrize("has_happened", [False, True], ids=["before", "after"])
def test_a_kill_around_every_step_is_completed_by_the_next_delivery(
    folder, uri, client, run_id, monkeypatch, has_happened
):
    """Killed at the first step, then, having got one step further, at the next, and so on to the end."""
    from mlflow import MlflowClient

    for step in STEPS:
        real = getattr(MlflowClient, step)

        def killed(*args, _real=real, **kwargs):
            if has_happened:
                _real(*args, **kwargs)
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(MlflowClient, step, killed)
            with pytest.raises(Killed):
                publish_models(client, run_id, "cats", won(), folder)
    for _ in range(2):
        publish_models(client, run_id, "cats", won(), folder)
        assert_published_once(uri)
    assert not list(folder.glob("pyfunc*")), "nothing unfinished is left"


@pytest.mark.parametrize("has_happened", [False, True], ids=["before", "after"])
def test_a_kill_around_every_step_of_the_second_model_is_completed_by_the_next_delivery(
    folder, uri, client, run_id, monkeypatch, has_happened
):
    """As above, from where the publication has looked for its second model on; the aliases and tags once more."""
    from mlflow import MlflowClient

    real = {step: getattr(MlflowClient, step) for step in STEPS}
    ends = [(step, 2) for step in ("set_registered_model_alias", "set_tag")]
    for deadly, which in [*((step, 1) for step in STEPS), *ends]:
        n_looked, n_reached = iter(range(1, 9)), iter(range(1, 9))
        is_second = False

        def call(step, *args, _deadly=deadly, _which=which, _looked=n_looked, _reached=n_reached, **kwargs):
            nonlocal is_second
            is_second = is_second or (step == "search_logged_models" and next(_looked) == 2)
            is_deadly = is_second and step == _deadly and next(_reached) == _which
            if is_deadly and not has_happened:
                raise Killed
            try:
                return real[step](*args, **kwargs)
            finally:  # an error is an answer too: the registered model is there already
                if is_deadly:
                    raise Killed

        with monkeypatch.context() as patch:
            for step in STEPS:
                patch.setattr(
                    MlflowClient, step, partialmethod(lambda self, name, *a, **k: call(name, self, *a, **k), step)
                )
            with pytest.raises(Killed):
                publish_models(client, run_id, "cats", won_by_both(), folder)
    client.log_metric(run_id, "test_accuracy", 0.8, round(won_by_both().ended_at * 1000), 0)  # as the record does
    for _ in range(2):
        publish_models(client, run_id, "cats", won_by_both(), folder)
        assert_both_published_once(uri)
    assert not list(folder.glob("pyfunc*")), "nothing unfinished is left"


def test_the_candidate_stays_where_it_was_until_the_recommended_model_is_there(folder, client, run_id, monkeypatch):
    from mlflow import MlflowClient

    publish_models(client, run_id, "cats", won(1, "other.h5"), folder)
    with monkeypatch.context() as patch:
        patch.setattr("experiments.registry.save_pyfunc", lambda file, *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            publish_models(client, run_id, "cats", won_by_both(2), folder)
    assert aliases(client) == {"candidate": 1, "winner": 1}
    assert isinstance(client, MlflowClient)
    publish_models(client, run_id, "cats", won_by_both(2), folder)
    assert aliases(client) == {"candidate": 3, "winner": 2}


def test_a_study_that_finishes_again_with_the_same_models_may_recommend_the_other(folder, client, run_id):
    publish_models(client, run_id, "cats", won(1), folder)
    assert aliases(client) == {"candidate": 1, "winner": 1}
    publish_models(client, run_id, "cats", won_by_both(2, "ensemble"), folder)
    assert aliases(client) == {"candidate": 2, "winner": 1}
    publish_models(client, run_id, "cats", won_by_both(3, "winner"), folder)
    assert aliases(client) == {"candidate": 1, "winner": 1}
    assert len(client.search_model_versions("name = 'cats'")) == 2
    assert len(fetch_model(ModelName(run_id=run_id), client.tracking_uri).members) == 1


def test_what_a_person_deleted_or_moved_afterwards_is_left_alone_by_a_replay(folder, uri, client, run_id):
    publish_models(client, run_id, "cats", won(), folder)
    client.delete_registered_model_alias("cats", "candidate")
    publish_models(client, run_id, "cats", won(), folder)
    assert aliases(client) == {"winner": 1}
    client.delete_model_version("cats", "1")
    publish_models(client, run_id, "cats", won(), folder)
    assert client.search_model_versions("name = 'cats'") == []


def test_a_version_that_was_deleted_before_the_delivery_was_complete_is_made_again(
    folder, uri, client, run_id, monkeypatch
):
    from mlflow import MlflowClient

    def killed(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", killed)
        with pytest.raises(Killed):
            publish_models(client, run_id, "cats", won(), folder)
    client.delete_model_version("cats", "1")
    publish_models(client, run_id, "cats", won(), folder)
    assert aliases(client) == {"candidate": 2, "winner": 2}, "MLflow never gives a number twice"


def test_a_study_that_finishes_again_with_another_winner_has_a_second_version(folder, uri, client, run_id):
    publish_models(client, run_id, "cats", won(1), folder)
    publish_models(client, run_id, "cats", won(2, "other.h5"), folder)
    assert aliases(client) == {"candidate": 2, "winner": 2}
    assert len(client.search_model_versions("name = 'cats'")) == 2


def test_the_candidate_is_of_the_newest_study_even_if_an_older_one_is_delivered_later(folder, uri, client, run_id):
    older, newer = won(model_file="other.h5", ended_at=T0), won(ended_at=T0 + 86400)
    publish_models(client, run_id, "cats", newer, folder)
    yesterday = client.create_run(client.get_run(run_id).info.experiment_id).info.run_id
    publish_models(client, yesterday, "cats", older, folder)
    assert aliases(client) == {"candidate": 1, "winner": 1}
    assert len(client.search_model_versions("name = 'cats'")) == 2


def test_the_candidate_is_of_the_study_that_came_later_though_the_clock_was_set_back(folder, client, run_id):
    publish_models(client, run_id, "cats", won(2), folder)
    experiment = client.get_run(run_id).info.experiment_id
    later = client.create_run(experiment, run_name="later").info.run_id
    behind, after = T0 - 7200, T0 + 2000.001  # what the clock said, and the order that the folder gave
    publish_models(client, later, "cats", won(1, "other.h5", ended_at=behind, order=after), folder)
    assert aliases(client) == {"candidate": 2, "winner": 2}


def test_a_candidate_that_somebody_else_registered_gives_way_to_the_newest_winner(folder, client, run_id):
    client.create_registered_model("cats")
    client.create_model_version("cats", (folder / "elsewhere").as_uri())
    client.set_registered_model_alias("cats", "candidate", "1")
    publish_models(client, run_id, "cats", won(), folder)
    assert aliases(client) == {"candidate": 2, "winner": 2}


@pytest.mark.parametrize(
    ("sweep", "name"), [("cats", "cats"), ("cats-2.5_b", "cats-2.5_b"), ("a/b:c", "a_b_c"), ("..", "_"), ("'x'", "_x_")]
)
def test_every_name_of_a_sweep_is_the_name_of_a_registered_model(sweep, name, folder, client, run_id):
    assert registered_name(sweep) == name
    publish_models(client, run_id, sweep, won(), folder)
    assert aliases(client, name) == {"candidate": 1, "winner": 1}


def test_a_model_that_cannot_be_read_keeps_only_its_own_fact_back(folder, uri):
    outbox = Outbox(folder / "outbox.jsonl")
    outbox.append(started())
    outbox.append(finished(model_file="absent.h5"))
    result = deliver(outbox, uri)
    assert result.n_pending == 1
    assert "the model: FileNotFoundError" in (result.error or "")
    assert query(uri, f"SELECT status FROM runs WHERE name = '{STUDY}'") == [("FINISHED",)]  # noqa: S608
    shutil.copy(folder / "model.h5", folder / "absent.h5")
    assert deliver(outbox, uri).n_pending == 0
    assert_published_once(uri)


def test_mlflows_global_store_is_neither_asked_nor_changed(folder, uri, client, run_id, tmp_path, monkeypatch):
    import mlflow

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    publish_models(client, run_id, "cats", won(), folder)
    fetch_model(ModelName(registered="cats", alias="candidate"), uri)
    assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri()) == before
    assert mlflow.active_run() is None
    assert list(elsewhere.iterdir()) == []


# --- asked for by name ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cats@candidate", ModelName(registered="cats", alias="candidate")),
        ("cats/3", ModelName(registered="cats", version="3")),
        ("models:/cats@candidate", ModelName(registered="cats", alias="candidate")),
        ("models:/cats/3", ModelName(registered="cats", version="3")),
        ("0123456789abcdef0123456789abcdef", ModelName(run_id="0123456789abcdef0123456789abcdef")),
        ("cats@winner", ModelName(registered="cats", alias="winner")),
        ("runs:/0123456789abcdef0123456789abcdef", ModelName(run_id="0123456789abcdef0123456789abcdef")),
        (
            "runs:/0123456789abcdef0123456789abcdef/model",
            ModelName(run_id="0123456789abcdef0123456789abcdef", logged="model"),
        ),
        ("cats/20261123-020000", None),
        ("cats", None),
        ("model.h5", None),
    ],
)
def test_the_names_of_models_in_mlflow(text, expected):
    assert ModelName.parse(text) == expected


def test_a_model_is_found_by_alias_version_and_run(folder, uri, client, run_id):
    publish_models(client, run_id, "cats", won(), folder)
    for name in ("cats@candidate", "cats/1", run_id):
        model = fetch_model(ModelName.parse(name), uri)
        assert model.study == STUDY
        here = Model.load(folder / "model.h5")
        np.testing.assert_array_equal(model.members[0].parameters.W[0], here.members[0].parameters.W[0])


def test_what_mlflow_does_not_have_is_answered_with_what_it_has(folder, uri, client, run_id):
    publish_models(client, run_id, "cats", won(), folder)
    client.create_registered_model("dogs")
    client.create_model_version("dogs", (folder / "elsewhere").as_uri())
    experiment = client.get_run(run_id).info.experiment_id
    child = client.create_run(experiment, tags={"mlflow.parentRunId": run_id}, run_name="trial-0003").info.run_id
    for name, message in {
        "cats@candidat": r"cats@candidat: no such alias\. Did you mean 'candidate'\? cats has the aliases candidate, w",
        "cats@champion": r"cats@champion: no such alias\. cats has the aliases .*, winner\. .* a version: cats/1$",
        "dogs@candidate": r"dogs has the aliases \(none\)",
        "cat@candidate": r"cat: no registered model .* Did you mean 'cats'\? Registered models: cats, dogs\.",
        "cats/7": r"cats/7: no such version\. cats has the versions 1\.",
        "dogs/1": r"elsewhere: artifacts/model.h5 cannot be fetched",
        "0" * 32: f"{'0' * 32}: no run of this id",
        child: f"the run trial-0003 has no model.* Name the study's run: {run_id}",
    }.items():
        with pytest.raises(InputError, match=message):
            fetch_model(ModelName.parse(name), uri)


def test_a_store_that_is_not_there_is_named_and_not_made(tmp_path, capfd):
    name = ModelName(registered="cats", alias="candidate")
    with pytest.raises(InputError, match=r"there is no such database.*--tracking-uri"):
        fetch_model(name, f"sqlite:///{tmp_path}/mlflow.db")
    assert not (tmp_path / "mlflow.db").exists()
    with pytest.raises(InputError, match=r"http://ada:\*\*\*@127.0.0.1:\d+: cannot be reached \(.*Connection refused"):
        fetch_model(name, f"http://ada:hunter2@127.0.0.1:{free_port()}")
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_server_takes_the_model_and_gives_it_back(folder, uri):
    outbox = Outbox(folder / "outbox.jsonl")
    outbox.append(started())
    outbox.append(finished(model_file="model.h5"))
    with mlflow_server(folder, uri) as server:
        result = deliver(outbox, server)
        assert (result.n_pending, result.error) == (0, None)
        Path(folder, "outbox.jsonl.delivered").unlink()
        assert deliver(Outbox(outbox.path), server).n_pending == 0
        for name in ("cats@candidate", "cats/1", str(result.run_id)):
            assert fetch_model(ModelName.parse(name), server).study == STUDY
    assert_published_once(uri)
