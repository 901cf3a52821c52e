"""A trained network, or several whose answers are averaged, that takes raw inputs: one file that describes itself.

    model.h5     weights as `engine.weights` writes them
      /notes/model   one JSON document: format version, task, classes, target, preprocessing, image shape, test scores;
                     since version 2 also the threshold, where there is one;
                     since version 3 each fold's preprocessing, where fold models have their own

This file and what it imports travel inside the MLflow model (`pyfunc.py`): keep its imports light.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine import Architecture, Member, Parameters, Weights, load_weights, mean_outputs, save_weights
from engine.ensemble import check_members, is_single, n_held_at_once
from experiments.dataset import Task
from experiments.errors import InputError, how_many, in_rows
from experiments.preparation import PreparedData, TargetScaling
from experiments.preprocessing import Preprocessing
from experiments.readers.examples import Features
from experiments.scores import decided

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 3
"""Of a model whose networks have each their own preprocessing. Releases from before read the versions below."""

_FORMAT_OF_SEVERAL = 2  # a threshold, or the weights of several networks
_FORMAT_OF_ONE_NETWORK = 1
_NOTE = "model"
_CHUNK_ELEMENTS = 2**20  # numbers held at once, 8 MB, of which scaling makes two or three copies


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A network, or an ensemble of them, with all that a prediction from raw inputs needs.

    Attributes:
        members: What is averaged, see `engine.ensemble`; a refitted winner is one member, a stack of F = 1.
        preprocessing: The map from raw inputs to the networks' columns.
        preprocessing_of_folds: Instead, the map of each of the F networks of every member; empty where all share
            `preprocessing`, which says what raw inputs look like either way.
        class_names: In the order of the outputs; empty for regression.
        target: Name of the predicted column of a table; None for arrays.
        ignored: Columns of a table that are no features and may be there all the same, as its target may.
        target_scaling: Brings a regression's outputs back to original units; the identity for classes.
        image_shape: (h, w, c) if an example is an image.
        study: The study whose winner this is.
        test_scores: Metric name to score on the sealed test set; empty until the model is scored.
        threshold: The probability of class 1 from which on class 1 is predicted, where there are two classes; None is
            0.5.

    Raises:
        EngineError: The members do not belong together, see `engine.ensemble`.
        ValueError: The threshold is no probability, or there are not two classes.
    """

    members: tuple[Member, ...]
    preprocessing: Preprocessing
    task: Task
    class_names: tuple[str, ...]
    target: str | None
    target_scaling: TargetScaling
    image_shape: tuple[int, int, int] | None
    study: str
    test_scores: Mapping[str, float] = field(default_factory=dict)
    threshold: float | None = None
    ignored: tuple[str, ...] = ()
    preprocessing_of_folds: tuple[Preprocessing, ...] = ()

    def __post_init__(self) -> None:
        check_members(self.members)
        n_maps = len(self.preprocessing_of_folds)
        for member in self.members if n_maps else ():
            if member.n_networks != n_maps:
                raise ValueError(
                    f"a member of {member.n_networks} networks with the preprocessing of {n_maps} folds. Each network "
                    "has its own; pass the fold models of a trial."
                )
        if self.threshold is None:
            return
        if self.task != "binary":
            raise ValueError(
                f"threshold = {self.threshold} for a {self.task} model. Only a decision between two classes has one; "
                "leave it out."
            )
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold = {self.threshold}. A probability is between 0 and 1; correct it.")

    @classmethod
    def of(cls, prepared: PreparedData, architecture: Architecture, parameters: Parameters, study: str) -> Model:
        """The model of a network that was trained on the X and Y of `prepared`; not scored yet."""
        return cls._of(prepared, [Member(architecture, parameters)], study)

    @classmethod
    def ensemble(cls, prepared: PreparedData, members: Sequence[Member], study: str) -> Model:
        """The model whose answer is the weighted mean of networks that were trained on `prepared`; not scored yet.

        Where folds have their own scaling, each member is a stack of fold models, whose outputs are scaled as
        `prepared.Y` is.

        Raises:
            EngineError: The members do not belong together, see `engine.ensemble`.
        """
        own = tuple(fold.preprocessing for fold in prepared.folds)
        shares_inputs = all(preprocessing is prepared.preprocessing for preprocessing in own)
        return replace(cls._of(prepared, members, study), preprocessing_of_folds=() if shares_inputs else own)

    @classmethod
    def _of(cls, prepared: PreparedData, members: Sequence[Member], study: str) -> Model:
        dataset = prepared.dataset
        return cls(
            members=tuple(members),
            preprocessing=prepared.preprocessing,
            task=dataset.task,
            class_names=dataset.class_names,
            target=dataset.target,
            target_scaling=prepared.target_scaling,
            image_shape=dataset.image_shape,
            study=study,
            ignored=(() if dataset.sample_weight is None else (dataset.sample_weight,)) + dataset.ignored,
        )

    def predict(self, X_raw: Features, place: str = "input") -> NDArray[Any]:
        """Predict the class or the target of raw examples.

        Args:
            X_raw: Unscaled, as the training examples were: images (m, h, w, c), features (m, n), or a table whose
                columns are found by name, in any order.
            place: How messages name the input.

        Returns:
            (m,): names of classes (objects), or targets in original units (float64).

        Raises:
            InputError: See `Preprocessing.transform`; or values are so large that the network's outputs overflow.
        """
        return self._decisions(self._outputs_of(X_raw, place))

    def predict_proba(self, X_raw: Features, place: str = "input") -> NDArray[np.float64]:
        """Probability of each class.

        Args:
            X_raw: As in `predict`.
            place: As in `predict`.

        Returns:
            (m, C), columns in the order of `class_names`.

        Raises:
            InputError: As `predict`; or the model predicts no classes.
        """
        self._check_has_classes(place)
        return self._probabilities(self._outputs_of(X_raw, place))

    def table(self, X_raw: Features, *, proba: bool = False, place: str = "input") -> pd.DataFrame:
        """The results of `predict`, and with `proba` those of `predict_proba`, as a table of m rows.

        Returns:
            Column `prediction`; then with `proba` one column `probability_<class>` per class.

        Raises:
            InputError: As `predict` and `predict_proba`.
        """
        import pandas as pd

        if proba:
            self._check_has_classes(place)
        outputs = self._outputs_of(X_raw, place)
        columns: dict[str, Any] = {"prediction": self._decisions(outputs)}
        if proba:
            probabilities = self._probabilities(outputs)
            columns |= {f"probability_{name}": probabilities[:, code] for code, name in enumerate(self.class_names)}
        return pd.DataFrame(columns)

    def outputs(self, X: NDArray[np.floating]) -> NDArray[np.floating]:
        """The answer for scaled columns, in the form that `experiments.scores` takes.

        Args:
            X: (n[0], m), from `preprocessing`; (F, n[0], m) where each fold has its own.

        Returns:
            Probabilities (n[L], m), or targets (1, m) in original units; in the dtype of the weights for one network,
            in float64 for several.
        """
        parts = [mean_outputs(self.members, X[..., columns]) for columns in self._parts(X.shape[-1])]
        A = np.concatenate(parts, axis=1)
        return A if self.class_names else self.target_scaling.to_original(A)

    def save(self, path: Path) -> None:
        """Write the file whole or not at all.

        Raises:
            OSError: As `engine.save_weights`.
        """
        document: dict[str, Any] = {
            "format": self._format,
            "task": self.task,
            "class_names": self.class_names,
            "target": self.target,
            "target_scaling": asdict(self.target_scaling),
            "image_shape": self.image_shape,
            "study": self.study,
            "test_scores": dict(self.test_scores),
            "preprocessing": self.preprocessing.to_dict(),
        }
        if self.threshold is not None:
            document["threshold"] = self.threshold
        if self.ignored:
            document["ignored"] = self.ignored
        if self.preprocessing_of_folds:
            document["preprocessing_of_folds"] = [fold.to_dict() for fold in self.preprocessing_of_folds]
        save_weights(path, Weights(self.members, {_NOTE: json.dumps(document)}))

    @property
    def _format(self) -> int:
        """The earliest that can say what this model says."""
        if self.preprocessing_of_folds:
            return FORMAT_VERSION
        is_plain = self.threshold is None and is_single(self.members)
        return _FORMAT_OF_ONE_NETWORK if is_plain else _FORMAT_OF_SEVERAL

    @classmethod
    def load(cls, path: Path) -> Model:
        """Read and check a file that `save` wrote.

        Raises:
            WeightsFileError: Missing, damaged, or not a file of weights.
            InputError: Weights without a model, or a model of another format version.
        """
        weights = load_weights(path)
        if _NOTE not in weights.notes:
            raise InputError(
                f"{path}: holds weights, but not what a prediction from raw inputs needs.",
                "A model holds its preprocessing and its classes too.",
                "Pass the model.h5 that a sweep wrote, or train again.",
            )
        try:
            document = json.loads(weights.notes[_NOTE])
            _check_format(path, document["format"])
            return cls._from_document(weights, document)
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(
                f"{path}: its description of the model is damaged ({error!r}).",
                "Everything that the sweep wrote is needed.",
                "Copy the file again, or train again.",
            ) from error

    @classmethod
    def _from_document(cls, weights: Weights, document: dict[str, Any]) -> Model:
        shape = document["image_shape"]
        return cls(
            members=weights.members,
            preprocessing=Preprocessing.from_dict(document["preprocessing"]),
            task=document["task"],
            class_names=tuple(document["class_names"]),
            target=None if document["target"] is None else str(document["target"]).strip(),
            target_scaling=TargetScaling(**document["target_scaling"]),
            image_shape=None if shape is None else (shape[0], shape[1], shape[2]),
            study=document["study"],
            test_scores=document["test_scores"],
            threshold=document.get("threshold"),
            ignored=tuple(str(name).strip() for name in document.get("ignored", ())),
            preprocessing_of_folds=tuple(map(Preprocessing.from_dict, document.get("preprocessing_of_folds", ()))),
        )

    def outputs_of_raw(self, X_raw: Features, place: str = "input") -> NDArray[np.floating]:
        """As `outputs`, of raw examples; not finite where values are so large that the networks overflow.

        Raises:
            InputError: See `Preprocessing.transform`.
        """
        encoded = self.preprocessing.inputs.encoded(X_raw, place)

        def scaled(part: slice, own: Preprocessing) -> NDArray[np.floating]:
            return own.scaled(own.inputs.imputed(encoded[part]))

        outputs = []
        with np.errstate(over="ignore", invalid="ignore"):
            for part in self._parts(len(encoded)):
                X = [scaled(part, own) for own in self.preprocessing_of_folds]
                outputs.append(self.outputs(np.stack(X) if X else scaled(part, self.preprocessing)))
        return np.concatenate(outputs, axis=1)

    def _outputs_of(self, X_raw: Features, place: str) -> NDArray[np.floating]:
        outputs = self.outputs_of_raw(X_raw, place)
        bad = np.flatnonzero(~np.isfinite(outputs).all(axis=0))
        if len(bad):
            raise InputError(
                f"{place}: {how_many(len(bad), 'example has', 'examples have')} no finite prediction: {in_rows(bad)}.",
                "Features must be in the units and the range of the training examples.",
                "Correct the very large values in these rows.",
            )
        return outputs

    def _parts(self, m: int) -> Iterator[slice]:
        """The examples that are scaled and pass through the networks together."""
        n_held = max(1, len(self.preprocessing_of_folds)) * n_held_at_once(self.members)
        n_examples = max(1, _CHUNK_ELEMENTS // n_held)
        return (slice(first, first + n_examples) for first in range(0, max(m, 1), n_examples))

    def _decisions(self, outputs: NDArray[np.floating]) -> NDArray[Any]:
        answers = decided(self.task, outputs, self.threshold)
        return np.array(self.class_names, dtype=object)[answers] if self.class_names else answers

    def _probabilities(self, outputs: NDArray[np.floating]) -> NDArray[np.float64]:
        probabilities = outputs.astype(np.float64)
        if self.task == "binary":
            probabilities = np.vstack([1 - probabilities, probabilities])
        return probabilities.T

    def _check_has_classes(self, place: str) -> None:
        if not self.class_names:
            raise InputError(
                f"{place}: a regression has no probabilities.",
                "Only classes have probabilities; this model predicts numbers.",
                "Ask for predictions alone, without proba.",
            )


def _check_format(path: Path, version: object) -> None:
    if version not in range(_FORMAT_OF_ONE_NETWORK, FORMAT_VERSION + 1):
        raise InputError(
            f"{path}: a model of format version {version}.",
            f"This release reads versions {_FORMAT_OF_ONE_NETWORK} to {FORMAT_VERSION}.",
            "Use the release that wrote it, or train again.",
        )
