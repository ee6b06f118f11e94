"""Rungs as random quantities: each with its value, its 95 % interval and draws of what it may be. N examples, D draws.

A rung is measured from predictions (`measure`) or given by hand (`take`)::

    dev = measure("dev", predictions.part("dev"), "error")
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from types import MappingProxyType
from typing import Literal

import numpy as np

from mlproj.diagnose.draws import N_DRAWS, draw_cells, draw_mean, draw_normal, draw_rate
from mlproj.diagnose.rungs import RUNGS, GivenRung, is_rate
from mlproj.diagnose.several import bounded, estimate_loss, measure_several
from mlproj.errors import InvalidInput, Problem
from mlproj.metrics import confusion
from mlproj.metrics.cells import CELL_METRICS
from mlproj.metrics.estimates import LEAST_FOR_CELLS, RATE_METRICS
from mlproj.metrics.intervals import Estimate, Floats, Units, gather_units, normal_quantile, wilson
from mlproj.metrics.losses import MEAN_METRICS, example_losses
from mlproj.records import Answers, Predictions, Rung
from mlproj.spec.goal import LOSSES

Distribution = Literal["training", "target"]
_SEED = 7
_SQUARED = {"rmse": "mse"}
_DRAWN_AS_RATES = RATE_METRICS | {"roc_auc", "average_precision"}


@dataclass(frozen=True)
class Sample:
    """A rung and what it may be.

    Attributes:
        rung: Its value with interval.
        draws: What the error may be (D,); all equal for a constant.
        n_effective: For rates, the independent, equally weighted examples that tell as much; None for all else.
        floor: The other end, where the error is only known to lie between two: this one is then the upper end.
        on_target: Human level on the target distribution, where this one is that on the training distribution.
    """

    rung: Rung
    draws: Floats
    n_effective: float | None = None
    floor: "Sample | None" = None
    on_target: "Sample | None" = None

    @property
    def name(self) -> str:
        """Name of the rung."""
        return self.rung.name

    @property
    def value(self) -> float:
        """The error."""
        assert self.rung.error is not None  # a sealed rung never becomes a sample
        return self.rung.error

    @property
    def limits(self) -> tuple[float, float, float]:
        """Value, lower and upper limit, as `mover` takes them."""
        low, high = self.rung.low, self.rung.high
        return self.value, self.value if low is None else low, np.inf if high is None else high

    @property
    def shown(self) -> Rung:
        """The rung as a ladder shows it: of two ends the upper one, with an interval that covers both."""
        if self.floor is None:
            return self.rung
        return replace(self.rung, low=self.floor.rung.low, floor=self.floor.rung.error)

    @property
    def variance(self) -> float:
        """Sampling variance; exactly 0 for a constant, whatever the rounding of its mean."""
        return float(self.draws.var()) if np.ptp(self.draws) > 0 else 0.0


def measure(name: str, part: Predictions, metric: str, scales: Mapping[str, float] = MappingProxyType({})) -> Sample:
    """Measures a rung on the predictions of one split.

    Args:
        name: train, train_dev, dev or test.
        part: Predictions of that split only; rows without a label are left out.
        metric: Any metric of `metric.optimize`; a score is turned into the loss 1 − score. Or `RELATIVE_LOSS`.
        scales: Loss of the best constant answer by label; needed for the relative loss.

    Raises:
        InvalidInput: When the metric does not suit the answers or is undefined on them.
    """
    rng = np.random.default_rng([_SEED, RUNGS.index(name)])
    several = len(part.labels) > 1
    if several:
        found, draws = measure_several(part, metric, rng, scales)
    else:
        found, draws = _measure_one(part, part.answers, metric, rng)
    if not np.isfinite(found.value):
        message = f"{metric} is undefined on the {int(_labelled(part).sum())} examples of {name}"
        raise InvalidInput([Problem("metric", message, "Ask for another with --metric, such as error.")])
    rung = Rung(
        name=name,
        error=found.value,
        low=found.low,
        high=found.high if np.isfinite(found.high) else None,
        n=int(_labelled(part).sum()),
        distribution="training" if name in ("train", "train_dev") else "target",
        method=found.method,
    )
    is_drawn_as_rate = metric in ("error", "accuracy") if several else metric in _DRAWN_AS_RATES
    return Sample(rung, draws, found.n_effective or None if is_drawn_as_rate else None)


def _labelled(part: Predictions) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.logical_or.reduce([answers.known for answers in part.labels.values()])


def _measure_one(part: Predictions, answers: Answers, metric: str, rng: np.random.Generator) -> tuple[Estimate, Floats]:
    found = estimate_loss(metric, answers, part.weight, part.group)
    if metric in _DRAWN_AS_RATES:
        return found, draw_rate(found.value, found.n_effective, rng)
    base = _SQUARED.get(metric, metric)
    if base in MEAN_METRICS:
        draws = draw_mean(_units(part, answers, base), rng)
        return found, np.sqrt(draws) if metric in _SQUARED else draws
    if metric in CELL_METRICS and found.n_effective < LEAST_FOR_CELLS:
        return found, rng.uniform(found.low, found.high, N_DRAWS)
    if metric in CELL_METRICS:
        known = answers.known
        weight = None if part.weight is None else part.weight[known]
        scores = draw_cells(metric, confusion(answers.select(known), weight), found.n_effective, rng)
        return found, 1 - scores
    return found, draw_normal(found.value, found.low, bounded(found), rng)


def _units(part: Predictions, answers: Answers, metric: str) -> Units:
    known = answers.known
    p = None if answers.p is None else answers.p[known]
    losses = example_losses(metric, answers.y_true[known], answers.y_pred[known], p)
    weight = None if part.weight is None else part.weight[known]
    return gather_units(losses, weight, None if part.group is None else part.group[known])


def take(given: GivenRung, metric: str, measured: Sample | None = None) -> Sample:
    """Turns a rung given by hand into a sample.

    Args:
        given: The rung.
        metric: Metric that its value is in.
        measured: A rung measured from predictions; a mean loss given with n borrows its relative spread.

    Raises:
        InvalidInput: When n cannot say how sure the value is.
    """
    found = _take(given, metric, measured)
    if given.floor is not None:
        found = replace(found, floor=_take(given.floor, metric, measured))
    if given.on_target is not None:
        found = replace(found, on_target=take(given.on_target, metric, measured))
    return found


def _take(given: GivenRung, metric: str, measured: Sample | None) -> Sample:
    rng = np.random.default_rng([_SEED, RUNGS.index(given.name)])
    value = given.value
    if given.limits is not None:
        return _measured(given, given.limits, rng)
    half_width, method, n = given.half_width, "given with its half-width", given.n
    if n is not None and is_rate(metric):
        low, high = wilson(value, n)
        return Sample(_given_rung(given, low, high, "Wilson"), draw_rate(value, n, rng), n_effective=float(n))
    if n is not None:
        half_width, method = _borrowed_half_width(given, metric, measured), "given n, spread of single losses borrowed"
    if not half_width:
        return Sample(_given_rung(given, value, value, "a constant"), np.full(N_DRAWS, value))
    low, high = value - half_width, value + half_width
    draws = draw_normal(value, low, high, rng)
    if metric in LOSSES or is_rate(metric):
        low, draws = max(low, 0.0), np.maximum(draws, 0.0)
    return Sample(_given_rung(given, low, high, method), draws)


def _measured(given: GivenRung, limits: tuple[float, float], rng: np.random.Generator) -> Sample:
    """A rung that was measured with its interval on examples which are not at hand."""
    low, high = limits
    rung = _given_rung(given, low, high, given.method)
    if given.n_effective is not None:
        return Sample(rung, draw_rate(given.value, given.n_effective, rng), given.n_effective)
    reach = bounded(Estimate(given.value, low, high, 0.0, ""))
    rung = rung if np.isfinite(high) else replace(rung, high=None)
    return Sample(rung, draw_normal(given.value, low, reach, rng))


def _borrowed_half_width(given: GivenRung, metric: str, measured: Sample | None) -> float:
    """Half-width of a mean loss at n examples, from the relative spread of the losses of a measured rung."""
    if measured is None or measured.rung.n is None or measured.value <= 0 or given.n is None:
        message = f"n does not say how sure a value of {metric} is"
        hint = f"Give half the width of its 95 % interval: {given.name}={given.value:g}±{given.value / 20:.2g}"
        raise InvalidInput([Problem("--rung", f"{given.text!r}: {message}", hint)])
    relative = sqrt(measured.variance * measured.rung.n) / measured.value
    return normal_quantile(0.95) * relative * given.value / sqrt(given.n)


def _given_rung(given: GivenRung, low: float, high: float, method: str) -> Rung:
    on: dict[str, Distribution | None] = {
        "human": "training" if given.on == "training" else "target" if given.on == "target" else None,
        "train": "training",
        "train_dev": "training",
    }
    place = on.get(given.name, "target")
    return Rung(given.name, given.value, low, high, given.n, place, method=method, source=given.source)
