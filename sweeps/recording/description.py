"""A study in words, as Markdown for its run's page: what was searched, on what data, and in the end what won."""

import re
from collections import Counter
from collections.abc import Sequence

from experiments.errors import how_many, listed
from experiments.facts import DataFact
from experiments.scores import label
from sweeps.configuration.config import Config
from sweeps.configuration.search_space import DepthRange, FloatRange, IntRange
from sweeps.search.winner import Winner
from sweeps.trials.configurations import n_trials_of
from sweeps.trials.stored_trial import StoredTrial

N_CLASSES = 20
"""Classes that are named; MLflow keeps 8000 characters of a description."""


def searched(config: Config, data: DataFact) -> str:
    """What was searched, and on what data; known when a study begins."""
    balance = listed((f"{count:,} {_plain(name)}" for name, count in data.class_balance.items()), N_CLASSES)
    ranges = "\n".join(f"| `{key}` | {_in_words(value)} |" for key, value in config.space)
    return (
        f"**{config.sweep.name}**: {how_many(n_trials_of(config), 'trial')} on "
        f"{how_many(data.n_train, 'training example')} of {how_many(data.n_features, 'feature')} "
        f"({data.task}{': ' + balance if balance else ''}) from {_plain(data.source)}; "
        f"{how_many(data.n_test, 'test example')} sealed away.\n\n"
        f"| searched | values |\n|---|---|\n{ranges}\n"
    )


def won(winner: Winner | None, trials: Sequence[StoredTrial], n_test: int, has_report: bool) -> str:
    """What came of it; known when a study ends. The scores come first: MLflow folds the rest away."""
    count = Counter(trial.state.name for trial in trials)
    counts = (
        f"{how_many(len(trials), 'trial')}: {count['COMPLETE']:,} complete, {count['PRUNED']:,} pruned, "
        f"{count['FAIL']:,} failed"
    )
    if winner is None:
        return f"**No trial won.** {counts}.\n"
    trial = winner.trial
    hyperparameters = "\n".join(
        f"| `{name}` | {f'{value:.4g}' if isinstance(value, float) else value} |"
        for name, value in trial.params.items()
    )
    name = label(winner.objective.name)
    simple = "".join(f"| the same of {name} | {cost:.4g} |\n" for name, cost in winner.baselines_out_of_fold.items())
    report = " In figures: `report.html` among the artifacts." if has_report else ""
    return (
        f"**Trial {trial.number} won.** Refitted, on the {how_many(n_test, 'sealed test example')}:\n\n"
        f"{_scores(winner)}"
        f"{_out_of_fold(winner, len(trials))}{_ensemble(winner)}\n"
        f"{counts}.{report}\n\n"
        f"| won | |\n|---|---|\n{hyperparameters}\n"
        f"| validation {name}, mean over the folds | {trial.value:.4g} at iteration {trial.best_iteration} |\n{simple}"
    )


def _scores(winner: Winner) -> str:
    lines = []
    for score in winner.scores:
        others = ", ".join(f"{model} {value:.4g}" for model, value in score.baselines.items())
        interval = f"95 % interval {score.interval_in_words}"
        lines.append(f"- {score.name} **{score.value:.4g}**, {interval} ({others})\n")
    return "".join(lines)


def _out_of_fold(winner: Winner, n_trials: int) -> str:
    if winner.estimate is None:
        return ""
    low, high = winner.estimate.interval
    name = label(winner.objective.name)
    return (
        f"- {name} out of fold {winner.trial.value:.4g}; **{winner.estimate.value:.4g}**, 95 % interval {low:.4g} to "
        f"{high:.4g}, corrected for being the best of {how_many(n_trials, 'trial')}\n"
    )


def _ensemble(winner: Winner) -> str:
    ensemble = winner.ensemble
    if ensemble is None:
        return ""
    shares = ", ".join(f"{share.number} ({share.weight:.0%})" for share in ensemble.shares)
    scores = "".join(
        f"; {score.name} **{score.value:.4g}**, 95 % interval {score.interval_in_words}" for score in ensemble.scores
    )
    return (
        f"\n**Ensemble** of the fold models of trials {shares}: {label(winner.objective.name)} out of "
        f"fold {ensemble.out_of_fold:.4g}, of the best trial alone {ensemble.steps[0][1]:.4g}{scores}.\n"
    )


def _in_words(values: object) -> str:
    if isinstance(values, FloatRange | IntRange | DepthRange):
        return f"{values.low} to {values.high}{', logarithmically' if values.log else ''}"
    return ", ".join(map(str, values)) if isinstance(values, tuple) else str(values)


def _plain(text: str) -> str:
    """A user's text as Markdown that shows it: no markup in it takes effect."""
    return re.sub(r"([\\`*_{}\[\]<>()#+.!|~&-])", r"\\\1", " ".join(text.split()))
