import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.fact_json import from_json, to_json, without_curves
from experiments.facts import (
    CorrectedCost,
    DataFact,
    Fact,
    Score,
    SweepFinished,
    SweepStarted,
    TrialFinished,
    VerdictReached,
)

FLOATS = st.floats(allow_nan=True, allow_infinity=True)
TEXT = st.one_of(st.text(max_size=20), st.sampled_from(["curves", "started_at", '},"started_at":']))
SCALARS = st.one_of(TEXT, st.integers(), FLOATS)
TIMES = st.floats(min_value=0, max_value=4e9)
TAGS = st.dictionaries(TEXT, TEXT, max_size=3)
PARAMS = st.dictionaries(TEXT, SCALARS, max_size=4)
METRICS = st.dictionaries(TEXT, FLOATS, max_size=4)
CURVES = st.dictionaries(TEXT, st.lists(st.tuples(st.integers(0, 3000), FLOATS), max_size=5), max_size=3)
DATA = st.builds(
    DataFact, TEXT, TEXT, TEXT, st.integers(), st.integers(), st.integers(), TEXT, st.dictionaries(TEXT, st.integers())
)
PAIRS = st.lists(st.tuples(st.integers(0, 99), FLOATS), max_size=3)
SCORES = st.builds(Score, TEXT, FLOATS, FLOATS, FLOATS, METRICS)
FACTS = st.one_of(
    st.builds(SweepStarted, TEXT, TEXT, TIMES, PARAMS, TAGS, TEXT, TEXT, DATA),
    st.builds(VerdictReached, TEXT, TEXT, TEXT),
    st.builds(
        TrialFinished,
        TEXT,
        st.integers(0, 99999),
        st.sampled_from(["COMPLETE", "PRUNED", "FAIL"]),
        st.booleans(),
        PARAMS,
        METRICS,
        CURVES,
        TIMES,
        TIMES,
        TEXT,
        TAGS,
    ),
    st.builds(
        SweepFinished,
        TEXT,
        st.sampled_from(["FINISHED", "FAILED", "KILLED"]),
        TIMES,
        METRICS,
        TAGS,
        TEXT,
        TAGS,
        st.none() | TEXT,
        st.integers(1, 9),
        st.lists(SCORES, max_size=2),
        st.none() | TEXT,
        st.lists(SCORES, max_size=2),
        st.sampled_from(["ensemble", "winner"]),
        PAIRS,
        PAIRS,
        st.none() | st.builds(CorrectedCost, FLOATS, FLOATS, FLOATS),
        METRICS,
    ),
)


def trial(number: int, **changes: object) -> TrialFinished:
    values: dict[str, object] = {
        "study": "cats/1",
        "number": number,
        "state": "COMPLETE",
        "interrupted": False,
        "params": {},
        "metrics": {},
        "curves": {},
        "started_at": 1.0,
        "ended_at": 2.0,
    }
    return TrialFinished(**(values | changes))  # type: ignore[arg-type]


@given(FACTS)
def test_a_fact_comes_back_exactly_with_every_float_bit_and_every_type(fact: Fact):
    # repr tells 1 from 1.0, -0.0 from 0.0, and lets nan equal nan
    assert repr(from_json(to_json(fact))) == repr(fact)


@given(FACTS)
def test_a_fact_is_one_line_of_json_that_any_parser_accepts(fact: Fact):
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    line = to_json(fact)
    assert "\n" not in line
    assert json.loads(line, parse_constant=refuse)["key"] == fact.key


@pytest.mark.parametrize("value", [0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0, math.pi])
def test_floats_keep_full_precision(value: float):
    back = from_json(to_json(trial(0, metrics={"cost": value})))
    assert isinstance(back, TrialFinished)
    assert back.metrics["cost"].hex() == value.hex()


def test_a_parameter_spelt_nan_is_not_the_number_nan():
    back = from_json(to_json(trial(0, params={"word": "nan", "number": math.nan})))
    assert isinstance(back, TrialFinished)
    assert back.params["word"] == "nan"
    assert isinstance(back.params["number"], float)
    assert math.isnan(back.params["number"])


