"""What every optimizer promises, on every head; and each optimizer against an example by hand and another library."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

from engine import optimizers
from engine.descent import Descent
from engine.heads import HEADS
from engine.hyperparameters import Hyperparameters
from engine.network import Parameters
from engine.optimizers import OPTIMIZERS
from engine.training import advance, finish, start
from tests.engine.support.problem import (
    arrays_of,
    arrays_of_state,
    assert_same_bits,
    flatten,
    in_pieces,
    random_problem,
)

LEARNING_RATES = {"gradient_descent": 0.1, "momentum": 0.1, "adamw": 0.01}
WAYS = {
    "full batch": {},
    "minibatches": {"minibatch_size": 4},
    "everything": {
        "minibatch_size": 4, "weight_decay": 0.05, "label_smoothing": 0.1, "is_averaged": True, "seed": (3, 1),
    },
}  # fmt: skip


def problem_of(head, **sizes):
    return random_problem(8, **{"n_features": 6, "m": 21, "n_networks": 3, "activation": "relu", "head": head} | sizes)


def trained(problem, data, hyperparameters, *rungs, record_at=()):
    """The state after rungs that end at the given iterations."""
    state = start(problem.initial, data, problem.architecture)
    for n_iterations in rungs:
        state, _ = advance(state, data, hyperparameters, n_iterations, record_at)
    return state


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
class TestEveryOptimizer:
    """The contract of `advance` (engine/README.md)."""

    def problem(self, optimizer, head, dtype, way, **sizes):
        """A problem, its data and hyperparameters."""
        problem = problem_of(head, **sizes)
        hyperparameters = Hyperparameters(
            problem.architecture, LEARNING_RATES[optimizer], optimizer=optimizer, **WAYS[way]
        )
        return problem, problem.data(reduced=False, dtype=dtype), hyperparameters

    @pytest.mark.parametrize("way", WAYS)
    def test_advance_changes_none_of_its_arguments_and_repeats_itself(self, optimizer, head, dtype, way):
        problem, data, hyperparameters = self.problem(optimizer, head, dtype, way)
        state = trained(problem, data, hyperparameters, 10, record_at=[5])
        kept = {name: array.copy() for name, array in arrays_of_state(state).items()}
        for array in (*arrays_of_state(state).values(), *arrays_of(data)):
            array.flags.writeable = False
        one, _ = advance(state, data, hyperparameters, 30, [20, 30])
        two, _ = advance(state, data, hyperparameters, 30, [20, 30])
        for name, array in arrays_of_state(state).items():
            np.testing.assert_array_equal(array, kept[name])
        assert_same_bits(one, two)
        assert not any(np.shares_memory(one.theta, array) for array in arrays_of_state(state).values())
        assert np.abs(one.theta - state.theta).max() > 0, "a training that stands still proves nothing"

    @pytest.mark.parametrize("way", WAYS)
    def test_training_in_rungs_gives_the_bits_of_training_at_once(self, optimizer, head, dtype, way):
        problem, data, hyperparameters = self.problem(optimizer, head, dtype, way)
        with in_pieces(way == "everything"):
            at_once = trained(problem, data, hyperparameters, 250, record_at=[0, 100, 150])
            in_rungs = trained(problem, data, hyperparameters, 100, 101, 250, record_at=[0, 100, 150])
        assert_same_bits(at_once, in_rungs)

    @pytest.mark.parametrize("way", ["full batch", "everything"])
    def test_what_is_recorded_changes_nothing(self, optimizer, head, dtype, way):
        problem, data, hyperparameters = self.problem(optimizer, head, dtype, way)
        silent = trained(problem, data, hyperparameters, 30)
        recorded = trained(problem, data, hyperparameters, 30, record_at=range(31))
        assert silent.best is None
        assert_same_bits(silent, replace(recorded, best=None))

    @pytest.mark.parametrize("way", ["full batch", "everything"])
    def test_held_out_columns_change_not_one_bit_of_any_parameter(self, optimizer, head, dtype, way):
        problem, data, hyperparameters = self.problem(optimizer, head, dtype, way)
        with in_pieces(way == "full batch"):
            original = trained(problem, data, hyperparameters, 30)
            for network, held_out in enumerate(problem.held_out):
                X, Y = problem.X.copy(), problem.Y.copy()
                X[:, held_out] *= -100
                Y[:, held_out] = Y[::-1, held_out] + 1
                data = replace(problem, X=X, Y=Y).data(reduced=False, dtype=dtype)
                changed = trained(problem, data, hyperparameters, 30)
                np.testing.assert_array_equal(changed.theta[network], original.theta[network])
                np.testing.assert_array_equal(changed.moments[:, network], original.moments[:, network])
                if hyperparameters.is_averaged:
                    np.testing.assert_array_equal(changed.average[network], original.average[network])

    @pytest.mark.parametrize("way", ["full batch", "everything"])
    def test_training_stays_in_its_dtype(self, optimizer, head, dtype, way):
        problem, data, hyperparameters = self.problem(optimizer, head, dtype, way)
        state = trained(problem, data, hyperparameters, 20, record_at=[0, 20])
        arrays = {name: a for name, a in arrays_of_state(state).items() if not name.endswith("settled")}
        assert {array.dtype for array in arrays.values()} == {np.dtype(dtype)}


@pytest.mark.parametrize("settings", [{}, {"weight_decay": 0.05, "label_smoothing": 0.1, "is_averaged": True}])
@pytest.mark.parametrize("m", [21, 250])  # rows of so many examples are filled up to whole cache lines
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_network_of_a_stack_is_the_same_network_trained_alone_on_its_own_columns(optimizer, head, m, settings):
    """In full batches. Tolerance: BLAS sums in another order for another shape; AdamW divides rounding by epsilon."""
    problem = problem_of(head, m=m)

    def parameters(problem):
        hyperparameters = Hyperparameters(
            problem.architecture, LEARNING_RATES[optimizer], optimizer=optimizer, **settings
        )
        data = problem.data(reduced=False)
        state = trained(problem, data, hyperparameters, 30)
        return finish(state, problem.initial, data, problem.architecture)

    def of_network(parameters, network):
        return Parameters(*(tuple(a[[network]] for a in arrays) for arrays in (parameters.W, parameters.b)))

    stacked = parameters(problem)
    for network, held_out in enumerate(problem.held_out):
        alone = replace(
            problem,
            initial=of_network(problem.initial, network),
            X=problem.X[:, ~held_out],
            Y=problem.Y[:, ~held_out],
            held_out=np.zeros((1, (~held_out).sum()), bool),
        )
        found = flatten(of_network(stacked, network))
        np.testing.assert_allclose(found, flatten(parameters(alone)), rtol=1e-7, atol=1e-8)


def scikit_learn(problem, solver, **settings):
    """A network of scikit-learn's after one iteration, and a function that does one more."""
    theirs = (MLPRegressor if problem.architecture.head == "regression" else MLPClassifier)(
        hidden_layer_sizes=problem.architecture.hidden_units, activation="tanh", solver=solver, alpha=0,
        batch_size=problem.X.shape[1], shuffle=False, random_state=0, **settings,
    )  # fmt: skip
    rows, targets = problem.X.T, problem.Y.T
    if problem.architecture.head != "regression":
        targets = problem.Y[0] if len(problem.Y) == 1 else problem.Y.argmax(axis=0)
        theirs.partial_fit(rows, targets, classes=np.unique(targets))
    else:
        theirs.partial_fit(rows, targets)
    return theirs, lambda: theirs.partial_fit(rows, targets)


