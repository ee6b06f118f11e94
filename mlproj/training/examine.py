"""How a model does on the splits that may be seen: in evaluation mode, in large batches, by the project's metrics.

N examples of a split, K outputs, M models at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlproj.data import Dataset, Part
from mlproj.metrics import choose_threshold, needs_threshold, rank_key
from mlproj.metrics.contract import RankKey
from mlproj.metrics.evidence import PROBABILITY_METRICS, RESOURCES
from mlproj.metrics.scores import measure_many
from mlproj.records import Answers, Predictions
from mlproj.spec.project import Project
from mlproj.training.batches import Examples
from mlproj.training.looks import (
    STORED_SAMPLE,
    epoch_sample,
    judging_split,
    measure_part,
    metric_names,
    sample_parts,
    take_rows,
)
from mlproj.training.objective import Objective
from mlproj.training.outputs import run_model
from mlproj.training.targets import make_examples, to_tensor
from mlproj.zoo import StackedModel

Array = NDArray[Any]
VALUES_AT_ONCE = 2**21
"""Outputs that are looked at together. With many classes or examples the members of a stack come in turn: a look then
holds no more than one member alone, or a few times 8 MB, which stay in the cache and are used again and again."""


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
    """Examines the members of a stack on train (a fixed sample of it, as large as dev), train-dev and dev.

    Args:
        project: A resolved project; members may differ in everything that no metric, label or split depends on.
        dataset: Its data.
        objective: The loss, which breaks ties of the metric.
        device: Where the models are.
        rows: For each member, positions in the training set of its own training examples that are looked at; None when
            all members look at the same.
    """

    def __init__(
        self,
        project: Project,
        dataset: Dataset,
        objective: Objective,
        device: torch.device,
        rows: Sequence[Array] | None = None,
    ) -> None:
        self.project = project
        self.dataset = dataset
        self.target = dataset.target
        self.objective = objective
        self.device = device
        self.names = metric_names(project)
        self._with_p = not PROBABILITY_METRICS.isdisjoint(self.names)
        self.parts = sample_parts(dataset.parts, epoch_sample(dataset.parts))
        self.trains = None if rows is None else [take_rows(dataset.parts["train"], each) for each in rows]
        self.examples = {name: make_examples(part, dataset.target, device) for name, part in self.parts.items()}
        if rows is not None:
            every = make_examples(dataset.parts["train"], dataset.target, device)
            self.examples["train"] = every.take(torch.from_numpy(np.stack(rows)).to(device))
        self.judged_by = judging_split(self.parts)

    def keep(self, members: Sequence[int]) -> None:
        """Goes on with some members of the stack, by position."""
        self.objective = self.objective.keep(members)
        if self.trains is not None:
            self.trains = [self.trains[m] for m in members]
            self.examples = self.examples | {"train": self.examples["train"].members(members)}

    def examine(self, model: StackedModel) -> tuple[Examination, ...]:
        """The values of each member on every split, and its rank.

        Args:
            model: The stack.
        """
        n_values = sum(map(len, self.parts.values())) * self.target.n_outputs
        turns = in_turns(model.n_models, n_values)
        if len(turns) == 1:
            return self._examine(model)
        found: list[Examination] = []
        for members in turns:
            some = copy(self)
            some.keep(members)
            found += some._examine(model.part(members))
        return tuple(found)

    def _examine(self, model: StackedModel) -> tuple[Examination, ...]:
        outputs = {name: run_model(model, examples.x) for name, examples in self.examples.items()}
        losses = {name: self._loss(values, self.examples[name]) for name, values in outputs.items()}
        sound = np.logical_and.reduce([_all_finite(values) for values in outputs.values()])
        raw = {name: values.cpu().numpy() for name, values in outputs.items()}
        if self.target.kind == "regression":  # on a log scale an overflow shows only in the answers
            sound &= np.logical_and.reduce([self._are_numbers(values) for values in raw.values()])
        members = np.flatnonzero(sound)
        found = [Examination({}, None, None, is_finite=False)] * model.n_models
        if len(members):
            if not sound.all():
                raw = {name: values[members] for name, values in raw.items()}
            thresholds = self.choose(raw[self.judged_by or "train"], members)
            columns: dict[str, list[float]] = {}
            for name in raw:
                columns[f"{name}/loss"] = losses[name][members].tolist()
                columns |= {
                    key: values.tolist() for key, values in self._values(name, raw, thresholds, members).items()
                }
            train_losses = columns.pop("train/loss")  # the history has the one that training met, with dropout
            for at, member in enumerate(members):
                own = {key: column[at] for key, column in columns.items()}
                found[member] = Examination(own, self._rank(own), _at(thresholds, at), train_loss=train_losses[at])
        return tuple(found)

    def choose(self, outputs: Array, members: Array) -> NDArray[np.float64] | None:
        """The threshold of a binary label for each member: the project's number, the best on the judging split, or 0.5.

        Args:
            outputs: Raw outputs on the judging split (M, N, K).
            members: Positions of these members in the stack (M,).
        """
        metric = self.project.metric
        if self.target.kind != "binary":
            return None
        if metric.threshold != "auto":
            return np.full(len(outputs), metric.threshold)
        optimize = metric.optimize or "error"
        if len(self.target.labels) > 1 or not needs_threshold(optimize, metric.satisfy):
            return np.full(len(outputs), 0.5)
        found = []
        for own, member in zip(outputs, members, strict=True):
            part = self._part(self.judged_by or "train", member)
            (answers,) = self.decode(own, part, 0.5).values()
            assert answers.p is not None
            found.append(choose_threshold(answers.p[:, 1], answers.y_true, part.weight, optimize, metric.satisfy))
        return np.array(found)

    def decode(
        self, outputs: Array, part: Part, threshold: float | NDArray[np.float64] | None, *, with_p: bool = True
    ) -> Mapping[str, Answers]:
        """Outputs (…, N, K) as answers in the labels' own terms."""
        return self.target.decode(outputs, part.y, 0.5 if threshold is None else threshold, with_p=with_p)

    def _part(self, name: str, member: int) -> Part:
        return self.trains[member] if name == "train" and self.trains is not None else self.parts[name]

    def _values(
        self, name: str, raw: Mapping[str, Array], thresholds: NDArray[np.float64] | None, members: Array
    ) -> dict[str, Array]:
        """Values (M,) by ``SPLIT/METRIC`` on one split."""
        outputs = raw[name]
        if name == "train" and self.trains is not None:
            each = [
                measure_part(self.names, self.decode(own, self.trains[m], _at(thresholds, k)), self.trains[m])
                for k, (own, m) in enumerate(zip(outputs, members, strict=True))
            ]
            columns = {metric: np.array([own[metric] for own in each]) for metric in self.names}
        else:
            part = self.parts[name]
            answers = self.decode(outputs, part, thresholds, with_p=self._with_p)
            with np.errstate(over="ignore"):
                columns = measure_many(self.names, answers, part.weight)
        return {f"{name}/{metric}": column for metric, column in columns.items()}

    def _are_numbers(self, outputs: Array) -> NDArray[np.bool_]:
        with np.errstate(all="ignore"):
            (answers,) = self.target.decode(outputs, None).values()
        return np.asarray(np.isfinite(answers.y_pred).all(axis=-1), dtype=np.bool_)

    def _loss(self, outputs: Tensor, examples: Examples) -> Array:
        y = examples.y
        if examples.x.ndim == 2:
            y = y.expand(len(outputs), *y.shape)
        return np.asarray(self.objective(outputs, y).double().cpu().numpy())

    def _rank(self, values: Mapping[str, float]) -> RankKey | None:
        if self.judged_by is None:
            return None
        metric, prefix = self.project.metric, f"{self.judged_by}/"
        own = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
        # Latency and size are those of the architecture, the same after every epoch.
        limits = {name: limit for name, limit in metric.satisfy.items() if name not in RESOURCES}
        return rank_key(own, metric.optimize or self.names[0], limits, own["loss"])


