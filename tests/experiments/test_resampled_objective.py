"""On every resample, a candidate's value is the objective's of the examples as often as they were drawn."""

import numpy as np
import pytest

from engine.objectives import OBJECTIVES, Objective
from experiments.resampled_objective import WITHOUT, score_of

CASES = [
    (task, name)
    for name, definition in OBJECTIVES.items()
    for task in (["binary", "multiclass"] if definition.kind == "classes" else ["regression"])
    if name not in ("cost", *WITHOUT)
]


def candidates(task, n_candidates=3, m=40):
    rng = np.random.default_rng(2)
    if task == "regression":
        Y = rng.normal(size=(1, m))
        return Y + rng.normal(size=(n_candidates, 1, m)), Y
    if task == "binary":
        return rng.random((n_candidates, 1, m)).round(1).clip(0.05, 0.95), rng.integers(0, 2, (1, m)).astype(float)
    A = rng.random((n_candidates, 3, m))
    return A / A.sum(axis=1, keepdims=True), np.eye(3)[:, rng.integers(0, 3, m)]


@pytest.mark.parametrize(("task", "name"), CASES)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_a_value_on_a_resample_is_the_objective_s_of_its_examples(task, name, is_weighted):
    A, Y = candidates(task)
    rng, objective = np.random.default_rng(7), Objective(name, threshold=0.4)
    weights = rng.uniform(0.5, 2, Y.shape[1]) if is_weighted else None
    counts = rng.integers(0, 3, (6, Y.shape[1])).astype(float)
    found = score_of(objective, A, Y, weights)(counts)
    w = counts if weights is None else counts * weights
    np.testing.assert_allclose(found, [[objective.of(one, Y, row) for one in A] for row in w], rtol=1e-9)


def test_r2_of_targets_far_from_0_keeps_its_digits():
    A, Y = candidates("regression")
    counts = np.random.default_rng(7).integers(0, 3, (6, Y.shape[1])).astype(float)
    found = score_of(Objective("r2"), A + 2.0**30, Y + 2.0**30)(counts)
    np.testing.assert_allclose(found, score_of(Objective("r2"), A, Y)(counts), rtol=1e-5)
