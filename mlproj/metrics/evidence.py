"""What metrics are computed from: answers that were checked, without the examples that have no label.

M models, N examples, K classes. Answers may carry leading axes, `y_pred` (…, N) and `p` (…, N, K), to one truth (N,).
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InvalidInput, Problem
from mlproj.metrics.cells import count_cells
from mlproj.records import Answers
from mlproj.spec.goal import CLASSIFICATION_METRICS, POSITIVE_CLASS_METRICS, REGRESSION_METRICS, Resource

RESOURCES: tuple[str, ...] = get_args(Resource)
"""Limits that are measured on the machine, not computed from answers."""
PROBABILITY_METRICS = frozenset({"roc_auc", "average_precision", "log_loss", "brier"})
"""Metrics that need probabilities."""
_ONE_CLASS_TWINS = {"average_precision": "roc_auc"}
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Evidence:
    """Checked answers with known labels.

    Attributes:
        y_true: Truth (N,).
        y_pred: Answers (…, N).
        n_classes: K; 0 for regression.
        p: Probabilities (…, N, K), or None.
        weight: Weights (N,), or None when all weigh 1.
        known: Mask of these examples among all that were handed in.
    """

    y_true: NDArray[Any]
    y_pred: NDArray[Any]
    n_classes: int
    p: NDArray[Any] | None
    weight: NDArray[Any] | None
    known: NDArray[np.bool_]

    @cached_property
    def cells(self) -> NDArray[np.float64]:
        """Confusion counts (…, K, K), by weight."""
        return count_cells(self.y_true, self.y_pred, self.n_classes, self.weight)

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Classes that occur in the truth or among the answers (…, K), as in scikit-learn even with weight 0."""
        counts = self.cells if self.weight is None else count_cells(self.y_true, self.y_pred, self.n_classes, None)
        return counts.sum(-1) + counts.sum(-2) > 0

    def scores_of(self, k: int) -> NDArray[Any]:
        """Probability of class `k` (…, N)."""
        assert self.p is not None
        return self.p[..., k]


def metric_problem(name: str, classes: Sequence[str], *, has_p: bool = True) -> Problem | None:
    """Why a metric cannot be computed for a label, or None when it can.

    Args:
        name: The metric.
        classes: Class names of the label; none for regression.
        has_p: Whether probabilities are known.

    Example:
        >>> print(metric_problem("f1", ("cat", "cow", "dog")))
        metric: f1 speaks of one positive class, but the label has 3: cat, cow, dog
          Ask for `f1_macro`, the mean over the classes.
    """
    suited = CLASSIFICATION_METRICS if classes else REGRESSION_METRICS
    if name not in CLASSIFICATION_METRICS + REGRESSION_METRICS:
        return _unknown_metric(name, suited)
    if name not in suited:
        kind, other = ("classes", "regression") if classes else ("numbers", "classification")
        return Problem("metric", f"{name} is a {other} metric, but the answers are {kind}", f"Use {_listed(suited)}.")
    if name in POSITIVE_CLASS_METRICS and len(classes) != 2:
        shown = ", ".join(classes[:6]) + (", …" if len(classes) > 6 else "")
        twin = _ONE_CLASS_TWINS.get(name, f"{name}_macro")
        message = f"{name} speaks of one positive class, but the label has {len(classes)}: {shown}"
        return Problem("metric", message, f"Ask for `{twin}`, the mean over the classes.")
    if name in PROBABILITY_METRICS and not has_p:
        message = f"{name} is computed from probabilities, but only answers are known"
        return Problem(
            "metric", message, "Add the columns p_<class>, or ask for a metric of the answers such as error."
        )
    return None


