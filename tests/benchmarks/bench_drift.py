"""How often `drift` finds what was injected, and how often it finds what was not, over simulated names of sweeps.

    python -m tests.benchmarks.bench_drift [--quick] [--append] [--runs 200] [--proposals tpe] [--seed 1000]

Nothing is trained: a trial's value is a known function of its hyperparameters, of the night and of chance. Each
night begins with what did best in the nights before: without that memory the best value of a hyperparameter would be
drawn anew each night, and an ordinary test for a trend would do. The rest is asked of Optuna's TPE, or of a local
search like it that is a thousand times as fast.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import optuna
from scipy import stats

from experiments.drift.drift import drift_of
from experiments.drift.night import Night, Tried
from experiments.drift.staying import halves
from sweeps.search.optuna_private import QuickTPESampler
from tests.benchmarks import results
from tests.benchmarks.timing import OtherLoad

N_TRIALS = 30
N_REMEMBERED_STUDIES, N_OF_A_STUDY, SHARE = 10, 3, 0.1
ACTIVATIONS = ("relu", "leaky_relu", "tanh", "sigmoid")
TESTS_OF = ("learning_rate", "n_iterations", "depth", "width", "activation")


Params = dict[str, float | str]
CostOf = Callable[[Params], float]
Propose = Callable[[Sequence[Params], CostOf, np.random.Generator], list[tuple[Params, float]]]


@dataclass(frozen=True, slots=True)
class World:
    """Where a night's best hyperparameters are.

    Attributes:
        log_rate: log10 of the best learning rate; where iterations are many it is lower, as in training.
        activation: The best one.
        level: The value that can be reached.
    """

    log_rate: float = -1.5
    activation: str = "relu"
    level: float = 0.30


@dataclass(frozen=True, slots=True)
class Case:
    """A history of nights.

    Attributes:
        world: Of night 0, 1, ... of so many.
        noise: Deviation of a trial's value, as a share of it.
        moved: The hyperparameters whose best value moves.
    """

    name: str
    world: Callable[[int, int], World]
    moved: tuple[str, ...] = ()
    noise: float = 0.02
    n_nights: int = 12
    is_flat: bool = False


def _step(night: int, n: int, **after: float | str) -> World:
    return World(**after) if night >= n // 2 else World()  # type: ignore[arg-type]


def _drift(night: int, n: int) -> World:
    return World(log_rate=-1.5 - night / (n - 1))


CASES = (
    Case("nothing moves", lambda night, n: World()),
    Case("nothing moves, 6 nights", lambda night, n: World(), n_nights=6),
    Case("nothing moves, 24 nights", lambda night, n: World(), n_nights=24),
    Case("nothing moves, noise 5 %", lambda night, n: World(), noise=0.05),
    Case("nothing moves, learning rate does not matter", lambda night, n: World(), is_flat=True),
    Case("only the level moves", lambda night, n: World(level=0.3 + 0.1 * night / n)),
    Case("learning rate steps 10 x", partial(_step, log_rate=-2.5), ("learning_rate",)),
    Case("learning rate steps 4 x", partial(_step, log_rate=-2.1), ("learning_rate",)),
    Case("learning rate drifts 10 x", _drift, ("learning_rate",)),
    Case("learning rate steps 10 x, 6 nights", partial(_step, log_rate=-2.5), ("learning_rate",), n_nights=6),
    Case("learning rate steps 10 x, 24 nights", partial(_step, log_rate=-2.5), ("learning_rate",), n_nights=24),
    Case("learning rate drifts 10 x, 24 nights", _drift, ("learning_rate",), n_nights=24),
    Case("activation changes", partial(_step, activation="tanh"), ("activation",)),
    Case("activation changes, 24 nights", partial(_step, activation="tanh"), ("activation",), n_nights=24),
)


def value(world: World, case: Case, rng: np.random.Generator, shift: float, params: Params) -> float:
    """Of one trial: quadratic in the logarithms about the night's best, and chance."""
    log_rate = math.log10(float(params["learning_rate"]))
    log_iterations = math.log10(float(params["n_iterations"]))
    best_rate = world.log_rate - 0.3 * (log_iterations - 3)
    penalty = 0.0 if case.is_flat else 0.4 * (log_rate - best_rate) ** 2
    penalty += 0.05 * (log_iterations - 3.2) ** 2 + 0.02 * abs(float(params["depth"]) - 2)
    penalty += 0.05 * (math.log(float(params["width"]) / 32) / math.log(16)) ** 2
    penalty += 0.0 if params["activation"] == world.activation else 0.08
    return shift * world.level * (1 + penalty) * math.exp(case.noise * rng.standard_normal())


def nights_of(case: Case, seed: int, propose: Propose) -> list[Night]:
    """A history: the data of each night shift all its values, memory is tried first, then what is proposed."""
    rng = np.random.default_rng(seed)
    nights: list[Night] = []
    for number in range(case.n_nights):
        world = case.world(number, case.n_nights)
        remembered = _remembered(nights)
        cost_of = partial(value, world, case, rng, math.exp(0.03 * rng.standard_normal()))
        tried = [
            Tried(cost, params, is_remembered=params in remembered)
            for params, cost in propose(remembered, cost_of, rng)
        ]
        nights.append(Night(f"made/{number:02d}", float(number), "", sorted(tried, key=lambda one: one.cost)))
    return nights


