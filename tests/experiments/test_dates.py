"""Dates become numbers when that is asked for, the same from any file, and are refused once, with the cure, if not."""

import datetime
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.dataset import Dataset, load_dataset
from experiments.errors import InputError
from experiments.model import Model
from experiments.preparation import prepare
from experiments.preprocessing import Preprocessing
from experiments.pyfunc import input_example
from experiments.readers.dates import are_dates, moments_of, numbers_of_date
from experiments.readers.options import Dates, ReadOptions
from tests.experiments.support.models import untrained

rng = np.random.default_rng(0)
M = 60
MOMENTS = pd.Series(pd.Timestamp("2019-12-30") + pd.to_timedelta(rng.permutation(M) * 7, unit="h"))
WRITTEN = {
    "2024-01-31": ["2024-01-31", "1999-12-01"],
    "2024/1/31": ["2024/1/31", "1999/12/1"],
    "31.01.2024": ["31.01.2024", "1.12.1999"],
    "31/01/2024": ["31/01/2024", "01/12/1999"],
    "01-31-2024": ["01-31-2024", "12-01-1999"],
    "31.1.24": ["31.1.24", "1.12.99"],
    "2024-01-31T00:00Z": ["2024-01-31T00:00Z", "1999-12-01 00:00:00,000+02:00"],
}


def read(folder: Path, frame: pd.DataFrame, dates: Dates | None = None, name: str = "t.csv") -> Dataset:
    frame.to_parquet(folder / name) if name.endswith("parquet") else frame.to_csv(folder / name, index=False)
    return load_dataset(name, target="price", directory=folder, options=ReadOptions(dates=dates))


def table() -> pd.DataFrame:
    frame = pd.DataFrame({"sold": MOMENTS, "area": np.arange(M) % 7 + 0.5, "price": rng.normal(size=M)})
    frame.loc[5, "sold"] = pd.NaT
    return frame


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_a_date_is_the_same_however_it_is_written(written: list[str]) -> None:
    column = pd.Series([*written, None, "NA"])
    assert are_dates(column)
    there = moments_of(column, "t")
    assert there.tolist()[:2] == [pd.Timestamp("2024-01-31"), pd.Timestamp("1999-12-01")]
    assert there.isna().tolist() == [False, False, True, True]
    typed = [datetime.date(2024, 1, 31), pd.Timestamp("2024-01-31", tz="Asia/Tokyo"), datetime.datetime(2024, 1, 31)]
    for value in typed:
        assert moments_of(pd.Series([value]), "t").tolist() == [pd.Timestamp("2024-01-31")]


@pytest.mark.parametrize("texts", [["red"], ["12"], ["2024-01-31", "soon"], ["3.14"], [None], ["1.2.3"], ["10:30"]])
def test_other_columns_hold_no_dates(texts: list[str]) -> None:
    assert not are_dates(pd.Series(texts, dtype="str"))


@pytest.mark.parametrize(
    ("texts", "match"),
    [
        (["01/02/2024", "03/04/2024"], "t holds dates such as '01/02/2024', of which none has a day above 12"),
        (["2024-02-30"], "t has 1 date that no calendar has, first '2024-02-30'"),
        (["31/12/2024", "12/31/2024"], "t has 1 date that no calendar has, first '12/31/2024'"),
        (["2024-01-31", "soon"], "t has 1 value that is no date, first 'soon'"),
    ],
)
def test_dates_that_cannot_be_told_are_refused(texts: list[str], match: str) -> None:
    with pytest.raises(InputError, match=match):
        moments_of(pd.Series(texts, dtype="str"), "t")


def test_numbers_of_a_date_are_those_of_the_calendar() -> None:
    moments = pd.Series([pd.Timestamp("2024-02-29 18:00"), pd.NaT])
    parts = {part: numbers_of_date(moments, part) for part in ("year", "month", "day", "weekday", "hour", "days")}
    assert {part: values[0] for part, values in parts.items()} == {
        **{"year": 2024, "month": 2, "day": 29, "weekday": 3, "hour": 18},
        "days": (datetime.date(2024, 2, 29) - datetime.date(1970, 1, 1)).days + 0.75,
    }
    assert all(np.isnan(values[1]) for values in parts.values())


