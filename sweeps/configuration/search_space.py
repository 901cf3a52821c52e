"""The search space of a configuration: `[search]`, `[training]`, and what `[[enqueue]]` may say of them."""

from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from experiments.errors import InputError

ActivationName = Literal["relu", "leaky_relu", "tanh", "sigmoid"]
OptimizerName = Literal["gradient_descent", "momentum", "adamw"]
ScheduleName = Literal["constant", "averaged"]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
PositiveInt = Annotated[
    int, Field(ge=1, le=1_000_000_000, strict=True)
]  # iterations and widths, far beyond any machine
NaturalInt = Annotated[int, Field(ge=0, le=1_000_000_000, strict=True)]
MAX_CHOICES = 100
Depth = Annotated[int, Field(ge=0, le=1000, strict=True)]  # beyond it building a network takes longer than training
Fraction = Annotated[float, Field(gt=0, lt=1, strict=True)]
NonnegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
Share = Annotated[float, Field(ge=0, lt=1, strict=True)]


TAGS = ("value", "range", "table", "list")
"""What pydantic puts behind a key that takes one kind of value or another, in the place of an error."""


def _value_or_range(value: object) -> str:
    return "range" if isinstance(value, dict | Range) else "value"


def _value_or_table(value: object) -> str:
    return "table" if isinstance(value, dict) else "value"


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str | int) else value


