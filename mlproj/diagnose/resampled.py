"""Metrics of many models as sums over examples, into which any draw of examples can be weighed. T trials, N examples.

>>> from mlproj.metrics.scores import gather_for
>>> from mlproj.records import Answers
>>> truth = np.array([0, 1, 1, 1])
>>> trials = [gather_for("error", Answers(truth, np.array(y), ("no", "yes"))) for y in ([0, 1, 1, 0], [1, 1, 1, 1])]
>>> figure_of("error", trials, 4).parts.tolist()
[[[0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]]]
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
Finish: TypeAlias = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Figure:
    """One metric of many trials, as sums over examples that any draw of examples can be weighed into.

    Attributes:
        parts: Shares of each example in each of R sums (R, T, N).
        weight: Weight of each example (N,).
        finish: From sums (R, …), divided by the drawn weight, to the metric (…).
        how: What is computed, in words.
    """

    parts: Floats
    weight: Floats
    finish: Finish
    how: str


def figure_of(metric: str, trials: Iterable[Evidence], n: int) -> Figure:
    """A metric of many trials as sums over examples.

    Means are weighed as they are, and so are the counts of small confusion matrices; ranking metrics, r2 and large
    matrices go by their influences (the first-order change when an example weighs more).

    Args:
        metric: A metric of `metric.optimize`.
        trials: One truth with the answers of each trial (T), taken one by one.
        n: Dev examples in all; those without a label count nothing.
    """
    base = "mse" if metric == "rmse" else metric
    rows: list[Floats] = []
    place: NDArray[Any] = np.arange(n)
    finish: Finish = _first
    how = "influences"
    for one in trials:
        weight = np.ones(len(one.y_true)) if one.weight is None else one.weight
        place = np.flatnonzero(one.known)
        if base in MEAN_METRICS:
            rows.append(weight * example_losses(base, one.y_true, one.y_pred, one.p)[None])
            finish, how = _root if metric == "rmse" else _first, "means of losses"
        elif metric in CELL_METRICS and one.n_classes <= _MOST_CLASSES:
            rows.append(weight * _in_cells(one))
            finish, how = _of_cells(metric, one.n_classes), "counts of answers"
        else:
            rows.append((float(compute(metric, one)) * weight + influence(metric, one) * weight.sum())[None])
    parts, weights = np.zeros((len(rows[0]), len(rows), n)), np.zeros(n)
    parts[..., place], weights[place] = np.stack(rows, axis=1), weight
    return Figure(parts, weights, finish, how)


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
    weights = np.concatenate([np.broadcast_to(f.weight, (len(f.parts), *f.weight.shape)) for f in figures])
    ends = np.cumsum([len(figure.parts) for figure in figures])

    def finish(sums: Floats) -> Floats:
        each = [f.finish(part) for f, part in zip(figures, np.split(sums, ends[:-1]), strict=True)]
        return np.asarray(np.mean(each, axis=0))

    return Figure(np.concatenate([f.parts for f in figures]), weights, finish, figures[0].how)
