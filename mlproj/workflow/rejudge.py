"""Stored runs judged anew by corrected labels: their answers stay as they were, only the truth changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mlproj.errors import InputError, MlprojError
from mlproj.metrics.limits import Limits
from mlproj.metrics.losses import MEAN_METRICS
from mlproj.records import SEEN_SPLITS, Answers, Predictions, Run
from mlproj.records.columns import canonical

if TYPE_CHECKING:
    from mlproj.data.corrections_file import Correction
    from mlproj.spec.project import Project
    from mlproj.track import AbstractTracker

MOST_RUNS = 200
"""Newest runs that are judged anew."""
_SPREAD = (MEAN_METRICS - {"error", "accuracy"}) | {"rmse", "r2"}
_FEWEST = 20
"""Changed labels from which losses have limits: of fewer, resamples that hold none of them make any limit possible."""


@dataclass(frozen=True)
class Change:
    """One metric of a run on one split, by the labels before and after.

    Attributes:
        split: train, train_dev or dev.
        metric: What is measured.
        n: Examples whose label is known.
        before: Its value by the labels as the data say them.
        after: Its value by the corrected ones.
        low: Lower 95 % limit of after − before, paired on the examples; None where nothing bounds it.
        high: Upper limit.
    """

    split: str
    metric: str
    n: int
    before: float
    after: float
    low: float | None
    high: float | None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        change = {"value": self.after - self.before, "low": self.low, "high": self.high}
        same = {name: getattr(self, name) for name in ("split", "metric", "n", "before", "after")}
        return same | {"change": change}


@dataclass(frozen=True)
class Rejudged:
    """One stored run by the labels before and after.

    Attributes:
        run: The run.
        changes: Its metrics by split: error (rmse), and the optimised metric where that is another.
        before: Every metric of the contract on dev by the labels as the data say them.
        after: Likewise by the corrected labels.
        dev: The examples of its dev set.
    """

    run: Run
    changes: tuple[Change, ...]
    before: Mapping[str, float]
    after: Mapping[str, float]
    dev: frozenset[str]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        named = {"id": self.run.id, "name": self.run.name}
        return {"run": named, "changes": [change.document() for change in self.changes]}


@dataclass(frozen=True)
class Ranking:
    """The best two runs before and after.

    Attributes:
        metric: By what they are ranked, among those that keep the contract.
        before: Names of the best two by the labels as the data say them.
        after: Names of the best two by the corrected labels.
    """

    metric: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether the order of the best two is another."""
        return self.before != self.after

    @property
    def text(self) -> str:
        """What happened to the best two, as a sentence."""
        now, then = (" before ".join(names) for names in (self.after, self.before))
        if self.changed:
            return f"The best two by {self.metric} changed: {now} now, {then} by the labels of the data."
        return f"The best two by {self.metric} stay in order: {now}."

    def document(self) -> dict[str, Any]:
        """As JSON."""
        ranked = {"before": list(self.before), "after": list(self.after)}
        return {"metric": self.metric, **ranked, "changed": self.changed}


def relabelled(predictions: Predictions, corrections: "Sequence[Correction]") -> Predictions:
    """Predictions with the truth corrected; examples that no correction names keep theirs.

    Args:
        predictions: A model's answers.
        corrections: What the labels should be.
    """
    place = {name: row for row, name in enumerate(predictions.ids.tolist())}
    labels = {}
    for name, answers in predictions.labels.items():
        ours = {
            place[row.id]: row.label
            for row in corrections
            if row.id in place and (row.of == name or (not row.of and len(predictions.labels) == 1))
        }
        labels[name] = _with_truth(answers, ours) if ours else answers
    return replace(predictions, labels=labels)


def rejudge_runs(
    tracker: "AbstractTracker", project: "Project", corrections: "Sequence[Correction]", *, metric: str
) -> tuple[Rejudged, ...]:
    """Every finished run that keeps its answers, newest first; a search stands for its best trial.

    Args:
        tracker: The open store.
        project: With the contract.
        corrections: What the labels should be by now, those that were taken back among them.
        metric: The metric to optimise.
    """
    from mlproj.records.files import read_predictions
    from mlproj.workflow.runs import BEST, TRAINED

    found = []
    for run in tracker.runs(kinds=(*TRAINED, "record"), statuses=("FINISHED",), limit=MOST_RUNS):
        try:
            file = tracker.fetch(run.tags.get(BEST, run.id), "predictions.parquet")
            judged = rejudge(run, read_predictions(file), project, corrections, metric=metric)
        except (MlprojError, OSError):
            continue  # it keeps no answers: cleared from the disk, or a search without a finished trial
        found += [judged] if judged is not None else []
    return tuple(found)


