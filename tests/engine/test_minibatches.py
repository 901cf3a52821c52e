from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from engine.data import TrainingData
from engine.gradient_check import check_directional, check_full
from engine.heads import HEADS
from engine.minibatches import Minibatches
from tests.engine.support.problem import (
    costs,
    flatten,
    gradient_of_stack,
    in_pieces,
    random_problem,
    smoothed,
    unflatten,
)

HELD_OUT = np.random.default_rng(5).random((4, 23)) < np.array([[0.2], [0.2], [0.5], [0]])
"""Four networks of 23 examples, of which the fourth holds out none."""


def data_of(held_out=HELD_OUT, dtype=np.float64):
    """Data whose one feature and target say which example a column is."""
    which = np.arange(held_out.shape[1], dtype=np.float64)[np.newaxis]
    return TrainingData.of(which, which, held_out, dtype, reduce=False)


def _scale(data):
    return np.ones((1, data.n_examples), data.dtype)


def minibatches_of(data, size, seed=(7,)):
    return Minibatches(data, data.targets, _scale(data), size, seed)


def shown(minibatches, iteration):
    """(F, size): the examples that each network sees in an iteration."""
    minibatches.load(iteration)
    return minibatches.inputs[:, 0].astype(int)


def epoch_of(minibatches, epoch):
    """(F, n_in_epoch * size): the examples that each network sees in an epoch, in their order."""
    n = minibatches.n_in_epoch
    return np.hstack([shown(minibatches, iteration) for iteration in range(epoch * n, (epoch + 1) * n)])


N_FEWEST = int((~HELD_OUT).sum(axis=1).min())


