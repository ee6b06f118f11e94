"""Losses of single examples: metrics that are their (weighted) mean. N examples, K classes, any leading axes.

>>> example_losses("mae", np.array([1.0, 2.0]), np.array([[1.5, 2.0], [0.0, 5.0]]), None).tolist()
[[0.5, 0.0], [1.0, 3.0]]
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

MEAN_METRICS = frozenset({"error", "accuracy", "log_loss", "brier", "mae", "mse", "mape"})
"""Metrics that are the mean of a value per example."""
_EPS = float(np.finfo(np.float64).eps)


def example_losses(
    name: str, y_true: NDArray[Any], y_pred: NDArray[Any], p: NDArray[Any] | None
) -> NDArray[np.float64]:
    """Value of a mean metric for each example.

    * error, accuracy: 1 for a wrong (right) answer, else 0.
    * log_loss: −log of the probability given to the true class, kept within [ε, 1 − ε] as in scikit-learn.
    * brier: (y − p)² for two classes; Σ_k (1[y = k] − p_k)² for more (scikit-learn's `scale_by_half="auto"`).
    * mae, mse: |y − ŷ|, (y − ŷ)². mape: |y − ŷ| / max(|y|, ε), a fraction.

    Args:
        name: One of `MEAN_METRICS`.
        y_true: Truth (N,): class positions or values.
        y_pred: Answers (…, N), likewise.
        p: Probabilities (…, N, K) for log_loss and brier.

    Returns:
        Values (…, N).
    """
    if name in {"log_loss", "brier"}:
        assert p is not None
        return _log_losses(y_true, p) if name == "log_loss" else _brier_losses(y_true, p)
    if name in {"error", "accuracy"}:
        return ((y_pred != y_true) == (name == "error")).astype(np.float64)
    residual = y_pred - y_true
    if name == "mse":
        return residual**2
    return np.abs(residual) / np.maximum(np.abs(y_true), _EPS) if name == "mape" else np.abs(residual)


def mean(values: NDArray[Any], weight: NDArray[Any] | None) -> NDArray[np.float64]:
    """(Weighted) mean over the last axis: (1/Σw) Σ w·v.

    Example:
        >>> float(mean(np.array([1.0, 0.0]), np.array([10.0, 1.0])))
        0.909...
    """
    if weight is None:
        return np.asarray(values.mean(-1))
    return np.asarray((values * weight).sum(-1) / weight.sum())


def _given(y_true: NDArray[Any], p: NDArray[Any]) -> NDArray[Any]:
    """Probability given to the true class (…, N)."""
    return p[..., np.arange(len(y_true)), y_true]


def _log_losses(y_true: NDArray[Any], p: NDArray[Any]) -> NDArray[np.float64]:
    return -np.log(np.clip(_given(y_true, p), _EPS, 1 - _EPS))


def _brier_losses(y_true: NDArray[Any], p: NDArray[Any]) -> NDArray[np.float64]:
    if p.shape[-1] == 2:
        return (y_true - p[..., 1]) ** 2
    given = _given(y_true, p)
    return (p**2).sum(-1) - given**2 + (1 - given) ** 2
