"""How a model does on the splits that may be seen: in evaluation mode, in large batches, by the project's metrics.

N examples of a split, K outputs. What is examined is one model: a stack of M = 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlproj.data import Dataset, Part
from mlproj.metrics import choose_threshold, measure, needs_threshold, rank_key
from mlproj.metrics.contract import RankKey
from mlproj.metrics.evidence import RESOURCES
from mlproj.records import Answers, Predictions
from mlproj.spec.project import Project
from mlproj.training.batches import Examples
from mlproj.training.objective import Objective
from mlproj.training.targets import make_examples, to_tensor
from mlproj.zoo import StackedModel, generator

Array = NDArray[Any]
EPOCH_SAMPLE = 20_000
"""Training examples that are looked at after each epoch; a fixed sample where there are more."""
STORED_SAMPLE = 1_000_000
"""Training examples whose predictions are stored."""
_ROWS_AT_ONCE = 2**14


def run_model(model: StackedModel, x: Tensor) -> Tensor:
    """Raw outputs [M, N, K] of a stack in evaluation mode.

    Args:
        model: The stack; it is left in evaluation mode.
        x: Features [N, F] on its device.
    """
    model.eval()
    with torch.no_grad():
        return torch.cat([model(rows) for rows in torch.split(x, _ROWS_AT_ONCE)], dim=1)


def metric_names(project: Project) -> tuple[str, ...]:
    """The metrics of a project: error or rmse, what is optimised, and every limit that answers can tell.

    Args:
        project: A resolved project.
    """
    plain = "rmse" if project.task == "regression" else "error"
    limits = [name for name in project.metric.satisfy if name not in RESOURCES]
    return tuple(dict.fromkeys([plain, project.metric.optimize or plain, *limits]))


@dataclass(frozen=True)
class Examination:
    """What was seen after an epoch.

    Attributes:
        values: Values by ``SPLIT/METRIC``, and ``SPLIT/loss`` for the held-out splits.
        key: Rank of the model by the contract on dev; None without a held-out split to judge by.
        threshold: Probability from which the answer is the positive class.
        is_finite: Whether all its answers are numbers; without that nothing else was computed.
        train_loss: Mean loss on the training examples looked at, in evaluation mode.
    """

    values: Mapping[str, float]
    key: RankKey | None
    threshold: float | None
    is_finite: bool = True
    train_loss: float = float("nan")


class Examiner:
    """Examines a model on train (a fixed sample where it is large), train-dev and dev.

    Args:
        project: A resolved project.
        dataset: Its data.
        objective: The loss, which breaks ties of the metric.
        device: Where the model is.
    """

    def __init__(self, project: Project, dataset: Dataset, objective: Objective, device: torch.device) -> None:
        self.project = project
        self.dataset = dataset
        self.target = dataset.target
        self.objective = objective
        self.device = device
        self.names = metric_names(project)
        self.parts = sample_parts(dataset.parts, EPOCH_SAMPLE, project.seed)
        self.examples = {name: make_examples(part, dataset.target, device) for name, part in self.parts.items()}
        self.judged_by = next((name for name in ("dev", "train_dev") if name in self.parts), None)

    def examine(self, model: StackedModel) -> Examination:
        """The model's values on every split, and its rank.

        Args:
            model: A stack of one.
        """
        outputs = {name: run_model(model, examples.x) for name, examples in self.examples.items()}
        raw = {name: values[0].double().cpu().numpy() for name, values in outputs.items()}
        losses = {name: self._loss(values, self.examples[name]) for name, values in outputs.items()}
        if not all(np.isfinite(values).all() for values in raw.values()):
            return Examination({}, None, None, is_finite=False)
        threshold = self.choose(raw[self.judged_by or "train"])
        answers = {name: self.decode(values, self.parts[name], threshold) for name, values in raw.items()}
        if not all(is_finite(labels) for labels in answers.values()):
            return Examination({}, None, None, is_finite=False)
        values = {}
        for name, labels in answers.items():
            if name != "train":
                values[f"{name}/loss"] = losses[name]
            measured = measure_part(self.names, labels, self.parts[name])
            values |= {f"{name}/{metric}": value for metric, value in measured.items()}
        return Examination(values, self._rank(values), threshold, train_loss=losses["train"])

    def choose(self, outputs: Array) -> float | None:
        """The threshold of a binary label: the project's number, the best on the judging split, or 0.5."""
        metric, part = self.project.metric, self.parts[self.judged_by or "train"]
        if self.target.kind != "binary":
            return None
        if metric.threshold != "auto":
            return metric.threshold
        optimize = metric.optimize or "error"
        if len(self.target.labels) > 1 or not needs_threshold(optimize, metric.satisfy):
            return 0.5
        (answers,) = self.decode(outputs, part, 0.5).values()
        assert answers.p is not None
        return choose_threshold(answers.p[:, 1], answers.y_true, part.weight, optimize, metric.satisfy)

    def decode(self, outputs: Array, part: Part, threshold: float | None) -> Mapping[str, Answers]:
        """Outputs as answers in the labels' own terms."""
        return self.target.decode(outputs, part.y, threshold=0.5 if threshold is None else threshold)

    def _loss(self, outputs: Tensor, examples: Examples) -> float:
        return float(self.objective(outputs, examples.y.unsqueeze(0)))

    def _rank(self, values: Mapping[str, float]) -> RankKey | None:
        if self.judged_by is None:
            return None
        metric, prefix = self.project.metric, f"{self.judged_by}/"
        own = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
        # Latency and size are those of the architecture, the same after every epoch.
        limits = {name: limit for name, limit in metric.satisfy.items() if name not in RESOURCES}
        return rank_key(own, metric.optimize or self.names[0], limits, own["loss"])


