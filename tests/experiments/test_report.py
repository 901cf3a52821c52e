"""The page, its tables and our own figures, from hand-made input."""

import json
import re

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from experiments.facts import Score, TrialFinished
from experiments.report import Figure, Page, Section, Tile
from experiments.report.figures import (
    STATE_COLORS,
    best_trial_curves,
    sample_curves,
    scaled,
    state_of,
    time_by_architecture,
    time_by_state,
    value_by_depth,
    value_by_width,
    winner_beside_baselines,
)
from experiments.report.tables import pairs, preformatted, table


def drawn(figure):
    """As plotly's classes have it, which refuse what plotly.js does not know."""
    return go.Figure(figure.to_plotly_json())


EVIL = "</script><script>alert('&')</script>"


def trial(number=3, state="COMPLETE", interrupted=False):
    costs = [0.9, float("nan"), 0.4, 0.5]
    curve = list(zip((0, 10, 20, 30), costs, strict=True))
    curves = {"train_cost": curve, "validation_cost": curve}
    return TrialFinished("s", number, state, interrupted, {}, {"best_iteration": 20.0}, curves, 0.0, 1.0)


TRIALS = pd.DataFrame(
    {
        "number": [0, 1, 2, 3],
        "outcome": ["complete", "complete", "pruned", "complete"],
        "value": [0.5, 0.4, np.nan, 0.1],
        "depth": [0, 2, 2, 1],
        "hidden_units_1": pd.array([None, 8, 4, 16], "Int64"),
        "hidden_units_2": pd.array([None, 4, 4, None], "Int64"),
        "activation": ["relu", "tanh", "relu", "relu"],
        "training_seconds": [1.0, 2.0, 0.5, 0.5],
    }
)


def documents(page):
    return [json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)]


# --- the page ---


def test_every_text_of_a_page_is_escaped_and_a_figure_comes_back_as_it_was():
    figure = go.Figure(go.Scatter(x=[1], y=[2], name=EVIL), {"title": "Optuna's", "xaxis": {"title": {"text": EVIL}}})
    page = Page(EVIL, EVIL, [Tile(EVIL, EVIL)], [Section("one", EVIL, EVIL, "", [Figure(EVIL, figure)])]).to_html()
    assert EVIL not in page
    assert page.count("&lt;/script&gt;&lt;script&gt;alert(&#x27;&amp;&#x27;)") == 10
    (document,) = documents(page)
    assert document["data"][0]["name"] == document["layout"]["xaxis"]["title"]["text"] == EVIL
    assert not {"title", "template"} & set(document["layout"])


def test_a_dollar_sign_in_a_text_is_not_a_place_to_fill():
    assert "$js ${css} $" in Page("t", "$js ${css} $", [], []).to_html()


# --- tables ---


def test_a_table_is_escaped_aligned_and_leaves_missing_values_empty():
    frame = pd.DataFrame({"<n>": [1.25, np.nan], "state": ["complete", EVIL]})
    text = table(frame, {"<n>": "{:.1f}".format}, first_row_class="winner")
    assert '<th class="number">&lt;n&gt;</th><th class="word">state</th>' in text
    assert '<tr class="winner"><td class="number">1.2</td>' in text
    assert f"border-color:{STATE_COLORS['complete']}" in text
    assert '<tr><td class="number"></td>' in text
    assert "<script" not in text


def test_pairs_and_preformatted_text_are_escaped():
    assert "<script" not in pairs({EVIL: EVIL}) + preformatted(EVIL)


# --- figures ---


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([1, 4.9], None),
        ([0, 100], None),
        ([-1, 100], None),
        ([None, float("nan")], None),
        ([], None),
        ([0.07, 0.6], ["0.07", "0.1", "0.15", "0.2", "0.3", "0.5"]),
        ([1, 90], ["1", "2", "5", "10", "20", "50"]),
        ([1, 3000], ["1", "3", "10", "30", "100", "300", "1000", "3000"]),
        ([1e-5, 10, None], ["1e-05", "0.0001", "0.001", "0.01", "0.1", "1", "10"]),
    ],
)
def test_an_axis_over_an_order_of_magnitude_is_logarithmic_with_ticks_to_read(values, ticks):
    axis = scaled(values)
    assert axis["type"] == ("linear" if ticks is None else "log")
    if ticks is not None:
        known = [value for value in values if value is not None]
        shown = zip(axis["tickvals"], axis["ticktext"], strict=True)
        assert [text for tick, text in shown if min(known) <= tick * (1 + 1e-9) and tick <= max(known)] == ticks


def test_a_curve_begins_after_the_untrained_network_and_has_a_gap_where_it_is_not_finite():
    figure = drawn(best_trial_curves(trial(), "cost", "cost"))
    assert [line.name for line in figure.data] == ["validation", "training"]
    assert list(figure.data[0].x) == [10, 20, 30]
    assert list(figure.data[0].y) == [None, 0.4, 0.5]
    assert figure.layout.shapes[0].x0 == 20


def test_a_sample_of_curves_names_each_end_once_and_draws_the_best_on_top():
    others = [trial(4), trial(5, "PRUNED"), trial(6), trial(7, "PRUNED", interrupted=True)]
    figure = drawn(sample_curves(trial(), others, "validation_cost", "cost"))
    assert [line.name for line in figure.data if line.showlegend is not False] == [
        "complete",
        "pruned",
        "interrupted",
        "best: trial 3",
    ]
    assert figure.data[1].line.color == STATE_COLORS["pruned"]
    assert figure.data[-1].name == "best: trial 3"


def test_depth_and_width_leave_out_what_has_no_value_or_no_layer():
    boxes = drawn(value_by_depth(TRIALS, "cost")).data
    assert {box.name: list(box.y) for box in boxes} == {"0": [0.5], "1": [0.1], "2": [0.4]}
    points = drawn(value_by_width(TRIALS, "cost")).data
    assert {dots.name: (list(dots.x), list(dots.y)) for dots in points} == {
        "depth 1": ([16], [0.1]),
        "depth 2": ([12], [0.4]),
    }


def test_time_is_summed_by_outcome_and_by_architecture():
    (bars,) = drawn(time_by_state(TRIALS)).data
    assert dict(zip(bars.y, bars.text, strict=True)) == {"pruned": "0.5 s, 12%", "complete": "3.5 s, 88%"}
    stacks = {
        stack.name: dict(zip(stack.x, stack.y, strict=True)) for stack in drawn(time_by_architecture(TRIALS)).data
    }
    assert stacks == {"relu": {"0": 1.0, "1": 0.5, "2": 0.5}, "tanh": {"0": 0.0, "1": 0.0, "2": 2.0}}


def test_the_winner_stands_above_the_baselines_with_its_interval():
    score = Score("accuracy", 0.95, 0.9, 0.98, {"constant": 0.6})
    simple, winner = drawn(winner_beside_baselines(score, "accuracy")).data
    assert (list(simple.y), list(winner.y)) == (["constant"], ["winner"])
    assert winner.error_x.array[0] == pytest.approx(0.03)
    assert winner.error_x.arrayminus[0] == pytest.approx(0.05)


def test_a_state_in_a_readers_word():
    assert [state_of(state, False) for state in ("COMPLETE", "PRUNED", "FAIL")] == ["complete", "pruned", "failed"]
    assert state_of("PRUNED", True) == state_of("FAIL", True) == "interrupted"
