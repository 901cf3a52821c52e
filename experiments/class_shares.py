"""Whether the test set has other shares of the classes than the training set: then probabilities mislead there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.dataset import Dataset

P_VALUE = 0.01


@dataclass(frozen=True, slots=True)
class ShareShift:
    """The class whose share differs most, where the shares differ by more than chance.

    Attributes:
        name: The class.
        train, test: Its share of the training and of the test examples, between 0 and 1.
    """

    name: str
    train: float
    test: float


def share_shift(dataset: Dataset) -> ShareShift | None:
    """None for a regression, and where the shares do not differ with p < 0.01.

    Two classes: Fisher's exact test, two-sided. More: the chi-square test of homogeneity.
    """
    from scipy import stats

    if dataset.task == "regression":
        return None
    counts = np.stack([np.bincount(y, minlength=dataset.n_classes) for y in (dataset.y_train, dataset.y_test)])
    test = stats.fisher_exact(counts) if dataset.n_classes == 2 else stats.chi2_contingency(counts)
    if test.pvalue >= P_VALUE:
        return None
    shares = counts / counts.sum(axis=1, keepdims=True)
    code = 1 if dataset.n_classes == 2 else int(abs(shares[1] - shares[0]).argmax())  # two differ alike
    return ShareShift(dataset.class_names[code], float(shares[0, code]), float(shares[1, code]))