class Seen(TypedDict):
    """What is known of a trained model by its answers."""

    predictions: Predictions
    metrics: Mapping[str, Mapping[str, float]]


def look_back(model: StackedModel, examiner: Examiner, threshold: float | None) -> Seen:
    """Predictions on all splits that may be seen, and their metrics.

    Args:
        model: A stack of one, trained.
        examiner: What examined it.
        threshold: Probability from which the answer is the positive class.
    """
    parts = sample_parts(examiner.dataset.parts, STORED_SAMPLE, examiner.project.seed)
    answers = {}
    for name, part in parts.items():
        outputs = run_model(model, to_tensor(part.x, examiner.device))[0].double().cpu().numpy()
        answers[name] = examiner.decode(outputs, part, threshold)
    metrics = {name: measure_part(examiner.names, labels, parts[name]) for name, labels in answers.items()}
    return {"predictions": join_predictions(parts, answers), "metrics": metrics}


def measure_part(names: Sequence[str], labels: Mapping[str, Answers], part: Part) -> dict[str, float]:
    """Values of metrics on a split.

    Args:
        names: Metrics.
        labels: Answers by label.
        part: The split, with its weights.
    """
    with np.errstate(over="ignore"):  # the square of a diverged model's answer may be infinite: so be it
        return measure(names, labels, part.weight)


def is_finite(labels: Mapping[str, Answers]) -> bool:
    """Whether all answers are numbers; on a log scale an overflow shows only here."""
    return all(answers.is_classification or np.isfinite(answers.y_pred).all() for answers in labels.values())


def sample_parts(parts: Mapping[Any, Part], limit: int, seed: int) -> dict[str, Part]:
    """The splits that hold examples, train cut down to a fixed random sample where it is larger than the limit.

    Args:
        parts: The splits.
        limit: Most training examples to keep.
        seed: Seed of the sample.
    """
    kept = {name: part for name, part in parts.items() if len(part)}
    train = kept["train"]
    if len(train) > limit:
        order = torch.randperm(len(train), generator=generator(seed, "sample"))[:limit]
        kept["train"] = take_rows(train, np.sort(order.numpy()))
    return kept


def take_rows(part: Part, rows: Array) -> Part:
    """Some examples of a split.

    Args:
        part: The split.
        rows: Their positions.
    """
    return replace(
        part,
        ids=part.ids[rows],
        frame=part.frame.iloc[rows],
        x=part.x[rows],
        y=part.y[rows],
        weight=None if part.weight is None else part.weight[rows],
        group=None if part.group is None else part.group[rows],
        source=part.source[rows],
    )


def join_predictions(parts: Mapping[str, Part], answers: Mapping[str, Mapping[str, Answers]]) -> Predictions:
    """The predictions of all splits as one record.

    Args:
        parts: The splits.
        answers: Answers by split and label.
    """
    names = list(parts)
    return Predictions(
        ids=np.concatenate([parts[name].ids for name in names]),
        split=np.repeat(names, [len(parts[name]) for name in names]),
        labels={label: _join([answers[name][label] for name in names]) for label in answers[names[0]]},
        weight=_join_columns([parts[name].weight for name in names]),
        group=_join_columns([parts[name].group for name in names]),
    )


def _join(answers: Sequence[Answers]) -> Answers:
    return Answers(
        np.concatenate([each.y_true for each in answers]),
        np.concatenate([each.y_pred for each in answers]),
        answers[0].classes,
        _join_columns([each.p for each in answers]),
    )


def _join_columns(columns: Sequence[Array | None]) -> Array | None:
    known = [column for column in columns if column is not None]
    return np.concatenate(known) if len(known) == len(columns) else None
