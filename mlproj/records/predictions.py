"""Per-example predictions: the interchange that every diagnosis reads. N examples, K classes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    Texts: TypeAlias = NDArray[np.str_]
else:
    Texts = NDArray[np.character]  # at run time beartype wants equal dtypes, and "<U5" does not equal "<U0"

SplitName = Literal["train", "train_dev", "dev", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "train_dev", "dev", "test")
SEEN_SPLITS: tuple[SplitName, ...] = SPLITS[:3]
"""The splits that training, search and error analysis may read; test is sealed."""


@dataclass(frozen=True)
class Answers:
    """The truth and a model's answers for one label.

    Attributes:
        y_true: Classification: positions in `classes` as int64 (N,), -1 where the label is missing.
            Regression: float64 (N,), NaN where it is missing. All missing when a foreign file brings none.
        y_pred: Likewise, never missing.
        classes: Class names verbatim, in a fixed order; for a binary label the positive class is `classes[1]`.
            Empty for regression.
        p: Probabilities (N, K), or None when only answers are known.
    """

    y_true: NDArray[Any]
    y_pred: NDArray[Any]
    classes: tuple[str, ...] = ()
    p: NDArray[np.float64] | None = None

    @property
    def is_classification(self) -> bool:
        """Whether the answers are classes."""
        return bool(self.classes)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Mask (N,) of the examples whose label is known."""
        return self.y_true >= 0 if self.is_classification else ~np.isnan(self.y_true)

    def select(self, rows: NDArray[Any]) -> "Answers":
        """The answers at `rows` (a mask or positions)."""
        p = None if self.p is None else self.p[rows]
        return Answers(self.y_true[rows], self.y_pred[rows], self.classes, p)


@dataclass(frozen=True)
class Predictions:
    """Per-example predictions of one model: what every diagnosis reads.

    Attributes:
        ids: Example ids as text (N,).
        split: Name of each example's split (N,).
        labels: Answers by label name; a single label without a name of its own is called "".
        weight: Weights in the metric (N,), or None when all weigh 1.
        group: Group of each example (N,), or None.
        more: Further columns of a foreign file, carried along.
    """

    ids: Texts
    split: Texts
    labels: Mapping[str, Answers]
    weight: NDArray[np.float64] | None = None
    group: Texts | None = None
    more: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def answers_are_classes(self) -> bool:
        """Whether the answers are classes, not numbers."""
        return all(answers.is_classification for answers in self.labels.values())

    @property
    def answers(self) -> Answers:
        """The answers of a single label.

        Raises:
            ValueError: When there are several.
        """
        if len(self.labels) != 1:
            raise ValueError(f"these predictions have {len(self.labels)} labels: {', '.join(self.labels)}")
        return next(iter(self.labels.values()))

    def select(self, rows: NDArray[Any]) -> "Predictions":
        """The predictions at `rows` (a mask or positions)."""
        return Predictions(
            self.ids[rows],
            self.split[rows],
            {name: answers.select(rows) for name, answers in self.labels.items()},
            None if self.weight is None else self.weight[rows],
            None if self.group is None else self.group[rows],
            {name: column[rows] for name, column in self.more.items()},
        )

    def part(self, split: str) -> "Predictions":
        """The predictions of one split."""
        return self.select(self.split == split)

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits present, in ladder order."""
        present = set(np.unique(self.split).tolist())
        return tuple(name for name in SPLITS if name in present)
