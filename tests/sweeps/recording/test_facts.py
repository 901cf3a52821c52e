"""What is on record of a trial's curves."""

import numpy as np
import pytest

from engine import Curve
from experiments.preparation import TargetScaling
from sweeps.recording.facts import _curves


class Prepared:
    """Five examples with these targets, two folds."""

    def __init__(self, targets: list[float]) -> None:
        y = np.array(targets)
        self.held_out = np.array([[True, True, False, False, False], [False, False, True, True, True]])
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
