"""Configuration: what a TOML file says as a whole. `sweeps.configuration.config_file` reads it."""

import hashlib
import json
import math
from collections.abc import Set
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, PrivateAttr, model_validator

from engine.objectives import Objective
from experiments.errors import InputError
from experiments.readers.options import MOST_FOLDS, ReadOptions
from sweeps.configuration.search_space import (
    NOT_SEARCHED,
    EnqueuedConfiguration,
    FloatRange,
    SearchSection,
    SearchSpace,
    Section,
    TrainingSection,
    in_words,
    is_in,
)
from sweeps.configuration.sections import (
    DataSection,
    ExecutionSection,
    PromotionSection,
    RetentionSection,
    StudySection,
    SweepSection,
    TrackingSection,
)


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


MAX_NETWORKS = 1000
"""In a trial's stack: beyond it, splitting the examples takes longer than any training."""


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

    @model_validator(mode="after")
    def _networks_of_a_trial_have_an_end(self) -> Self:
        n_folds, n_repeats, n_starts = self.data.n_folds or 1, self.data.repeats or 1, self.study.seeds_per_trial
        folds = {f"[data] folds = {n_folds}": n_folds}
        if self.data.fold:
            folds = {f"[data] fold, a column of up to {MOST_FOLDS} values,": MOST_FOLDS}
        factors = folds | {
            f"[data] repeats = {n_repeats}": n_repeats,
            f"[study] seeds_per_trial = {n_starts}": n_starts,
        }
        if (n_networks := math.prod(factors.values())) > MAX_NETWORKS:
            said = [text for text, n in factors.items() if n > 1]
            raise InputError(
                f"{' and '.join(said)} {'makes' if len(said) == 1 else 'make'} {n_networks:,} networks a trial.",
                f"They are trained side by side, {MAX_NETWORKS:,} at most.",
                "Lower one of them." if len(said) > 1 else "Lower it.",
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
