"""Estimators of the user's own: trained once, on the rows that every model sees, and examined like every model."""

import pickle
import time
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mlproj.data import Dataset, Target
from mlproj.records import Fit, History, Outcome
from mlproj.spec.project import Project
from mlproj.training.examine import Examiner, look_back
from mlproj.training.loop import OnEpoch
from mlproj.training.resources import measure_resources
from mlproj.training.targets import loss_weights, make_objective, to_tensor
from mlproj.zoo import OwnEstimator, seeded

READS = ("class_weight", "weighted_loss")
"""Keys of `training` that an estimator reads: they become its `sample_weight`."""


def fit_once(
    project: Project, dataset: Dataset, model: OwnEstimator, *, seed: int, on_epoch: OnEpoch | None, begin: float
) -> Fit:
    """Trains an estimator.

    Args:
        project: A resolved project.
        dataset: Its data.
        model: The estimator, unfitted.
        seed: Seed of what it draws without being told how.
        on_epoch: Called once.
        begin: When it all began, by `time.perf_counter`.

    Raises:
        MlprojError: When the estimator raises an exception.
    """
    train, target = dataset.parts["train"], dataset.target
    weight = loss_weights(project, train, target)
    scale = (target.mean, target.std) if target.kind == "regression" else (0.0, 1.0)
    weight = None if weight is None else weight.reshape(train.y.shape)
    with seeded(seed, "dropout"):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            model.learn(target.kind, train.x, labels_of(target, train.y), weight, scale)
        examiner = Examiner(project, dataset, make_objective(project, dataset), torch.device("cpu"))
        (seen,) = examiner.examine(model)
        values = {"train/loss": seen.train_loss, **seen.values}
        if on_epoch:
            on_epoch(1, 1, values)
        weights = model.dump()
        (answers,) = look_back(model, examiner, [seen.threshold])
        return Fit(
            weights=weights,
            history=History({name: (value,) for name, value in values.items()}),
            outcome=_outcome(model, len(train), bool(weights), [str(each.message) for each in said]),
            best_epoch=1,
            threshold=seen.threshold,
            resources=measure_resources(model, to_tensor(train.x[:64], torch.device("cpu"))) | _size(model, weights),
            **answers,
            seconds=time.perf_counter() - begin,
        )


def labels_of(target: Target, y: NDArray[Any]) -> NDArray[Any]:
    """Labels as an estimator learns them: class positions, or values in their own unit (or their logarithm).

    Args:
        target: How labels are encoded.
        y: Encoded labels (N, L); NaN where one is missing.
    """
    if target.kind == "multiclass":
        return y
    return np.log(y) if target.log else y


def _size(model: OwnEstimator, weights: dict[str, NDArray[Any]]) -> dict[str, float]:
    """Size in 10⁶ bytes as it is stored, or would be if pickle were allowed."""
    try:
        stored = sum(value.nbytes for value in weights.values()) or len(pickle.dumps(model.fitted))
    except Exception:  # noqa: BLE001  # what cannot be pickled says so in many ways
        stored = 0
    return {"size_mb": stored / 1e6}


def _outcome(model: OwnEstimator, n: int, is_stored: bool, said: list[str]) -> Outcome:
    count = f" {len(model.fitted)} times, once per label," if len(model.fitted) > 1 else ""
    text = f"{model.name} was fitted{count} on {n:,} examples."
    if not is_stored:
        text += " The model itself is not stored: without pickle it needs save(path) and load(path)."
    if said:
        first = said[0].strip().splitlines()[0]
        more = f" (and {len(said) - 1} more)" if len(said) > 1 else ""
        text += f" It warned: {first}{more}"
    return Outcome("completed", text)
