"""What the tables of a configuration may say; `[search]`, `[training]`, `[[enqueue]]` are in `search_space.py`."""

import re
from dataclasses import fields
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from experiments.error_text import mask_password
from experiments.errors import InputError
from experiments.readers.options import Dates, ExamplesAxis, ReadOptions
from experiments.scaling import Scaling
from sweeps.configuration.search_space import (
    Fraction,
    NaturalInt,
    NonnegativeFloat,
    PositiveFloat,
    PositiveInt,
    Section,
)


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}(?<!\.)", name):  # `a.` and `a` would be one registered model
        raise InputError(
            f"{name!r} cannot name a folder and an MLflow experiment.",
            "Up to 100 letters, digits, '_', '.' and '-' are allowed, with a letter or digit first and no '.' last.",
            "Rename it.",
        )
    return name


Overlap = Literal["refuse", "wait", "replace"]


def _value_or_list(value: object) -> str:
    return "list" if isinstance(value, list | tuple) else "value"


ImageSize = Annotated[
    Annotated[PositiveInt, Tag("value")] | Annotated[tuple[PositiveInt, PositiveInt], Tag("list")],
    Discriminator(_value_or_list),
]


class SweepSection(Section):
    """What the sweep is called, how long it may take, and its seed.

    `patience` ends the sweep when so many trials in a row have ended without a better value. `overlap` is what a run
    does where another run of the sweep is alive in the folder.
    """

    name: Annotated[str, AfterValidator(_check_name)]
    n_trials: PositiveInt = 100
    timeout_seconds: PositiveFloat | None = None
    patience: PositiveInt | None = None
    seed: NaturalInt = 1
    overlap: Overlap = "refuse"


class DataSection(Section):
    """Where the examples are and how they are split and scaled.

    `sample_weight` is the column that says how much an example counts, in training and in every score. The keys from
    `ignore` on say of files what they do not say themselves (`ReadOptions`).
    """

    train: Annotated[str, Field(min_length=1)]
    test: Annotated[str, Field(min_length=1)] | None = None
    test_fraction: Fraction = 0.2
    target: str | None = None
    sample_weight: str | None = None
    task: Literal["binary", "multiclass", "regression"] | None = None
    nonnegative_target: bool = False
    scaling: Scaling = "auto"
    folds: Annotated[int, Field(ge=2, strict=True)] | None = None
    validation_fraction: Fraction | None = None
    repeats: PositiveInt | None = None
    ignore: tuple[str, ...] | None = None
    only: tuple[str, ...] | None = None
    missing_target: Literal["refuse", "drop"] = "refuse"
    header: bool | None = None
    names: tuple[str, ...] | None = None
    examples: ExamplesAxis | None = None
    follow_links: bool = False
    image_size: ImageSize | None = None
    dates: Dates | None = None
    groups: str | None = None
    time: str | None = None
    fold: str | None = None

    @property
    def read_options(self) -> ReadOptions:
        """How the files are to be read."""
        said = {field.name: getattr(self, field.name) for field in fields(ReadOptions)}
        return ReadOptions(**{key: value for key, value in said.items() if value is not None})

    @model_validator(mode="after")
    def _one_way_to_validate(self) -> Self:
        if self.folds is not None and self.validation_fraction is not None:
            raise InputError(
                f"folds = {self.folds} and validation_fraction = {self.validation_fraction} are both set.",
                "A sweep validates one way;",
                "remove one of them.",
            )
        other = "folds" if self.folds is not None else "validation_fraction"
        if self.fold is not None and getattr(self, other) is not None:
            raise InputError(
                f'fold = "{self.fold}" and {other} = {getattr(self, other)} are both set.',
                "The column says how many folds there are, and which examples each holds out;",
                "remove one of them.",
            )
        return self

    @property
    def n_folds(self) -> int | None:
        """Number of folds; None with a hold-out split."""
        return None if self.validation_fraction is not None else self.folds or 5


def _check_no_password(uri: str) -> str:
    without_secrets = re.sub(r":(\$\{\w+\})+@", "@", uri)
    without_variables = re.sub(r"\$\{\w+\}", "", without_secrets)
    without_spaces = re.sub(r"\s", "", without_variables)  # in a password too
    if mask_password(without_spaces) != without_spaces:
        raise InputError(
            "the URI holds a password or a token.",
            "A configuration is stored and logged, so secrets come from the environment.",
            "Write ${NAME} in its place, then type: export NAME=...",
        )
    return uri


URI = Annotated[str, AfterValidator(_check_no_password)]

SAMPLERS_THAT_DO_NOT_FIT = {
    "grid": "A grid has the same axes everywhere, and here the depth of a network decides how many widths it has; "
    '"brute_force" tries every configuration of such a space.',
    "nsgaiii": 'It is for several objectives, and a sweep has one; "nsgaii" works with one.',
    "partial_fixed": "A plain value in [search] fixes a hyperparameter, and [[enqueue]] one of a single trial.",
    "hebo": "OptunaHub's samplers are downloaded while a study runs, so nothing says which code a sweep would get.",
    "auto": "OptunaHub's samplers are downloaded while a study runs, so nothing says which code a sweep would get.",
}
"""Samplers of Optuna and OptunaHub that a sweep refuses, and why."""


