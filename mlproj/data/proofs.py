"""What has to be read on dev to prove each limit of `metric.satisfy`, said before anything is trained. N examples.

A limit is met only when the bad end of the interval meets it, so even a model without a single error proves no more
than the examples allow: 38 of 38 positives found is a recall of at least 0.91.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import ceil, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.data.hygiene import Finding
from mlproj.data.sizes import plan_proof
from mlproj.metrics import estimate, promises
from mlproj.metrics.estimates import RATE_METRICS
from mlproj.metrics.evidence import RESOURCES
from mlproj.metrics.intervals import wilson
from mlproj.metrics.limits import Limits
from mlproj.metrics.losses import MEAN_METRICS
from mlproj.records import Answers
from mlproj.spec.goal import LOSSES, parse_limit

_BY_SPREAD = (MEAN_METRICS - RATE_METRICS) | {"rmse", "r2"}
"""Metrics whose interval follows how the losses spread, which nobody knows before there is a model."""


def find_proofs(
    satisfy: Limits,
    dev: Mapping[str, Answers],
    weight: NDArray[Any] | None = None,
    group: NDArray[Any] | None = None,
) -> list[Finding]:
    """What proves each limit on dev, or that nothing can.

    Args:
        satisfy: Limits by metric.
        dev: The truth of dev by label; what is answered there does not matter.
        weight: Weight of each example (N,), or None.
        group: Group of each example (N,), or None.

    Returns:
        A finding per limit; none for what is measured on the machine, nor for a limit that points the easy way, such as
        a recall of at most 0.9.
    """
    flawless = {label: _flawless(answers) for label, answers in dev.items()}
    known = {label: answers for label, answers in flawless.items() if answers.known.any()}
    findings = []
    for name, limit in satisfy.items():
        text = f"{name} {limit}"
        if name in RESOURCES or not known or parse_limit(limit)[0].startswith("<") != (name in LOSSES):
            continue
        if name in _BY_SPREAD:
            what = "how many examples prove it depends on how the model's errors spread"
            findings.append(_note(f"{text}: {what}; after training `mlproj check-metric` tells."))
        elif name in RATE_METRICS and len(dev) == 1:
            findings.append(_describe_share(name, limit, next(iter(known.values())), weight, group))
        else:
            findings.append(_describe_best(name, limit, known, weight, group))
    return findings


def describe_proof(promise: str, right: float, n: int, of: str, *, strict: bool = False, n_dev: int = 0) -> Finding:
    """What must be read on dev to prove a satisficing rate.

    Args:
        promise: The metric and its limit.
        right: The limit as a rate of right answers.
        n: Examples of dev that it is a rate of.
        of: What they are called.
        strict: Whether the rate has to exceed the limit.
        n_dev: Examples of dev in all, where `n` is a part of them.

    Example:
        >>> print(describe_proof("recall >= 0.95", 0.95, 38, "positives", n_dev=500).text)
        recall >= 0.95 with 38 positives on dev: even with all 38 right only 0.908 is proved; it takes at least 73, all
        right: grow dev to about 961 examples.
    """
    proof = plan_proof(right, n, strict=strict)
    head = f"{promise} with {n:,} {of} on dev"
    if proof.least is None:
        return Finding("unprovable", f"{head}: a limit of 100 % is proved by no number.")
    if proof.misses < 0:
        all_right = f"even with all {n:,} right only {_bound(promise, wilson(1.0, n)[0])} is proved; " if n else ""
        grow = f"grow dev to about {ceil(n_dev * proof.least / n):,} examples" if n and n_dev else "make dev larger"
        return Finding("unprovable", f"{head}: {all_right}it takes at least {proof.least:,}, all right: {grow}.")
    wrong = f"at most {proof.misses:,} of them wrong" if proof.misses else "all of them right"
    return Finding("proof", f"{head}: {wrong} proves it (fewest that can: {proof.least:,}).", is_warning=False)


def _bound(promise: str, right: float) -> str:
    """A proved share of right answers, as the metric counts it; rounded so that it claims no more."""
    floor = np.floor(right * 1000) / 1000
    return f"{1 - floor:.3f}" if promise.startswith("error") else f"{floor:.3f}"


def _describe_share(
    name: str, limit: str, flawless: Answers, weight: NDArray[Any] | None, group: NDArray[Any] | None
) -> Finding:
    """A share of some examples: how many wrong answers it bears."""
    operator, bound = parse_limit(limit)
    right, strict = (1 - bound if name == "error" else bound), len(operator) == 1
    n_dev = int(flawless.known.sum())
    n, of = _count(name, flawless)
    promise = f"{name} {limit}"
    found = describe_proof(promise, right, n, of, strict=strict, n_dev=n_dev)
    if (weight is None and group is None) or not n or found.code == "unprovable":
        return found
    effective = estimate(name, flawless, weight, group).n_effective
    if effective > n - 0.5:
        return found
    alike = "weighted" if group is None else "grouped"
    told = f"{promise} with {n:,} {of} on dev, which {alike} as they are tell as much as {effective:.0f}"
    if plan_proof(right, int(effective), strict=strict).misses < 0:
        least = plan_proof(right, n, strict=strict).least or n
        grow = f"grow dev to about {ceil(n_dev * least / effective):,} examples"
        proved = _bound(name, wilson(1.0, effective)[0])
        return Finding("unprovable", f"{told}: even with all right only {proved} is proved: {grow}.")
    return _note(f"{told}: all of them right proves it; how many wrong ones it bears depends on which.")


def _describe_best(
    name: str, limit: str, flawless: Mapping[str, Answers], weight: NDArray[Any] | None, group: NDArray[Any] | None
) -> Finding:
    """Any other metric: what a model without a single error would prove."""
    (best,) = promises({name: limit}, flawless, weight, group)
    bad = best.high if name in LOSSES else best.low
    if bad is None or not isfinite(best.value):
        return Finding("unprovable", f"{name} {limit}: it is undefined on dev, which may lack a class.")
    if best.status == "met":
        return _note(f"{name} {limit}: a model without a single error on dev would prove {bad:.3f}.")
    said = f"{name} {limit}: even a model without a single error on dev proves only {bad:.3f}"
    _, bound = parse_limit(limit)
    short, missed = (bound, bad) if name in LOSSES else (1 - bound, 1 - bad)
    if short <= 0:
        return Finding("unprovable", f"{said}; a limit without any slack is proved by no number.")
    n = max(int(answers.known.sum()) for answers in flawless.values())
    # flawless, the distance to the bad end is z²/(n + z²) in every metric of shares, at some effective n
    larger = ceil(n * (1 / short - 1) / (1 / missed - 1))
    return Finding("unprovable", f"{said}: grow dev to about {larger:,} examples.")


def _flawless(answers: Answers) -> Answers:
    """The answers of a model that is always right and sure."""
    if not answers.is_classification:
        return replace(answers, y_pred=np.nan_to_num(answers.y_true))
    right = np.maximum(answers.y_true, 0)
    return replace(answers, y_pred=right, p=np.eye(len(answers.classes))[right])


def _count(name: str, answers: Answers) -> tuple[int, str]:
    """How many examples a rate is of when nothing is answered wrong, and what they are called."""
    truth = answers.y_true[answers.known]
    if name in ("error", "accuracy"):
        return len(truth), "examples"
    code = 0 if name == "specificity" else 1
    of = f"examples of {answers.classes[code]!r}"
    if name == "precision":  # nobody knows beforehand how often the model will say so
        of = f"answers {answers.classes[code]!r}, as many as there are such examples,"
    return int((truth == code).sum()), of


def _note(text: str) -> Finding:
    return Finding("proof", text, is_warning=False)
