"""BLAS threads, and what decides the last bits of a product: the one place that talks to threadpoolctl.

It is imported when it is needed: a model that only predicts does without it.
"""

import platform
from contextlib import AbstractContextManager
from functools import cache

import numpy as np


def one_blas_thread() -> AbstractContextManager[object]:
    """One BLAS thread from this call on; as a context manager, until it is left.

    Workers are as many as cores, so a second thread in one would only take another's core; and a product that is split
    among threads is summed in another order.
    """
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
    return limits


def machine_kind() -> str:
    """What must be equal for equal bits: processor, NumPy, BLAS and its kernel."""
    return ", ".join([platform.machine(), f"numpy {np.__version__}", *_blas()])


@cache
def multiplies_small_in_place() -> bool:
    """Whether NumPy's BLAS has a quick way for small products that `engine.products` was measured on (see there).

    OpenBLAS has one for other kernels too, on ARM for instance; add them here when they are measured.
    """
    return any("openblas" in library and library.endswith("SkylakeX") for library in _blas())  # AVX-512, AMD's too


def _blas() -> list[str]:
    from threadpoolctl import threadpool_info

    return [
        f"{library['internal_api']} {library['version']} {library.get('architecture', '')}".strip()
        for library in threadpool_info()
        if library["user_api"] == "blas" and "numpy" in library["filepath"]
    ]
