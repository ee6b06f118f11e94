"""Which of several experts is best, and how good that one is. A experts, I items.

The best human figure counts, not the typical one. But the smallest of several measured errors is too small: it was
partly luck that made it smallest. So the best expert is chosen on one half of the items and judged on the other, in
turn and for many ways to halve them, which takes the luck out again. Halves, because with ten folds the figure is as
unbiased but varies up to twice as much where experts are close: whoever seems best without a fold did worst in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.several import bounded, estimate_loss
from mlproj.metrics import as_loss, score
from mlproj.metrics.annotators import Votes
from mlproj.metrics.intervals import Estimate, Floats, wilson
from mlproj.records import Answers
from mlproj.spec.goal import Expert

REPEATS = 50
_LIMITS_OF = 5
"""Of so many ways to halve the items limits are computed; they hardly differ, and may take a bootstrap each."""
_COUNT_REPEATS = 200
_FEWEST = 10
"""Items that a person must have labelled, beside a tenth of the busiest one's, to be among those to choose from."""
_MOST = 50
"""People to choose from, the busiest ones: a crowd of hundreds holds no expert that could be told from luck."""
_SEED = 23


@dataclass(frozen=True)
class Judged:
    """One expert against the truth.

    Attributes:
        by: Who it is.
        error: The error, as a loss.
        low: Lower 95 % limit.
        high: Upper 95 % limit.
        n: Items judged.
    """

    by: str
    error: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Best:
    """The best of several experts.

    Attributes:
        by: Who it is.
        figure: The error without the luck of having been chosen.
        n: Items behind it.
        measured: The error that this expert happened to have.
        judged: All experts, the best first.
        left_out: People with too few labels to choose from.
    """

    by: str
    figure: Estimate
    n: int
    measured: float
    judged: tuple[Judged, ...]
    left_out: int = 0


def best_by_votes(votes: Votes, metric: str) -> Best | None:
    """The best of the people by their labels against the truth; None where there is nothing to judge by.

    Args:
        votes: Their labels.
        metric: Any metric that needs no probabilities.
    """
    table = _Table.of(votes, metric)
    if not len(table.people):
        return None
    everywhere = np.ones(votes.n_items, dtype=np.bool_)
    errors = table.losses(everywhere)
    if np.isnan(errors).all():
        return None
    first = int(np.nanargmin(errors))
    found = [table.judge(k, everywhere) for k in range(len(table.people))]
    judged = tuple(
        Judged(votes.people[person], each.value, each.low, each.high, int((table.answers[k] >= 0).sum()))
        if votes.classes
        else Judged(votes.people[person], each.value, each.low, each.high, int((~np.isnan(table.answers[k])).sum()))
        for k, (person, each) in enumerate(zip(table.people, found, strict=True))
    )
    own = judged[first]
    figure = found[first] if len(judged) == 1 else _from_below(table.choose_and_judge(), own, errors)
    order = tuple(sorted(judged, key=lambda each: each.error))
    return Best(own.by, figure, own.n, own.error, order, len(votes.people) - len(judged))


