from dataclasses import replace

import numpy as np
import pytest

from engine import Architecture, Hyperparameters, advance, initialize, start
from engine.data import TrainingData
from engine.errors import ShapeError
from tests.engine.support.problem import arrays_of


def data(n_features=3, m=5, n_networks=2, dtype=np.float64, **options):
    generator = np.random.default_rng(0)
    held_out = np.zeros((n_networks, m), bool)
    held_out[0, 0] = True
    X, Y = generator.standard_normal((n_features, m)), np.ones((1, m))
    return TrainingData.of(X, Y, held_out, dtype, **options), X


def test_inputs_are_the_features_over_a_row_of_ones():
    prepared, X = data()
    np.testing.assert_array_equal(prepared.scaled.with_ones[:-1], X)
    assert prepared.scaled.with_ones[-1].tolist() == [1] * 5
    assert (prepared.n_features, prepared.n_examples, prepared.n_networks) == (3, 5, 2)


@pytest.mark.parametrize(("n_features", "is_reduced"), [(7, False), (8, True), (9, True), (11, True), (20, True)])
def test_the_first_layer_is_reduced_unless_a_network_trains_on_many_more_examples_than_there_are_features(
    n_features, is_reduced
):
    # the second network trains on all 12 examples, that is 1.5 times 8
    prepared, _ = data(n_features, m=12)
    assert (prepared.gram is not None) is is_reduced
    assert data(n_features, m=12, reduce=False)[0].gram is None
    assert data(n_features, m=12, reduce=True)[0].gram is not None


def test_gram_holds_the_products_of_all_pairs_of_columns_in_float64_and_its_parts_are_rounded_from_that():
    X = np.array([[1e4, 1.0], [1.0, 0.0], [-1e4, 1.0]])  # in float32 the 1e4s would swallow the ones
    prepared = TrainingData.of(X, np.zeros((1, 2)), np.zeros((1, 2), bool), np.float32)
    assert prepared.gram is not None
    assert prepared.gram.tolist() == [[2e8 + 2, 1], [1, 3]]
    assert prepared.scaled.training.tolist() == [[[np.float32(2e8 + 2), 1], [1, 3]]]
    assert prepared.gram.dtype == np.float64
    assert prepared.scaled.training.dtype == prepared.dtype == np.float32


HELD_OUT = np.array([[1, 0, 0, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]], bool)


def divided(*, reduce):
    X = np.random.default_rng(0).standard_normal((2, 5))
    return TrainingData.of(X, np.ones((1, 5)), HELD_OUT, reduce=reduce)


def test_each_network_has_the_columns_it_trains_on_and_those_it_holds_out_side_by_side():
    prepared = divided(reduce=False)
    # own examples first; the third network has five of them, so held-out ones fill up for the others; and vice versa
    assert prepared.scaled.training_columns.tolist() == [[1, 2, 4, 0, 3], [0, 1, 3, 4, 2], [0, 1, 2, 3, 4]]
    assert prepared.validation_columns.tolist() == [[0, 3], [4, 2], [3, 4]]
    for found, columns in (
        (prepared.scaled.training, prepared.scaled.training_columns),
        (prepared.scaled.validation, prepared.validation_columns),
    ):
        for network in range(3):
            np.testing.assert_array_equal(found[network], prepared.scaled.with_ones[:, columns[network]])
        assert found.flags.c_contiguous


def test_a_reduced_first_layer_has_the_products_of_a_networks_own_examples_with_its_columns():
    prepared = divided(reduce=True)
    for network in range(3):
        own, held_out = prepared.scaled.training_columns[network], prepared.validation_columns[network]
        np.testing.assert_array_equal(prepared.scaled.training[network], prepared.gram[own][:, own])
        np.testing.assert_array_equal(prepared.scaled.validation[network], prepared.gram[own][:, held_out])


def test_coefficients_are_spread_over_all_examples():
    C = np.arange(1.0, 31).reshape(3, 2, 5)
    spread = divided(reduce=True).spread(C)
    assert spread.shape == (3, 2, 5)
    assert spread[0, 0].tolist() == [4, 1, 2, 5, 3]
    np.testing.assert_array_equal(spread[2], C[2])


@pytest.mark.parametrize(("dtype", "in_a_line"), [(np.float32, 16), (np.float64, 8)])
@pytest.mark.parametrize("n_held_out", [0, 3, 50])
def test_rows_end_with_a_cache_line_filled_with_held_out_examples_or_the_first(dtype, in_a_line, n_held_out):
    X = np.arange(402.0).reshape(2, 201)
    held_out = np.zeros((2, 201), bool)
    held_out[0, :n_held_out] = held_out[1, 201 - n_held_out :] = True
    prepared = TrainingData.of(X, np.ones((1, 201)), held_out, dtype, reduce=False)
    n_trained, n_columns = 201 - n_held_out, prepared.scaled.training.shape[-1]
    assert n_trained <= n_columns < n_trained + in_a_line
    assert n_columns % in_a_line == 0
    for network, columns in enumerate(prepared.scaled.training_columns):
        assert sorted(columns[:n_trained]) == np.flatnonzero(~held_out[network]).tolist()
        assert len(set(columns[:201])) == min(201, n_columns)
        assert not columns[201:].any()
        np.testing.assert_array_equal(prepared.scaled.training[network, :2], X[:, columns])


def test_nothing_is_copied_for_networks_that_hold_out_nothing():
    prepared = TrainingData.of(np.ones((2, 5)), np.ones((1, 5)), np.zeros((3, 5), bool))
    assert prepared.scaled.training.shape == (3, 3, 5)
    assert prepared.scaled.validation.shape == (3, 3, 0)
    assert np.shares_memory(prepared.scaled.training, prepared.scaled.with_ones)


