"""What the report draws, section by section; where only a part of the trials is drawn, it says so."""

from collections.abc import Sequence

from experiments.errors import how_many
from experiments.facts import TrialFinished
from experiments.report import Figure, Section, figures
from experiments.scores import label
from sweeps.report import optuna_figures
from sweeps.report.optuna_figures import N_BARS, N_LINES, N_POINTS, N_POINTS_OF_SLICE, value_name
from sweeps.report.reported_study import ReportedStudy
from sweeps.search.importances import MIN_TRIALS_FOR_IMPORTANCES, complete

N_CURVES = 30
"""Trials whose learning curves are drawn beside the best one's."""

NO_OUTBOX = "is in the study's outbox, which is not in this folder: open the report where the sweep was run."


def sections(study: ReportedStudy) -> list[Section]:
    """All that is drawn, in the order of the page."""
    return [
        _history(study),
        _importances(study),
        _parallel_coordinates(study),
        _slices(study),
        _learning_curves(study),
        _depth_and_width(study),
        _time_spent(study),
    ]


def _history(study: ReportedStudy) -> Section:
    n_complete = len(complete(study.trials))
    note = "" if n_complete <= N_POINTS else f"{_sampled(N_POINTS, n_complete)} The line of the best is that of all."
    figure = optuna_figures.optimization_history(study.trials, study.objective)
    return Section("history", "Optimization history", note, "", [Figure(f"{_value(study)} by trial", figure)])


def _importances(study: ReportedStudy) -> Section:
    n_complete = len(complete(study.trials))
    if not study.importances:
        note = (
            f"{how_many(n_complete, 'complete trial is', 'complete trials are')} too few, or too equal, to tell "
            f"which hyperparameters mattered; it takes {MIN_TRIALS_FOR_IMPORTANCES} of different values."
        )
        return Section("importances", "Parameter importances", note)
    note = (
        "How much each hyperparameter decided whether a trial came among the best tenth (PED-ANOVA of the "
        f"{n_complete:,} complete trials)."
    )
    if n_complete < 50:
        note += " So few tell a tendency, not a number."
    if study.without_importance:
        names = ", ".join(study.without_importance)
        note += f" Of {names} it says nothing, whatever the bar: no trial of the best tenth has such a layer."
    figure = optuna_figures.param_importances(study.trials, study.objective)
    height = 90 + 28 * len(study.importances)
    return Section("importances", "Parameter importances", note, "", [Figure("Importance", figure, height)])


def _parallel_coordinates(study: ReportedStudy) -> Section:
    n_complete = len(complete(study.trials))
    note = "One line a complete trial, darker the lower its value; None: the network has no such layer."
    if n_complete > N_LINES:
        note += f" {_sampled(N_LINES, n_complete)}"
    figure = Figure(
        "Hyperparameters together",
        optuna_figures.parallel_coordinates(study.trials, study.objective),
        420,
        min_width=1040,
    )
    return Section("parallel", "Parallel coordinates", note, "", [figure])


def _slices(study: ReportedStudy) -> Section:
    n_complete = len(complete(study.trials))
    note = "The value of complete trials against each hyperparameter alone; darker points are later trials."
    if n_complete > N_POINTS_OF_SLICE:
        note += f" {_sampled(N_POINTS_OF_SLICE, n_complete)}"
    drawn = [
        Figure(f"{_value(study)} by {name}", figure, 280, is_wide=False)
        for name, figure in optuna_figures.slices(study.trials, study.objective).items()
    ]
    return Section("slices", "Slices", note if drawn else "No hyperparameter was searched.", "", drawn)


def _learning_curves(study: ReportedStudy) -> Section:
    best, others = _trials_with_curves(study)
    if best is None:
        return Section("curves", "Learning curves", f"What was recorded along each training {NO_OUTBOX}")
    value = value_name(study.objective)
    note = (
        f"Means over the folds, from the first iteration on. The dashed line is where the {value} of trial "
        f"{best.number} was best. Beside it {how_many(len(others), 'other trial')}, evenly spread over the leaderboard."
    )
    drawn = []
    curve = f"validation_{study.objective.name}"
    for quantity in dict.fromkeys(("cost", "accuracy", "rmse", study.objective.name)):
        name = label(quantity)
        if f"validation_{quantity}" in best.curves:
            figure = figures.best_trial_curves(best, quantity, name)
            drawn.append(Figure(f"Trial {best.number}, the best: {name}", figure, is_wide=False))
    drawn.append(
        Figure(
            f"{_value(study)} of a sample", figures.sample_curves(best, others, curve, value_name(study.objective)), 420
        )
    )
    return Section("curves", "Learning curves", note, "", drawn)


def _depth_and_width(study: ReportedStudy) -> Section:
    of_table = study.table[study.table["outcome"] == "complete"]
    note = "Complete trials. A box holds the middle half of its trials; its line is their median."
    if len(of_table) > N_POINTS:
        note += f" By width: {_sampled(N_POINTS, len(of_table))}"
    shown = optuna_figures.sample(complete(study.trials), N_POINTS, study.objective)
    numbers, value = [trial.number for trial in shown], value_name(study.objective)
    drawn = [Figure(f"{_value(study)} by depth", figures.value_by_depth(of_table, value), is_wide=False)]
    if (of_table["depth"] > 0).any():
        by_width = figures.value_by_width(of_table[of_table["number"].isin(numbers)], value)
        drawn.append(Figure(f"{_value(study)} by width", by_width, is_wide=False))
    return Section("depth-width", "Depth and width", note, "", drawn)


def _time_spent(study: ReportedStudy) -> Section:
    timeline = Figure("Trials over time", optuna_figures.timeline(study.trials))
    n_begun = len(study.trials)
    last = f"The last {N_BARS} of {n_begun:,} trials" if n_begun > N_BARS else "Trials"
    waiting = f"{last} from their first rung to their last, waiting for a worker included."
    if study.table["training_seconds"].isna().all():
        return Section("time", "Time spent", f"The training time of each trial {NO_OUTBOX} {waiting}", "", [timeline])
    known = study.table.dropna(subset=["training_seconds"])
    note = f"Training time is what workers spent computing. {waiting}"
    drawn = [
        Figure("Training time by outcome", figures.time_by_state(known), 240, is_wide=False),
        Figure("Training time by depth and activation", figures.time_by_architecture(known), 280, is_wide=False),
        timeline,
    ]
    return Section("time", "Time spent", note, "", drawn)


def _trials_with_curves(study: ReportedStudy) -> tuple[TrialFinished | None, list[TrialFinished]]:
    """The best trial's fact and a sample of others', evenly spread over the leaderboard; read one by one."""
    if study.outbox is None:
        return None, []
    others = study.ranked.iloc[1:].dropna(subset=["value"])["number"].tolist()
    facts = [study.outbox.trial(number) for number in [study.leaderboard[0].number, *_evenly(others, N_CURVES)]]
    best, *rest = [fact if fact is not None and fact.curves.get("validation_cost") else None for fact in facts]
    return best, [fact for fact in rest if fact is not None]


def _evenly(items: Sequence[int], n: int) -> list[int]:
    """At most n of the items, the first and the last among them."""
    if len(items) <= n:
        return list(items)
    return [items[round(i * (len(items) - 1) / (n - 1))] for i in range(n)]


def _sampled(n: int, n_all: int) -> str:
    return (
        f"Shown are {n:,} of the {n_all:,} complete trials: the best {n // 4:,}, "
        "and others spread evenly over the sweep."
    )


def _value(study: ReportedStudy) -> str:
    name = value_name(study.objective)
    return name[0].upper() + name[1:]
