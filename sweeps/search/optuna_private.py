"""The only module that uses Optuna's private names: where one has moved, Optuna does the same, more slowly.

- `_log_ndtr` of TPE: most of an ask is log(Φ(x)) of some ten thousand numbers, for which Optuna, which does without
  SciPy, loops in Python. With SciPy's ufunc an ask takes half the time. The two differ by rounding: 1e-13 of the value,
  or 1e-15 near Φ = 1, in SciPy's favour.
- `_split_trials` of TPE, which each of four or five groups of parameters calls anew in an ask, a fifth of its time.
- `_pruners` of Hyperband, whose brackets look at all trials at every report.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.pruners import HyperbandPruner
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial
from scipy.special import log_ndtr

from experiments.replaced import replaced
from sweeps.search.halving import SuccessiveHalving

_truncnorm: Any  # modules, or None
_tpe: Any
try:
    from optuna.samplers._tpe import _truncnorm
    from optuna.samplers._tpe import sampler as _tpe
except ImportError:
    _truncnorm = _tpe = None

_one_at_a_time = threading.Lock()


class QuickTPESampler(TPESampler):
    """Same answers as its base, up to rounding; studies of other samplers in this process are not touched."""

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the interface says."""
        with _quicker():
            return super().sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401  # a parameter's value
        """As the interface says."""
        with _quicker():
            return super().sample_independent(study, trial, param_name, param_distribution)


class QuickHyperbandPruner(HyperbandPruner):
    """Same answers as its base, of one study that asks it after every report."""

    def __init__(self, min_resource: int, max_resource: int, reduction_factor: int) -> None:
        super().__init__(min_resource, max_resource, reduction_factor)
        self._halving = (min_resource, reduction_factor)

    def _try_initialization(self, study: Study) -> None:
        super()._try_initialization(study)
        brackets = getattr(self, "_pruners", [])
        brackets[:] = [SuccessiveHalving(*self._halving, rate) for rate in range(len(brackets))]


@contextmanager
def _quicker() -> Iterator[None]:
    """While entered, which an ask is, TPE has SciPy's function and divides the trials into good and bad ones once."""
    with (
        _one_at_a_time,
        replaced(_truncnorm, "_log_ndtr", lambda slow: log_ndtr),
        replaced(_tpe, "_split_trials", _once),
    ):
        yield


def _once(split: Callable[..., Any]) -> Callable[..., Any]:
    """Divides the trials of one ask, which are the same for each group of parameters, only once."""
    divided: dict[tuple[int, int], Any] = {}

    def split_once(study: Study, trials: list[FrozenTrial], n_below: int) -> Any:  # noqa: ANN401  # two lists
        key = (len(trials), n_below)
        if key not in divided:
            divided[key] = split(study, trials, n_below)
        return divided[key]

    return split_once
