"""What the labels of several people say about the error that nobody avoids. L labels, I items, A people, K classes.

Two people who label the same items disagree where the answer is uncertain. How often they do brackets the error of the
best possible model, without any model::

    d = disagreement(votes)
    low, high = bayes_bracket(d.value, votes.n_classes)

For numbers the spread of several labels of one item is the mean squared error below which no model gets.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.agreement import Agreement, of_classes, of_numbers
from mlproj.metrics.intervals import (
    Estimate,
    Floats,
    Units,
    effective_n,
    gather_units,
    normal_quantile,
    t_quantile,
    unit_mean,
    wilson,
)

FEWEST_FOR_SHARES = 10
"""Labels per item from which the share of the rarer answers can stand for its probability."""
Limits = tuple[float, float, float]
"""A value with its lower and upper limit."""


@dataclass(frozen=True)
class Votes:
    """Labels that people gave to items, one entry per label.

    Attributes:
        item: Item of each label (L,), from 0.
        person: Who gave it (L,), a position in `people`.
        answer: The label (L,): int64 positions in `classes`, or float64 values where `classes` is empty.
        people: Names of the A people.
        classes: Names of the K classes; empty for numbers.
        truth: What the data say of each item (I,), like `answer`; −1 or NaN where they say nothing.
        weight: Weight of each item in the metric (I,), or None.
        group: Group of each item (I,), or None.
    """

    item: NDArray[np.int64]
    person: NDArray[np.int64]
    answer: NDArray[Any]
    people: tuple[str, ...]
    classes: tuple[str, ...]
    truth: NDArray[Any]
    weight: Floats | None = None
    group: NDArray[Any] | None = None

    @property
    def n_items(self) -> int:
        """Items, those without a label too."""
        return len(self.truth)

    @property
    def n_classes(self) -> int:
        """Classes; 0 for numbers."""
        return len(self.classes)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Mask (I,) of the items of which the data say something."""
        return self.truth >= 0 if self.classes else ~np.isnan(self.truth)

    @cached_property
    def per_item(self) -> NDArray[np.int64]:
        """Labels of each item (I,)."""
        return np.bincount(self.item, minlength=self.n_items)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each item was called each class (I, K)."""
        flat = np.bincount(self.item * self.n_classes + self.answer, minlength=self.n_items * self.n_classes)
        return flat.reshape(self.n_items, self.n_classes)

    def at(self, items: NDArray[np.bool_]) -> "Votes":
        """The labels of some items (a mask (I,)), numbered anew."""
        position = np.cumsum(items) - 1
        kept = items[self.item]
        return replace(
            self,
            item=position[self.item[kept]],
            person=self.person[kept],
            answer=self.answer[kept],
            truth=self.truth[items],
            weight=None if self.weight is None else self.weight[items],
            group=None if self.group is None else self.group[items],
        )

    def with_label(self, name: str) -> "Votes":
        """With the label of the data as that of one more person, on the items that somebody else labelled too."""
        items = np.flatnonzero(self.known & (self.per_item > 0))
        return replace(
            self,
            item=np.concatenate([self.item, items]),
            person=np.concatenate([self.person, np.full(len(items), len(self.people))]),
            answer=np.concatenate([self.answer, self.truth[items]]),
            people=(*self.people, name),
        )

    def agreement(self) -> Agreement:
        """How far the people agree beyond chance."""
        return of_classes(self.counts) if self.classes else of_numbers(self.item, self.answer)


def item_disagreement(counts: NDArray[Any]) -> Floats:
    """Share of the pairs of labels that differ (I,), for items with two labels or more: 1 − Σ k(k−1) / m(m−1).

    Unbiased for 1 − Σ p² when the m labels of an item are independent draws with the probabilities p, whatever m.

    Args:
        counts: How often each item was called each class (I, K), at least twice in all.

    Example:
        >>> item_disagreement(np.array([[2, 0], [1, 1], [2, 1]])).round(3).tolist()
        [0.0, 1.0, 0.667]
    """
    m = counts.sum(axis=1)
    return 1 - (counts * (counts - 1)).sum(axis=1) / (m * (m - 1))


def disagreement(votes: Votes) -> Estimate:
    """How often two people's labels of an item differ, over the items with two labels or more.

    Wilson's limits at the effective number of items: with three labels or more an item tells more than one pair, by the
    ratio of p(1 − p) to the variance between items (Korn & Graubard 1998), at most as much as its labels make pairs.

    Args:
        votes: Labels that are classes.

    Raises:
        ValueError: When no item has two labels.
    """
    twice = votes.per_item > 1
    if not twice.any():
        raise ValueError("no item has two labels")
    weight, group = _of(votes.weight, twice), _of(votes.group, twice)
    units = gather_units(item_disagreement(votes.counts[twice]), weight, group)
    value = min(max(units.value, 0.0), 1.0)
    n = effective_n(units)
    if not units.grouped and weight is None and 0 < value < 1:
        n = max(n, _many_labels(value, units, float(np.mean(votes.per_item[twice]))))
    low, high = wilson(value, n)
    return Estimate(
        value, low, high, n, f"Wilson over {int(twice.sum()):,} items{' in groups' if group is not None else ''}"
    )


def _many_labels(d: float, units: Units, labels: float) -> float:
    """Effective number of items where each has many labels; Student's t stands in for the normal, as with groups."""
    if units.variance <= 0:
        return 0.0
    n = min(d * (1 - d) / units.variance, len(units) * labels / 2)
    return n * (normal_quantile(0.95) / t_quantile(len(units) - 1, 0.95)) ** 2