@pytest.mark.parametrize("reduce", [False, True], ids=["plain", "reduced"])
def test_data_of_all_examples_are_those_that_would_be_prepared_for_a_network_that_holds_out_nothing(reduce):
    found = divided(reduce=reduce).of_all_examples()
    expected = TrainingData.of(found.scaled.with_ones[:-1], found.targets, np.zeros((1, 5), bool), reduce=reduce)
    for one, other in zip(arrays_of(found), arrays_of(expected), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("holds_out", [True, False], ids=["folds", "nothing held out"])
@pytest.mark.parametrize("n_features", [3, 4, 9], ids=["plain", "reduced", "rotated"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saved_data_load_bit_for_bit_and_read_only(tmp_path, n_features, dtype, holds_out):
    saved, _ = data(n_features, dtype=dtype)
    saved = saved if holds_out else saved.of_all_examples()
    saved.save(tmp_path)
    loaded = TrainingData.load(tmp_path)
    for one, other in zip(arrays_of(saved), arrays_of(loaded), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
        assert not other.flags.writeable
        assert type(other) is np.ndarray, "np.memmap would cost Python time in every ufunc"
        assert not other.flags.owndata, "one copy for all processes: mapped, not read"


@pytest.mark.parametrize("n_features", [4, 9], ids=["reduced", "rotated"])
def test_data_for_trainings_in_the_span_lack_the_unreduced_form_and_nothing_else(tmp_path, n_features):
    both, one = data(n_features)[0], data(n_features, leaves_span=False)[0]
    assert both.unreduced is not None
    one.save(tmp_path)
    for found, expected in (
        (one, both),
        (TrainingData.load(tmp_path), both),
        (one.of_all_examples(), both.of_all_examples()),
    ):
        assert found.unreduced is None
        pairs = zip(arrays_of(found), arrays_of(replace(expected, unreduced=None)), strict=True)
        for array, its_equal in pairs:
            np.testing.assert_array_equal(array, its_equal)


def test_plain_data_are_the_same_whatever_is_trained_on_them():
    (plain, _), (expected, _) = (data(leaves_span=leaves_span) for leaves_span in (False, True))
    for one, other in zip(arrays_of(plain), arrays_of(expected), strict=True):
        np.testing.assert_array_equal(one, other)


def test_preparing_does_not_change_the_callers_arrays():
    X, Y, held_out = np.ones((2, 3)), np.ones((1, 3)), np.zeros((1, 3), bool)
    prepared = TrainingData.of(X, Y, held_out)
    assert not any(np.shares_memory(X, array) for array in (prepared.scaled.with_ones, prepared.targets))
    assert (X == 1).all()


@pytest.mark.parametrize(
    ("X", "Y", "held_out"),
    [
        ((2, 5), (1, 4), (1, 5)),
        ((2, 5), (1, 5), (1, 4)),
        ((2, 5), (5,), (1, 5)),
        ((2, 5), (1, 5), (5,)),
        ((5,), (1, 5), (1, 5)),
    ],
)
def test_arrays_of_different_numbers_of_examples_are_refused(X, Y, held_out):
    with pytest.raises(ShapeError, match="one column per example; transpose"):
        TrainingData.of(np.zeros(X), np.zeros(Y), np.zeros(held_out, bool))


def test_a_fold_without_examples_to_train_on_is_refused():
    held_out = np.array([[False, True], [True, True]])
    with pytest.raises(ShapeError, match="network 1 has every example held out"):
        TrainingData.of(np.zeros((2, 2)), np.zeros((1, 2)), held_out)


@pytest.mark.parametrize("n_features", [3, 40])
def test_copies_are_trained_on_by_networks_that_train_on_the_original_and_validate_nothing(n_features):
    generator = np.random.default_rng(2)
    m, held_out = 11, np.zeros((3, 11), bool)
    for fold, columns in enumerate((slice(0, 4), slice(4, 8), slice(8, 11))):  # of different sizes
        held_out[fold, columns] = True
    X, Y = generator.standard_normal((n_features, 2 * m)), np.tile(generator.integers(0, 2, (1, m)), 2).astype(float)
    of_both, of_originals = np.tile(held_out, 2), np.hstack([held_out, np.zeros_like(held_out)])
    prepared = TrainingData.of(X, Y, of_both, validated=of_originals)
    counts_for_nothing = np.stack([np.ones(2 * m), np.repeat([1.0, 0.0], m)])
    weighted = TrainingData.of(X, Y, of_both).weighted(counts_for_nothing)  # validated on both, where copies weigh 0

    architecture = Architecture(n_features, (4,), 1, "tanh", "binary")
    initial = initialize(architecture, np.random.default_rng(0))
    ends = []
    for one in (prepared, weighted):
        state = start(initial, one, architecture)
        ends.append(advance(state, one, Hyperparameters(architecture, 0.1), 20, range(0, 21, 5)))
    (state, curve), (other_state, other_curve) = ends
    assert prepared.validation_columns.shape[1] == 4
    np.testing.assert_allclose(curve.validation_cost, other_curve.validation_cost, rtol=1e-12)
    np.testing.assert_allclose(curve.train_cost, other_curve.train_cost, rtol=1e-12)
    np.testing.assert_allclose(state.theta, other_state.theta, rtol=1e-9, atol=1e-12)


def test_a_network_that_would_be_validated_on_what_it_trains_on_is_refused():
    held_out = np.array([[True, False, False]])
    with pytest.raises(ShapeError, match="validated: a network would be validated on examples that it trains on"):
        TrainingData.of(np.ones((2, 3)), np.ones((1, 3)), held_out, validated=np.array([[True, True, False]]))
