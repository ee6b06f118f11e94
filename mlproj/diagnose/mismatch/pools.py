"""Whether data made or gathered elsewhere are a small pool that repeats itself. N examples.

Synthesised examples may look rich and hold little: a thousand hours of speech over one hour of noise teach a network
that one hour (Machine Learning Yearning, ch. 43). What gives a pool away is how few different values there are, against
dev at the same number of examples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.mismatch.table import Design, Feature
from mlproj.metrics.intervals import Floats

ROWS = "whole rows"
_LEAST_ROWS = 50
_RICH, _POOR, _POOR_ROWS = 0.5, 0.2, 0.5
"""A feature is judged where half of dev's rows bring a new value; it is a pool with a fifth as many values as dev."""


@dataclass(frozen=True)
class Pool:
    """Something that a source repeats where dev does not.

    Attributes:
        feature: What repeats: a feature, or whole rows.
        distinct: Different values in the source.
        n: Rows of the source with a value.
        expected: Different values to expect in `at` of its rows.
        dev: Different values in dev, likewise in `at` rows.
        at: Rows at which both are compared.
    """

    feature: str
    distinct: int
    n: int
    expected: float
    dev: float
    at: int


def find_pools(
    source: Sequence[Feature], source_design: Design, dev: Sequence[Feature], dev_design: Design
) -> list[Pool]:
    """What a source repeats, the poorest first.

    Args:
        source: Its features.
        source_design: Its rows as numbers, for whole rows.
        dev: The features of dev.
        dev_design: Its rows as numbers.
    """
    other = {feature.name: feature.values for feature in dev}
    found = [
        pool
        for feature in source
        if feature.name in other and (pool := _compare(feature.name, feature.values, other[feature.name], _POOR))
    ]
    if source_design.x.shape[1] and (rows := _compare(ROWS, _keys(source_design.x), _keys(dev_design.x), _POOR_ROWS)):
        found.append(rows)
    return sorted(found, key=lambda pool: pool.expected / pool.dev)


def _keys(x: Floats) -> NDArray[Any]:
    """One number per row (N,), equal for equal rows: a random projection tells different ones apart almost surely."""
    return np.asarray(x @ np.random.default_rng(0).standard_normal(x.shape[1])).round(9).astype(np.float64)


def _compare(name: str, source: NDArray[Any], dev: NDArray[Any], poor: float) -> Pool | None:
    source, dev = _present(source), _present(dev)
    at = min(len(source), len(dev))
    if at < _LEAST_ROWS:
        return None
    counts, own = (np.unique(values, return_counts=True)[1] for values in (source, dev))
    expected, usual = rarefy(counts, at), rarefy(own, at)
    if usual < _RICH * at or expected > poor * usual:
        return None
    return Pool(name, len(counts), len(source), expected, usual, at)


def _present(values: NDArray[Any]) -> NDArray[Any]:
    return values[np.isfinite(values.astype(np.float64))] if values.dtype.kind == "f" else values[values != ""]


def rarefy(counts: NDArray[Any], at: int) -> float:
    """Different values to expect among `at` rows drawn without replacement (Hurlbert 1971).

    Args:
        counts: How often each value occurs.
        at: Rows drawn, no more than there are.

    Example:
        >>> round(rarefy(np.array([50, 50]), 2), 3)
        1.505
    """
    from scipy.special import gammaln

    n, rest = float(counts.sum()), counts.sum() - counts
    possible = rest >= at
    log_none = np.where(
        possible,
        gammaln(rest + 1) - gammaln(np.where(possible, rest - at, 0) + 1) - gammaln(n + 1) + gammaln(n - at + 1),
        -np.inf,
    )
    return float((1 - np.exp(log_none)).sum())