def in_turns(n_models: int, n_values: int) -> list[range]:
    """Members of a stack, by position, in groups that are looked at together; groups are about equally large.

    Args:
        n_models: Members M.
        n_values: Outputs of each.

    Example:
        >>> in_turns(5, 1000), in_turns(5, 2**20)
        ([range(0, 5)], [range(0, 2), range(2, 4), range(4, 5)])
    """
    most = max(1, VALUES_AT_ONCE // max(1, n_values))
    size = ceil(n_models / ceil(n_models / most))
    return [range(start, min(start + size, n_models)) for start in range(0, n_models, size)]


def _at(thresholds: NDArray[np.float64] | None, k: int) -> float | None:
    return None if thresholds is None else float(thresholds[k])


class Seen(TypedDict):
    """What is known of a trained model by its answers."""

    predictions: Predictions
    metrics: Mapping[str, Mapping[str, float]]


def look_back(
    model: StackedModel,
    examiner: Examiner,
    thresholds: Sequence[float | None],
    *,
    dataset: Dataset | None = None,
) -> Iterator[Seen]:
    """Predictions on all splits that may be seen, and their metrics.

    Args:
        model: A stack, trained.
        examiner: What examined it.
        thresholds: For each member the probability from which the answer is the positive class.
        dataset: Their data where their training examples are not those of the examiner.

    Yields:
        What is known of each member.
    """
    parts = sample_parts((dataset or examiner.dataset).parts, STORED_SAMPLE)
    common = _join_parts(parts)
    known = [threshold for threshold in thresholds if threshold is not None]
    answers = {}
    for name, part in parts.items():
        outputs = run_model(model, to_tensor(part.x, examiner.device)).double().cpu().numpy()
        answers[name] = examiner.decode(outputs, part, np.array(known) if known else None)
    with np.errstate(over="ignore"):
        metrics = {name: measure_many(examiner.names, each, parts[name].weight) for name, each in answers.items()}
    labels = {label: _join([answers[name][label] for name in parts]) for label in answers["train"]}
    for m in range(model.n_models):
        own = {
            label: Answers(each.y_true, each.y_pred[m], each.classes, None if each.p is None else each.p[m])
            for label, each in labels.items()
        }
        values = {name: {key: float(column[m]) for key, column in each.items()} for name, each in metrics.items()}
        yield {"predictions": replace(common, labels=own), "metrics": values}


def _join_parts(parts: Mapping[str, Part]) -> Predictions:
    """Predictions of all splits, still without any labels."""
    names = list(parts)
    return Predictions(
        ids=np.concatenate([parts[name].ids for name in names]),
        split=np.repeat(names, [len(parts[name]) for name in names]),
        labels={},
        weight=_join_columns([parts[name].weight for name in names]),
        group=_join_columns([parts[name].group for name in names]),
    )


def _join(answers: Sequence[Answers]) -> Answers:
    """The answers of several models (M, N) on several splits, one after the other."""
    return Answers(
        np.concatenate([each.y_true for each in answers]),
        np.concatenate([each.y_pred for each in answers], axis=-1),
        answers[0].classes,
        _join_columns([each.p for each in answers], axis=-2),
    )


def _join_columns(columns: Sequence[Array | None], axis: int = 0) -> Array | None:
    known = [column for column in columns if column is not None]
    return np.concatenate(known, axis=axis) if len(known) == len(columns) else None


def _all_finite(outputs: Tensor) -> NDArray[np.bool_]:
    """Which members give numbers only."""
    # The sum of float32 values cannot overflow in float64: it is a number exactly where they all are.
    sound = torch.isfinite(outputs.sum((1, 2), dtype=torch.float64))
    return np.asarray(sound.cpu().numpy(), dtype=np.bool_)
