"""Every sampler by name: the same trials however they are run, its own model at work, no configuration twice."""

from collections import Counter
from contextlib import suppress
from functools import cache, partial
from importlib.util import find_spec

import numpy as np
import pytest
from optuna.distributions import IntDistribution
from optuna.samplers import NSGAIISampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from scipy.stats.qmc import Sobol

from experiments.errors import InputError
from sweeps.needs import check_needs
from sweeps.run import run_sweep
from sweeps.search import live_study, samplers
from sweeps.search.live_study import LiveStudy
from sweeps.search.samplers import Samplers, check_package, notes_on
from sweeps.trials.configurations import n_configurations, n_trials_of, space_of
from sweeps.trials.rungs import Rungs
from sweeps.trials.stored_trial import StoredTrial
from tests.sweeps.support import faults
from tests.sweeps.support.shuffled import Shuffled
from tests.sweeps.support.small_sweep import (
    new_study,
    open_executor,
    run_schedule,
    small_config,
    small_problem,
    table,
    trial_of,
    undisturbed_table,
)

pytestmark = pytest.mark.usefixtures("quiet_optuna")

FINITE = {"learning_rate": 0.3, "n_iterations": 12}
"""For the table [search]: depth 0 to 2 with widths 2 to 5, which are 4 * (1 + 4 + 16) = 84 configurations."""

EIGHT = {"learning_rate": 0.3, "n_iterations": {"low": 11, "high": 12}, "depth": 0}
"""2 numbers of iterations, 4 activations."""


def needing(name, package):
    is_there = find_spec(package) is not None
    return pytest.param(name, marks=pytest.mark.skipif(not is_there, reason=f"{package} is not installed"))


NAMES = ["tpe", "random", needing("gp", "torch"), needing("cmaes", "cmaes"), "qmc", "nsgaii", "brute_force"]


def config_for(name, **search):
    """26 trials, of which enough are complete for every model; four in flight. Of gp 18, as its asks take a second."""
    search = FINITE | search if name == "brute_force" else {"learning_rate": {"low": 0.01, "high": 1.0}} | search
    study = {"sampler": name, "pruner": "none" if name == "gp" else "hyperband"}
    return small_config(study=study, sweep={"n_trials": 18 if name == "gp" else 26}, search=search)


@cache
def undisturbed_of(name):
    """The table that everything else is compared with, in generations of four."""
    return undisturbed_table(config_for(name))


class Stopped(Exception):  # noqa: N818  # not an error: the end of a process
    """What a test raises where a process would have died."""


def run_until(look, stored, config):
    """Run a sweep that dies at the n-th look for an interrupt."""
    looks = iter(range(look))

    def check():
        if next(looks, None) is None:
            raise Stopped("here")

    with suppress(Stopped):
        run_schedule(stored, config, check_interrupt=check)


@pytest.mark.parametrize("name", NAMES)
class TestEverySampler:
    """What a sweep promises, whoever proposes its trials."""

    @pytest.fixture(autouse=True)
    def _small_generations(self, monkeypatch):
        monkeypatch.setattr(samplers, "POPULATION_SIZE", 4)

    @pytest.fixture
    def undisturbed(self, name):
        return undisturbed_of(name)

    def test_results_in_any_order_give_the_same_table(self, name, undisturbed):
        stored = new_study(InMemoryStorage())
        with Shuffled(3) as executor:
            run_schedule(stored, config_for(name), executor)
            assert executor.order != sorted(executor.order), "nothing was out of order"
        assert table(stored) == undisturbed

    @pytest.mark.slow
    def test_two_processes_that_answer_at_any_time_give_the_same_table(self, name, undisturbed):
        _, data = small_problem()
        stored = new_study(InMemoryStorage())
        with open_executor("processes", 2, data) as (executor, run_rung_there):
            run_schedule(stored, config_for(name), executor, partial(faults.delayed, 2, run_rung_there))
        assert table(stored) == undisturbed

    @pytest.mark.parametrize("look", [5, 47, 90])
    def test_a_sweep_that_is_killed_twice_has_the_same_table_in_the_end(self, name, undisturbed, look):
        stored = new_study(InMemoryStorage())
        run_until(look, stored, config_for(name))
        assert len(stored.trials) > 0
        run_until(20, stored, config_for(name))
        run_schedule(stored, config_for(name))
        assert table(stored) == undisturbed

    def test_it_proposes_something_else_than_a_random_sampler_with_the_same_seeds(self, name, undisturbed):
        config = config_for(name)
        at_random = config.model_copy(update={"study": config.study.model_copy(update={"sampler": "random"})})
        proposed, random = ([row["params"] for row in rows] for rows in (undisturbed, undisturbed_table(at_random)))
        assert (proposed == random) == (name == "random")

    def test_of_what_it_notes_for_itself_no_pickle_is_stored(self, name):
        stored = new_study(InMemoryStorage())
        run_schedule(stored, config_for(name))
        notes = {key.partition(":")[0] for trial in stored.trials for key in trial.system_attrs}
        assert notes == ({name} if name in ("tpe", "gp") else set())
        assert stored.storage.get_study_system_attrs(stored.study_id) == {}

    def test_the_parameters_in_the_storage_hold_whatever_it_would_propose_now(self, name, monkeypatch):
        config = config_for(name)
        stored = new_study(InMemoryStorage())
        run_schedule(stored, config, n_trials=8)
        before = table(stored)
        new = Samplers.new
        monkeypatch.setattr(Samplers, "new", lambda self, number, attempt=0: new(self, number + 1000, attempt))
        run_schedule(stored, config, n_trials=12)
        assert table(stored)[:8] == before

    def test_no_configuration_is_tried_twice_and_in_the_end_all_are(self, name):
        config = small_config(study={"sampler": name}, search=EIGHT, sweep={"n_trials": 8})
        tried = Counter(tuple(row["params"].items()) for row in undisturbed_table(config))
        assert len(tried) == n_configurations(config.space, 8) == 8
        assert set(tried.values()) == {1}

    def test_what_is_enqueued_is_tried_first_and_what_is_left_out_is_proposed(self, name):
        config = config_for(name)
        learning_rate = config.search.learning_rate if name == "brute_force" else 0.25
        tables = [
            {"learning_rate": learning_rate, "n_iterations": 12, "hidden_units": [5, 2], "activation": "tanh"},
            {"depth": 1, "activation": "sigmoid"},
            {},
        ]
        config = small_config(
            **{key: getattr(config, key).model_dump() for key in ("sweep", "search", "study")}, enqueue=tables
        )
        stored = new_study(InMemoryStorage())
        run_schedule(stored, config)
        first, second, *_ = (StoredTrial.read(trial, config.space).candidate for trial in stored.trials)
        assert (first.learning_rate, first.n_iterations) == (learning_rate, 12)
        assert (first.hidden_units, first.activation) == ((5, 2), "tanh")
        assert (len(second.hidden_units), second.activation) == (1, "sigmoid")
        for look in (1, 20, 60):
            stopped = new_study(InMemoryStorage())
            run_until(look, stopped, config)
            run_schedule(stopped, config)
            assert table(stopped) == table(stored), look

    def test_its_package_is_there_and_its_note_is_a_sentence(self, name):
        check_package(name)
        assert all(note.endswith(".") for note in notes_on(config_for(name)))