def propose_locally(
    remembered: Sequence[Params], cost_of: CostOf, rng: np.random.Generator
) -> list[tuple[Params, float]]:
    """Ten at random, then changes of the best fifth, as TPE does it, for a thousandth of its time."""
    tried: list[tuple[Params, float]] = []
    for number in range(N_TRIALS):
        if number < len(remembered):
            params = remembered[number]
        elif number < len(remembered) + 10 or rng.random() < 0.2:
            params = _params(rng.random(4), str(rng.choice(ACTIVATIONS)))
        else:
            best = sorted(tried, key=lambda one: one[1])[: max(1, number // 5)]
            near = best[int(rng.integers(len(best)))][0]
            activation = str(near["activation"]) if rng.random() < 0.8 else str(rng.choice(ACTIVATIONS))
            params = _params(np.clip(_position(near) + 0.1 * rng.standard_normal(4), 0, 1), activation)
        tried.append((params, cost_of(params)))
    return tried


def propose_by_tpe(
    remembered: Sequence[Params], cost_of: CostOf, rng: np.random.Generator
) -> list[tuple[Params, float]]:
    """As a sweep does."""
    study = optuna.create_study(sampler=QuickTPESampler(seed=int(rng.integers(2**31)), group=True))
    for params in remembered:
        study.enqueue_trial(dict(params))
    tried: list[tuple[Params, float]] = []
    for _ in range(N_TRIALS):
        trial = study.ask()
        params: Params = {
            "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1.0, log=True),
            "n_iterations": trial.suggest_int("n_iterations", 100, 10_000, log=True),
            "depth": trial.suggest_int("depth", 0, 4),
            "width": trial.suggest_int("width", 4, 256, log=True),
            "activation": trial.suggest_categorical("activation", ACTIVATIONS),
        }
        tried.append((params, cost_of(params)))
        study.tell(trial, tried[-1][1])
    return tried


PROPOSALS: dict[str, Propose] = {"local": propose_locally, "tpe": propose_by_tpe}


def _params(at: np.ndarray, activation: str) -> Params:
    """From four positions between 0 and 1."""
    return {
        "learning_rate": float(10 ** (4 * at[0] - 4)),
        "n_iterations": round(10 ** (2 + 2 * at[1])),
        "depth": round(4 * at[2]),
        "width": round(4 * 64 ** at[3]),
        "activation": activation,
    }


def _position(params: Params) -> np.ndarray:
    rate, iterations, depth, width = (float(params[name]) for name in TESTS_OF[:4])
    return np.array([math.log10(rate) / 4 + 1, math.log10(iterations) / 2 - 1, depth / 4, math.log(width / 4, 64)])


def _remembered(nights: Sequence[Night]) -> list[Params]:
    """As `sweeps.trials.memory.remembered`."""
    found: list[Params] = []
    for night in list(reversed(nights))[:N_REMEMBERED_STUDIES]:
        found += [dict(tried.params) for tried in night.tried[:N_OF_A_STUDY] if dict(tried.params) not in found]
    return found[: max(1, int(SHARE * N_TRIALS))]


def by_score(nights: Sequence[Night]) -> set[str]:
    """What the program says has moved."""
    return {row.name for row in drift_of(nights).hyperparameters if row.price.verdict == "moved"}


def by_trend(nights: Sequence[Night]) -> set[str]:
    """Mann and Kendall's test of the best trial's values, Bonferroni."""
    names = TESTS_OF[:4]
    p_values = {
        name: stats.kendalltau(range(len(nights)), [night.best.params[name] for night in nights]).pvalue
        for name in names
    }
    return {name for name, p in p_values.items() if p <= 0.05 / len(names)}


def by_means(nights: Sequence[Night]) -> set[str]:
    """Welch's test of the best trial's logarithms in the two ends, Bonferroni."""
    moved = set()
    for name in TESTS_OF[:4]:
        samples = [[math.log1p(float(night.best.params[name])) for night in half] for half in halves(nights)]
        if np.ptp(samples[0]) + np.ptp(samples[1]) == 0:
            continue
        if stats.ttest_ind(*samples, equal_var=False).pvalue <= 0.05 / 4:
            moved.add(name)
    return moved


RULES = {"by score": by_score, "Mann-Kendall": by_trend, "Welch": by_means}


def found(case: Case, seeds: range, proposals: str) -> list[list[str]]:
    """One row a rule: how often what moved was found, and how often anything else was."""
    histories = [nights_of(case, seed, PROPOSALS[proposals]) for seed in seeds]
    rows = []
    for name, rule in RULES.items():
        said = [rule(nights) for nights in histories]
        hits = sum(set(case.moved) <= one for one in said)
        false = sum(bool(one - set(case.moved)) for one in said)
        power = f"{hits / len(seeds):.0%}" if case.moved else "-"
        rows.append([case.name, proposals, name, power, f"{false} of {len(seeds)}", f"{false / len(seeds):.1%}"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--append", action="store_true")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--proposals", choices=PROPOSALS, default="local")
    parser.add_argument("--seed", type=int, default=1000, help="of the first history; the next has the next")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    cases, n_runs = (CASES[1:2], 2) if options.quick else (CASES, options.runs)
    seeds = range(options.seed, options.seed + n_runs)
    with OtherLoad() as load:
        rows = [row for case in cases for row in found(case, seeds, options.proposals)]
    text = results.table(["history", "proposals", "rule", "found", "something else moved", "share"], rows)
    conditions = results.conditions(load.cores)
    print(f"{conditions}\n\n{text}")
    if options.append:
        results.append("bench_drift", conditions, text)


if __name__ == "__main__":
    main()
