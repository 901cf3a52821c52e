"""Data sets made by a script, each with a fixed seed, for what the packages lack."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.datasets import make_friedman1

Array = npt.NDArray[np.generic]


def segments() -> tuple[pd.DataFrame, Array]:
    """12,000 customers in four segments, two of them 5 % each: heavy tails, interactions, a category of 40 levels.

    The class is the largest of four noisy scores; a score has a bend, a product and an effect of each category, so that
    a linear model sees a part of it only. The two rare classes pay an intercept for being rare.
    """
    rng = np.random.default_rng(1)
    m = 12_000
    income, age, visits = rng.lognormal(0, 0.8, m), rng.uniform(18, 90, m), rng.gamma(2, 2, m)
    others = rng.standard_normal((m, 7))
    city, channel, plan = rng.zipf(1.5, m) % 40, rng.integers(0, 5, m), rng.integers(0, 3, m)
    of_city, of_channel = rng.normal(0, 0.9, (40, 4)), rng.normal(0, 0.8, (5, 4))
    slopes = rng.normal(0, 0.5, (7, 4))
    scores = others @ slopes + of_city[city] + of_channel[channel]
    scores[:, 0] += np.abs(age - 50) / 12 - 1.5
    scores[:, 1] += 1.2 * np.log(income) * (plan - 1)
    scores[:, 2] += others[:, 0] * others[:, 1] + np.sin(2 * others[:, 2])
    scores[:, 3] += 0.8 * np.sqrt(visits) * (channel == 2) - others[:, 3] ** 2 / 2
    scores += rng.gumbel(0, 0.5, scores.shape)
    scores += np.array([0.0, 0.3, 0.0, 0.0])
    for k in (2, 3):  # exactly so rare: the 5 % that exceed the others most
        margin = scores[:, k] - np.delete(scores, k, axis=1).max(axis=1)
        scores[:, k] -= np.quantile(margin, 0.95)
    table = pd.DataFrame({f"x{i}": column for i, column in enumerate(others.T)})
    table = table.assign(income=income, age=age, visits=visits)
    for name, codes in (("city", city), ("channel", channel), ("plan", plan)):
        table[name] = [f"{name} {code}" for code in codes]
    return table, scores.argmax(axis=1)


def friedman() -> tuple[Array, Array]:
    """Friedman's first function of 5 of 10 features, 4,000 examples, noise of deviation 1 (Friedman 1991)."""
    return make_friedman1(n_samples=4000, n_features=10, noise=1.0, random_state=2)


SHAPES = ("disc", "square", "ring", "cross", "triangle", "bars")


def shapes() -> tuple[Array, Array]:
    """600 colour pictures of 24 x 24 pixels: one of six bright shapes on a dark, noisy ground, about in the middle.

    Anywhere and of any colour, 150 of them taught nobody anything: all models stayed at log 6.
    """
    rng = np.random.default_rng(3)
    y = np.arange(600) % len(SHAPES)
    return np.stack([_picture(SHAPES[code], rng) for code in y]), y


def _picture(shape: str, rng: np.random.Generator, side: int = 24) -> npt.NDArray[np.uint8]:
    radius = rng.uniform(7, 10)
    center = rng.uniform(side / 2 - 2, side / 2 + 2, size=2)
    v, u = (np.indices((side, side)) - center[:, None, None]) / radius
    distance, widest = np.hypot(u, v), np.maximum(abs(u), abs(v))
    inside = {
        "disc": distance < 1,
        "square": widest < 0.85,
        "ring": (distance < 1) & (distance > 0.6),
        "cross": (np.minimum(abs(u), abs(v)) < 0.3) & (widest < 1),
        "triangle": (abs(u) < (v + 1) / 2) & (v < 0.9),
        "bars": (widest < 0.9) & (np.sin(3 * np.pi * u) > 0),
    }[shape]
    ground, colour = rng.uniform(0, 110, size=3), rng.uniform(120, 255, size=3)
    picture = np.where(inside[:, :, None], colour, ground) + rng.normal(0, 25, size=(side, side, 3))
    return picture.clip(0, 255).astype(np.uint8)
