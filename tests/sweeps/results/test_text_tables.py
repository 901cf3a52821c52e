"""Tables for a terminal."""

import pytest

from experiments.facts import Score
from sweeps.results.text_tables import scores_table

BASELINES = {"constant": 0.34567, "logistic regression (not converged)": 0.98765}
THREE = [Score(name, 0.0123456, 0.0001234, 0.123456, BASELINES) for name in ("accuracy", "log_loss", "roc_auc")]


@pytest.mark.parametrize("ensemble", [[], THREE])
def test_three_scores_and_the_longest_name_fit_into_a_terminal(ensemble):
    table = scores_table(40_000, THREE, ensemble)
    assert max(map(len, table.splitlines())) <= 79 - len("  ")
    assert ("ensemble" in table) == bool(ensemble)


def test_a_table_of_scores_has_one_row_a_model_and_one_column_a_score():
    scores = [Score("rmse", 54.321, 50, 60, {"constant": 75.0}), Score("r2", 0.5, 0.25, 0.75, {"constant": 0})]
    ensemble = [Score("rmse", 53, 49, 59, {}), Score("r2", 0.55, 0.3, 0.6, {})]
    assert scores_table(1234, scores, ensemble).splitlines() == [
        "on 1,234 test examples  rmse   r2",
        "winner                  54.32  0.5",
        "  95 % interval from    50     0.25",
        "                  to    60     0.75",
        "ensemble                53     0.55",
        "  95 % interval from    49     0.3",
        "                  to    59     0.6",
        "constant                75     0",
    ]


def test_an_interval_that_nobody_knows_is_no_number():
    of_one_group = Score("accuracy", 0.5, float("nan"), float("nan"), {"constant": 0.5})
    assert scores_table(6, [of_one_group]).splitlines() == [
        "on 6 test examples    accuracy",
        "winner                0.5",
        "  95 % interval from  not known",
        "                  to  not known",
        "constant              0.5",
    ]
