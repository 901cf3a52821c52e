"""Facts as lines of strict JSON, which is what an outbox holds.

Every float comes back bit for bit, nan and the infinities included, in JSON that any parser accepts.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

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

_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=lambda value: _as_document(value))
_CURVES, _AFTER_CURVES = ',"curves":{', '},"started_at":'


def to_json(fact: Fact) -> str:
    """One line of strict JSON without a line break; it begins with the fact's key.

    Raises:
        TypeError: a value is not what the fact declares, such as a NumPy scalar.
    """
    values = {item.name: getattr(fact, item.name) for item in fields(fact)}
    document = {"key": fact.key, "fact": type(fact).__name__, **values}
    try:
        return _ENCODER.encode(document)
    except ValueError:  # nan or infinity somewhere: rare, so the common case does not pay for looking
        return _ENCODER.encode(_plain(document))


def from_json(line: str) -> Fact:
    """The fact that `to_json` wrote.

    Raises:
        ValueError: the line is not a fact's JSON.
    """
    try:
        document = json.loads(line)
        kind = _KINDS[document.pop("fact")]
        del document["key"]
        document.pop("checksum", None)  # `engine.checksum`
        fact: Fact = _KIND_READERS[kind](document)
        return fact
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a fact: {line[:80]!r} ({error!r})") from error


def without_curves(line: str) -> str:
    """A trial's line without the points of its curves: a hundredth of the text, for readers of all trials.

    The last occurrences of the two markers are the trial's own: within a string their quotes would be escaped, and what
    comes after the curves has no object under either name.
    """
    start, end = line.rfind(_CURVES), line.rfind(_AFTER_CURVES)
    return line if start < 0 or end < start else line[: start + len(_CURVES)] + line[end:]


def _as_document(value: object) -> dict[str, Any]:
    if isinstance(value, DataFact | Score | CorrectedCost):
        return asdict(value)
    raise TypeError(f"a fact holds str, int, float and containers of them, not {type(value).__name__}: {value!r}")


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """`value` with {"float": "nan"} for each number that JSON cannot write. No number's field holds other dicts."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, Score | CorrectedCost):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _number(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    return float(value["float"]) if isinstance(value, dict) else value


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _number(value) for key, value in values.items()}


def _read_started(document: dict[str, Any]) -> SweepStarted:
    return SweepStarted(**{**document, "params": _numbers(document["params"]), "data": DataFact(**document["data"])})


def _read_trial(document: dict[str, Any]) -> TrialFinished:
    curves = {
        name: [(iteration, _number(value)) for iteration, value in points]
        for name, points in document["curves"].items()
    }
    changed = {
        "params": _numbers(document["params"]),
        "metrics": _numbers(document["metrics"]),
        "curves": curves,
    }
    return TrialFinished(**{**document, **changed})


def _read_finished(document: dict[str, Any]) -> SweepFinished:
    metrics = _numbers(document["metrics"])
    changed: dict[str, Any] = {
        "metrics": metrics,
        "ensemble_scores": [_read_score(score) for score in document.get("ensemble_scores", [])],
        "ensemble_shares": _read_pairs(document.get("ensemble_shares", [])),
        "ensemble_steps": _read_pairs(document.get("ensemble_steps", [])),
        "baselines_out_of_fold": _numbers(document.get("baselines_out_of_fold", {})),
    }
    if document.get("corrected") is not None:
        changed["corrected"] = CorrectedCost(**_numbers(document["corrected"]))
    if "scores" in document:
        changed["scores"] = [_read_score(score) for score in document["scores"]]
    else:  # written until 2026-11-27, when the scores were among the metrics
        changed["scores"] = _scores_among(metrics)
    return SweepFinished(**{**document, **changed})


def _read_score(document: dict[str, Any]) -> Score:
    baselines = _numbers(document.pop("baselines"))
    return Score(**_numbers(document), baselines=baselines)


def _read_pairs(pairs: list[Any]) -> list[tuple[int, float]]:
    return [(number, _number(value)) for number, value in pairs]


def _scores_among(metrics: Mapping[str, float]) -> list[Score]:
    """The scores that became these `Score.metrics`; names of models have lost what was in brackets."""
    scores = []
    for key, low in metrics.items():
        if match := re.fullmatch(r"test_(.+)_ci95_low", key):
            name = match.group(1)
            baselines = {
                baseline.group(1).replace("_", " "): value
                for other, value in metrics.items()
                if (baseline := re.fullmatch(rf"baseline_(.+)_test_{re.escape(name)}", other))
            }
            scores.append(Score(name, metrics[f"test_{name}"], low, metrics[f"test_{name}_ci95_high"], baselines))
    return scores


_KIND_READERS: dict[type[Fact], Any] = {
    SweepStarted: _read_started,
    TrialFinished: _read_trial,
    SweepFinished: _read_finished,
    VerdictReached: lambda document: VerdictReached(**document),
}
_KINDS: dict[str, type[Fact]] = {kind.__name__: kind for kind in _KIND_READERS}
