import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from engine import products
from engine.products import product, product_over_examples
from engine.steps import run

SIZES = {"n_networks": st.integers(1, 3), "n": st.integers(1, 20), "k": st.integers(1, 20), "m": st.integers(1, 40)}


@pytest.fixture(autouse=True, params=["as on this machine", "in small pieces", "in whole"])
def _pieces(request, monkeypatch):
    """On a machine that multiplies small products in place, where small is smaller still; on one that does not."""
    if request.param != "as on this machine":
        monkeypatch.setattr(products, "multiplies_small_in_place", lambda: request.param == "in small pieces")
        monkeypatch.setattr(products, "N_MULTIPLICATIONS", 400)
        monkeypatch.setattr(products, "N_RESULTS", 60)
        monkeypatch.setattr(products, "N_ROWS", 4)
        monkeypatch.setattr(products, "MIN_FEATURES", 4)
        monkeypatch.setattr(products, "MAX_BYTES_OF_A_COLUMN", 100)
        monkeypatch.setattr(products, "MIN_TILE", 2)


def operands(n_networks, n, k, m, *, is_view):
    """left (F, n, k), right (F, k, m), and dZ (F, n, m); as views of larger arrays where they may be such."""
    generator = np.random.default_rng(0)
    left, right, dZ = (generator.standard_normal((n_networks, *shape)) for shape in ((n, k + 1), (k, m + 3), (n, m)))
    return left[:, :, :-1], right[:, :, 2:-1] if is_view else right[:, :, 2:-1].copy(), dZ


@given(is_view=st.booleans(), **SIZES)
def test_a_product_is_matmul_whatever_it_is_cut_into(is_view, n_networks, n, k, m):
    left, right, _ = operands(n_networks, n, k, m, is_view=is_view)
    out = np.full((n_networks, n, m), np.nan)
    run(product(left, right, out=out))
    np.testing.assert_allclose(out, left @ right, rtol=1e-13, atol=1e-14)


@given(is_view=st.booleans(), **SIZES)
def test_a_product_of_a_transposed_left_operand_is_matmul_too(is_view, n_networks, n, k, m):
    left, right, _ = operands(n_networks, k, n, m, is_view=is_view)  # W (k, n), so W^T (n, k)
    right = right[:, :1].repeat(k, axis=1)
    out = np.full((n_networks, n, m), np.nan)
    run(product(left.mT, right, out=out))
    np.testing.assert_allclose(out, left.mT @ right, rtol=1e-13, atol=1e-14)


@given(is_view=st.booleans(), **SIZES)
def test_a_product_over_examples_is_matmul_whatever_it_is_cut_into(is_view, n_networks, n, k, m):
    _, right, dZ = operands(n_networks, n, k, m, is_view=is_view)
    flat = np.full((n_networks, 7 + n * k), np.nan)  # as in `engine.stack.split`: networks are not side by side
    out = flat[:, 7:].reshape(n_networks, n, k)
    run(product_over_examples(dZ, right, out=out))
    np.testing.assert_allclose(out, dZ @ right.mT, rtol=1e-13, atol=1e-14)
    assert np.isnan(flat[:, :7]).all()


@given(**SIZES)
def test_steps_read_what_their_operands_hold_when_they_run(n_networks, n, k, m):
    left, right, dZ = operands(n_networks, n, k, m, is_view=True)
    Z, dW = np.empty((n_networks, n, m)), np.empty((n_networks, n, k))
    steps = [*product(left, right, out=Z), *product_over_examples(dZ, right, out=dW)]
    run(steps)
    right *= 2  # nothing has been copied
    left *= 3
    dZ *= 5
    run(steps)
    np.testing.assert_allclose(Z, left @ right, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(dW, dZ @ right.mT, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("n_networks", [1, 3])
def test_no_piece_is_larger_than_what_is_multiplied_in_place(n_networks, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(products, "multiplies_small_in_place", lambda: True)
    multiplications = []

    def noting(left, right, out):
        multiplications.append((left.shape[-2], left.shape[-1], right.shape[-1]))

    monkeypatch.setattr(np, "matmul", noting)
    for n, k, m in ((64, 65, 1438), (32, 65, 8000), (31, 47, 700), (64, 31, 5000), (20, 300, 2500)):
        left, right, dZ = operands(n_networks, n, k, m, is_view=True)
        run(product(left, right, out=np.empty((n_networks, n, m))))
        run(product_over_examples(dZ, right, out=np.empty((n_networks, n, k))))
    assert max(n * k * m for n, k, m in multiplications) <= 10**6
    assert max(n * k for n, m, k in multiplications if m >= 500) <= 1200, "of a sum over examples"
