"""What the numbers of a winner come to, in sentences: for the summary, and for the report's first screen."""

from collections.abc import Mapping, Sequence

from engine.objectives import COST, Objective
from experiments.class_shares import ShareShift
from experiments.facts import Score


def beside_linear(
    value: float, baselines: Mapping[str, float], ensemble: float | None = None, objective: Objective = COST
) -> str:
    """Whether the search was worth its while, on the folds that it was decided on; "" where it was.

    Args:
        value: The winner's, the best of many, so that a linear model that is better is so by more than it seems.
        baselines: Values out of fold by name, those that are known.
        ensemble: The value out of fold of the ensemble; None where there is none.
        objective: What these are values of.
    """
    linear = next((name for name in baselines if name != "constant"), None)
    if linear is None or not objective.is_better(baselines[linear], value):
        return ""
    numbers = f"({value:.4g} beside {baselines[linear]:.4g})"
    if ensemble is not None and objective.is_better(ensemble, baselines[linear]):
        return f"The winner alone is no better than {linear} out of fold {numbers}; the ensemble is ({ensemble:.4g})."
    return f"No better than {linear} out of fold {numbers}: take the simpler model."


def beside_constant(scores: Sequence[Score]) -> str:
    """Whether the winner tells test examples apart at all, by its cost and by how it ranks them; "" where it does.

    Accuracy decides only among three classes or more: where one of two is rare, it cannot move.
    """
    by_name = {score.name: score for score in scores}
    cost = by_name.get("log_loss") or by_name.get("rmse")
    r2 = by_name.get("r2")
    is_worse_than_test_mean = r2 is not None and r2.value <= 0
    if cost is None or (cost.value < cost.baselines["constant"] and not is_worse_than_test_mean):
        return ""
    if (auc := by_name.get("roc_auc")) is not None:
        has_rank = not auc.low <= 0.5 <= auc.high
    elif r2 is not None:
        has_rank = r2.low > 0
    else:
        accuracy = by_name["accuracy"]
        has_rank = accuracy.value > accuracy.baselines["constant"]
    if has_rank:
        return ""
    if min(cost.baselines.values()) < cost.baselines["constant"]:
        advice = "the linear model shows that more is possible. Search longer (n_trials), or wider."
    else:
        advice = "these data hold too little for it."
    return f"No better than a constant on the test examples: {advice}"


def of_shares(shift: ShareShift | None, threshold: float | None, n_classes: int) -> str:
    """What a test set of another mixture means for probabilities; "" where it is the same mixture.

    Args:
        shift: From `share_shift`.
        threshold: The model's, None for one half.
        n_classes: Of two, a threshold can be moved.
    """
    if shift is None:
        return ""
    advice = '; [study] decision = "prior" or a number sets another threshold than 0.5'
    shares = " and ".join(
        f"{100 * share:.3g} % of the {examples} examples"
        for share, examples in ((shift.train, "training"), (shift.test, "test"))
    )
    return (
        f"Class '{shift.name}' is {shares}: probabilities are for the training shares"
        f"{advice if n_classes == 2 and threshold is None else ''}."
    )
