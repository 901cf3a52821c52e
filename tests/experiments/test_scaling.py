"""Scalings beside scikit-learn's own transformers, and what a saved one says of examples that it has not seen."""

import json

import numpy as np
import pytest
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler

from experiments.errors import InputError
from experiments.preprocessing import Preprocessing
from experiments.scaling import CLIP
from tests.experiments.test_preprocessing import dataset_of, table

GENERATOR = np.random.default_rng(5)
ROWS = np.column_stack(
    [
        GENERATOR.standard_normal(400),
        np.exp(3 * GENERATOR.standard_normal(400)),  # a long tail
        GENERATOR.integers(0, 3, 400),  # many equal values
    ]
).astype(np.float64)
NEW = np.vstack([3 * GENERATOR.standard_normal((50, 3)), ROWS[:20], np.full((1, 3), 1e9), np.full((1, 3), -1e9)])


def test_quantile_scaling_gives_the_numbers_of_scikit_learns_transformer() -> None:
    peer = QuantileTransformer(n_quantiles=400 // 30, output_distribution="normal", subsample=None).fit(ROWS)
    preprocessing = Preprocessing.fit(dataset_of(ROWS), "quantile")
    for rows in (ROWS, NEW):
        np.testing.assert_allclose(preprocessing.transform(rows).T, peer.transform(rows), rtol=1e-13, atol=1e-15)


def test_robust_scaling_is_that_of_scikit_learn_with_a_smooth_end_at_3() -> None:
    peer = RobustScaler().fit(ROWS)
    preprocessing = Preprocessing.fit(dataset_of(ROWS), "robust")
    for rows in (ROWS, NEW):
        z = peer.transform(rows)
        np.testing.assert_allclose(preprocessing.transform(rows).T, z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-13)
    assert np.abs(preprocessing.transform(NEW)).max() <= CLIP


def test_where_quartiles_are_equal_robust_scaling_divides_by_half_of_the_range_and_a_constant_stays_0() -> None:
    rows = np.column_stack([np.where(np.arange(20) == 3, 8.0, 2.0), np.full(20, 5.0)])
    preprocessing = Preprocessing.fit(dataset_of(rows), "robust")
    np.testing.assert_allclose(preprocessing.transform(rows)[0, 3], 2 / np.sqrt(1 + (2 / 3) ** 2))
    np.testing.assert_array_equal(preprocessing.transform(np.array([[2.0, 1e6]])), [[0], [0]])


def test_nanoseconds_that_scikit_learn_takes_for_a_constant_are_standardized() -> None:
    since = GENERATOR.integers(0, 1000, 400)
    rows = np.column_stack([1_700_000_000_000_000_000 + 100 * since, since, 2**52 + since])
    Z = Preprocessing.fit(dataset_of(rows), "standardize").transform(rows)
    expected = (since - since.mean()) / since.std()
    np.testing.assert_allclose(Z, np.tile(expected, (3, 1)), atol=0.02)  # steps of float64: 256 and 1


def test_rounding_alone_stays_a_constant() -> None:
    rows = np.where(np.arange(60) % 2, 0.1 + 0.2, 0.3)[:, np.newaxis]
    assert np.abs(Preprocessing.fit(dataset_of(rows), "standardize").transform(rows)).max() < 1e-15


def test_channels_have_mean_0_and_deviation_1_each_and_other_examples_are_refused() -> None:
    images = GENERATOR.integers(0, 256, (9, 4, 5, 3)).astype(np.uint8)
    images[..., 1] //= 8
    preprocessing = Preprocessing.fit(dataset_of(images, (4, 5, 3)), "channels")
    expected = StandardScaler().fit_transform(images.reshape(-1, 3).astype(float)).reshape(9, -1).T
    np.testing.assert_allclose(preprocessing.transform(images), expected, rtol=1e-12, atol=1e-13)
    with pytest.raises(InputError, match=r"scaling = 'channels' is for images.*Write scaling = 'auto'"):
        Preprocessing.fit(dataset_of(ROWS), "channels")


@pytest.mark.parametrize("scaling", ["robust", "quantile"])
@pytest.mark.parametrize("is_fold", [False, True])
def test_a_saved_scaling_transforms_bit_for_bit_and_leaves_categories_0_and_1(scaling: str, is_fold: bool) -> None:
    X = table()
    preprocessing = Preprocessing.fit(dataset_of(X), scaling)  # type: ignore[arg-type]
    if is_fold:
        encoded = preprocessing.inputs.encoded(X, "table")
        preprocessing = preprocessing.fitted_to(encoded, np.arange(len(encoded)) < len(encoded) - 2, "table")
    again = Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict(), allow_nan=False)))
    assert again.transform(X).tobytes() == preprocessing.transform(X).tobytes()
    assert set(np.unique(preprocessing.transform(X)[preprocessing.inputs.is_one_hot])) <= {0, 1}


def test_earlier_releases_refuse_what_is_more_than_offset_and_scale() -> None:
    formats = {name: Preprocessing.fit(dataset_of(ROWS), name).to_dict()["format"] for name in ("none", "robust")}  # type: ignore[arg-type]
    assert formats == {"none": 1, "robust": 2}


def test_what_is_fitted_to_some_examples_is_what_those_alone_would_give() -> None:
    preprocessing = Preprocessing.fit(dataset_of(ROWS))
    some = preprocessing.fitted_to(ROWS, np.arange(len(ROWS)) < 100, "rows")
    alone = Preprocessing.fit(dataset_of(ROWS[:100]))
    np.testing.assert_array_equal(some.transform(NEW), alone.transform(NEW))


def test_a_category_or_a_feature_that_some_examples_say_nothing_of_is_0_whatever_comes() -> None:
    X = table()
    whole = Preprocessing.fit(dataset_of(X))
    encoded = whole.inputs.encoded(X, "table")
    same = encoded[[0, 0, 0]]  # one category of each column, and numbers that do not vary
    some = whole.fitted_to(same, np.ones(3, np.bool_), "table")
    found = some.transform(X)
    is_seen = whole.inputs.is_one_hot & (same[0] == 1)
    assert (found[~is_seen] == 0).all()
    np.testing.assert_array_equal(found[is_seen], encoded.T[is_seen])
    assert some.feature_names_out[0] == whole.feature_names_out[0]
