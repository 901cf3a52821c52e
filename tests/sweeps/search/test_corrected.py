"""The winner's corrected cost: `experiments.estimate` on what the readable forward pass says of held-out examples."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from optuna.trial import TrialState

from engine import Best, TrainingData, finish, forward
from engine.heads import HEADS
from engine.hyperparameters import Hyperparameters
from engine.threads import one_blas_thread
from engine.worker import Rung, initial_parameters, run_rung
from experiments.estimate import estimate, mean_over_folds, of_means
from sweeps.search import corrected
from sweeps.search.corrected import corrected_value, losses_of_folds
from sweeps.storage.kept_trials import KeptTrial
from tests.engine.support.problem import Problem, random_problem
from tests.sweeps.support.small_sweep import trial_of

RUNGS = (0, 4, 9, 30)


def folds(m: int, sizes: tuple[int, ...]) -> NDArray[np.bool_]:
    """(F, m): the first sizes[0] examples are held out by network 0, and so on; what is left, by none."""
    ends = np.cumsum(sizes)
    return np.array(
        [(end - size <= np.arange(m)) & (np.arange(m) < end) for size, end in zip(sizes, ends, strict=True)]
    )


def problem_of(head: str, sizes: tuple[int, ...], m: int = 30) -> Problem:
    problem = random_problem(6, n_features=4, m=m, n_networks=len(sizes), head=head)
    return replace(problem, held_out=folds(m, sizes))


def trained(problem: Problem, data: TrainingData, number: int) -> tuple[KeptTrial, list[NDArray]]:
    """A trial whose every recorded iteration ends a rung, and its candidates' losses by the readable forward pass."""
    hyperparameters = Hyperparameters(problem.architecture, 0.02 * (number + 1))
    initial = initial_parameters(problem.architecture, (3, number), data.dtype)
    state, rungs, losses = None, {}, {}
    for end in RUNGS:
        result = run_rung(Rung(hyperparameters, (3, number), state, end, (end,)), data)
        state = result.state
        rungs[end] = result.curve.logits
        Z, _ = forward(finish(state, initial, data, problem.architecture), problem.X, problem.architecture)
        losses[end] = HEADS[problem.architecture.head].losses(Z, problem.Y)
    best = state.best
    others = [end for end in reversed(RUNGS) if end != best.iteration]
    trial = trial_of(number, value=best.cost, best_iteration=best.iteration)
    return KeptTrial(trial, best, tuple(rungs[end] for end in others)), [losses[i] for i in (best.iteration, *others)]


