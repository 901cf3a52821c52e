"""Large data, trained on minibatches alone: one unscaled copy of the examples for all networks (`engine.raw_rows`)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine import TrainingData
from engine.folds import Folds
from engine.raw_rows import RawRows
from experiments.preparation import PreparedData
from experiments.preprocessing import Preprocessing
from experiments.readers.number_block import column_parts

FROM_BYTES = 2**27
"""What a copy for each network would take from which on there is one for all: making minibatches of it takes longer."""


def is_large(prepared: PreparedData, itemsize: int) -> bool:
    """Whether the networks' own copies, one for minibatches and one for all examples at once, take so much memory."""
    n_networks, m = prepared.held_out.shape
    n_bytes = 2 * n_networks * m * (prepared.n_features + 1) * itemsize
    return int(n_bytes) >= FROM_BYTES


def trains_on_minibatches_alone(sizes: Sequence[int], held_out: NDArray[np.bool_]) -> bool:
    """Whether each of these sizes of minibatches is one, and not all examples of a fold."""
    n_fewest = held_out.shape[1] - int(np.count_nonzero(held_out, axis=1).max())
    return all(0 < size < n_fewest for size in sizes)


def raw_training_data(prepared: PreparedData, dtype: str) -> TrainingData | None:
    """What the engine trains the folds on; None where it must be made of X that is scaled before."""
    folds = Folds.of(prepared.held_out, prepared.validated)
    if prepared.has_mirror_images or folds.is_reduced(prepared.n_features, None):
        return None
    has_own = prepared.encoded is not None
    raw = _raw_rows(prepared, [fold.preprocessing for fold in prepared.folds] if has_own else [prepared.preprocessing])
    if raw is None:
        return None
    Y = [prepared.targets_of_fold(fold).astype(dtype) for fold in range(len(prepared.folds) or 1)]
    targets = Y[0] if all(np.array_equal(own, Y[0]) for own in Y) else np.stack(Y)
    return TrainingData.of_raw(raw, targets, prepared.held_out, dtype, validated=prepared.validated)


def raw_refit_data(prepared: PreparedData, dtype: str) -> TrainingData:
    """For one network that trains on all examples, scaled by what was learned of all."""
    raw = _raw_rows(prepared, [prepared.preprocessing])
    assert raw is not None, "the folds' scaling is of the same kind"
    return TrainingData.of_raw(raw, prepared.Y, np.zeros((1, prepared.n_examples), np.bool_), dtype)


def _raw_rows(prepared: PreparedData, scalings: Sequence[Preprocessing]) -> RawRows | None:
    linear = [scaling.linear for scaling in scalings]
    if any(one is None for one in linear):
        return None
    shift, scale, fill = (np.stack(arrays) for arrays in zip(*(one for one in linear if one is not None), strict=True))
    values = prepared.encoded
    if values is None:
        dataset = prepared.dataset
        values = prepared.preprocessing.inputs.encoded(dataset.X_train, f"{dataset.source} (training examples)")
    is_missing = values.dtype.kind == "f" and any(
        np.isnan(values[:, part]).any() for part in column_parts(*values.shape)
    )
    return RawRows(values, shift, scale, fill if is_missing else None)
