"""CSV files as spreadsheets, NumPy and people write them are the same table, and names of columns are trimmed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.dataset import Dataset, load_dataset
from experiments.errors import InputError
from experiments.readers.inputs import fit_inputs, inputs_from_dict
from experiments.readers.options import ReadOptions
from experiments.readers.unlabelled import read_inputs

rng = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "area": rng.normal(100, 20, 40).round(2),
        "roof": ["tiles", "flat"] * 20,
        "price": rng.normal(300, 40, 40).round(3),
    }
)
COMMAS = TABLE.to_csv(index=False)
SEMICOLONS = TABLE.to_csv(index=False, sep=";", decimal=",")


def read(folder: Path, text: str, name: str = "t.csv", target: str = "price", **options: object) -> Dataset:
    (folder / name).write_bytes(text.encode())
    return load_dataset(name, target=target, directory=folder, options=ReadOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("sep=,\n" + COMMAS, "t.csv"),
        ("sep=;\r\n" + SEMICOLONS.replace("\n", "\r\n"), "t.csv"),
        ("\ufeffSEP=;\n" + SEMICOLONS, "t.csv"),
        ('"sep=\t"\n' + COMMAS.replace(",", "\t"), "t.csv"),
        ("# exported 2026-11-29\n# by us, for you\n\n" + COMMAS, "t.csv"),
        ("#\n" + SEMICOLONS, "t.csv"),
        ("# it's 5\" wide\n" + COMMAS, "t.csv"),
        ("# 1\n" + COMMAS.replace("tiles", '"tiles"'), "t.csv"),
        ("# " + COMMAS, "t.csv"),  # numpy.savetxt(header=...)
        (COMMAS.replace(",", "\t"), "t.csv"),
        (COMMAS.replace(",", "|"), "t.csv"),
        ("# note\n" + COMMAS.replace(",", "\t"), "t.tsv"),
    ],
)
def test_what_stands_before_and_between_values_does_not_change_the_table(tmp_path: Path, text: str, name: str) -> None:
    assert read(tmp_path, text, name).digest == read(tmp_path, COMMAS, "plain.csv").digest
    inputs = read_inputs(tmp_path / name, "CSV")
    assert isinstance(inputs, pd.DataFrame)
    assert (list(inputs.columns), len(inputs)) == (list(TABLE.columns), 40)


def test_a_header_that_begins_with_a_hash_is_one(tmp_path: Path) -> None:
    assert read(tmp_path, "#" + COMMAS).feature_names == ("#area", "roof")


@pytest.mark.parametrize("before", ["", "# no header below\n", "# area,roof,price\n"])
def test_comments_are_left_out_where_there_is_no_header(tmp_path: Path, before: str) -> None:
    text = before + TABLE.to_csv(index=False, header=False)
    dataset = read(tmp_path, text, header=False, names=("area", "roof", "price"))
    assert dataset.digest == read(tmp_path, COMMAS, "plain.csv").digest


def test_rows_that_begin_with_a_hash_are_rows(tmp_path: Path) -> None:
    rows = "".join(f"{color},{size},{size * 2}.5\n" for size, color in enumerate(["#ff0000", "#00ff00"] * 20))
    with_header = read(tmp_path, "color,size,price\n" + rows)
    without = read(tmp_path, rows, header=False, names=("color", "size", "price"))
    assert with_header.digest == without.digest
    assert with_header.n_train + with_header.n_test == 40


def test_a_comment_among_the_rows_is_refused_as_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 43 has 1 value under 3 headers.*Remove this line; comments stand befo"):
        read(tmp_path, "# first\n" + COMMAS + "# the end\n")


def test_what_separates_columns_is_named_where_nothing_does(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"no target column 'price'.*Separate the columns with commas, semicolons, tabs"
    ):
        read(tmp_path, COMMAS.replace(",", " "))


def test_points_separate_thousands_where_commas_stand_before_decimals(tmp_path: Path) -> None:
    prices = [f"{1000 + 7 * row:,}".replace(",", ".") + f",{row:02}" for row in range(39)] + ["999,00"]
    expected = [1000 + 7 * row + row / 100 for row in range(39)] + [999.0]
    dataset = read(tmp_path, "size;price\n" + "".join(f"{row};{price}\n" for row, price in enumerate(prices)))
    assert sorted([*dataset.y_train, *dataset.y_test]) == pytest.approx(sorted(expected))


# --- names of columns


def test_blanks_around_names_of_columns_are_trimmed_in_every_format(tmp_path: Path) -> None:
    spaced = TABLE.set_axis([" area", "roof ", " price "], axis="columns")
    spaced.to_csv(tmp_path / "t.csv", index=False)
    spaced.to_parquet(tmp_path / "t.parquet")
    spaced.to_feather(tmp_path / "t.feather")
    spaced.to_excel(tmp_path / "t.xlsx", index=False)
    (tmp_path / "parts").mkdir()
    spaced.to_parquet(tmp_path / "parts" / "1.parquet")
    plain = read(tmp_path, COMMAS, "plain.csv", ignore=("area",))
    for name in ("t.csv", "t.parquet", "t.feather", "t.xlsx", "parts"):
        for target, ignore in (("price", "area"), (" price ", " area")):
            found = load_dataset(name, target=target, directory=tmp_path, options=ReadOptions(ignore=(ignore,)))
            assert (found.digest, found.target, found.ignored) == (plain.digest, "price", ("area",)), name
        if name != "parts":
            inputs = read_inputs(
                tmp_path / name, {"csv": "CSV", "parquet": "Parquet", "feather": "Feather"}.get(name[2:], "Excel")
            )
            assert list(inputs.columns) == list(TABLE.columns)  # type: ignore[union-attr]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "feather", "xlsx"])
def test_names_that_are_the_same_without_blanks_are_refused(tmp_path: Path, suffix: str) -> None:
    frame = TABLE.set_axis(["area", " area", "price"], axis="columns")
    if suffix == "csv":
        frame.to_csv(tmp_path / "t.csv", index=False)
    elif suffix == "xlsx":
        frame.to_excel(tmp_path / "t.xlsx", index=False)
    else:
        getattr(frame, f"to_{suffix}")(tmp_path / f"t.{suffix}")
    with pytest.raises(InputError, match="two columns are named 'area', blanks around it aside"):
        load_dataset(f"t.{suffix}", target="price", directory=tmp_path)


def test_a_model_takes_names_with_blanks_around_them_and_one_of_before_names_without() -> None:
    inputs = fit_inputs(TABLE[["area", "roof"]].astype({"roof": "str"}), ("area", "roof"), "t")
    saved = inputs.to_dict()
    for column in saved["columns"]:
        column["name"] = f" {column['name']} "
    given = TABLE.set_axis([" area", "roof ", "price"], axis="columns").drop(columns="price")
    expected = inputs.numbers(TABLE[["area", "roof"]], "t")
    np.testing.assert_array_equal(inputs.numbers(given, "t"), expected)
    np.testing.assert_array_equal(inputs_from_dict(saved).numbers(TABLE[["area", "roof"]], "t"), expected)
