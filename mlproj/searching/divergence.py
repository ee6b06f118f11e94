"""How differently the best trials are spread over a hyperparameter than all of them: PED-ANOVA's Pearson divergence.

Watanabe, Bansal & Hutter 2023, eq. 6 and section 4.1, as Optuna computes it (a test compares the two): values are
counted on a grid of at most 50 places, a Parzen estimator with Scott's bandwidth smooths the counts, and a flat prior
counts as one more trial. It is written out here because Optuna's own module imports scikit-learn, which takes a
second, and because a permutation test asks for the same values with other trials on top. N trials, G places, K
kernels.

>>> import numpy as np
>>> from mlproj.spec.search import Int
>>> width = Spread(Int(int=(1, 8)), [1, 2, 3, 4, 5, 6, 7, 8])
>>> width.divergence(np.arange(8) < 3) > width.divergence(np.arange(8) % 3 == 0)
True
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.searching.scales import distribution, to_stored
from mlproj.spec.search import Choice, Dimension, Int

_PLACES = 50
_NARROWEST = 0.5 / 1.64
"""Least width of a kernel, in places: 90 % of it then lies in one place."""
_TINY = 1e-12
_erf = np.frompyfunc(math.erf, 1, 1)


class Spread:
    """Where the trials lie on one hyperparameter.

    Args:
        dimension: The range, as declared.
        values: Its value in each trial (N,).
    """

    def __init__(self, dimension: Dimension, values: Sequence[Any]) -> None:
        self._is_choice = isinstance(dimension, Choice)
        self._is_single = distribution(dimension).single()
        self._places, self._n_places = _places(dimension, values)
        self._all = self._density(np.ones(len(values), dtype=bool))

    def divergence(self, top: NDArray[np.bool_]) -> float:
        """Pearson divergence of the trials at `top` (N,) from all of them; 0 where there is only one value."""
        if self._is_single:
            return 0.0
        return float(self._all @ (self._density(top) / self._all - 1) ** 2)

    def _density(self, which: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Smoothed share (G,) of each place."""
        counts = np.bincount(self._places[which], minlength=self._n_places)
        observed = np.flatnonzero(counts)
        weights = np.append(counts[observed], 1.0)
        kernels = _choices(observed, len(counts)) if self._is_choice else _bells(observed, counts)
        density: NDArray[np.float64] = weights @ kernels / weights.sum() + _TINY
        return density


def _places(dimension: Dimension, values: Sequence[Any]) -> tuple[NDArray[Any], int]:
    """Place (N,) of each value on the grid, and the number of places."""
    kind: Any = distribution(dimension)
    stored = [to_stored(dimension, value) for value in values]
    if isinstance(dimension, Choice):
        return np.array([int(kind.to_internal_repr(each)) for each in stored]), len(kind.choices)
    n = min(kind.high - kind.low + 1, _PLACES) if isinstance(dimension, Int) else _PLACES
    if n == 1 or kind.single():
        return np.zeros(len(stored), dtype=int), 1
    scale = np.log if kind.log else np.asarray
    low, high = float(scale(kind.low)), float(scale(kind.high))
    places = np.ceil((scale(stored) - low) / ((high - low) / (n - 1)) - 0.5)  # what lies midway goes to the lower place
    return np.clip(places.astype(int), 0, n - 1), n


def _choices(observed: NDArray[Any], n: int) -> NDArray[np.float64]:
    """One row (K, G) per choice that was seen, and the prior's; all share one trial's weight among all choices."""
    kernels = np.full((len(observed) + 1, n), 1 / (len(observed) + 1))
    kernels[np.arange(len(observed)), observed] += 1
    return kernels / kernels.sum(axis=1, keepdims=True)


def _bells(observed: NDArray[Any], counts: NDArray[Any]) -> NDArray[np.float64]:
    """A normal distribution (K, G) around each place that was seen, and a flat one, cut off at the ends of the grid."""
    n = len(counts)
    centres = np.append(observed, (n - 1) / 2)
    widths = np.append(np.full(len(observed), _bandwidth(observed, counts[observed])), n)
    edges = np.arange(n + 1) - 0.5
    below = _erf((edges - centres[:, None]) / (widths[:, None] * math.sqrt(2))).astype(np.float64)
    kernels: NDArray[np.float64] = np.diff(below) / (below[:, -1:] - below[:, :1])
    return kernels


def _bandwidth(observed: NDArray[Any], weights: NDArray[Any]) -> float:
    """Scott's rule (Scott 1992), with the quartiles as Optuna takes them."""
    n, below = int(weights.sum()), np.cumsum(weights)
    mean = observed @ weights / n
    deviation = math.sqrt((observed - mean) ** 2 @ weights / max(1, n - 1))
    first = np.searchsorted(below, n // 4, side="left")
    third = min(len(observed) - 1, int(np.searchsorted(below, n * 3 // 4, side="right")))
    quartiles = float(observed[third] - observed[first])
    return max(1.059 * min(quartiles / 1.34, deviation) * n**-0.2, _NARROWEST)
