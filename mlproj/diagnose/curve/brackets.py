"""What can be said without any fit: the halving probe, the bound by the common asymptote, and what forbids a target."""

import numpy as np

from mlproj.diagnose.curve.curve import Curve, between
from mlproj.diagnose.curve.shape import falls_somewhere
from mlproj.metrics.intervals import mover
from mlproj.records import Probe

_NEAREST, _FARTHEST = 1.6, 2.5


def halving_probe(curve: Curve) -> Probe | None:
    """What the last doubling gained, paired over dev examples, and what the next one may.

    Under e(n) = c + a n^-b with 0 < b ≤ 1 a doubling gains 2^-b times what the one before gained, whatever c: between
    half of it and all of it.

    Args:
        curve: The dev curve.

    Returns:
        None without a size between 1/2.5 and 1/1.6 of the largest.
    """
    last = len(curve) - 1
    near = [k for k in range(last) if _NEAREST <= curve.sizes[last] / curve.sizes[k] <= _FARTHEST]
    if not near or not curve.degrees:
        return None
    k = min(near, key=lambda at: abs(np.log2(curve.sizes[last] / curve.sizes[at]) - 1))
    gain = curve.contrast(between(curve, k, last))
    # a loss may go on as well: half of a negative limit would be too kind
    low = gain[1] / 2 if gain[1] > 0 else gain[1]
    return Probe(round(float(curve.sizes[k])), gain, (low, max(gain[2], 0.0)))


def most_gain(held_out: Curve, train: Curve | None) -> tuple[float, float, float] | None:
    """The gap to the training error, which bounds what more data can gain, with 95 % limits.

    More data of the same kind can lower the error at most to about the asymptote that it shares with the training
    error; while that one does not fall, the asymptote is not below it.

    Args:
        held_out: The train-dev curve, or the dev curve where there is one distribution.
        train: The training curve.

    Returns:
        None where the training error falls with more data, or is not known.
    """
    if train is None or not held_out.degrees or not train.degrees or train_falls(train):
        return None
    upper = (float(held_out.mean[-1]), *held_out.bands()[-1])
    lower = (float(train.mean[-1]), *train.bands()[-1])
    low, high = mover(upper, lower)
    return upper[0] - lower[0], low, high


def train_falls(train: Curve) -> bool:
    """Whether the training error falls with more data: significantly somewhere, or from first to last by its value."""
    return bool(train.mean[-1] < train.mean[0] - 1e-12) or falls_somewhere(train)


def training_error_forbids(train: Curve | None, target: float) -> bool:
    """Whether more data cannot reach a target, because the training error is surely above it and does not fall."""
    if train is None or not train.degrees or train_falls(train):
        return False
    return train.bands()[-1][0] > target
