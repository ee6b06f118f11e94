"""Metrics of many models as sums over units, into which a draw of units can be weighed. T trials, N examples, G units.

A unit is an example, or a group of examples that belong together and are drawn whole.

>>> from mlproj.metrics.scores import gather_for
>>> from mlproj.records import Answers
>>> truth = np.array([0, 1, 1, 1])
>>> trials = [gather_for("error", Answers(truth, np.array(y), ("no", "yes"))) for y in ([0, 1, 1, 0], [1, 1, 1, 1])]
>>> figure_of("error", trials, units_of(4, np.array(["a", "a", "b", "b"]))).parts.sum(axis=-1).tolist()
[[1.0, 1.0]]
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.cells import CELL_METRICS
from mlproj.metrics.evidence import Evidence
from mlproj.metrics.influence import influence
from mlproj.metrics.intervals import Floats
from mlproj.metrics.losses import MEAN_METRICS, example_losses
from mlproj.metrics.scores import compute

_MOST_CLASSES = 3
"""Up to so many classes a function of the confusion matrix is computed from drawn counts, above from influences."""
_MOST_UNITS = 20_000
Finish: TypeAlias = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Units:
    """What is drawn.

    Attributes:
        unit: Unit of each example (N,), from 0, in random order, so that consecutive ones are a random block.
        n: How many there are.
        what: What they are called.
    """

    unit: NDArray[np.int64]
    n: int
    what: str


def units_of(n: int, group: NDArray[Any] | None = None, seed: int = 0) -> Units:
    """The units of some examples.

    Above 20,000 they are put together at random, which changes no expectation and makes draws of millions cheap.

    Args:
        n: Examples.
        group: Group of each (N,), where examples of a group are no independent witnesses.
        seed: Seed of their order.
    """
    rng = np.random.default_rng(seed)
    unit = np.arange(n) if group is None else np.unique(group, return_inverse=True)[1]
    count, what = int(unit.max()) + 1, "examples" if group is None else "groups"
    order = rng.permutation(count)
    if count > _MOST_UNITS:
        order, count, what = order % _MOST_UNITS, _MOST_UNITS, f"random sets of {what}"
    return Units(order[unit].astype(np.int64), count, what)


@dataclass(frozen=True)
class Figure:
    """One metric of many trials, as sums over units.

    Attributes:
        parts: Shares of each unit in each of R sums (R, T, G).
        weight: Weight of each unit (R or 1, G).
        finish: From sums (R, …), divided by the drawn weight, to the metric (…).
        how: What is computed, in words.
    """

    parts: Floats
    weight: Floats
    finish: Finish
    how: str


def figure_of(metric: str, trials: Iterable[Evidence], units: Units) -> Figure:
    """A metric of many trials as sums over units.

    Means are weighed as they are, and so are the counts of small confusion matrices; ranking metrics, r2 and large
    matrices go by their influences (the first-order change when an example weighs more).

    Args:
        metric: A metric of `metric.optimize`.
        trials: One truth with the answers of each trial (T), taken one by one.
        units: What is drawn, over all dev examples; those without a label count nothing.
    """
    rows: list[Floats] = []
    weights = np.zeros((1, units.n))
    finish: Finish = _first
    how = ""
    for one in trials:
        weight = np.ones(len(one.y_true)) if one.weight is None else one.weight
        unit = units.unit[one.known]
        shares, finish, how = _shares(metric, one, weight)
        rows.append(np.stack([np.bincount(unit, share, minlength=units.n) for share in shares]))
        weights = np.bincount(unit, weight, minlength=units.n)[None].astype(np.float64)
    return Figure(np.stack(rows, axis=1).astype(np.float64), weights, finish, how)


def _shares(metric: str, one: Evidence, weight: Floats) -> tuple[Floats, Finish, str]:
    """Share of each labelled example in the sums (R, N) of one trial, what makes the metric of them, and how."""
    base = "mse" if metric == "rmse" else metric
    if base in MEAN_METRICS:
        losses = weight * example_losses(base, one.y_true, one.y_pred, one.p)
        return losses[None], _root if metric == "rmse" else _first, "mean losses"
    if metric in CELL_METRICS and one.n_classes <= _MOST_CLASSES:
        return weight * _in_cells(one), _of_cells(metric, one.n_classes), "counts of answers"
    linear = float(compute(metric, one)) * weight + influence(metric, one) * weight.sum()
    return linear[None], _first, "influences"


def _first(sums: Floats) -> Floats:
    return sums[0]


def _root(sums: Floats) -> Floats:
    return np.sqrt(np.maximum(sums[0], 0.0))


def _in_cells(evidence: Evidence) -> Floats:
    """1 where an example falls into a cell of the confusion matrix (K², N)."""
    place = evidence.y_true * evidence.n_classes + evidence.y_pred
    return np.stack([(place == cell).astype(np.float64) for cell in range(evidence.n_classes**2)])


def _of_cells(metric: str, k: int) -> Finish:
    def finish(sums: Floats) -> Floats:
        cells = np.moveaxis(sums, 0, -1).reshape(*sums.shape[1:], k, k)
        return np.asarray(CELL_METRICS[metric](cells, cells.sum(-1) + cells.sum(-2) > 0), dtype=np.float64)

    return finish


def average(figures: Sequence[Figure]) -> Figure:
    """The mean of a metric over several labels, whose examples may be labelled for some of them only."""
    if len(figures) == 1:
        return figures[0]
    weights = np.concatenate([np.repeat(f.weight, len(f.parts) // len(f.weight), axis=0) for f in figures])
    ends = np.cumsum([len(figure.parts) for figure in figures])

    def finish(sums: Floats) -> Floats:
        each = [f.finish(part) for f, part in zip(figures, np.split(sums, ends[:-1]), strict=True)]
        return np.asarray(np.mean(each, axis=0))

    return Figure(np.concatenate([f.parts for f in figures]), weights, finish, figures[0].how)
