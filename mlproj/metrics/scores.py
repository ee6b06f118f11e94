"""Every metric that project.yaml can name, by name. M models, N examples, K classes.

Values equal scikit-learn's with `sample_weight`. Where that leaves room:

* f1, precision, recall, specificity, average_precision are those of the positive class, `classes[1]`.
* Macro averages run over the classes that occur in the truth or among the answers, balanced_accuracy over those in the
  truth; 0/0 counts as 0.
* roc_auc of more than two classes is the mean of one-vs-rest areas over the classes that some but not all examples
  belong to; it is NaN when there is none (only one class was seen).
* brier is (y − p)² for two classes and the sum over the classes for more; mape is a fraction.
* Examples without a label are left out; several labels are averaged.

    >>> from mlproj.records import Answers
    >>> answers = Answers(np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]), ("no", "yes"))
    >>> score("error", answers), score("error", answers, np.array([1.0, 1.0, 10.0, 1.0]))
    (0.25, 0.769...)
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InvalidInput
from mlproj.metrics.cells import CELL_METRICS
from mlproj.metrics.evidence import Evidence, gather, metric_problem
from mlproj.metrics.losses import MEAN_METRICS, example_losses, mean
from mlproj.metrics.ranking import average_precision, roc_auc
from mlproj.records import Answers
from mlproj.spec.goal import LOSSES


def score(name: str, answers: Answers, weight: NDArray[Any] | None = None) -> float:
    """Value of a metric.

    Args:
        name: A metric of `metric.optimize`.
        answers: Truth, answers and, where the metric needs them, probabilities.
        weight: Weight of each example (N,); the error becomes (1/Σw) Σ w·1[ŷ ≠ y].

    Returns:
        The value in its own direction: a loss for errors, a score otherwise. NaN where it is undefined (an area under
        the ROC curve with one class, r2 of a single example).

    Raises:
        InvalidInput: When the metric does not suit the label, or its ingredients are missing or broken.

    Example:
        >>> answers = Answers(np.array([0, 1, 1]), np.array([0, 1, 0]), ("no", "yes"))
        >>> score("recall", answers)
        0.5
    """
    return measure([name], answers, weight)[name]


def score_many(name: str, answers: Answers, weight: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """Value of a metric for each of many models at once.

    Args:
        name: A metric of `metric.optimize`.
        answers: One truth (N,) with stacked answers (M, N) and probabilities (M, N, K); any leading axes will do.
        weight: Weight of each example (N,).

    Returns:
        Values (M,); with other leading axes, their shape.

    Example:
        >>> truth, stacked = np.array([0, 1, 1]), np.array([[0, 1, 0], [0, 1, 1]])
        >>> score_many("accuracy", Answers(truth, stacked, ("no", "yes"))).tolist()
        [0.666..., 1.0]
    """
    return compute(name, gather_for(name, answers, weight))


def measure(
    names: Sequence[str], labels: Answers | Mapping[str, Answers], weight: NDArray[Any] | None = None
) -> dict[str, float]:
    """Values of several metrics; with several labels the mean over the labels.

    A label for which a metric is undefined (nothing known, or NaN) is left out of the mean.

    Args:
        names: Metrics.
        labels: The answers, by label where there are several.
        weight: Weight of each example (N,).

    Returns:
        Values by metric, in the order asked.

    Raises:
        InvalidInput: When a metric does not suit a label, or nothing can be computed.

    Example:
        >>> answers = Answers(np.array([0, 1, 1]), np.array([0, 1, 0]), ("no", "yes"))
        >>> measure(["error", "f1"], answers)
        {'error': 0.333..., 'f1': 0.666...}
    """
    return {name: float(values) for name, values in measure_many(names, labels, weight).items()}


def measure_many(
    names: Sequence[str], labels: Answers | Mapping[str, Answers], weight: NDArray[Any] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Values of several metrics for each of many models at once; otherwise as `measure`.

    Args:
        names: Metrics.
        labels: The answers with leading axes (…), by label where there are several.
        weight: Weight of each example (N,).

    Returns:
        Values (…) by metric, in the order asked.

    Raises:
        InvalidInput: When a metric does not suit a label, or nothing can be computed.
    """
    several = {"": labels} if isinstance(labels, Answers) else labels
    problems = {metric_problem(n, a.classes, has_p=a.p is not None) for a in several.values() for n in names}
    if found := sorted(problems - {None}, key=str):
        raise InvalidInput([problem for problem in found if problem])
    answered = [a for a in several.values() if a.known.any()] or list(several.values())
    what = ", ".join(names)
    evidence = [gather(what, answers, weight) for answers in answered]
    return {name: _mean_of_known([compute(name, each) for each in evidence]) for name in names}


