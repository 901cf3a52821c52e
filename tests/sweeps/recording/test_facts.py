"""What is on record of a trial's curves, and of the winner."""

from types import SimpleNamespace

import numpy as np
import pytest

from engine import Curve
from experiments.preparation import TargetScaling
from sweeps.recording.facts import _curves, sweep_finished
from sweeps.trials.space import Candidate
from tests.sweeps.support.small_sweep import trial_of


class Prepared:
    """Five examples with these targets, two folds."""

    def __init__(self, targets: list[float]) -> None:
        y = np.array(targets)
        self.held_out = np.array([[True, True, False, False, False], [False, False, True, True, True]])
        self.validated = self.held_out
        self.dataset = type("Dataset", (), {"class_names": (), "y_train": y})
        self.target_scalings = [TargetScaling(0.0, 2.0)] * 2


COSTS = {"train_cost", "train_rmse", "validation_cost", "validation_rmse"}


@pytest.mark.parametrize(
    ("targets", "scores_there_are"),
    [([1.0, 2.0, 3.0, 4.0, 5.0], {"train_r2", "validation_r2"}), ([2.0, 2.0, 3.0, 4.0, 5.0], set())],
)
def test_r2_is_missing_where_the_targets_of_a_fold_are_equal_and_nothing_warns(targets, scores_there_are):
    """Two folds of five: what one trains on the other holds out."""
    curve = Curve((0, 10), *np.full((5, 2, 2), 0.5), None)
    found = dict(_curves(curve, Prepared(targets), "cost"))
    assert set(found) == COSTS | scores_there_are
    assert all(np.isfinite(value) for points in found.values() for _, value in points)


@pytest.mark.parametrize(("hidden_units", "widths"), [((20, 7), "20-7"), ((), "none")])
def test_the_winners_hyperparameters_are_metrics_and_its_choices_tags_of_the_same_names_in_every_study(
    hidden_units, widths
):
    trial = trial_of(3, candidate=Candidate(0.1, 50, hidden_units, "relu"))
    winner = SimpleNamespace(trial=trial, ensemble=None, estimate=None, scores=[], baselines_out_of_fold={})
    fact = sweep_finished("small/1", "FINISHED", winner, 1)
    assert fact.metrics == {
        "value": 0.5,
        "best_iteration": 40.0,
        "winner/learning_rate": 0.1,
        "winner/n_iterations": 50.0,
        "winner/depth": float(len(hidden_units)),
        "winner/hidden_units": float(sum(hidden_units)),
        "winner/minibatch_size": 0.0,
        "winner/weight_decay": 0.0,
        "winner/label_smoothing": 0.0,
        "winner/dropout": 0.0,
    }
    assert fact.tags == {
        "sweeps.best_trial": "3",
        "sweeps.winner.activation": "relu",
        "sweeps.winner.optimizer": "gradient_descent",
        "sweeps.winner.learning_rate_schedule": "constant",
        "sweeps.winner.hidden_units": widths,
    }
