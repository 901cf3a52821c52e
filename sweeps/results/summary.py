"""What a person reads at the end of a run."""

import math
import shlex
import textwrap

from optuna.trial import TrialState

from experiments.errors import how_many
from experiments.scores import label
from sweeps.results.result import SweepResult
from sweeps.results.text_tables import leaderboard_table, scores_table
from sweeps.results.verdict import beside_constant, beside_linear, of_shares
from sweeps.search.ensemble import Ensemble

N_BEST = 5


def summary(result: SweepResult) -> str:
    """The end of `run`: the best trials, the winner beside what it must beat, and what to type next."""
    counts = (
        f"{how_many(len(result.rows), 'trial')}: {result.count(TrialState.COMPLETE)} complete, "
        f"{result.count(TrialState.PRUNED)} pruned, {result.count(TrialState.FAIL)} failed"
    )
    parts = [
        f"{result.study}: {result.state}. {counts}, in {result.elapsed_seconds:.1f} s.",
        leaderboard_table(result.rows[:N_BEST]),
    ]
    if result.has_tried_all:
        n = result.n_configurations
        told = f"Every configuration has been tried: the search space has {n}. To search on, widen [search]."
        parts[0] += f"\n{_wrapped(told)}"
    if result.winner is None:
        failed = [row for row in result.rows if row.state == TrialState.FAIL]
        parts.append(
            _wrapped(f"No trial succeeded. Trial {failed[0].number}: {failed[0].notes.reason}")
            if failed
            else "No trial came to the end of a rung: give it more time (timeout_seconds) and run again."
        )
    else:
        winner = result.winner
        of_ensemble = None if winner.ensemble is None else winner.ensemble.out_of_fold
        assert winner.trial.value is not None, "it has won"
        warning = beside_linear(winner.trial.value, winner.baselines_out_of_fold, of_ensemble, winner.objective)
        if warning:
            parts[0] += f"\n{_wrapped(warning)}"
        parts.append(_winner(result))
    if result.promotion is not None:
        parts.append(result.promotion.in_words())
    if left := what_is_pending(result):
        parts.append(left)
    next_steps = [
        f"See every trial and its curves:  {_mlflow_page(result)}",
        f"See all trials in the terminal:  python -m sweeps leaderboard {result.study}",
    ]
    if result.report_file is not None:
        next_steps.insert(0, f"See what mattered, in figures:   {result.report_file}")
    if result.model_name is not None:
        what = "Predict with the ensemble:" if result.is_ensemble_recommended else "Predict with the winner:"
        next_steps.append(f"{what:<33}python -m sweeps predict {result.model_name} INPUT")
    parts.append("\n".join(next_steps))
    return "\n\n".join(parts)


def what_is_pending(result: SweepResult) -> str:
    """What MLflow does not have yet, of this study and of earlier ones, and why; empty when it has everything."""
    lines = []
    if result.delivery.n_pending:
        lines.append(
            f"{how_many(result.delivery.n_pending, 'fact is', 'facts are')} not in MLflow yet: {result.delivery.error}"
        )
    if result.older_pending:
        study, why = next(iter(result.older_pending.items()))
        more = f" and {len(result.older_pending) - 1} more" if len(result.older_pending) > 1 else ""
        lines.append(f"Earlier studies that are not completely in MLflow: {study}{more}: {why}")
    if lines:
        lines.append("All of it is kept. The next run in this folder delivers it, or: python -m sweeps sync")
    return "\n".join(lines)


def _mlflow_page(result: SweepResult) -> str:
    """What to type or open to see the record. A bare `mlflow ui` shows the mlflow.db of its folder and no other."""
    uri = result.tracking_uri
    if uri == f"sqlite:///{result.folder.parents[2] / 'mlflow.db'}":
        return "mlflow ui"
    if uri.startswith(("http://", "https://")):
        return f"open {uri}"
    return f"mlflow ui --backend-store-uri {shlex.quote(uri)}"


def _winner(result: SweepResult) -> str:
    winner = result.winner
    assert winner is not None
    lines = [
        f"Winner: trial {winner.trial.number}, refitted on all training examples for "
        f"{how_many(winner.trial.best_iteration or 0, 'iteration')}.",
        textwrap.indent(
            scores_table(result.n_test, winner.scores, winner.ensemble.scores if winner.ensemble else []), "  "
        ),
    ]
    for score in winner.scores:
        if score.name == "accuracy" and not math.isnan(score.low):
            points = 50 * (score.high - score.low)
            tell = how_many(result.n_test, "example tells", "examples tell")
            lines.append(f"  {tell} accuracies apart to about ± {points:.0f} points.")
    model = winner.model
    if model.threshold is not None:
        lines.append(f"  [study] decision: '{model.class_names[1]}' from a probability of {model.threshold:.4g} on.")
    remarks = (beside_constant(winner.scores), of_shares(result.share_shift, model.threshold, len(model.class_names)))
    lines += [_wrapped(remark, "  ") for remark in remarks if remark]
    if winner.estimate is not None:
        low, high = winner.estimate.interval
        name = label(winner.objective.name)
        text = (
            f"{name[0].upper()}{name[1:]} out of fold {winner.trial.value:.4g}, and {winner.estimate.value:.4g} (95 % "
            f"interval {low:.4g} to {high:.4g}) corrected for having chosen the best of "
            f"{how_many(len(result.rows), 'trial')}."
        )
        lines.append(_wrapped(text))
    lines.append(f"Its model is in {result.model_file}.")
    if winner.ensemble is not None:
        lines += _ensemble(winner.ensemble, label(winner.objective.name))
    return "\n".join(lines)


def _ensemble(ensemble: Ensemble, name: str) -> list[str]:
    """What the ensemble is and reaches, beside the winner."""
    best, value = ensemble.steps[0][1], ensemble.out_of_fold
    shares = ", ".join(f"{share.number} ({share.weight:.0%})" for share in ensemble.shares)
    return [
        "",
        _wrapped(f"Ensemble of the fold models of trial{'' if len(ensemble.shares) == 1 else 's'} {shares}:"),
        f"  {name} out of fold {value:.4g}, of the best trial alone {best:.4g}.",
    ]


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 79, initial_indent=indent, subsequent_indent=indent, break_long_words=False)
