"""Whether the two best of a search can be told apart, in one line.

The contract speaks first, then the seeds of the finalists where there are several, else the two trials' answers to the
same dev examples. That the two were picked as the best of many needs no correction: a two-sided test of the winner
against the runner-up errs no more often than it says (Hung & Fithian 2019).
"""

from collections.abc import Sequence
from math import isfinite
from statistics import fmean
from typing import Any

import numpy as np

from mlproj.diagnose.rungs import is_rate
from mlproj.diagnose.words import choose_numbers
from mlproj.metrics import Paired, paired_difference
from mlproj.metrics.evidence import PROBABILITY_METRICS
from mlproj.metrics.limits import Limits, violation
from mlproj.metrics.seeds import over_seeds
from mlproj.records import Predictions
from mlproj.searching.matrix import Matrix
from mlproj.searching.trials import Trial
from mlproj.spec.goal import LOSSES


def verdict(
    first: Trial,
    second: Trial | None,
    *,
    optimize: str,
    satisfy: Limits,
    matrix: Matrix | None = None,
    seeds: tuple[Sequence[float], Sequence[float]] | None = None,
) -> dict[str, Any]:
    """Whether the best trial and the next can be told apart.

    Over seeds the variance is Welch's plus that of the paired difference over dev examples, which no number of seeds
    makes smaller; without answers on dev it is Welch's alone.

    Args:
        first: The best; of a finalist that was trained with several seeds the metrics are means.
        second: The next best, or None.
        optimize: The metric to optimise.
        satisfy: Limits by metric.
        matrix: Answers on dev.
        seeds: Values of `optimize` for each seed of the two, where both were trained with several.

    Returns:
        JSON-ready: `first`, `second` (numbers), `metric`; `by` (contract, seeds, examples or none); `apart` (null where
        that is not the question); `ahead` (`value`, `low`, `high`: by how much the first is better, whichever way the
        metric points); `n`, the dev examples behind it; `text`, the line to show.
    """
    found: dict[str, Any] = {"first": first.number, "second": None if second is None else second.number}
    found |= {"metric": optimize, "by": "none", "apart": None, "ahead": None, "n": None}
    if told := _by_contract(first, second, satisfy):
        return found | told
    if second is None:
        return found | {"text": f"Trial {first.number} is the only one, so there is nothing to compare it with."}
    pair = _answers_of(matrix, first, second)
    compared = None if pair is None else paired_predictions(*pair, optimize)
    known = [[value for value in values if isfinite(value)] for values in seeds or ((), ())]
    if min(map(len, known)) > 1:
        return found | _by_seeds(first, second, optimize, known, compared)
    if pair is None or compared is None:
        return found | {"text": f"{_both(first, second)} cannot be compared: their answers on dev were not kept."}
    return found | _by_examples(first, second, optimize, compared, is_same=_is_same(*pair, optimize))


def paired_predictions(first: Predictions, second: Predictions, metric: str) -> Paired:
    """The difference of two models on the examples of one file, with its weights and groups.

    Args:
        first: Predictions of one model.
        second: Predictions of the other for the same examples.
        metric: A metric of `metric.optimize`.
    """
    return paired_difference(first.labels, second.labels, metric, weight=first.weight, group=first.group)


def _by_contract(first: Trial, second: Trial | None, satisfy: Limits) -> dict[str, Any] | None:
    if missed := _missed(first, satisfy):
        return {"by": "contract", "text": f"No trial meets every limit; trial {first.number} comes nearest: {missed}."}
    if second is not None and (missed := _missed(second, satisfy)):
        text = f"Trial {first.number} meets every limit; trial {second.number}, the next, does not: {missed}."
        return {"by": "contract", "text": text}
    return None


def _missed(trial: Trial, satisfy: Limits) -> str:
    """The limits that a trial misses, in words; empty when it meets all."""
    words = []
    for name, limit in satisfy.items():
        value = trial.metrics.get(name)
        if value is None:
            words.append(f"{name} was not measured (limit {limit})")
        elif violation(value, limit):
            words.append(f"{name} {value:.4g} (limit {limit})")
    return ", ".join(words)


def _answers_of(matrix: Matrix | None, first: Trial, second: Trial) -> tuple[Predictions, Predictions] | None:
    if matrix is None or first.number not in matrix or second.number not in matrix:
        return None
    pair = matrix.predictions(first.number), matrix.predictions(second.number)
    return pair if any(answers.known.any() for answers in pair[0].labels.values()) else None


def _is_same(first: Predictions, second: Predictions, metric: str) -> bool:
    """Whether two models give the same answers, as far as the metric looks."""
    return metric not in PROBABILITY_METRICS and all(
        np.array_equal(answers.y_pred, second.labels[label].y_pred) for label, answers in first.labels.items()
    )


def _by_examples(first: Trial, second: Trial, metric: str, compared: Paired, *, is_same: bool) -> dict[str, Any]:
    where = f"on {compared.n:,} dev examples"
    if is_same:
        text = f"{_both(first, second)} cannot be told apart: they give the same answers {where}."
        return _told("examples", metric, compared, text)
    return _told("examples", metric, compared, _line(first, second, metric, compared, where))


def _by_seeds(
    first: Trial, second: Trial, metric: str, seeds: Sequence[Sequence[float]], compared: Paired | None
) -> dict[str, Any]:
    found = over_seeds(seeds[0], seeds[1], compared)
    n = found.n
    counts = sorted({len(values) for values in seeds})
    where = f"over {' and '.join(map(str, counts))} seeds" + (f" and {n:,} dev examples" if n else "")
    told = _told("seeds", metric, found, _line(first, second, metric, found, where, (fmean(seeds[0]), fmean(seeds[1]))))
    return told | {"n": n or None}


def _told(by: str, metric: str, found: Paired, text: str) -> dict[str, Any]:
    value, low, high = _ahead(metric, found)
    ahead = {name: number if isfinite(number) else None for name, number in (("value", value), ("low", low))}
    ahead["high"] = high if isfinite(high) else None
    return {"by": by, "apart": low > 0 or high < 0, "ahead": ahead, "n": found.n, "text": text}


def _ahead(metric: str, found: Paired) -> tuple[float, float, float]:
    """By how much the first is better, with limits."""
    if metric in LOSSES:
        return 0.0 - found.value, 0.0 - found.high, 0.0 - found.low  # no -0.0
    return found.value, found.low, found.high


def _line(
    first: Trial,
    second: Trial,
    metric: str,
    found: Paired,
    where: str,
    means: tuple[float, float] | None = None,
) -> str:
    value, low, high = _ahead(metric, found)
    if not isfinite(value):
        return f"{_both(first, second)} cannot be compared: {metric} is not a number {where}."
    numbers = choose_numbers([abs(limit) for limit in (value, low, high) if isfinite(limit)], is_rate=is_rate(metric))
    values = means or tuple(trial.metrics.get(metric, float("nan")) for trial in (first, second))
    shown = " and ".join(numbers.value(each) for each in values)
    limits = f"{numbers.bare(low)} to {numbers.bare(high)}"
    size = f"{'mean ' if means else ''}{metric} {shown}, a difference of {numbers.difference(value)} ({limits})"
    if low > 0 or high < 0:
        which = "better" if low > 0 else "worse"
        return f"Trial {first.number} is {which} than trial {second.number} {where}: {size}."
    return f"{_both(first, second)} cannot be told apart {where}: {size}."


def _both(first: Trial, second: Trial) -> str:
    return f"Trial {first.number} and trial {second.number}"
