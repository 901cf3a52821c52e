"""The leaderboards of several studies as one, each trial with the study it is of."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.objectives import Objective
from experiments.errors import InputError
from sweeps.results.text_tables import leaderboard_csv, leaderboard_table
from sweeps.storage.stored_study import StoredStudy
from sweeps.trials.stored_trial import StoredTrial, ranked


@dataclass(frozen=True, slots=True)
class Leaderboards:
    """Trials of several studies, best first, and beside each the name of its study."""

    studies: Sequence[str]
    trials: Sequence[StoredTrial]

    def to_dict(self) -> dict[str, Any]:
        """For `leaderboard A B --json`."""
        rows = zip(self.studies, self.trials, strict=True)
        return {
            "studies": list(dict.fromkeys(self.studies)),
            "trials": [{"study": study, **trial.to_dict()} for study, trial in rows],
        }

    def to_text(self, *, as_csv: bool) -> str:
        """The table of one study with a column more, for a terminal or as CSV."""
        if not as_csv:
            lines = leaderboard_table(self.trials).splitlines()
            width = max(map(len, self.studies), default=0)
            return "\n".join(
                f"{study:<{width}}  {line}" for study, line in zip(["study", *self.studies], lines, strict=True)
            )
        header, *rows = csv.reader(io.StringIO(leaderboard_csv(self.trials)))
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["study", *header])
        writer.writerows([study, *row] for study, row in zip(self.studies, rows, strict=True))
        return text.getvalue()


def together(studies: Sequence[StoredStudy]) -> Leaderboards:
    """All trials of these studies, best first; of equal ones those of the study that is named first.

    Raises:
        InputError: They were not judged alike.
    """
    objectives = {study.name: study.attributes.objective for study in studies}
    if len(set(objectives.values())) > 1:
        what = ", ".join(f"{name} by {objective}" for name, objective in objectives.items())
        raise InputError(f"Judged differently: {what}.", "One table has one order.", "Name studies of one objective.")
    of_each = {study.name: study.leaderboard() for study in studies}
    study_of = {id(trial): name for name, trials in of_each.items() for trial in trials}  # numbers repeat
    objective = Objective(next(iter(objectives.values())))
    best_first = ranked((trial for trials in of_each.values() for trial in trials), objective)
    return Leaderboards([study_of[id(trial)] for trial in best_first], best_first)
