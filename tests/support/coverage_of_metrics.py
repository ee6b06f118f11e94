"""Problems of known difficulty for every metric, and how often its interval holds the truth on them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics import estimate, score
from mlproj.records import Answers

Floats = NDArray[np.float64]
Problem = tuple[Answers, Floats | None, NDArray[np.int64] | None]
Draw = Callable[[np.random.Generator], Problem]
BINARY = ("no", "yes")


def classes(rng: np.random.Generator, n: int, hardness: Floats | float = 0.0) -> Answers:
    """Two classes, 40 % positive; an example with more `hardness` is answered worse."""
    y = (rng.random(n) < 0.4).astype(np.int64)
    p = 1 / (1 + np.exp(-1.5 * ((2 * y - 1) * (1.3 - hardness) + rng.normal(size=n))))
    return Answers(y, (p > 0.5).astype(np.int64), BINARY, np.stack([1 - p, p], axis=1))


def numbers(rng: np.random.Generator, n: int, hardness: Floats | float = 0.0) -> Answers:
    x = rng.normal(size=n)
    return Answers(x + 0.5 * np.exp(0.5 * hardness) * rng.normal(size=n), x)


def plain(make: Callable[..., Answers], n: int) -> Draw:
    return lambda rng: (make(rng, n), None, None)


def weighted(make: Callable[..., Answers], n: int) -> Draw:
    """One example in seven weighs ten times as much, and is harder."""

    def draw(rng: np.random.Generator) -> Problem:
        heavy = rng.random(n) < 0.15
        return make(rng, n, np.where(heavy, 0.6, 0.0)), np.where(heavy, 10.0, 1.0), None

    return draw


def grouped(make: Callable[..., Answers], n_groups: int) -> Draw:
    """Twenty examples per group; groups differ in hardness with standard deviation 0.8."""

    def draw(rng: np.random.Generator) -> Problem:
        group = np.repeat(np.arange(n_groups), 20)
        return make(rng, len(group), rng.normal(0, 0.8, n_groups)[group]), None, group

    return draw


def rare_classes(rng: np.random.Generator, n: int) -> Answers:
    shares = np.array([0.4, 0.25, 0.2, 0.1, 0.05])
    y = rng.choice(5, n, p=shares)
    scores = rng.gumbel(size=(n, 5)) + 2.5 * np.eye(5)[y] + np.log(shares)
    return Answers(y, scores.argmax(axis=1), tuple("abcde"))


def share_covered(metric: str, make: Callable[..., Draw], of: Callable[..., Answers], size: int, repeats: int) -> float:
    """Share of intervals that hold the value on a set a thousand times larger."""
    rng = np.random.default_rng(31)
    answers, weight, _ = make(of, 1000 * size)(rng)
    truth = score(metric, answers, weight)
    draw, held = make(of, size), 0
    for _ in range(repeats):
        answers, weight, group = draw(rng)
        found = estimate(metric, answers, weight, group)
        held += found.low <= truth <= found.high
    return held / repeats