@pytest.mark.parametrize("head", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize(
    ("optimizer", "reduced"), [("momentum", False), ("momentum", True), ("adamw", False)],
    ids=["momentum", "momentum, reduced", "adamw"],
)  # fmt: skip
def test_training_agrees_with_scikit_learn(optimizer, head, reduced, monkeypatch):
    """Theirs adds epsilon before the bias is corrected and ours after it, so it is so small here that it plays no part.

    Their momentum is a sum, ours a mean: the factor 1 - beta is in the learning rate. Their squared loss is half of
    ours, which a mean feels and AdamW, which divides a gradient by its size, does not.
    """
    monkeypatch.setattr(optimizers, "EPSILON", 1e-14)
    problem = random_problem(11, n_features=14, m=12, hidden_units=(5, 4), head=head)
    if optimizer == "adamw":
        learning_rate = 0.01
        settings = {"solver": "adam", "learning_rate_init": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-14}
    else:
        learning_rate = 0.2 / 2 if head == "regression" else 0.2
        settings = {"solver": "sgd", "learning_rate_init": 0.2 * 0.1, "momentum": 0.9, "nesterovs_momentum": False}
    theirs, iterate = scikit_learn(problem, **settings)
    for array in (*theirs.coefs_, *theirs.intercepts_):  # as at the start, and the optimizer's memory too
        array[...] = np.random.default_rng(array.size).standard_normal(array.shape) / 2
    theirs._optimizer = type(theirs._optimizer)(
        theirs.coefs_ + theirs.intercepts_,
        settings["learning_rate_init"],
        **{name: settings[name] for name in ("beta_1", "beta_2", "epsilon") if name in settings},
        **({"momentum": 0.9, "nesterov": False} if optimizer == "momentum" else {}),
    )
    initial = Parameters.of_one_network([W.T.copy() for W in theirs.coefs_], [b[:, None] for b in theirs.intercepts_])
    problem = replace(problem, initial=Parameters(initial.W, tuple(b.copy() for b in initial.b)))
    for _ in range(60):
        iterate()
    hyperparameters = Hyperparameters(problem.architecture, learning_rate, optimizer=optimizer)
    data = problem.data(reduced=reduced)
    found = finish(trained(problem, data, hyperparameters, 60), problem.initial, data, problem.architecture)
    for W, b, coefficients, intercepts in zip(found.W, found.b, theirs.coefs_, theirs.intercepts_, strict=True):
        np.testing.assert_allclose(W[0], coefficients.T, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(b[0, :, 0], intercepts, rtol=1e-8, atol=1e-9)


def updated(theta, gradients, **hyperparameters):
    """One network's parameters, a weight and a bias, after updates with the given gradients."""
    theta = np.array([theta], np.float64)
    gradient = np.empty_like(theta)
    descent = Descent(
        Hyperparameters(random_problem(0).architecture, **hyperparameters),
        theta, gradient, np.array([1.0, 0.0]), moments=None, average=None,
    )  # fmt: skip
    for iteration, values in enumerate(gradients, start=1):
        gradient[...] = values
        descent.step(iteration)
    return theta[0].tolist()


def test_two_steps_of_adamw_agree_with_the_example_by_hand():
    # Gradients 2, then -1, and alpha = 0.1. Step 1: m = 0.2, s = 0.004, without bias 2 and 4: alpha 2 / 2 = 0.1.
    # Step 2: m = 0.08, s = 0.004996, without bias 0.08 / 0.19 = 0.42105 and 0.004996 / 0.001999 = 2.49925, so
    # alpha 0.42105 / 1.58090 = 0.026634, backwards. Decay of the weight alone: (1 - 0.1 * 0.5) = 0.95 before each step.
    theta = updated((1, 1), [(2, 2), (-1, -1)], learning_rate=0.1, optimizer="adamw", weight_decay=0.5)
    assert theta == pytest.approx([(1 * 0.95 - 0.1) * 0.95 - 0.026634, 1 - 0.1 - 0.026634], abs=1e-6)


def test_epsilon_of_adamw_is_added_to_the_root_without_bias():
    # a gradient as large as epsilon: alpha 1e-8 / (1e-8 + 1e-8), at every step while it stays the same
    theta = updated((1, 0), [(1e-8, 0)] * 3, learning_rate=0.1, optimizer="adamw")
    assert theta == pytest.approx([1 - 3 * 0.05, 0], abs=1e-12)


def test_momentum_begins_with_a_tenth_of_a_gradient_and_comes_to_all_of_it():
    theta = updated((0, 0), [(1, 0)], learning_rate=1, optimizer="momentum")
    assert theta == pytest.approx([-0.1, 0])
    far, farther = (updated((0, 0), [(1, 0)] * n, learning_rate=1, optimizer="momentum")[0] for n in (300, 301))
    assert far - farther == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("weight_decay", [0, 0.3])
def test_adamw_agrees_with_pytorch(weight_decay):
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(0)
    gradients = generator.standard_normal((200, 2)) * [1, 1e-7]  # the second about as large as epsilon
    weight, bias = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (1.5, -0.5))
    theirs = torch.optim.AdamW(
        [{"params": [weight], "weight_decay": weight_decay}, {"params": [bias], "weight_decay": 0}], lr=0.01
    )
    for gradient in gradients:
        weight.grad, bias.grad = (torch.tensor(g, dtype=torch.float64) for g in gradient)
        theirs.step()
    found = updated((1.5, -0.5), gradients, learning_rate=0.01, optimizer="adamw", weight_decay=weight_decay)
    assert found == pytest.approx([weight.item(), bias.item()], rel=1e-12)


@pytest.mark.parametrize("optimizer", ["momentum", "adamw"])
def test_the_mean_gradient_of_a_dead_unit_fades_to_zero_and_never_to_subnormal_numbers(optimizer):
    # after 850 iterations without a gradient, the mean in float32 would be subnormal for good, and arithmetic slow
    theta, gradient = np.ones((1, 3), np.float32), np.empty((1, 3), np.float32)
    moments = np.zeros((OPTIMIZERS[optimizer].n_moments, 1, 3), np.float32)
    at_work = OPTIMIZERS[optimizer](0.01, theta, gradient, moments)
    for iteration in range(1, 1201):
        gradient[...] = 1 if iteration == 1 else [[0, 1e-15, 1]]
        at_work.update(iteration)
        mean = moments[0][moments[0] != 0]
        assert np.abs(mean).min() >= np.finfo(np.float32).tiny
    assert moments[0, 0, 0] == 0
    assert moments[0, 0, 1:] == pytest.approx(np.array([1e-15, 1]) * (1 if optimizer == "momentum" else 10), rel=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_stays_in_the_span_of_the_examples_if_it_says_so(optimizer):
    # of five features the examples show two: W[1] may change in the directions of these alone
    problem = random_problem(3, n_features=5, m=12, hidden_units=(4,), head="regression")
    shown = np.random.default_rng(0).standard_normal((5, 2))
    problem = replace(problem, X=shown @ problem.X[:2])
    data = problem.data(reduced=False)
    hyperparameters = Hyperparameters(problem.architecture, 0.01, optimizer=optimizer)
    found = finish(trained(problem, data, hyperparameters, 20), problem.initial, data, problem.architecture)
    step = (found.W[0] - problem.initial.W[0])[0]
    outside = step - step @ shown @ np.linalg.pinv(shown)
    is_inside = bool(np.abs(outside).max() < 1e-12 * np.abs(step).max())
    assert is_inside is OPTIMIZERS[optimizer].stays_in_span