def gather(name: str, answers: Answers, weight: NDArray[Any] | None = None) -> Evidence:
    """Check answers and leave out the examples without a label.

    Args:
        name: What they are gathered for, a metric or ``confusion``; named in messages.
        answers: Truth (N,), answers (…, N) and, where known, probabilities (…, N, K).
        weight: Weights (N,), at least 0.

    Raises:
        InvalidInput: When nothing can be computed from them, with every reason at once.
    """
    n = answers.y_true.shape[-1] if answers.y_true.ndim == 1 else -1
    problems = [Problem(name, *text) for text in _shape_problems(n, answers, weight)]
    if problems:
        raise InvalidInput(problems)
    known = answers.known
    if not known.any():
        raise InvalidInput([Problem(name, f"none of {n} examples has a label to compare with", "Bring y_true.")])
    rows = slice(None) if known.all() else known
    p = None if answers.p is None else answers.p[..., rows, :]
    w = None if weight is None else np.asarray(weight, dtype=np.float64)[rows]
    evidence = Evidence(answers.y_true[rows], answers.y_pred[..., rows], len(answers.classes), p, w, known)
    problems = [Problem(name, *text) for text in _value_problems(evidence)]
    if problems:
        raise InvalidInput(problems)
    return evidence


def _shape_problems(n: int, answers: Answers, weight: NDArray[Any] | None) -> list[tuple[str, str]]:
    if n < 0:
        return [(f"y_true has shape {answers.y_true.shape}; it must be one truth per example", "")]
    found = []
    if answers.y_pred.ndim < 1 or answers.y_pred.shape[-1] != n:
        found.append((f"{n} labels but answers of shape {answers.y_pred.shape}", "Bring one answer per example."))
    expected = (*answers.y_pred.shape, len(answers.classes))
    if answers.p is not None and answers.p.shape != expected:
        found.append((f"probabilities of shape {answers.p.shape} instead of {expected}", "Bring one per class."))
    if weight is not None and weight.shape != (n,):
        found.append((f"{n} examples but weights of shape {weight.shape}", "Bring one weight per example."))
    return found


def _value_problems(evidence: Evidence) -> list[tuple[str, str]]:
    found = []
    if evidence.n_classes:
        for what, codes in (("labels", evidence.y_true), ("answers", evidence.y_pred)):
            if codes.min() < 0 or codes.max() >= evidence.n_classes:
                found.append((f"{what} lie outside the {evidence.n_classes} classes (positions from 0)", ""))
    elif not (np.isfinite(evidence.y_true).all() and np.isfinite(evidence.y_pred).all()):
        bad = _count_bad(evidence.y_true) + _count_bad(evidence.y_pred)
        found.append((f"{bad} labels or answers are not finite", "Perhaps the training diverged."))
    if evidence.p is not None:
        found += _probability_problems(evidence.p)
    if evidence.weight is not None:
        found += _weight_problems(evidence.weight)
    return found


def _probability_problems(p: NDArray[Any]) -> list[tuple[str, str]]:
    low, high = p.min(), p.max()
    if np.isnan(low) or np.isnan(high):
        return [(f"{int(np.isnan(p).any(-1).sum())} examples have a missing probability", "Fill or drop those rows.")]
    if low < -_TOLERANCE or high > 1 + _TOLERANCE:
        return [(f"probabilities run from {low:.6g} to {high:.6g}, outside 0 to 1", "Bring probabilities, not scores.")]
    return []


def _weight_problems(weight: NDArray[Any]) -> list[tuple[str, str]]:
    if not np.isfinite(weight).all():
        return [(f"{_count_bad(weight)} weights are missing or infinite", "Give every example a finite weight.")]
    if weight.min() < 0:
        return [(f"the smallest weight is {weight.min():.6g}; weights are at least 0", "")]
    return [] if weight.any() else [("every labelled example has weight 0", "Give at least one a weight above 0.")]


def _count_bad(values: NDArray[Any]) -> int:
    return int((~np.isfinite(values)).sum())


def _unknown_metric(name: str, suited: Sequence[str]) -> Problem:
    if name in RESOURCES:
        return Problem("metric", f"{name} is measured when a model is trained; answers do not tell it")
    near = difflib.get_close_matches(name, suited, n=1)
    hint = f"Did you mean `{near[0]}`?" if near else f"Use {_listed(suited)}."
    return Problem("metric", f"{name!r} is not a metric", hint)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " or " + names[-1]
