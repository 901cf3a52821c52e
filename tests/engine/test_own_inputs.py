"""Networks that each have their own X and Y of the same examples, as where scaling is fitted per fold."""

from dataclasses import replace

import numpy as np
import pytest

from engine.data import TrainingData
from engine.errors import ShapeError
from engine.hyperparameters import Hyperparameters
from engine.network import Parameters, forward
from engine.training import advance, finish, start
from tests.engine.support.problem import Problem, arrays_of, flatten, random_problem

N_FOLDS = 3
FORMS = {"plain": 4, "reduced": 14, "rotated": 30}  # features of 20 examples
TRAININGS = {
    "gradient descent": {"learning_rate": 0.1},
    "adamw": {
        "learning_rate": 0.01,
        "optimizer": "adamw",
        "minibatch_size": 4,
        "weight_decay": 0.05,
        "is_averaged": True,
        "seed": (2,),
    },
}


def problem_of(form: str, head: str = "regression") -> Problem:
    problem = random_problem(3, n_features=FORMS[form], m=20, n_networks=N_FOLDS, head=head)
    one = Parameters(tuple(W[:1] for W in problem.initial.W), tuple(b[:1] for b in problem.initial.b))
    return replace(problem, initial=one)


def own(problem: Problem) -> list[tuple[np.ndarray, np.ndarray]]:
    """X and Y of each network: shifted and stretched, and of the last one an X of a lower rank."""
    of_networks = [((1 + f) * problem.X + 0.1 * f, (1 + f) * problem.Y) for f in range(N_FOLDS)]
    of_networks[-1][0][1] = 0
    return of_networks


def trained(problem, data, hyperparameters):
    data = hyperparameters.form_of(data)
    state = start(problem.initial, data, problem.architecture)
    state, curve = advance(state, data, hyperparameters, 60, (0, 30, 60))
    return finish(state, problem.initial, data, problem.architecture), curve, state.best