def bayes_bracket(d: Any, n_classes: int) -> tuple[Any, Any]:
    """Between which errors the best possible model lies, where two independent labels differ with probability d.

    (K−1)/K · (1 − √(1 − K·d/(K−1))) ≤ R* ≤ d: the inequalities of Cover & Hart 1967 between the error of the nearest
    neighbour and Bayes' error, a second person standing in for a neighbour that is infinitely near. It speaks of
    predicting one person's label, not a majority of them.

    Args:
        d: Probability or probabilities that two labels of an item differ.
        n_classes: Number of classes K.

    Returns:
        Lower and upper end.

    Example:
        >>> [round(end, 3) for end in bayes_bracket(0.18, 2)]
        [0.1, 0.18]
    """
    share = (n_classes - 1) / n_classes
    low = share * (1 - np.sqrt(np.maximum(1 - np.asarray(d) / share, 0.0)))
    high = np.minimum(d, share)
    return (float(low), float(high)) if np.ndim(low) == 0 else (low, high)


def plug_in_error(votes: Votes) -> Estimate | None:
    """Mean share of the labels that are not the most frequent one, where every item has ten labels or more.

    Ishida, Yamane, Charoenphakdee, Niu & Sugiyama 2023, with shares in place of probabilities: of fewer labels the
    most frequent is too often frequent by luck, and the figure too small. None then.
    """
    m = votes.per_item[votes.per_item > 0]
    if not len(m) or m.min() < FEWEST_FOR_SHARES or len(m) < 2:
        return None
    seen = votes.per_item > 0
    units = gather_units(1 - votes.counts[seen].max(axis=1) / m, _of(votes.weight, seen), _of(votes.group, seen))
    reach = t_quantile(len(units) - 1, 0.95) * sqrt(units.variance) if len(units) > 1 else 1.0
    low, high = max(units.value - reach, 0.0), min(units.value + reach, 1.0)
    return Estimate(units.value, low, high, float(len(units)), "Student's t over items")


def spread_units(votes: Votes) -> Units:
    """The variance of each item's labels, unbiased, as units of a mean: for two labels half their squared difference.

    Raises:
        ValueError: When no item has two labels.
    """
    m = votes.per_item
    twice = m > 1
    if not twice.any():
        raise ValueError("no item has two labels")
    mean = np.bincount(votes.item, votes.answer, votes.n_items) / np.maximum(m, 1)
    squares = np.bincount(votes.item, np.square(votes.answer - mean[votes.item]), votes.n_items)
    return gather_units(squares[twice] / (m[twice] - 1), _of(votes.weight, twice), _of(votes.group, twice))


def spread(votes: Votes) -> Estimate:
    """Variance of the labels of one item: the mean squared error below which no model of single labels gets.

    E(Y − f(x))² ≥ E Var(Y | item), by the law of total variance. A person who stands in for another misses by twice as
    much in the square, as the errors of both count.

    Args:
        votes: Labels that are numbers.
    """
    return unit_mean(spread_units(votes))


def noise_rate(d: Limits, n_classes: int) -> Limits:
    """Share of wrong labels, if mistakes are random: equally likely for every item and to every other class.

    Two labels then differ with d = 2ν − ν²·K/(K−1), which is solved for ν: the lower end of `bayes_bracket`.

    Example:
        >>> [round(each, 3) for each in noise_rate((0.18, 0.1, 0.3), 2)]
        [0.1, 0.053, 0.184]
    """
    low, value, high = (bayes_bracket(each, n_classes)[0] for each in (d[1], d[0], d[2]))
    return value, low, high


def without_noise(observed: Limits, noise: Limits, n_classes: int) -> Limits:
    """The error against the true labels, where a share ν of the labels is wrong at random.

    Solves e_obs = ν + e·(1 − ν − ν/(K−1)) for e, for two classes ν + (1 − 2ν)·e. The limits move one figure at a time
    to its own limit and join both ways by squares (MOVER, Zou & Donner 2008), as for a difference.

    Args:
        observed: Error against the labels at hand.
        noise: Share of wrong labels.
        n_classes: Number of classes K.

    Example:
        >>> [round(each, 3) for each in without_noise((0.14, 0.12, 0.16), (0.05, 0.05, 0.05), 2)]
        [0.1, 0.078, 0.122]
    """

    def solve(e: float, nu: float) -> float:
        return (e - nu) / max(1 - nu * n_classes / (n_classes - 1), 1e-9)

    (e, e_low, e_high), (nu, nu_low, nu_high) = observed, noise
    value = solve(e, nu)
    below = np.hypot(value - solve(e_low, nu), value - solve(e, nu_high))
    above = np.hypot(solve(e_high, nu) - value, solve(e, nu_low) - value)
    low, middle, high = (min(max(float(each), 0.0), 1.0) for each in (value - below, value, value + above))
    return middle, low, high


def _of(values: Any, rows: NDArray[np.bool_]) -> Any:
    return None if values is None else values[rows]
