"""Any metric with its 95 % interval. N examples, K classes, B bootstrap draws.

* error, accuracy, recall, precision, specificity: Wilson on their own examples, at an effective n where there are
  weights or groups.
* Other functions of the confusion matrix: bootstrap of its cells with pseudo-counts, wider by the bias of drawing anew.
* roc_auc, average_precision: Wilson at the effective n that their linearised variance (DeLong's for the area) implies;
  with few groups Student's t on the log odds where that is wider.
* log_loss, brier, mae, mse, rmse, mape, r2: studentised bootstrap, or the expansion that it approximates.

Which one it was, `Estimate.method` says.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.cells import CELL_METRICS
from mlproj.metrics.evidence import Evidence
from mlproj.metrics.intervals import (
    Estimate,
    Units,
    effective_n,
    gather_units,
    t_quantile,
    unit_mean,
    weighted_rate,
    wilson,
)
from mlproj.metrics.losses import MEAN_METRICS, example_losses
from mlproj.metrics.ranking import average_precision_influence, roc_auc_influence
from mlproj.metrics.scores import compute, gather_for
from mlproj.records import Answers

RATE_METRICS = frozenset({"error", "accuracy", "recall", "precision", "specificity"})
"""Metrics that are the share of some examples that are answered so: Wilson's limits hold."""
_DRAWS = 2000
_PSEUDO_COUNTS = 2.0
"""Pseudo-counts in all: ½ for each of the four cells of a binary matrix. The sum is kept when there are more classes:
with ½ for each of 10² cells and 400 examples, simulated 95 % intervals covered half of the time; so, .93 to .97."""
LEAST_FOR_CELLS = 5
"""Examples below which a confusion matrix drawn anew has the same value of mcc or macro figures every time."""
_FEW_GROUPS = 20
"""Groups below which the area under a curve is also judged by Student's t on its log odds."""
_LARGEST_EXPONENT = 300.0
_CHUNK = 2_000_000
_COUNTS = 20_000_000
"""Counts drawn in memory at once, and in all: beyond a hundred classes there are fewer draws, at least a tenth."""
_Limits = tuple[float, float, float, str]