@pytest.mark.parametrize("size", range(1, N_FEWEST + 1))
def test_an_epoch_shows_every_network_its_own_examples_at_most_once_and_none_that_it_holds_out(size):
    minibatches = minibatches_of(data_of(), size)
    for epoch in range(3):
        seen = epoch_of(minibatches, epoch)
        assert seen.shape == (4, N_FEWEST // size * size)
        for network, examples in enumerate(seen):
            assert len(set(examples)) == len(examples)
            assert not HELD_OUT[network, examples].any()


def test_an_epoch_of_networks_with_as_many_examples_shows_all_of_them_if_the_size_divides_their_number():
    held_out = np.arange(20) % 5 == np.arange(5)[:, np.newaxis]
    seen = epoch_of(minibatches_of(data_of(held_out), 4), 0)
    for network, examples in enumerate(seen):
        assert sorted(examples) == np.flatnonzero(~held_out[network]).tolist()


def test_the_order_differs_from_epoch_to_epoch_and_from_seed_to_seed():
    orders = [
        tuple(epoch_of(minibatches_of(data_of(), 3, seed), epoch)[3]) for seed in ((7,), (8,)) for epoch in range(4)
    ]
    assert len(set(orders)) == len(orders)


def test_every_example_comes_first_now_and_then():
    minibatches = minibatches_of(data_of(), N_FEWEST)
    first = [epoch_of(minibatches, epoch)[3, 0] for epoch in range(300)]
    assert sorted(set(first)) == list(range(23))


def test_all_networks_follow_one_order_of_the_examples():
    minibatches = minibatches_of(data_of(), 3)
    for epoch in range(3):
        *others, whole = epoch_of(minibatches, epoch)  # the last network holds out nothing
        place = {example: position for position, example in enumerate(whole)}
        for network, examples in enumerate(others):
            places = [place[example] for example in examples if example in place]
            assert places == sorted(places)
            missed = [example for example in whole if not HELD_OUT[network, example] and example not in examples]
            assert not missed, "what a network holds out is all that it leaves out"


@pytest.mark.parametrize("size", [1, 2, 5, N_FEWEST])
def test_a_minibatch_is_a_function_of_seed_and_iteration_alone_also_in_the_middle_of_an_epoch(size):
    in_order = minibatches_of(data_of(), size)
    expected = [shown(in_order, iteration) for iteration in range(40)]
    leaping = minibatches_of(data_of(), size)
    for iteration in (17, 3, 39, 38, 0, 17):
        np.testing.assert_array_equal(shown(leaping, iteration), expected[iteration])
        np.testing.assert_array_equal(shown(minibatches_of(data_of(), size), iteration), expected[iteration])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inputs_targets_and_goals_are_those_of_the_same_examples(dtype):
    data = data_of(dtype=dtype)
    minibatches = Minibatches(data, 3 * data.targets, _scale(data), 4, (7,))
    for iteration in range(10):
        examples = shown(minibatches, iteration)
        np.testing.assert_array_equal(minibatches.Y[:, 0], examples)
        np.testing.assert_array_equal(minibatches.goal[:, 0], 3 * examples)
        assert (minibatches.inputs[:, 1] == 1).all()
        assert minibatches.inputs.shape == (4, 2, 4)
        assert {array.dtype for array in (minibatches.inputs, minibatches.Y, minibatches.goal)} == {np.dtype(dtype)}


def test_scales_and_weights_are_those_of_the_same_examples_where_there_are_weights():
    which = np.arange(23.0)[np.newaxis]
    data = TrainingData.of(which, which, HELD_OUT, reduce=False).weighted(np.vstack([1 + which, which]))
    minibatches = Minibatches(data, data.targets, 5 * data.weights[:1], 4, (7,))
    for iteration in range(10):
        examples = shown(minibatches, iteration)
        np.testing.assert_allclose(minibatches.weights, (1 + examples) / 12, rtol=1e-15)  # their mean is 1
        np.testing.assert_array_equal(minibatches.scale[:, 0], 5 * minibatches.weights)


def test_examples_stay_where_they_are_in_memory():
    minibatches = minibatches_of(data_of(), 4)
    before = [array.ctypes.data for array in (minibatches.inputs, minibatches.Y, minibatches.goal)]
    minibatches.load(9)
    assert [array.ctypes.data for array in (minibatches.inputs, minibatches.Y, minibatches.goal)] == before


@given(
    seed=st.integers(0, 10**6),
    m=st.integers(2, 40),
    n_networks=st.integers(1, 4),
    share=st.floats(0, 0.9),
    data=st.data(),
)
def test_of_any_folds_every_network_sees_its_own_examples_once_an_epoch(seed, m, n_networks, share, data):
    held_out = np.random.default_rng(seed).random((n_networks, m)) < share
    held_out[held_out.all(axis=1), 0] = False
    size = data.draw(st.integers(1, int((~held_out).sum(axis=1).min())))
    for network, examples in enumerate(epoch_of(minibatches_of(data_of(held_out), size, (seed,)), 2)):
        assert len(set(examples)) == len(examples)
        assert not held_out[network, examples].any()


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "in pieces"])
@pytest.mark.parametrize("head", HEADS)
def test_the_gradient_of_a_minibatch_is_that_of_its_mean_smoothed_loss(head, is_cut, label_smoothing):
    """Checked on a problem whose network f holds out all that is not in its minibatch, by the readable forward."""
    problem = random_problem(5, n_features=4, m=17, n_networks=3, head=head)
    iteration, size, seed = 6, 4, 2
    with in_pieces(is_cut):
        point, gradient = gradient_of_stack(
            problem, reduced=False, seed=seed,
            label_smoothing=label_smoothing, minibatch_size=size, iteration=iteration,
        )  # fmt: skip
    data = problem.data(reduced=False)
    minibatches = Minibatches(data, data.targets, _scale(data), size, (seed,))
    minibatches.load(iteration)
    columns = (minibatches.inputs[:, :-1, :, np.newaxis] == problem.X[:, np.newaxis]).all(axis=1).any(axis=1)
    assert columns.sum(axis=1).tolist() == [size] * 3
    is_classifier = HEADS[head].is_classifier
    goal = replace(problem, Y=smoothed(problem.Y, label_smoothing) if is_classifier else problem.Y)

    def cost(flat):
        return float(costs(unflatten(flat, point), goal, columns).sum())

    assert np.linalg.norm(flatten(gradient)) > 1e-3, "a flat spot proves nothing"
    claim = flatten(gradient), flatten(point)
    directional, full = check_directional(cost, *claim, np.random.default_rng(2)), check_full(cost, *claim)
    assert directional.is_right, directional
    assert full.is_right, full
