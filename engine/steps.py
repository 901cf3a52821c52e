"""Steps: operations bound to their arrays once and run at every iteration.

During training all arrays keep their place in memory, so which operation reads and writes which array is settled before
the first iteration, and an iteration is a loop over calls without arguments. At 30 µs per iteration that matters: a
ufunc called with `out=` spends 0.15 µs more on its arguments than a bound one (README, decisions).
"""

from collections.abc import Callable, Iterable
from functools import partial
from operator import setitem
from typing import Any

Step = Callable[[], object]


def step(operation: Callable[..., Any], *operands: Any, out: Any) -> Step:  # noqa: ANN401  # arrays, and arrays only
    """`operation(*operands, out=out)` when called: a ufunc, `np.matmul` or `np.dot`."""
    return partial(operation, *operands, out)  # NumPy takes `out` by position, too


def copy(array: Any, *, out: Any) -> Step:  # noqa: ANN401
    """`out[...] = array` when called, with a cast if the dtypes differ. `np.copyto` takes 0.1 µs more."""
    return partial(setitem, out, ..., array)


def run(steps: Iterable[Step]) -> None:
    """Run all steps in order."""
    for do in steps:
        do()
