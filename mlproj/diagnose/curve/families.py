"""Families of learning curves, and their fit in error space. A sizes, B curves fitted at once, G shapes, J places.

Every family is e(n) = c + a·φ(n; θ) with a decreasing shape φ: an asymptote c between 0 and the last error, an
amplitude a ≥ 0 and one or two shape parameters θ. For given θ the best (c, a) is a small quadratic problem with a
closed form, so that a fit is a search over θ alone: a dense grid in the logarithms of θ, every point of which is a
start that is solved exactly. Nothing depends on where an optimiser begins, which is what makes such fits brittle
(Turan et al. 2025), and hundreds of resampled curves are fitted by a few matrix products.

Names are those of the Learning Curve Database (Mohr, Viering, Loog & van Rijn 2022).

>>> sizes = np.array([100.0, 200, 400, 800])
>>> curve = 0.02 + 0.9 * sizes**-0.5
>>> fitted = fit(FAMILIES["pow3"], sizes, curve[None], np.ones(4), np.array([1600.0]))
>>> bool(abs(fitted[0, 0] - (0.02 + 0.9 * 1600**-0.5)) < 0.001)
True
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mlproj.metrics.intervals import Floats

MOST_DECAY = 1.2
"""Largest exponent b: measured exponents lie below 1, a little more leaves room for noise."""
_LEAST_DECAY = 0.02
_TINY = 1e-300


@dataclass(frozen=True)
class Family:
    """A family of curves.

    Attributes:
        name: Its name.
        formula: What it says, for people.
        n_parameters: Parameters in all.
        grid: Shape parameters to try (G, P); scales are multiples of the smallest size.
        shape: φ (G, A) at sizes that are multiples of the smallest one.
        has_asymptote: Whether c is free; else it is 0.
    """

    name: str
    formula: str
    n_parameters: int
    grid: Floats
    shape: Callable[[Floats, Floats], Floats]
    has_asymptote: bool = True


def _power(theta: Floats, x: Floats) -> Floats:
    return x[None, :] ** -theta[:, :1]


def _shifted_power(theta: Floats, x: Floats) -> Floats:
    b, d = theta[:, :1], theta[:, 1:]
    return ((x[None, :] + d) / (1 + d)) ** -b


def _mmf(theta: Floats, x: Floats) -> Floats:
    p, k = theta[:, :1], theta[:, 1:]
    return 1 / (1 + (x[None, :] / k) ** p)


def _weibull(theta: Floats, x: Floats) -> Floats:
    p, k = theta[:, :1], theta[:, 1:]
    return np.maximum(np.exp(-((x[None, :] / k) ** p)), _TINY)


def _product(first: Floats, second: Floats) -> Floats:
    return np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 2)


_DECAYS = np.geomspace(_LEAST_DECAY, MOST_DECAY, 60)
_FEW_DECAYS = np.geomspace(0.05, MOST_DECAY, 16)
_SHIFTS = np.concatenate([[0.0], np.geomspace(0.25, 64.0, 8)])
_SCALES = np.geomspace(0.1, 1e3, 16)
FAMILIES: Mapping[str, Family] = {
    "pow2": Family("pow2", "a n^-b", 2, _DECAYS[:, None], _power, has_asymptote=False),
    "pow3": Family("pow3", "c + a n^-b", 3, _DECAYS[:, None], _power),
    "pow4": Family("pow4", "c + a (n + d)^-b", 4, _product(_FEW_DECAYS, _SHIFTS), _shifted_power),
    "mmf4": Family("mmf4", "c + a / (1 + (n/k)^b)", 4, _product(_FEW_DECAYS, _SCALES), _mmf),
    "wbl4": Family("wbl4", "c + a exp(-(n/k)^b)", 4, _product(_FEW_DECAYS, _SCALES), _weibull),
}
LAST = "last1"
"""The rival of every family: the curve stays where it is."""
MANY_ANCHORS = 7
"""Sizes from which families with four parameters are tried."""


def candidates(n_sizes: int) -> list[Family]:
    """The families that so many measured sizes can carry.

    Example:
        >>> [family.name for family in candidates(5)], len(candidates(7))
        (['pow2', 'pow3'], 5)
    """
    return [family for family in FAMILIES.values() if family.n_parameters < 4 or n_sizes >= MANY_ANCHORS]


def fit(family: Family, sizes: Floats, errors: Floats, weights: Floats, at: Floats) -> Floats:
    """Fits a family to curves by weighted least squares, and says what it predicts.

    Args:
        family: The family.
        sizes: Training sizes (A,), ascending.
        errors: Errors (B, A) of one or more curves.
        weights: Weight of each size (A,), 1/se².
        at: Sizes to predict at (J,).

    Returns:
        Predicted errors (B, J).
    """
    theta, c, a = solve(family, sizes, errors, weights)
    shapes = _basis(family.name, tuple((at / sizes[0]).tolist()))
    return c[:, None] + a[:, None] * shapes[theta]


def solve(
    family: Family, sizes: Floats, errors: Floats, weights: Floats
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Floats, Floats]:
    """The best shape (position in the grid), asymptote c and amplitude a of each curve, all (B,).

    For each shape the loss is a convex quadratic in (c, a) on 0 ≤ c ≤ last error, a ≥ 0. Minimised over a ≥ 0 it is
    convex in c alone, so that the best c is the free one, moved into its bounds.

    Args:
        family: The family.
        sizes: Training sizes (A,), ascending.
        errors: Errors (B, A).
        weights: Weight of each size (A,).
    """
    phi = _basis(family.name, tuple((sizes / sizes[0]).tolist()))
    w = weights / weights.sum()
    s_f, s_ff = (phi @ w)[:, None], (phi**2 @ w)[:, None]
    s_y, s_fy = errors @ w, phi @ (errors * w).T  # (B,), (G, B)
    if family.has_asymptote:
        slope = (s_fy - s_f * s_y) / np.maximum(s_ff - s_f**2, _TINY)
        c = np.clip(s_y - np.maximum(slope, 0.0) * s_f, 0.0, np.maximum(errors[:, -1], 0.0))
        a = np.maximum(s_fy - c * s_f, 0.0) / s_ff
        loss = c * (c - 2 * s_y + 2 * a * s_f) + a * (a * s_ff - 2 * s_fy)  # without Σ w y², the same for all
    else:
        a = np.maximum(s_fy, 0.0) / s_ff
        c, loss = np.zeros_like(a), a * (a * s_ff - 2 * s_fy)
    best, row = loss.argmin(axis=0), np.arange(len(errors))
    return best, c[best, row], a[best, row]


@lru_cache(maxsize=64)
def _basis(name: str, ratios: tuple[float, ...]) -> Floats:
    """φ (G, J) of a family at multiples of the smallest size."""
    family = FAMILIES[name]
    return family.shape(family.grid, np.asarray(ratios))
