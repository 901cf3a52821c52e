import numpy as np
import pytest

from engine.activations import ACTIVATIONS
from engine.errors import EngineError
from engine.initialization import SCHEMES, initialize
from engine.network import Architecture


def architecture(activation="relu"):
    return Architecture(400, (300, 200), 1, activation, "binary")


@pytest.mark.parametrize(
    ("scheme", "variances"),
    [("he", (2 / 400, 2 / 300)), ("xavier", (1 / 400, 1 / 300)), ("small", (1e-4, 1e-4))],
)
def test_weights_have_the_variance_of_the_scheme_and_biases_are_zero(scheme, variances):
    parameters = initialize(architecture(), np.random.default_rng(0), scheme=scheme)
    for W, variance in zip(parameters.W, variances, strict=False):
        # standard error of a variance from n normal draws: variance * sqrt(2 / n), n >= 60000; 4 of them
        assert W.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / W.size))
        assert W.mean() == pytest.approx(0, abs=4 * np.sqrt(variance / W.size))
    assert not any(b.any() for b in parameters.b)


@pytest.mark.parametrize(
    ("activation", "scheme"),
    [("relu", "he"), ("leaky_relu", "he"), ("tanh", "xavier"), ("sigmoid", "xavier"), ("identity", "xavier")],
)
def test_the_activation_chooses_the_scheme_unless_one_is_set(activation, scheme):
    chosen = initialize(architecture(activation), np.random.default_rng(0))
    explicit = initialize(architecture(activation), np.random.default_rng(0), scheme=scheme)
    np.testing.assert_array_equal(chosen.W[0], explicit.W[0])
    assert ACTIVATIONS[activation].initialization in SCHEMES


def test_same_generator_gives_same_weights_and_float32_is_the_rounded_float64():
    one = initialize(architecture(), np.random.default_rng(7))
    same = initialize(architecture(), np.random.default_rng(7))
    rounded = initialize(architecture(), np.random.default_rng(7), np.float32)
    other = initialize(architecture(), np.random.default_rng(8))
    for layer in range(3):
        np.testing.assert_array_equal(one.W[layer], same.W[layer])
        np.testing.assert_array_equal(one.W[layer].astype(np.float32), rounded.W[layer])
        assert rounded.W[layer].dtype == rounded.b[layer].dtype == np.float32
    assert (one.W[0] != other.W[0]).all()


def test_global_random_state_is_neither_read_nor_changed():
    before = np.random.get_state()  # noqa: NPY002 - the legacy state is what must stay as it is
    initialize(architecture(), np.random.default_rng(0))
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


def test_parameters_fit_their_architecture():
    initialize(architecture(), np.random.default_rng(0)).check(architecture())


def test_an_unknown_scheme_is_refused_with_the_known_ones():
    with pytest.raises(EngineError, match=r"'lecun' is unknown\. It must be one of he, xavier, small"):
        initialize(architecture(), np.random.default_rng(0), scheme="lecun")
