"""BLAS threads, and what decides the last bits of a product: the one place that talks to threadpoolctl.

threadpoolctl is imported only when it is needed: a model that only predicts works without it.
"""

import platform
from contextlib import AbstractContextManager
from functools import cache

import numpy as np


def one_blas_thread() -> AbstractContextManager[object]:
    """Limit BLAS to one thread from this call on; as a context manager, until its block is left.

    There are as many workers as cores, so a second thread in one worker would only take a core from another; and a
    product that is split among threads is summed in another order.
    """
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
    return limits


def machine_kind() -> str:
    """What must be equal for equal bits: processor, NumPy, BLAS and its kernel."""
    return ", ".join([platform.machine(), f"numpy {np.__version__}", *_blas()])


@cache
def multiplies_small_in_place() -> bool:
    """Whether NumPy's BLAS has the fast path for small products with which `engine.products` was measured (see there).

    OpenBLAS has such a path in other kernels too, on ARM for instance; add them here when they are measured.
    """
    return any("openblas" in library and library.endswith("SkylakeX") for library in _blas())  # AVX-512, AMD's too


def _blas() -> list[str]:
    from threadpoolctl import threadpool_info

    return [
        f"{library['internal_api']} {library['version']} {library.get('architecture', '')}".strip()
        for library in threadpool_info()
        if library["user_api"] == "blas" and "numpy" in library["filepath"]
    ]
