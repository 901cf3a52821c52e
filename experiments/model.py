"""A trained network that takes raw inputs: one file that describes itself.

    model.h5     weights as `engine.weights` writes them
      /notes/model   one JSON document: format version, task, classes, target, preprocessing, image shape, test scores

This file and what it imports travel inside the MLflow model (`pyfunc.py`): keep its imports light.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine import Architecture, Parameters, Weights, forward, load_weights, save_weights
from experiments.dataset import Task
from experiments.errors import InputError, listed
from experiments.preparation import PreparedData, TargetScaling
from experiments.preprocessing import Preprocessing
from experiments.readers.examples import Features
from experiments.scores import decided

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 1
_NOTE = "model"
_CHUNK_ELEMENTS = 2**23  # scaled inputs held at once, 64 MB: a folder of photographs must not fill the memory


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A network with all that a prediction from raw inputs needs.

    Attributes:
        parameters: A stack of F = 1.
        preprocessing: The map from raw inputs to the network's columns.
        class_names: In the order of the outputs; empty for regression.
        target: Name of the predicted column of a table; None for arrays.
        target_scaling: Brings a regression's outputs back to original units; the identity for classes.
        image_shape: (h, w, c) if an example is an image.
        study: The study whose winner this is.
        test_scores: Metric name to score on the sealed test set; empty until the model is scored.
    """

    architecture: Architecture
    parameters: Parameters
    preprocessing: Preprocessing
    task: Task
    class_names: tuple[str, ...]
    target: str | None
    target_scaling: TargetScaling
    image_shape: tuple[int, int, int] | None
    study: str
    test_scores: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, prepared: PreparedData, architecture: Architecture, parameters: Parameters, study: str) -> Model:
        """The model of a network that was trained on `prepared`; not scored yet."""
        dataset = prepared.dataset
        return cls(
            architecture=architecture,
            parameters=parameters,
            preprocessing=prepared.preprocessing,
            task=dataset.task,
            class_names=dataset.class_names,
            target=dataset.target,
            target_scaling=prepared.target_scaling,
            image_shape=dataset.image_shape,
            study=study,
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
        """The network's outputs for scaled columns, in the form that `experiments.scores` takes.

        Args:
            X: (n[0], m), from `preprocessing`.

        Returns:
            Probabilities (n[L], m) in the dtype of the weights, or targets (1, m) in original units.
        """
        _, A = forward(self.parameters, X, self.architecture)
        return A[0] if self.class_names else self.target_scaling.to_original(A[0])

    def save(self, path: Path) -> None:
        """Write the file whole or not at all.

        Raises:
            OSError: As `engine.save_weights`.
        """
        document = {
            "format": FORMAT_VERSION,
            "task": self.task,
            "class_names": self.class_names,
            "target": self.target,
            "target_scaling": asdict(self.target_scaling),
            "image_shape": self.image_shape,
            "study": self.study,
            "test_scores": dict(self.test_scores),
            "preprocessing": self.preprocessing.to_dict(),
        }
        save_weights(path, Weights(self.architecture, self.parameters, {_NOTE: json.dumps(document)}))

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
            architecture=weights.architecture,
            parameters=weights.parameters,
            preprocessing=Preprocessing.from_dict(document["preprocessing"]),
            task=document["task"],
            class_names=tuple(document["class_names"]),
            target=document["target"],
            target_scaling=TargetScaling(**document["target_scaling"]),
            image_shape=None if shape is None else (shape[0], shape[1], shape[2]),
            study=document["study"],
            test_scores=document["test_scores"],
        )

    def _outputs_of(self, X_raw: Features, place: str) -> NDArray[np.floating]:
        rows = self.preprocessing.inputs.numbers(X_raw, place)
        n_rows = max(1, _CHUNK_ELEMENTS // self.architecture.n_features)
        with np.errstate(over="ignore", invalid="ignore"):  # checked below, where the row is known
            parts = [
                self.outputs(self.preprocessing.scaled(rows[first : first + n_rows]))
                for first in range(0, len(rows), n_rows)
            ]
        outputs = np.concatenate(parts, axis=1)
        bad = np.flatnonzero(~np.isfinite(outputs).all(axis=0))
        if len(bad):
            raise InputError(
                f"{place}: {len(bad)} examples have no finite prediction: rows {listed(bad)} (counted from 0).",
                "Features must be in the units and the range of the training examples.",
                "Correct the very large values in these rows.",
            )
        return outputs

    def _decisions(self, outputs: NDArray[np.floating]) -> NDArray[Any]:
        answers = decided(self.task, outputs)
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
    if version != FORMAT_VERSION:
        raise InputError(
            f"{path}: a model of format version {version}.",
            f"This release reads version {FORMAT_VERSION}.",
            "Use the release that wrote it, or train again.",
        )
