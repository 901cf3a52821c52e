"""What lies in the folder of one study, `.sweeps/<name>/<UTC time>/`."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from engine.durable_file import leftovers, write_durably
from experiments.promotion.outcome import OUTCOME_FILE
from sweeps.execution.contract import WORKER_DATA_PREFIX

REMOVED = ".removed"
"""How the name of a folder ends that is being removed; it begins with a dot, so that nobody takes it for a study."""


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """The paths below one folder; which of them exist depends on how far the study is."""

    path: Path

    @property
    def study_name(self) -> str:
        """`<name>/<UTC time>`."""
        return f"{self.sweep_name}/{self.path.name}"

    @property
    def sweep_name(self) -> str:
        """`[sweep] name`."""
        return self.path.parent.name

    @property
    def outbox(self) -> Path:
        """The study's facts, see `experiments.outbox`."""
        return self.path / "outbox.jsonl"

    @property
    def checkpoint(self) -> Path:
        """States of running trials; gone when the study has ended."""
        return self.path / "checkpoint.h5"

    @property
    def kept_trials(self) -> Path:
        """The best trials' fold models, see `kept_trials.py`; gone when another study of the sweep has begun."""
        return self.path / "kept"

    @property
    def model(self) -> Path:
        """The winner, see `experiments.model`."""
        return self.path / "model.h5"

    @property
    def ensemble(self) -> Path:
        """The winner's rival of several networks, where there is one; see `experiments.model`."""
        return self.path / "ensemble.h5"

    @property
    def report(self) -> Path:
        """The page with all figures; of the same name among the artifacts of its run in MLflow."""
        return self.path / "report.html"

    @property
    def rows(self) -> Path:
        """Digests of its rows, see `experiments.promotion.rows`."""
        return self.path / "rows.npz"

    @property
    def verdict(self) -> Path:
        """Whether its model becomes champion, see `experiments.promotion.verdict`."""
        return self.path / "verdict.json"

    @property
    def outcome(self) -> Path:
        """What became of the verdict in MLflow, once it is delivered; see `experiments.promotion.outcome`."""
        return self.path / OUTCOME_FILE

    @property
    def _tracking_uri(self) -> Path:
        return self.path / "tracking_uri"

    @property
    def _storage_url(self) -> Path:
        return self.path / "storage"

    def create(self) -> None:
        """Make the folder, private to its user, if it is not there."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep_tracking_uri(self, uri: str | None) -> None:
        """Remember where the study's facts go, for `sync`: as configured, variables not expanded."""
        if uri is not None:
            write_durably(self._tracking_uri, uri.encode())
        else:
            self._tracking_uri.unlink(missing_ok=True)

    def kept_tracking_uri(self) -> str | None:
        """What was kept; None is the default."""
        return _text_of(self._tracking_uri)

    def keep_storage_url(self, url: str | None) -> None:
        """Remember which database the study is in, for `status` and the like: as configured; None is the journal."""
        if url is not None:
            self.create()
            write_durably(self._storage_url, url.encode())  # half of it would be another address

    def kept_storage_url(self) -> str | None:
        """What was kept; None is the journal."""
        return _text_of(self._storage_url)

    def remove(self) -> None:
        """Remove the folder, whole or not at all for whoever looks: first its name goes."""
        gone = self.path.with_name(f".{self.path.name}{REMOVED}")
        self.path.replace(gone)
        shutil.rmtree(gone)

    def remove_kept_trials(self) -> None:
        """Remove the fold models, all or none for whoever looks: a study that had only some would go on with these."""
        if self.kept_trials.exists():
            self.kept_trials.replace(self._kept_no_longer)
        self._remove_what_is_kept_no_longer()

    @property
    def _kept_no_longer(self) -> Path:
        return self.kept_trials.with_name(f"{self.kept_trials.name}{REMOVED}")

    def _remove_what_is_kept_no_longer(self) -> None:
        if self._kept_no_longer.exists():
            shutil.rmtree(self._kept_no_longer, ignore_errors=True)

    def remove_leftovers(self) -> None:
        """Remove what a killed run left behind and no other run will ever look at."""
        self._remove_what_is_kept_no_longer()
        for folder in (self.path, self.kept_trials):
            for file in leftovers(folder):  # `sync` takes no lease, and may be marking a delivery here
                file.unlink(missing_ok=True)
        for directory in self.path.glob(f"{WORKER_DATA_PREFIX}*"):
            shutil.rmtree(directory, ignore_errors=True)


def _text_of(file: Path) -> str | None:
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        return None