def estimate(
    name: str,
    answers: Answers,
    weight: NDArray[Any] | None = None,
    group: NDArray[Any] | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Value of a metric with its confidence limits.

    Args:
        name: A metric of `metric.optimize`.
        answers: Truth, answers and, where the metric needs them, probabilities.
        weight: Weight of each example (N,).
        group: Group of each example (N,), where examples of a group are no independent witnesses.
        level: Confidence level.
        seed: Seed of the bootstrap over confusion cells.

    Returns:
        The value as `score` gives it, with limits around it in the metric's own direction; limits are infinite where
        nothing bounds them.

    Raises:
        InvalidInput: As `score`.

    Example:
        >>> answers = Answers(np.repeat([0, 1], 50), np.repeat([0, 1, 1], [45, 5, 50]), ("no", "yes"))
        >>> found = estimate("recall", answers)
        >>> found.value, round(found.low, 3), found.high, found.method
        (1.0, 0.929, 1.0, 'Wilson')
    """
    evidence = gather_for(name, answers, weight)
    groups = None if group is None else group[evidence.known]
    value = float(compute(name, evidence))
    if name in RATE_METRICS:
        limits = _rate_limits(name, evidence, groups, level)
    elif name in MEAN_METRICS or name in {"rmse", "r2"}:
        limits = _mean_limits(name, evidence, groups, level)
    elif name in CELL_METRICS:
        limits = _cell_limits(name, evidence, groups, level, seed)
    else:
        limits = _ranking_limits(name, value, evidence, groups, level)
    low, high, n, method = limits
    return Estimate(value, min(low, value), max(high, value), n, method)


def examples_behind(name: str, answers: Answers, weight: NDArray[Any] | None = None) -> int:
    """Number of examples that a metric is read on: for recall the positives, for precision the answers "positive".

    Example:
        >>> examples_behind("recall", Answers(np.array([0, 1, 1]), np.array([1, 1, 1]), ("no", "yes")))
        2
    """
    evidence = gather_for(name, answers, weight)
    rows = _rows_of(name, evidence)
    return int(np.count_nonzero(rows if evidence.weight is None else rows & (evidence.weight > 0)))


def _rows_of(name: str, evidence: Evidence) -> NDArray[np.bool_]:
    asked = {"recall": (evidence.y_true, 1), "specificity": (evidence.y_true, 0), "precision": (evidence.y_pred, 1)}
    if name not in asked:
        return np.ones(len(evidence.y_true), dtype=np.bool_)
    codes, wanted = asked[name]
    return codes == wanted


def _limits(found: Estimate) -> _Limits:
    return found.low, found.high, found.n_effective, found.method


def _rate_limits(name: str, evidence: Evidence, group: NDArray[Any] | None, level: float) -> _Limits:
    rows = _rows_of(name, evidence)
    if evidence.weight is not None:
        rows = rows & (evidence.weight > 0)
    if not rows.any():
        return 0.0, 1.0, 0.0, "none: no example to read it on"
    counted = ((evidence.y_true != evidence.y_pred) == (name == "error"))[rows].astype(np.float64)
    weight, groups = (None if values is None else values[rows] for values in (evidence.weight, group))
    return _limits(weighted_rate(counted, weight, groups, level))


def _mean_limits(name: str, evidence: Evidence, group: NDArray[Any] | None, level: float) -> _Limits:
    base = "mse" if name in {"rmse", "r2"} else name
    losses = example_losses(base, evidence.y_true, evidence.y_pred, evidence.p)
    units = gather_units(losses, evidence.weight, group)
    if name == "r2":
        return _explained_limits(units, evidence, group, level)
    low, high, n, method = _limits(unit_mean(units, level))
    if name == "brier":  # no answer can lose more
        high = min(high, 1.0 if evidence.n_classes == 2 else 2.0)
    return (math.sqrt(low), math.sqrt(high), n, method) if name == "rmse" else (low, high, n, method)


def _explained_limits(residual: Units, evidence: Evidence, group: NDArray[Any] | None, level: float) -> _Limits:
    """r2 = 1 − Σ w(y − ŷ)² / Σ w(y − ȳ)²: a ratio of sums over the same units, as a weighted mean is one."""
    centre = np.average(evidence.y_true, weights=evidence.weight)
    spread = gather_units((evidence.y_true - centre) ** 2, evidence.weight, group)
    if len(residual) < 2 or spread.loss.sum() <= 0:
        return -math.inf, 1.0, 0.0, "none: the labels do not vary"
    unexplained = Units(residual.loss, spread.loss, residual.n, residual.n_kish, residual.grouped)
    low, high, n, method = _limits(unit_mean(unexplained, level))
    return 1 - high, 1 - low, n, method


def _cell_limits(name: str, evidence: Evidence, group: NDArray[Any] | None, level: float, seed: int) -> _Limits:
    """Pseudo-count bootstrap: cells with a little added, drawn anew as a multinomial at the effective n."""
    wrong = (evidence.y_true != evidence.y_pred).astype(np.float64)
    n = effective_n(gather_units(wrong, evidence.weight, group), level)
    if n < LEAST_FOR_CELLS:
        return _least(name), 1.0, n, f"none: fewer than {LEAST_FOR_CELLS} examples bound nothing"
    occurring = np.flatnonzero(evidence.present)
    if len(occurring) < 2:
        occurring = np.arange(evidence.n_classes)
    cells = evidence.cells[np.ix_(occurring, occurring)]
    share = (cells / cells.sum() * n + _PSEUDO_COUNTS / cells.size).ravel()
    rng = np.random.default_rng(seed)
    n_draws = max(_DRAWS // 10, min(_DRAWS, _COUNTS // cells.size))
    values, step = [], max(1, _CHUNK // cells.size)
    for start in range(0, n_draws, step):
        size = min(step, n_draws - start)
        draws = rng.multinomial(max(round(n), 1), share / share.sum(), size).reshape(size, *cells.shape)
        values.append(CELL_METRICS[name](draws, draws.sum(-1) + draws.sum(-2) > 0))
    drawn = np.concatenate(values)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]).tolist()
    # drawing anew loses rare classes, as the sample itself did: what that moves the mean, the truth may lie beyond
    bias = float(CELL_METRICS[name](share.reshape(cells.shape), np.ones(len(cells), dtype=np.bool_)) - drawn.mean())
    low, high = min(low, max(low + 2 * bias, _least(name))), max(high, min(high + 2 * bias, 1.0))
    return low, high, n, f"bootstrap of the confusion matrix, {n_draws:,} draws"


def _least(name: str) -> float:
    return -1.0 if name == "mcc" else 0.0


def _ranking_limits(name: str, value: float, evidence: Evidence, group: NDArray[Any] | None, level: float) -> _Limits:
    """Wilson at p(1 − p)/variance examples, but no more than two per example of the rarer class.

    Without that cap a lucky order of five positives among a hundred examples passed for certain: simulated coverage
    .77, with it .98.
    """
    weight = np.ones(len(evidence.y_true)) if evidence.weight is None else evidence.weight
    influence = roc_auc_influence if name == "roc_auc" else average_precision_influence
    moves, rarer = [], []
    for k in [1] if evidence.n_classes == 2 else range(evidence.n_classes):
        truth = (evidence.y_true == k).astype(np.int8)
        rarer_n = min(_kish(weight[truth == side]) for side in (0, 1))
        if rarer_n > 0:
            moves.append(influence(truth, evidence.scores_of(k), weight))
            rarer.append(rarer_n)
    if not moves:
        return 0.0, 1.0, 0.0, "none: only one class was seen"
    # the linearised metric written as a mean, so that weights and groups are handled as in any other mean
    share = np.divide(weight, weight.sum())
    linear = value + np.divide(np.mean(moves, axis=0), share, out=np.zeros(len(share)), where=share > 0)
    units = gather_units(linear, weight, group)
    n = min(effective_n(units, level), len(rarer) ** 2 / float(np.sum(0.5 / np.array(rarer))))
    if 0 < value < 1 and 0 < units.variance < math.inf:
        n = min(n, value * (1 - value) / units.variance)
    low, high = wilson(min(max(value, 0.0), 1.0), n, level)
    if group is not None and 0 < value < 1 and 2 <= len(units) < _FEW_GROUPS:
        # with few groups that differ in difficulty Wilson alone covered .89 to .91, the wider of both .92 to .97
        odds = value / (1 - value)
        error = math.sqrt(units.variance) / (value * (1 - value))
        reach = math.exp(min(t_quantile(len(units) - 1, level) * error, _LARGEST_EXPONENT))
        low, high = min(low, odds / (odds + reach)), max(high, odds * reach / (1 + odds * reach))
        return low, high, n, f"Wilson, effective n {n:.0f}, or Student's t on the log odds, {len(units)} groups"
    return low, high, n, f"Wilson, effective n {n:.0f}"


def _kish(weight: NDArray[Any]) -> float:
    return float(weight.sum() ** 2 / np.square(weight).sum()) if weight.any() else 0.0
