import numpy as np
import pytest

from engine.data import TrainingData
from engine.errors import ShapeError


def data(n_features=3, m=5, n_networks=2, dtype=np.float64, **options):
    generator = np.random.default_rng(0)
    held_out = np.zeros((n_networks, m), bool)
    held_out[0, 0] = True
    X, Y = generator.standard_normal((n_features, m)), np.ones((1, m))
    return TrainingData.of(X, Y, held_out, dtype, **options), X


def test_inputs_are_the_features_over_a_row_of_ones():
    prepared, X = data()
    np.testing.assert_array_equal(prepared.inputs[:-1], X)
    assert prepared.inputs[-1].tolist() == [1] * 5
    assert (prepared.n_features, prepared.n_examples, prepared.n_networks) == (3, 5, 2)


@pytest.mark.parametrize(("n_features", "is_reduced"), [(4, False), (5, False), (6, True)])
def test_the_first_layer_is_reduced_only_where_there_are_more_features_than_examples(n_features, is_reduced):
    prepared, _ = data(n_features)
    assert (prepared.gram is not None) is is_reduced
    assert data(n_features, reduce=False)[0].gram is None


def test_gram_holds_the_products_of_all_pairs_of_columns_summed_in_float64():
    X = np.array([[1e4, 1.0], [1.0, 0.0], [-1e4, 1.0]])  # in float32 the 1e4s would swallow the ones
    prepared = TrainingData.of(X, np.zeros((1, 2)), np.zeros((1, 2), bool), np.float32)
    assert prepared.gram is not None
    assert prepared.gram.tolist() == [[np.float32(2e8 + 2), 1], [1, 3]]
    assert prepared.gram.dtype == prepared.dtype == np.float32


@pytest.mark.parametrize("n_features", [3, 9], ids=["plain", "reduced"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saved_data_load_bit_for_bit_and_read_only(tmp_path, n_features, dtype):
    saved, _ = data(n_features, dtype=dtype)
    saved.save(tmp_path)
    loaded = TrainingData.load(tmp_path)
    for name in ("inputs", "targets", "held_out", "gram", "exact_gram"):
        one, other = getattr(saved, name), getattr(loaded, name)
        if one is None:
            assert other is None
            continue
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
        assert not other.flags.writeable
        assert type(other) is np.ndarray, "np.memmap would cost Python time in every ufunc"
        assert not other.flags.owndata, "one copy for all processes: mapped, not read"


def test_preparing_does_not_change_the_callers_arrays():
    X, Y, held_out = np.ones((2, 3)), np.ones((1, 3)), np.zeros((1, 3), bool)
    prepared = TrainingData.of(X, Y, held_out)
    assert not any(np.shares_memory(X, array) for array in (prepared.inputs, prepared.targets))
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
    with pytest.raises(ShapeError, match="one column an example; transpose"):
        TrainingData.of(np.zeros(X), np.zeros(Y), np.zeros(held_out, bool))


def test_a_fold_without_examples_to_train_on_is_refused():
    held_out = np.array([[False, True], [True, True]])
    with pytest.raises(ShapeError, match="network 1 has every example held out"):
        TrainingData.of(np.zeros((2, 2)), np.zeros((1, 2)), held_out)
