"""The gap to dev at equal class mix: metrics such as F1 move with the shares of the classes alone.

Dev's examples are weighted so that its classes are as frequent as in train-dev; what remains of the gap is no matter of
the mix.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlproj.diagnose.several import estimate_loss
from mlproj.diagnose.words import choose_numbers
from mlproj.metrics.intervals import Floats, mover
from mlproj.records import Predictions

MOVED_BY_CLASS_MIX = frozenset(
    {"f1", "f1_macro", "f1_weighted", "precision", "precision_macro", "average_precision", "mcc"}
)
"""Metrics of classes that are no mean over examples and change when only the class mix does."""


def match_prevalence(predictions: Predictions, metric: str, *, on: str = "train_dev") -> dict[str, Any] | None:
    """Dev and its gap to train-dev at the class mix of train-dev.

    Args:
        predictions: Predictions of all splits.
        metric: Metric of the ladder.
        on: The split whose class mix is taken.

    Returns:
        ``{"on", "dev": {"error", "low", "high", "n", "method"}, "gap": {"name", "size", "low", "high", "method"},
        "mix": size of the rest}``; `dev` is None where dev lacks a class that the other split has. None where the
        question does not arise: other metrics, several labels, no such split.
    """
    if metric not in MOVED_BY_CLASS_MIX or len(predictions.labels) > 1:
        return None
    there, dev = predictions.part(on), predictions.part("dev")
    if not len(there) or not there.answers.known.any() or not dev.answers.known.any():
        return None
    mix, own = _class_mix(there), _class_mix(dev)
    if np.any((mix > 0) & (own == 0)):
        return {"on": on, "dev": None, "gap": None, "mix": None}
    ratio = np.divide(mix, own, out=np.zeros_like(mix), where=own > 0)
    known = dev.answers.known
    weight = np.zeros(len(dev))
    weight[known] = ratio[dev.answers.y_true[known]] * (1.0 if dev.weight is None else dev.weight[known])
    upper = estimate_loss(metric, there.answers, there.weight, there.group)
    plain = estimate_loss(metric, dev.answers, dev.weight, dev.group)
    matched = estimate_loss(metric, dev.answers, weight, dev.group)
    low, high = mover((matched.value, matched.low, matched.high), (upper.value, upper.low, upper.high))
    size = matched.value - upper.value
    return {
        "on": on,
        "dev": {
            "error": matched.value, "low": matched.low, "high": matched.high, "n": int(known.sum()),
            "method": f"{matched.method}, of dev weighted to the class mix of {on}",
        },
        "gap": {"name": "data_mismatch", "size": size, "low": low, "high": high, "method": "MOVER"},
        "mix": plain.value - matched.value,
    }  # fmt: skip


def prevalence_note(matched: Mapping[str, Any] | None, scale: str, *, is_rate: bool) -> tuple[str, ...]:
    """What `match_prevalence` found, in a sentence."""
    if matched is None:
        return ()
    if matched["dev"] is None:
        return ("Dev lacks classes that train-dev has, so the gap between them cannot be split by class mix.",)
    dev, gap = matched["dev"], matched["gap"]
    numbers = choose_numbers([dev["error"], dev["error"] + matched["mix"]], is_rate=is_rate)
    size, low, high = (numbers.bare(gap[name], sign=True) for name in ("size", "low", "high"))
    return (
        f"At the class mix of train-dev, dev would read {scale} = {numbers.value(dev['error'])} instead of "
        f"{numbers.value(dev['error'] + matched['mix'])}: {size} [{low}, {high}] "
        f"{'points ' if is_rate else ''}of the data mismatch are not the mix of classes.",
    )


def _class_mix(part: Predictions) -> Floats:
    answers = part.answers
    known = answers.known
    weight = None if part.weight is None else part.weight[known]
    counts = np.bincount(answers.y_true[known], weight, minlength=len(answers.classes)).astype(np.float64)
    return np.asarray(counts / counts.sum(), dtype=np.float64)
