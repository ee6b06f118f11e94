"""The label as numbers that training can use, and back. N examples, L labels, K outputs.

A single binary label has one logit, several yes/no labels one each, several classes one logit per class, and a
quantity one value, standardised on train (after its logarithm when `label_scale` is log). A fitted target is plain
data: it goes through JSON and comes back equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlproj.data.cells import find_texts, measure_spread, read_numbers, read_texts, read_truths, to_text
from mlproj.data.late import pc, pd
from mlproj.data.task import Task, is_several, list_classes, order_classes, read_known
from mlproj.errors import InvalidInput, Problem
from mlproj.records import Answers
from mlproj.spec.project import Project

Kind = Literal["binary", "multiclass", "regression"]
_OPPOSITES = {"1": "0", "yes": "no", "true": "false", "y": "n", "t": "f"}
_MAX_LOG = 700.0  # exp beyond it is infinite in float64


@dataclass(frozen=True)
class Target:
    """How a label is learned and how outputs become answers again.

    Attributes:
        kind: binary (one logit per label), multiclass (one logit per class) or regression (one value).
        labels: Label columns (L of them).
        classes: Class names of each label; of two classes the second is the positive one. Empty for regression.
        positive_named: Whether the positive class is known: declared, or one of 1, true and yes.
        several: Whether the label is a list of yes/no columns, any of which may be missing.
        mean: Mean of the label on train, on the scale on which it is learned.
        std: Its standard deviation there; 1 where it does not vary.
        log: Whether it is learned as its logarithm.
    """

    kind: Kind
    labels: tuple[str, ...]
    classes: tuple[tuple[str, ...], ...] = ()
    positive_named: bool = True
    several: bool = False
    mean: float = 0.0
    std: float = 1.0
    log: bool = False

    @classmethod
    def fit(
        cls,
        project: Project,
        frame: pd.DataFrame,
        *,
        labels: Sequence[str],
        task: Task,
        train: NDArray[np.bool_],
    ) -> Target:
        """Learns the classes from all rows given, mean and standard deviation from the train rows only.

        Args:
            project: With `data.positive` and `data.label_scale`.
            frame: Raw rows that may be seen, with the label columns.
            labels: Label columns.
            task: Classification or regression.
            train: Mask (N,) of the train rows.

        Raises:
            InvalidInput: When `data.positive` does not fit the classes.
        """
        if task == "regression":
            log = project.data.label_scale == "log"
            values = read_numbers(frame[labels[0]])[0][train]
            values = np.log(values[values > 0]) if log else values
            mean, std = measure_spread(values[np.isfinite(values)])
            return cls("regression", tuple(labels), mean=mean, std=std, log=log)
        if is_several(project):
            return cls("binary", tuple(labels), tuple(_yes_no(frame[name]) for name in labels), several=True)
        cells = frame[labels[0]]
        classes, named = order_classes(project, pc.unique(read_texts(cells[read_known(cells)])).to_pylist())
        return cls("binary" if len(classes) == 2 else "multiclass", tuple(labels), (classes,), named)

    @property
    def n_outputs(self) -> int:
        """Number of outputs K that a model needs."""
        return len(self.labels) if self.kind == "binary" else len(self.classes[0]) if self.kind == "multiclass" else 1

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the labels in predictions: a single label is called ""."""
        return self.labels if len(self.labels) > 1 else ("",)

    def encode(self, frame: pd.DataFrame) -> NDArray[Any]:
        """The labels of raw rows as numbers.

        Args:
            frame: Raw rows with the label columns.

        Returns:
            binary: float32 (N, L) of 0, 1 and NaN for missing; multiclass: int64 (N, 1) of class positions, −1 for
            missing; regression: float64 (N, 1) in the original unit, NaN for missing.

        Raises:
            InvalidInput: When a label is none that was learned.
        """
        if self.kind == "regression":
            values, bad = read_numbers(frame[self.labels[0]])
            self._refuse(frame[self.labels[0]], bad)
            return values[:, None]
        if self.several:
            read = [read_truths(frame[name]) for name in self.labels]
            for name, (_, bad) in zip(self.labels, read, strict=True):
                self._refuse(frame[name], bad)
            return np.column_stack([values for values, _ in read]).astype(np.float32)
        codes = self._codes(frame[self.labels[0]])
        if self.kind == "multiclass":
            return codes[:, None]
        return np.where(codes < 0, np.nan, codes).astype(np.float32)[:, None]

    def to_learn(self, y: NDArray[Any]) -> NDArray[Any]:
        """Encoded labels on the scale on which they are learned: regression standardised, the others as they are.

        Example:
            >>> Target("regression", ("price",), mean=2.0, std=0.5).to_learn(np.array([[3.0]]))
            array([[2.]], dtype=float32)
        """
        if self.kind != "regression":
            return y
        return (((np.log(y) if self.log else y) - self.mean) / self.std).astype(np.float32)

    def decode(
        self,
        outputs: NDArray[Any],
        y: NDArray[Any] | None = None,
        threshold: float | NDArray[np.float64] = 0.5,
        *,
        with_p: bool = True,
    ) -> dict[str, Answers]:
        """A model's raw outputs as answers, or those of many models at once.

        Args:
            outputs: Logits, or standardised values for regression (…, N, K).
            y: The encoded truth (N, L); all missing without it.
            threshold: Probability from which a binary answer is the positive class; one, or one per model (…).
            with_p: Whether probabilities are needed; without them several classes are a good deal faster.

        Returns:
            Answers by label name; a single label is called "".

        Example:
            >>> answers = Target("binary", ("cat",), (("no", "yes"),)).decode(np.array([[2.0], [-2.0]]))[""]
            >>> answers.y_pred.tolist(), answers.p.round(3).tolist()
            ([1, 0], [[0.119, 0.881], [0.881, 0.119]])
        """
        n = outputs.shape[-2]
        if self.kind == "multiclass" and not with_p:
            return {"": Answers(_codes_of(y, 0, n), outputs.argmax(axis=-1).astype(np.int64), self.classes[0])}
        outputs = np.asarray(outputs, dtype=np.float64)
        if self.kind == "regression":
            true = np.full(n, np.nan) if y is None else y[:, 0].astype(np.float64)
            return {"": Answers(true, self._from_learned(outputs[..., 0]))}
        if self.kind == "multiclass":
            p = _softmax(outputs)
            return {"": Answers(_codes_of(y, 0, n), p.argmax(axis=-1).astype(np.int64), self.classes[0], p)}
        positive, least = _sigmoid(outputs), np.asarray(threshold)[..., None]
        return {
            name: Answers(
                _codes_of(y, i, n),
                (positive[..., i] >= least).astype(np.int64),
                self.classes[i],
                np.stack([1 - positive[..., i], positive[..., i]], axis=-1),
            )
            for i, name in enumerate(self.names)
        }

    def to_json(self) -> dict[str, Any]:
        """The target as plain data."""
        return asdict(self) | {"labels": list(self.labels), "classes": [list(names) for names in self.classes]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Target:
        """The target that `to_json` wrote."""
        classes = tuple(tuple(names) for names in document["classes"])
        return cls(**{**document, "labels": tuple(document["labels"]), "classes": classes})

    def _codes(self, cells: pd.Series[Any]) -> NDArray[np.int64]:
        """Class positions (N,), −1 where the label is missing."""
        known = read_known(cells)
        codes = find_texts(read_texts(cells), self.classes[0])
        self._refuse(cells, known & (codes < 0))
        return np.where(known, codes, -1)

    def _refuse(self, cells: pd.Series[Any], bad: NDArray[np.bool_]) -> None:
        if not bad.any():
            return
        row = int(bad.argmax())
        allowed = (
            "a number" if self.kind == "regression" else "yes or no" if self.several else list_classes(self.classes[0])
        )
        message = f"row {row + 1} holds {to_text(cells.iloc[row])!r}; the label this model learned is {allowed}"
        raise InvalidInput([Problem(f"column {cells.name!r}", message)])

    def _from_learned(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        values = z * self.std + self.mean
        return np.exp(np.minimum(values, _MAX_LOG)) if self.log else values


def _yes_no(cells: pd.Series[Any]) -> tuple[str, str]:
    """How a yes/no column spells its two classes, the usual counterpart where only one occurs."""
    values, _ = read_truths(cells)
    counted = [
        pd.Series(read_texts(cells[values == value]).to_pylist(), dtype=object).value_counts() for value in (0, 1)
    ]
    no, yes = (str(counts.index[0]) if len(counts) else "" for counts in counted)
    back = {no: yes for yes, no in _OPPOSITES.items()}
    if no.lower() not in _OPPOSITES.values() and yes:
        no = _like(yes, _OPPOSITES[yes.lower()])
    elif not yes and no:
        yes = _like(no, back[no.lower()])
    return no or "0", yes or "1"


def _like(model: str, word: str) -> str:
    """A word in the letter case of another."""
    return word.upper() if model.isupper() and len(model) > 1 else word.capitalize() if model[0].isupper() else word


def _codes_of(y: NDArray[Any] | None, label: int, n: int) -> NDArray[np.int64]:
    if y is None:
        return np.full(n, -1, np.int64)
    column = y[:, label]
    return (
        column.astype(np.int64) if column.dtype.kind == "i" else np.where(np.isnan(column), -1, column).astype(np.int64)
    )


def _sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """1/(1 + e⁻ᶻ) without overflow on either side."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def _softmax(z: NDArray[np.float64]) -> NDArray[np.float64]:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True), np.float64)
