"""Verdicts on nights that are made by hand: a hyperparameter moves by score and by nothing else."""

import math

import plotly.graph_objects as go
import pytest

from experiments.drift.drift import Drift, drift_of
from experiments.drift.figures import hyperparameter_by_night, time_by_night, values_by_night
from experiments.drift.night import ChampionScore, Night, Tried
from experiments.drift.staying import Region, prices
from experiments.drift.words import score_table, to_dict
from experiments.facts import CorrectedCost

RATES = (0.001, 0.003, 0.01, 0.03, 0.1)


def night(number, best_rate=0.01, slope=0.1, machine="a", seconds=1e-4, champion=None):
    """Five rates; each factor of ten from the best costs so much, a little more every other night."""
    wobble = 0.001 * (number % 2)
    tried = [
        Tried(0.2 + (slope + wobble) * abs(math.log10(rate / best_rate)), {"rate": rate, "kind": "relu"})
        for rate in RATES
    ]
    tried.sort(key=lambda one: one.cost)
    return Night(
        f"made/{number}", number, machine, tried, None, {"rate": 1.0 - wobble}, seconds * (1 + wobble), champion
    )


def rows(drift: Drift):
    return {row.name: row for row in drift.hyperparameters}


def test_a_rate_whose_best_value_moves_has_moved_and_the_price_is_what_the_old_region_costs():
    nights = [night(n, best_rate=0.1 if n >= 4 else 0.001) for n in range(8)]
    row = rows(drift_of(nights, margin=0.02))["rate"]
    assert row.price.verdict == "moved"
    assert (row.earlier, row.later) == ("0.001 to 0.01", "0.01 to 0.1")
    assert row.price.estimate == pytest.approx(0.1005)  # the old best tenths end at 0.01, a factor of ten away


def test_a_best_value_that_wanders_where_the_score_is_flat_has_not_moved():
    nights = [night(n, best_rate=0.1 if n >= 4 else 0.001, slope=0.001) for n in range(8)]
    assert rows(drift_of(nights, margin=0.02))["rate"].price.verdict == "did not move"


def test_what_is_the_same_in_every_trial_has_no_row():
    assert list(rows(drift_of([night(0), night(1)]))) == ["rate"]


def test_below_six_studies_everything_is_too_early_to_say():
    drift = drift_of([night(n, best_rate=0.1 if n >= 2 else 0.001) for n in range(5)], margin=0.0)
    verdicts = [row.price.verdict for row in drift.hyperparameters]
    verdicts += [row.shift.verdict for row in drift.over_time.scores]
    verdicts += [row.importance.verdict for row in drift.hyperparameters]
    assert set(verdicts) == {"too early to say"}


def test_a_text_is_kept_only_as_it_was():
    assert Region(("relu", "tanh")).holds("tanh")
    assert not Region(("relu",)).holds("tanh")
    assert not Region(()).holds(0.1)
    earlier = [Night("a", 0, "", [Tried(0.1, {"kind": "relu"})] * 3)]
    later = [Night("b", 1, "", [Tried(0.1, {"kind": "tanh"})] * 3 + [Tried(0.4, {"kind": "relu"})])]
    assert prices(earlier, later, "kind") == [pytest.approx(0.3)]
    assert prices(later, [Night("c", 2, "", [Tried(0.1, {"kind": "sigmoid"})])], "kind") == []  # nobody tried it


def test_another_kind_of_machine_is_compared_and_its_time_has_moved():
    nights = [night(n, machine="a" if n < 4 else "b", seconds=1e-4 if n < 4 else 3e-5) for n in range(8)]
    drift = drift_of(nights)
    assert (drift.by_machine.earlier, drift.by_machine.later) == (4, 4)
    time = next(row for row in drift.by_machine.scores if row.is_ratio)
    assert time.shift.verdict == "moved"
    assert math.exp(time.shift.estimate) == pytest.approx(0.3, rel=0.01)
    assert drift_of(nights[:4]).by_machine is None


def champion(hits, rows="r", digest="d"):
    return ChampionScore("3", digest, rows, (hits, 1000), (0.02, 0.1, 1000), "log-loss")


def test_the_champion_is_compared_with_itself_alone_on_its_first_night_and_on_its_last():
    scores = [champion(990, digest="old"), champion(900, "r1"), champion(890, "r2"), champion(700, "r3")]
    drift = drift_of([night(n, champion=score) for n, score in enumerate(scores)])
    accuracy, loss = (row for row in drift.over_time.scores if row.name.startswith("champion"))
    assert (accuracy.earlier, accuracy.later) == (0.9, 0.7)
    assert accuracy.shift.verdict == "moved"
    assert loss.shift.verdict == "moved"  # 0.02 of 1,000 rows that deviate by 0.1
    same = [champion(900), champion(900)]
    drift = drift_of([night(n, champion=score) for n, score in enumerate(same)])
    row = next(row for row in drift.over_time.scores if "accuracy" in row.name)
    assert row.shift.verdict == "did not move"


def test_a_higher_value_that_is_better_is_told_with_its_own_sign():
    costs = [-0.9 - 0.001 * n for n in range(6)]
    nights = [
        Night(f"a/{n}", n, "", [Tried(cost, {"x": n % 3})] * 3, CorrectedCost(cost + 0.02, cost - 0.01, cost + 0.06))
        for n, cost in enumerate(costs)
    ]
    best, corrected = drift_of(nights, is_higher_better=True).over_time.scores[:2]
    assert (best.earlier, best.later) == pytest.approx((0.901, 0.904))
    assert (corrected.earlier, corrected.later) == pytest.approx((0.881, 0.884))
    assert best.shift.estimate == pytest.approx(corrected.shift.estimate) == pytest.approx(0.003)
    below, above = corrected.shift.estimate - corrected.shift.low, corrected.shift.high - corrected.shift.estimate
    assert below == pytest.approx(above)  # both ways 0.03 of one half and 0.04 of the other add up
    as_costs = drift_of(nights).over_time.scores[1].shift
    assert (corrected.shift.low, corrected.shift.high) == pytest.approx((-as_costs.high, -as_costs.low))


def test_memory_is_priced_by_the_best_remembered_trial_of_each_night():
    tried = [Tried(0.1, {}), Tried(0.15, {}, is_remembered=True), Tried(0.3, {}, is_remembered=True)]
    assert Night("a", 0, "", tried).price_of_memory == pytest.approx(0.05)
    assert Night("a", 0, "", tried[:1]).price_of_memory is None


def test_json_holds_no_number_that_json_has_not():
    document = to_dict(drift_of([night(0), night(1)]))
    price = document["over_time"]["hyperparameters"][0]["price"]
    assert (price["low"], price["high"], price["verdict"]) == (None, None, "too early to say")


def test_a_table_of_scores_says_times_as_ratios_and_leaves_unknown_intervals_empty():
    table = score_table(drift_of([night(0), night(1, seconds=2e-4)]).over_time)
    assert table[-1][3].startswith("x 2")
    assert table[-1][4] == ""


def test_figures_have_a_point_for_every_study():
    nights = [night(n, machine="ab"[n % 2]) for n in range(6)]
    values, rates, times = (
        go.Figure(figure.to_plotly_json())  # refuses what plotly.js does not know
        for figure in (
            values_by_night(nights, "cost", 1),
            hyperparameter_by_night(nights, "rate"),
            time_by_night(nights),
        )
    )
    assert len(values.data[-1].x) == 6
    assert len(rates.data[0].x) == 18
    assert [len(points.x) for points in times.data] == [3, 3]
