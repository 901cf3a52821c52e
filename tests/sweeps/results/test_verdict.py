"""What is said of a winner, and above all what is not."""

import pytest

from experiments.class_shares import ShareShift
from experiments.facts import Score
from sweeps.results.verdict import beside_constant, beside_linear, of_shares

OUT_OF_FOLD = {"constant": 0.66, "logistic regression": 0.0712}
TOO_LITTLE = "No better than a constant on the test examples: these data hold too little for it."


def score(name, value, constant, linear, interval=(0.0, 1.0)):
    return Score(name, value, *interval, {"constant": constant, "logistic regression": linear})


def test_a_winner_that_loses_out_of_fold_is_told_the_simpler_model():
    assert beside_linear(0.0742, OUT_OF_FOLD) == (
        "No better than logistic regression out of fold (0.0742 beside 0.0712): take the simpler model."
    )
    assert beside_linear(0.0742, OUT_OF_FOLD, ensemble=0.0713).endswith("take the simpler model.")


def test_an_ensemble_that_wins_out_of_fold_is_told_in_its_place():
    assert beside_linear(0.0742, OUT_OF_FOLD, ensemble=0.0695) == (
        "The winner alone is no better than logistic regression out of fold (0.0742 beside 0.0712); "
        "the ensemble is (0.0695)."
    )


@pytest.mark.parametrize("baselines", [OUT_OF_FOLD, {}, {"constant": 0.01}])
def test_a_winner_that_wins_and_baselines_that_are_not_there_yet_are_no_reason_to_say_anything(baselines):
    assert beside_linear(0.0711, baselines) == ""


def test_rare_events_that_are_ranked_well_are_not_too_little_though_accuracy_cannot_move():
    accuracy = score("accuracy", 0.95, 0.95, 0.95)
    auc = score("roc_auc", 0.91, 0.5, 0.9, (0.86, 0.96))
    assert beside_constant([accuracy, score("log_loss", 0.067, 0.091, 0.068), auc]) == ""
    assert beside_constant([accuracy, score("log_loss", 0.12, 0.091, 0.068), auc]) == "", "ranked well, badly scaled"


def test_two_classes_are_too_little_where_neither_cost_nor_rank_is_better_than_a_constants():
    accuracy, auc = score("accuracy", 0.7, 0.6, 0.6), score("roc_auc", 0.55, 0.5, 0.5, (0.45, 0.65))
    assert beside_constant([accuracy, score("log_loss", 0.7, 0.69, 0.69), auc]) == TOO_LITTLE
    assert beside_constant([accuracy, score("log_loss", 0.68, 0.69, 0.69), auc]) == ""
    assert beside_constant([accuracy, score("log_loss", 0.7, 0.69, 0.60), auc]) == (
        "No better than a constant on the test examples: the linear model shows that more is possible. "
        "Search longer (n_trials), or wider."
    )


def test_several_classes_are_too_little_where_neither_cost_nor_accuracy_is_better():
    cost = score("log_loss", 1.2, 1.1, 1.3)
    assert beside_constant([score("accuracy", 0.33, 0.33, 0.3), cost]) == TOO_LITTLE
    assert beside_constant([score("accuracy", 0.34, 0.33, 0.3), cost]) == ""


def test_a_regression_is_too_little_where_its_r2_reaches_zero_and_its_error_is_the_constants():
    assert beside_constant([score("rmse", 9, 8, 8.5), score("r2", -0.3, 0, -0.1, (-0.6, 0.1))]) == TOO_LITTLE
    worse_than_their_mean = [score("rmse", 7, 8, 8.5), score("r2", -2e18, -3e18, -4e18, (-3e18, -1e18))]
    assert beside_constant(worse_than_their_mean).startswith("No better than a constant on the test examples")
    assert beside_constant([score("rmse", 7, 8, 8.5), score("r2", 0.2, 0, -0.1, (-0.1, 0.5))]) == ""


def test_a_study_from_before_log_loss_was_a_score_is_judged_by_nothing():
    assert beside_constant([score("accuracy", 0.3, 0.6, 0.6)]) == ""
    assert beside_constant([]) == ""


def test_another_mixture_in_the_test_set_is_told_with_what_follows():
    shift = ShareShift("cat", 72 / 209, 33 / 50)
    text = "Class 'cat' is 34.4 % of the training examples and 66 % of the test examples: "
    text += "probabilities are for the training"
    assert of_shares(shift, None, 2) == (
        f'{text} shares; [study] decision = "prior" or a number sets another threshold than 0.5.'
    )
    assert of_shares(shift, 0.34, 2) == of_shares(shift, None, 3) == f"{text} shares."
    assert of_shares(None, None, 2) == ""
