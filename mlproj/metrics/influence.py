"""How far each example moves a metric. N examples, K classes.

Influences carry what an interval of a difference needs to know of two models: their correlation, and where their
difference comes from.

>>> from mlproj.metrics.scores import gather_for
>>> from mlproj.records import Answers
>>> answers = Answers(np.array([0, 1, 1, 1]), np.array([0, 1, 0, 1]), ("no", "yes"))
>>> influence("error", gather_for("error", answers)).tolist()
[-0.0625, -0.0625, 0.1875, -0.0625]
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.cells import CELL_METRICS
from mlproj.metrics.evidence import Evidence
from mlproj.metrics.losses import MEAN_METRICS, example_losses
from mlproj.metrics.ranking import average_precision_influence, roc_auc_influence
from mlproj.metrics.scores import compute

Floats = NDArray[np.float64]
_STEP = 1e-4
_MOST = 50_000_000
"""Numbers to compute at most for the influences on a function of the confusion matrix."""
_AT_ONCE = 1_000_000


def influence(metric: str, evidence: Evidence) -> Floats:
    """How far each example moves a metric: w·∂metric/∂w, the infinitesimal jackknife (Jaeckel 1972).

    Args:
        metric: A metric of `metric.optimize`.
        evidence: The checked answers of one model.

    Returns:
        Influences (N,); they sum to 0, and the sum of their squares estimates the metric's sampling variance. All 0
        where the metric does not vary.
    """
    n = len(evidence.y_true)
    weight = np.ones(n) if evidence.weight is None else evidence.weight
    share = weight / weight.sum()
    if metric in MEAN_METRICS:
        losses = example_losses(metric, evidence.y_true, evidence.y_pred, evidence.p)
        return share * (losses - share @ losses)
    if metric == "rmse":
        value = float(compute("rmse", evidence))
        return influence("mse", evidence) / (2 * value) if value > 0 else np.zeros(n)
    if metric == "r2":
        return _explained(share, evidence)
    return _of_cells(metric, share, evidence) if metric in CELL_METRICS else _of_order(metric, weight, evidence)


def _explained(share: Floats, evidence: Evidence) -> Floats:
    """r2 = 1 − mse / spread."""
    squared = (evidence.y_true - share @ evidence.y_true) ** 2
    spread = float(share @ squared)
    if spread <= 0:
        return np.zeros(len(share))
    ratio = float(compute("mse", evidence)) / spread
    return (ratio * share * (squared - spread) - influence("mse", evidence)) / spread


def _of_order(metric: str, weight: Floats, evidence: Evidence) -> Floats:
    by_example = roc_auc_influence if metric == "roc_auc" else average_precision_influence
    found = []
    for k in [1] if evidence.n_classes == 2 else range(evidence.n_classes):
        truth = (evidence.y_true == k).astype(np.int8)
        if all(weight[truth == side].any() for side in (0, 1)):
            found.append(by_example(truth, evidence.scores_of(k), weight))
    return np.mean(found, axis=0) if found else np.zeros(len(weight))


def _of_cells(metric: str, share: Floats, evidence: Evidence) -> Floats:
    """By differences over the cells that occur; beyond hundreds of classes the error's influences stand in."""
    cells = evidence.cells / evidence.cells.sum()
    place = evidence.y_true.astype(np.int64) * evidence.n_classes + evidence.y_pred
    occurring, cell = np.unique(place, return_inverse=True)
    if len(occurring) * cells.size > _MOST:
        return influence("error", evidence)
    size = max(1, _AT_ONCE // cells.size)
    chunks = [occurring[start : start + size] for start in range(0, len(occurring), size)]
    moved = share * np.concatenate([_slopes(metric, cells, chunk, evidence.present) for chunk in chunks])[cell]
    return moved - share * moved.sum()


def _slopes(metric: str, cells: Floats, places: NDArray[Any], present: NDArray[np.bool_]) -> Floats:
    """Slope of a metric at some cells, by flat position."""
    unit = np.zeros((len(places), cells.size))
    unit[np.arange(len(places)), places] = 1.0
    unit = unit.reshape(-1, *cells.shape)
    back = np.minimum(_STEP, cells.ravel()[places])  # a cell cannot hold less than nothing
    up, down = (CELL_METRICS[metric](at, present) for at in (cells + _STEP * unit, cells - back[:, None, None] * unit))
    return (up - down) / (_STEP + back)
