"""The data of a configuration, split and scaled, and the problem they pose to every trial."""

import math
from collections.abc import Sequence

import numpy as np

from engine import TrainingData
from engine.objectives import OBJECTIVES, Objective
from experiments.data_suspicions import suspicions
from experiments.dataset import load_dataset
from experiments.errors import InputError, how_many, listed
from experiments.example_weights import check_something_counts
from experiments.preparation import PreparedData, prepare, trained_on
from experiments.readers.examples import Advance, InMemory
from experiments.readers.in_memory import in_memory
from sweeps.configuration.config import Config
from sweeps.trials.mirroring import with_mirror_images
from sweeps.trials.problem import Problem
from sweeps.trials.raw_examples import is_large, raw_training_data, trains_on_minibatches_alone


def with_objects(config: Config, train: object | None, test: object | None) -> tuple[Config, dict[str, InMemory]]:
    """A configuration whose examples a Python program hands over, and these, for `load_data`.

    Args:
        config: Its own train and test are then not read.
        train, test: See `in_memory`; None are not given.

    Raises:
        InputError: They are no examples, or test is given without train.
    """
    if train is None:
        if test is not None:
            raise InputError("test is given without train.", "Both come from Python, or none.", "Give train=... too.")
        return config, {}
    objects = {"train": in_memory("train", train, config.data.target)}
    target = objects["train"].target
    if test is not None:
        objects["test"] = in_memory("test", test, target)
    said = {"train": objects["train"].place, "test": objects["test"].place if test is not None else None}
    data = config.data.model_copy(update={**said, "target": target or config.data.target})
    return config.model_copy(update={"data": data}), objects


def load_data(
    config: Config, *, train: InMemory | None = None, test: InMemory | None = None, advance: Advance | None = None
) -> PreparedData:
    """Read, check, split and scale the data of a configuration.

    Args:
        config: Says where they are, and the rest.
        train, test: Objects in place of what the configuration names, see `with_objects`.
        advance: Told how far reading is, where there are many files.

    Raises:
        InputError: Something is wrong with them.
    """
    dataset = load_dataset(
        train or config.data.train,
        test=test or config.data.test,
        target=config.data.target,
        task=config.data.task,
        test_fraction=config.data.test_fraction,
        sample_weight=config.data.sample_weight,
        seed=config.sweep.seed,
        directory=config.directory,
        options=config.data.read_options,
        advance=advance,
    )
    prepared = prepare(
        dataset,
        scaling=config.data.scaling,
        folds=config.data.n_folds,
        validation_fraction=config.data.validation_fraction,
        nonnegative_target=config.data.nonnegative_target,
        class_weight=config.training.class_weight,
        seed=config.sweep.seed,
        n_starts=config.study.seeds_per_trial,
        scales_folds=config.training.scales_folds,
        repeats=config.data.repeats or 1,
    )
    check_something_counts(dataset, prepared.held_out, prepared.validated)
    if config.training.flips and dataset.image_shape is None:
        raise InputError(
            f"{config.source} [training] flips = true, and the examples of {config.data.train} are no pictures.",
            "Only arrays (m, h, w) and (m, h, w, c) have mirror images.",
            "Remove it.",
        )
    return with_mirror_images(prepared, config.training.mirrors, config.sweep.seed)


def training_data(
    prepared: PreparedData, dtype: str, *, leaves_span: bool, minibatch_sizes: Sequence[int] = (0,)
) -> TrainingData:
    """What the engine trains the folds on; see `TrainingData.of`.

    Args:
        prepared, dtype, leaves_span: See there.
        minibatch_sizes: All that a trial may have; 0 is all examples.
    """
    units = np.array([scaling.scale for scaling in prepared.target_scalings])
    weights, kind = prepared.weights, np.dtype(dtype)
    if is_large(prepared, kind.itemsize) and trains_on_minibatches_alone(minibatch_sizes, prepared.held_out):
        raw = raw_training_data(prepared, dtype)
        if raw is not None:
            return raw.weighted(weights).in_units(units)
    held_out = prepared.with_copies(prepared.held_out)
    versions, validated = prepared.versions, np.zeros_like(held_out)
    validated[:, : prepared.n_examples] = prepared.validated  # pictures themselves, not their mirror images
    if prepared.folds:
        own = (trained_on(versions, fold) for fold in range(len(prepared.folds)))
        data = TrainingData.of_networks(own, held_out, kind, leaves_span=leaves_span, validated=validated)
    else:
        data = TrainingData.of(
            *trained_on(versions, None), held_out, kind, leaves_span=leaves_span, validated=validated
        )
    return data.weighted(None if weights is None else prepared.with_copies(weights)).in_units(units)


