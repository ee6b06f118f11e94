"""The losses that a gap is split by: of each example, in the metric where that is a mean, else in its nearest mean."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.intervals import Floats
from mlproj.metrics.losses import MEAN_METRICS, example_losses
from mlproj.records import Answers, Predictions

_NEAREST = {"accuracy": "error", "rmse": "mse", "r2": "mse"}
_FIFTHS = 5


@dataclass(frozen=True)
class Losses:
    """Losses of the examples whose label is known. N examples.

    Attributes:
        metric: What they are: a metric that is the mean of a value per example.
        loss: Loss of each example (N,).
        known: Which of all examples these are.
    """

    metric: str
    loss: Floats
    known: NDArray[np.bool_]


def mean_metric(metric: str, answers: Answers) -> str:
    """The metric itself where it is a mean of losses, else the mean nearest to it.

    Example:
        >>> mean_metric("f1", Answers(np.array([0]), np.array([0]), ("no", "yes")))
        'error'
    """
    near = _NEAREST.get(metric, metric)
    if answers.is_classification:
        has_p = answers.p is not None
        return near if near in {"error", "log_loss", "brier"} and (near == "error" or has_p) else "error"
    return near if near in MEAN_METRICS & {"mae", "mse", "mape"} else "mse"


def measure_losses(part: Predictions, metric: str) -> Losses:
    """Losses of a part's examples; with several labels their mean over the labels that are known.

    Args:
        part: Predictions of one split.
        metric: Metric of the gap.
    """
    names = [mean_metric(metric, answers) for answers in part.labels.values()]
    known = np.array([answers.known for answers in part.labels.values()])
    each = [
        np.where(ok, _of(name, answers, ok), 0.0)
        for name, answers, ok in zip(names, part.labels.values(), known, strict=True)
    ]
    total = np.sum(each, axis=0) / np.maximum(known.sum(axis=0), 1)
    any_known = np.asarray(known.any(axis=0), dtype=np.bool_)
    return Losses(" and ".join(dict.fromkeys(names)), np.asarray(total[any_known], dtype=np.float64), any_known)


def _of(name: str, answers: Answers, known: NDArray[np.bool_]) -> Floats:
    return example_losses(name, np.where(known, answers.y_true, 0), answers.y_pred, answers.p)


def parts_of_label(a: Answers, b: Answers) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Names of the parts by truth, and the part of each labelled example in both sets.

    Classes are parts; numbers are cut into fifths of both sets together.
    """
    y_a, y_b = a.y_true[a.known], b.y_true[b.known]
    if a.is_classification:
        return list(a.classes), y_a.astype(np.int64), y_b.astype(np.int64)
    cuts = np.unique(np.quantile(np.concatenate([y_a, y_b]), np.arange(1, _FIFTHS) / _FIFTHS))
    names = _name_ranges(cuts)
    return names, np.searchsorted(cuts, y_a, side="left"), np.searchsorted(cuts, y_b, side="left")


def _name_ranges(cuts: NDArray[Any]) -> list[str]:
    shown = [f"{cut:.4g}" for cut in cuts.tolist()]
    middle = [f"{low} to {high}" for low, high in pairwise(shown)]
    return [f"up to {shown[0]}", *middle, f"above {shown[-1]}"]
