"""What the label of the data is beside several people's: the truth, one more label, or their vote. I items."""

from math import comb, exp, sqrt

import numpy as np

from mlproj.metrics.annotators import Votes
from mlproj.metrics.intervals import Floats, gather_units, t_quantile
from mlproj.spec.goal import LabelIs

_NEARLY_ALWAYS = 0.99
"""Share of the labels that are the mean or median of the annotators from which all are taken to be."""
_UNLIKELY = 0.05
_ENOUGH = 20
"""Labels that must all be those of the data before they are taken for a copy."""
_TOO_FEW = 3
"""Coincident mistakes below which a vote cannot be told from the truth."""


def read_label(votes: Votes) -> tuple[LabelIs, str]:
    """What the label of the data seems to be, and why.

    One more person's label differs from the others as often as they differ from one another. Where it surely differs
    less it is the truth, or the outcome of their vote if it hardly ever goes against a majority. In doubt it is a
    person's: then less is claimed.

    Returns:
        The reading, and the figures behind it; "copy" where the label is one annotator's own.
    """
    if is_copied(votes):
        return "single", "copy"
    usable = votes.at(votes.known & (votes.per_item > 1))
    if not usable.n_items:
        return "single", "no example has two labels of annotators to compare it with"
    among, against = _differences(usable)
    units = gather_units(among - against, usable.weight, usable.group)
    reach = t_quantile(len(units) - 1, 0.95) * sqrt(units.variance) if len(units) > 1 else float("inf")
    apart = [float(each.mean()) for each in (against, among)]
    shown = [f"{100 * each:.1f} %" if votes.classes else f"{sqrt(each):.4g}" for each in apart]
    figures = f"{shown[0]} against {shown[1]}"
    if not units.value - reach > 0:
        return "single", f"it differs from the annotators about as much as they do from one another: {figures}"
    vote = _against_majorities(usable, float(against.mean())) if votes.classes else _near_middle(usable)
    if vote:
        return "consensus", vote
    return "gold", f"it differs from the annotators less than they do from one another: {figures}"


def is_copied(votes: Votes) -> bool:
    """Whether the label of the data is one annotator's own."""
    return any(_is_copy(votes, person) for person in range(len(votes.people)))


def is_the_same(votes: Votes) -> bool:
    """Whether everybody labelled examples of their own and the data say the same: then there are no second labels."""
    labelled = votes.known & (votes.per_item > 0)
    same = bool(np.all(votes.answer[labelled[votes.item]] == votes.truth[votes.item[labelled[votes.item]]]))
    return same and labelled.sum() >= _ENOUGH and bool((votes.per_item <= 1).all())


def _is_copy(votes: Votes, person: int) -> bool:
    """Whether a person's labels are those of the data, throughout, although others differ."""
    own = votes.person == person
    items, labels = votes.item[own], votes.answer[own]
    known = votes.known[items]
    if known.sum() < _ENOUGH or np.any(labels[known] != votes.truth[items[known]]):
        return False
    others = ~own & np.isin(votes.item, items) & votes.known[votes.item]
    return bool(np.any(votes.answer[others] != votes.truth[votes.item[others]]))


def _differences(votes: Votes) -> tuple[Floats, Floats]:
    """How much the labels of each item (I,) differ from one another, and from the label of the data."""
    m = votes.per_item.astype(np.float64)
    if votes.classes:
        k = votes.counts
        among = 1 - (k * (k - 1)).sum(axis=1) / (m * (m - 1))
        return among, 1 - k[np.arange(votes.n_items), votes.truth] / m
    mean = np.bincount(votes.item, votes.answer) / m
    among = 2 * np.bincount(votes.item, np.square(votes.answer - mean[votes.item])) / (m - 1)
    return among, np.bincount(votes.item, np.square(votes.answer - votes.truth[votes.item])) / m


def _against_majorities(votes: Votes, mistaken: float) -> str:
    """Why a label that is close to the annotators may be the outcome of their vote; "" where it is not.

    A vote hardly ever goes against its majority. The truth does, whenever most of them are mistaken at once: about as
    often as independent mistakes coincide.

    Args:
        votes: Labels with a known truth, two or more of each item.
        mistaken: How often an annotator differs from the label.
    """
    m, top = votes.per_item, votes.counts.max(axis=1)
    clear = 2 * top > m
    against = int((votes.counts.argmax(axis=1) != votes.truth)[clear].sum())
    sizes, n = np.unique(m[clear], return_counts=True)
    expected = sum(
        int(k) * _all_mistaken(int(size), mistaken, votes.n_classes) for size, k in zip(sizes, n, strict=True)
    )
    observed = f"it goes against their majority in {against:,} of {int(clear.sum()):,} examples"
    if _at_most(against, expected) < _UNLIKELY:
        return f"{observed}, and a truth would in about {expected:,.0f}"
    if max(against, expected) < _TOO_FEW:
        return f"{observed}, and a truth would hardly do so more often, as their mistakes seldom coincide"
    return ""


def _all_mistaken(m: int, e: float, n_classes: int) -> float:
    """Probability that more than half of m people name the same wrong class, if mistakes are independent."""
    most = range(m // 2 + 1, m + 1)
    return sum(comb(m, k) * e**k * (1 - e) ** (m - k) * (n_classes - 1.0) ** (1 - k) for k in most)


def _at_most(k: int, mean: float) -> float:
    """Probability of at most k events of a Poisson distribution."""
    term = total = exp(-mean)
    for i in range(1, k + 1):
        term *= mean / i
        total += term
    return total


def _near_middle(votes: Votes) -> str:
    """Why a label of numbers is the mean or median of the annotators'; "" where it is not."""
    mean = np.bincount(votes.item, votes.answer) / votes.per_item
    share = max(float(np.isclose(each, votes.truth, rtol=1e-6, atol=1e-12).mean()) for each in (mean, _medians(votes)))
    return f"it is their mean or median in {100 * share:.1f} % of the cases" if share >= _NEARLY_ALWAYS else ""


def _medians(votes: Votes) -> Floats:
    """Median of each item's numbers (I,); each item has some."""
    ordered = votes.answer[np.lexsort((votes.answer, votes.item))]
    m = votes.per_item
    start = np.cumsum(m) - m
    return np.asarray((ordered[start + (m - 1) // 2] + ordered[start + m // 2]) / 2, dtype=np.float64)
