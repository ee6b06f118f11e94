"""Which examples a smaller training set holds: nested, stratified, groups whole. N examples, U units, A sizes.

An order of all examples is drawn once per repeat, and every size takes its beginning, so that a smaller set lies
within every larger one of the same repeat. Within a stratum (class, combination of labels, bin of a quantity; each
source apart) examples are put at even distances from a random start, so that every beginning holds its share of every
stratum, give or take one.

>>> order = nested_order(np.array([0, 0, 0, 0, 1, 1]), np.random.default_rng(0))
>>> sorted(order.tolist()), np.isin(order[:3], [4, 5]).sum().item()
([0, 1, 2, 3, 4, 5], 1)
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]


def nested_order(strata: NDArray[Any], rng: np.random.Generator, group: NDArray[Any] | None = None) -> Positions:
    """An order (N,) of the examples whose every beginning is stratified.

    Args:
        strata: Stratum of each example (N,).
        rng: Source of randomness.
        group: Group of each example (N,); a group stays together, in the stratum that most of its examples are in.
    """
    if group is None:
        return np.argsort(_places(strata, np.ones(len(strata)), rng), kind="stable")
    _, unit = np.unique(group, return_inverse=True)
    _, codes = np.unique(strata, return_inverse=True)
    table = np.zeros((unit.max() + 1, codes.max() + 1))
    np.add.at(table, (unit, codes), 1)
    rank = np.empty(len(table), dtype=np.int64)
    rank[np.argsort(_places(table.argmax(axis=1), table.sum(axis=1), rng), kind="stable")] = np.arange(len(table))
    return np.argsort(rank[unit], kind="stable")


def _places(strata: NDArray[Any], sizes: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Place of each unit (U,) between 0 and 1: evenly within its stratum, by size, from a random start."""
    places = np.empty(len(strata))
    for stratum in np.unique(strata):
        members = rng.permutation(np.flatnonzero(strata == stratum))
        before = np.cumsum(sizes[members]) - sizes[members]
        places[members] = (before + rng.random() * sizes[members].mean()) / sizes[members].sum()
    return places


def cut(order: Positions, sizes: Sequence[int], group: NDArray[Any] | None = None) -> list[Positions]:
    """The beginnings of an order, one per size; with groups the nearest number of examples that keeps them whole.

    Args:
        order: From `nested_order` (N,).
        sizes: Sizes asked for, ascending.
        group: Group of each example (N,).

    Example:
        >>> [rows.tolist() for rows in cut(np.array([2, 0, 1]), [1, 3])]
        [[2], [2, 0, 1]]
    """
    if group is None:
        return [order[:n] for n in sizes]
    ordered = group[order]
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1, len(order))
    return [order[: ends[np.abs(ends - n).argmin()]] for n in sizes]


def choose_sizes(n: int, *, least: int, n_sizes: int = 7) -> list[int]:
    """Sizes from n downwards in steps of √2: seven where the data allow, never below `least`.

    Args:
        n: Examples in the training split.
        least: Smallest size worth training on.
        n_sizes: Most sizes.

    Example:
        >>> choose_sizes(1079, least=20)
        [135, 191, 270, 381, 540, 763, 1079]
    """
    sizes = {round(n / 2 ** (k / 2)) for k in range(n_sizes)}
    return sorted(size for size in sizes if size >= least or size == n)
