"""Greedy ensemble selection against hand-worked examples and against a plain search with scikit-learn's losses."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import log_loss, mean_squared_error

from engine.objectives import Objective
from experiments.dataset import Task
from experiments.ensemble import Member, Step, select_ensemble

TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")


def drawn(task: Task, n_candidates: int, m: int, seed: int) -> tuple[NDArray, NDArray]:
    """Outputs (K, n[L], m) that know something of Y (n[L], m)."""
    rng = np.random.default_rng(seed)
    if task == "regression":
        Y = rng.normal(size=(1, m))
        return Y + rng.normal(size=(n_candidates, 1, m)), Y
    if task == "binary":
        Y = (np.arange(m) % 2)[np.newaxis, :].astype(float)
        return 1 / (1 + np.exp(1 - 2 * Y - 2 * rng.normal(size=(n_candidates, 1, m)))), Y
    Y = np.eye(3)[:, np.arange(m) % 3]
    odds = np.exp(Y + rng.normal(size=(n_candidates, 3, m)))
    return odds / odds.sum(axis=1, keepdims=True), Y


def cost(task: Task, outputs: NDArray, Y: NDArray) -> float:
    """Of one set of outputs (n[L], m), by scikit-learn."""
    if task == "regression":
        return float(mean_squared_error(Y[0], outputs[0]))
    if task == "binary":
        return float(log_loss(Y[0], outputs[0]))
    return float(log_loss(Y.argmax(axis=0), (outputs / outputs.sum(axis=0)).T, labels=range(len(Y))))


def plain_search(task: Task, outputs: NDArray, Y: NDArray, n_steps: int) -> list[Step]:
    """One candidate after another, each mean scored as a whole; the shortest beginning with the lowest cost."""
    chosen: list[int] = []
    steps = []
    for _ in range(n_steps):
        costs = [cost(task, outputs[[*chosen, k]].mean(axis=0), Y) for k in range(len(outputs))]
        chosen.append(int(np.argmin(costs)))
        steps.append(Step(chosen[-1], min(costs)))
    return steps[: int(np.argmin([step.value for step in steps])) + 1]


def test_residuals_that_cancel_are_found_by_hand() -> None:
    # Residuals (1, -1), (-3, 3), (5, 5). The first is best alone: cost 1. Of two: with itself 1, with the second
    # (-1, 1), so 1 too, and the lower index is taken; of three the second joins: (-1, 1) / 3; of four all cancels.
    Y = np.array([[2.0, 7.0]])
    outputs = Y + np.array([[[1.0, -1.0]], [[-3.0, 3.0]], [[5.0, 5.0]]])
    found = select_ensemble(outputs, Y, "regression", n_steps=5)
    assert [step.candidate for step in found.steps] == [0, 0, 1, 0]
    assert [step.value for step in found.steps] == pytest.approx([1, 1, 1 / 9, 0])
    assert found.members == (Member(0, 0.75), Member(1, 0.25))


def test_the_log_loss_of_a_mean_of_probabilities_by_hand() -> None:
    # True classes 1 and 0; p of the true class: (0.9, 0.2) and (0.3, 0.8), mean (0.6, 0.5).
    outputs = np.array([[[0.9, 0.8]], [[0.3, 0.2]]])
    found = select_ensemble(outputs, np.array([[1.0, 0.0]]), "binary", n_steps=2)
    alone, together = -np.log(0.3 * 0.8) / 2, -np.log(0.6 * 0.5) / 2
    assert [step.candidate for step in found.steps] == [1, 0]
    assert [step.value for step in found.steps] == pytest.approx([alone, together], rel=1e-14)
    assert found.members == (Member(0, 0.5), Member(1, 0.5))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("seed", range(3))
def test_it_selects_what_a_plain_search_with_scikit_learns_losses_selects(task: Task, seed: int) -> None:
    outputs, Y = drawn(task, n_candidates=6, m=50, seed=seed)
    found, expected = select_ensemble(outputs, Y, task, n_steps=12), plain_search(task, outputs, Y, n_steps=12)
    assert [step.candidate for step in found.steps] == [step.candidate for step in expected]
    assert [step.value for step in found.steps] == pytest.approx([step.value for step in expected], rel=1e-12)


@pytest.mark.parametrize("task", TASKS)
def test_two_steps_are_near_the_best_of_all_pairs_that_hold_the_best_candidate(task: Task) -> None:
    outputs, Y = drawn(task, n_candidates=8, m=60, seed=4)
    pairs = {pair: cost(task, outputs[[*pair]].mean(axis=0), Y) for pair in combinations_with_replacement(range(8), 2)}
    best = min(range(8), key=lambda k: pairs[k, k])
    found = select_ensemble(outputs, Y, task, n_steps=2)
    assert found.steps[0].candidate == best
    assert found.steps[-1].value == pytest.approx(min(pairs[pair] for pair in pairs if best in pair), rel=1e-12)


@given(
    task=st.sampled_from(TASKS),
    n_candidates=st.integers(1, 7),
    m=st.integers(3, 40),
    n_steps=st.integers(1, 9),
    seed=st.integers(0, 1000),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_weights_make_the_mean_whose_cost_is_stated_and_nothing_single_is_better(
    task: Task, n_candidates: int, m: int, n_steps: int, seed: int, dtype: str
) -> None:
    outputs, Y = drawn(task, n_candidates, m, seed)
    outputs = outputs.astype(dtype)
    found = select_ensemble(outputs, Y, task, n_steps)
    weights = np.array([member.weight for member in found.members])
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert weights.min() > 0
    assert len(found.members) <= len(found.steps) <= n_steps
    mean = np.tensordot(weights, outputs[[member.candidate for member in found.members]].astype("float64"), axes=1)
    tolerance = {"float32": 1e-5, "float64": 1e-10}[dtype]
    assert found.steps[-1].value == pytest.approx(cost(task, mean, Y), rel=tolerance)
    assert found.steps[0].value == pytest.approx(
        min(cost(task, one.astype("float64"), Y) for one in outputs), rel=tolerance
    )
    assert found.steps[-1].value <= found.steps[0].value


def test_a_longer_selection_begins_as_a_shorter_one() -> None:
    outputs, Y = drawn("multiclass", n_candidates=10, m=80, seed=1)
    short, long = (select_ensemble(outputs, Y, "multiclass", n_steps).steps for n_steps in (4, 9))
    assert len(short) == 4
    assert long[:4] == short


def test_one_step_or_one_candidate_is_the_best_alone() -> None:
    outputs, Y = drawn("binary", n_candidates=5, m=40, seed=2)
    best = min(range(5), key=lambda k: cost("binary", outputs[k], Y))
    assert select_ensemble(outputs, Y, "binary", n_steps=1).members == (Member(best, 1.0),)
    alone = select_ensemble(outputs[[best]], Y, "binary", n_steps=7)
    assert alone.members == (Member(0, 1.0),)
    assert len(alone.steps) == 1


def test_of_equal_candidates_the_first_is_taken_and_a_copy_changes_nothing() -> None:
    outputs, Y = drawn("regression", n_candidates=4, m=30, seed=3)
    doubled = np.concatenate([outputs, outputs])
    assert select_ensemble(doubled, Y, "regression", 8) == select_ensemble(outputs, Y, "regression", 8)


def test_more_examples_than_one_block_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs, Y = drawn("multiclass", n_candidates=6, m=100, seed=5)
    whole = select_ensemble(outputs, Y, "multiclass", 6)
    monkeypatch.setattr("experiments.ensemble._BLOCK", 7)
    in_blocks = select_ensemble(outputs, Y, "multiclass", 6)
    assert in_blocks.members == whole.members
    assert [step.value for step in in_blocks.steps] == pytest.approx([step.value for step in whole.steps], rel=1e-13)


def test_a_probability_of_zero_costs_what_scikit_learn_says_and_is_not_infinite() -> None:
    outputs = np.array([[[0.0, 1.0, 0.0]], [[0.0, 0.0, 0.0]]], dtype=np.float32)
    found = select_ensemble(outputs, np.array([[1.0, 1.0, 0.0]]), "binary", n_steps=1)
    assert found.steps == (Step(0, pytest.approx(log_loss([1, 1, 0], outputs[0, 0]), rel=1e-6)),)


def test_what_does_not_fit_is_an_error() -> None:
    outputs, Y = drawn("regression", n_candidates=3, m=10, seed=0)
    with pytest.raises(ValueError, match=r"outputs \(3, 1, 10\) do not fit Y \(1, 9\)"):
        select_ensemble(outputs, Y[:, :9], "regression", 3)
    with pytest.raises(ValueError, match=r"outputs \(0, 1, 10\) do not fit"):
        select_ensemble(outputs[:0], Y, "regression", 3)
    with pytest.raises(ValueError, match="n_steps = 0"):
        select_ensemble(outputs, Y, "regression", 0)
    outputs[1, 0, 4] = np.nan
    with pytest.raises(ValueError, match="candidate 1: some of its outputs are not finite"):
        select_ensemble(outputs, Y, "regression", 3)


@pytest.mark.parametrize("name", ["roc_auc", "balanced_cost", "f1"])
def test_another_objective_decides_each_step_by_its_value_of_the_mean(name):
    rng = np.random.default_rng(4)
    Y = (rng.random((1, 60)) < 0.3).astype(float)
    outputs = np.clip(0.5 * Y + 0.5 * rng.random((6, 1, 60)), 0.01, 0.99)
    objective = Objective(name)
    found = select_ensemble(outputs, Y, "binary", 5, objective=objective)
    chosen: list[int] = []
    for step in found.steps:
        values = [objective.of(outputs[[*chosen, k]].mean(axis=0), Y) for k in range(6)]
        best = min(range(6), key=lambda k: objective.ordered(values[k]))
        assert (step.candidate, step.value) == (best, pytest.approx(values[best], rel=1e-12))
        chosen.append(best)
    assert objective.ordered(found.steps[-1].value) == min(objective.ordered(step.value) for step in found.steps)


def test_examples_of_weight_2_decide_as_two_examples():
    rng = np.random.default_rng(5)
    times = rng.integers(1, 4, 40)
    Y, outputs = rng.integers(0, 2, (1, 40)).astype(float), rng.random((5, 1, 40)).clip(0.05, 0.95)
    weighted = select_ensemble(outputs, Y, "binary", 4, weights=times.astype(float))
    repeat = np.repeat(np.arange(40), times)
    repeated = select_ensemble(outputs[:, :, repeat], Y[:, repeat], "binary", 4)
    assert weighted.members == repeated.members
    assert [step.value for step in weighted.steps] == pytest.approx([step.value for step in repeated.steps], rel=1e-12)