def notes_on_data(prepared: PreparedData) -> list[str]:
    """What a person should know of the data, in sentences: how they were read, and what in them looks wrong."""
    dataset = prepared.dataset
    unseen = prepared.preprocessing.inputs.unseen(dataset.X_test, f"{dataset.source} (test examples)")
    return [*dataset.notes, *suspicions(dataset), *unseen, *prepared.notes]


def problem_of(config: Config, prepared: PreparedData) -> Problem:
    """What every trial of the sweep is built for.

    Raises:
        InputError: A decision, an objective or a target that is not negative is configured, and does not suit the data.
    """
    _check_nonnegative(config, prepared)
    return Problem(
        n_features=prepared.n_features,
        n_outputs=prepared.Y.shape[0],
        n_examples=prepared.with_copies(prepared.held_out).shape[1],
        n_networks=prepared.held_out.shape[0],
        n_starts=prepared.n_starts,
        head="nonnegative_regression" if config.data.nonnegative_target else prepared.dataset.task,
        dtype=config.execution.dtype,
        seed=config.sweep.seed,
        has_mirror_images=prepared.has_mirror_images,
        threshold=(threshold := _threshold(config, prepared)),
        objective=_objective(config, prepared, threshold),
    )


def _check_nonnegative(config: Config, prepared: PreparedData) -> None:
    task = prepared.dataset.task
    if config.data.nonnegative_target and task != "regression":
        raise InputError(
            f"{config.source} [data] nonnegative_target = true, and {config.data.train} is a {task} task.",
            "Classes have no sign.",
            'Write task = "regression" if the target is a quantity, or remove it.',
        )


def _objective(config: Config, prepared: PreparedData, threshold: float | None) -> Objective:
    """What trials are judged by; it has a value on every fold."""
    dataset, name = prepared.dataset, config.study.objective
    kind = "numbers" if dataset.task == "regression" else "classes"
    if OBJECTIVES[name].kind not in (None, kind):
        fitting = [other for other, definition in OBJECTIVES.items() if definition.kind in (None, kind)]
        raise InputError(
            f'{config.source} [study] objective = "{name}", and {config.data.train} is a {dataset.task} task.',
            f"It has {kind} to predict: {listed(fitting, len(fitting))}.",
            "Choose one of these.",
        )
    objective = Objective(name, 0.5 if threshold is None else threshold)
    if objective.is_cost:
        return objective
    for number, validated in enumerate(prepared.validated, start=1):
        Y, weights = prepared.Y[:, validated], None if prepared.weights is None else prepared.weights[1, validated]
        if math.isnan(objective.of(Y, Y, weights)):  # even of perfect answers
            lacks = "targets that vary" if kind == "numbers" else "examples of every class"
            raise InputError(
                f'{config.source} [study] objective = "{name}" is undefined on the '
                f"{how_many(int(validated.sum()), 'example')} that fold {number} holds out.",
                f"It needs {lacks} in each fold.",
                "Use fewer folds ([data] folds), add examples, or choose another objective.",
            )
    return objective


def _threshold(config: Config, prepared: PreparedData) -> float | None:
    """The probability from which on class 1 of two is predicted; None is one half."""
    decision, task = config.study.decision, prepared.dataset.task
    if decision == 0.5:
        return None
    if task != "binary":
        shown = f'"{decision}"' if decision == "prior" else decision
        raise InputError(
            f"{config.source} [study] decision = {shown}, and {config.data.train} is a {task} task.",
            "Only a decision between two classes has a threshold.",
            "Remove it.",
        )
    threshold = float((prepared.dataset.y_train == 1).mean()) if decision == "prior" else decision
    return None if threshold == 0.5 else threshold