def _check_sampler_fits(name: object) -> object:
    if isinstance(name, str) and name in SAMPLERS_THAT_DO_NOT_FIT:
        raise InputError(
            f'"{name}" does not fit a sweep.',
            SAMPLERS_THAT_DO_NOT_FIT[name],
            "Choose tpe, random, gp, cmaes, qmc, nsgaii or brute_force.",
        )
    return name


SamplerName = Annotated[
    Literal["tpe", "random", "gp", "cmaes", "qmc", "nsgaii", "brute_force"], BeforeValidator(_check_sampler_fits)
]


def _check_decision(value: object) -> object:
    if value == "prior" or (isinstance(value, float) and 0 < value < 1):
        return value
    raise InputError(
        f"{value!r} is not allowed.",
        "It is a probability between 0 and 1, from which on class 1 of two is predicted, or "
        '"prior", the share of class 1 among the training examples.',
        "Write decision = 0.5, which is the default.",
    )


Decision = Annotated[float | Literal["prior"], BeforeValidator(_check_decision)]
ObjectiveName = Literal[
    "cost",
    "balanced_cost",
    "brier",
    "accuracy",
    "balanced_accuracy",
    "f1",
    "roc_auc",
    "average_precision",
    "rmse",
    "mae",
    "median_absolute_error",
    "r2",
]


class StudySection(Section):
    """How Optuna searches, where it remembers, and what becomes of it in the end.

    `trials_in_flight` is part of the result, not of the machine: the sampler knows all but that many trials. It bounds
    the number of workers that can be busy, and does not depend on how many there are. None is 16, and fewer where a
    sweep with a limit of time would otherwise end with trials that have only begun (`sweeps.search.flight`).

    `memory` lets a new study try first what did best in earlier ones of the same sweep (`sweeps.trials.memory`).

    With `seeds_per_trial` a trial is trained from so many initial weights, each in all folds; its value is the mean.

    `ensemble` is the largest number of members of the ensemble beside the winner; 0 is no ensemble. `decision` is the
    probability from which on the models predict class 1 of two. Neither changes a trial, unless it is judged by what is
    predicted: `objective` is what trials are judged by on the examples that they hold out (`engine.objectives`).
    """

    objective: ObjectiveName = "cost"

    sampler: SamplerName = "tpe"
    pruner: Literal["successive_halving", "hyperband", "median", "percentile", "none"] = "successive_halving"
    trials_in_flight: PositiveInt | None = None
    memory: bool = True
    seeds_per_trial: PositiveInt = 1
    ensemble: NaturalInt = 8
    decision: Decision = 0.5
    storage: URI | None = None

    @property
    def stops_early(self) -> bool:
        """Whether a trial whose validation cost has levelled off is trained no further: with any pruner but "none"."""
        return self.pruner != "none"


def check_tracking_uri(uri: str) -> str:
    """The address of an MLflow store.

    Raises:
        InputError: It has no scheme, or holds a password.
    """
    _check_no_password(uri)
    if not re.match(r"[a-z][a-z0-9+.-]*://|databricks$|\$\{", uri):
        raise InputError(
            f'"{mask_password(uri)}" is not the address of an MLflow store.',
            "It begins with http://, https://, sqlite:///, postgresql:// or another kind of store that MLflow knows.",
            "Write the address in full; for a file here: sqlite:///mlflow.db",
        )
    return uri


class TrackingSection(Section):
    """Where MLflow listens."""

    uri: Annotated[str, AfterValidator(check_tracking_uri)] | None = None


class PromotionSection(Section):
    """When a sweep's model becomes `champion`; see `experiments.promotion`. Nothing here changes a trial.

    `margin` is in the objective's units: of accuracy 0.01 is a point, of a cost it is a difference of costs.
    """

    promote: Literal["auto", "never", "force"] = "auto"
    margin: NonnegativeFloat = 0.0
    alpha_per_year: Fraction = 0.05
    decisions_per_year: PositiveInt = 365


class RetentionSection(Section):
    """How far back studies are kept, see `sweeps.retention`; without a key everything is. Nothing here changes a trial.

    `keep` is how many studies of the sweep stay at least, `days` how long each stays at least.
    """

    keep: PositiveInt | None = None
    days: PositiveFloat | None = None


class ExecutionSection(Section):
    """Who trains; nothing here may change a result except `dtype`.

    `scheduler` is the address of a Dask cluster that runs; without it, `executor = "dask"` starts one on this machine.
    """

    executor: Literal["serial", "processes", "dask"] = "processes"
    workers: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0  # of one machine, which has fewer cores
    scheduler: URI | None = None
    dtype: Literal["float32", "float64"] = "float32"

    @model_validator(mode="after")
    def _scheduler_has_its_own_workers(self) -> Self:
        if self.scheduler is not None and self.executor != "dask":
            raise InputError(
                f'scheduler = "{self.scheduler}" with executor = "{self.executor}".',
                'Only executor = "dask" has a scheduler;',
                'set executor = "dask" or remove scheduler.',
            )
        if self.scheduler is not None and self.workers > 0:
            raise InputError(
                f'workers = {self.workers} with scheduler = "{self.scheduler}".',
                "A cluster that runs has the workers that were started for it;",
                "set workers = 0 or remove scheduler.",
            )
        return self
