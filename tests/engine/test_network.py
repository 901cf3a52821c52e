import numpy as np
import pytest

from engine.errors import EngineError, ShapeError
from engine.network import Architecture, Parameters, forward
from tests.engine.support.problem import random_problem


def test_forward_agrees_with_the_hand_worked_network():
    # x = (1, 2); Z[1] = (1 - 2 + 1, 1 + 2 - 1) = (0, 2), relu -> (0, 2); Z[2] = 5 * 0 + 3 * 2 - 4 = 2
    architecture = Architecture(2, (2,), 1, "relu", "regression")
    parameters = Parameters.of_one_network(
        [np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([[5.0, 3.0]])], [np.array([[1.0], [-1.0]]), np.array([[-4.0]])]
    )
    Z, A = forward(parameters, np.array([[1.0], [2.0]]), architecture)
    assert (Z.item(), A.item()) == (2, 2)


def test_layer_sizes_and_depth_follow_from_the_hidden_units():
    deep, logistic = Architecture(12, (5, 3), 2, "relu", "multiclass"), Architecture(12, (), 1, "relu", "binary")
    assert (deep.layer_sizes, deep.depth) == ((12, 5, 3, 2), 2)
    assert (logistic.layer_sizes, logistic.depth) == ((12, 1), 0)


def test_forward_keeps_the_dtype_of_the_parameters_and_changes_nothing():
    problem = random_problem(0, n_networks=2)
    X = problem.X.copy()
    Z, A = forward(problem.parameters(np.float32), X, problem.architecture)
    assert Z.dtype == A.dtype == np.float32
    assert Z.shape == A.shape == (2, 1, 8)
    np.testing.assert_array_equal(X, problem.X)


@pytest.mark.parametrize("sizes", [(0, (3,), 1), (3, (0,), 1), (3, (3, -1), 1), (3, (), 0)])
def test_an_architecture_with_an_empty_layer_is_refused(sizes):
    n_features, hidden_units, n_outputs = sizes
    with pytest.raises(EngineError, match="Every layer needs at least one unit"):
        Architecture(n_features, hidden_units, n_outputs, "relu", "binary")


def test_an_unknown_activation_or_head_is_refused_with_the_known_ones():
    with pytest.raises(
        EngineError, match=r"activation = 'swish' is unknown.*sigmoid, tanh, relu, leaky_relu, identity"
    ):
        Architecture(3, (), 1, "swish", "binary")
    with pytest.raises(EngineError, match=r"head = 'hinge' is unknown.*binary, multiclass, regression"):
        Architecture(3, (), 1, "relu", "hinge")


def test_parameters_of_another_shape_are_refused_with_the_place():
    problem = random_problem(0)
    W, b = problem.initial.W, problem.initial.b
    with pytest.raises(ShapeError, match=r"W\[2\] has shape \(1, 4, 3\).*\(F, 3, 4\)"):
        Parameters((W[0], W[1].mT, W[2]), b).check(problem.architecture)
    with pytest.raises(ShapeError, match=r"b\[1\] has shape \(1, 4\).*\(F, 4, 1\)"):
        Parameters(W, (b[0][..., 0], b[1], b[2])).check(problem.architecture)
    with pytest.raises(ShapeError, match=r"b\[3\] has shape \(2, 1, 1\).*one F for all"):
        Parameters(W, (*b[:2], np.repeat(b[2], 2, axis=0))).check(problem.architecture)
    with pytest.raises(ShapeError, match="2 W and 3 b"):
        Parameters(W[:2], b).check(problem.architecture)


@pytest.mark.parametrize("shape", [(4, 8), (3,), (8, 3)])
def test_examples_as_rows_or_with_other_features_are_refused(shape):
    problem = random_problem(0)
    with pytest.raises(ShapeError, match=r"takes 3 features as rows.*shape \(3, m\)"):
        forward(problem.initial, np.zeros(shape), problem.architecture)
