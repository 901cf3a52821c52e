"""Configuration: what a TOML file may say. `sweeps.configuration.config_file` reads it."""

import hashlib
import json
import re
from collections.abc import Set
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    model_validator,
)

from engine.objectives import Objective
from experiments.error_text import mask_password
from experiments.errors import InputError
from experiments.readers.options import Dates, ExamplesAxis, ReadOptions
from experiments.scaling import Scaling
from sweeps.configuration.search_space import (
    NOT_SEARCHED,
    EnqueuedConfiguration,
    FloatRange,
    Fraction,
    NaturalInt,
    NonnegativeFloat,
    PositiveFloat,
    PositiveInt,
    SearchSection,
    SearchSpace,
    Section,
    TrainingSection,
    in_words,
    is_in,
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

    train: str
    test: str | None = None
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


def _check_tables(value: object) -> object:
    if isinstance(value, dict):
        raise InputError(
            "one table.",
            "There may be several of these tables, each with a heading in double brackets.",
            "Write [[enqueue]] above it.",
        )
    return value


_IN_THE_DIGEST = {"train", "test", *(field.name for field in fields(ReadOptions))} - {"target"}
"""Keys of `[data]` that say where examples come from and how they are read: what comes of it is in the digest."""


class Config(Section):
    """The whole configuration, with the place its relative paths start from."""

    sweep: SweepSection
    data: DataSection
    search: SearchSection = SearchSection()
    training: TrainingSection = TrainingSection()
    enqueue: Annotated[tuple[EnqueuedConfiguration, ...], BeforeValidator(_check_tables)] = ()
    study: StudySection = StudySection()
    tracking: TrackingSection = TrackingSection()
    execution: ExecutionSection = ExecutionSection()
    promotion: PromotionSection = PromotionSection()
    retention: RetentionSection = RetentionSection()

    _directory: Path = PrivateAttr(default_factory=Path.cwd)
    _source: str = PrivateAttr(default="configuration")
    _text: str = PrivateAttr(default="")
    _as_written: Self | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _enqueued_are_in_what_is_written(self) -> Self:
        self._check_enqueued(self.search.model_fields_set | {key for key, value in self.training if value is not None})
        return self

    def _check_enqueued(self, keys: Set[str], place: str = "") -> None:
        for number, table in enumerate(self.enqueue, start=1):
            for name, key, value in table.checked:
                table_of_key = "training" if key in TrainingSection.model_fields else "search"
                searched = getattr(self.space, key)
                if key in keys and not is_in(value, searched):
                    raise InputError(
                        f"{place}[[enqueue]] table {number}, {name}: {value!r} is outside [{table_of_key}] {key}.",
                        f"It must be {in_words(searched)}.",
                        f"Change it, or widen [{table_of_key}] {key}.",
                    )

    @model_validator(mode="after")
    def _brute_force_has_an_end(self) -> Self:
        if self.study.sampler == "brute_force":
            for key, searched in self.space:
                if isinstance(searched, FloatRange) and searched.low < searched.high:
                    table = "training" if key in TrainingSection.model_fields else "search"
                    raise InputError(
                        f'[study] sampler: "brute_force" with [{table}] {key} {in_words(searched)}.',
                        "It tries every configuration there is, and there are infinitely many reals.",
                        f"Give {key} a plain value ({key} = {searched.low}), or choose another sampler.",
                    )
        return self

    @property
    def directory(self) -> Path:
        """Folder that relative paths are relative to."""
        return self._directory

    @property
    def source(self) -> str:
        """What the user called this configuration: a file or a ready-made name."""
        return self._source

    @property
    def text(self) -> str:
        """The file as its user wrote it; empty for a configuration made in Python."""
        return self._text

    def placed(self, *, directory: Path, source: str, text: str = "") -> Self:
        """A copy that says where it comes from: see `directory`, `source`, `text`."""
        copy = self.model_copy()
        copy._directory, copy._source, copy._text = directory, source, text
        return copy

    @property
    def as_written(self) -> Self:
        """The configuration before a recipe filled in what its user did not say."""
        return self._as_written or self

    def filled_in(self, search: SearchSection, training: TrainingSection) -> Self:
        """A copy with these two tables, which remembers what was written.

        Raises:
            InputError: An enqueued configuration is outside of them.
        """
        copy = self.model_copy(update={"search": search, "training": training})
        copy._as_written = self.as_written
        copy._check_enqueued(set(SearchSpace.model_fields), f"{self.source} ")
        return copy

    def with_first(self, enqueue: tuple[EnqueuedConfiguration, ...]) -> Self:
        """A copy in which these configurations are tried first."""
        copy = self.model_copy(update={"enqueue": enqueue})
        copy._as_written = self.as_written
        return copy

    @property
    def space(self) -> SearchSpace:
        """All that is searched or fixed in a trial; what nobody has said is the textbook's."""
        tables = (self.search, self.training)
        said = {key: value for table in tables for key, value in table if key not in NOT_SEARCHED and value is not None}
        return SearchSpace(**said)

    def fingerprint(self, data_digest: str) -> str:
        """Identity of the results: two sweeps that agree in it have the same trials, however they are executed."""
        decisive: dict[str, object] = {
            "sweep": {"name": self.sweep.name, "seed": self.sweep.seed, "patience": self.sweep.patience},
            "data": {**self.data.model_dump(exclude=_IN_THE_DIGEST), "digest": data_digest},
            "search": {key: value for key, value in self.space.model_dump().items() if (key, value) != ("dropout", 0)},
            "study": self.study.model_dump(
                exclude={"storage", "ensemble", "decision", "objective", "memory", "seeds_per_trial"}
            ),
            "dtype": self.execution.dtype,
        }
        if self.study.seeds_per_trial > 1:
            decisive["seeds_per_trial"] = self.study.seeds_per_trial
        if self.study.objective != "cost":  # what is not said was not there when older studies began
            decisive["objective"] = self.study.objective
        if Objective(self.study.objective).decides:
            decisive["decision"] = self.study.decision
        if self.training.class_weight != "none":
            decisive["class_weight"] = self.training.class_weight
        if self.training.flips:
            decisive["flips"] = True
        if self.training.scales_folds:
            decisive["scaling"] = "fitted per fold"
        if self.enqueue:
            decisive["enqueue"] = [table.model_dump(exclude_none=True) for table in self.enqueue]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]