def rejudge(
    run: Run, predictions: Predictions, project: "Project", corrections: "Sequence[Correction]", *, metric: str
) -> Rejudged | None:
    """One run before and after; None where it has no answers on dev."""
    if "dev" not in predictions.splits:
        return None
    usual = "error" if predictions.answers_are_classes else "rmse"
    ids = {row.id for row in corrections}
    undone = [replace(row, label=row.was) for row in corrections]
    changes: list[Change] = []
    for split in SEEN_SPLITS:
        part = predictions.part(split)
        if len(part) and (split == "dev" or not ids.isdisjoint(part.ids.tolist())):
            pair = relabelled(part, undone), relabelled(part, corrections)
            changes += [c for name in dict.fromkeys((usual, metric)) if (c := _change(split, name, *pair))]
    dev = predictions.part("dev")
    contract = dict.fromkeys((metric, *project.metric.satisfy))
    before, after = (_values(contract, relabelled(dev, rows), run) for rows in (undone, corrections))
    return Rejudged(run, tuple(changes), before, after, frozenset(dev.ids.tolist()))


def rank(judged: Sequence[Rejudged], metric: str, satisfy: Limits) -> Ranking | None:
    """The best two runs before and after, among those on the dev set of the newest; None for fewer than two."""
    from mlproj.metrics import rank_key

    alike = [each for each in judged if each.dev == judged[0].dev and metric in each.before]
    if len(alike) < 2:
        return None
    then = sorted(alike, key=lambda each: rank_key(each.before, metric, satisfy), reverse=True)
    now = sorted(alike, key=lambda each: rank_key(each.after, metric, satisfy), reverse=True)
    before, after = (tuple(each.run.name for each in order[:2]) for order in (then, now))
    return Ranking(metric, before, after)


def _change(split: str, metric: str, before: Predictions, after: Predictions) -> Change | None:
    """One metric before and after; None where it cannot be computed."""
    from mlproj.metrics import measure, paired_difference
    from mlproj.workflow.spelling import widened

    classes = {name: answers.classes for name, answers in after.labels.items()}
    before = replace(before, labels={name: widened(each, classes[name]) for name, each in before.labels.items()})
    try:
        values = [measure([metric], side.labels, side.weight)[metric] for side in (before, after)]
        paired = paired_difference(
            after.labels, before.labels, metric, weight=before.weight, group=before.group, relabelled=True
        )
    except InputError:
        return None
    if not np.isfinite(values).all():
        return None
    low, high = (limit if np.isfinite(limit) else None for limit in (paired.low, paired.high))
    moved = _count_changed(before, after)
    if moved == 0:
        low = high = 0.0
    elif moved < _FEWEST and metric in _SPREAD:
        low = high = None
    return Change(split, metric, paired.n, values[0], values[1], low, high)


def _count_changed(before: Predictions, after: Predictions) -> int:
    """How many labels differ."""
    pairs = [(each.y_true, after.labels[name].y_true, each.known) for name, each in before.labels.items()]
    return sum(int(np.count_nonzero((then != now) & known)) for then, now, known in pairs)


def _values(names: Mapping[str, None], dev: Predictions, run: Run) -> dict[str, float]:
    """Metrics on dev; what no label changes (latency, size) is taken from the run."""
    from mlproj.metrics import measure

    found = {}
    for name in names:
        try:
            found[name] = measure([name], dev.labels, dev.weight)[name]
        except (InputError, KeyError):
            if f"dev/{name}" in run.metrics:
                found[name] = run.metrics[f"dev/{name}"]
    return found


def _with_truth(answers: Answers, labels: Mapping[int, str]) -> Answers:
    """Answers with some truths replaced; a class that the model never met is still a truth."""
    truth = answers.y_true.copy()
    if not answers.is_classification:
        truth[list(labels)] = [float(text) for text in labels.values()]
        return replace(answers, y_true=truth)
    codes = {canonical(name): code for code, name in enumerate(answers.classes)}
    codes |= {name: code for code, name in enumerate(answers.classes)}
    new = [name for name in dict.fromkeys(labels.values()) if name not in codes and canonical(name) not in codes]
    if new:
        from mlproj.workflow.spelling import widened

        answers = widened(answers, new)
        codes |= {name: answers.classes.index(name) for name in new}
    truth[list(labels)] = [codes.get(text, codes.get(canonical(text))) for text in labels.values()]
    return replace(answers, y_true=truth)
