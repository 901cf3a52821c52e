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
from engine.memory import mapped, mapped_if_there

NUMBERS_AT_ONCE = 2**17
"""How many numbers are gathered and scaled together: 1 MB of float64."""


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

    def gather(self, networks: slice, which: IndexArray, out: FloatArray) -> None:
        """Write the scaled examples that some networks need.

        Args:
            networks: The F' networks.
            which: (F', k): their examples.
            out: (F', k, n[0]), in the dtype that is trained.
        """
        n_at_once = max(1, NUMBERS_AT_ONCE // (len(which) * self.n_features))
        for start in range(0, which.shape[1], n_at_once):
            part = slice(start, start + n_at_once)
            self._scale(networks, self._taken(which[:, part]), out[:, part])

    def _taken(self, which: IndexArray) -> npt.NDArray[Any]:
        if self.values.flags.c_contiguous:
            return self.values.take(which, axis=0)
        taken: npt.NDArray[Any] = self.values[which]  # `take` would first copy all of them
        return taken

    def _scale(self, networks: slice, taken: npt.NDArray[Any], out: FloatArray) -> None:
        shift, scale = (self._of(networks, array) for array in (self.shift, self.scale))
        if self.fill is not None:
            np.copyto(taken, self._of(networks, self.fill), where=np.isnan(taken))
        np.divide(np.subtract(taken, shift), scale, out=out, casting="same_kind")

    def _of(self, networks: slice, array: Float64Array) -> Float64Array:
        own: Float64Array = array if len(array) == 1 else array[networks]
        return own[:, np.newaxis]

    def save(self, directory: Path) -> None:
        """Write the arrays into an existing directory, for `load`; no second copy is ever in memory."""
        with (directory / "values.npy").open("wb") as file:
            header = np.lib.format.header_data_from_array_1_0(self.values) | {"fortran_order": False}
            np.lib.format.write_array_header_1_0(file, header)
            for part in self._parts():
                np.ascontiguousarray(self.values[part]).tofile(file)
        for name in ("shift", "scale", "fill"):
            array = getattr(self, name)
            if array is not None:
                np.save(directory / f"{name}.npy", array, allow_pickle=False)

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
