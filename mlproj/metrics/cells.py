"""Metrics that are functions of a confusion matrix. K classes; any leading axes (models, cut points, bootstrap draws).

Each takes `cells` (…, K, K), truth in rows and answers in columns, and `present` (…, K): the classes that occur in the
truth or among the answers. Macro averages run over those, as in scikit-learn; 0/0 counts as 0, as there.

    >>> float(CELL_METRICS["f1"](np.array([[90.0, 5.0], [10.0, 95.0]]), np.array([True, True])))
    0.926...
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Cells: TypeAlias = NDArray[Any]
Numbers: TypeAlias = NDArray[Any] | np.number[Any]  # NumPy turns a sum without axes left into a scalar
CellMetric: TypeAlias = Callable[[Cells, NDArray[Any]], NDArray[Any]]


def count_cells(y_true: NDArray[Any], y_pred: NDArray[Any], n_classes: int, weight: NDArray[Any] | None) -> Cells:
    """Confusion counts (…, K, K) of answers (…, N) to one truth (N,), by weight (N,) where given.

    Example:
        >>> count_cells(np.array([0, 1]), np.array([[0, 1], [1, 1]]), 2, None).tolist()
        [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]]
    """
    leading = y_pred.shape[:-1]
    stack = y_pred.reshape(-1, y_pred.shape[-1])
    place = y_true.astype(np.int64) * n_classes + stack  # narrow codes would overflow
    place += np.arange(len(stack))[:, None] * n_classes**2
    weights = None if weight is None else np.broadcast_to(weight, stack.shape).ravel()
    counts = np.bincount(place.ravel(), weights, minlength=len(stack) * n_classes**2)
    return counts.astype(np.float64, copy=False).reshape(*leading, n_classes, n_classes)


def ratio(top: Numbers, bottom: Numbers) -> NDArray[np.float64]:
    """`top` / `bottom`, and 0 where `bottom` is 0.

    Example:
        >>> ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0])).tolist()
        [0.5, 0.0]
    """
    shape = np.broadcast_shapes(np.shape(top), np.shape(bottom))
    return np.divide(top, bottom, out=np.zeros(shape), where=np.asarray(bottom) != 0)


def _right(cells: Cells) -> NDArray[Any]:
    return np.diagonal(cells, axis1=-2, axis2=-1)


def _precision(cells: Cells) -> NDArray[Any]:
    return ratio(_right(cells), cells.sum(-2))


def _recall(cells: Cells) -> NDArray[Any]:
    return ratio(_right(cells), cells.sum(-1))


def _f1(cells: Cells) -> NDArray[Any]:
    return ratio(2 * _right(cells), cells.sum(-1) + cells.sum(-2))


def _specificity(cells: Cells) -> NDArray[Any]:
    truth, answered = cells.sum(-1), cells.sum(-2)
    others = truth.sum(-1, keepdims=True) - truth
    false_alarms = answered - _right(cells)
    return np.maximum(ratio(others - false_alarms, others), 0.0)


def _accuracy(cells: Cells, _present: NDArray[Any]) -> NDArray[Any]:
    return ratio(_right(cells).sum(-1), cells.sum((-2, -1)))


def _error(cells: Cells, _present: NDArray[Any]) -> NDArray[Any]:
    total = cells.sum((-2, -1))
    off_diagonal = cells * ~np.eye(cells.shape[-1], dtype=bool)
    return ratio(off_diagonal.sum((-2, -1)), total)


def _balanced_accuracy(cells: Cells, _present: NDArray[Any]) -> NDArray[Any]:
    return ratio(_recall(cells).sum(-1), (cells.sum(-1) > 0).sum(-1))


def _mcc(cells: Cells, _present: NDArray[Any]) -> NDArray[Any]:
    cells = cells.astype(np.float64, copy=False)  # products of four counts overflow integers from a million on
    truth, answered = cells.sum(-1), cells.sum(-2)
    total = truth.sum(-1)
    shared = _right(cells).sum(-1) * total - (truth * answered).sum(-1)
    # Σ t(s − t) rather than s² − Σ t²: exactly 0 when only one class occurs, whatever the weights
    spread = [(side * (side.sum(-1, keepdims=True) - side)).sum(-1) for side in (truth, answered)]
    return ratio(shared, np.sqrt(spread[0] * spread[1]))


def _weighted_f1(cells: Cells, _present: NDArray[Any]) -> NDArray[Any]:
    truth = cells.sum(-1)
    return ratio((_f1(cells) * truth).sum(-1), truth.sum(-1))


def _positive(each: Callable[[Cells], NDArray[Any]]) -> CellMetric:
    return lambda cells, _present: each(cells)[..., 1]


def _macro(each: Callable[[Cells], NDArray[Any]]) -> CellMetric:
    return lambda cells, present: ratio((each(cells) * present).sum(-1), present.sum(-1))


CELL_METRICS: Mapping[str, CellMetric] = {
    "error": _error,
    "accuracy": _accuracy,
    "f1": _positive(_f1),
    "f1_macro": _macro(_f1),
    "f1_weighted": _weighted_f1,
    "precision": _positive(_precision),
    "precision_macro": _macro(_precision),
    "recall": _positive(_recall),
    "recall_macro": _macro(_recall),
    "specificity": _positive(_specificity),
    "specificity_macro": _macro(_specificity),
    "balanced_accuracy": _balanced_accuracy,
    "mcc": _mcc,
}
"""Metrics of a confusion matrix by name; F1 = 2TP/(2TP + FP + FN), MCC as in Gorodkin 2004, eq. 8."""
