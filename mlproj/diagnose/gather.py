"""From predictions and rungs given by hand to the samples of a ladder, with notes on what to be careful about."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlproj.diagnose.rungs import RELATIVE_LOSS, RUNGS, GivenRung
from mlproj.diagnose.samples import Sample, measure, take
from mlproj.diagnose.several import constant_losses, is_mixed
from mlproj.errors import InvalidInput, Problem
from mlproj.metrics import as_loss, best_constant, metric_problem
from mlproj.metrics.losses import MEAN_METRICS, example_losses
from mlproj.records import Predictions
from mlproj.spec.goal import POSITIVE_CLASS_METRICS, HumanLevel

_HEAVY_SHARE = 0.2


def default_metric(predictions: Predictions | None) -> str:
    """The error for classes (and for rungs given by hand), rmse for numbers, relative losses for both at once."""
    if predictions is None:
        return "error"
    if is_mixed(predictions):
        return RELATIVE_LOSS
    return "error" if next(iter(predictions.labels.values())).is_classification else "rmse"


def metric_of_level(human: HumanLevel, predictions: Predictions | None) -> str:
    """The metric that a human level is given in: its own, else error or rmse."""
    return human.metric or default_metric(predictions)


def choose_metric(
    predictions: Predictions | None,
    given: Sequence[GivenRung],
    human: HumanLevel | None,
    metric: str | None,
    *,
    asked: bool,
) -> str:
    """The metric of the ladder: the one asked for, else that of the human level, else the project's.

    Raises:
        InvalidInput: When the metric does not suit the answers.
    """
    if predictions is not None and is_mixed(predictions):
        return _metric_of_tasks(predictions, metric if asked else None)
    if given and not asked:
        chosen = default_metric(predictions)
    elif human is not None and not asked:
        chosen = metric_of_level(human, predictions)
    else:
        chosen = metric or default_metric(predictions)
    if predictions is None:
        problems = [metric_problem(chosen, ("0", "1")), metric_problem(chosen, ())]
        found = [] if None in problems else [problem for problem in problems[:1] if problem]
    else:
        each = [metric_problem(chosen, a.classes, has_p=a.p is not None) for a in predictions.labels.values()]
        found = list(dict.fromkeys(problem for problem in each if problem))
    if found:
        raise InvalidInput(found)
    return chosen


def _metric_of_tasks(predictions: Predictions, asked: str | None) -> str:
    if asked is None or asked == RELATIVE_LOSS:
        return RELATIVE_LOSS
    suited = [
        name for name, a in predictions.labels.items() if not metric_problem(asked, a.classes, has_p=a.p is not None)
    ]
    message = f"{asked} does not suit every task: {', '.join(predictions.labels)} are classes and numbers"
    hint = (
        f"Ask for it with --label {suited[0]}." if suited else "Leave --metric out: the ladder is in relative losses."
    )
    raise InvalidInput([Problem("metric", message, hint)])


def gather_samples(
    predictions: Predictions | None, by_hand: Mapping[str, GivenRung], metric: str
) -> tuple[dict[str, Sample], list[str]]:
    """Rungs by name in ladder order, and notes on them.

    Args:
        predictions: Per-example predictions, or None.
        by_hand: Rungs given by hand; they replace measured ones.
        metric: Metric of the ladder.

    Raises:
        InvalidInput: When dev has no labels, or a rung by hand cannot be understood.
    """
    measured, notes = ({}, []) if predictions is None else _measure_splits(predictions, by_hand, metric)
    lender = measured.get("dev") or next(iter(measured.values()), None)
    taken: dict[str, Sample] = {}
    problems: list[Problem] = []
    for name, rung in by_hand.items():
        try:
            taken[name] = take(rung, metric, lender)
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    if predictions is not None:
        notes += _positive_note(predictions, metric) + _one_class_note(predictions)
    if predictions is not None and (replaced := [name for name in predictions.splits if name in by_hand]):
        notes.append(f"Given by hand instead of measured: {', '.join(replaced)}.")
    return {name: (taken | measured)[name] for name in RUNGS if name in taken or name in measured}, notes


def _measure_splits(
    predictions: Predictions, by_hand: Mapping[str, GivenRung], metric: str
) -> tuple[dict[str, Sample], list[str]]:
    measured, notes = {}, []
    scales = constant_losses(predictions) if metric == RELATIVE_LOSS else {}
    for name in (split for split in predictions.splits if split not in by_hand):
        part = predictions.part(name)
        known = np.logical_or.reduce([answers.known for answers in part.labels.values()])
        if not known.any():
            if name == "dev":
                message = "its dev rows have no y_true, so there is nothing to compare the answers with"
                raise InvalidInput([Problem("y_true", message, "Add the column y_true.")])
            notes.append(f"{name} has no y_true and is left out.")
            continue
        if not known.all():
            notes.append(f"{int((~known).sum()):,} {name} rows have no label and are left out.")
        measured[name] = measure(name, part, metric, scales)
        notes += _heavy_note(name, part, metric)
    return measured, notes


def _one_class_note(predictions: Predictions) -> list[str]:
    """Says when dev holds one class only: then nothing tells how the model does on the others."""
    dev = predictions.part("dev")
    if len(predictions.labels) > 1 or not len(dev) or not dev.answers.is_classification:
        return []
    classes = np.unique(dev.answers.y_true[dev.answers.known])
    if len(classes) != 1:
        return []
    name = dev.answers.classes[int(classes[0])]
    return [f"Every labelled dev example is {name!r}: nothing tells how the model does on other classes."]


def _positive_note(predictions: Predictions, metric: str) -> list[str]:
    classes = next(iter(predictions.labels.values())).classes
    if metric not in POSITIVE_CLASS_METRICS or len(predictions.labels) > 1:
        return []
    return [f"{metric} is that of the class {classes[1]!r}."]


def _heavy_note(name: str, part: Predictions, metric: str) -> list[str]:
    """Warns where a single example makes up so much of a mean loss that its interval leans on that example."""
    base = "mse" if metric == "rmse" else metric
    if base not in MEAN_METRICS - {"error", "accuracy"} or len(part.labels) > 1 or len(part) < 20:
        return []
    answers = part.answers.select(part.answers.known)
    losses = example_losses(base, answers.y_true, answers.y_pred, answers.p)
    total = float(losses.sum())
    if total <= 0 or losses.max() < _HEAVY_SHARE * total:
        return []
    row = str(part.ids[part.answers.known][int(losses.argmax())])
    share = 100 * losses.max() / total
    return [f"One {name} example ({row}) makes up {share:.0f} % of its {base}: the interval leans on it."]


def find_constant(predictions: Predictions | None, metric: str) -> dict[str, Any] | None:
    """The best constant answer, fitted on train and measured on dev as a loss; None without labels for both."""
    if predictions is None:
        return None
    if metric == RELATIVE_LOSS:
        return {"answer": "each task's best constant answer", "value": 1.0}
    train, dev = predictions.part("train"), predictions.part("dev")
    for part in (train, dev):
        if not len(part) or not all(answers.known.any() for answers in part.labels.values()):
            return None
    answer, value = best_constant(metric, train.labels, dev.labels, train.weight, dev.weight)
    return {"answer": answer, "value": as_loss(metric, value) if np.isfinite(value) else None}


def leak_notes(predictions: Predictions) -> list[str]:
    """Ids that stand for several rows: within a split they hint at groups, across splits at a leak."""
    ids = predictions.ids.tolist()
    if len(set(ids)) == len(ids):
        return []
    notes = []
    split = predictions.split.tolist()
    by_split = {name: {i for i, s in zip(ids, split, strict=True) if s == name} for name in predictions.splits}
    shared = set.intersection(by_split["train"], by_split["dev"]) if {"train", "dev"} <= by_split.keys() else set()
    if shared:
        notes.append(f"{len(shared):,} ids stand in train and in dev, such as {min(shared)!r}: dev may be leaked.")
    repeated = len(ids) - sum(len(names) for names in by_split.values())
    if repeated and predictions.group is None:
        notes.append(
            f"{repeated:,} rows repeat an id: if such rows belong together, name them in a column `group`; "
            "otherwise the intervals are too narrow."
        )
    return notes
