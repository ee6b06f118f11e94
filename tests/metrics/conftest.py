"""Problems drawn from a seed: truth, answers, probabilities with ties, weights with zeros, missing labels."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from mlproj.records import Answers

Draw = Callable[..., tuple[Answers, NDArray[np.float64]]]


def draw_classes(seed: int, n: int, k: int, *, missing: float = 0.0) -> tuple[Answers, NDArray[np.float64]]:
    """A classification with K classes; probabilities are coarse, so that many are tied."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    raw = np.round(rng.dirichlet(np.ones(k), n) + 0.4 * np.eye(k)[y], 1) + 0.05
    p = raw / raw.sum(1, keepdims=True)
    y_pred = np.where(rng.random(n) < 0.7, p.argmax(1), rng.integers(0, k, n))
    y = np.where(rng.random(n) < missing, -1, y)
    return Answers(y, y_pred, tuple(f"c{i}" for i in range(k)), p), _weights(rng, n)


def draw_numbers(seed: int, n: int, *, missing: float = 0.0) -> tuple[Answers, NDArray[np.float64]]:
    """A regression; some values are tied, some are zero."""
    rng = np.random.default_rng(seed)
    y = np.round(rng.normal(0, 3, n), 1)
    y_pred = np.round(y + rng.normal(0, 1, n), 1)
    return Answers(np.where(rng.random(n) < missing, np.nan, y), y_pred), _weights(rng, n)


def _weights(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    weight = rng.choice([0.0, 0.5, 1.0, 10.0], n, p=[0.1, 0.2, 0.5, 0.2])
    weight[0] = 1.0
    return weight


@pytest.fixture(scope="session")
def classes() -> Draw:
    """Draws a classification: `classes(seed, n, k, missing=0.0)`."""
    return draw_classes


@pytest.fixture(scope="session")
def numbers() -> Draw:
    """Draws a regression: `numbers(seed, n, missing=0.0)`."""
    return draw_numbers
