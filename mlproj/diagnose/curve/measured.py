"""From a training's answers to what a learning curve keeps of them, and from many trainings to curves. G units."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from mlproj.diagnose.curve.curve import Curve
from mlproj.diagnose.rungs import RELATIVE_LOSS, is_rate
from mlproj.diagnose.several import influences, own_metric
from mlproj.metrics import as_loss, measure
from mlproj.metrics.intervals import Floats
from mlproj.records import CurveFit, Predictions
from mlproj.spec.goal import LOSSES

HELD_OUT = ("train_dev", "dev")
NO_SCALES: Mapping[str, float] = MappingProxyType({})


def measure_answers(
    predictions: Predictions, metrics: Sequence[str], scales: Mapping[str, float] = NO_SCALES
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, Floats]]]:
    """Losses by metric and split, and how far each held-out unit moves them (G,).

    Args:
        predictions: A training's answers, in evaluation mode.
        metrics: Metrics of the project, or `RELATIVE_LOSS`.
        scales: Loss of the best constant answer by label, for the relative loss.
    """
    values: dict[str, dict[str, float]] = {}
    moves: dict[str, dict[str, Floats]] = {}
    for split in predictions.splits:
        part = predictions.part(split)
        if not any(answers.known.any() for answers in part.labels.values()):
            continue
        for metric in metrics:
            values.setdefault(metric, {})[split] = _loss(part, metric, scales)
            if split in HELD_OUT:
                moves.setdefault(metric, {})[split] = _moves(part, metric, scales)
    return values, moves


def _loss(part: Predictions, metric: str, scales: Mapping[str, float]) -> float:
    if metric != RELATIVE_LOSS:
        return as_loss(metric, measure([metric], part.labels, part.weight)[metric])
    each = []
    for name, answers in part.labels.items():
        own = own_metric(metric, answers)
        each.append(measure([own], {name: answers}, part.weight)[own] / scales.get(name, 1.0))
    return float(np.mean(each))


def _moves(part: Predictions, metric: str, scales: Mapping[str, float]) -> Floats:
    each = []
    for name, answers in part.labels.items():
        if answers.known.any():
            own = own_metric(metric, answers)
            sign = 1.0 if own in LOSSES else -1.0
            each.append(sign * influences(own, answers, part) / scales.get(name, 1.0))
    return np.asarray(np.mean(each, axis=0), dtype=np.float64)


def curve_of(fits: Sequence[CurveFit], metric: str, split: str, n_held_out: int | None = None) -> Curve | None:
    """The curve of one split.

    Args:
        fits: Trainings, in any order; those without a finite value there are left out.
        metric: The metric.
        split: train, train_dev or dev.
        n_held_out: Examples in a held-out split; for train every size has its own.

    Returns:
        None where no training has a value.
    """
    by_size: dict[int, list[CurveFit]] = {}
    for each in fits:
        if np.isfinite(each.values.get(metric, {}).get(split, np.nan)):
            by_size.setdefault(each.size, []).append(each)
    if not by_size:
        return None
    groups = [by_size[size] for size in sorted(by_size)]
    sizes = np.array([np.mean([each.n for each in group]) for group in groups])
    moves = [[each.moves.get(metric, {}).get(split) for each in group] for group in groups]
    return Curve(
        sizes,
        tuple(np.array([each.values[metric][split] for each in group]) for group in groups),
        _mean_moves(moves),
        sizes if split == "train" else None if n_held_out is None else np.full(len(sizes), float(n_held_out)),
        is_rate(metric),
    )


def _mean_moves(moves: Sequence[Sequence[Any]]) -> tuple[Floats, ...] | None:
    if any(each is None for group in moves for each in group):
        return None
    return tuple(np.asarray(np.mean(np.stack(group), axis=0), dtype=np.float64) for group in moves)