@pytest.mark.parametrize("training", TRAININGS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_inputs_of_their_own_train_networks_as_shared_ones_and_plain_ones_bit_for_bit(form, training, dtype):
    problem = problem_of(form)
    hyperparameters = Hyperparameters(problem.architecture, **TRAININGS[training])
    shared = TrainingData.of(problem.X, problem.Y, problem.held_out, dtype)
    of_networks = TrainingData.of_networks([(problem.X, problem.Y)] * N_FOLDS, problem.held_out, dtype)
    assert of_networks.has_own_inputs
    assert not shared.has_own_inputs
    assert of_networks.targets.ndim == 2
    (one, curve, best), (other, other_curve, other_best) = (
        trained(problem, data, hyperparameters) for data in (shared, of_networks)
    )
    tolerance = {"rtol": 0, "atol": 1e-12 if dtype is np.float64 else 2e-6} if form != "plain" else {"rtol": 0}
    np.testing.assert_allclose(flatten(one), flatten(other), **tolerance)
    np.testing.assert_allclose(curve.validation_cost, other_curve.validation_cost, **tolerance)
    np.testing.assert_allclose(best.logits, other_best.logits, **tolerance)


@pytest.mark.parametrize("training", TRAININGS)
@pytest.mark.parametrize("form", FORMS)
def test_each_network_is_what_it_would_be_if_it_were_trained_alone(form, training):
    problem = problem_of(form)
    all_examples = {"minibatch_size": 0}  # with minibatches an epoch is as long as the smallest training set has it
    hyperparameters = Hyperparameters(problem.architecture, **TRAININGS[training] | all_examples)
    parameters, curve, _ = trained(problem, TrainingData.of_networks(own(problem), problem.held_out), hyperparameters)
    for f, (X, Y) in enumerate(own(problem)):
        alone, curve_alone, _ = trained(
            problem, TrainingData.of(X, Y, problem.held_out[[f]], reduce=form != "plain"), hyperparameters
        )
        np.testing.assert_allclose(curve.validation_cost[:, f], curve_alone.validation_cost[:, 0], rtol=1e-9)
        np.testing.assert_allclose(parameters.W[0][f], alone.W[0][0], atol=1e-10)


@pytest.mark.parametrize("form", FORMS)
def test_logits_of_held_out_columns_are_those_of_the_finished_networks_on_their_own_inputs(form):
    problem = problem_of(form)
    hyperparameters = Hyperparameters(problem.architecture, **TRAININGS["adamw"])
    data = TrainingData.of_networks(own(problem), problem.held_out)
    parameters, curve, _ = trained(problem, data, hyperparameters)
    Z, _ = forward(parameters, np.stack([X for X, _ in own(problem)]), problem.architecture)
    for f, columns in enumerate(data.validation_columns):
        np.testing.assert_allclose(curve.logits[f], Z[f][:, columns], rtol=1e-9)


@pytest.mark.parametrize(
    ("form", "training"),
    [(form, training) for form in FORMS for training in TRAININGS if (form, training) != ("rotated", "adamw")],
)
def test_an_example_does_not_change_a_bit_of_a_network_that_holds_it_out(form, training):
    problem = problem_of(form)
    example = int(problem.held_out[0].argmax())
    hyperparameters = Hyperparameters(problem.architecture, **TRAININGS[training])
    before = own(problem)
    after = [(X.copy(), Y.copy()) for X, Y in before]
    for X, Y in after:
        X[:, example], Y[:, example] = 1e3, -1e3
    (one, _, _), (other, _, _) = (
        trained(problem, TrainingData.of_networks(networks, problem.held_out), hyperparameters)
        for networks in (before, after)
    )
    for f, holds_it_out in enumerate(problem.held_out[:, example]):
        is_same = all((mine[f] == its[f]).all() for mine, its in zip(one.W, other.W, strict=True))
        assert is_same is bool(holds_it_out)


@pytest.mark.parametrize("form", FORMS)
def test_saved_data_load_bit_for_bit(tmp_path, form):
    problem = problem_of(form)
    saved = TrainingData.of_networks(own(problem), problem.held_out, np.float32)
    saved.save(tmp_path)
    loaded = TrainingData.load(tmp_path)
    for one, other in zip(arrays_of(saved), arrays_of(loaded), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)
        assert not other.flags.writeable
    assert (tmp_path / "inputs" / "with_ones.npy").exists() is (form != "plain"), "rows hold them already"


def test_a_network_without_examples_to_train_on_is_named():
    held_out = np.array([[False, True], [True, True]])
    with pytest.raises(ShapeError, match="network 1 has every example held out"):
        TrainingData.of_networks([(np.zeros((2, 2)), np.zeros((1, 2)))] * 2, held_out)


@pytest.mark.parametrize("form", FORMS)
def test_examples_that_a_network_does_not_use_are_as_if_they_were_not_there(tmp_path, form):
    problem, validated = problem_of(form), np.zeros((2, 20), np.bool_)
    validated[0, 5:9], validated[1, 12:] = True, True
    held_out = validated | np.stack([np.arange(20) >= 9, np.zeros(20, np.bool_)])  # networks of different size
    side_by_side = [
        TrainingData.of(problem.X, problem.Y, held_out, validated=validated),
        TrainingData.of_networks([(problem.X, problem.Y)] * 2, held_out, validated=validated),
    ]
    side_by_side[1].save(tmp_path)
    first = slice(9)
    alone = TrainingData.of(
        problem.X[:, first], problem.Y[:, first], validated[:1, first], reduce=side_by_side[0].gram is not None
    )
    hyperparameters = Hyperparameters(problem.architecture, **TRAININGS["gradient descent"])
    there, own_inputs, loaded, expected = (
        trained(problem, data, hyperparameters)[1] for data in (*side_by_side, TrainingData.load(tmp_path), alone)
    )
    for name in ("train_cost", "validation_cost"):
        of_first = getattr(there, name)[:, 0]
        np.testing.assert_allclose(of_first, getattr(expected, name)[:, 0], rtol=1e-9)
        np.testing.assert_array_equal(getattr(own_inputs, name), getattr(there, name))
        np.testing.assert_array_equal(getattr(loaded, name), getattr(there, name))


def test_minibatches_hold_no_example_that_a_network_does_not_use():
    problem, validated = problem_of("plain"), np.zeros((2, 20), np.bool_)
    validated[0, 5:9], validated[1, 12:] = True, True
    held_out = validated | np.stack([np.arange(20) >= 9, np.zeros(20, np.bool_)])
    changed = problem.X.copy()
    changed[:, 9:] += 100
    hyperparameters = Hyperparameters(problem.architecture, 0.01, "adamw", minibatch_size=2, seed=(2,))
    curves = [
        trained(problem, TrainingData.of(X, problem.Y, held_out, validated=validated), hyperparameters)[1]
        for X in (problem.X, changed)
    ]
    np.testing.assert_array_equal(curves[0].validation_cost[:, 0], curves[1].validation_cost[:, 0])
    assert (curves[0].validation_cost[:, 1] != curves[1].validation_cost[:, 1]).any()
