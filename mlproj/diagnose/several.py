"""Ladders of several labels or tasks: their mean, which shares its examples, and each one's own. N examples, D draws.

Labels of one kind are averaged in one metric. Tasks of different kinds (a class here, a number there) have no common
unit, so their mean is that of relative losses: each task's loss over the loss of its best constant answer.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.draws import draw_normal, draw_rate
from mlproj.diagnose.rungs import RELATIVE_LOSS
from mlproj.errors import InvalidInput, Problem
from mlproj.metrics import as_loss, best_constant, estimate, metric_problem
from mlproj.metrics.evidence import gather
from mlproj.metrics.influence import influence
from mlproj.metrics.intervals import Estimate, Floats, Units, unit_rate
from mlproj.records import Answers, Predictions
from mlproj.spec.goal import LOSSES


def estimate_loss(metric: str, answers: Answers, weight: Floats | None, group: NDArray[Any] | None) -> Estimate:
    """A metric with its interval, a score as the loss 1 − score."""
    found = estimate(metric, answers, weight, group)
    if metric in LOSSES:
        return found
    return replace(found, value=as_loss(metric, found.value), low=1 - found.high, high=1 - found.low)


def bounded(found: Estimate) -> float:
    """An upper limit to draw from where nothing bounds the estimate: as far again as the value itself."""
    return found.high if np.isfinite(found.high) else 2 * abs(found.value) + 1


def is_mixed(predictions: Predictions) -> bool:
    """Whether some answers are classes and others numbers."""
    return len({answers.is_classification for answers in predictions.labels.values()}) > 1


def own_metric(metric: str, answers: Answers) -> str:
    """The metric of one label's own ladder: the common one where it suits, else error or rmse."""
    if metric != RELATIVE_LOSS and metric_problem(metric, answers.classes, has_p=answers.p is not None) is None:
        return metric
    return "error" if answers.is_classification else "rmse"


def of_label(predictions: Predictions, label: str) -> Predictions:
    """The predictions of one label alone.

    Raises:
        InvalidInput: When there is no such label.
    """
    if label not in predictions.labels:
        there = ", ".join(predictions.labels) if len(predictions.labels) > 1 else "only one, without a name of its own"
        raise InvalidInput(
            [Problem("--label", f"there is no label {label!r}; there are: {there}", "Name one of them.")]
        )
    return replace(predictions, labels={label: predictions.labels[label]})


def constant_losses(predictions: Predictions) -> Mapping[str, float]:
    """Loss of each label's best constant answer, fitted on train where there is one, measured on dev.

    Raises:
        InvalidInput: When a label has no examples to read it on, or its constant answer is always right.
    """
    dev = predictions.part("dev")
    train = predictions.part("train") if "train" in predictions.splits else dev
    found, problems = {}, []
    for label, answers in dev.labels.items():
        fitted_on = train.labels[label] if train.labels[label].known.any() else answers
        loss = 0.0
        if answers.known.any():
            metric = own_metric(RELATIVE_LOSS, answers)
            loss = best_constant(metric, fitted_on, answers, train.weight if fitted_on is not answers else dev.weight,
                                 dev.weight).value  # fmt: skip
        if not loss > 0:
            message = f"the label {label!r} does not vary on dev, so there is nothing to hold its loss against"
            problems.append(Problem("--label", message, "Name another label with --label, or leave this one out."))
        found[label] = loss
    if problems:
        raise InvalidInput(problems)
    return found


def measure_several(
    part: Predictions,
    metric: str,
    rng: np.random.Generator,
    scales: Mapping[str, float] = MappingProxyType({}),
) -> tuple[Estimate, Floats]:
    """Mean loss over several labels with draws (D,) of what it may be.

    Error rates are those of whole examples: an example carries its linearised share in every label's rate. Otherwise
    the labels' own intervals are averaged and narrowed by as much as their influences on the same examples cancel; the
    variance of the mean is that of the summed influences (infinitesimal jackknife, Jaeckel 1972).

    Args:
        part: Predictions of one split.
        metric: Metric of all labels, or `RELATIVE_LOSS`.
        rng: Source of randomness.
        scales: Loss of the best constant answer by label, for the relative loss.
    """
    labels = {name: answers for name, answers in part.labels.items() if answers.known.any()}
    if metric in ("error", "accuracy"):
        found = unit_rate(_joint_units(part, list(labels.values())))
        return found, draw_rate(found.value, found.n_effective, rng)
    each, moved = [], []
    for name, answers in labels.items():
        own, scale = own_metric(metric, answers), scales.get(name, 1.0)
        loss = estimate_loss(own, answers, part.weight, part.group)
        each.append((loss.value / scale, loss.low / scale, bounded(loss) / scale, loss.n_effective))
        moved.append(influences(own, answers, part) / scale)
    value, low, high, _ = np.mean(each, axis=0).tolist()
    narrowed = _cancelling(np.stack(moved))
    n = min(row[3] for row in each)
    found = Estimate(
        value, value - narrowed * (value - low), value + narrowed * (high - value), n,
        f"mean over {len(each)} labels, intervals joined by influence",
    )  # fmt: skip
    return found, draw_normal(value, found.low, found.high, rng)


def influences(metric: str, answers: Answers, part: Predictions) -> Floats:
    """How far each independent unit (an example, or a group) moves a metric (G,)."""
    moved = np.zeros(len(part))
    evidence = gather(metric, answers, part.weight)
    moved[evidence.known] = influence(metric, evidence)
    if part.group is None:
        return moved
    _, unit = np.unique(part.group, return_inverse=True)
    return np.bincount(unit, moved).astype(np.float64)


def _cancelling(moved: Floats) -> float:
    """Standard error of the mean over labels against the mean of their standard errors, from influences (L, G)."""
    alone = float(np.sqrt(np.square(moved).sum(axis=1)).mean())
    joint = float(np.sqrt(np.square(moved.mean(axis=0)).sum()))
    # nothing moves where no example was seen to err: then nothing is known of cancelling either
    return joint / alone if alone > 0 and np.all(np.square(moved).sum(axis=1) > 0) else 1.0


def _joint_units(part: Predictions, labels: list[Answers]) -> Units:
    """Units whose mean is the mean of the labels' error rates and whose spread is that of whole examples or groups.

    Each example carries its linearised share in every label's rate, so that errors which come together are counted so.
    """
    n = len(part)
    weight = np.ones(n) if part.weight is None else part.weight
    share, entries = np.zeros(n), []
    value = 0.0
    for answers in labels:
        counted = weight * answers.known
        wrong = (answers.y_pred != answers.y_true) & answers.known
        rate = float((counted * wrong).sum() / counted.sum())
        share += counted * (wrong - rate) / counted.sum() / len(labels)
        value += rate / len(labels)
        entries.append(counted)
    every = np.concatenate(entries)
    group = np.arange(n) if part.group is None else part.group
    _, unit = np.unique(group, return_inverse=True)
    counts = np.bincount(unit, np.sum(entries, axis=0)) > 0  # an example without any label is no witness
    moved = np.bincount(unit, share)[counts].astype(np.float64)
    n_kish = float(every.sum() ** 2 / np.square(every).sum())
    losses = value + moved * len(moved)
    return Units(losses, np.ones(len(moved)), int((every > 0).sum()), n_kish, grouped=True)