def test_keys_identify_facts_for_ever():
    assert trial(12).key == "trial-0012"
    assert trial(12345).key == "trial-12345"
    assert SweepFinished("s", "KILLED", 1.0, {}, {}, "", {}, None, sequence=2).key == "finished-2"


def test_a_value_that_json_cannot_hold_is_refused_by_name():
    with pytest.raises(TypeError, match="not complex"):
        to_json(trial(0, metrics={"cost": 1j}))


@pytest.mark.parametrize(
    "line", ["{}", "[]", "17", '{"key":"x","fact":"Nothing"}', '{"key":"x","fact":"TrialFinished"}']
)
def test_what_is_not_a_fact_is_refused(line: str):
    with pytest.raises(ValueError, match="not a fact"):
        from_json(line)


@given(FACTS)
def test_without_its_curves_a_trial_is_the_same_but_for_them(fact: Fact):
    """Not ==, which nan would fail."""
    expected = replace(fact, curves={}) if isinstance(fact, TrialFinished) else fact
    assert to_json(from_json(without_curves(to_json(fact)))) == to_json(expected)


def test_a_hyperparameter_of_the_name_curves_is_not_taken_for_them():
    fact = TrialFinished(
        "s",
        1,
        "FAIL",
        False,
        {"a": 1, "curves": math.nan},
        {"a": 1.0, "curves": math.inf},
        {"started_at": [(1, math.nan)]},
        1.0,
        2.0,
    )
    assert to_json(from_json(without_curves(to_json(fact)))) == to_json(replace(fact, curves={}))


def test_the_end_of_a_study_from_before_scores_were_a_field_has_them_all_the_same():
    line = (
        '{"key":"finished-1","fact":"SweepFinished","study":"cats/1","state":"FINISHED","ended_at":2.5,"metrics":'
        '{"value":0.07,"best_iteration":141.0,"test_accuracy":0.98,"test_accuracy_ci95_low":0.94,'
        '"test_accuracy_ci95_high":0.99,"baseline_constant_test_accuracy":0.63,'
        '"baseline_logistic_regression_test_accuracy":0.97},"tags":{},"description":"","artifacts":{},'
        '"model_file":"model.h5","sequence":1}'
    )
    fact = from_json(line)
    assert isinstance(fact, SweepFinished)
    (score,) = fact.scores
    assert score == Score("accuracy", 0.98, 0.94, 0.99, {"constant": 0.63, "logistic regression": 0.97})
    assert fact.metrics == {"value": 0.07, "best_iteration": 141.0} | score.metrics
    assert (fact.ensemble_file, fact.ensemble_scores, fact.recommended) == (None, [], "winner")


def test_the_end_of_a_study_from_before_there_were_ensembles_recommends_its_winner():
    line = (
        '{"key":"finished-2","fact":"SweepFinished","study":"cats/1","state":"FINISHED","ended_at":2.5,"metrics":'
        '{"value":0.07},"tags":{},"description":"","artifacts":{},"model_file":"model.h5","sequence":2,"scores":'
        '[{"name":"rmse","value":0.5,"low":{"float":"nan"},"high":0.75,"baselines":{"constant":0.9}}]}'
    )
    fact = from_json(line)
    assert isinstance(fact, SweepFinished)
    assert (fact.ensemble_file, fact.ensemble_scores, fact.recommended) == (None, [], "winner")
    assert (fact.ensemble_shares, fact.ensemble_steps, fact.corrected) == ([], [], None)
    assert fact.scores[0].baselines == {"constant": 0.9}
    assert from_json(to_json(fact)).key == "finished-2"


def test_what_the_simple_models_and_the_ensemble_cost_out_of_fold_comes_back():
    costs = {"constant": 0.1 + 0.2, "ridge regression": math.inf}
    fact = SweepFinished("s", "FINISHED", 1.0, {}, {}, "", {}, None, baselines_out_of_fold=costs)
    again = from_json(to_json(replace(fact, ensemble_steps=[(3, math.inf)])))
    assert isinstance(again, SweepFinished)
    assert (again.baselines_out_of_fold, again.ensemble_out_of_fold) == (costs, math.inf)
    before = to_json(fact).replace(',"baselines_out_of_fold"', ',"x"').partition(',"x"')[0] + "}"
    assert from_json(before) == replace(fact, baselines_out_of_fold={})
