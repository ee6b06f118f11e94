"""A measured learning curve: errors by training size over repeats, with what is known of their scatter.

A sizes, R repeats (another subset and another seed each), G independent dev units (examples, or groups).

Two kinds of chance are kept apart. Repeats scatter because another subset and another seed give another model: only
this matters for how the curve goes on *on this dev set*, because dev is the same at every size. That dev itself is a
sample adds a second part, which moves all sizes together; it widens the bands that are shown, not the forecast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlproj.metrics.intervals import Floats, t_quantile

LEVEL = 0.95
PRIOR_DEGREES = 4.0
"""Weight of the spread pooled over sizes in that of one size: three repeats alone hardly know their spread."""


@dataclass(frozen=True)
class Curve:
    """Errors of one split by training size.

    Attributes:
        sizes: Training sizes (A,), ascending; the last is the whole training set.
        errors: Errors of the repeats (R,) at each size; R may differ.
        moves: Mean over repeats of how far each unit moves the error (G,) at each size; None where it is not known.
        n: Examples that the error was measured on at each size (A,); None where it is not known.
        is_rate: Whether the error is a share of examples.
    """

    sizes: Floats
    errors: tuple[Floats, ...]
    moves: tuple[Floats, ...] | None = None
    n: Floats | None = None
    is_rate: bool = True

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def mean(self) -> Floats:
        """Mean error over repeats (A,)."""
        return np.array([errors.mean() for errors in self.errors])

    @property
    def repeats(self) -> Floats:
        """Repeats at each size (A,)."""
        return np.array([float(len(errors)) for errors in self.errors])

    @cached_property
    def variance(self) -> Floats:
        """Variance between repeats (A,), moderated: each size's own, drawn towards that of all sizes.

        With d degrees of freedom of its own and d₀ = 4 of the pooled one it is (d₀ s₀² + d s²)/(d₀ + d) (Smyth 2004,
        section 4, with fixed d₀). What is pooled is the variance in proportion to the error for shares, to its square
        for other losses: the spread grows with the error.
        """
        own = np.array([errors.var(ddof=1) if len(errors) > 1 else 0.0 for errors in self.errors])
        free = self.repeats - 1
        least = 1e-6 * np.ones(len(self)) if self.n is None else 0.5 / self.n
        scale = np.maximum(self.mean, least) if self.is_rate else np.maximum(self.mean, 1e-12) ** 2
        pooled = float(free @ own) / max(float(free @ scale), 1e-300) * scale
        found = (PRIOR_DEGREES * pooled + free * own) / (PRIOR_DEGREES + free)
        floor = least**2 if self.is_rate else (1e-4 * np.maximum(self.mean, 1e-12)) ** 2
        return np.maximum(found, floor)

    @property
    def error(self) -> Floats:
        """Standard error of the means (A,), from the repeats."""
        return np.sqrt(self.variance / self.repeats)

    @property
    def degrees(self) -> float:
        """Degrees of freedom behind the standard errors."""
        free = float((self.repeats - 1).sum())
        return PRIOR_DEGREES + free / len(self) if free else 0.0

    def contrast_variance(self, weights: Floats) -> float:
        """Variance of Σ w·e over sizes: repeats, plus dev sampling of the paired contrast where moves are known.

        Args:
            weights: One per size (A,).
        """
        between = float(weights**2 @ (self.variance / self.repeats))
        return between + self._sampling(weights)

    def _sampling(self, weights: Floats) -> float:
        if self.moves is None:
            return 0.0
        moved = np.tensordot(weights, np.stack(self.moves), axes=1)
        g = len(moved)
        return float(g / (g - 1) * (moved**2).sum()) if g > 1 else 0.0

    def sampling(self, k: int) -> float:
        """Variance of the error at one size for the choice of dev examples."""
        found = self._sampling(np.eye(len(self))[k])
        if self.is_rate and self.n is not None:  # Jeffreys: without an error seen there is still doubt
            p, n = float(self.mean[k]), float(self.n[k])
            found = max(found, (p * n + 0.5) * ((1 - p) * n + 0.5) / (n + 1) ** 2 / (n + 2))
        return found

    def bands(self) -> list[tuple[float, float]]:
        """95 % limits of the mean error at each size: Student's t between repeats plus dev sampling.

        Degrees of freedom by Satterthwaite (1946); a share stays within 0 and 1, a loss above 0.
        """
        found = []
        for k, mean in enumerate(self.mean.tolist()):
            between, sampling = float(self.variance[k] / self.repeats[k]), self.sampling(k)
            total = between + sampling
            free = min(total**2 / (between**2 / max(self.degrees, 1.0)), 1e6) if between > 0 else 1e6
            reach = t_quantile(free, LEVEL) * np.sqrt(total)
            found.append((max(mean - reach, 0.0), min(mean + reach, 1.0) if self.is_rate else mean + reach))
        return found

    def contrast(self, weights: Floats, level: float = LEVEL) -> tuple[float, float, float]:
        """A contrast Σ w·e with its limits.

        Args:
            weights: One per size (A,).
            level: Confidence level.
        """
        value, error = float(weights @ self.mean), float(np.sqrt(self.contrast_variance(weights)))
        reach = t_quantile(max(self.degrees, 1.0), level) * error
        return value, value - reach, value + reach


def between(curve: Curve, high: int, low: int) -> Floats:
    """Weights (A,) of the contrast e[high] − e[low].

    Example:
        >>> between(Curve(np.array([1.0, 2.0]), (np.zeros(2), np.zeros(2))), 0, 1).tolist()
        [1.0, -1.0]
    """
    weights = np.zeros(len(curve))
    weights[high] += 1.0
    weights[low] -= 1.0
    return weights


def make_curve(
    sizes: Sequence[float], errors: Sequence[Sequence[float]], *, n: int | None = None, is_rate: bool = True
) -> Curve:
    """A curve of bare numbers.

    Args:
        sizes: Training sizes, ascending.
        errors: Errors of the repeats at each size.
        n: Dev examples.
        is_rate: Whether the error is a share.

    Example:
        >>> make_curve([10, 20], [[0.2, 0.4], [0.1, 0.1]]).mean.tolist()
        [0.30000000000000004, 0.1]
    """
    asked = None if n is None else np.full(len(sizes), float(n))
    rows = tuple(np.asarray(row, dtype=np.float64) for row in errors)
    return Curve(np.asarray(sizes, dtype=np.float64), rows, None, asked, is_rate)
