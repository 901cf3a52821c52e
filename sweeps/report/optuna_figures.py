"""Optuna's figures of a study, in the report's look, from as many trials as a browser draws in a second.

Optuna's figures copy every trial several times over and draw one SVG element or more for each. So they are shown a
snapshot that is never copied, and of a large study a sample: the best trials, and others spread evenly over the sweep.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from engine.objectives import COST, Objective
from experiments.report.drawing import Drawing
from experiments.report.figures import BEST_COLOR, STATE_COLORS, labelled, scaled
from experiments.scores import label
from sweeps.search.importances import complete, searched_params, snapshot

if TYPE_CHECKING:
    import plotly.graph_objects as go

N_POINTS = 600
"""Trials in a scatter plot."""

N_POINTS_OF_SLICE = 300
"""Trials in each of the small scatter plots beside each other."""

N_LINES = 80
"""Trials in the parallel coordinates, one line each."""

N_BARS = 200
"""Trials on the time line."""

_BLUES = [[0, "rgb(247,251,255)"], [0.5, "rgb(107,174,214)"], [1, "rgb(8,48,107)"]]
"""As in Optuna's figures; plotly.js has another scale of that name."""


def value_name(objective: Objective) -> str:
    """What the value of a trial is, on an axis."""
    return f"validation {label(objective.name)}"


