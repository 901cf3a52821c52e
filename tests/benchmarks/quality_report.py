"""The tables of `bench_quality`, from its record."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from tests.benchmarks import results
from tests.benchmarks.quality_record import Outcome, scored

FloatArray = npt.NDArray[np.float64]
ORDER = ("ours", "mlp", "hgb", "linear", "constant")
"""Of columns; other contenders follow."""

N_RESAMPLES = 2000


class Scoreboard:
    """Scores by data set and contender, each the mean over the seeds; inf where a contender failed."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self._runs: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
        for outcome in outcomes:
            self._runs[outcome.data, outcome.contender].append(outcome)
        self.tasks = {outcome.data: outcome.task for outcome in outcomes}
        self.sizes = {outcome.data: outcome.size for outcome in outcomes}
        present = dict.fromkeys(outcome.contender for outcome in outcomes)
        self.contenders = [name for name in ORDER if name in present] + [c for c in present if c not in ORDER]

    def attempts(self, data: str, contender: str) -> list[Outcome]:
        """One per seed, failures too; empty where it was not run."""
        return self._runs.get((data, contender), [])

    def runs(self, data: str, contender: str) -> list[Outcome]:
        """Those with a score."""
        return scored(self.attempts(data, contender))

    def score(self, data: str, contender: str) -> float:
        """Mean test log-loss or RMSE; inf where it failed with any seed, nan where it was not run."""
        runs = self.attempts(data, contender)
        return float(np.mean([math.inf if run.test is None else run.score for run in runs])) if runs else math.nan

    def ratios(self, other: str, tasks: Sequence[str]) -> dict[str, float]:
        """Score of ours by another's, by set of these tasks on which both were run; inf where ours failed."""
        found = {
            data: self.score(data, "ours") / self.score(data, other)
            for data, task in self.tasks.items()
            if task in tasks
        }
        return {data: ratio for data, ratio in found.items() if not math.isnan(ratio)}

    def mean_ranks(self) -> dict[str, float]:
        """1 is best, ties share; over the sets on which all contenders were run."""
        table = np.array([[self.score(data, contender) for contender in self.contenders] for data in self.tasks])
        whole = table[~np.isnan(table).any(axis=1)]
        ranks = rankdata(whole, axis=1).mean(axis=0) if len(whole) else np.full(len(self.contenders), np.nan)
        return dict(zip(self.contenders, ranks.tolist(), strict=True))


def geometric_mean(values: Iterable[float]) -> float:
    """Of those that are finite and above 0; nan of none."""
    logarithms = [math.log(value) for value in values if 0 < value < math.inf]
    return math.exp(math.fsum(logarithms) / len(logarithms)) if logarithms else math.nan


def paired_interval(ours: FloatArray, other: FloatArray, *, is_squared: bool) -> tuple[float, float]:
    """95 % interval of score(ours) - score(other), by resampling test examples, the same ones for both.

    Args:
        ours, other: Losses of the same examples, (m,).
        is_squared: The score is the root of the mean, not the mean.
    """
    rng = np.random.default_rng(0)
    rows = rng.integers(0, len(ours), size=(N_RESAMPLES, len(ours)))
    means = np.stack([ours, other])[:, rows].mean(axis=2)
    found = np.sqrt(means) if is_squared else means
    low, high = np.quantile(found[0] - found[1], [0.025, 0.975])
    return float(low), float(high)


def beside(board: Scoreboard, data: str, other: str) -> tuple[float, float, float]:
    """Difference of ours to another on one set, with its interval; losses are means over the seeds."""
    losses = [np.mean([run.losses for run in board.runs(data, name)], axis=0) for name in ("ours", other)]
    low, high = paired_interval(*losses, is_squared=board.tasks[data] == "regression")
    return board.score(data, "ours") - board.score(data, other), low, high


def seconds_to(outcome: Outcome, target: float) -> float | None:
    """When a contender's best validation cost came to the target; None if it never did."""
    return next((seconds for seconds, cost in outcome.curve if cost <= target), None)


def report(outcomes: Sequence[Outcome], *, with_time_to: bool) -> str:
    """All tables of one limit, as Markdown."""
    if not outcomes:
        return "No outcome: nothing was run."
    board = Scoreboard(outcomes)
    parts = [_scores(board), _how_it_went(board), _summary(board), _against_linear(board)]
    if with_time_to:
        parts.append(_time_to(board))
    parts += [f"Not in the tables: {o.contender} on {o.data}, seed {o.seed}: {o.error}" for o in outcomes if o.error]
    return "\n\n".join(part for part in parts if part)


def _number(value: float) -> str:
    return "-" if math.isnan(value) else "failed" if math.isinf(value) else f"{value:.4g}"


def _scores(board: Scoreboard) -> str:
    def second(data: str, contender: str) -> str:
        runs = board.runs(data, contender)
        name = "roc_auc" if board.tasks[data] == "binary" else "r2" if board.tasks[data] == "regression" else "accuracy"
        return f" ({np.mean([run.test[name] for run in runs]):.3f})" if runs else ""

    rows = [
        [
            f"{data}, {board.sizes[data]}",
            {"binary": "log-loss (AUC)", "multiclass": "log-loss (accuracy)"}.get(board.tasks[data], "RMSE (R2)"),
            *(_number(board.score(data, name)) + second(data, name) for name in board.contenders),
        ]
        for data in board.tasks
    ]
    return results.table(["test set", "score", *board.contenders], rows)


