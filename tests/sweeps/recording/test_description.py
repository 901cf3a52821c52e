"""The Markdown on a run's page."""

import math
from dataclasses import replace

import numpy as np
from optuna.trial import TrialState

from engine import Weights
from experiments.estimate import Estimate
from experiments.facts import DataFact, Score
from sweeps.recording.description import searched, won
from sweeps.search.ensemble import Ensemble, Share
from sweeps.search.winner import Winner
from sweeps.trials.space import Candidate
from tests.sweeps.support.small_sweep import small_config, trial_of

DATA = DataFact("flowers", "abc", "sklearn:iris", 1200, 30, 4, "multiclass", {"setosa": 40, "a|b*<script>": 41})
TRIALS = [
    trial_of(number, state)
    for number, state in enumerate((TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))
]


def winner():
    return Winner(
        trial=trial_of(3, value=0.123456, best_iteration=340, candidate=Candidate(0.0123456, 500, (20, 7), "relu")),
        scores=[Score("accuracy", 0.95, 0.9, 0.98, {"constant": 0.33, "logistic regression": 0.94})],
        model=Weights.__new__(Weights),
    )


def test_what_was_searched_and_on_what_data():
    text = searched(small_config(), DATA)
    assert "12 trials on 1,200 training examples of 4 features" in text
    assert "30 test examples sealed away" in text
    assert "| `learning_rate` | 0.001 to 30.0, logarithmically |" in text
    assert "| `activation` | relu, leaky_relu, tanh, sigmoid |" in text


def test_a_name_of_a_user_is_shown_and_never_markup():
    text = searched(small_config(), DATA)
    assert r"41 a\|b\*\<script\>" in text


def test_a_thousand_classes_fit_into_a_description():
    balance = {f"class {number}": 10 for number in range(1000)}
    text = searched(small_config(), replace(DATA, class_balance=balance))
    assert "10 class 19 and 980 more" in text
    assert len(text) < 2000


def test_what_won_begins_with_the_scores_beside_the_baselines():
    first, _, line, *rest = won(winner(), TRIALS, 30, has_report=True).splitlines()
    assert first == "**Trial 3 won.** Refitted, on the 30 sealed test examples:"
    assert line == "- accuracy **0.95**, 95 % interval 0.9 to 0.98 (constant 0.33, logistic regression 0.94)"
    text = "\n".join(rest)
    assert "4 trials: 2 complete, 1 pruned, 1 failed. In figures: `report.html` among the artifacts." in text
    assert "| `learning_rate` | 0.01235 |\n| `n_iterations` | 500 |" in text
    assert "0.1235 at iteration 340" in text
    assert "report.html" not in won(winner(), TRIALS, 30, has_report=False)


def test_an_interval_of_which_nothing_is_known_is_no_number():
    of_few = replace(winner().scores[0], low=math.nan, high=math.nan)
    text = won(replace(winner(), scores=[of_few]), TRIALS, 30, has_report=True)
    assert "- accuracy **0.95**, 95 % interval not known (constant" in text
    assert "nan" not in text


def test_the_corrected_cost_and_the_ensemble_are_named_where_they_are_known():
    ensemble = Ensemble(
        shares=(Share(3, 0.75), Share(1, 0.25)),
        steps=((3, 0.1234), (1, 0.1111), (3, 0.1012)),
        scores=[Score("accuracy", 0.96, 0.91, 0.99, {"constant": 0.33})],
        model=Weights.__new__(Weights),
        is_recommended=True,
    )
    known = replace(winner(), estimate=Estimate(0, 0.123456, 0.1357, (0.08, 0.21)), ensemble=ensemble)
    text = won(known, TRIALS, 30, has_report=True)
    assert (
        "- cost out of fold 0.1235; **0.1357**, 95 % interval 0.08 to 0.21, corrected for being the best of 4 trials\n"
    ) in text
    assert (
        "\n\n**Ensemble** of the fold models of trials 3 (75%), 1 (25%): cost out of fold 0.1012, of the best trial "
        "alone 0.1234; accuracy **0.96**, 95 % interval 0.91 to 0.99.\n\n"
    ) in text
    unknown = won(winner(), TRIALS, 30, has_report=True)
    assert "corrected" not in unknown
    assert "Ensemble" not in unknown


def test_without_a_winner_the_counts_are_told():
    assert won(None, TRIALS, 30, has_report=False).startswith("**No trial won.** 4 trials: 2 complete")


def test_the_tables_are_well_formed_markdown():
    for text in (searched(small_config(), DATA), won(winner(), TRIALS, 30, has_report=True)):
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert rows
        assert all(len(np.array(list(row))[np.array(list(row)) == "|"]) == 3 for row in rows)
