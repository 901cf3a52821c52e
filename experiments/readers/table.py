"""Tables: CSV and Parquet with a target column."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.errors import InputError, collected, how_many, in_rows, listed, nearest, together
from experiments.readers.columns import Kind, as_kind, conformed, kind_of, kinds_as_read, kinds_of, numbers_of
from experiments.readers.csv_columns import layout_of, read_columns
from experiments.readers.csv_form import (
    CsvForm,
    check_csv_form,
    column_names,
    head_of,
    own_names,
    rows_of,
    with_decimal_points,
    without_mark,
)
from experiments.readers.dates import are_dates, refuse_unasked
from experiments.readers.examples import Contents, Examples
from experiments.readers.labels import dates_as_labels, is_missing_label, label_array
from experiments.readers.number_block import names_of
from experiments.readers.options import ReadOptions
from experiments.readers.other_tables import read_other_table
from experiments.readers.parquet_columns import read_parquet_columns
from experiments.readers.related import relation_of

_INDEX_NAMES = frozenset({"Unnamed: 0", "__index_level_0__", "level_0"})


def read_table(
    path: Path,
    place: str,
    file_format: str,
    options: ReadOptions,
    train: Examples | None = None,
) -> Contents:
    """Read a table and separate its target column, and its column of weights if there is one.

    Args:
        path: The file.
        place: How messages name it.
        file_format: One of `source.TABLES`.
        options: What the user says of it; `target` must be given.
        train: The training examples, if this table holds test examples: it must have their columns and kinds.

    Returns:
        Examples whose X is a table in the form of `columns.py`; missing values stay missing.

    Raises:
        InputError: Not a sound file, no target or an unknown one, missing labels, no rows or no features; or columns
            other than those of `train`.
    """
    text = _kept_as_text(options, train)
    frame = _read_typed(path, place, file_format, options, lambda name: name in text)
    return examples_of(frame, place, options, train)


def examples_of(frame: pd.DataFrame, place: str, options: ReadOptions, train: Examples | None = None) -> Contents:
    """As `read_table`, from a table as it is in its file, which is used up."""
    target, names = options.target, names_of(frame)
    if train is not None and target is not None and target not in names:
        raise InputError(
            f"{place}: there is no target column '{target}', which the training examples have.",
            "Test examples are scored, so each needs its label.",
            f"Add it; files without labels are for `predict`.{nearest(target, names)}",
        )
    if train is not None and options.fold is not None and options.fold not in names:
        options = replace(options, fold=None)  # test examples need none
    roles = options.roles
    if target is None:
        raise InputError(
            f"{place}: target is not given for a table.",
            f"It names the column to predict, one of {listed(names, 10)}.",
            f"Write, for example, target = '{names[-1]}'.",
        )
    named = {"target": target, **roles}
    for role, name in named.items():
        if name not in names:
            raise InputError(
                f"{place}: there is no {role} column '{name}'.",
                f"Its columns are {listed(names, 10)}.",
                "Separate the columns with commas, semicolons, tabs or |."
                if len(names) == 1 and name in names[0]
                else f"Write one of these.{nearest(name, names)}",
            )
        first = next(other for other in named if named[other] == name)
        if first != role:
            raise InputError(
                f"{place}: '{name}' is both {first} and {role}.",
                "They are two columns.",
                "Correct one of them.",
            )
    y_place = f"{place}: column '{target}'"
    ignored = options.ignored(names, place, is_training=train is None)
    aside = {target, *roles.values()}
    _refuse_saved_index(frame, ignored, place)
    frame, notes = _labelled(frame, target, options, y_place)
    others = aside.union(ignored)
    features = frame.loc[:, [name not in others for name in names]]
    if features.shape[1] == 0:
        raise InputError(
            f"{place}: the target '{target}' is the only column."
            if not roles
            else f"{place}: the target '{target}' and {_named(roles)} are the only columns.",
            "At least one column of features is needed.",
            "Add the features, separated by commas (tabs in a .tsv file).",
        )
    dates: list[str] = []
    if train is None or isinstance(train.X, np.ndarray):
        kinds, label_kind = kinds_of(features), kind_of(frame[target])
        dates = [name for name, kind in kinds.items() if kind == "text" and are_dates(features[name])]
        if options.dates is not None:
            kinds |= dict.fromkeys(dates, "date")
            notes += [f"{place}: dates become {options.dates}: {listed(dates, 10)}."] if dates else []
    else:
        kinds, label_kind = kinds_as_read(train.X), "number" if train.y.dtype.kind in "if" else "text"
    unasked = [name for name in dates if options.dates is None]
    weights = roles.get("sample_weight")
    checks: list[Callable[[], Any]] = [
        partial(refuse_unasked, features, unasked, place),
        partial(conformed, features.drop(columns=unasked), {k: kinds[k] for k in kinds if k not in unasked}, place),
        partial(_labels, frame[target], label_kind, place, y_place),
        partial(relation_of, frame, options if train is None else replace(options, fold=None), place),
    ]
    if weights is not None:
        checks.append(partial(_weights, frame[weights], f"{place}: column '{weights}'"))
    try:
        _, X, y, relation, *more = collected(checks, place)
    except InputError as error:
        if train is not None:
            raise
        raise together([error, *_of_later(features, kinds, unasked, place)], place) from None
    return Contents(
        Examples(
            place,
            X,
            y,
            y_place,
            feature_names=tuple(X.columns.tolist()),
            weights=more[0] if more else None,
            relation=relation,
            ignored=ignored + tuple(roles[key] for key in ("groups", "time", "fold") if key in roles),
            notes=tuple(notes),
        )
    )


def _of_later(
    features: pd.DataFrame, kinds: Mapping[str, Kind], told: Sequence[str], place: str
) -> tuple[InputError, ...]:
    """What would be said of columns of text when all else is mended."""
    from experiments.readers.inputs import check_text_columns

    texts = {}
    for name, kind in kinds.items():
        with suppress(InputError):
            if kind == "text" and name not in told:
                texts[name] = as_kind(features[name], "text", place)
    try:
        check_text_columns(pd.DataFrame(texts), place)
    except InputError as error:
        return error.problems
    return ()


def read_frame(
    path: Path, place: str, file_format: str, options: ReadOptions | None = None, numbers: Collection[str] = ()
) -> pd.DataFrame:
    """Read a table as it is in the file; it has at least one row, and every column has its own name.

    All columns of a CSV are text: the training examples decide which of them are numbers.

    Args:
        path, place, file_format, options: As in `read_table`.
        numbers: Columns that are known to be numbers; those whose values are become float64 at once.

    Raises:
        InputError: Not a sound CSV or Parquet file.
    """
    if numbers and file_format in ("CSV", "Parquet"):
        return _read_typed(path, place, file_format, options or ReadOptions(), lambda name: name not in numbers)
    if file_format == "CSV":
        return _read_csv(path, place, options or ReadOptions())
    return _read_parquet(path, place) if file_format == "Parquet" else read_other_table(path, place, file_format)


def _kept_as_text(options: ReadOptions, train: Examples | None) -> frozenset[str]:
    """Columns read as text even if all of it is numbers: labels, weights and such, and what is none in training."""
    aside = {name for name in (options.target, *options.roles.values()) if name is not None}
    if train is not None and not isinstance(train.X, np.ndarray):
        aside |= {name for name, kind in kinds_as_read(train.X).items() if kind != "number"}
    return frozenset(aside)


def _read_typed(
    path: Path, place: str, file_format: str, options: ReadOptions, is_text: Callable[[str], bool]
) -> pd.DataFrame:
    """As `read_frame`, but columns of plain numbers are float64 and share one array, where the format allows it.

    Args:
        path, place, file_format, options: As in `read_table`.
        is_text: Whether a column stays as it is in the file, whatever it holds.
    """
    if file_format == "Parquet":
        return _read_parquet(path, place, is_text)
    head = head_of(path, options.header) if file_format == "CSV" else None
    if head is None:
        return read_frame(path, place, file_format, options)
    names = list(head.values)
    if options.header is False:
        names = list(options.names or column_names(len(names)))
    n_skipped = head.dialect.n_before if options.header is False else head.n_lines
    layout = layout_of(path, head.dialect.separator, len(head.values), n_skipped)
    positions = [position for position, name in enumerate(names) if is_text(without_mark(name).strip())]

    def form(*, is_sound: bool) -> CsvForm:
        return check_csv_form(path, place, options.header, options.names, is_sound=is_sound)

    if layout.has_quotes:
        form(is_sound=False)  # pyarrow closes a quote that is left open
    frame = read_columns(path, layout, names, positions)
    if frame is None:
        return _read_csv(path, place, options)
    frame.columns = pd.Index(list(form(is_sound=True).names))
    return with_decimal_points(frame) if head.dialect.separator == ";" else frame


def _named(roles: Mapping[str, str]) -> str:
    words = {"sample_weight": "weights"}
    return " and ".join(f"the {words.get(role, role)} '{name}'" for role, name in roles.items())


def _refuse_saved_index(frame: pd.DataFrame, ignored: tuple[str, ...], place: str) -> None:
    for name in _INDEX_NAMES.intersection(frame.columns).difference(ignored):
        if frame[name].is_unique:
            raise InputError(
                f"{place}: column '{name}' is the row index that pandas saved along.",
                "It numbers the rows, and where they are sorted it gives the answer away.",
                f'Write ignore = ["{name}"] under [data]; in pandas: to_csv(path, index=False).',
            )


def _labelled(frame: pd.DataFrame, target: str, options: ReadOptions, place: str) -> tuple[pd.DataFrame, list[str]]:
    """The rows that have a label, where the others are to be dropped, and what to say of these."""
    if options.missing_target == "refuse":
        return frame, []
    column = frame[target]
    is_missing = column.isna() | column.map(lambda label: isinstance(label, str) and is_missing_label(label))
    n_missing = int(is_missing.sum())
    if n_missing == 0:
        return frame, []
    if n_missing == len(frame):
        raise InputError(f"{place} has no label in any row.", "Examples need labels.", "Choose another target.")
    have = "has no label and is" if n_missing == 1 else "have no label and are"
    note = f"{place}: {n_missing} of {len(frame)} rows {have} left out."
    return frame[~is_missing].reset_index(drop=True), [note]


def _labels(column: pd.Series, kind: Kind, file_place: str, place: str) -> np.ndarray:
    is_text = pd.api.types.infer_dtype(column, skipna=True) == "string"  # which may be names, see `infer_task`
    if kind == "text" and not is_text and are_dates(column):
        raise dates_as_labels(place, column.dropna().iloc[0] if column.notna().any() else "missing")
    labels = numbers_of(column, place) if kind == "number" else as_kind(column, kind, file_place)
    missing = np.flatnonzero(labels.isna())
    if len(missing):
        raise InputError(
            f"{place} has {how_many(len(missing), 'missing value')}: {in_rows(missing)}.",
            "Every example needs a label.",
            'Fill them in, or write missing_target = "drop" to leave these rows out.',
        )
    if kind == "number":
        return label_array(labels.to_numpy(), place)
    return label_array(labels.to_numpy(dtype=object), place, is_text=True)


def _weights(column: pd.Series, place: str) -> np.ndarray:
    """How much each example counts, (m,)."""
    weights = numbers_of(column, place).to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise InputError(
            f"{place} has {how_many(len(wrong), 'value that is no weight', 'values that are no weights')}, first "
            f"{weights[wrong[0]]} in row {wrong[0]} (counted from 0).",
            "A weight is a finite number, 0 or more.",
            "Correct these rows, or remove them.",
        )
    if not weights.any():
        raise InputError(f"{place} is 0 in every row.", "Some examples must count.", "Correct the column.")
    return weights


def _read_csv(path: Path, place: str, options: ReadOptions) -> pd.DataFrame:
    form = check_csv_form(path, place, options.header, options.names)
    try:
        with rows_of(path, form.dialect) as file:
            frame = pd.read_csv(
                file,
                sep=form.dialect.separator,
                header=None if options.header is False else 0,
                names=list(form.names),
                index_col=False,
                dtype=str,
                keep_default_na=False,
                na_values=[""],
            )
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors
        raise InputError(
            f"{place}: cannot be read as CSV ({error}).",
            "A CSV is UTF-8 text: one header line, then rows of equal length.",
            "Export the file again.",
        ) from error
    return with_decimal_points(frame) if form.dialect.separator == ";" else frame


def _read_parquet(path: Path, place: str, is_text: Callable[[str], bool] | None = None) -> pd.DataFrame:
    """Columns of numbers that are no text are float64 and share one array; all are as in the file without `is_text`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = [str(name) for name in pq.read_schema(path).names]
        own_names(names, place)
        if is_text is None:
            frame = pd.read_parquet(path)
        else:
            frame = read_parquet_columns(path, {name for name in names if is_text(name.strip())})
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:  # KeyError: of pandas' own metadata
        raise InputError(
            f"{place}: the Parquet file is truncated or damaged ({error}).",
            "All of it must be readable.",
            "Copy or export the file again.",
        ) from error
    if frame.empty:
        raise InputError(f"{place}: the table has no rows.", "At least one example is needed.", "Export it again.")
    frame.columns = pd.Index([name.strip() for name in names_of(frame)])
    return frame.reset_index(drop=True)