class Section(BaseModel):
    """A table of the file; keys it does not know are errors, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(Section):
    """An interval to search, both ends included; `log` samples its logarithm uniformly."""

    log: bool = False

    @model_validator(mode="after")
    def _low_below_high(self) -> Self:
        low, high = self.low, self.high  # type: ignore[attr-defined]  # each kind of range declares its own
        if low > high:
            raise InputError(f"low = {low} is above high = {high}.", "low <= high must hold;", "swap them.")
        if self.log and low <= 0:
            raise InputError(f"low = {low} with log = true.", "A logarithmic range must start above 0;", "raise low.")
        return self


class FloatRange(Range):
    """A range of positive reals."""

    low: PositiveFloat
    high: PositiveFloat


class ShareRange(FloatRange):
    """A range of shares: 0 or more, below 1."""

    low: Share
    high: Share


class IntRange(Range):
    """A range of positive integers."""

    low: PositiveInt
    high: PositiveInt


class DepthRange(Range):
    """A range of numbers of hidden layers; 0 is logistic (or linear) regression."""

    low: Depth
    high: Depth


SearchedFloat = Annotated[
    Annotated[FloatRange, Tag("range")] | Annotated[PositiveFloat, Tag("value")], Discriminator(_value_or_range)
]
SearchedInt = Annotated[
    Annotated[IntRange, Tag("range")] | Annotated[PositiveInt, Tag("value")], Discriminator(_value_or_range)
]
SearchedDepth = Annotated[
    Annotated[DepthRange, Tag("range")] | Annotated[Depth, Tag("value")], Discriminator(_value_or_range)
]
SearchedDecay = Annotated[
    Annotated[FloatRange, Tag("range")] | Annotated[NonnegativeFloat, Tag("value")], Discriminator(_value_or_range)
]
SearchedShare = Annotated[
    Annotated[ShareRange, Tag("range")] | Annotated[Share, Tag("value")], Discriminator(_value_or_range)
]
Optimizers = Annotated[
    tuple[OptimizerName, ...], BeforeValidator(_as_list), Field(min_length=1, max_length=MAX_CHOICES)
]
Schedules = Annotated[tuple[ScheduleName, ...], BeforeValidator(_as_list), Field(min_length=1, max_length=MAX_CHOICES)]
MinibatchSizes = Annotated[
    tuple[NaturalInt, ...], BeforeValidator(_as_list), Field(min_length=1, max_length=MAX_CHOICES)
]


class SearchSection(Section):
    """The search space. A plain value fixes a hyperparameter."""

    learning_rate: SearchedFloat = FloatRange(low=1e-3, high=1.0, log=True)
    n_iterations: SearchedInt = IntRange(low=100, high=3000, log=True)
    depth: SearchedDepth = DepthRange(low=0, high=4)
    hidden_units: SearchedInt = IntRange(low=4, high=64, log=True)
    activation: Annotated[
        tuple[ActivationName, ...], BeforeValidator(_as_list), Field(min_length=1, max_length=MAX_CHOICES)
    ] = (
        "relu",
        "leaky_relu",
        "tanh",
        "sigmoid",
    )

    @property
    def max_iterations(self) -> int:
        """The largest number of iterations that a trial may be given."""
        return self.n_iterations.high if isinstance(self.n_iterations, IntRange) else self.n_iterations


ClassWeights = Annotated[dict[str, PositiveFloat], Field(min_length=1)]
ClassWeight = Annotated[
    Annotated[ClassWeights, Tag("table")] | Annotated[Literal["none", "balanced"], Tag("value")],
    Discriminator(_value_or_table),
]

NOT_SEARCHED = ("recipe", "class_weight", "flips")
"""Keys of `[training]` that are the same for every trial, and no part of its configuration."""


class TrainingSection(Section):
    """How a trial is trained. What is not said here is the recipe's: see `sweeps.trials.recipe`.

    A plain value fixes a key; a list or a range is searched, as in `[search]`. `class_weight` says how much an example
    counts in the cost that is trained: by class name, 1 for those that are not named; "balanced" makes all classes
    count the same (scikit-learn's definition). `flips` says whether networks train on the mirror images of
    pictures, too; where it is not said, `sweeps.trials.mirroring` finds out.
    """

    recipe: Literal["auto", "textbook"] = "auto"
    class_weight: ClassWeight = "none"
    flips: bool | None = None
    optimizer: Optimizers | None = None
    minibatch_size: MinibatchSizes | None = None
    weight_decay: SearchedDecay | None = None
    label_smoothing: SearchedShare | None = None
    dropout: SearchedShare | None = None
    learning_rate_schedule: Schedules | None = None

    @property
    def mirrors(self) -> bool | None:
        """Whether mirror images are trained on, as far as it is said; the textbook's networks do without."""
        return False if self.flips is None and self.recipe == "textbook" else self.flips

    @property
    def scales_folds(self) -> bool:
        """Whether scaling is fitted per fold, to what its network trains on; the textbook's folds share one X."""
        return self.recipe == "auto"


class SearchSpace(SearchSection):
    """All that is searched or fixed in a study's trials: `[search]` and `[training]`, with the recipe's choices.

    The defaults are the textbook's: what a study from before there were recipes was trained with.
    """

    optimizer: Optimizers = ("gradient_descent",)
    minibatch_size: MinibatchSizes = (0,)
    weight_decay: SearchedDecay = 0.0
    label_smoothing: SearchedShare = 0.0
    dropout: SearchedShare = 0.0
    learning_rate_schedule: Schedules = ("constant",)


class EnqueuedConfiguration(Section):
    """One `[[enqueue]]` table: hyperparameters to try before the sampler is asked; it chooses those left out."""

    learning_rate: PositiveFloat | None = None
    n_iterations: PositiveInt | None = None
    depth: Depth | None = None
    hidden_units: tuple[PositiveInt, ...] | None = None
    activation: ActivationName | None = None
    optimizer: OptimizerName | None = None
    minibatch_size: NaturalInt | None = None
    weight_decay: NonnegativeFloat | None = None
    label_smoothing: Share | None = None
    dropout: Share | None = None
    learning_rate_schedule: ScheduleName | None = None

    @model_validator(mode="after")
    def _depth_is_that_of_the_widths(self) -> Self:
        if self.hidden_units is not None and self.depth not in (None, len(self.hidden_units)):
            raise InputError(
                f"depth = {self.depth} with hidden_units = {list(self.hidden_units)}.",
                "A network has as many hidden layers as widths;",
                "remove depth.",
            )
        return self

    @property
    def checked(self) -> list[tuple[str, str, object]]:
        """What is given: its name here, the key of `[search]` that it must agree with, its value."""
        depth = len(self.hidden_units) if self.hidden_units is not None else self.depth
        widths = self.hidden_units or ()
        names = ("learning_rate", "n_iterations", "activation", *TrainingSection.model_fields)
        plain = [(name, name, getattr(self, name)) for name in names if name not in NOT_SEARCHED]
        return [
            (name, key, value)
            for name, key, value in (
                *plain,
                ("depth" if self.hidden_units is None else "the number of hidden_units", "depth", depth),
                *(("hidden_units", "hidden_units", width) for width in widths),
            )
            if value is not None
        ]

    def within(self, space: SearchSpace) -> Self:
        """Without what the space does not hold; the sampler chooses that."""
        outside = {name for name, key, value in self.checked if not is_in(value, getattr(space, key))}
        names = {"hidden_units" if name == "the number of hidden_units" else name for name in outside}
        return self.model_copy(update=dict.fromkeys(names))


def is_in(value: object, searched: object) -> bool:
    """Whether a plain value, a list or a range of the search space holds the value."""
    if isinstance(searched, FloatRange | IntRange | DepthRange):
        return isinstance(value, int | float) and searched.low <= value <= searched.high
    return value in searched if isinstance(searched, tuple) else value == searched


def in_words(searched: object) -> str:
    """A plain value, a list or a range of the search space, for a message."""
    if isinstance(searched, FloatRange | IntRange | DepthRange):
        return f"from {searched.low} to {searched.high}"
    return f"one of {', '.join(map(str, searched))}" if isinstance(searched, tuple) else f"{searched}"
