import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_squared_error

from engine.heads import HEADS
from engine.steps import run

EXTREME = [-1e4, -1e3, -100, -20, 0, 20, 100, 1e3, 1e4]


def column(*values, dtype=np.float64):
    """One example with several outputs, as (1, n, 1)."""
    return np.array(values, dtype).reshape(1, -1, 1)


def outputs(name, Z):
    return HEADS[name].outputs(Z)


def gradient(name, Z, Y):
    dZ = np.empty_like(Z)
    step_size = np.ones_like(Z[:, :1])
    run(HEADS[name].backward(Z, HEADS[name].goal(Y, step_size), HEADS[name].scale(step_size), dZ))
    return dZ


@pytest.mark.parametrize(
    ("name", "Z", "Y", "A", "loss", "dZ"),
    [
        ("binary", [0], [1], [0.5], np.log(2), [-0.5]),
        ("binary", [np.log(3)], [0], [0.75], np.log(4), [0.75]),
        ("multiclass", [0, np.log(2), 0], [0, 1, 0], [0.25, 0.5, 0.25], np.log(2), [0.25, -0.5, 0.25]),
        ("regression", [3, -1], [1, 1], [3, -1], 8, [4, -4]),
        ("nonnegative_regression", [3], [1], [3], 4, [4]),
        ("nonnegative_regression", [-3], [1], [0], 1, [0]),
    ],
)
def test_output_loss_and_gradient_agree_with_the_hand_worked_table(name, Z, Y, A, loss, dZ):
    Z, Y = column(*Z), column(*Y)[0]
    np.testing.assert_allclose(outputs(name, Z).ravel(), A, rtol=1e-15)
    np.testing.assert_allclose(HEADS[name].losses(Z, Y), [[loss]], rtol=1e-15)
    np.testing.assert_allclose(gradient(name, Z, Y).ravel(), dZ, rtol=1e-15)


@pytest.mark.parametrize(
    ("name", "Y", "expected"),
    [
        ("binary", [[0, 1]], [[0.05, 0.95]]),
        (
            "multiclass",
            [[1, 0], [0, 0], [0, 1], [0, 0]],
            [[0.925, 0.025], [0.025, 0.025], [0.025, 0.925], [0.025, 0.025]],
        ),
        ("regression", [[1, 0]], [[1, 0]]),
        ("nonnegative_regression", [[1, 0]], [[1, 0]]),
    ],
)
def test_a_tenth_of_a_smoothed_label_goes_to_all_classes_alike(name, Y, expected):
    for dtype in (np.float32, np.float64):
        found = HEADS[name].smoothed(np.array(Y, dtype), 0.1)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        assert found.dtype == dtype


def test_losses_agree_with_scikit_learn():
    generator = np.random.default_rng(0)
    logits, classes = 3 * generator.standard_normal((1, 4, 50)), generator.integers(0, 4, 50)
    cases = {"binary": logits[:, :1], "multiclass": logits, "regression": logits}
    expected = {
        "binary": log_loss(classes > 1, outputs("binary", logits[:, :1])[0, 0]),
        "multiclass": log_loss(classes, outputs("multiclass", logits)[0].T),
        "regression": 4 * mean_squared_error(np.eye(4)[classes], logits[0].T),
    }
    targets = {
        "binary": (classes[None] > 1) * 1.0,
        "multiclass": np.eye(4)[:, classes],
        "regression": np.eye(4)[:, classes],
    }
    found = {name: HEADS[name].losses(Z, targets[name]).mean() for name, Z in cases.items()}
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("y", [0, 1])
def test_binary_stays_finite_and_exact_for_large_logits(dtype, y):
    Z, Y = np.array(EXTREME, dtype).reshape(1, 1, -1), np.full((1, len(EXTREME)), y, dtype)
    losses = HEADS["binary"].losses(Z, Y)
    assert losses.dtype == dtype
    # log(1 + exp(x)) of x = the logit's distance to the wrong side, in exact arithmetic to the dtype's last digits
    x = np.array(EXTREME, np.float64) * (1 if y == 0 else -1)
    exact = np.where(x > 0, x, 0) + np.log1p(np.exp(-np.abs(x)))
    np.testing.assert_allclose(losses[0], exact, rtol=4 * np.finfo(dtype).eps, atol=np.finfo(dtype).tiny)
    assert np.isfinite(gradient("binary", Z, Y)).all()
    assert outputs("binary", Z)[0, 0, [0, -1]].tolist() == [0, 1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_multiclass_stays_finite_and_exact_for_large_logits(dtype):
    Z = np.array([[z, 0, -z] for z in EXTREME], dtype).T[np.newaxis]
    Y = np.zeros((3, len(EXTREME)), dtype)
    Y[0] = 1
    losses, A = HEADS["multiclass"].losses(Z, Y), outputs("multiclass", Z)
    assert losses.dtype == A.dtype == dtype
    np.testing.assert_allclose(A.sum(axis=1), 1, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(losses[0, [0, 1, 2, 3, 4]], [2e4, 2e3, 200, 40, np.log(3)], rtol=1e-6)
    np.testing.assert_allclose(losses[0, [-1, -2, -3]], 0, atol=np.finfo(dtype).tiny)
    assert np.isfinite(gradient("multiclass", Z, Y)).all()


@pytest.mark.parametrize("name", ["regression", "nonnegative_regression"])
def test_squared_errors_stay_finite_for_large_outputs(name):
    Z = np.array(EXTREME, np.float32).reshape(1, 1, -1)
    Y = np.ones((1, len(EXTREME)), np.float32)
    assert np.isfinite(HEADS[name].losses(Z, Y)).all()
    assert np.isfinite(gradient(name, Z, Y)).all()


def test_a_nonnegative_prediction_is_never_minus_zero():
    assert not np.signbit(outputs("nonnegative_regression", column(-3.0, -0.0, 0.0, 2.0))).any()


def test_class_is_one_where_the_output_is_at_least_a_half_and_else_the_largest_logit():
    Z = np.array([[[-1.0, 0.0, 1.0]]])
    assert HEADS["binary"].is_correct(Z, np.array([[1.0, 1.0, 1.0]])).tolist() == [[False, True, True]]
    logits = np.array([[[1.0, 0.0], [2.0, -1.0], [0.0, -2.0]]])
    assert HEADS["multiclass"].is_correct(logits, np.array([[0.0, 1], [1, 0], [0, 0]])).tolist() == [[True, True]]


@pytest.mark.parametrize("name", ["regression", "nonnegative_regression"])
def test_a_regression_has_no_classes(name):
    with pytest.raises(TypeError, match="has no classes"):
        HEADS[name].is_correct(column(1.0), column(1.0)[0])


def test_only_the_two_cross_entropies_have_a_minus_y_as_gradient():
    generator = np.random.default_rng(3)
    Z, Y = generator.standard_normal((2, 3, 6)), np.eye(3)[:, generator.integers(0, 3, 6)]
    canonical = {name for name in HEADS if np.allclose(gradient(name, Z, Y), outputs(name, Z) - Y)}
    assert canonical == {"binary", "multiclass"}
