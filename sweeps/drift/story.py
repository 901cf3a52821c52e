"""What is told of a name's studies: a text for the terminal, JSON, a section and a page with figures."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.drift import words
from experiments.drift.drift import Comparison, Drift, drift_of
from experiments.errors import InputError, how_many
from experiments.report import Figure, Page, Section
from experiments.scores import label
from experiments.whole_file import whole_file
from sweeps.drift.nights import LAST, Nights, read_nights
from sweeps.results.text_tables import aligned
from sweeps.storage.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Story:
    """Studies, and what moved over them."""

    read: Nights
    drift: Drift

    @classmethod
    def of(cls, read: Nights, margin: float | None = None) -> "Story":
        """Of two studies at least."""
        return cls(read, drift_of(read.nights, margin, is_higher_better=read.objective.is_higher_better))

    @property
    def title(self) -> str:
        """Which studies, and what they were judged by."""
        nights, objective = self.read.nights, self.read.objective
        better = "higher" if objective.is_higher_better else "lower"
        first, last = (night.study.rpartition("/")[2] for night in (nights[0], nights[-1]))
        task = f" ({self.read.task})" if self.read.task else ""
        return (
            f"{self.read.name}{task}: {len(nights)} studies, {first} to {last}; "
            f"{label(objective.name)}, {better} is better."
        )

    def in_words(self) -> str:
        """For the terminal."""
        parts = [f"{self.title}\n{words.margin_in_words(self.drift)}", *_texts(self.drift.over_time)]
        if (by_machine := self.drift.by_machine) is not None:
            what = (
                f"The newest study's kind of machine ({how_many(by_machine.later, 'study', 'studies')}) beside others "
                f"({by_machine.earlier}):"
            )
            parts += [what, *_texts(by_machine)]
        if self.read.left_out:
            parts.append("Left out:\n" + "\n".join(f"  {reason}" for reason in self.read.left_out))
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "name": self.read.name,
            "objective": self.read.objective.name,
            "task": self.read.task,
            "studies": [
                {
                    "study": night.study,
                    "machine": night.machine,
                    "best_value": self._sign * night.best.cost,
                    "best": dict(night.best.params),
                    "importances": dict(night.importances),
                    "corrected": night.corrected and asdict(night.corrected.with_sign(self._sign)),
                    "price_of_memory": night.price_of_memory,
                    "seconds_per_iteration": night.seconds_per_iteration,
                    "champion_accuracy": night.champion and night.champion.accuracy,
                }
                for night in self.read.nights
            ],
            "left_out": list(self.read.left_out),
            **words.to_dict(self.drift),
        }

    def section(self) -> Section:
        """For the report's page."""
        from experiments.drift.figures import hyperparameter_by_night, time_by_night, values_by_night
        from experiments.report import tables

        html = "".join(tables.texts(table) for table in _tables(self.drift.over_time))
        if self.drift.by_machine is not None:
            html += "".join(tables.texts(table) for table in _tables(self.drift.by_machine, "other machines", "this"))
        nights, value = self.read.nights, f"validation {label(self.read.objective.name)}"
        figures = [Figure("What could be reached, study by study", values_by_night(nights, value, self._sign))]
        figures += [
            Figure(f"{row.name}: {row.price.verdict}", hyperparameter_by_night(nights, row.name), 280, is_wide=False)
            for row in self.drift.hyperparameters
        ]
        if any(night.seconds_per_iteration is not None for night in nights):
            figures.append(Figure("Time an iteration, by kind of machine", time_by_night(nights), 280))
        note = (
            f"{self.title} The later half beside the earlier one. A hyperparameter has moved if leaving it where the "
            "earlier half's best tenths had it would have cost more than chance does. "
            f"{words.margin_in_words(self.drift)}"
        )
        return Section("drift", "Drift", note, html, figures)

    @property
    def _sign(self) -> int:
        return -1 if self.read.objective.is_higher_better else 1


def drift(
    workspace: Workspace,
    name: str,
    *,
    last: int = LAST,
    margin: float | None = None,
    html: Path | None = None,
    as_json: bool = False,
) -> str:
    """What is to be printed; with `html` that is nothing, and the page is written.

    Raises:
        InputError: There is no such sweep, fewer than two of its studies can be compared, or an option makes no sense.
    """
    if last < 2:
        raise InputError(f"--last {last}: one study moves nowhere.", "At least 2 are compared.", "Leave it out.")
    if margin is not None and not 0 <= margin < float("inf"):
        raise InputError(f"--margin {margin}: not a difference.", "It must be 0 or more.", "Leave it out.")
    read = read_nights(workspace, name, last)
    if len(read.nights) < 2:
        reasons = f" Left out: {'; '.join(read.left_out)}." if read.left_out else ""
        raise InputError(
            f"{read.name}: {len(read.nights)} of its studies can be compared.{reasons}",
            "Drift is a matter of two at least, finished and judged alike.",
            "Run the sweep again when its data have changed, or now with --new.",
        )
    story = Story.of(read, margin)
    if html is not None:
        with whole_file(html) as file:
            file.write(Page(f"{read.name}: drift", story.title, (), [story.section()]).to_html())
        return ""
    return json.dumps(story.to_dict()) if as_json else story.in_words()


def _tables(comparison: Comparison, earlier: str = "", later: str = "") -> Sequence[words.Table]:
    tables = [
        words.price_table(comparison),
        words.score_table(comparison),
        words.importance_table(comparison),
    ]
    if earlier:
        renamed = {"best earlier": f"best, {earlier}", "best later": f"best, {later}"}
        tables = [[tuple(renamed.get(cell, cell) for cell in row) for row in table] for table in tables]
    return [table for table in tables if len(table) > 1]


def _texts(comparison: Comparison) -> list[str]:
    return [aligned(table) for table in _tables(comparison)]
