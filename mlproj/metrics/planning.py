"""How many examples it takes to tell or to prove something, and what looking often costs. N examples, K looks.

>>> examples_to_prove("recall", ">= 0.95", Promise("recall", ">= 0.95", 1.0, 0.91, 1.0, 38, "unknown"))
73
>>> round(optimism(5, Estimate(0.1, 0.08, 0.12, 1000.0, "Wilson"), is_share=True), 4)
0.017
"""

from math import ceil, exp, isfinite, log, sqrt

from mlproj.metrics.estimates import RATE_METRICS
from mlproj.metrics.intervals import Estimate, normal_quantile
from mlproj.metrics.limits import is_met
from mlproj.metrics.paired import Paired
from mlproj.records import Promise
from mlproj.spec.goal import parse_limit

POWER = 0.8
"""Chance with which the number of examples named tells a difference that stays as it is."""
_LEVEL = 0.95


def examples_to_tell(found: Paired, discordant: float | None = None) -> int | None:
    """Examples in all on which a paired difference would be told from 0, if it stays what it is.

    For the plain error (z_{α/2}√q + z_β√(q − δ²))²/δ² with discordance q (Connett, Smith & McHugh 1987); elsewhere
    the variance shrinks as 1/N: N (z_{α/2} + z_β)² s²/δ², with the standard error s that the limits imply.

    Args:
        found: The difference of two models.
        discordant: Share of the examples that just one of the two got right, for the plain error; else None.

    Returns:
        The number, or None where none would do: the two are equal, or nothing bounds their difference.

    Example:
        >>> examples_to_tell(Paired(0.02, -0.01, 0.05, 0.2, 400, ""), 0.1)
        1960
    """
    if not found.value or not isfinite(found.high - found.low):
        return None
    z, z_power = normal_quantile(_LEVEL), normal_quantile(2 * POWER - 1)
    size = abs(found.value)
    if discordant is not None:
        spread = z * sqrt(discordant) + z_power * sqrt(max(discordant - size**2, 0.0))
        return ceil((spread / size) ** 2)
    error = (found.high - found.low) / (2 * z)
    return ceil(found.n * ((z + z_power) * error / size) ** 2)


def examples_to_prove(metric: str, limit: str, promise: Promise, n_effective: float | None = None) -> int | None:
    """Examples in all on which a limit would be proved, if the metric's value stays what it is.

    A rate p proves the bound L when (p − L)² ≥ z² L(1 − L)/n, which is Wilson's limit solved for n; for other metrics
    the distance from the value to the interval's bad end shrinks as 1/√n.

    Args:
        metric: The metric.
        limit: The limit.
        promise: Its value with interval, and the examples that it is read on.
        n_effective: Equally weighted, independent examples that tell as much, where weights or groups make them fewer.

    Returns:
        Examples of the kind that the metric is read on; None where no number proves it: the value itself misses the
        limit, or nothing bounds it.

    Example:
        >>> examples_to_prove("mae", "<= 3", Promise("mae", "<= 3", 2.0, 1.0, 4.0, 50, "unknown"))
        200
    """
    operator, bound = parse_limit(limit)
    bad = promise.low if operator.startswith(">") else promise.high
    if promise.n is None or not is_met(promise.value, limit) or promise.value == bound:
        return None
    if metric in RATE_METRICS:
        share = n_effective / promise.n if n_effective and promise.n else 1.0
        if not 0 < bound < 1:
            return None
        needed = normal_quantile(_LEVEL) ** 2 * bound * (1 - bound) / (promise.value - bound) ** 2
        return ceil(needed / share - 1e-9)
    if bad is None or not promise.n:
        return None
    return ceil(promise.n * ((promise.value - bad) / (promise.value - bound)) ** 2 - 1e-9)


def optimism(looks: int, found: Estimate, *, is_share: bool) -> float:
    """By how much the best of so many looks flatters at most on average, were it chosen by its figure: s √(2 ln K).

    The largest of K figures with standard error s exceeds its own expectation by at most that (Boucheron, Lugosi &
    Massart 2013, theorem 2.5), however the figures depend on each other. For a share s² is p(1 − p)/n.

    Args:
        looks: Looks so far, K ≥ 1.
        found: The figure with its interval.
        is_share: Whether it is a share of examples.

    Example:
        >>> optimism(1, Estimate(0.1, 0.08, 0.12, 1000.0, ""), is_share=True)
        0.0
    """
    p, n = found.value, found.n_effective
    error = (found.high - found.low) / (2 * normal_quantile(_LEVEL))
    if is_share and 0 < p < 1 and n > 0:
        error = sqrt(p * (1 - p) / n)
    return sqrt(2 * log(looks)) * error if looks > 1 else 0.0


MANY_LOOKS = ceil(exp(normal_quantile(_LEVEL) ** 2 / 2))
"""Looks from which what choosing may have flattered is as large as the half-width of the interval: √(2 ln K) ≥ z."""
