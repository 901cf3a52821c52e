"""Examples that are scaled when they are trained on: one copy of them as they are, for all networks of large data.

Where networks differ in the scaling of X alone, F copies of X are F times the memory for 3 F n[0] numbers. Here each
minibatch and each part of what is validated is gathered from the one copy and scaled then, in the arithmetic and so to
the bits of scaling all of X first. The copy may be a file that is mapped, larger than the memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from engine.activations import Float64Array, FloatArray
from engine.folds import IndexArray
from engine.memory import mapped, mapped_if_there, written

NUMBERS_AT_ONCE = 2**15
"""How many numbers are gathered and scaled together: 256 KB of float64, so that they stay in the cache."""


@dataclass(frozen=True, slots=True, eq=False)
class RawRows:
    """Examples before scaling, and what each network makes of them: (x - shift) / scale, in float64, then rounded.

    Attributes:
        values: (m, n[0]) of any numbers, nan where one is missing. The rows are contiguous, or the columns: then
            gathering takes longer.
        shift, scale: Of each network, (F, n[0]), or of all, (1, n[0]). An infinite scale makes a feature 0.
        fill: What a missing number is, as `shift`; None where none is missing.
    """

    values: npt.NDArray[Any]
    shift: Float64Array
    scale: Float64Array
    fill: Float64Array | None = None

    @property
    def n_features(self) -> int:
        """n[0]."""
        return int(self.values.shape[1])

    def save(self, directory: Path) -> None:
        """Write the arrays into an existing directory, for `load`; no second copy is ever in memory."""
        with (directory / "values.npy").open("wb") as file:
            header = np.lib.format.header_data_from_array_1_0(self.values) | {"fortran_order": False}
            np.lib.format.write_array_header_1_0(file, header)
            for part in self._parts():
                np.ascontiguousarray(self.values[part]).tofile(file)
        written(directory, shift=self.shift, scale=self.scale, fill=self.fill)

    def _parts(self) -> Iterator[slice]:
        """All rows, as many at a time as are gathered together."""
        n_at_once = max(1, NUMBERS_AT_ONCE // self.n_features)
        for start in range(0, len(self.values), n_at_once):
            yield slice(start, start + n_at_once)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Map what `save` wrote into memory, read-only."""
        values, shift, scale = (mapped(directory / f"{name}.npy") for name in ("values", "shift", "scale"))
        return cls(values, shift, scale, mapped_if_there(directory / "fill.npy"))


class Gathering:
    """Brings the scaled examples that some networks need to where they are used, again and again.

    Shift and scale are there once for each example that is scaled at once: with numbers that are broadcast along rows
    of 20, a division takes seven times as long.

    Args:
        raw: All examples.
        networks: For which of the F networks.
        out: (F', k, n[0]), in the dtype that is trained: where they are brought.
    """

    def __init__(self, raw: RawRows, networks: slice, out: FloatArray) -> None:
        self._raw, self._out = raw, out
        n_networks, k, n_features = out.shape
        self._n_at_once = max(1, min(k, NUMBERS_AT_ONCE // (n_networks * n_features)))
        shape = (n_networks, self._n_at_once, n_features)

        def for_each_example(of_networks: Float64Array) -> Float64Array:
            own = of_networks if len(of_networks) == 1 else of_networks[networks]
            return np.broadcast_to(own[:, np.newaxis], shape).copy()

        self._shift, self._scale = for_each_example(raw.shift), for_each_example(raw.scale)
        self._fill = None if raw.fill is None else for_each_example(raw.fill)
        self._scaled = np.empty(shape)
        self._taken = self._scaled if raw.values.dtype == np.float64 else np.empty(shape, raw.values.dtype)

    def __call__(self, which: IndexArray) -> None:
        """Bring the examples (F', k)."""
        for start in range(0, which.shape[1], self._n_at_once):
            self._bring(which[:, start : start + self._n_at_once], self._out[:, start : start + self._n_at_once])

    def _bring(self, which: IndexArray, out: FloatArray) -> None:
        here = (slice(None), slice(which.shape[1]))
        taken, scaled = self._taken[here], self._scaled[here]
        values = self._raw.values
        if values.flags.c_contiguous:
            values.take(which, axis=0, out=taken, mode="clip")  # checking indices needs a buffer
        else:
            taken[...] = values[which]  # `take` would first copy all of them
        if self._fill is not None:
            np.copyto(taken, self._fill[here], where=np.isnan(taken))
        np.subtract(taken, self._shift[here], out=scaled)
        np.divide(scaled, self._scale[here], out=scaled)
        np.copyto(out, scaled, casting="same_kind")
