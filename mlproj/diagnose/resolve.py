"""What would settle an unresolved ladder: which rung to grow, and by how many examples. F futures, G gaps, R rungs.

The rung to grow is the one that contributes most to the variance of the contrast between the two likeliest gaps. How
many examples it takes is found by looking ahead: the future error of the grown rung is drawn from what it may be now,
the naming rule is applied, and examples are added until it settles in at least half of the futures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from statistics import NormalDist
from typing import Any

import numpy as np

from mlproj.diagnose.gaps import SURE, Judgement, Step
from mlproj.diagnose.samples import Sample
from mlproj.metrics.intervals import Floats, normal_quantile

N_FUTURES = 1000
ENOUGH = 0.5
"""Share of futures that must be settled: an even chance, as no number of examples can promise more near a tie."""
MOST = 1_000_000
"""Examples beyond which growing a set is called out of reach."""
_SEED = 11
_STEPS = 60


def plan_growth(
    samples: Mapping[str, Sample], steps: Sequence[Step], judgement: Judgement, worth: float
) -> dict[str, Any] | None:
    """The set whose growth would settle the verdict, and by how many examples.

    Args:
        samples: Rungs by name.
        steps: The steps between them.
        judgement: An unresolved judgement.
        worth: Smallest gap worth closing.

    Returns:
        ``{"grow": rung, "by": n}``; `by` is None where no single set within reach settles it, or its rung has no n.
        None when every rung is a constant.
    """
    missing = _missing_rung(samples, judgement)
    if missing:
        return {"grow": missing, "by": missing_size(samples, missing, worth)}
    shares = rank_rungs(samples, steps, judgement.chances)
    if not shares:
        return None
    future = _Future(samples, steps, worth)
    for name in shares:
        by = future.examples_needed(name)
        if by is not None:
            return {"grow": name, "by": round_up(by)}
    return {"grow": shares[0], "by": None}


def _missing_rung(samples: Mapping[str, Sample], judgement: Judgement) -> str | None:
    if "train" not in samples:
        return "train"
    return "human" if "training_error" in judgement.candidates else None


def missing_size(samples: Mapping[str, Sample], name: str, worth: float) -> int | None:
    """How many examples a rung that is not there should have: so many that its half-width is what is worth closing.

    The spread of single losses is borrowed from the nearest measured rung; None where that has no n.

    Args:
        samples: Rungs by name.
        name: human, train or train_dev.
        worth: Smallest gap worth closing.
    """
    order = {"human": ("train", "dev"), "train": ("dev",), "train_dev": ("dev", "train")}[name]
    known = [samples[other] for other in order if other in samples and samples[other].rung.n]
    if not known or worth <= 0:
        return None
    spread = known[0].variance * (known[0].rung.n or 0)
    return min(max(round_up(spread * (normal_quantile(SURE) / worth) ** 2), 100), MOST)


def rank_rungs(samples: Mapping[str, Sample], steps: Sequence[Step], chances: Sequence[float]) -> list[str]:
    """Rungs by their share c²·v in the variance of the contrast between the two likeliest gaps, largest first.

    Constants have no share. When one gap is already sure to be the largest, its own size is what is uncertain.
    """
    order = np.argsort(-np.asarray(chances), kind="stable")
    coefficients = _coefficients(samples, steps)
    contrast = coefficients[order[0]].copy()
    if len(order) > 1 and chances[order[0]] < SURE:
        contrast -= coefficients[order[1]]
    names = list(samples)
    shares = contrast**2 * np.array([samples[name].variance for name in names])
    return [names[k] for k in np.argsort(-shares, kind="stable") if shares[k] > 0]


def _coefficients(samples: Mapping[str, Sample], steps: Sequence[Step]) -> Floats:
    """Gaps as combinations of rungs (G, R)."""
    names = list(samples)
    table = np.zeros((len(steps), len(names)))
    for row, step in enumerate(steps):
        table[row, names.index(step.lower)] += 1
        if step.upper is not None:
            table[row, names.index(step.upper)] -= 1
    return table


@dataclass(frozen=True)
class _Future:
    """Looks ahead to what the naming rule would say if a rung had more examples."""

    samples: Mapping[str, Sample]
    steps: Sequence[Step]
    worth: float

    def examples_needed(self, name: str) -> int | None:
        """Fewest further examples of a rung that settle the verdict in enough futures; None beyond reach."""
        n = self.samples[name].rung.n
        if n is None:
            return None
        most = min(100 * n, MOST)
        for by in np.unique(np.geomspace(max(n / 20, 1), most, _STEPS).astype(np.int64)):
            if self._share_settled(name, int(by), n) >= ENOUGH:
                return int(by)
        return None

    def _share_settled(self, name: str, by: int, n: int) -> float:
        names, coefficients = list(self.samples), _coefficients(self.samples, self.steps)
        grown = names.index(name)
        rng = np.random.default_rng(_SEED)
        sample = self.samples[name]
        truth = sample.draws[:: max(len(sample.draws) // N_FUTURES, 1)]
        variances = np.array([self.samples[other].variance for other in names])
        further = truth + rng.standard_normal(len(truth)) * np.sqrt(variances[grown] * n / by)
        variances[grown] *= n / (n + by)
        values = np.array([self.samples[other].value for other in names])
        moved = (n * sample.value + by * further) / (n + by) - sample.value
        gaps = (coefficients @ values)[:, None] + coefficients[:, [grown]] * moved
        return float(np.mean(self._settled(gaps, coefficients, variances)))

    def _settled(self, gaps: Floats, coefficients: Floats, variances: Floats) -> Any:
        """Whether each future (F,) ends in a name or in nothing to close, from normal approximations."""
        sure, reach = NormalDist().inv_cdf(SURE), normal_quantile(SURE)
        error = np.sqrt(coefficients**2 @ variances)[:, None]
        settled = np.all(gaps + reach * error < self.worth, axis=0)
        for k, step in enumerate(self.steps):
            if not step.nameable:
                continue
            contrast = coefficients[k] - np.delete(coefficients, k, axis=0)
            spread = np.sqrt(contrast**2 @ variances)[:, None]
            ahead = np.all(gaps[k] - np.maximum(np.delete(gaps, k, axis=0), 0.0) > sure * spread, axis=0)
            settled |= ahead & (gaps[k] - reach * error[k] > self.worth)
        return settled


def round_up(number: float) -> int:
    """Rounded up to two significant digits.

    Example:
        >>> round_up(1433), round_up(220), round_up(7)
        (1500, 220, 7)
    """
    if number <= 0:
        return 0
    unit = 10 ** max(floor(log10(number)) - 1, 0)
    return ceil(number / unit - 1e-9) * unit
