"""The report's page: what won, the tables, the configuration; `figures` has what is drawn."""

import time
from collections.abc import Sequence
from itertools import pairwise

import pandas as pd

from engine.objectives import Objective
from experiments.errors import how_many
from experiments.facts import Score, SweepFinished
from experiments.report import Figure, Page, Section, Tile, tables
from experiments.report.figures import value_of_steps, winner_beside_baselines
from experiments.scores import label
from sweeps.drift.story import Story
from sweeps.report import figures
from sweeps.report.optuna_figures import value_name
from sweeps.report.reported_study import ReportedStudy
from sweeps.results.verdict import beside_constant, beside_linear
from sweeps.trials.space import Candidate

N_BEST = 30
N_FAILURES = 20


def page_of(study: ReportedStudy, story: Story | None = None) -> Page:
    """The page of a study that has a complete trial, and what moved since earlier ones, where there are any."""
    sections = [
        _what_won(study),
        _ensemble(study),
        _leaderboard(study),
        *figures.sections(study),
        None if story is None else story.section(),
        _failures(study),
        _data_and_configuration(study),
    ]
    return Page(study.name, _subtitle(study), _tiles(study), [s for s in sections if s is not None], _remark(study))


def _subtitle(study: ReportedStudy) -> str:
    parts = [study.state.capitalize()]
    if study.started is not None:
        parts.append(f"begun {_utc(study.started.started_at)}")
        if study.finished is not None and study.state == "FINISHED":
            parts.append(f"trials and winner took {_duration(study.finished.ended_at - study.started.started_at)}")
        data = study.started.data
        of = how_many(data.n_features, "feature")
        parts.append(f"{data.task}, {how_many(data.n_train, 'training example')} of {of}")
    return " · ".join(parts)


def _remark(study: ReportedStudy) -> str:
    """What a reader must know before any figure; "" while the sweep runs, and where all is as it should be."""
    end = study.finished
    if end is None or "value" not in end.metrics:
        return ""
    remarks = (
        beside_linear(end.metrics["value"], end.baselines_out_of_fold, end.ensemble_out_of_fold, study.objective),
        beside_constant(end.scores),
    )
    return " ".join(remark for remark in remarks if remark)


def _tiles(study: ReportedStudy) -> list[Tile]:
    counts = study.table["outcome"].value_counts()
    best = study.leaderboard[0]
    tiles = [Tile(f"{n:,}", f"trials {state}") for state, n in counts.items()]
    tiles.append(Tile(f"{best.value:.4g}", f"best {value_name(study.objective)} (trial {best.number})"))
    corrected = None if study.finished is None else study.finished.corrected
    if corrected is not None:
        interval = f"95 % interval {corrected.low:.4g} to {corrected.high:.4g}"
        what = f"that value, corrected for being the best of {how_many(len(study.trials), 'trial')}; {interval}"
        tiles.append(Tile(f"{corrected.value:.4g}", what))
    for score in _scores(study):
        tiles.append(Tile(f"{score.value:.4g}", f"test {label(score.name)}, 95 % interval {score.interval_in_words}"))
    if study.outbox is not None:
        tiles.append(Tile(_duration(study.table["training_seconds"].sum()), "training time, all workers together"))
    return tiles


def _what_won(study: ReportedStudy) -> Section:
    best = study.leaderboard[0]
    at = f"iteration {best.best_iteration} of {best.candidate.n_iterations}"
    hyperparameters = {
        "trial": str(best.number),
        value_name(study.objective): f"{best.value:.6g} at {at}",
        "learning rate": f"{best.candidate.learning_rate:.4g}",
        "hidden units": best.candidate.widths,
        "activation": best.candidate.activation,
        "trained by": _training(best.candidate),
    }
    scores = _scores(study)
    if not scores:
        note = "The best so far. The test set stays sealed until the sweep is finished; then the winner meets it once."
        return Section("winner", "What leads", note, tables.pairs(hyperparameters))
    sealed = "sealed test examples"
    if study.started is not None:
        sealed = how_many(study.started.data.n_test, "sealed test example")
    note = (
        f"Refitted on all training examples for {how_many(best.best_iteration or 0, 'iteration')}, then scored once on "
        f"the {sealed}, beside what a constant and a linear model reach on them."
    )
    rivals = {} if study.finished is None else {score.name: score for score in study.finished.ensemble_scores}
    score_tables = [_score_table(score, rivals.get(score.name)) for score in scores]
    html = tables.beside(tables.pairs(hyperparameters), *score_tables)
    drawn = []
    for score in scores:
        figure = winner_beside_baselines(score, label(score.name))
        drawn.append(Figure(f"Test {label(score.name)}", figure, 190, is_wide=len(scores) == 1))
    return Section("winner", "What won", note, html, drawn)


def _scores(study: ReportedStudy) -> list[Score]:
    return [] if study.finished is None else study.finished.scores


def _score_table(score: Score, of_ensemble: Score | None) -> str:
    rows = [
        ("winner", score.value, score.interval_in_words),
        *([] if of_ensemble is None else [("ensemble", of_ensemble.value, of_ensemble.interval_in_words)]),
        *((model, value, "") for model, value in score.baselines.items()),
    ]
    name = f"test {label(score.name)}"
    frame = pd.DataFrame(rows, columns=["model", name, "95 % interval"])
    return tables.table(frame, {name: "{:.4g}".format}, first_row_class="winner")


