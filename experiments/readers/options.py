"""What the user says of a file that the file does not say itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from experiments.errors import InputError, listed, nearest

ExamplesAxis = Literal["rows", "columns"]
Dates = Literal["parts", "days"]

MOST_FOLDS = 50
"""Values of the column that `fold` names."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a source is to be read; each field is a key of `[data]`.

    Attributes:
        target: The column to predict; for tables only.
        sample_weight: The column that says how much an example counts; for tables only.
        ignore: Columns that are no features: names, or patterns such as "*_id"; for tables only.
        only: If any, the only columns that are features, likewise.
        missing_target: What becomes of a row of a table that has no label.
        header: Whether the first line of a CSV holds the names of its columns; None is yes, unless it looks like data.
        names: The names of a CSV without them.
        examples: Which axis of an array counts the examples: the first ("rows") or the last ("columns"); None leaves it
            to the number of labels.
        follow_links: Whether an HDF5 file may take its values from other files.
        dates: What columns of dates become: their "parts" (year, month, day, weekday, hour) or the "days" since 1970;
            None refuses them. For tables only.
        image_size: Of a folder of pictures: the height and width of all, or (height, width).
        groups: The column of what several rows belong to, such as a patient, and which stays in one part of a split;
            for tables only.
        time: The column that says when each row was: what comes later is held out, and never trained on before; for
            tables only.
        fold: The column that says which fold holds each row out; rows without a value, or with -1 as in scikit-learn's
            PredefinedSplit, are trained on in every fold. For tables only.
    """

    target: str | None = None
    sample_weight: str | None = None
    ignore: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    missing_target: Literal["refuse", "drop"] = "refuse"
    header: bool | None = None
    names: tuple[str, ...] = ()
    examples: ExamplesAxis | None = None
    follow_links: bool = False
    dates: Dates | None = None
    image_size: int | tuple[int, int] | None = None
    groups: str | None = None
    time: str | None = None
    fold: str | None = None

    def __post_init__(self) -> None:
        for key in ("target", "sample_weight", "groups", "time", "fold"):  # readers trim the names of columns
            name = getattr(self, key)
            object.__setattr__(self, key, None if name is None else name.strip())
        for key in ("ignore", "only"):
            object.__setattr__(self, key, tuple(pattern.strip() for pattern in getattr(self, key)))

    @property
    def height_and_width(self) -> tuple[int, int] | None:
        """`image_size` as two numbers."""
        return (self.image_size, self.image_size) if isinstance(self.image_size, int) else self.image_size

    def for_pictures(self, source: str) -> ReadOptions:
        """The same, if none of it is for tables or for arrays.

        Raises:
            InputError: Something is.
        """
        self._refuse_keys_of_tables(source)
        if self.examples is not None:
            raise InputError(
                f"{source}: examples = '{self.examples}' is given, but this is a folder of pictures.",
                "Only arrays can lie the other way round.",
                "Remove examples.",
            )
        return self

    def for_arrays(self, source: str) -> ReadOptions:
        """The same, if none of it is for tables.

        Raises:
            InputError: Something is.
        """
        self._refuse_keys_of_tables(source)
        self._refuse_image_size(source)
        return self

    def _refuse_keys_of_tables(self, source: str) -> None:
        of_tables = ("target", "sample_weight", "ignore", "only", "header", "names", "groups", "time", "fold", "dates")
        for key in of_tables:
            value = getattr(self, key)
            if value not in (None, ()):
                shown = f"'{value}'" if isinstance(value, str) else list(value) if isinstance(value, tuple) else value
                raise InputError(
                    f"{source}: {key} = {shown} is given, but this is not a table.",
                    "Only CSV and Parquet have named columns.",
                    f"Remove {key}.",
                )

    def _refuse_image_size(self, source: str) -> None:
        if self.image_size is not None:
            raise InputError(
                f"{source}: image_size is given, but this is no folder of pictures.",
                "Only pictures that are read from their own files are brought to one size.",
                "Remove image_size.",
            )

    def for_table(self, source: str) -> ReadOptions:
        """The same, if none of it is for arrays.

        Raises:
            InputError: Something is.
        """
        if self.examples is not None:
            raise InputError(
                f"{source}: examples = '{self.examples}' is given, but this is a table.",
                "The rows of a table are its examples; only arrays can lie the other way round.",
                "Remove examples.",
            )
        self._refuse_image_size(source)
        return self

    @property
    def roles(self) -> dict[str, str]:
        """The columns that are neither features nor the target, by what they are for."""
        columns = {key: getattr(self, key) for key in ("sample_weight", "groups", "time", "fold")}
        return {key: column for key, column in columns.items() if column is not None}

    def ignored(self, names: Sequence[str], place: str, *, is_training: bool) -> tuple[str, ...]:
        """Which columns of a table are no features, although they are neither target nor weights.

        Args:
            names: The table's columns.
            place: How messages name the table.
            is_training: Whether a pattern that fits no column is a mistake; a test table may lack ignored columns.

        Raises:
            InputError: A pattern fits no column.
        """
        for key, patterns in (("ignore", self.ignore), ("only", self.only)):
            for pattern in patterns if is_training else ():
                if not any(fits(name, pattern) for name in names):
                    raise InputError(
                        f"{place}: {key} = '{pattern}' fits none of its columns.",
                        f"They are {listed(names, 10)}.",
                        f"Write one of these, or a pattern such as '*_id'.{nearest(pattern, names)}",
                    )
        aside = (self.target, *self.roles.values())
        return tuple(
            name
            for name in names
            if name not in aside
            and (
                any(fits(name, pattern) for pattern in self.ignore)
                or (self.only and not any(fits(name, pattern) for pattern in self.only))
            )
        )


def fits(name: str, pattern: str) -> bool:
    """Whether a column is meant: by its name, or by a pattern with *, ? and [...]."""
    return name == pattern or fnmatchcase(name, pattern)
