"""The best answer that ignores the example: what any model has to beat.

>>> train = Answers(np.array([0, 0, 1]), np.zeros(3, dtype=int), ("no", "yes"))
>>> best_constant("error", train, train)
Constant(answer='no', value=0.333...)
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InvalidInput, Problem
from mlproj.metrics.evidence import PROBABILITY_METRICS, Evidence, gather, metric_problem
from mlproj.metrics.scores import measure
from mlproj.records import Answers

_ALWAYS_POSITIVE = frozenset({"f1", "precision", "recall"})


class Constant(NamedTuple):
    """A constant answer, in words, and its value in the metric."""

    answer: str
    value: float


def best_constant(
    metric: str,
    train: Answers | Mapping[str, Answers],
    dev: Answers | Mapping[str, Answers],
    train_weight: NDArray[Any] | None = None,
    dev_weight: NDArray[Any] | None = None,
) -> Constant:
    """The best constant answer by a metric, fitted on train and measured on dev.

    Classes: the commonest; always the positive class for f1, precision and recall, always the negative one for
    specificity; the class shares for metrics of probabilities. Numbers: the mean for mse, rmse and r2, the median for
    mae, the median weighted by 1/|y| for mape. Only the labels of both sets are read.

    Args:
        metric: A metric of `metric.optimize`.
        train: What it is fitted on; by label where there are several.
        dev: What it is measured on, with the same labels and classes.
        train_weight: Weights on train (N,).
        dev_weight: Weights on dev (N,).

    Returns:
        The answer in words and its value; with several labels one answer per label and the mean value.

    Raises:
        InvalidInput: When the metric does not suit a label, or nothing is labelled.
    """
    fitted_on = {"": train} if isinstance(train, Answers) else train
    measured_on = {"": dev} if isinstance(dev, Answers) else dev
    problems = [problem for answers in fitted_on.values() if (problem := metric_problem(metric, answers.classes))]
    if problems:
        raise InvalidInput(problems)
    answers, words = {}, []
    for label, truth in measured_on.items():
        word, answers[label] = _answer(metric, fitted_on[label], truth, train_weight)
        words.append(f"{label}: {word}" if label else word)
    return Constant(", ".join(words), measure([metric], answers, dev_weight)[metric])


def _answer(metric: str, train: Answers, dev: Answers, weight: NDArray[Any] | None) -> tuple[str, Answers]:
    """The answer in words, and given to every example of dev."""
    n = len(dev.y_true)
    evidence = gather("constant", Answers(train.y_true, _blank(train), train.classes), weight)
    if not dev.is_classification:
        value = _centre(metric, evidence)
        return f"{value:.6g}", Answers(dev.y_true, np.full(n, value))
    if train.classes != dev.classes:
        both = "; dev ".join(", ".join(answers.classes) for answers in (train, dev))
        raise InvalidInput([Problem("constant", f"train has the classes {both}")])
    shares = evidence.cells.sum(1) / evidence.cells.sum()
    chosen = _choose_class(metric, shares)
    word = train.classes[chosen]
    if metric in PROBABILITY_METRICS:
        word = ", ".join(f"{name} {100 * share:.3g} %" for name, share in zip(train.classes, shares, strict=True))
    return word, Answers(dev.y_true, np.full(n, chosen), dev.classes, np.tile(shares, (n, 1)))


def _blank(answers: Answers) -> NDArray[Any]:
    return np.zeros(answers.y_true.shape, dtype=np.int64 if answers.is_classification else np.float64)


def _choose_class(metric: str, shares: NDArray[Any]) -> int:
    if metric in _ALWAYS_POSITIVE:
        return 1
    return 0 if metric == "specificity" else int(np.argmax(shares))


def _centre(metric: str, evidence: Evidence) -> float:
    y, weight = evidence.y_true, evidence.weight
    if metric in {"mae", "mape"}:
        w = np.ones(len(y)) if weight is None else weight
        return _median(y, w / np.maximum(np.abs(y), np.finfo(np.float64).eps) if metric == "mape" else w)
    return float(np.average(y, weights=weight))


def _median(y: NDArray[Any], weight: NDArray[Any]) -> float:
    """A value with at most half of the weight on either side; the middle where two values serve."""
    order = np.argsort(y)
    ranked, total = y[order], np.cumsum(weight[order])
    half = total[-1] / 2
    left = int(np.searchsorted(total, half * (1 - 1e-12)))
    right = int(np.searchsorted(total, half * (1 + 1e-12)))
    return float((ranked[left] + ranked[min(right, len(y) - 1)]) / 2)
