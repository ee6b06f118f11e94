"""Whether the test error exceeds the dev error: what is left of overfitting to dev once the test set is open."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from mlproj.metrics.intervals import Estimate, mover, normal_quantile, wilson


@dataclass(frozen=True)
class AboveDev:
    """Whether the test error exceeds the dev error, one-sided.

    Attributes:
        value: Test minus dev, as losses.
        low: Lower limit that holds with 95 %.
        p: How often chance alone would show at least as much.
        n: Examples by rung.
        method: How it was computed.
    """

    value: float
    low: float
    p: float
    n: Mapping[str, int]
    method: str

    @property
    def is_sure(self) -> bool:
        """Whether the test error is surely higher."""
        return self.low > 0


def above_dev(test: Estimate, dev: Estimate, n: Mapping[str, int], *, is_share: bool) -> AboveDev:
    """Whether the test loss exceeds the dev loss: a one-sided test by MOVER, on different examples.

    Args:
        test: The loss on test, with 95 % limits.
        dev: The loss on dev, likewise.
        n: Examples by rung.
        is_share: Whether both are shares of `n_effective` examples, so that their limits at any level are Wilson's;
            else limits are stretched in proportion to the normal quantile.

    Example:
        >>> test, dev = Estimate(0.14, 0.12, 0.16, 1000, ""), Estimate(0.10, 0.08, 0.12, 1000, "")
        >>> found = above_dev(test, dev, {}, is_share=True)
        >>> round(found.low, 3), round(found.p, 4)
        (0.016, 0.003)
    """

    def lowest(p: float) -> float:
        """Lower limit that holds with probability 1 − p."""
        return mover(_limits_at(test, p, is_share=is_share), _limits_at(dev, p, is_share=is_share))[0]

    value = test.value - dev.value
    small, large = 1e-9, 0.5
    if lowest(small) > 0:
        large = small
    for _ in range(40):  # the lower limit rises with p: bisection
        middle = sqrt(small * large)
        small, large = (small, middle) if lowest(middle) > 0 else (middle, large)
    p = large if value > 0 else 1 - _other_side(test, dev, is_share=is_share)
    return AboveDev(
        value, lowest(0.05), p, dict(n), "one-sided MOVER of Wilson's limits" if is_share else "one-sided MOVER"
    )


def _other_side(test: Estimate, dev: Estimate, *, is_share: bool) -> float:
    """Of a gap that is not above 0, how often chance would show one at least as far below."""
    if test.value == dev.value:
        return 0.5
    return above_dev(dev, test, {}, is_share=is_share).p


def _limits_at(found: Estimate, p: float, *, is_share: bool) -> tuple[float, float, float]:
    """Limits each of which holds with probability 1 − p."""
    z = NormalDist().inv_cdf(1 - p)
    if is_share and found.n_effective > 0:
        low, high = wilson(min(max(found.value, 0.0), 1.0), found.n_effective, max(1 - 2 * p, 1e-12))
        return found.value, low, high
    stretch = z / normal_quantile(0.95)
    return (
        found.value,
        found.value - stretch * (found.value - found.low),
        found.value + stretch * (found.high - found.value),
    )
