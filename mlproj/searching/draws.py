"""Draws that depend on seed, study and number alone: no state to lose, the same in any order and after a crash.

Bergstra & Bengio 2012: random points show many values of each hyperparameter where a grid shows few.

>>> from mlproj.spec.search import Log
>>> draw("random", {"training.l2": Log(log=(1e-6, 0.1))}, seed=0, study="cats/search-1/round-1", k=3, n=64)
{'training.l2': 0.024176207013832347}
"""

import hashlib
import math
import random
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

from mlproj.errors import InvalidInput, Problem
from mlproj.searching.scales import value_at
from mlproj.spec.search import Choice, Dimension, Int, Space


def draw(
    sampler: Literal["random", "grid", "qmc"], space: Space, *, seed: int, study: str, k: int, n: int
) -> dict[str, Any]:
    """The values of draw k.

    Args:
        sampler: random: independent; qmc: a scrambled Sobol' sequence (Owen 1998), spread evenly; grid: all
            combinations of a few values per key, in a shuffled order.
        space: What to draw from.
        seed: Seed of the project.
        study: Name of the study; another one draws other values.
        k: Number of the draw, from 0.
        n: Draws in all; only a grid asks.

    Returns:
        A value for each path.

    Raises:
        InvalidInput: When n is too small for a grid.
    """
    if sampler == "grid":
        return _grid_point(space, seed, study, k, n)
    paths = sorted(space)
    if sampler == "qmc":
        places = dict(zip(paths, _sobol(len(paths), _number(seed, study), k.bit_length())[k], strict=True))
    else:
        places = {path: _number(seed, study, k, path) / 2**64 for path in paths}
    return {path: value_at(dimension, places[path]) for path, dimension in space.items()}


def grid_levels(space: Space, n: int) -> dict[str, tuple[Any, ...]]:
    """The values of each key in a grid of at most n points.

    Choices are complete; the ranges share what is left evenly, earlier ones first. A range has its ends and equal
    steps on the sampling scale in between, its middle where it is left a single value, and never more values than whole
    numbers.

    Args:
        space: What to try.
        n: Points at most.

    Raises:
        InvalidInput: When the choices alone make more than n combinations.

    Example:
        >>> grid_levels({"model.width": Int(int=(16, 256)), "model.layers": Int(int=(1, 4))}, 12)
        {'model.width': (16, 136, 256), 'model.layers': (1, 2, 3, 4)}
    """
    least = math.prod(len(each.choice) for each in space.values() if isinstance(each, Choice))
    if least > n:
        message = f"{n:,} trials are too few for a grid: the choices alone make {least:,} combinations"
        hint = f"Allow {least:,} trials, list fewer choices, or let the sampler be random."
        raise InvalidInput([Problem("search.trials", message, hint)])
    counts = _counts(space, n)
    return {path: _levels(dimension, counts[path]) for path, dimension in space.items()}


def grid_size(space: Space, n: int) -> int:
    """Points of the largest even grid that n trials can fill.

    Raises:
        InvalidInput: When the choices alone make more than n combinations.

    Example:
        >>> grid_size({"model.width": Int(int=(16, 256)), "model.init": Choice(choice=("he", "xavier"))}, 25)
        24
    """
    return math.prod(map(len, grid_levels(space, n).values()))


def _counts(space: Space, n: int) -> dict[str, int]:
    """How many values each key gets: the same root of n as far as it has so many, and one more where that fits."""
    counts = {path: len(each.choice) for path, each in space.items() if isinstance(each, Choice)}
    ranges = sorted((path for path in space if path not in counts), key=lambda path: _most(space[path]))
    for open_, path in zip(range(len(ranges), 0, -1), ranges, strict=True):
        left, most = n // math.prod(counts.values()), _most(space[path])
        share = _root(left, open_)
        is_nearly_complete = most <= share + 1 and left // most >= 2 ** (open_ - 1)
        counts[path] = most if is_nearly_complete else share
    for path in [path for path in space if path in ranges]:
        others = math.prod(count for other, count in counts.items() if other != path)
        counts[path] = min(n // others, counts[path] + 1, _most(space[path]))
    return counts


def _root(n: int, k: int) -> int:
    """The largest whole number whose k-th power is at most n."""
    guess = round(n ** (1 / k))
    return guess if guess**k <= n else guess - 1


def _most(dimension: Dimension) -> int:
    """Values that a range can have."""
    match dimension:
        case Choice():
            return len(dimension.choice)
        case Int():
            return dimension.int[1] - dimension.int[0] + 1
        case _:
            return sys.maxsize


def _levels(dimension: Dimension, n: int) -> tuple[Any, ...]:
    """Values in equal steps on the sampling scale, ends included; the middle alone when n is 1."""
    if isinstance(dimension, Choice):
        return dimension.choice
    steps = [i / (n - 1) for i in range(n)] if n > 1 else [0.5]
    if isinstance(dimension, Int):
        low, high = dimension.int
        return tuple(low + round(step * (high - low)) for step in steps)
    return tuple(value_at(dimension, step) for step in steps)


def _grid_point(space: Space, seed: int, study: str, k: int, n: int) -> dict[str, Any]:
    levels = grid_levels(space, n)
    size = math.prod(map(len, levels.values()))
    if not 0 <= k < size:
        raise ValueError(f"a grid of {size} points has no point {k}")
    rest, point = _shuffled(size, _number(seed, study))[k], dict[str, Any]()
    for path, values in levels.items():
        rest, index = divmod(rest, len(values))
        point[path] = values[index]
    return point


@lru_cache(maxsize=1)
def _shuffled(size: int, seed: int) -> Sequence[int]:
    """0 … size − 1 in a random order; kept, because every draw of a grid asks for it."""
    order = list(range(size))
    random.Random(seed).shuffle(order)
    return order


@lru_cache(maxsize=1)
def _sobol(n_dimensions: int, seed: int, power: int) -> Sequence[Sequence[float]]:
    """The first 2ᵖ points of a scrambled Sobol' sequence; the same ones begin every longer part of it."""
    from scipy.stats import qmc

    points: list[list[float]] = qmc.Sobol(n_dimensions, scramble=True, rng=seed).random_base2(power).tolist()
    return points


def _number(*parts: object) -> int:
    """A number of 64 bits that looks random and depends on the parts alone."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8])
