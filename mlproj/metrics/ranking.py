"""Metrics that judge an order: area under the ROC curve, average precision. N examples, one score each.

>>> float(roc_auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]), None))
0.75
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.cells import ratio


@dataclass(frozen=True)
class Curve:
    """Positives and negatives by weight at each of T distinct scores, from the highest score down.

    Attributes:
        hits: Weight of the positives scored at least so high (T,).
        alarms: Weight of the negatives scored at least so high (T,).
        place: Position of each example's score (N,).
    """

    hits: NDArray[np.float64]
    alarms: NDArray[np.float64]
    place: NDArray[np.intp]


def trace(y: NDArray[Any], p: NDArray[Any], weight: NDArray[Any] | None) -> Curve:
    """Sorts once and counts positives and negatives above each distinct score; equal scores count together.

    Args:
        y: Truth (N,), 0 or 1.
        p: Scores (N,).
        weight: Weights (N,), or None.

    Example:
        >>> curve = trace(np.array([1, 0, 1]), np.array([0.9, 0.5, 0.5]), None)
        >>> curve.hits.tolist(), curve.alarms.tolist(), curve.place.tolist()
        ([1.0, 2.0], [0.0, 1.0], [0, 1, 1])
    """
    order = np.argsort(-p)
    ranked, positive = p[order], y[order] == 1
    is_new = np.diff(ranked) != 0
    ends = np.append(np.flatnonzero(is_new), len(ranked) - 1)
    place = np.empty(len(p), dtype=np.intp)
    place[order] = np.concatenate(([0], np.cumsum(is_new)))
    w = np.ones(len(p)) if weight is None else weight[order]
    return Curve(np.cumsum(w * positive)[ends], np.cumsum(w * ~positive)[ends], place)


def roc_auc(y: NDArray[Any], p: NDArray[Any], weight: NDArray[Any] | None) -> float:
    """Chance that a positive example is scored above a negative one; a tie counts half.

    The trapezoid rule over the ROC curve, which equals the Mann-Whitney statistic (Hanley & McNeil 1982).

    Args:
        y: Truth (N,), 0 or 1.
        p: Scores (N,).
        weight: Weights (N,), or None.

    Returns:
        The area; NaN when only one class has weight.
    """
    return _area(trace(y, p, weight))


def average_precision(y: NDArray[Any], p: NDArray[Any], weight: NDArray[Any] | None) -> float:
    """Mean of the precision at each positive example, without interpolation: Σ (R_k − R_{k−1}) P_k.

    Args:
        y: Truth (N,), 0 or 1.
        p: Scores (N,).
        weight: Weights (N,), or None.

    Returns:
        The average precision; 0 without a positive example, as in scikit-learn.

    Example:
        >>> average_precision(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]), None)
        0.83...
    """
    return _mean_precision(trace(y, p, weight))


def roc_auc_influence(y: NDArray[Any], p: NDArray[Any], weight: NDArray[Any]) -> NDArray[np.float64]:
    """How far each example moves the area: w·∂area/∂w (N,); the sum of squares is the variance of DeLong et al. 1988.

    Args:
        y: Truth (N,), 0 or 1, both with weight.
        p: Scores (N,).
        weight: Weights (N,).
    """
    curve = trace(y, p, weight)
    # above + half of the tied, for negatives seen from a positive and the other way round
    hits, alarms = (_middle(side)[curve.place] / side[-1] for side in (curve.hits, curve.alarms))
    return weight * np.where(
        y == 1, (1 - alarms - _area(curve)) / curve.hits[-1], (hits - _area(curve)) / curve.alarms[-1]
    )


def average_precision_influence(y: NDArray[Any], p: NDArray[Any], weight: NDArray[Any]) -> NDArray[np.float64]:
    """How far each example moves the average precision: w·∂AP/∂w (N,), the infinitesimal jackknife (Jaeckel 1972).

    Args:
        y: Truth (N,), 0 or 1, with a positive of some weight.
        p: Scores (N,).
        weight: Weights (N,).
    """
    curve = trace(y, p, weight)
    hits, alarms, total = curve.hits, curve.alarms, curve.hits[-1]
    # ∂precision/∂hits = alarms/(hits + alarms)², ∂precision/∂alarms = −hits/(…)², for all positives no higher
    step = ratio(np.diff(hits, prepend=0.0), (hits + alarms) ** 2)
    gain, loss = (np.cumsum((step * side)[::-1])[::-1] for side in (alarms, hits))
    for_positive = ratio(hits, hits + alarms) - _mean_precision(curve) + gain
    return weight / total * np.where(y == 1, for_positive[curve.place], -loss[curve.place])


def _middle(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return (counts + np.concatenate(([0.0], counts[:-1]))) / 2


def _area(curve: Curve) -> float:
    hits, alarms = curve.hits, curve.alarms
    if hits[-1] <= 0 or alarms[-1] <= 0:
        return float("nan")
    return float(np.sum(np.diff(alarms, prepend=0.0) * _middle(hits)) / (hits[-1] * alarms[-1]))


def _mean_precision(curve: Curve) -> float:
    hits = curve.hits
    if hits[-1] <= 0:
        return 0.0
    return float(np.sum(np.diff(hits, prepend=0.0) * ratio(hits, hits + curve.alarms)) / hits[-1])
