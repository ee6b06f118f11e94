"""Two sets with a planted difference whose truth is known."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.mismatch import Feature, Side
from mlproj.records import Answers, Predictions

Kind = Literal["null", "inputs", "answers", "labels", "apart"]


@dataclass(frozen=True)
class Planted:
    """Inputs (N, 3), classes (N,) and wrong answers (N,) of one set."""

    x: NDArray[np.float64]
    y: NDArray[np.int64]
    wrong: NDArray[np.bool_]


def plant(kind: Kind, n: int, seed: int) -> tuple[Planted, Planted]:
    """Two sets of n examples: two classes, the second set shifted in one way.

    * inputs: the first input is moved by 1, and errors grow with it;
    * answers: the same inputs, 0.2 more errors;
    * labels: class 1, on which errors are five times as frequent, is 0.8 instead of 0.3 of the examples;
    * apart: the inputs do not overlap.
    """
    rng = np.random.default_rng(seed)

    def draw(*, moved: float = 0.0, more: float = 0.0, share: float = 0.3) -> Planted:
        y = (rng.random(n) < share).astype(np.int64)
        x = rng.normal(size=(n, 3))
        x[:, 0] += moved
        x[:, 2] += 1.5 * y
        rate = np.where(y == 1, 0.30, 0.06) if kind == "labels" else 0.1 + 0.25 * (x[:, 0] > 0.5)
        return Planted(x, y, rng.random(n) < rate + more)

    second: dict[Kind, dict[str, float]] = {
        "null": {},
        "inputs": {"moved": 1.0},
        "answers": {"more": 0.2},
        "labels": {"share": 0.8},
        "apart": {"moved": 9.0},
    }
    return draw(), draw(**second[kind])


def as_side(name: str, made: Planted, group: NDArray[np.str_] | None = None) -> Side:
    """A planted set as the judge takes it."""
    n = len(made.y)
    ids = np.array([f"{name}-{i}" for i in range(n)])
    answers = Answers(made.y, np.where(made.wrong, 1 - made.y, made.y), ("no", "yes"))
    split = np.full(n, "dev" if name == "dev" else "train_dev")
    predictions = Predictions(ids, split, {"": answers}, None, group)
    features = [Feature(f"x{i}", made.x[:, i]) for i in range(3)]
    return Side(name, ids, features, group, predictions)