@dataclass(frozen=True)
class _Table:
    """The labels of those to choose from as a table (A, I), −1 or NaN where there is none, and the truth (I,)."""

    votes: Votes
    metric: str
    people: tuple[int, ...]
    answers: NDArray[np.float64]

    @classmethod
    def of(cls, votes: Votes, metric: str) -> "_Table":
        missing = -1.0 if votes.classes else np.nan
        table = np.full((len(votes.people), votes.n_items), missing)
        table[votes.person, votes.item] = votes.answer
        table[:, ~votes.known] = missing
        there = (table >= 0 if votes.classes else ~np.isnan(table)).sum(axis=1)
        enough = np.flatnonzero((there > 0) & (there >= min(_FEWEST, there.max())) & (there >= 0.1 * there.max()))
        chosen = np.sort(enough[np.argsort(-there[enough], kind="stable")[:_MOST]])
        return cls(votes, metric, tuple(chosen.tolist()), table[chosen])

    def judge(self, k: int, items: NDArray[np.bool_]) -> Estimate:
        """The loss of one expert's labels on some items."""
        return self._estimate(self.answers[k], items)

    def losses(self, items: NDArray[np.bool_]) -> Floats:
        """Loss of each expert on some items (A,); NaN where there is nothing to judge."""
        return np.array([self._value(row, items) for row in self.answers])

    def choose_and_judge(self) -> Estimate:
        """The loss of whoever is best on the other folds, averaged over several ways to fold."""
        rng, everywhere = np.random.default_rng(_SEED), np.ones(self.votes.n_items, dtype=np.bool_)
        drawn = [self._composite(rng) for _ in range(REPEATS)]
        value = float(np.mean([self._value(labels, everywhere) for labels in drawn]))
        found = [self._estimate(labels, everywhere) for labels in drawn[:_LIMITS_OF]]
        below = float(np.mean([each.value - each.low for each in found]))
        above = float(np.mean([bounded(each) - each.value for each in found]))
        n = float(np.mean([each.n_effective for each in found]))
        return Estimate(
            value,
            max(value - below, 0.0),
            value + above,
            n,
            f"{found[0].method}; best of {len(self.people)} chosen on the other half",
        )

    def _composite(self, rng: np.random.Generator) -> Floats:
        """Labels (I,) of whoever was best on the other half; equal ones take turns."""
        votes = self.votes
        _, unit = np.unique(np.arange(votes.n_items) if votes.group is None else votes.group, return_inverse=True)
        n_units = int(unit.max()) + 1
        half = rng.permutation(np.arange(n_units) % 2)[unit]
        chosen = np.full(votes.n_items, -1.0 if votes.classes else np.nan)
        for side in (0, 1):
            losses = self.losses(half != side)
            if np.isnan(losses).all():
                continue
            best = rng.choice(np.flatnonzero(losses <= np.nanmin(losses)))
            chosen[half == side] = self.answers[best][half == side]
        return chosen

    def _value(self, labels: Floats, items: NDArray[np.bool_]) -> float:
        given = items & (labels >= 0 if self.votes.classes else ~np.isnan(labels))
        if not given.any():
            return float("nan")
        weight = None if self.votes.weight is None else self.votes.weight[given]
        return as_loss(self.metric, score(self.metric, self._answers(labels, given), weight))

    def _answers(self, labels: Floats, given: NDArray[np.bool_]) -> Answers:
        votes = self.votes
        answer = labels[given].astype(np.int64) if votes.classes else labels[given]
        return Answers(votes.truth[given], answer, votes.classes)

    def _estimate(self, labels: Floats, items: NDArray[np.bool_]) -> Estimate:
        votes = self.votes
        given = items & (labels >= 0 if votes.classes else ~np.isnan(labels))
        weight = None if votes.weight is None else votes.weight[given]
        group = None if votes.group is None else votes.group[given]
        return estimate_loss(self.metric, self._answers(labels, given), weight, group)


def best_by_counts(experts: Sequence[Expert]) -> Best:
    """The best of several experts of whom only the counts are known.

    Which item came out wrong does not matter for who is chosen, so the items are halved at random, many times: an
    expert's errors fall into the halves as balls drawn without putting them back.

    Args:
        experts: At least one, with errors and n each.

    Example:
        >>> best_by_counts([Expert(by="anna", errors=30, n=1000), Expert(by="the team", errors=5, n=1000)]).by
        'the team'
    """
    wrong, n = (np.array([getattr(expert, name) for expert in experts]) for name in ("wrong", "n"))
    rates = wrong / n
    judged = [Judged(e.by, float(r), *wilson(float(r), e.n), e.n) for e, r in zip(experts, rates, strict=True)]
    first = int(np.argmin(rates))
    own = judged[first]
    value, size = (own.error, float(own.n)) if len(experts) == 1 or n.min() < 2 else _fold_counts(wrong, n)
    low, high = wilson(value, size)
    method = "Wilson" if len(experts) == 1 else f"Wilson; best of {len(experts)} chosen on the other half"
    order = tuple(sorted(judged, key=lambda each: each.error))
    figure = _from_below(Estimate(value, low, high, size, method), own, rates)
    return Best(own.by, figure, own.n, own.error, order)


def _from_below(figure: Estimate, measured: Judged, errors: Floats) -> Estimate:
    """With the lower limit of the error as measured: where two experts are close, the figure moves between them.

    The best of them is no worse than they are on average. Halves of the same items would say so now and then: whoever
    did best on one half did worst on the other, where all made about equally many mistakes.
    """
    value = max(min(figure.value, float(np.nanmean(errors))), measured.error)
    low, high = min(figure.low, measured.low), max(figure.high, measured.high)
    figure = replace(figure, value=value)
    wider = (figure.high - figure.low) / (high - low) if np.isfinite(high) and high > low else 1.0
    return replace(figure, low=low, high=high, n_effective=figure.n_effective * wider**2)


def _fold_counts(wrong: NDArray[np.int64], n: NDArray[np.int64]) -> tuple[float, float]:
    """Error of whoever is best on the other half, and the items behind it: means over many ways to halve them."""
    rng = np.random.default_rng(_SEED)
    size = (_COUNT_REPEATS, len(n))
    first = rng.hypergeometric(wrong, n - wrong, n // 2, size=size)
    halves = [(first, n // 2), (wrong - first, n - n // 2)]
    errors, counted = np.zeros(_COUNT_REPEATS), np.zeros(_COUNT_REPEATS)
    at = np.arange(_COUNT_REPEATS)
    for (here, n_here), (there, n_there) in (halves, halves[::-1]):
        best = (there / n_there + 1e-9 * rng.random(size)).argmin(axis=1)  # equal ones take turns
        errors += here[at, best]
        counted += n_here[best]
    return float(np.mean(errors / counted)), float(np.mean(counted))