# --- one sampler each ---


def test_trial_n_of_qmc_is_point_n_of_one_scrambled_sobol_sequence():
    config = small_config(study={"sampler": "qmc", "pruner": "none"}, sweep={"n_trials": 16})
    params = [row["params"] for row in undisturbed_table(config)]
    space = space_of(config.space)
    (seed,) = np.random.SeedSequence([config.sweep.seed]).generate_state(1)
    points = Sobol(len(space.all), seed=int(seed)).random(16)
    low, high = np.log([config.search.learning_rate.low, config.search.learning_rate.high])
    column = list(space.all).index("learning_rate")
    np.testing.assert_allclose(
        np.log([p["learning_rate"] for p in params]), low + points[:, column] * (high - low), rtol=1e-12, atol=1e-12
    )
    assert sorted((points[:, column] * 16).astype(int)) == list(range(16)), "one point in each sixteenth"


def values_told(name, n_trials, value, pruned=()):
    """The learning rates that a sampler proposes, one trial after the other, when it is told these values."""
    config = small_config(study={"sampler": name, "pruner": "none"}, search={"activation": "relu"})
    stored = new_study(InMemoryStorage())
    study = LiveStudy(stored, config, Rungs(config.search.max_iterations))
    for _ in range(n_trials):
        number, candidate = study.ask()
        study.report(number, 2, value(candidate))
        state = TrialState.PRUNED if number % 3 in pruned else TrialState.COMPLETE
        study.tell(trial_of(number, state, value(candidate), candidate=candidate))
    return np.array([trial.params["learning_rate"] for trial in stored.trials])


