"""What every contender's predictions on the sealed test set are worth, by the same functions of scikit-learn's."""

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score, root_mean_squared_error

from tests.benchmarks.quality_data import DataSet

FloatArray = npt.NDArray[np.float64]


def scores(data: DataSet, predictions: FloatArray) -> dict[str, float]:
    """Scores on the test set; the first is the one that contenders are compared by, lower is better.

    Args:
        data: Whose y_test is compared.
        predictions: Probabilities (m, C), rows sum to 1; or targets (m,).
    """
    y = data.y_test
    if data.task == "regression":
        return {"rmse": root_mean_squared_error(y, predictions), "r2": r2_score(y, predictions)}
    found = {"log_loss": log_loss(y, predictions, labels=np.arange(data.n_classes))}
    if data.task == "binary":
        found["roc_auc"] = roc_auc_score(y, predictions[:, 1])
    return found | {"accuracy": accuracy_score(y, predictions.argmax(axis=1))}


def losses(y: npt.NDArray[np.generic], predictions: FloatArray) -> FloatArray:
    """Of each example, (m,): -log of its class's probability, cut off as scikit-learn does; or the squared error."""
    if predictions.ndim == 1:
        return np.square(predictions - y)
    of_class = predictions[np.arange(len(y)), y.astype(np.intp)]
    smallest = np.finfo(np.float64).eps
    return -np.log(np.clip(of_class, smallest, 1 - smallest))


def validation_cost(y: npt.NDArray[np.generic], predictions: FloatArray) -> float:
    """Mean log-loss, or mean squared error: what a fold of ours and of a peer is judged by."""
    return float(losses(y, predictions).mean())
