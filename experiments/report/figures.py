"""Figures that Optuna does not have: learning curves, depth and width, time, test scores. Data in, drawings out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from experiments.facts import CurvePoints, Score, TrialFinished
from experiments.report.drawing import Drawing

if TYPE_CHECKING:
    import pandas as pd


class HasLayout(Protocol):
    """A drawing, or one of plotly's figures."""

    def update_layout(self, **properties: Any) -> Any:  # noqa: ANN401  # plotly's has no types
        """Set properties of the layout."""


_Figure = TypeVar("_Figure", bound=HasLayout)

STATE_COLORS = {
    "complete": "#1f6feb",
    "pruned": "#d97706",
    "failed": "#c62828",
    "interrupted": "#7b8794",
    "running": "#2e7d32",
    "waiting": "#9aa5b1",
}
BEST_COLOR = "#c2185b"
DEPTH_COLORS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#d4b106", "#e07b00", "#9d2b2b")  # depth is ordinal
ACTIVATION_COLORS = ("#4c78a8", "#72b7b2", "#b279a2", "#9d755d")
LOG_FROM = 5.0
"""An axis of positive values is logarithmic if the largest is at least this many times the smallest."""

_TICKS: dict[float, tuple[float, ...]] = {1: (1, 1.5, 2, 3, 5, 7), 2: (1, 2, 5), 4: (1, 3), math.inf: (1,)}
"""The largest number of decades of a logarithmic axis, and the ticks that it then has in each decade."""


def labelled(
    figure: _Figure,
    x_title: str,
    y_title: str,
    x: Mapping[str, Any] | None = None,
    y: Mapping[str, Any] | None = None,
) -> _Figure:
    """Give the axes titles and other properties, such as those of `scaled`; the page decides how figures look."""
    figure.update_layout(
        xaxis={"title": {"text": x_title}, **(x or {})},
        yaxis={"title": {"text": y_title}, **(y or {})},
    )
    return figure