@pytest.mark.parametrize("name", ["tpe", needing("cmaes", "cmaes"), "nsgaii", needing("gp", "torch")])
@pytest.mark.parametrize("pruned", [(), (0,)], ids=["all complete", "a third pruned"])
def test_a_sampler_that_learns_goes_where_the_values_are_low(name, pruned):
    n_trials = 24 if name == "gp" else 90
    late = slice(n_trials * 2 // 3, None)
    high = np.log(values_told(name, n_trials, lambda candidate: -candidate.learning_rate, pruned)[late]).mean()
    low = np.log(values_told(name, n_trials, lambda candidate: candidate.learning_rate, pruned)[late]).mean()
    assert high > low + 2.0  # of 10.3 between the ends of the range


@pytest.mark.skipif(find_spec("cmaes") is None, reason="cmaes is not installed")
def test_cmaes_goes_on_learning_after_the_first_trial_without_hidden_layers():
    """Optuna's own answer to what trials have in common shrinks there, and its CMA-ES is random from then on."""
    space = space_of(small_config().space)
    relative = Samplers("cmaes", 1, space).new(5).infer_relative_search_space(None, None)
    assert set(relative) == {"learning_rate", "n_iterations", "depth"}


def test_nsgaii_has_the_generations_that_an_undisturbed_sweep_has_after_a_resume(monkeypatch):
    """Parents are chosen once a generation, among the trials that were complete then: not among those complete now."""
    monkeypatch.setattr(samplers, "POPULATION_SIZE", 3)
    config = small_config(study={"sampler": "nsgaii", "pruner": "none"}, sweep={"n_trials": 30})
    whole, parts = new_study(InMemoryStorage()), new_study(InMemoryStorage())
    chosen = {id(whole): [], id(parts): []}
    select = NSGAIISampler.select_parent
    for stored, lives in ((whole, [30]), (parts, [40, 80, 120, None])):

        def noting(self, study, generation, stored=stored):
            parents = select(self, study, generation)
            chosen[id(stored)].append((generation, [trial.number for trial in parents]))
            return parents

        monkeypatch.setattr(NSGAIISampler, "select_parent", noting)
        for life in lives:
            run_until(life or 10**6, stored, config) if stored is parts else run_schedule(stored, config)
    assert len(chosen[id(whole)]) >= 4
    assert chosen[id(parts)][-len(chosen[id(whole)]) :] == chosen[id(whole)]


# --- no configuration twice ---


def test_a_sampler_that_repeats_itself_in_an_infinite_space_gets_other_initial_weights(
    monkeypatch,
):
    new = Samplers.new
    monkeypatch.setattr(Samplers, "new", lambda self, number, attempt=0: new(self, 7, 0))
    monkeypatch.setattr(live_study, "MAX_ATTEMPTS", 2)
    config = small_config(
        study={"sampler": "random", "pruner": "none"},
        search={"learning_rate": {"low": 0.01, "high": 0.1}},
        sweep={"n_trials": 3},
    )
    rows = undisturbed_table(config)
    assert len({tuple(row["params"].items()) for row in rows}) == 1
    assert len({row["value"] for row in rows}) == 3


def test_what_is_enqueued_twice_is_tried_once():
    known = {"learning_rate": 0.25, "n_iterations": 12, "hidden_units": [5, 2], "activation": "tanh"}
    config = small_config(enqueue=[known, known])
    first, second, *_ = (row["params"] for row in undisturbed_table(config))
    assert first["learning_rate"] == 0.25
    assert second["learning_rate"] != 0.25


def test_a_sampler_that_repeats_itself_in_a_finite_space_is_replaced_by_one_that_does_not(monkeypatch):
    new = Samplers.new
    monkeypatch.setattr(Samplers, "new", lambda self, number, attempt=0: new(self, 7, 0))
    config = small_config(study={"sampler": "random"}, search=EIGHT, sweep={"n_trials": 8})
    assert len({tuple(row["params"].items()) for row in undisturbed_table(config)}) == 8


@pytest.mark.usefixtures("warm_deliveries")
def test_a_sweep_has_no_more_trials_than_there_are_configurations_and_says_so(tmp_path, with_store):
    with_store(tmp_path)
    search = {"learning_rate": 0.1, "n_iterations": 20, "depth": 0, "activation": ["relu", "tanh"]}
    config = small_config(tmp_path, search=search, sweep={"n_trials": 30})
    result = run_sweep(config, directory=tmp_path)
    assert [row.number for row in sorted(result.rows, key=lambda row: row.number)] == [0, 1]
    assert {row.candidate.activation for row in result.rows} == {"relu", "tanh"}
    assert result.has_tried_all
    assert result.to_dict()["n_configurations"] == 2
    assert notes_on(config) == [
        "The search space has 2 configurations, and none is tried twice: 2 trials instead of 30."
    ]


def test_a_study_from_before_configurations_were_recalled_is_brought_to_its_end(monkeypatch):
    config = small_config(search=EIGHT, sweep={"n_trials": 14})
    stored = new_study(InMemoryStorage())
    monkeypatch.setattr(LiveStudy, "_is_exhausted", True)  # which asked no sampler again
    run_until(30, stored, config)
    monkeypatch.undo()
    n_begun = len(stored.trials)
    assert len({tuple(trial.params.items()) for trial in stored.trials}) < n_begun
    run_schedule(stored, config, n_trials=max(n_trials_of(config), n_begun))
    assert all(trial.state.is_finished() for trial in stored.trials)


# --- packages ---


@pytest.mark.parametrize(("name", "package"), [("cmaes", "cmaes"), ("gp", "torch")])
def test_a_package_that_is_missing_is_named_before_anything_begins(tmp_path, monkeypatch, name, package):
    monkeypatch.setattr(samplers, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=rf'"{name}": the package {package} is not installed. .*\'sweeps\[{name}\]\''):
        run_sweep(small_config(tmp_path, study={"sampler": name}), directory=tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match=f"the package {package} is not installed"):
        check_needs(small_config(tmp_path, study={"sampler": name}))


def test_brute_force_counts_whole_numbers_on_a_logarithmic_range():
    space = space_of(small_config(search=FINITE | {"hidden_units": {"low": 2, "high": 5, "log": True}}).space)
    assert space.all["hidden_units_2"] == IntDistribution(2, 5, log=True)
    assert space.is_finite
