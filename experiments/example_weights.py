"""How much each example counts: in the cost that is trained, and in what models are judged by.

| said                                  | trained by            | judged by |
|---------------------------------------|-----------------------|-----------|
| `[training] class_weight`, c of class | c                     | 1         |
| `[data] sample_weight`, w of example  | w                     | w         |
| both                                  | c w                   | w         |

`"balanced"` is scikit-learn's: m / (C m_c) for a class with m_c of m training examples.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from experiments.dataset import Dataset
from experiments.errors import InputError, listed, nearest

ClassWeight = Mapping[str, float] | str


def example_weights(dataset: Dataset, class_weight: ClassWeight = "none") -> NDArray[np.float64] | None:
    """Weights of the training examples, (2, m): in training, and in validation. None where all count the same.

    Args:
        dataset: Its `weights_train` are those of the examples, if they have any.
        class_weight: "none", "balanced", or weights by class name, 1 for classes without.

    Raises:
        InputError: Weights of classes for a regression, or of a class that there is not.
    """
    if class_weight == "none":
        return None if dataset.weights_train is None else np.stack([dataset.weights_train] * 2)
    judged = np.ones(dataset.n_train) if dataset.weights_train is None else dataset.weights_train
    return np.stack([_of_classes(dataset, class_weight)[dataset.y_train] * judged, judged])


def check_something_counts(dataset: Dataset, held_out: NDArray[np.bool_], validated: NDArray[np.bool_]) -> None:
    """Check that weights leave something to train on and to be judged by.

    Args:
        dataset: Its examples may have weights.
        held_out: (F, m): True where fold f does not train on the example.
        validated: (F, m): True where it is validated on the example.

    Raises:
        InputError: All examples of the test set weigh 0, or all that a fold trains on, or is validated on.
    """
    parts = [] if dataset.weights_test is None else [("in the test set", dataset.weights_test)]
    if (weights := dataset.weights_train) is not None:
        for number, (out, judged) in enumerate(zip(held_out, validated, strict=True), start=1):
            parts += [(f"that fold {number} trains on", weights[~out])]
            parts += [(f"that fold {number} holds out", weights[judged])]
    for which, of_part in parts:
        if not of_part.any():
            column = f"sample_weight = '{dataset.sample_weight}'"
            all_of = "the one example" if len(of_part) == 1 else f"all {len(of_part):,} examples"
            raise InputError(
                f"{dataset.source}: {column} is 0 for {all_of} {which}.",
                "Wherever a model is trained or judged, some examples must count.",
                "Correct the column, or remove the rows that do not count.",
            )


def _of_classes(dataset: Dataset, class_weight: ClassWeight) -> NDArray[np.float64]:
    names = dataset.class_names
    if not names:
        raise InputError(
            f"{dataset.source}: class_weight is given, and this is a regression.",
            "Only classes have weights.",
            "Remove it, or name a column of weights (sample_weight).",
        )
    if isinstance(class_weight, str):
        counts = np.bincount(dataset.y_train, minlength=len(names))
        return np.asarray(dataset.n_train / (len(names) * counts), dtype=np.float64)
    for name in class_weight:
        if name not in names:
            raise InputError(
                f"{dataset.source}: class_weight names a class '{name}', which is not there.{nearest(name, names)}",
                f"Its classes are {listed(names)}.",
                "Write weights by these names.",
            )
    return np.array([class_weight.get(name, 1.0) for name in names])
