"""Examples that belong together stay together, and what comes later is never trained on before."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import PredefinedSplit

from experiments.baseline import fitted_meanwhile
from experiments.dataset import Dataset, load_dataset
from experiments.errors import InputError
from experiments.intervals import interval_95
from experiments.preparation import PreparedData, prepare
from experiments.readers.options import ReadOptions
from experiments.splits import Relation, Split, split_related
from sweeps.configuration.sections import DataSection

rng = np.random.default_rng(0)
N, EACH = 30, 8


def patients(n: int = N) -> pd.DataFrame:
    """Patients of several rows each, whose rows are alike and whose class is theirs."""
    own = rng.normal(size=(n, 3))
    rows = np.repeat(own, EACH, axis=0) + rng.normal(scale=0.01, size=(n * EACH, 3))
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])
    return frame.assign(
        patient=[f"p{i:03}" for i in np.repeat(np.arange(n), EACH)], ill=np.repeat(np.arange(n) % 2, EACH)
    )


def sales(m: int = 200) -> pd.DataFrame:
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.permutation(m), unit="D")
    return pd.DataFrame({"area": rng.normal(size=m), "sold_at": days.strftime("%Y-%m-%d"), "price": rng.normal(size=m)})


def read(
    folder: Path, frame: pd.DataFrame, target: str, test: pd.DataFrame | None = None, **options: object
) -> Dataset:
    frame.to_csv(folder / "t.csv", index=False)
    if test is not None:
        test.to_csv(folder / "test.csv", index=False)
    said = ReadOptions(**options)  # type: ignore[arg-type]
    return load_dataset(
        "t.csv", test=None if test is None else "test.csv", target=target, directory=folder, options=said
    )


@pytest.fixture(scope="module")
def by_patient(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    return prepare(read(tmp_path_factory.mktemp("data"), patients(), "ill", groups="patient"), folds=4)


@pytest.fixture(scope="module")
def by_day(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    data = read(tmp_path_factory.mktemp("data"), sales(), "price", time="sold_at")
    return prepare(data, folds=4, scales_folds=True)


def groups_of(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    assert dataset.relation_train is not None
    assert dataset.relation_test is not None
    return dataset.relation_train.values, dataset.relation_test.values


def test_no_group_is_on_both_sides_of_a_split_and_the_column_is_no_feature(by_patient: PreparedData) -> None:
    train, test = groups_of(by_patient.dataset)
    assert not set(train) & set(test)
    assert len(set(test)) == N // 5
    assert by_patient.dataset.feature_names == ("a", "b", "c")
    for held_out in by_patient.held_out:
        assert not set(train[held_out]) & set(train[~held_out])
    assert (by_patient.held_out.sum(axis=0) == 1).all()
    np.testing.assert_array_equal(by_patient.validated, by_patient.held_out)
    shares = [by_patient.dataset.y_train[held_out].mean() for held_out in by_patient.held_out]
    assert shares == [0.5] * 4
    assert f"the test set is 6 of {N} groups of 'patient', 48 of 240 examples" in by_patient.dataset.notes[-1]


def test_groups_of_a_regression_stay_together_too(tmp_path: Path) -> None:
    frame = patients().assign(ill=lambda table: table["a"])
    dataset = read(tmp_path, frame, "ill", groups="patient")
    train, test = groups_of(dataset)
    assert not set(train) & set(test)
    one = prepare(dataset, folds=None, validation_fraction=0.25)
    assert not set(train[one.held_out[0]]) & set(train[~one.held_out[0]])
    for held_out in prepare(dataset, folds=3).held_out:
        assert not set(train[held_out]) & set(train[~held_out])


def test_along_time_all_that_is_trained_on_was_before_and_the_test_set_is_the_latest(by_day: PreparedData) -> None:
    train, test = groups_of(by_day.dataset)
    assert (train.max() < test.min(), len(test)) == (True, 40)
    assert by_day.dataset.feature_names == ("area",)
    last = -np.inf
    for held_out, validated in zip(by_day.held_out, by_day.validated, strict=True):
        trained, later = ~held_out, held_out & ~validated
        assert last < train[trained].max() < train[validated].min()
        assert not later.any() or train[validated].max() < train[later].min()
        assert not (validated & trained).any()
        last = train[trained].max()
    assert (by_day.held_out & ~by_day.validated).any()


def test_a_folds_scaling_along_time_knows_nothing_of_what_came_later(by_day: PreparedData) -> None:
    first = ~by_day.held_out[0]
    X, Y = by_day.of_fold(0)
    np.testing.assert_allclose(X[:, first].mean(), 0, atol=1e-12)
    np.testing.assert_allclose(Y[:, first].std(), 1)


def test_a_simple_models_cost_along_time_is_of_what_follows_what_it_trains_on(by_day: PreparedData) -> None:
    with fitted_meanwhile(by_day, 0) as fits:
        constant = fits.wait()[0]
    costs = [(by_day.of_fold(fold)[1][:, validated] ** 2).mean() for fold, validated in enumerate(by_day.validated)]
    assert constant.out_of_fold == pytest.approx(np.mean(costs))


def test_a_moment_is_not_cut_in_two(tmp_path: Path) -> None:
    frame = sales(60).assign(sold_at=np.repeat([2018, 2019, 2020, 2021, 2022, 2023], 10))
    prepared = prepare(read(tmp_path, frame, "price", time="sold_at"), folds=3)
    train, test = groups_of(prepared.dataset)
    assert (sorted(set(train)), sorted(set(test))) == ([2018, 2019, 2020, 2021, 2022], [2023])
    assert [sorted(set(train[validated])) for validated in prepared.validated] == [[2020], [2021], [2022]]


@pytest.mark.parametrize(
    ("options", "change", "match"),
    [
        ({"groups": "patient", "time": "a"}, {}, "groups = 'patient' and time = 'a' are both given"),
        ({"groups": "pateint"}, {}, "there is no groups column 'pateint'.*Did you mean 'patient'"),
        ({"groups": "ill"}, {}, "'ill' is both target and groups"),
        ({"groups": "patient"}, {"patient": "p1"}, "all examples have one value of 'patient'"),
        ({"groups": "patient"}, {"patient": [""] + ["p1"] * (N * EACH - 1)}, "'patient' has 1 missing value: row 0"),
        ({"time": "patient"}, {}, "'patient' is said to be the time, and holds neither dates nor numbers"),
    ],
)
def test_what_cannot_relate_examples_is_refused(tmp_path: Path, options: dict, change: dict, match: str) -> None:
    with pytest.raises(InputError, match=match):
        read(tmp_path, patients().assign(**change), "ill", **options)


def test_more_folds_than_groups_or_times_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"24 groups of 'patient' for folds = 25.*Write folds = 24"):
        prepare(read(tmp_path, patients(), "ill", groups="patient"), folds=25)
    frame = sales(40).assign(sold_at=np.repeat([2018, 2019, 2020, 2021], 10))
    with pytest.raises(InputError, match=r"3 times of 'sold_at' for folds = 5.*Write folds = 2"):
        prepare(read(tmp_path, frame, "price", time="sold_at"))


def test_a_test_file_with_groups_of_the_training_file_or_with_earlier_rows_is_told(tmp_path: Path) -> None:
    frame = patients()
    dataset = read(tmp_path, frame[:-40], "ill", frame[-64:], groups="patient")
    assert "3 of its 8 groups of 'patient' are in the training examples too" in dataset.notes[-1]
    in_order = sales().sort_values("sold_at")
    assert not [
        n for n in read(tmp_path, in_order[:150], "price", in_order[150:], time="sold_at").notes if "later" in n
    ]
    later = read(tmp_path, in_order[50:], "price", in_order[:50], time="sold_at")
    assert "50 of its 50 examples are no later than the last training example by 'sold_at'" in later.notes[-1]


def test_other_groups_of_the_same_rows_are_other_data(tmp_path: Path) -> None:
    frame = patients()
    test = frame[:16]
    digests = {
        read(tmp_path, frame[16:].assign(patient=patient), "ill", test, groups="patient").digest
        for patient in (frame["patient"][16:], frame["patient"][16:].shift(3, fill_value="p"))
    }
    assert len(digests | {read(tmp_path, frame[16:], "ill", test, ignore=("patient",)).digest}) == 3


def test_an_interval_of_groups_is_that_of_as_many_examples_as_there_are_groups() -> None:
    y = rng.integers(0, 2, 40)
    right = rng.random(40) < 0.7
    p = np.where(right, y, 1 - y)[np.newaxis] * 0.8 + 0.1
    of_patients = interval_95("binary", y, p, 1, groups=np.arange(40))
    of_rows = interval_95("binary", np.repeat(y, 25), np.repeat(p, 25, axis=1), 1, groups=np.repeat(np.arange(40), 25))
    for name, (low, high) in of_patients.items():
        np.testing.assert_allclose(of_rows[name], (low, high), atol=1e-6)
    wilson = interval_95("binary", y, p, 1)["accuracy"]
    np.testing.assert_allclose(of_patients["accuracy"], wilson, atol=0.06)
    taken_for_many = interval_95("binary", np.repeat(y, 25), np.repeat(p, 25, axis=1), 1)["accuracy"]
    assert np.ptp(taken_for_many) < np.ptp(of_rows["accuracy"]) / 4


@pytest.mark.parametrize(("n_groups", "is_stated"), [(4, False), (5, True)])
def test_fewer_groups_than_five_state_no_interval(n_groups: int, is_stated: bool) -> None:
    y, groups = np.arange(60) % 2, np.arange(60) % n_groups
    p = np.where(rng.random(60) < 0.7, y, 1 - y)[np.newaxis] * 0.8 + 0.1
    for low, high in interval_95("binary", y, p, 1, groups=groups).values():
        assert (low < high) is is_stated
        assert np.isnan([low, high]).all() is not is_stated


@pytest.mark.parametrize("fraction", [0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7])
@pytest.mark.parametrize("is_classified", [True, False])
def test_the_fraction_of_a_split_by_groups_is_what_was_asked_for(fraction: float, is_classified: bool) -> None:
    people = np.repeat(np.arange(60), 5)
    y = (people % 3 == 0).astype(np.int64) if is_classified else None
    relation = Relation("patient", groups=people.astype(str))
    train, test = split_related(y, relation, Split(fraction, 1, "test_fraction", "t.csv"))
    assert len(test) / 300 == pytest.approx(fraction, abs=0.02)
    assert set(people[train]).isdisjoint(people[test])
    np.testing.assert_array_equal(np.sort([*train, *test]), np.arange(300))
    if y is not None:
        assert y[test].mean() == pytest.approx(1 / 3, abs=0.04)


def test_a_test_set_of_one_group_is_told_to_have_no_intervals(tmp_path: Path) -> None:
    rows = "\n".join(f"{i % 7},p{i // 10},{i + i % 3}" for i in range(50))
    (tmp_path / "t.csv").write_text(f"a,patient,y\n{rows}\n")
    dataset = load_dataset("t.csv", target="y", directory=tmp_path, options=ReadOptions(groups="patient"))
    assert "1 of 5 groups of 'patient', 10 of 50 examples; too few to state intervals" in dataset.notes[-1]
    with pytest.raises(InputError, match=r"4 groups of 'patient' for folds = 5\..* Write folds = 4 or "):
        prepare(dataset, folds=5)
    few = load_dataset(
        "t.csv", target="y", directory=tmp_path, options=ReadOptions(groups="patient"), test_fraction=0.7
    )
    with pytest.raises(InputError, match=r"1 groups of 'patient' for folds = 5\..* Add others, or name another column"):
        prepare(few, folds=5)


# --- folds that a column names


def with_folds(values: object) -> pd.DataFrame:
    frame = sales(60).drop(columns="sold_at")
    return frame.assign(cv=values, b=rng.normal(size=60))


@pytest.mark.parametrize(
    "values",
    [
        np.arange(60) % 3,
        [["north", "south", None][i % 3] for i in range(60)],
        np.arange(60) % 4 - 1,
        np.arange(60) % 2 - 1,
    ],
)
def test_folds_that_a_column_names_are_those_of_scikit_learns_predefined_split(tmp_path: Path, values: object) -> None:
    frame = with_folds(values)
    dataset = read(tmp_path, frame, "price", fold="cv")
    assert dataset.feature_names == ("area", "b")
    assert dataset.ignored == ("cv",)
    row_of = {price: row for row, price in enumerate(pd.read_csv(tmp_path / "t.csv")["price"])}
    codes = pd.Series(values).map({"north": 0, "south": 1, None: -1} if isinstance(values, list) else int).fillna(-1)
    of_rows = codes.to_numpy(dtype=int)[[row_of[price] for price in dataset.y_train]]
    expected = [held for _, held in PredefinedSplit(of_rows).split()]
    prepared = prepare(dataset)
    assert [np.flatnonzero(held_out).tolist() for held_out in prepared.held_out] == [held.tolist() for held in expected]
    np.testing.assert_array_equal(prepared.validated, prepared.held_out)
    assert "folds are those of 'cv'" in dataset.notes[-1]
    assert ("are in none" in dataset.notes[-1]) == (-1 in of_rows)


def test_a_test_file_needs_no_folds_and_may_have_them(tmp_path: Path) -> None:
    frame = with_folds(np.arange(60) % 3)
    without, also = (read(tmp_path, frame, "price", test, fold="cv") for test in (frame.drop(columns="cv"), frame))
    assert without.digest == also.digest
    assert without.relation_test is None


def test_a_column_of_one_fold_or_of_very_many_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"all examples have one value of 'cv'.*Name another column"):
        prepare(read(tmp_path, with_folds("a"), "price", fold="cv"))
    with pytest.raises(InputError, match=r"'cv' is said to name folds, and has 60 different values.*groups = 'cv'"):
        read(tmp_path, with_folds(np.arange(60)), "price", fold="cv")
    with pytest.raises(InputError, match=r"groups = 'b' and fold = 'cv' are both given"):
        read(tmp_path, with_folds(np.arange(60) % 2), "price", fold="cv", groups="b")


def test_given_folds_exclude_other_ways_to_validate() -> None:
    for other in ({"folds": 3}, {"validation_fraction": 0.2}):
        with pytest.raises(ValueError, match=r'fold = "cv" and .* are both set'):
            DataSection(train="t.csv", fold="cv", **other)  # type: ignore[arg-type]
    assert DataSection(train="t.csv", fold=" cv").read_options.fold == "cv"


# --- repeated folds


@pytest.mark.parametrize("how", [{"folds": 4}, {"folds": None, "validation_fraction": 0.25}])
def test_repeated_folds_hold_out_others_each_time_and_the_first_are_those_of_one_time(how: dict[str, object]) -> None:
    dataset = load_dataset("sklearn:iris")
    once, thrice = (prepare(dataset, seed=5, repeats=repeats, scales_folds=True, **how) for repeats in (1, 3))  # type: ignore[arg-type]
    n = len(once.held_out)
    assert (len(thrice.held_out), len(thrice.folds)) == (3 * n, 3 * n)
    np.testing.assert_array_equal(thrice.held_out[:n], once.held_out)
    np.testing.assert_array_equal(thrice.of_fold(0)[0], once.of_fold(0)[0])
    assert len({mask.tobytes() for mask in thrice.held_out}) == 3 * n
    if how["folds"]:
        assert (thrice.held_out.sum(axis=0) == 3).all()


def test_repeated_folds_of_groups_keep_groups_together(by_patient: PreparedData) -> None:
    train, _ = groups_of(by_patient.dataset)
    again = prepare(by_patient.dataset, folds=4, repeats=2)
    assert not np.array_equal(again.held_out[4:], again.held_out[:4])
    for held_out in again.held_out:
        assert not set(train[held_out]) & set(train[~held_out])


def test_folds_that_would_be_the_same_each_time_are_not_repeated(tmp_path: Path, by_day: PreparedData) -> None:
    with pytest.raises(InputError, match=r"repeats = 2, and time = 'sold_at'.*Remove repeats"):
        prepare(by_day.dataset, repeats=2)
    with pytest.raises(InputError, match=r"repeats = 2, and fold = 'cv'.*Remove repeats"):
        prepare(read(tmp_path, with_folds(np.arange(60) % 3), "price", fold="cv"), repeats=2)