CASES = {
    "binary, folds": ("binary", (10, 10, 10)),
    "multiclass, folds of several sizes": ("multiclass", (11, 10, 9)),
    "regression, folds": ("regression", (15, 15)),
    "nonnegative regression, folds": ("nonnegative_regression", (10, 20)),
    "binary, a hold-out": ("binary", (9,)),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_estimate_of_what_the_networks_say_of_the_examples_they_held_out(case: str) -> None:
    head, sizes = CASES[case]
    problem = problem_of(head, sizes)
    data = problem.data(reduced=False)
    both = [trained(problem, data, number) for number in range(4)]
    both.sort(key=lambda one: one[0].best.value)
    kept = [one for one, _ in both]

    found = corrected_value(kept[0].trial, kept, data, head, seed=5)

    losses = np.stack([of_candidate for _, of_trial in both for of_candidate in of_trial])  # (K, F, m)
    is_held_out = problem.held_out.any(axis=0)
    scores = [of_means(losses[:, f, held]) for f, held in enumerate(problem.held_out)]
    expected = estimate(mean_over_folds(scores, problem.held_out[:, is_held_out]), sum(sizes), seed=5)
    assert found is not None
    assert (found.winner, expected.winner) == (0, 0)
    assert found.uncorrected == pytest.approx(kept[0].best.cost, rel=1e-9)
    assert found.value == pytest.approx(expected.value, rel=1e-9)
    assert found.interval == pytest.approx(expected.interval, rel=1e-9)
    assert len(losses) == 16


def made(number: int, value: float, state: TrialState = TrialState.COMPLETE, *, cost: float | None = None) -> KeptTrial:
    """A trial of two networks and binary answers of about that cost."""
    Z = np.random.default_rng(number).normal(size=(2, 1, 20)) + np.log(np.expm1(1 / value))
    best = Best(40, value if cost is None else cost, 0.0, np.zeros((2, 1)), None, Z)
    return KeptTrial(trial_of(number, state, value), best)


@pytest.fixture
def data() -> TrainingData:
    return problem_of("binary", (20, 20), m=40).data(reduced=False)


def test_without_the_winner_or_without_any_trial_there_is_none(data: TrainingData) -> None:
    assert corrected_value(trial_of(0), [], data, "binary", 1) is None
    assert corrected_value(trial_of(0), [made(1, 0.5)], data, "binary", 1) is None


def test_a_single_example_that_is_held_out_says_nothing() -> None:
    alone = problem_of("binary", (1,)).data(reduced=False)
    one = KeptTrial(trial_of(0), Best(40, 0.5, 0.5, np.zeros((1, 1)), None, np.ones((1, 1, 1))))
    assert corrected_value(one.trial, [one], alone, "binary", 1) is None


def test_of_a_single_candidate_nothing_was_chosen(data: TrainingData) -> None:
    one = made(0, 0.5)
    found = corrected_value(one.trial, [one], data, "binary", 1)
    assert found is not None
    assert found.value == found.uncorrected
    assert found.interval[0] < found.value < found.interval[1]


def test_of_two_held_out_examples_there_is_an_estimate() -> None:
    data = problem_of("binary", (1, 1)).data(reduced=False)
    logits = np.array([[[0.3]], [[-0.4]]])
    one = KeptTrial(trial_of(0), Best(40, 0.5, 0.5, np.zeros((2, 1)), None, logits), (2 * logits,))
    found = corrected_value(one.trial, [one], data, "binary", 1)
    assert found is not None
    assert np.isfinite([found.value, *found.interval]).all()


def test_a_pruned_trial_that_is_better_could_not_be_chosen_and_a_worse_one_could_where_it_is_better(
    data: TrainingData,
) -> None:
    winner, worse = made(0, 0.5), made(1, 0.52, TrialState.PRUNED)
    alone = corrected_value(winner.trial, [winner], data, "binary", 1)
    with_better = corrected_value(winner.trial, [winner, made(2, 0.4, TrialState.PRUNED)], data, "binary", 1)
    assert with_better == alone
    assert corrected_value(winner.trial, [winner, worse], data, "binary", 1) != alone


def test_beside_a_winner_that_the_time_ended_a_better_one_that_the_pruner_ended_does_not_count_either(
    data: TrainingData,
) -> None:
    stopped = made(0, 0.5, TrialState.PRUNED)
    notes = replace(stopped.trial.notes, is_interrupted=True)
    winner = replace(stopped, trial=replace(stopped.trial, notes=notes))
    alone = corrected_value(winner.trial, [winner], data, "binary", 1)
    assert corrected_value(winner.trial, [winner, made(1, 0.4, TrialState.PRUNED)], data, "binary", 1) == alone


def test_where_no_trial_is_complete_the_pruned_ones_are_the_candidates(data: TrainingData) -> None:
    kept = [made(number, 0.5, TrialState.PRUNED) for number in range(3)]
    assert corrected_value(kept[0].trial, kept, data, "binary", 1) is not None


def test_an_end_of_a_rung_whose_losses_are_not_finite_does_not_count(data: TrainingData) -> None:
    winner = made(0, 0.5)
    spoilt = replace(winner, rung_ends=(np.full_like(winner.best.logits, np.inf),))
    with np.errstate(invalid="ignore"):
        found = corrected_value(winner.trial, [spoilt], data, "binary", 1)
    assert found == corrected_value(winner.trial, [winner], data, "binary", 1)


def test_the_seed_decides_the_resamples(data: TrainingData) -> None:
    kept = [made(number, 0.5) for number in range(5)]
    first, again, other = (corrected_value(kept[0].trial, kept, data, "binary", seed) for seed in (1, 1, 2))
    assert first == again != other


def test_groups_are_resampled_whole(data: TrainingData) -> None:
    kept = [made(0, 0.5), made(1, 0.6)]
    alone, each, pairs = (
        corrected_value(kept[0].trial, kept, data, "binary", 1, groups=groups)
        for groups in (None, np.arange(data.n_examples), np.arange(data.n_examples) // 2)
    )
    assert alone == each
    assert pairs is not None
    assert pairs != alone


def test_many_examples_have_fewer_resamples_and_too_many_no_estimate(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(corrected, "estimate", lambda *_, n_resamples, **__: asked.append(n_resamples))
    one = made(0, 0.5)
    for draws in (10_000_000, 40 * 500, 40):
        monkeypatch.setattr(corrected, "MAX_DRAWS", draws)
        corrected_value(one.trial, [one], data, "binary", 1)
    assert asked == [1000, 500, 100]
    monkeypatch.setattr(corrected, "MAX_EXAMPLES", 39)
    corrected_value(one.trial, [one], data, "binary", 1)
    assert len(asked) == 3


def test_losses_stand_in_the_order_of_the_examples_without_those_that_fill_up() -> None:
    problem = problem_of("regression", (3, 5), m=9)
    data = problem.data(reduced=False)
    logits = np.stack([np.broadcast_to(10.0 * columns, (2, 5)) for columns in data.validation_columns])  # Z says which
    losses = losses_of_folds([logits], data, "regression")
    for of_fold, held_out in zip(losses, problem.held_out, strict=True):
        expected = np.square(10.0 * np.flatnonzero(held_out) - problem.Y[:, held_out]).sum(axis=0)
        np.testing.assert_allclose(of_fold, expected[np.newaxis])


def test_the_cost_of_the_winner_is_the_first_candidates_in_float32_too() -> None:
    problem = problem_of("binary", (11, 10, 9))
    data = problem.data(reduced=True, dtype=np.float32)
    with one_blas_thread():
        kept, _ = trained(problem, data, 1)
    losses = losses_of_folds([kept.best.logits], data, "binary")
    assert np.mean([of_fold.mean() for of_fold in losses]) == pytest.approx(kept.best.cost, rel=1e-6)
