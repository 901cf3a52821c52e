from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.samplers._tpe import _truncnorm, sampler
from scipy.special import log_ndtr

from sweeps.search import optuna_private
from sweeps.search.optuna_private import QuickTPESampler

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


def test_both_functions_agree_from_the_far_tail_to_one():
    x = np.concatenate([np.linspace(-200.0, 10.0, 20_001), [-1e-8, 0.0, 1e-8]])
    np.testing.assert_allclose(log_ndtr(x), _truncnorm._log_ndtr(x), rtol=1e-13, atol=1e-15)


def value_of(trial):
    depth = trial.suggest_int("depth", 0, 3)
    units = [trial.suggest_int(f"hidden_units_{layer}", 4, 64, log=True) for layer in range(1, depth + 1)]
    rate = trial.suggest_float("learning_rate", 1e-3, 1.0, log=True)
    n_iterations = trial.suggest_int("n_iterations", 100, 3000, log=True)
    activation = trial.suggest_categorical("activation", ["relu", "tanh"])
    bowl = (np.log10(rate) + 1.0) ** 2 + (depth - 1) ** 2 + sum(np.log2(n / 16) ** 2 for n in units) / 16
    return bowl + 300 / n_iterations + (activation == "tanh") / 4


@pytest.mark.parametrize("seed", [1, 2])
def test_it_asks_for_the_trials_that_its_base_asks_for(seed):
    asked = []
    for kind in (TPESampler, QuickTPESampler):
        study = optuna.create_study(sampler=kind(seed=seed, group=True))
        study.optimize(value_of, n_trials=60)
        asked.append([trial.params for trial in study.trials])
    for ours, theirs in zip(*asked, strict=True):
        assert ours.keys() == theirs.keys()
        assert all(ours[name] == theirs[name] for name in ours if name != "learning_rate")
        assert ours["learning_rate"] == pytest.approx(theirs["learning_rate"], rel=1e-9)


def test_it_leaves_optuna_as_it_was_even_when_an_ask_fails():
    before = _truncnorm._log_ndtr, sampler._split_trials

    class Broken(QuickTPESampler):
        def _sample(self, *args):
            assert _truncnorm._log_ndtr is log_ndtr
            assert sampler._split_trials is not before[1]
            raise RuntimeError("broken")

    study = optuna.create_study(sampler=Broken(seed=1, group=True, n_startup_trials=2))
    with pytest.raises(RuntimeError, match="broken"):
        study.optimize(value_of, n_trials=5)
    assert (_truncnorm._log_ndtr, sampler._split_trials) == before


@pytest.mark.parametrize("moved", [None, SimpleNamespace()], ids=["the module", "the function"])
def test_where_optuna_has_moved_its_function_it_is_asked_as_it_is(monkeypatch, moved):
    monkeypatch.setattr(optuna_private, "_truncnorm", moved)
    asked = []
    for kind in (TPESampler, QuickTPESampler):
        study = optuna.create_study(sampler=kind(seed=1, group=True))
        study.optimize(value_of, n_trials=15)
        asked.append([trial.params for trial in study.trials])
    assert asked[0] == asked[1]
