"""How often nights promote a challenger that is no better, and how soon one that is, over simulated years.

    python -m tests.benchmarks.bench_promotion [--quick] [--append] [--years 200] [--runs 300] [--only costs power]

Rows are of three kinds, easy, doubtful and hard, on which every model is right with its own probability: models agree
on most rows, as networks that were trained alike do. A night's challenger is a new model, scored on the rows beside the
champion, both anew; the decision is `experiments.promotion.judgement.judge`. What is varied is the rule that says how
much a night may spend; the program's is the first.
"""

import argparse
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from experiments.promotion.comparison import ACCURACY, Counts, Evidence, Scored
from experiments.promotion.judgement import Terms, judge
from tests.benchmarks import results
from tests.benchmarks.timing import OtherLoad

ALPHA_PER_YEAR, NIGHTS = 0.05, 365
SHARES = np.array([0.75, 0.15, 0.10])
RIGHT = np.array([0.99, 0.60, 0.10])
"""Probability of being right on a row of each kind: accuracy .84, two such models differ on 10 % of the rows."""

INDEPENDENT = np.array([0.8425] * 3)
"""The same accuracy of models whose errors have nothing in common: they differ on 27 %."""

PARTS = ("accuracy", "costs", "power")

Rule = Callable[[int], float]
RULES: dict[str, Rule] = {
    "alike every night": lambda night: ALPHA_PER_YEAR / NIGHTS,
    "6 / (pi k)^2": lambda night: ALPHA_PER_YEAR * 6 / (math.pi * night) ** 2,
    "5 % every night": lambda night: ALPHA_PER_YEAR,
}


@dataclass(frozen=True, slots=True)
class Rows:
    """How many rows of each kind the champion is right and wrong on, (kinds,) each."""

    right: np.ndarray
    wrong: np.ndarray

    @classmethod
    def drawn(cls, rng: np.random.Generator, n: int, probabilities: np.ndarray) -> "Rows":
        kinds = rng.multinomial(n, SHARES)
        right = rng.binomial(kinds, probabilities)
        return cls(right, kinds - right)

    def __add__(self, other: "Rows") -> "Rows":
        return Rows(self.right + other.right, self.wrong + other.wrong)

    def beside(self, rng: np.random.Generator, probabilities: np.ndarray) -> Counts:
        """The champion and a new challenger on these rows."""
        both, gained = rng.binomial(self.right, probabilities), rng.binomial(self.wrong, probabilities)
        lost, neither = self.right - both, self.wrong - gained
        return Counts(*(int(part.sum()) for part in (both, lost, gained, neither)))


def nights_until(
    rng: np.random.Generator,
    rule: Rule,
    n_rows: int,
    *,
    are_fresh: bool,
    challenger: np.ndarray,
    champion: np.ndarray,
    nights: Iterable[int],
) -> int | None:
    """The first night that promotes; None if none does. Rows that are fresh every night are added to those before."""
    rows = Rows.drawn(rng, n_rows, champion)
    for number, night in enumerate(nights):
        if are_fresh and number > 0:
            rows = rows + Rows.drawn(rng, n_rows, champion)
        if _promotes(rows.beside(rng, challenger), rule(night)):
            return night
    return None


def _promotes(counts: Counts, alpha: float) -> bool:
    evidence = Evidence(ACCURACY, sum(counts), counts, {}, 2, None, math.nan, math.nan)
    return judge(evidence, Terms(alpha, 0.0, ALPHA_PER_YEAR, 0.0, 1)).decision == "promote"


def losses_night(rng: np.random.Generator, difficulty: np.ndarray, noise: float) -> np.ndarray:
    """Log-losses (m,) of a new model: skewed, most near 0, a few large."""
    return np.logaddexp(0, -(difficulty + noise * rng.standard_normal(len(difficulty))))


def null_year_of_costs(rng: np.random.Generator, n_rows: int, seed: int) -> bool:
    """Whether a year of equally good challengers on one sealed set promotes one, where the log-loss decides."""
    each = ALPHA_PER_YEAR / NIGHTS
    difficulty = 3 * rng.standard_normal(n_rows) + 4
    champion = Scored(losses_night(rng, difficulty, 1.0), None)
    y = np.zeros(n_rows, dtype=np.int64)
    for night in range(NIGHTS):
        challenger = Scored(losses_night(rng, difficulty, 1.0), None)
        evidence = Evidence.of("log-loss", champion, challenger, y, ())
        if judge(evidence, Terms(each, 0.0, ALPHA_PER_YEAR, 0.0, seed + night)).decision == "promote":
            return True
    return False


def better(probabilities: np.ndarray, points: float) -> np.ndarray:
    """A model that is right so many points more often, on rows that are not easy."""
    gain = np.where(probabilities < 0.9, 1.0, 0.0)
    return probabilities + points * gain / (gain @ SHARES)


def null_years(n_years: int, seed: int) -> list[list[str]]:
    rows = []
    for name, rule in RULES.items():
        for are_fresh in (True, False):
            rng = np.random.default_rng(seed)
            promoted = sum(
                nights_until(
                    rng, rule, 2000, are_fresh=are_fresh, challenger=RIGHT, champion=RIGHT, nights=range(1, NIGHTS + 1)
                )
                is not None
                for _ in range(n_years)
            )
            kind = "2,000 fresh every night, pooled" if are_fresh else "the same 2,000 every night"
            rows.append([name, kind, f"{promoted} of {n_years}", f"{promoted / n_years:.1%}"])
    return rows


def null_years_of_costs(n_years: int, seed: int) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    promoted = sum(null_year_of_costs(rng, 200, 1000 * year) for year in range(n_years))
    kind = "the same 200 every night, log-loss"
    return [["alike every night", kind, f"{promoted} of {n_years}", f"{promoted / n_years:.1%}"]]


def power(n_runs: int, seed: int) -> list[list[str]]:
    rows = []
    for name, rule in list(RULES.items())[:2]:
        for errors, probabilities in (("alike, differ on 10 %", RIGHT), ("independent, differ on 27 %", INDEPENDENT)):
            for first in (1, 30, 200):
                rng = np.random.default_rng(seed)
                found = [
                    nights_until(
                        rng,
                        rule,
                        2000,
                        are_fresh=True,
                        challenger=better(probabilities, 0.03),
                        champion=probabilities,
                        nights=range(first, first + 3),
                    )
                    for _ in range(n_runs)
                ]
                shares = [sum(f is not None and f < first + k for f in found) / n_runs for k in (1, 2, 3)]
                rows.append([name, errors, str(first), *(f"{share:.1%}" for share in shares)])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--append", action="store_true")
    parser.add_argument("--years", type=int, default=200)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument(
        "--only", nargs="+", choices=("accuracy", "costs", "power"), default=("accuracy", "costs", "power")
    )
    options = parser.parse_args()
    n_years, n_runs = (4, 20) if options.quick else (options.years, options.runs)
    with OtherLoad() as load:
        null = null_years(n_years, 1) if "accuracy" in options.only else []
        null += null_years_of_costs(n_years, 250) if "costs" in options.only else []
        found = power(n_runs, 3) if "power" in options.only else []
    tables = (
        (["rule", "rows", "years with a false promotion", "share"], null),
        (["rule", "errors", "first night", "1 night", "2 nights", "3 nights"], found),
    )
    text = "\n\n".join(results.table(columns, rows) for columns, rows in tables if rows)
    conditions = results.conditions(load.cores)
    print(f"{conditions}\n\n{text}")
    if options.append:
        results.append("bench_promotion", conditions, text)


if __name__ == "__main__":
    main()
