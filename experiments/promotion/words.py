"""A verdict, its outcome and the history, in words for a terminal."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiments.promotion.history import Reign
from experiments.promotion.outcome import Outcome
from experiments.promotion.verdict import ModelRef, Verdict

_WIDTH = 79


@dataclass(frozen=True, slots=True, eq=False)
class Promotion:
    """What a run came to about the champion.

    Attributes:
        verdict: None where there is none, and `problem` says why.
        digest: Of its document.
        outcome: What delivery made of it; None while it is pending.
        problem: In words; "" otherwise.
    """

    verdict: Verdict | None = None
    digest: str = ""
    outcome: Outcome | None = None
    problem: str = ""

    @property
    def is_moved(self) -> bool:
        """Whether the challenger is champion."""
        return self.outcome is not None and self.outcome.version != "" and self.outcome.champion == self.outcome.version

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        if self.verdict is None:
            return {"decision": None, "problem": self.problem}
        finding, outcome = self.verdict.finding, self.outcome
        return {
            "decision": finding.decision,
            "mode": self.verdict.mode,
            "is_promoted": self.is_moved,
            "is_pending": outcome is None,
            "reason": finding.reason,
            "champion": None if outcome is None else outcome.champion or None,
            "version": None if outcome is None else outcome.version or None,
            "problem": "" if outcome is None else outcome.problem,
            "p_value": finding.p_value,
            "improvement": finding.improvement,
            "alpha": self.verdict.terms.alpha,
            "n_rows_needed": finding.n_rows_needed,
            "digest": self.digest,
        }

    def in_words(self) -> str:
        """A line or two, wrapped."""
        return textwrap.fill(f"Champion: {self._told()}.", _WIDTH)

    def _told(self) -> str:
        if self.verdict is None:
            return f"not decided: {self.problem}".rstrip(".")
        verdict, outcome, reason = self.verdict, self.outcome, self.verdict.finding.reason
        name = verdict.sweep
        if outcome is None:
            return f"{_intended(verdict)} as soon as MLflow has it: {reason}"
        if outcome.problem:
            return f"not promoted, {outcome.problem}: {reason}"
        if self.is_moved:
            return f"{name}/{outcome.version} is promoted{' by force' if verdict.mode == 'force' else ''}: {reason}"
        stays = f"{name}/{outcome.champion} stays" if outcome.champion else "there is none"
        if verdict.finding.decision == "promote":
            command = f"python -m sweeps promote {name}/{outcome.version}"
            return f"{stays} (promote = never), though {reason}. To promote: {command}"
        what = "insufficient evidence, " if verdict.finding.decision == "insufficient" else ""
        return f"{stays}: {what}{reason}"


def verdict_in_words(promotion: Promotion, *, holds: bool) -> str:
    """All that a document says, and whether it follows from its evidence."""
    verdict, outcome = promotion.verdict, promotion.outcome
    assert verdict is not None, "there is a document"
    terms, finding, rows, evidence = verdict.terms, verdict.finding, verdict.rows, verdict.evidence
    lines = [
        promotion.in_words(),
        "",
        f"decided       {_date(verdict.decided_at)}, promote = {verdict.mode}",
        f"challenger    {_model(verdict.challenger, outcome.version if outcome else '')}",
        f"champion      {_model(verdict.champion) if verdict.champion else '(none)'}",
    ]
    if verdict.problem:
        lines.append(f"compared with a constant, because {verdict.problem}")
    if rows is not None and evidence is not None:
        kind = "new since the champion was made" if rows.are_new else "sealed, used before"
        left_out = f"; {rows.n_left_out:,} left out, which one of the two was trained on" if rows.n_left_out else ""
        unknown = "" if rows.are_known else "; what the champion was trained on is not known"
        lines.append(f"rows          {rows.n_used:,} of {rows.n_sealed:,}, {kind}{left_out}{unknown}")
        lines.append(f"              digest {rows.digest[:16]}")
        if evidence.total is not None:
            total = evidence.total
            lines.append(
                f"both right    {total.both:,}; only the champion {total.only_champion:,}; only the challenger "
                f"{total.only_challenger:,}; neither {total.neither:,}"
            )
    if finding.p_value is not None and evidence is not None:
        lines.append(f"improvement   {finding.improvement:.4g} in {evidence.objective}, margin {terms.margin:g}")
        lines.append(f"p             {finding.p_value:.3g} ({finding.test}), alpha {terms.alpha:.3g}")
    lines.append(
        f"alpha         spent {finding.alpha_spent:.3g}, and {terms.spent:.3g} in the 365 days before, of "
        f"{terms.alpha_per_year:g}"
    )
    lines.append(f"software      {', '.join(f'{name} {version}' for name, version in verdict.software.items())}")
    lines.append(f"document      {promotion.digest}")
    lines.append(f"worked out again from its evidence: {'it agrees.' if holds else 'IT DOES NOT AGREE.'}")
    return "\n".join(lines)


def history_in_words(name: str, history: Sequence[Reign]) -> str:
    """Who was champion from when to when, and why, oldest first."""
    if not history:
        return f"{name} has had no champion."
    lines = []
    for reign in history:
        since = "?" if reign.since is None else _date(reign.since)
        until = "now" if reign.until is None else _date(reign.until)
        lines.append(f"{name}/{reign.version}  {since} to {until}, by {reign.kind}")
        lines += textwrap.wrap(reign.reason, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    return "\n".join(lines)


def _intended(verdict: Verdict) -> str:
    if verdict.moves_alias:
        return "the challenger is promoted"
    return "the champion stays" if verdict.champion else "there is none"


def _model(model: ModelRef, version: str = "") -> str:
    number = version or model.version
    return f"{f'version {number}, ' if number else ''}{model.study}, {model.digest[:16]}"


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
