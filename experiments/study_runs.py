"""A study's runs in MLflow: found again, created once, and deleted where there are two instead of one.

MLflow does not keep the names of runs unique. A slow server may create a run after we stopped waiting for it, looked
for it in vain and created another. So after an unanswered call we wait before anybody looks again; a duplicate that
appears even later is deleted when the study ends. Of two runs the same one is chosen every time, whatever was deleted
in between, so that a duplicate is never written to or restored.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.error_text import causes

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_SECONDS_TO_SETTLE = 20.0
"""Twice as long as we wait for an answer (MLFLOW_HTTP_REQUEST_TIMEOUT)."""

_N_RUNS_PER_PAGE = 1000
_PARENT = "mlflow.parentRunId"
_NUMBER = "sweeps.trial_number"


@contextmanager
def time_to_settle() -> Iterator[None]:
    """Wraps a call that creates something: if there is no answer, the server gets time to finish what it began."""
    try:
        yield
    except Exception as error:
        if any(type(cause).__module__.partition(".")[0] == "requests" for cause in causes(error)):
            time.sleep(_SECONDS_TO_SETTLE)
        raise


@dataclass(frozen=True, slots=True)
class StudyRuns:
    """One study's runs.

    Attributes:
        study: The study's name.
        started_at: Unix time, milliseconds; a study of this name that was begun elsewhere has a different one.
    """

    client: "MlflowClient"
    experiment_id: str
    study: str
    started_at: int

    def create(self, started_at: int, tags: dict[str, str], name: str) -> "Run":
        """Create a run. It may appear later even if this raises."""
        with time_to_settle():
            return self.client.create_run(self.experiment_id, started_at, tags, run_name=name)

    def parent(self, kept_id: str | None) -> "Run | None":
        """The study's own run: the one used before (`kept_id`), else preferably one that was written to."""
        return max(
            self._parents(),
            key=lambda run: (run.info.run_id == kept_id, bool(run.data.params), run.info.run_id),
            default=None,
        )

    def trials(self, parent_id: str, condition: str) -> "dict[int, Run]":
        """Runs below `parent_id` that meet MLflow's `condition`, by trial number, deleted runs included."""
        runs: dict[int, Run] = {}
        for run in self._children(parent_id, condition):
            number = int(run.data.tags[_NUMBER])
            runs[number] = max(run, runs.get(number, run), key=_worth)
        return runs

    def delete_doubles(self, parent_id: str) -> None:
        """Delete all runs of the study but `parent_id`, and all but one of each trial.

        All recorded trials have ended by now, so runs below `parent_id` that are still RUNNING are suspects.
        """
        others = [run for run in self._parents() if run.info.run_id != parent_id]
        parents = [parent_id, *(run.info.run_id for run in others)]
        suspects = self._children(parent_id, "attributes.status = 'RUNNING'")
        for other in parents[1:]:
            suspects += self._children(other, f"tags.`{_NUMBER}` != ''")
        for number in {run.data.tags[_NUMBER] for run in suspects}:
            twins = [run for parent in parents for run in self._children(parent, f"tags.`{_NUMBER}` = '{number}'")]
            best = max(twins, key=_worth)
            for run in twins:
                if run is not best:
                    self._delete(run)
            if best.data.tags[_PARENT] != parent_id and _is_active(best):
                self.client.set_tag(best.info.run_id, _PARENT, parent_id)
        for run in others:
            self._delete(run)

    def _parents(self) -> "list[Run]":
        found = self._search(f"tags.`sweeps.kind` = 'study' AND attributes.start_time = {self.started_at}")
        return [run for run in found if run.data.tags.get("sweeps.study") == self.study]

    def _children(self, parent_id: str, condition: str) -> "list[Run]":
        found = self._search(f"tags.`{_PARENT}` = '{parent_id}' AND {condition}")
        return [run for run in found if _NUMBER in run.data.tags]

    def _search(self, condition: str) -> "list[Run]":
        from mlflow.entities import ViewType

        runs: list[Run] = []
        token: str | None = None
        while True:
            page = self.client.search_runs(
                [self.experiment_id], condition, ViewType.ALL, max_results=_N_RUNS_PER_PAGE, page_token=token
            )
            runs.extend(page)
            token = page.token
            if not token:
                return runs

    def _delete(self, run: "Run") -> None:
        if _is_active(run):
            self.client.delete_run(run.info.run_id)


def _worth(run: "Run") -> tuple[bool, bool, str]:
    """Sort key for runs of one trial, of which the greatest is kept: a complete one first, then one not deleted.

    The id comes last, so that the choice is always the same.
    """
    return run.info.status != "RUNNING", _is_active(run), run.info.run_id


def _is_active(run: "Run") -> bool:
    return bool(run.info.lifecycle_stage == "active")