def scaled(values: Iterable[float | None]) -> dict[str, Any]:
    """Properties of an axis for these values: logarithmic with readable ticks, or plotly's own linear axis."""
    finite = np.asarray([value for value in values if value is not None], dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if not finite.size or finite.min() <= 0 or finite.max() < LOG_FROM * finite.min():
        return {"type": "linear"}
    low, high = float(finite.min()), float(finite.max())
    steps = next(steps for n_decades, steps in _TICKS.items() if math.log10(high / low) <= n_decades)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    return {"type": "log", "tickmode": "array", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def best_trial_curves(trial: TrialFinished, quantity: str, y_title: str) -> Drawing:
    """Training and validation curves of one trial, as far as there are both, and where its value was best."""
    figure = Drawing()
    for subset, dash in (("validation", "solid"), ("train", "dot")):
        x, y = _columns(trial.curves.get(f"{subset}_{quantity}", []))
        figure.add(
            "scatter",
            x=x,
            y=y,
            mode="lines",
            name="training" if subset == "train" else subset,
            line={"color": BEST_COLOR, "dash": dash, "width": 2},
            hovertemplate="%{y:.4g} at iteration %{x}<extra></extra>",
        )
    best_iteration = trial.metrics.get("best_iteration")
    if best_iteration is not None:
        figure.add_vertical_line(best_iteration, {"color": "#7b8794", "width": 1, "dash": "dash"})
    costs = [v for subset in ("train", "validation") for _, v in trial.curves[f"{subset}_cost"]]
    y_axis = scaled(costs) if quantity == "cost" else {}
    return labelled(figure, "iteration", y_title, scaled(_iterations([trial])), y_axis)


def sample_curves(best: TrialFinished, others: Sequence[TrialFinished], curve: str, y_title: str) -> Drawing:
    """One curve of the best trial and of others, coloured by how they ended."""
    figure = Drawing()
    named: set[str] = set()
    for trial in others:
        state = state_of(trial.state, trial.interrupted)
        x, y = _columns(trial.curves[curve])
        figure.add(
            "scatter",
            x=x,
            y=y,
            mode="lines",
            name=state,
            legendgroup=state,
            showlegend=state not in named,
            line={"color": STATE_COLORS[state], "width": 1},
            opacity=0.45,
            hovertemplate=f"trial {trial.number}: %{{y:.4g}} at iteration %{{x}}<extra></extra>",
        )
        named.add(state)
    x, y = _columns(best.curves[curve])
    figure.add(
        "scatter",
        x=x,
        y=y,
        mode="lines",
        name=f"best: trial {best.number}",
        line={"color": BEST_COLOR, "width": 2.5},
        hovertemplate=f"trial {best.number}: %{{y:.4g}} at iteration %{{x}}<extra></extra>",
    )
    y_axis = scaled(value for trial in (best, *others) for _, value in trial.curves[curve])
    return labelled(figure, "iteration", y_title, scaled(_iterations([best, *others])), y_axis)


def value_by_depth(trials: pd.DataFrame, y_title: str) -> Drawing:
    """A box for each number of hidden layers; every trial with a value counts."""
    figure = Drawing()
    for depth, of_depth in trials.dropna(subset=["value"]).groupby("depth"):
        figure.add(
            "box",
            x=[str(depth)] * len(of_depth),
            y=of_depth["value"].to_numpy(),
            name=str(depth),
            marker={"color": _depth_color(depth), "size": 4},
            boxpoints="all" if len(of_depth) <= 200 else "outliers",
            jitter=0.5,
            pointpos=0,
            line={"width": 1.2},
            fillcolor="rgba(0,0,0,0.04)",
            hoveron="boxes",
            showlegend=False,
        )
    return labelled(figure, "depth (hidden layers)", y_title, {"type": "category"}, scaled(trials["value"]))


def value_by_width(trials: pd.DataFrame, y_title: str) -> Drawing:
    """Hidden units of all layers against the value, coloured by depth; trials without hidden layers are left out."""
    figure = Drawing()
    layers = [name for name in trials.columns if name.startswith("hidden_units_")]
    with_layers = trials[trials["depth"] > 0].dropna(subset=["value"])
    for depth, of_depth in with_layers.groupby("depth"):
        figure.add(
            "scatter",
            x=of_depth[layers].sum(axis="columns").to_numpy(np.int64),
            y=of_depth["value"].to_numpy(),
            customdata=of_depth["number"].to_numpy(),
            mode="markers",
            name=f"depth {depth}",
            marker={"color": _depth_color(depth), "size": 6, "opacity": 0.75},
            hovertemplate="trial %{customdata}: %{y:.4g} with %{x} hidden units<extra></extra>",
        )
    figure.update_layout(showlegend=True)
    x = scaled(with_layers[layers].sum(axis="columns"))
    return labelled(figure, "hidden units, all layers", y_title, x, scaled(trials["value"]))


def time_by_state(trials: pd.DataFrame) -> Drawing:
    """Seconds of training spent on trials, by how they ended."""
    seconds = trials.groupby("outcome", sort=False)["training_seconds"].sum().sort_values()
    share = seconds / max(seconds.sum(), 1e-12)
    figure = Drawing()
    figure.add(
        "bar",
        x=seconds.to_numpy(),
        y=list(seconds.index),
        orientation="h",
        marker={"color": [STATE_COLORS[state] for state in seconds.index]},
        text=[f"{s:.3g} s, {p:.0%}" for s, p in zip(seconds, share, strict=True)],
        textposition="auto",
        hoverinfo="skip",
    )
    return labelled(figure, "training time, s", "")


def time_by_architecture(trials: pd.DataFrame) -> Drawing:
    """Seconds of training by depth, stacked by activation."""
    figure = Drawing()
    seconds = trials.pivot_table("training_seconds", "depth", "activation", "sum", fill_value=0.0, observed=True)
    for name, color in zip(seconds.columns, ACTIVATION_COLORS, strict=False):
        figure.add(
            "bar",
            x=[str(depth) for depth in seconds.index],
            y=seconds[name].to_numpy(),
            name=str(name),
            marker={"color": color},
            hovertemplate=f"{name}, depth %{{x}}: %{{y:.3g}} s<extra></extra>",
        )
    figure.update_layout(barmode="stack", showlegend=True)
    return labelled(figure, "depth (hidden layers)", "training time, s", {"type": "category"})


def winner_beside_baselines(score: Score, title: str) -> Drawing:
    """The winner's score with its 95 % interval, above the simple models it must beat."""
    value, low, high = score.value, score.low, score.high
    figure = Drawing()
    figure.add(
        "scatter",
        x=list(score.baselines.values()),
        y=list(score.baselines),
        mode="markers",
        marker={"color": "#7b8794", "size": 11, "symbol": "diamond"},
        hovertemplate="%{y}: %{x:.4g}<extra></extra>",
    )
    figure.add(
        "scatter",
        x=[value],
        y=["winner"],
        mode="markers",
        marker={"color": BEST_COLOR, "size": 12},
        error_x={"type": "data", "symmetric": False, "array": [high - value], "arrayminus": [value - low]},
        hovertemplate=f"winner: %{{x:.4g}}, 95 % interval {low:.4g} to {high:.4g}<extra></extra>",
    )
    figure.update_layout(showlegend=False)
    return labelled(figure, title, "", y={"range": [-0.6, len(score.baselines) + 0.6]})


def best_so_far(studies: Mapping[str, Sequence[tuple[int, float]]], y_title: str) -> Drawing:
    """Steps of the best value, one line a study: (number of the trial, value) where it got better, and at the end."""
    figure = Drawing()
    for (name, points), color in zip(studies.items(), (STATE_COLORS["complete"], BEST_COLOR), strict=False):
        figure.add(
            "scatter",
            x=[number for number, _ in points],
            y=[value for _, value in points],
            mode="lines+markers",
            name=name,
            line={"color": color, "width": 2, "shape": "hv"},
            hovertemplate="trial %{x}: %{y:.4g}<extra></extra>",
        )
    y = scaled(value for points in studies.values() for _, value in points)
    return labelled(figure, "trial", y_title, {"tickformat": ",d"}, y)


def value_of_steps(steps: Sequence[tuple[int, float]], name: str) -> Drawing:
    """Out-of-fold value of an ensemble after each step of its selection; by each point the trial that was added."""
    figure = Drawing()
    figure.add(
        "scatter",
        x=list(range(1, len(steps) + 1)),
        y=[cost for _, cost in steps],
        customdata=[number for number, _ in steps],
        mode="lines+markers",
        marker={"color": BEST_COLOR, "size": 8},
        line={"color": BEST_COLOR, "width": 2},
        hovertemplate="trial %{customdata} added: %{y:.4g}<extra></extra>",
    )
    figure.update_layout(showlegend=False)
    return labelled(figure, "step", f"{name} out of fold", {"tickformat": ",d", "dtick": 1})


def state_of(state: str, is_interrupted: bool) -> str:
    """Optuna's state in plain words: "complete", "pruned", "failed", "interrupted"."""
    return "interrupted" if is_interrupted else "failed" if state == "FAIL" else state.lower()


def _columns(curve: CurvePoints) -> tuple[list[int], list[float | None]]:
    """x and y without iteration 0, for which a logarithmic axis has no place; None, a gap, where y is not finite."""
    trained = [(x, y if np.isfinite(y) else None) for x, y in curve if x > 0]
    return [x for x, _ in trained], [y for _, y in trained]


def _iterations(trials: Sequence[TrialFinished]) -> list[float]:
    return [float(x) for trial in trials for x, _ in trial.curves["validation_cost"] if x > 0]


def _depth_color(depth: Any) -> str:  # noqa: ANN401 - a key of pandas', which is an int here
    return DEPTH_COLORS[int(depth) % len(DEPTH_COLORS)]
