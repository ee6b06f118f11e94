"""How a falling curve goes on, by families that foretold what was measured. A sizes, D draws, J places.

The largest one and two sizes are hidden in turn and foretold from the rest. A family counts only where it foretells
them better than the last error seen; where none does, nothing is extrapolated (Kielhöfer, Mohr & van Rijn 2024 found
that with few sizes the last observation is hard to beat). Those that count are averaged with weights 1/(mean squared
miss + noise).

The interval joins two sources: the curve may have come out otherwise (a parametric bootstrap over repeats, in which
families are weighed anew each time), and no family is true (the misses of the backtest, growing with the root of the
logarithm of the distance).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlproj.diagnose.curve.curve import Curve
from mlproj.diagnose.curve.families import LAST, Family, candidates, fit
from mlproj.metrics.intervals import Floats

N_DRAWS = 2000
FARTHEST = 10.0
"""How many times the present size is spoken of at all, and there as a bound only."""
SHOWN = (2.0, 4.0)
"""Sizes, as multiples of the present one, for which intervals are shown."""
_HIDDEN = (1, 2)
_FEWEST_LEFT = 3
_SEED = 20_190_723
_PLACES = 25
_LEVEL = 0.95
_LEAST_MISS = 0.25
"""Share of the squared misses of the backtest that is always kept."""


@dataclass(frozen=True)
class Forecast:
    """Where a curve goes.

    Attributes:
        ratios: Multiples of the present size (J,), from 1 to 10.
        central: Error foretold at each (J,).
        draws: What it may be (D, J).
        weights: Weight of each family that beat the last error in the backtest; empty where none did.
        misses: Root mean squared miss of each family and of last1 in the backtest, per doubling.
        n_tests: Hidden sizes that were foretold.
    """

    ratios: Floats
    central: Floats
    draws: Floats
    weights: Mapping[str, float]
    misses: Mapping[str, float]
    n_tests: int

    @property
    def is_better_than_last(self) -> bool:
        """Whether some family foretold the hidden sizes better than the last error seen."""
        return bool(self.weights)

    def at(self, ratio: float) -> tuple[float, float, float]:
        """Error at a multiple of the present size with its 95 % interval."""
        drawn = self.drawn(ratio)
        low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]).tolist()
        central = float(np.interp(np.log(ratio), np.log(self.ratios), self.central))
        return central, min(low, central), max(high, central)

    def drawn(self, ratio: float) -> Floats:
        """What the error may be at a multiple of the present size (D,)."""
        position = np.interp(np.log(ratio), np.log(self.ratios), np.arange(len(self.ratios)))
        k = min(int(position), len(self.ratios) - 2)
        share = position - k
        return np.asarray((1 - share) * self.draws[:, k] + share * self.draws[:, k + 1])

    def chance(self, target: float, ratio: float) -> float:
        """Probability that the error at a multiple of the present size is at most the target."""
        return float((self.drawn(ratio) <= target).mean())

    def needed(self, target: float) -> tuple[float | None, float | None, float | None]:
        """Multiples of the present size at which the target is met: lower limit, median and upper limit.

        None stands for more than ten times.
        """
        met = self.draws <= target
        first = np.where(met.any(axis=1), self.ratios[met.argmax(axis=1)], np.inf)
        tails = [(1 - _LEVEL) / 2, 0.5, (1 + _LEVEL) / 2]
        low, middle, high = np.quantile(first, tails, method="inverted_cdf").tolist()
        return tuple(None if not np.isfinite(each) else float(each) for each in (low, middle, high))  # type: ignore[return-value]


def forecast(curve: Curve, n_draws: int = N_DRAWS) -> Forecast:
    """Foretells how a curve goes on.

    Args:
        curve: A falling curve with at least five sizes.
        n_draws: Draws of the bootstrap.
    """
    rng = np.random.default_rng(_SEED)
    a = len(curve)
    scatter = rng.standard_t(curve.degrees, (n_draws, a)) * curve.error
    drawn = np.concatenate([curve.mean[None], np.maximum(curve.mean + scatter, 0.0)])  # the first is what was measured
    ratios = np.geomspace(1.0, FARTHEST, _PLACES)
    families, weights = candidates(a), 1 / curve.error**2
    tests = backtest(curve, drawn, families)
    shares = _weigh(tests, float(np.mean(curve.error[-2:] ** 2)))
    names = [family.name for family in families]
    foretold = np.stack([fit(family, curve.sizes, drawn, weights, curve.sizes[-1] * ratios) for family in families])
    mixed = np.einsum("bf,fbj->bj", shares, foretold)
    mixed = np.where(shares.sum(axis=1, keepdims=True) > 0, mixed, drawn[:, -1:])
    noise = _miss_noise(tests, shares[0], rng, n_draws)
    draws = np.maximum(mixed[1:] + noise[:, None] * np.sqrt(np.log2(ratios))[None, :], 0.0)
    kept = {name: float(share) for name, share in zip(names, shares[0], strict=True) if share > 0}
    misses = {name: float(np.sqrt(tests.score(name)[0])) for name in (*names, LAST)}
    return Forecast(ratios, mixed[0], draws, kept, misses, tests.n)


@dataclass(frozen=True)
class Backtest:
    """Misses of each family at the hidden sizes.

    Attributes:
        misses: Foretold minus measured (B, T) by family, each over the root of its distance in doublings.
    """

    misses: Mapping[str, Floats]

    @property
    def n(self) -> int:
        """Hidden sizes that were foretold."""
        return next(iter(self.misses.values())).shape[1]

    def score(self, name: str) -> Floats:
        """Mean squared miss per doubling (B,)."""
        return np.asarray((self.misses[name] ** 2).mean(axis=1))


def backtest(curve: Curve, drawn: Floats, families: Sequence[Family]) -> Backtest:
    """Hides the largest one and two sizes and foretells them.

    Args:
        curve: The curve.
        drawn: Errors (B, A) to do it with.
        families: Families to try.
    """
    found: dict[str, list[Floats]] = {name: [] for name in (*(family.name for family in families), LAST)}
    weights = 1 / curve.error**2
    for hidden in _HIDDEN:
        kept = len(curve) - hidden
        if kept < _FEWEST_LEFT:
            continue
        sizes, later = curve.sizes[:kept], curve.sizes[kept:]
        distance = np.sqrt(np.log2(later / sizes[-1]))
        seen, truth = drawn[:, :kept], drawn[:, kept:]
        for family in families:
            told = fit(family, sizes, seen, weights[:kept], later)
            found[family.name].append((told - truth) / distance)
        found[LAST].append((seen[:, -1:] - truth) / distance)
    return Backtest({name: np.concatenate(misses, axis=1) for name, misses in found.items()})


def _weigh(tests: Backtest, noise: float) -> Floats:
    """Weights (B, F) of the families: 0 where a family misses by no less than the last error seen."""
    names = [name for name in tests.misses if name != LAST]
    scores = np.stack([tests.score(name) for name in names], axis=1)
    counts = scores < tests.score(LAST)[:, None]
    raw = np.where(counts, 1 / (scores + noise + 1e-300), 0.0)
    total = raw.sum(axis=1, keepdims=True)
    return np.divide(raw, total, out=np.zeros_like(raw), where=total > 0)


def _miss_noise(tests: Backtest, shares: Floats, rng: np.random.Generator, n_draws: int) -> Floats:
    """Draws (D,) of the miss of the mixture per doubling, as heavy-tailed as so few misses demand.

    Misses hold the scatter of the repeats too, which the bootstrap has counted already: what it explains is taken off,
    but never more than three quarters of the squared miss.
    """
    names = [name for name in tests.misses if name != LAST]
    if not np.any(shares > 0):
        return np.zeros(n_draws)
    missed = sum(share * tests.misses[name] for share, name in zip(shares, names, strict=True))  # (1 + D, T)
    raw, scatter = float(np.mean(np.square(missed[0]))), float(np.mean(missed[1:].var(axis=0)))
    spread = np.sqrt(max(raw - scatter, _LEAST_MISS * raw))
    return spread * rng.standard_t(tests.n, n_draws)
