"""Labels as the loss wants them, and the weight of each term of the loss.

L labels: one, or several yes/no labels, each present or missing on its own.
"""

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlproj.data import Dataset, Part, Target
from mlproj.spec.project import Project
from mlproj.spec.training import CODE
from mlproj.training.batches import Examples
from mlproj.training.custom import make_own_objective
from mlproj.training.objective import Loss, Objective

Array = NDArray[Any]


def make_objective(project: Project, dataset: Dataset) -> Objective:
    """What training minimises for a resolved project.

    Args:
        project: The project; `training.loss` is no longer auto.
        dataset: Its data.
    """
    loss, smoothing = project.training.loss, project.training.label_smoothing
    target = dataset.target
    has_missing = target.kind == "binary" and any(bool(np.isnan(part.y).any()) for part in dataset.parts.values())
    if loss.startswith(CODE):
        return make_own_objective(project, has_missing=has_missing)
    if target.kind == "regression":
        return Objective(cast(Loss, "mse" if loss == "auto" else loss))
    if target.kind == "multiclass":
        return Objective("cross_entropy", smoothing)
    return Objective("binary_cross_entropy", smoothing, has_missing)


def make_examples(part: Part, target: Target, device: torch.device, weight: Array | None = None) -> Examples:
    """A split as tensors.

    Args:
        part: The split.
        target: How its labels are encoded.
        device: Where to train.
        weight: Weight of each term of the loss, from `loss_weights`; None when all weigh 1.
    """
    y = target.to_learn(part.y)
    labels = y[:, 0] if target.kind == "multiclass" else y.astype(np.float32)
    terms = None if weight is None else to_tensor(weight.astype(np.float32), device)
    return Examples(to_tensor(part.x, device), to_tensor(labels, device), terms)


def to_tensor(values: Array, device: torch.device) -> Tensor:
    """An array on a device, without a copy where that is safe."""
    return torch.from_numpy(values if values.flags.writeable else values.copy()).to(device)


def loss_weights(project: Project, part: Part, target: Target) -> Array | None:
    """Weight of each term of the loss on the training set, on average 1 over the labels that are present.

    Classes weigh what `training.class_weight` says, examples what `data.weight` says when `training.weighted_loss` is
    true. They are scaled once for the whole set rather than batch by batch, so that a batch of light examples does not
    count as much as one of heavy ones.

    Args:
        project: The project.
        part: The training split.
        target: How its labels are encoded.

    Returns:
        Weights (N,) for one of several classes, else (N, L); None when all weigh 1.
    """
    training = project.training
    examples = part.weight if training.weighted_loss else None
    if training.class_weight is None and examples is None:
        return None
    present = ~np.isnan(part.y) if target.kind != "multiclass" else np.ones(part.y.shape, dtype=bool)
    weight = np.ones(part.y.shape)
    if training.class_weight is not None:
        for label, classes in enumerate(target.classes):
            y = part.y[:, label]
            weight[present[:, label], label] = _class_weights(training.class_weight, classes, y[present[:, label]])
    if examples is not None:
        weight *= examples[:, None]
    total = weight[present].mean() if present.any() else 1.0
    weight = np.where(present, weight / (total or 1.0), 0.0)
    return weight[:, 0] if target.kind == "multiclass" else weight


def _class_weights(rule: str | dict[str, float], classes: tuple[str, ...], y: Array) -> Array:
    """Weight of each label; balanced is n / (K · n_k), so that every class weighs the same in total."""
    codes = y.astype(np.int64)
    if isinstance(rule, dict):
        return np.array([rule.get(name, 1.0) for name in classes])[codes]
    counts = np.bincount(codes, minlength=len(classes))
    return (len(codes) / (len(classes) * np.maximum(counts, 1)))[codes]
