"""Why the error differs: inputs that were seen, inputs never seen, or other answers to the same inputs. N examples.

Cai, Namkoong & Yadlowsky (arXiv 2303.02011) compare two sets on a third distribution that both cover: with q the
probability that an input comes from the second set, its density is that of the first set weighted by q, and equally
that of the second weighted by 1 − q. The gap is then exactly

* mean loss of the first set on the shared inputs minus on its own: shared inputs that are harder;
* loss of the second set minus that of the first on the shared inputs: other answers to the same inputs;
* mean loss of the second set on its own inputs minus on the shared ones: inputs that the first set does not hold.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.mismatch.parts import N_DRAWS, Term, find_units, sqrt_of_t
from mlproj.metrics.intervals import Floats

LEAST_OVERLAP = 50
"""Examples' worth of overlap that each set needs for the split to mean anything."""
_SEED = 20_230_303


@dataclass(frozen=True)
class SplitShift:
    """The gap in three terms that add up to it; None each where the sets do not overlap.

    Attributes:
        gap: Mean loss of the second set minus that of the first.
        harder: Inputs that both sets hold, but the harder ones more often in the second.
        answers: Other losses on the same inputs: what the label means differs, or something that is no feature.
        unseen: Inputs that the first set hardly holds.
        overlap: Examples' worth of overlap in the first and the second set.
        n: Examples of both sets.
        method: How it was computed.
    """

    gap: float
    harder: Term | None
    answers: Term | None
    unseen: Term | None
    overlap: tuple[float, float]
    n: tuple[int, int]
    method: str

    @property
    def is_split(self) -> bool:
        """Whether the sets overlap enough to split the gap."""
        return self.harder is not None


def calibrate(score: Floats, is_b: NDArray[np.bool_]) -> Floats:
    """Probabilities (N,) of the second set, both sets weighing the same, from scores not fitted on these examples.

    Platt (1999): a logistic regression on the log-odds of the score. A score that says nothing comes out as ½.
    """
    x = np.log(np.clip(score, 1e-6, 1 - 1e-6) / np.clip(1 - score, 1e-6, 1 - 1e-6))
    weight = np.where(is_b, 0.5 / max(is_b.sum(), 1), 0.5 / max((~is_b).sum(), 1)) * len(is_b)
    # Platt's targets: with n examples no probability is surer than (n + 1)/(n + 2)
    target = np.where(is_b, (is_b.sum() + 1) / (is_b.sum() + 2), 1 / ((~is_b).sum() + 2))
    slope, intercept = 1.0, 0.0
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(slope * x + intercept, -35, 35)))
        curve = weight * np.maximum(p * (1 - p), 1e-9)
        gradient = np.array([(weight * (p - target) * x).sum() + 1e-6 * slope, (weight * (p - target)).sum()])
        hessian = np.array([[(curve * x * x).sum() + 1e-6, (curve * x).sum()], [(curve * x).sum(), curve.sum() + 1e-9]])
        step = np.linalg.solve(hessian, gradient)
        slope, intercept = slope - step[0], intercept - step[1]
        if np.abs(step).max() < 1e-8:
            break
    slope = max(slope, 0.0)  # a score that ranks the wrong way round on new examples says nothing
    return np.asarray(1 / (1 + np.exp(-np.clip(slope * x + (intercept if slope else 0.0), -35, 35))), dtype=np.float64)


def split_shift(
    loss_a: Floats,
    q_a: Floats,
    loss_b: Floats,
    q_b: Floats,
    *,
    weights: tuple[Floats | None, Floats | None] = (None, None),
    groups: tuple[NDArray[Any] | None, NDArray[Any] | None] = (None, None),
) -> SplitShift:
    """Splits the gap between the mean losses of two sets by what shifted.

    Args:
        loss_a: Loss of each example of the first set (N,).
        q_a: Calibrated probability that its input comes from the second set (N,).
        loss_b: Likewise of the second set.
        q_b: Likewise.
        weights: Weights of the examples of both sets in the metric.
        groups: Groups of the examples of both sets, drawn as a whole.

    Returns:
        The three terms with intervals: Bayesian bootstrap over the examples of both sets, the probabilities held fixed.
    """
    w_a, w_b = (np.ones(len(x)) if w is None else w for x, w in zip((loss_a, loss_b), weights, strict=True))
    sides = [_sums(loss_a, w_a, w_a * q_a, groups[0]), _sums(loss_b, w_b, w_b * (1 - q_b), groups[1])]
    overlap = (_overlap(w_a, q_a, groups[0]), _overlap(w_b, 1 - q_b, groups[1]))
    seen = _terms(*(side.sum(axis=0)[None] for side in sides))
    method = f"DISDE, probabilities of {len(loss_a) + len(loss_b):,} examples cross-fitted and calibrated"
    n = (len(loss_a), len(loss_b))
    gap = float(sum(term[0] for term in seen))
    if min(overlap) < LEAST_OVERLAP:
        return SplitShift(gap, None, None, None, overlap, n, method)
    rng = np.random.default_rng(_SEED)
    drawn = _terms(*(_draw(side, rng) for side in sides))
    widen = sqrt_of_t(min(len(side) for side in sides), rng)
    harder, answers, unseen = (_as_term(float(s[0]), d, widen) for s, d in zip(seen, drawn, strict=True))
    return SplitShift(gap, harder, answers, unseen, overlap, n, f"{method}; Bayesian bootstrap, {N_DRAWS} draws")


def _overlap(weight: Floats, share: Floats, group: NDArray[Any] | None) -> float:
    """Examples' worth of overlap: Kish's effective number of the weights, and at most twice their sum.

    Kish's number alone is blind to weights that are all equally small, which is what separate sets have.
    """
    total = weight * share
    units = total if group is None else np.bincount(np.unique(group, return_inverse=True)[1], total)
    if not total.sum() > 0:
        return 0.0
    kish = float(units.sum() ** 2 / np.square(units).sum())
    return min(kish, 2 * float(total.sum() / weight.sum()) * len(units))


def _sums(loss: Floats, own: Floats, shared: Floats, group: NDArray[Any] | None) -> Floats:
    """Weights and weighted losses of each unit, on the set's own inputs and on the shared ones (U, 4)."""
    rows = np.column_stack([own, own * loss, shared, shared * loss])
    unit = find_units(len(loss), group)
    return np.column_stack([np.bincount(unit, column) for column in rows.T]).astype(np.float64)


def _terms(a: Floats, b: Floats) -> tuple[Floats, Floats, Floats]:
    """Harder, answers and unseen from the sums of both sets (D, 4)."""
    own_a, shared_a, own_b, shared_b = a[:, 1] / a[:, 0], a[:, 3] / a[:, 2], b[:, 1] / b[:, 0], b[:, 3] / b[:, 2]
    return shared_a - own_a, shared_b - shared_a, own_b - shared_b


def _draw(units: Floats, rng: np.random.Generator) -> Floats:
    """Sums (D, 4) of the units, each weighing what a Dirichlet draw says."""
    return np.asarray(rng.standard_exponential((N_DRAWS, len(units))) @ units, dtype=np.float64)


def _as_term(value: float, drawn: Floats, widen: Floats) -> Term:
    low, high = np.quantile(value + (drawn - value) * widen, [0.025, 0.975])
    return Term(value, min(float(low), value), max(float(high), value))
