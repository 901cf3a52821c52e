"""The mean of several networks, by hand and against each network on its own; what cannot be averaged is refused."""

from dataclasses import replace

import numpy as np
import pytest

from engine.ensemble import Member, check_members, is_single, mean_outputs, n_held_at_once
from engine.errors import EngineError, ShapeError
from engine.network import Architecture, Parameters, forward
from tests.engine.support.problem import random_problem

HEADS = ("binary", "multiclass", "regression", "nonnegative_regression")


def member_of(seed, weight, dtype=np.float32, **options):
    """An untrained stack, other than that of another seed."""
    problem = random_problem(seed, **options)
    return Member(problem.architecture, problem.parameters(dtype), weight)


def members_of(head):
    """One network and two stacks, of different depths, activations and dtypes."""
    return (
        member_of(1, 0.5, head=head, hidden_units=()),
        member_of(2, 0.3, head=head, n_networks=5, activation="relu"),
        member_of(3, 0.2, np.float64, head=head, n_networks=2, hidden_units=(9,)),
    )


def network_alone(member, fold):
    """One network of a stack, as a stack of its own."""
    W, b = ([array[fold] for array in arrays] for arrays in (member.parameters.W, member.parameters.b))
    return Parameters.of_one_network(W, b)


@pytest.mark.parametrize("head", HEADS)
def test_the_answer_is_the_weighted_mean_of_what_each_network_answers_alone(head):
    members, X = members_of(head), np.random.default_rng(0).standard_normal((3, 20))
    answers, shares = [], []
    for member in members:
        for fold in range(member.n_networks):
            answers.append(forward(network_alone(member, fold), X, member.architecture)[1][0])
            shares.append(member.weight / member.n_networks)
    found = mean_outputs(members, X)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, np.average(answers, axis=0, weights=shares), rtol=1e-6)


def test_probabilities_are_averaged_and_not_logits():
    """By hand: two networks that are all bias, sigmoid(0) = 1/2 and sigmoid(log 9) = 9/10, weights 3/4 and 1/4."""
    architecture = Architecture(1, (), 1, "relu", "binary")
    sure, unsure = (Parameters.of_one_network([np.zeros((1, 1))], [np.array([[z]])]) for z in (np.log(9), 0.0))
    found = mean_outputs([Member(architecture, unsure, 0.75), Member(architecture, sure, 0.25)], np.ones((1, 2)))
    np.testing.assert_allclose(found, [[0.6, 0.6]], rtol=1e-15)  # the mean of the logits would give 0.634


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_network_alone_answers_with_its_own_bits(head, dtype):
    member = member_of(1, 1.0, dtype, head=head)
    X = np.random.default_rng(0).standard_normal((3, 20))
    _, A = forward(member.parameters, X, member.architecture)
    found = mean_outputs([member], X)
    assert is_single([member])
    assert (found.dtype, found.tobytes()) == (dtype, A[0].tobytes())


def test_no_rounding_of_the_weights_makes_a_probability_above_1():
    """Ten networks that are sure, with weights whose rounded sum is 1 + 2e-16."""
    architecture = Architecture(1, (), 1, "relu", "binary")
    sure = Parameters.of_one_network([np.zeros((1, 1))], [np.array([[800.0]])])
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    weights = np.concatenate([weights, weights]) / 2
    order = next(o for s in range(100) if sum(weights[o := np.random.default_rng(s).permutation(8)].tolist()) > 1)
    found = mean_outputs([Member(architecture, sure, float(weight)) for weight in weights[order]], np.ones((1, 1)))
    assert found.tolist() == [[1.0]]


def test_targets_above_1_stay_what_they_are():
    architecture = Architecture(1, (), 1, "relu", "regression")
    high, low = (Parameters.of_one_network([np.zeros((1, 1))], [np.array([[z]])]) for z in (8.0, 4.0))
    found = mean_outputs([Member(architecture, high, 0.75), Member(architecture, low, 0.25)], np.ones((1, 1)))
    assert found.tolist() == [[7.0]]


def test_the_widest_layer_of_the_largest_stack_says_how_much_is_held_for_an_example():
    wide = member_of(1, 0.5, n_features=3, hidden_units=(40, 2), n_networks=5)
    narrow = member_of(2, 0.5, n_features=3, hidden_units=(2,))
    assert n_held_at_once([narrow]) == 3
    assert n_held_at_once([narrow, wide]) == n_held_at_once([wide]) == 5 * 40


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ((), r"it has no members\. It needs one at least"),
        ((member_of(1, 0.5), member_of(2, 0.4)), r"the weights sum to 0\.9\. They must sum to 1; divide them"),
        ((member_of(1, 0.5), member_of(2, 0.5 + 2e-9)), r"the weights sum to 1\.000000002"),
        ((member_of(1, float("nan")),), r"member 1 has weight nan\. It must be above 0"),
        ((member_of(1, 1.0), member_of(2, 0.0)), r"member 2 has weight 0\.0\. It must be above 0; leave"),
        ((member_of(1, 1.5), member_of(2, -0.5)), r"member 2 has weight -0\.5"),
        ((member_of(1, 0.5), member_of(2, 0.5, n_features=4)), r"member 2 has features 4, member 1 has 3\. They must"),
        ((member_of(1, 0.5, head="multiclass"), member_of(2, 0.5)), r"member 2 has outputs 1, member 1 has 3"),
        (
            (member_of(1, 0.5, head="nonnegative_regression"), member_of(2, 0.5)),
            r"member 2 has head binary, member 1 has nonnegative_regression",
        ),
    ],
)
def test_networks_that_make_no_mean_are_refused(members, message):
    with pytest.raises(EngineError, match=message):
        check_members(members)


def test_a_stack_without_networks_and_parameters_of_another_architecture_are_refused():
    member = member_of(1, 1.0)
    none = Parameters(*(tuple(a[:0] for a in arrays) for arrays in (member.parameters.W, member.parameters.b)))
    with pytest.raises(EngineError, match=r"member 1 is a stack of 0 networks"):
        check_members([replace(member, parameters=none)])
    with pytest.raises(ShapeError, match=r"W\[1\] has shape"):
        check_members([replace(member, architecture=Architecture(9, (4, 3), 1, "tanh", "binary"))])


def test_weights_may_miss_1_by_their_rounding():
    check_members([member_of(seed, 1 / 49) for seed in range(49)])
