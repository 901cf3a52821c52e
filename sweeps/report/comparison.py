"""Two studies side by side: what they reached, what differs in their configurations, what both have tried.

Trials are paired where data, folds and objective agree: a configuration that both studies trained to its end has a
value in each, and their differences are those of the studies, not of the configurations.
"""

import json
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from optuna.trial import TrialState

from experiments.errors import InputError, how_many
from experiments.report import Figure, Page, Section
from experiments.scores import label
from experiments.whole_file import whole_file
from sweeps.report.reported_study import ReportedStudy, read_study
from sweeps.results.text_tables import aligned
from sweeps.storage.workspace import Workspace
from sweeps.trials.stored_trial import StoredTrial

Row = tuple[str, ...]

_NO_DIFFERENCE = (
    "enqueue",
    "execution.workers",
    "promotion.",
    "retention.",
    "sweep.n_trials",  # of the first run; how many there are now stands above
    "sweep.name",
    "sweep.overlap",
    "tracking.",
)
"""Beginnings of keys that change nothing about a study's trials, or follow from others."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Configurations that both studies trained to their end: B's value minus A's, in the objective's units.

    Attributes:
        low, high: The 95 % interval of the mean by Student's t; nan where two pairs do not make one.
    """

    n: int
    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, differences: Sequence[float]) -> "Pairs":
        """Of one difference at least."""
        mean = float(np.mean(differences))
        if len(differences) < 2:
            return cls(1, mean, math.nan, math.nan)
        if np.ptp(differences) == 0:
            return cls(len(differences), mean, mean, mean)
        from scipy.stats import ttest_1samp

        low, high = ttest_1samp(differences, 0.0).confidence_interval(0.95)
        return cls(len(differences), mean, float(low), float(high))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two studies that were judged alike."""

    a: ReportedStudy
    b: ReportedStudy

    def reached(self) -> list[Row]:
        """What each came to."""
        value = label(self.a.objective.name)
        return [
            ("state", *self._of_both(lambda study: study.state)),
            ("trials", *self._of_both(lambda study: str(len(study.trials)))),
            ("  complete", *self._of_both(lambda study: str(len(_complete(study))))),
            ("training, s", *self._of_both(_training_seconds)),
            (f"best {value}", *self._of_both(lambda study: _number(study.leaderboard[0].value))),
            *(
                (f"  after {how_many(n, 'trial')}", *self._of_both(partial(_best_of_first, n=n)))
                for n in self._milestones()
            ),
            ("  corrected", *self._of_both(_corrected)),
            *((f"test {label(name)}", *self._of_both(partial(_test_score, name=name))) for name in self._score_names()),
        ]

    def winners(self) -> list[Row]:
        """Number and hyperparameters of the best trials, as far as they differ."""
        rows: list[Row] = [("trial", *self._of_both(lambda study: str(study.leaderboard[0].number)))]
        params = [study.leaderboard[0].params for study in (self.a, self.b)]
        names = dict.fromkeys([*params[0], *params[1]])
        rows += [(name, *(_number(of_one.get(name)) for of_one in params)) for name in names]
        return [row for row in rows if row[1] != row[2]]

    def differences(self) -> list[Row]:
        """What was said or chosen differently; [] also where a record is not here."""
        of_both = [_params(study) for study in (self.a, self.b)]
        names = sorted({*of_both[0], *of_both[1]})
        rows = [(name, *(str(params.get(name, "")) for params in of_both)) for name in names]
        return [row for row in rows if row[1] != row[2] and not row[0].startswith(_NO_DIFFERENCE)]

    def why_unpaired(self) -> str:
        """Why their trials are no pairs; "" where they are."""
        if self.a.started is None or self.b.started is None:
            return "the record of one is not in this folder, so its data are not known"
        if self.a.started.data.digest != self.b.started.data.digest:
            return "their data differ"
        apart = [row[0] for row in self.differences() if row[0].startswith("data.") or row[0] == "sweep.seed"]
        return f"their folds may differ ({', '.join(apart)})" if apart else ""

    def pairs(self) -> Pairs | None:
        """What both tried; None where there is nothing of the kind, or the trials are no pairs."""
        if self.why_unpaired():
            return None
        values = {trial.candidate: trial.value for trial in _complete(self.a)}
        of_b = {trial.candidate: trial.value for trial in _complete(self.b) if trial.candidate in values}
        differences = [_known(of_b[candidate]) - _known(values[candidate]) for candidate in of_b]
        return Pairs.of(differences) if differences else None

    def in_words(self) -> str:
        """What the pairs say."""
        if why := self.why_unpaired():
            return f"Not paired: {why}."
        pairs, name = self.pairs(), label(self.a.objective.name)
        if pairs is None:
            return "Same data and folds, but no configuration was trained to its end in both."
        what = how_many(pairs.n, "configuration was", "configurations were")
        text = f"Same data and folds: {what} trained to the end in both; {name} of B minus A {pairs.mean:+.4g}"
        if math.isnan(pairs.low):
            return f"{text}. One pair says nothing about chance."
        text += f" on average (95 % interval {pairs.low:+.4g} to {pairs.high:+.4g})"
        if pairs.low <= 0 <= pairs.high:
            return f"{text}: they cannot be told apart."
        return f"{text}: {'B' if (pairs.mean > 0) == self.a.objective.is_higher_better else 'A'} is better."

    def to_text(self) -> str:
        """For the terminal."""
        header = ("", "A", "B")
        parts = [f"A: {self.a.name}\nB: {self.b.name}", aligned([header, *self.reached()])]
        parts += ["Winners differ in\n" + aligned([header, *rows])] if (rows := self.winners()) else []
        parts += ["Configured differently\n" + aligned([header, *rows])] if (rows := self.differences()) else []
        return "\n\n".join([*parts, textwrap.fill(self.in_words(), 79)])

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        pairs = self.pairs()
        finite = pairs is not None and not math.isnan(pairs.low)
        return {
            "objective": self.a.objective.name,
            **{
                key: {
                    "study": study.name,
                    "state": study.state,
                    "n_trials": len(study.trials),
                    "n_complete": len(_complete(study)),
                    "best": study.leaderboard[0].to_dict(),
                }
                for key, study in (("a", self.a), ("b", self.b))
            },
            "differences": {name: [of_a, of_b] for name, of_a, of_b in self.differences()},
            "unpaired": self.why_unpaired(),
            "pairs": pairs and {"n": pairs.n, "mean": pairs.mean, "ci95": [pairs.low, pairs.high] if finite else None},
        }

    def page(self) -> Page:
        """The same as a page, with how the best value came down."""
        from experiments.report import tables
        from experiments.report.figures import best_so_far

        header, value = ("", "A", "B"), f"best validation {label(self.a.objective.name)}"
        curves = {f"{key}: {study.name}": _best_by_trial(study) for key, study in (("A", self.a), ("B", self.b))}
        figure = Figure(f"{value[0].upper()}{value[1:]} by trial", best_so_far(curves, value))
        sections = [Section("reached", "What they reached", self.in_words(), tables.texts([header, *self.reached()]))]
        sections.append(Section("history", "On the way", "", "", [figure]))
        for anchor, title, rows in (
            ("winners", "The winners' differences", self.winners()),
            ("configuration", "Configured differently", self.differences()),
        ):
            sections += [Section(anchor, title, "", tables.texts([header, *rows]))] if rows else []
        return Page("Two studies", f"A: {self.a.name} · B: {self.b.name}", (), sections)

    def _of_both(self, text: Callable[[ReportedStudy], str]) -> tuple[str, str]:
        return text(self.a), text(self.b)

    def _milestones(self) -> list[int]:
        """A quarter and a half of the smaller study, and all of it where the other has more."""
        counts = sorted(len(study.trials) for study in (self.a, self.b))
        numbers = [counts[0] // 4, counts[0] // 2, *([counts[0]] if counts[0] < counts[1] else [])]
        return [n for n in dict.fromkeys(numbers) if n > 0]

    def _score_names(self) -> list[str]:
        ends = [study.finished for study in (self.a, self.b) if study.finished is not None]
        return list(dict.fromkeys(score.name for end in ends for score in end.scores))


def compare(workspace: Workspace, a: str, b: str, *, html: Path | None = None, as_json: bool = False) -> str:
    """What is to be printed; with `html` that is nothing, and the page is written.

    Raises:
        InputError: A study is not there or has no complete trial, both are one, or they were judged differently.
    """
    comparison = Comparison(read_study(workspace, a), read_study(workspace, b))
    names = [study.name for study in (comparison.a, comparison.b)]
    objectives = [study.objective.name for study in (comparison.a, comparison.b)]
    if names[0] == names[1]:
        raise InputError(
            f"{a} and {b} both name {names[0]}.",
            "A sweep's name means its newest study; two studies are compared.",
            "Name them in full: python -m sweeps status",
        )
    if objectives[0] != objectives[1]:
        raise InputError(
            f"{names[0]} is judged by {objectives[0]}, {names[1]} by {objectives[1]}.",
            "Values of two objectives have no order.",
            "Compare studies of one [study] objective; each alone: python -m sweeps report STUDY",
        )
    if html is not None:
        with whole_file(html) as file:
            file.write(comparison.page().to_html())
        return ""
    return json.dumps(comparison.to_dict()) if as_json else comparison.to_text()


def _complete(study: ReportedStudy) -> list[StoredTrial]:
    return [trial for trial in study.leaderboard if trial.state == TrialState.COMPLETE]


def _known(value: float | None) -> float:
    assert value is not None, "a complete trial has a value"
    return value


def _best_by_trial(study: ReportedStudy) -> list[tuple[int, float]]:
    """(number, best value so far) of complete trials by number."""
    best: list[tuple[int, float]] = []
    for trial in sorted(_complete(study), key=lambda trial: trial.number):
        value = _known(trial.value)
        if not best or study.objective.is_better(value, best[-1][1]):
            best.append((trial.number, value))
    return [*best, (len(study.trials) - 1, best[-1][1])]


def _best_of_first(study: ReportedStudy, n: int) -> str:
    return _number(next((value for number, value in reversed(_best_by_trial(study)[:-1]) if number < n), None))


def _training_seconds(study: ReportedStudy) -> str:
    return "" if study.outbox is None else f"{study.table['training_seconds'].sum():.2f}"


def _corrected(study: ReportedStudy) -> str:
    corrected = None if study.finished is None else study.finished.corrected
    return "" if corrected is None else f"{corrected.value:.4g} ({corrected.low:.4g} to {corrected.high:.4g})"


def _test_score(study: ReportedStudy, name: str) -> str:
    scores = [] if study.finished is None else study.finished.scores
    score = next((score for score in scores if score.name == name), None)
    if score is None or math.isnan(score.value):
        return ""
    return f"{score.value:.4g}" + ("" if math.isnan(score.low) else f" ({score.low:.4g} to {score.high:.4g})")


def _params(study: ReportedStudy) -> Mapping[str, object]:
    return {} if study.started is None else study.started.params


def _number(value: object) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
