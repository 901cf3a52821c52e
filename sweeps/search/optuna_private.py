"""The only module that uses Optuna's private names: where one has moved, Optuna does the same, more slowly.

- `_log_ndtr` of TPE: most of an ask is log(Φ(x)) of some ten thousand numbers, for which Optuna, which does without
  SciPy, loops in Python. With SciPy's ufunc an ask takes half the time. The two differ by rounding: 1e-13 of the value,
  or 1e-15 near Φ = 1, in SciPy's favour.
- `_get_bracket_id` and `_pruners` of Hyperband, which works out the bracket of every trial at every report.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.pruners import HyperbandPruner
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial
from scipy.special import log_ndtr

_truncnorm: Any  # the module, or None
try:
    from optuna.samplers._tpe import _truncnorm
except ImportError:
    _truncnorm = None

_one_at_a_time = threading.Lock()


class QuickTPESampler(TPESampler):
    """Same answers as its base, up to rounding; studies of other samplers in this process are not touched."""

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the interface says."""
        with _vectorized():
            return super().sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401  # a parameter's value
        """As the interface says."""
        with _vectorized():
            return super().sample_independent(study, trial, param_name, param_distribution)


class QuickHyperbandPruner(HyperbandPruner):
    """Same answers as its base, of one study: a trial's bracket is worked out once."""

    def _get_bracket_id(self, study: Study, trial: FrozenTrial) -> int:
        if not getattr(self, "_pruners", None):  # not initialized yet: the answer is provisional
            return super()._get_bracket_id(study, trial)
        brackets: dict[int, int] = self.__dict__.setdefault("_brackets", {})
        if trial.number not in brackets:
            brackets[trial.number] = super()._get_bracket_id(study, trial)
        return brackets[trial.number]


@contextmanager
def _vectorized() -> Iterator[None]:
    slow = getattr(_truncnorm, "_log_ndtr", None)
    if slow is None:
        yield
        return
    with _one_at_a_time:
        _truncnorm._log_ndtr = log_ndtr
        try:
            yield
        finally:
            _truncnorm._log_ndtr = slow