def as_loss(name: str, value: float) -> float:
    """The value as a loss: a score becomes 1 − score, a loss stays as it is.

    Example:
        >>> as_loss("f1", 0.75), as_loss("rmse", 3.5)
        (0.25, 3.5)
    """
    return value if name in LOSSES else 1 - value


def _mean_of_known(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    if len(values) == 1:
        return np.asarray(values[0], dtype=np.float64)
    every = np.stack(values)
    known = ~np.isnan(every)
    total = np.where(known, every, 0.0).sum(axis=0)
    return np.divide(total, known.sum(axis=0), out=np.full(total.shape, np.nan), where=known.any(axis=0))


def gather_for(name: str, answers: Answers, weight: NDArray[Any] | None = None) -> Evidence:
    """Check that a metric can be computed from the answers, and leave out the examples without a label.

    Raises:
        InvalidInput: When it cannot.
    """
    problem = metric_problem(name, answers.classes, has_p=answers.p is not None)
    if problem:
        raise InvalidInput([problem])
    return gather(name, answers, weight)


def compute(name: str, evidence: Evidence) -> NDArray[np.float64]:
    """Values (…) of a metric from checked evidence with leading axes (…)."""
    if name in MEAN_METRICS:
        values = example_losses(name, evidence.y_true, evidence.y_pred, evidence.p)
        return mean(values, evidence.weight)
    if name in CELL_METRICS:
        return np.asarray(CELL_METRICS[name](evidence.cells, evidence.present))
    return _OTHERS[name](evidence)


def _rmse(evidence: Evidence) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(compute("mse", evidence)))


def _r2(evidence: Evidence) -> NDArray[np.float64]:
    left = compute("mse", evidence)
    if len(evidence.y_true) < 2:
        return np.full_like(left, np.nan)
    centre = mean(evidence.y_true, evidence.weight)
    spread = mean((evidence.y_true - centre) ** 2, evidence.weight)
    return np.asarray(1 - left / spread) if spread > 0 else np.where(left > 0, 0.0, 1.0)


def _roc_auc(evidence: Evidence) -> NDArray[np.float64]:
    classes = [1] if evidence.n_classes == 2 else range(evidence.n_classes)
    areas = np.stack([_per_model(roc_auc, evidence, k) for k in classes])
    defined = ~np.isnan(areas)
    total = np.where(defined, areas, 0.0).sum(0)
    return np.divide(total, defined.sum(0), out=np.full(total.shape, np.nan), where=defined.any(0))


def _average_precision(evidence: Evidence) -> NDArray[np.float64]:
    return _per_model(average_precision, evidence, 1)


def _per_model(
    metric: Callable[[NDArray[Any], NDArray[Any], NDArray[Any] | None], float], evidence: Evidence, k: int
) -> NDArray[np.float64]:
    """A metric of one class against the rest, model by model: sorting has no cheaper form over leading axes."""
    scores = evidence.scores_of(k)
    truth = (evidence.y_true == k).astype(np.int8)
    values = [metric(truth, row, evidence.weight) for row in scores.reshape(-1, scores.shape[-1])]
    return np.array(values).reshape(scores.shape[:-1])


_OTHERS: Mapping[str, Callable[[Evidence], NDArray[np.float64]]] = {
    "rmse": _rmse,
    "r2": _r2,
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
}
