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
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from mlproj.errors import InvalidInput, Problem
from mlproj.searching.scales import value_at
from mlproj.spec.search import Choice, Dimension, Int, Space, choice_text


def draw(
    sampler: Literal["random", "grid", "qmc"],
    space: Space,
    *,
    seed: int,
    study: str,
    k: int,
    n: int,
    taken: frozenset[int] = frozenset(),
) -> dict[str, Any]:
    """The values of draw k.

    Where all keys are choices or whole numbers, random draws repeat no combination before all were drawn.

    Args:
        sampler: random: independent; qmc: a scrambled Sobol' sequence (Owen 1998), spread evenly; grid: all
            combinations of a few values per key, in a shuffled order.
        space: What to draw from.
        seed: Seed of the project.
        study: Name of the study; another one draws other values.
        k: Number of the draw, from 0.
        n: Draws in all; a grid asks, and so does a space with a number of combinations.
        taken: Combinations, by number, that were drawn elsewhere: random draws leave them out while there are others.

    Returns:
        A value for each path.

    Raises:
        InvalidInput: When n is too small for a grid.
    """
    if sampler == "grid":
        return _grid_point(space, seed, study, k, n)
    if sampler == "random" and (size := n_combinations(space)) < sys.maxsize:
        order = _untaken(size, n, _number(seed, study), taken)
        point = _point(_all_values(space), order[k % len(order)])
        return {path: point[path] for path in space}
    paths = sorted(space)
    if sampler == "qmc":
        places = dict(zip(paths, _sobol(len(paths), _number(seed, study), k.bit_length())[k], strict=True))
    else:
        places = {path: _number(seed, study, k, path) / 2**64 for path in paths}
    return {path: value_at(dimension, places[path]) for path, dimension in space.items()}


def n_combinations(space: Space) -> int:
    """How many different trials a space holds; `sys.maxsize` where a range of fractions makes them countless.

    Example:
        >>> n_combinations({"model.kind": Choice(choice=("mlp", "linear")), "training.epochs": Int(int=(1, 4))})
        8
    """
    return min(sys.maxsize, math.prod(map(_most, space.values())))


def combination_of(space: Space, params: Mapping[str, Any]) -> int:
    """Number of a combination in a space of choices and whole numbers.

    Example:
        >>> combination_of({"model.kind": Choice(choice=("mlp", "linear"))}, {"model.kind": "linear"})
        1
    """
    number, step = 0, 1
    for path, values in _all_values(space).items():
        if isinstance(values, range):
            number += step * values.index(params[path])
        else:
            number += step * [choice_text(value) for value in values].index(choice_text(params[path]))
        step *= len(values)
    return number


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
    return _point(levels, _shuffled(size, _number(seed, study))[k])


def _point(levels: Mapping[str, Sequence[Any]], number: int) -> dict[str, Any]:
    """The combination with a number."""
    point = dict[str, Any]()
    for path, values in levels.items():
        number, index = divmod(number, len(values))
        point[path] = values[index]
    return point


def _all_values(space: Space) -> dict[str, Sequence[Any]]:
    """All values of each key by path, where all are choices or whole numbers."""
    return {
        path: each.choice if isinstance(each, Choice) else range(each.int[0], each.int[1] + 1)
        for path, each in sorted(space.items())
        if isinstance(each, Choice | Int)
    }


@lru_cache(maxsize=1)
def _untaken(size: int, n: int, seed: int, taken: frozenset[int]) -> Sequence[int]:
    """At least n numbers below size in a random order, without the taken ones; fewer where there are no more."""
    some = random.Random(seed).sample(range(size), min(size, n + len(taken)))
    return [number for number in some if number not in taken] or some


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
