"""The data of a configuration, and the objects that a program hands over in their place."""

import numpy as np
import pytest

from experiments.errors import InputError
from sweeps.configuration.config_file import load_config
from sweeps.data import load_data, problem_of, with_objects
from sweeps.results.data_summary import data_summary
from tests.sweeps.support.small_sweep import small_config

rng = np.random.default_rng(0)
X, y = rng.normal(size=(60, 3)), np.arange(60) % 2


def test_objects_take_the_place_of_what_a_configuration_names():
    config = load_config(data={"test": "gone.csv", "validation_fraction": None})
    placed, objects = with_objects(config, (X, y), (X[:20] + 1, y[:20]))
    assert (placed.data.train, placed.data.test) == ("python:train", "python:test")
    assert (placed.directory, placed.source) == (config.directory, config.source)
    dataset = load_data(placed, **objects).dataset
    assert (dataset.source, dataset.n_train, dataset.n_test) == ("python:train", 60, 20)
    only_train, _ = with_objects(config, (X, y), None)
    assert only_train.data.test is None
    assert config.data.train == "sklearn:breast_cancer"
    assert with_objects(config, None, None) == (config, {})


def test_a_test_set_alone_is_refused():
    with pytest.raises(InputError, match="test is given without train"):
        with_objects(small_config(), None, (X, y))


def test_validate_says_by_what_examples_are_split_and_draws_no_sheet_of_tables(tmp_path):
    rows = "\n".join(f"{a},p{i // 4},{i % 2}" for i, a in enumerate(X[:, 0]))
    (tmp_path / "t.csv").write_text(f"a,patient,ill\n{rows}\n")
    config = small_config(tmp_path, data={"train": "t.csv", "target": "ill", "groups": "patient"})
    found = data_summary(load_data(config))
    assert found["split_by"] == "groups of 'patient'"
    assert "contact_sheet" not in found


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"folds": 5}, {"folds": 5}),
        ({"folds": 5, "repeats": 3}, {"folds": 5, "repeats": 3}),
        ({"folds": None, "validation_fraction": 0.2, "repeats": 4}, {"folds": 1, "repeats": 4}),
    ],
)
def test_folds_are_told_as_they_were_asked_for(data, told):
    config = small_config(data={"train": "sklearn:iris"} | data, study={"seeds_per_trial": 2})
    found = data_summary(load_data(config))
    assert {key: found[key] for key in ("folds", "repeats") if key in found} == told


@pytest.mark.parametrize(
    ("counts", "where"),
    [
        (range(48), "0 for all 12 examples in the test set"),
        (range(16, 60), "0 for all 16 examples that fold 1 trains on"),
        ([*range(16), *range(32, 60)], "0 for all 16 examples that fold 1 holds out"),
        (range(10, 60), None),
    ],
)
def test_something_counts_wherever_a_model_is_trained_or_judged(tmp_path, counts, where):
    """Along time the last 12 rows are the test set, and each of two folds holds out a third of the others."""
    rows = "\n".join(f"{a},{t},{int(t in counts)},{a + t}" for t, a in enumerate(X[:, 0]))
    (tmp_path / "t.csv").write_text(f"a,t,w,y\n{rows}\n")
    data = {"train": "t.csv", "target": "y", "time": "t", "sample_weight": "w", "folds": 2}
    config = small_config(tmp_path, data=data)
    if where is None:
        load_data(config)
    else:
        with pytest.raises(InputError, match=f"sample_weight = 'w' is {where}"):
            load_data(config)


def test_a_sign_is_said_of_numbers_only():
    config = small_config(data={"train": "sklearn:iris", "nonnegative_target": True})
    with pytest.raises(InputError, match=r'nonnegative_target = true, and sklearn:iris is a multiclass task\. .*"regr'):
        problem_of(config, load_data(config))