def sample(trials: Sequence[FrozenTrial], n: int, objective: Objective) -> list[FrozenTrial]:
    """At most n of the trials, in their order: the best quarter of n, the others evenly spread."""
    if len(trials) <= n:
        return list(trials)
    by_value = sorted(trials, key=lambda trial: (objective.ordered(trial.value), trial.number))
    chosen = {trial.number for trial in by_value[: n // 4]}
    others = [trial.number for trial in trials if trial.number not in chosen]
    chosen.update(others[int(i)] for i in np.linspace(0, len(others) - 1, n - len(chosen)))
    return [trial for trial in trials if trial.number in chosen]


def optimization_history(trials: Sequence[FrozenTrial], objective: Objective) -> "go.Figure":
    """Values in the order of the trials and the best so far; pruned trials at the best value they came to."""
    from optuna.visualization import plot_optimization_history

    ended = complete(trials)
    figure = plot_optimization_history(
        snapshot(trials, objective), target_name=value_name(objective)
    )  # of all: it takes a number for an index
    values, best, _ = figure.data
    for line, shown in (
        (values, sample(ended, N_POINTS, objective)),
        (best, [*_records(ended, objective), trials[-1]]),
    ):
        height = dict(zip(line.x, line.y, strict=True))
        line.update(x=[trial.number for trial in shown], y=[height[trial.number] for trial in shown])
    values.update(name="complete", marker={"color": STATE_COLORS["complete"], "size": 6, "opacity": 0.7})
    best.update(name="best so far", line={"color": BEST_COLOR, "width": 2, "shape": "hv"})
    pruned = [t for t in trials if t.state == TrialState.PRUNED and t.value is not None]
    pruned = sample(pruned, N_POINTS // 2, objective)
    figure.add_scatter(
        x=[trial.number for trial in pruned],
        y=[trial.value for trial in pruned],
        mode="markers",
        name="pruned, at its best",
        marker={"color": STATE_COLORS["pruned"], "size": 6, "opacity": 0.8, "symbol": "x-thin-open"},
        showlegend=bool(pruned),
    )
    figure.update_traces(hovertemplate="trial %{x}: %{y:.4g}<extra></extra>")
    y = scaled(trial.value for trial in [*ended, *pruned])
    return labelled(figure, "trial", value_name(objective), {"tickformat": ",d"}, y)


def param_importances(trials: Sequence[FrozenTrial], objective: Objective) -> "go.Figure":
    """The bars of `importances`, where there are any."""
    from optuna.visualization import plot_param_importances

    figure = plot_param_importances(snapshot(trials, objective))
    figure.update_traces(marker={"color": STATE_COLORS["complete"]}, hoverinfo="skip", hovertemplate=None)
    figure.update_layout(showlegend=False, margin={"r": 40})
    return labelled(figure, "importance (sum 1)", "")


def parallel_coordinates(trials: Sequence[FrozenTrial], objective: Objective) -> "go.Figure":
    """One line a trial through its value and its hyperparameters; "None" where it has no such layer."""
    from optuna.visualization import plot_parallel_coordinate

    shown = sample(complete(trials), N_LINES, objective)
    ended = sorted(shown, key=lambda trial: -objective.ordered(trial.value))  # the best are drawn on top
    is_log = scaled(trial.value for trial in ended)["type"] == "log"
    target = (lambda trial: math.log10(trial.value)) if is_log else None
    figure = plot_parallel_coordinate(snapshot(ended, objective), target=target, target_name=value_name(objective))
    if is_log:
        _say_powers_of_ten(figure)
    for line in figure.data[:-1]:
        line.opacity = 0.7
    for note in figure.layout.annotations:
        note.update(text=_plain(note.text), bgcolor="rgba(255,255,255,0.75)")
    figure.update_layout(margin={"l": 56, "t": 32, "b": 16})
    return labelled(figure, "", "", {"side": "top", "tickangle": 0, "fixedrange": True})


def slices(trials: Sequence[FrozenTrial], objective: Objective) -> dict[str, Drawing]:
    """Each searched hyperparameter against the value of the complete trials; darker points are later trials.

    As Optuna's `plot_slice` has it, in a fifth of the time: there are as many of them as hyperparameters.
    """
    ended = complete(trials)
    shown, y = sample(ended, N_POINTS_OF_SLICE, objective), scaled(trial.value for trial in ended)
    figures = {}
    for name in searched_params(shown):
        having = [trial for trial in shown if name in trial.params]
        numbers, distribution = [trial.number for trial in having], having[0].distributions[name]
        values: list[Any] = [trial.params[name] for trial in having]
        x: dict[str, Any] = {}
        if isinstance(distribution, CategoricalDistribution):
            values = [str(value) for value in values]
            x = {"type": "category", "categoryorder": "array", "categoryarray": list(map(str, distribution.choices))}
        elif getattr(distribution, "log", False):
            x = scaled(values) | {"type": "log"}
        figure = Drawing()
        figure.add(
            "scatter",
            x=values,
            y=[trial.value for trial in having],
            customdata=numbers,
            mode="markers",
            marker={"color": numbers, "colorscale": _BLUES, "size": 6, "line": {"width": 0.5, "color": "grey"}},
            hovertemplate="trial %{customdata}: %{y:.4g} at %{x}<extra></extra>",
            showlegend=False,
        )
        figures[name] = labelled(figure, name, value_name(objective), x, y)
    return figures


def timeline(trials: Sequence[FrozenTrial]) -> "go.Figure":
    """When each of the last trials began and ended, waiting for a worker included."""
    from optuna.visualization import plot_timeline

    begun = [trial for trial in trials if trial.datetime_start is not None]
    figure = plot_timeline(snapshot(begun[-N_BARS:], COST))
    names = {"FAIL": "failed"}
    for bars in figure.data:
        state = names.get(bars.name, bars.name.lower())
        bars.update(name=state, marker={"color": STATE_COLORS.get(state)}, width=0.8, text=None)
        bars.hovertemplate = f"trial %{{y}}<extra>{state}</extra>"
    figure.update_layout(barmode="overlay")
    return labelled(figure, "local time", "trial", y={"tickformat": ",d"})


def _records(ended: Sequence[FrozenTrial], objective: Objective) -> list[FrozenTrial]:
    """The trials that were the best so far when they ended; the line of best values bends there and nowhere else."""
    records: list[FrozenTrial] = []
    for trial in ended:
        if not records or objective.ordered(trial.value) < objective.ordered(records[-1].value):
            records.append(trial)
    return records


def _plain(text: str) -> str:
    """The 3e+03 of Optuna's axes as 3000."""
    return f"{float(text):g}" if "e+" in text else text


def _say_powers_of_ten(figure: "go.Figure") -> None:
    """Let the first axis, the colours' and what hovers say the cost, where Optuna was given its logarithm."""
    for note in figure.layout.annotations:
        if note.x == 0:
            note.text = f"{10 ** float(note.text):.3g}"
    *lines, colors = figure.data
    for line in lines:
        line.customdata[0][1] = f"{10 ** float(line.customdata[0][1]):.3g}"
    ticks = np.linspace(colors.marker.cmin, colors.marker.cmax, 6)
    colors.marker.colorbar.update(tickvals=ticks, ticktext=[f"{10**tick:.2g}" for tick in ticks])