def test_dates_are_features_when_asked_the_same_from_csv_and_parquet_and_in_a_saved_map(tmp_path: Path) -> None:
    dataset = read(tmp_path, table(), "parts")
    assert read(tmp_path, table().assign(price=read_price(dataset)), "parts", "t.parquet").feature_names == (
        "sold",
        "area",
    )
    fitted = Preprocessing.fit(dataset)
    assert fitted.feature_names_out == ("sold year", "sold month", "sold day", "sold weekday", "sold hour", "area")
    assert isinstance(dataset.X_train, pd.DataFrame)
    loaded = Preprocessing.from_dict(json.loads(json.dumps(fitted.to_dict())))
    of_text = pd.DataFrame({"area": ["1.5"], "sold": ["2020-01-02 07:00"]})
    of_moments = pd.DataFrame({"sold": [pd.Timestamp("2020-01-02 07:00")], "area": [1.5]})
    np.testing.assert_array_equal(loaded.transform(of_text), fitted.transform(of_moments))
    numbers = loaded.inputs.numbers(of_text, "x")[0]
    assert numbers.tolist() == [2020, 1, 2, 3, 7, 1.5]
    missing = loaded.inputs.numbers(pd.DataFrame({"area": [1.5], "sold": [None]}), "x")[0]
    there = dataset.X_train["sold"].dropna()
    assert missing[:2].tolist() == [there.dt.year.median(), there.dt.month.median()]


def read_price(dataset: Dataset) -> np.ndarray:
    return np.resize(dataset.y_train, M)


def test_files_of_the_same_dates_have_one_digest_for_each_use_of_them(tmp_path: Path) -> None:
    frame = table()
    digests = [
        read(tmp_path, frame, dates, name).digest for name in ("t.csv", "t.parquet") for dates in ("parts", "days")
    ]
    assert digests[:2] == digests[2:]
    assert len(set(digests)) == 2


def test_a_models_made_up_example_of_dates_can_be_predicted(tmp_path: Path) -> None:
    model = untrained(prepare(read(tmp_path, table(), "parts"), scales_folds=True))
    model.save(tmp_path / "model.h5")
    loaded, example = Model.load(tmp_path / "model.h5"), input_example(model)
    pd.testing.assert_frame_equal(loaded.table(example), model.table(example))


def test_days_are_one_number_and_a_fold_has_its_own_medians(tmp_path: Path) -> None:
    dataset = read(tmp_path, table(), "days")
    fitted = Preprocessing.fit(dataset)
    assert fitted.feature_names_out == ("sold days", "area")
    encoded = fitted.inputs.encoded(dataset.X_train, "x")
    some = encoded[:9]
    own = fitted.fitted_to(encoded, np.arange(len(encoded)) < 9, "x").inputs.imputed(np.full((1, 2), np.nan))
    np.testing.assert_allclose(own[0], np.nanmedian(some, axis=0))


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_dates_that_nobody_asked_for_are_refused_together_with_the_cure(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, table().assign(listed=MOMENTS[::-1].reset_index(drop=True)), None, name)
    message = str(caught.value)
    assert f"{name}: 2 columns hold dates: 'sold' (such as 20" in message
    assert 'Write dates = "parts" (year, month, day, weekday) or dates = "days"' in message
    assert message.endswith('or ignore = ["sold", "listed"].')


def test_all_problems_of_a_file_are_told_at_once_with_their_cures(tmp_path: Path) -> None:
    frame = table().assign(
        name=[f"house {i}" for i in range(M)],
        value=[f"€{i},000" for i in range(M)],
        nothing="",
        area=[*["?x"], *range(20), *["1e999"], *[1] * (M - 22)],
    )
    frame.loc[3, "price"] = np.nan
    with pytest.raises(InputError) as caught:
        read(tmp_path, frame)
    message = str(caught.value)
    assert message.startswith("t.csv: 5 problems, each with its cure:")
    for told in (
        "- column 'sold' holds dates, such as 20",
        "- column 'price' has 1 missing value: row 3",
        "- column 'area' is text because of '?x' among its numbers",
        "- column 'name' holds 60 different texts",
        "- column 'value' is text, though its values are amounts of money",
    ):
        assert told in message
    assert len(caught.value.problems) == 5
    with pytest.raises(InputError, match="column 'nothing' has no value"):
        Preprocessing.fit(read(tmp_path, table()[["price", "area"]].assign(nothing="")))