def _how_it_went(board: Scoreboard) -> str:
    """Per contender that is tuned: seconds over the limit, processor by wall, trials, validation."""
    names = [name for name in board.contenders if name != "constant"]

    def cell(data: str, name: str) -> str:
        runs = board.runs(data, name)
        if not runs:
            return "-"
        over = max(run.seconds - run.limit for run in runs)
        cores = np.mean([run.processor_seconds / run.process_seconds for run in runs])
        complete, trials = (np.mean([getattr(run, key) for run in runs]) for key in ("n_complete", "n_trials"))
        costs = [run.validation for run in runs if run.validation is not None]
        cost = np.mean(costs) if costs else math.nan
        return f"{over:+.1f} s, {cores:.2f}, {complete:.0f} of {trials:.0f}, {_number(float(cost))}"

    heading = [f"{name}: over the limit, cores, trials, validation" for name in names]
    return results.table(["data", *heading], [[data, *(cell(data, name) for name in names)] for data in board.tasks])


def _summary(board: Scoreboard) -> str:
    ranks = board.mean_ranks()
    rows = []
    for name in board.contenders:
        classes, numbers, both = (
            board.ratios(name, tasks)
            for tasks in (("binary", "multiclass"), ("regression",), ("binary", "multiclass", "regression"))
        )
        wins = sum(ratio <= 1 for ratio in both.values())
        worst = max(both, key=lambda data: both[data], default="-")
        rows.append(
            [
                name,
                f"{ranks[name]:.2f}",
                *(_number(geometric_mean(found.values())) for found in (classes, numbers, both)),
                f"{wins} of {len(both)}",
                str(sum(math.isinf(ratio) for ratio in both.values())),
                f"{_number(both[worst])} ({worst})" if both else "-",
            ]
        )
    columns = [
        "contender",
        "mean rank",
        "ours / it, classes",
        "numbers",
        "all",
        "ours <= it on",
        "ours failed on",
        "worst",
    ]
    return results.table(columns, rows)


def _against_linear(board: Scoreboard) -> str:
    rows = []
    for data, ratio in sorted(board.ratios("linear", ["binary", "multiclass", "regression"]).items(), key=_by_ratio):
        if not (board.runs(data, "ours") and board.runs(data, "linear")):
            rows.append([data, _number(ratio), "-", "-", "worse"])
            continue
        difference, low, high = beside(board, data, "linear")
        verdict = "worse" if low > 0 else "better" if high < 0 else "same"
        rows.append([data, f"{ratio:.3f}", f"{difference:+.4g}", f"{low:+.4g} to {high:+.4g}", verdict])
    columns = ["data", "ours / linear", "difference", "95 % interval", "beyond the interval"]
    return results.table(columns, rows) if rows else ""


def _by_ratio(item: tuple[str, float]) -> float:
    """Worst first."""
    return -item[1]


def _time_to(board: Scoreboard) -> str:
    """Seconds until each contender reaches what `mlp` reaches by the end; one that never does counts as its limit."""
    names = [name for name in board.contenders if name not in ("constant", "mlp")]
    rows, speedups = [], defaultdict(list)
    for data in board.tasks:
        for mlp in board.runs(data, "mlp"):
            if mlp.validation is None:
                continue
            row = [f"{data}, seed {mlp.seed}", _number(mlp.validation), f"{mlp.curve[-1][0]:.1f}"]
            for name in names:
                run = next((run for run in board.attempts(data, name) if run.seed == mlp.seed), None)
                reached = None if run is None else seconds_to(run, mlp.validation)
                row.append("-" if run is None else f"> {run.limit:.0f}" if reached is None else f"{reached:.1f}")
                if run is not None:
                    speedups[name].append(mlp.limit / (run.limit if reached is None else reached))
            rows.append(row)
    means = [f"{_number(geometric_mean(speedups[name]))} x" for name in names]
    rows.append(["limit by these seconds, geometric mean", "", "", *means])
    return results.table(["data", "validation of mlp", "mlp, seconds", *(f"{name}, seconds" for name in names)], rows)


def shortest_limits(outcomes: Sequence[Outcome]) -> str:
    """The shortest limits, of those that were run, within which ours came to the values that others ended with.

    Ours is the better of the winner's and the ensemble's value: what a sweep of so many seconds hands over.
    """
    longest = max((outcome.limit for outcome in outcomes), default=0.0)
    goals = [
        o for o in outcomes if o.limit == longest and o.contender in ("mlp", "before") and o.validation is not None
    ]
    runs = sorted((o for o in outcomes if o.contender == "ours" and o.validation is not None), key=lambda o: o.limit)
    rows, speedups = [], defaultdict(list)
    for goal in goals:
        ours = [run for run in runs if (run.data, run.seed) == (goal.data, goal.seed)]
        reached = next((run for run in ours if _handed_over(run) <= (goal.validation or 0.0)), None)
        speedups[goal.contender].append(longest / reached.limit if reached else 1.0)
        said = ", ".join(f"{run.limit:g} s: {_number(_handed_over(run))}" for run in ours)
        rows.append(
            [
                f"{goal.data}, seed {goal.seed}",
                goal.contender,
                _number(goal.validation or math.nan),
                f"{reached.limit:g} s" if reached else "not reached",
                said,
            ]
        )
    for contender, factors in speedups.items():
        rows.append(["geometric mean", contender, "", f"{_number(geometric_mean(factors))} x sooner", ""])
    return results.table(["data", "whose value", f"after {longest:g} s", "ours has it in", "ours"], rows)


def _handed_over(run: Outcome) -> float:
    return min(value for value in (run.validation, run.ensemble) if value is not None)
