"""People who label by chance, with probabilities that are known, so that the truth about them is known too."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.annotators import Votes


def draw_answers(rng: np.random.Generator, p: NDArray[np.float64], m: int) -> NDArray[np.int64]:
    """Independent labels (I, m) with the probabilities p (I, K)."""
    drawn = (rng.random((len(p), m, 1)) > p.cumsum(axis=1)[:, None, :]).sum(axis=2)
    return np.minimum(drawn, p.shape[1] - 1)


def make_votes(answers: NDArray[Any], truth: NDArray[Any], classes: Sequence[str], **more: Any) -> Votes:
    """Labels (I, m) of m people, −1 (NaN for numbers) where one gave none."""
    n, m = answers.shape
    item, person = np.repeat(np.arange(n), m), np.tile(np.arange(m), n)
    given = answers.ravel() >= 0 if classes else ~np.isnan(answers.ravel())
    people = tuple("abcdefghijklmnop"[:m])
    return Votes(item[given], person[given], answers.ravel()[given], people, tuple(classes), truth, **more)


def unknown(n: int) -> NDArray[np.int64]:
    """A truth that nobody knows."""
    return np.full(n, -1, dtype=np.int64)