def _ensemble(study: ReportedStudy) -> Section | None:
    finished = study.finished
    if finished is None or not finished.ensemble_steps:
        return None
    steps = finished.ensemble_steps
    use = "It is" if finished.recommended == "ensemble" else "The winner, not the ensemble, is"
    note = (
        f"Fold models of {how_many(len(finished.ensemble_shares), 'trial')}, whose answers are averaged. Each step "
        "added the trial that made the mean best on the examples its fold models held out; one that was added twice "
        f"weighs double. Test scores stand beside the winner's above. {use} the recommended model of this sweep."
    )
    name = label(study.objective.name)
    figure = Figure(f"{name[0].upper()}{name[1:]} out of fold after each step", value_of_steps(steps, name), 280)
    html = tables.beside(_share_table(study, finished), _step_table(steps, study.objective))
    return Section("ensemble", "Ensemble", note, html, [figure])


def _share_table(study: ReportedStudy, finished: SweepFinished) -> str:
    name = value_name(study.objective)
    values = {trial.number: trial.value for trial in study.leaderboard}
    rows = [(number, weight, values.get(number)) for number, weight in finished.ensemble_shares]
    frame = pd.DataFrame(rows, columns=["trial", "weight", name])
    return tables.table(frame, {"weight": "{:.1%}".format, name: "{:.6g}".format})


def _step_table(steps: Sequence[tuple[int, float]], objective: Objective) -> str:
    name = f"{label(objective.name)} out of fold"
    ordered = [objective.ordered(value) for _, value in steps]
    gains = [None, *(before - after for before, after in pairwise(ordered))]
    rows = [(step, *of_step, gain) for step, (of_step, gain) in enumerate(zip(steps, gains, strict=True), 1)]
    frame = pd.DataFrame(rows, columns=["step", "adds trial", name, "gain"])
    return tables.table(frame, {name: "{:.6g}".format, "gain": "{:.2g}".format})


def _training(candidate: Candidate) -> str:
    """The optimizer, and what an update is made from."""
    examples = f"minibatches of {candidate.minibatch_size}" if candidate.minibatch_size else "all examples"
    return f"{candidate.optimizer}, {examples}"


def _leaderboard(study: ReportedStudy) -> Section:
    shown, name = study.ranked.head(N_BEST), value_name(study.objective)
    frame = pd.DataFrame(
        {
            "trial": shown["number"],
            "state": shown["outcome"],
            name: shown["value"],
            "at iteration": shown["best_iteration"],
            "of": shown["n_iterations"],
            "learning rate": shown["learning_rate"],
            "hidden units": [trial.candidate.widths for trial in study.leaderboard[:N_BEST]],
            "activation": shown["activation"],
            "trained by": [_training(trial.candidate) for trial in study.leaderboard[:N_BEST]],
            "training, s": shown["training_seconds"],
        }
    )
    formats = {name: "{:.6g}".format, "learning rate": "{:.4g}".format, "training, s": "{:.2f}".format}
    note = f"Complete trials by {name}, the mean over the folds at its best; then pruned ones."
    if len(study.leaderboard) > N_BEST:
        csv = f"python -m sweeps report {study.name} --csv trials.csv"
        note += f" The first {N_BEST} of {len(study.leaderboard):,}; all of them: {csv}"
    return Section("leaderboard", "Leaderboard", note, tables.table(frame, formats, first_row_class="winner"))


def _failures(study: ReportedStudy) -> Section | None:
    failed = study.table[study.table["outcome"].isin(["failed", "interrupted"])]
    if failed.empty:
        return None
    frame = pd.DataFrame({"trial": failed["number"], "state": failed["outcome"], "reason": failed["reason"]})
    note = "Trials that failed, or that the sweep interrupted at its end."
    if len(failed) > N_FAILURES:
        note += f" The first {N_FAILURES} of {len(failed):,}."
    html = tables.table(frame.head(N_FAILURES), text_columns=("reason",))
    return Section("failures", "Failures", note, html)


def _data_and_configuration(study: ReportedStudy) -> Section:
    started = study.started
    if started is None:
        note = "They are in the study's outbox, which stayed in the folder where the sweep was run."
        return Section("configuration", "Data and configuration", note)
    data = started.data
    facts = {
        "data": f"{data.source} (digest {data.digest})",
        "examples": f"{data.n_train:,} to train on, {data.n_test:,} sealed away to test",
        "features": f"{data.n_features:,}",
        "task": data.task,
    }
    if data.class_balance:
        facts["classes"] = ", ".join(f"{name}: {n:,}" for name, n in data.class_balance.items())
    facts |= {_tag(key): value for key, value in started.tags.items()}
    html = tables.pairs(facts) + tables.preformatted(started.config_toml)
    return Section("configuration", "Data and configuration", "", html)


def _tag(key: str) -> str:
    """ "sweeps.packages.numpy" as "numpy"; MLflow's own tags keep their names."""
    return key.removeprefix("sweeps.packages.").removeprefix("sweeps.").removeprefix("mlflow.").replace(".", " ")


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _duration(seconds: float) -> str:
    """ "8.3 s", "12 min 5 s", "3 h 20 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
