"""The gate: the model that a sweep recommends beside the champion, on the same sealed rows, scored now, both of them.

What is decided is written down as a fact; whoever delivers it moves the alias, tonight or when MLflow is back.
"""

import platform
import time
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np

from engine.durable_file import write_durably
from engine.errors import EngineError
from experiments.errors import InputError
from experiments.facts import VerdictReached
from experiments.model import Model
from experiments.preparation import PreparedData
from experiments.promotion.champion import Champion
from experiments.promotion.comparison import Evidence, Scored
from experiments.promotion.judgement import Terms
from experiments.promotion.ledger import Ledger
from experiments.promotion.outcome import Outcome
from experiments.promotion.rows import Choice, StudyRows, choose_rows
from experiments.promotion.scoring import NotScorableError, decisive, score_constant, score_model
from experiments.promotion.spending import allowance
from experiments.promotion.verdict import ModelRef, Reference, RowsUsed, Verdict, digest_of, find
from experiments.promotion.words import Promotion
from experiments.readers.room import shortage
from sweeps import __version__
from sweeps.configuration.config import Config
from sweeps.recording.record import Record
from sweeps.search.winner import Winner
from sweeps.storage.study_folder import StudyFolder
from sweeps.storage.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Gate:
    """What a decision needs.

    Attributes:
        prepared: The challenger's data; the sealed rows are compared on.
        record: Of the challenger's study, which has stopped.
    """

    config: Config
    prepared: PreparedData
    workspace: Workspace
    folder: StudyFolder
    record: Record

    def pass_through(self, winner: Winner) -> Promotion:
        """Decide whether the recommended model becomes champion, once for each model, and write that down.

        What is wrong with the files of earlier decisions ends no run: it is said, and nothing moves.
        """
        try:
            document = self._document(winner)
            write_durably(self.folder.verdict, document.encode())
            Ledger(self.workspace.ledger(self.folder.sweep_name)).add(document)
        except (InputError, NotScorableError) as error:
            return Promotion(problem=str(error))
        except MemoryError as error:
            return Promotion(problem=shortage(error))
        return Promotion(Verdict.from_json(document, str(self.folder.verdict)), digest_of(document))

    def _document(self, winner: Winner) -> str:
        is_ensemble = winner.ensemble is not None and winner.ensemble.is_recommended
        file = self.folder.ensemble if is_ensemble else self.folder.model
        challenger = ModelRef("", self.folder.study_name, _digest(file))
        if (reached := self.record.verdict(challenger.digest)) is not None:  # before a kill
            return reached.document
        ledger = Ledger(self.workspace.ledger(self.folder.sweep_name))
        rows = StudyRows.of(self.prepared.dataset)
        rows.save(self.folder.rows)
        champion = self._champion(with_past=not ledger.entries)
        now, section = time.time(), self.config.promotion
        past = [*ledger.spending, *champion.past]
        allowed = allowance(past, now, section.alpha_per_year, section.decisions_per_year)
        terms = Terms(
            allowed.alpha,
            allowed.spent,
            section.alpha_per_year,
            section.margin,
            self.config.sweep.seed,
            allowed.free_at,
        )
        comparison = self._compared(winner, champion, rows)
        verdict = Verdict(
            sweep=self.folder.sweep_name,
            decided_at=now,
            challenger=challenger,
            champion=champion.model,
            reference=comparison.reference,
            problem=comparison.problem,
            mode=section.promote,
            rows=comparison.rows,
            evidence=comparison.evidence,
            terms=terms,
            finding=find(comparison.evidence, terms, comparison.reference, comparison.problem),
            software={"sweeps": __version__, "python": platform.python_version()}
            | {package: version(package) for package in ("numpy", "scipy")},
            previous=ledger.last_digest,
        )
        document = verdict.to_json()
        self.record.reached(VerdictReached(challenger.study, challenger.digest, document))
        return document

    def _champion(self, *, with_past: bool) -> Champion:
        """Who MLflow says it is; while it does not say, who it was when it last did.

        Raises:
            NotScorableError: Then the model file must be here, and is not: nothing can be decided tonight.
        """
        kept = self.workspace.known_champion(self.folder.sweep_name)
        champion, error = self.record.champion(with_past=with_past)
        if champion is not None:
            champion.save(kept)
            return champion
        known = Champion.load(kept) or Champion(None, problem=error)
        if known.model is not None and (known.file is None or not Path(known.file).is_file()):
            raise NotScorableError(
                f"MLflow does not say who is champion ({error}), and the model of version {known.model.version}, who "
                "was, is not in this folder; the next run decides on its own model"
            )
        return known

    def _compared(self, winner: Winner, champion: Champion, rows: StudyRows) -> "_Comparison":
        if champion.model is None:
            return _Comparison("nobody", champion.problem)
        ensemble = winner.ensemble
        model = ensemble.model if ensemble is not None and ensemble.is_recommended else winner.model
        study_of_champion = self.workspace.study_folder(champion.model.study) if champion.model.study else None
        of_champion = None if study_of_champion is None else StudyRows.load(study_of_champion.rows)
        choice = choose_rows(rows, of_champion)
        dataset, objective = self.prepared.dataset, self.config.study.objective
        what = decisive(objective, dataset)
        try:
            reference: Reference = "champion"
            scored, problem = self._scored_champion(champion, choice, what), ""
        except NotScorableError as error:
            reference, problem = "constant", str(error)
            choice = choose_rows(rows, None)
            scored = score_constant(self.prepared, choice.is_used, what)
        evidence = Evidence.of(
            what,
            scored,
            score_model(model, self.prepared, choice.is_used, what),
            dataset.y_test[choice.is_used],
            dataset.class_names,
            dataset.relation_test and dataset.relation_test.of(np.flatnonzero(choice.is_used)),
        )
        used = RowsUsed(
            digest=choice.digest,
            n_sealed=dataset.n_test,
            n_used=int(choice.is_used.sum()),
            n_left_out=choice.n_left_out,
            are_new=choice.are_new,
            are_known=of_champion is not None,
        )
        return _Comparison(reference, problem, used, evidence)

    def _scored_champion(self, champion: Champion, choice: Choice, what: str) -> Scored:
        if champion.file is None:
            raise NotScorableError(champion.problem)
        try:
            model = Model.load(Path(champion.file))
        except (InputError, EngineError, OSError) as error:
            raise NotScorableError(f"its model file cannot be read: {error}") from error
        return score_model(model, self.prepared, choice.is_used, what)


@dataclass(frozen=True, slots=True, eq=False)
class _Comparison:
    reference: Reference
    problem: str = ""
    rows: RowsUsed | None = None
    evidence: Evidence | None = None


def with_outcome(promotion: Promotion, folder: StudyFolder) -> Promotion:
    """The same, and what delivery made of it by now."""
    if promotion.verdict is None:
        return promotion
    return replace(promotion, outcome=Outcome.load(folder.outcome, promotion.digest))


def _digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()
