"""What moved, drawn night by night: values, hyperparameters, time, the champion."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.drift.night import Hyperparameter, Night
from experiments.report.drawing import Drawing
from experiments.report.figures import ACTIVATION_COLORS, BEST_COLOR, STATE_COLORS, labelled, scaled

_X = {"type": "category", "tickangle": 0, "nticks": 8}


def values_by_night(nights: Sequence[Night], y_title: str, sign: int) -> Drawing:
    """The best value of each study, the same corrected with its 95 % interval, and the best earlier configuration's."""
    figure = Drawing()
    corrected = [(night, night.corrected.with_sign(sign)) for night in nights if night.corrected is not None]
    figure.add(
        "scatter",
        x=[_label(night) for night, _ in corrected],
        y=[told.value for _, told in corrected],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [abs(told.high - told.value) for _, told in corrected],
            "arrayminus": [abs(told.value - told.low) for _, told in corrected],
        },
        mode="markers",
        name="corrected, 95 % interval",
        marker={"color": STATE_COLORS["complete"], "size": 7},
        hovertemplate="%{x}: %{y:.4g}, corrected<extra></extra>",
    )
    remembered = [(night, price) for night in nights if (price := night.price_of_memory) is not None]
    figure.add(
        "scatter",
        x=[_label(night) for night, _ in remembered],
        y=[sign * (night.best.cost + price) for night, price in remembered],
        mode="markers",
        name="best of earlier studies, tried again",
        marker={"color": STATE_COLORS["pruned"], "size": 8, "symbol": "x-thin-open"},
        hovertemplate="%{x}: %{y:.4g}, of an earlier study<extra></extra>",
    )
    figure.add(
        "scatter",
        x=[_label(night) for night in nights],
        y=[sign * night.best.cost for night in nights],
        mode="lines+markers",
        name="best",
        line={"color": BEST_COLOR, "width": 2},
        hovertemplate="%{x}: %{y:.4g}<extra></extra>",
    )
    figure.update_layout(showlegend=True)
    return labelled(figure, "study", y_title, _X)


def hyperparameter_by_night(nights: Sequence[Night], name: str) -> Drawing:
    """Where each study's best trial had it, and the others of its best tenth."""
    figure = Drawing()
    tenth = [(_label(n), tried.params[name]) for n in nights for tried in n.best_tenth if name in tried.params]
    figure.add(
        "scatter",
        x=[label for label, _ in tenth],
        y=[value for _, value in tenth],
        mode="markers",
        name="best tenth",
        marker={"color": STATE_COLORS["complete"], "size": 6, "opacity": 0.5},
        hovertemplate="%{x}: %{y}<extra></extra>",
    )
    best = [(_label(night), night.best.params[name]) for night in nights if name in night.best.params]
    figure.add(
        "scatter",
        x=[label for label, _ in best],
        y=[value for _, value in best],
        mode="lines+markers",
        name="best",
        line={"color": BEST_COLOR, "width": 1.5},
        hovertemplate="%{x}: %{y}, best<extra></extra>",
    )
    figure.update_layout(showlegend=True)
    return labelled(figure, "study", name, _X, _axis([value for _, value in tenth]))


def time_by_night(nights: Sequence[Night]) -> Drawing:
    """Microseconds an iteration, a colour for each kind of machine."""
    figure = Drawing()
    machines = list(dict.fromkeys(night.machine for night in nights))
    for number, machine in enumerate(machines):
        here = [(n, s) for n in nights if n.machine == machine and (s := n.seconds_per_iteration) is not None]
        figure.add(
            "scatter",
            x=[_label(night) for night, _ in here],
            y=[1e6 * seconds for _, seconds in here],
            mode="markers",
            name=machine or "kind not noted",
            marker={"color": ACTIVATION_COLORS[number % len(ACTIVATION_COLORS)], "size": 8},
            hovertemplate="%{x}: %{y:.3g} µs<extra></extra>",
        )
    figure.update_layout(showlegend=True)
    x = _X | {"categoryorder": "array", "categoryarray": [_label(night) for night in nights]}
    return labelled(figure, "study", "µs an iteration, median", x, {"rangemode": "tozero"})


def _label(night: Night) -> str:
    return night.study.rpartition("/")[2]


def _axis(values: Sequence[Hyperparameter]) -> dict[str, object]:
    numbers = [value for value in values if not isinstance(value, str)]
    return scaled(numbers) if len(numbers) == len(values) else {"type": "category"}
