"""Two models on the same examples: rows matched by id, classes brought into one order, one truth for both.

``pair = match(first, second, names=("keras.csv", "wide"))``; then ``pair.first`` and ``pair.second`` answer row by row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InvalidInput, Problem
from mlproj.records.columns import canonical
from mlproj.records.predictions import Answers, Predictions, Texts

_ROUNDED = 1e-6
"""Relative difference up to which two numbers are one truth, written with more or fewer digits."""
_MOST_CORRECTED = 0.5
"""Share of differing labels from which ids mean different examples, rather than labels having been corrected."""


@dataclass(frozen=True)
class Matched:
    """Two models' answers to the same examples, in the same order.

    Attributes:
        first: Answers of the first.
        second: Answers of the second, with the first's classes, truth, weights and groups.
        left_out: Examples that only the first and only the second answered.
        relabelled: Labels that differed between the two; those of one side stand for both.
        notes: What else a reader should know.
    """

    first: Predictions
    second: Predictions
    left_out: tuple[int, int]
    relabelled: int
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.first)


def match(
    first: Predictions,
    second: Predictions,
    *,
    names: tuple[str, str] = ("a", "b"),
    judge: Literal["first", "second"] | None = None,
) -> Matched:
    """Brings two models' predictions of one split together.

    Args:
        first: Predictions of one model.
        second: Predictions of the other.
        names: What messages call the two.
        judge: Whose labels and weights count where they differ, as after labels were corrected; None refuses labels
            that differ.

    Raises:
        InvalidInput: When they share no example or label, or their truths cannot be held together.
    """
    one, other = _common_rows(first, second, names)
    left_out = len(first) - len(one), len(second) - len(other)
    a, b = first.select(one), second.select(other)
    labels = _common_labels(a, b, names)
    notes: list[str] = []
    ours, theirs, relabelled = {}, {}, 0
    for name, of_a, of_b in labels:
        x, y = _one_coding(of_a, of_b, names, name)
        x, y, changed = _one_truth(x, y, a.ids, names, name, judge)
        ours[name], theirs[name] = x, y
        relabelled += changed
    if not any(answers.known.any() for answers in ours.values()):
        hint = "Add the column y_true to one of them."
        raise InvalidInput([Problem("y_true", f"neither {names[0]} nor {names[1]} has any for these examples", hint)])
    weight = _one_column(a.weight, b.weight, "weights", names, judge, notes)
    group = _one_column(a.group, b.group, "groups", names, judge, notes)
    lone = [n for n in (*a.labels, *b.labels) if n not in ours] if len(labels) > 1 else []
    notes += [f"Only one of them answers {', '.join(map(repr, dict.fromkeys(lone)))}: left aside."] if lone else []
    return Matched(
        Predictions(a.ids, a.split, ours, weight, group),
        Predictions(a.ids, a.split, theirs, weight, group),
        left_out,
        relabelled,
        tuple(notes),
    )


def _common_rows(
    first: Predictions, second: Predictions, names: tuple[str, str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the common examples in both, in the order of the first."""
    if len(first) == len(second) and np.array_equal(first.ids, second.ids):
        rows = np.arange(len(first))
        return rows, rows
    places: list[dict[str, int]] = []
    for side, name in zip((first, second), names, strict=True):
        place = {id_: row for row, id_ in enumerate(side.ids.tolist())}
        if len(place) < len(side):
            values, counts = np.unique(side.ids, return_counts=True)
            message = f"{name} holds the id {str(values[counts > 1][0])!r} more than once, so rows cannot be matched"
            raise InvalidInput([Problem("id", message, "Give every example an id of its own.")])
        places.append(place)
    common = [id_ for id_ in places[0] if id_ in places[1]]
    if not common:
        shown = " and ".join(
            f"{name} holds {str(side.ids[0])!r}" if len(side) else f"{name} holds none"
            for name, side in zip(names, (first, second), strict=True)
        )
        hint = "Both must answer the same examples: keep the project's ids in a column `id`."
        raise InvalidInput([Problem("id", f"the two have no example in common; {shown}", hint)])
    rows_of = [np.array([place[id_] for id_ in common], dtype=np.int64) for place in places]
    return rows_of[0], rows_of[1]


def _common_labels(a: Predictions, b: Predictions, names: tuple[str, str]) -> Sequence[tuple[str, Answers, Answers]]:
    """Labels that both answer; a single label of each is the same one, whatever it is called."""
    if len(a.labels) == len(b.labels) == 1:
        return [(next(iter(a.labels)), a.answers, b.answers)]
    common = [name for name in a.labels if name in b.labels]
    if not common:
        held = " and ".join(
            f"{name} answers {', '.join(label or 'a single label' for label in side.labels)}"
            for name, side in zip(names, (a, b), strict=True)
        )
        raise InvalidInput([Problem("label", f"the two have no label in common: {held}", "Name columns y_pred:LABEL.")])
    return [(name, a.labels[name], b.labels[name]) for name in common]


def _one_coding(a: Answers, b: Answers, names: tuple[str, str], label: str) -> tuple[Answers, Answers]:
    """Both with the same classes in the same order: those of the first, then what only the second knows."""
    of = f" of {label!r}" if label else ""
    if a.is_classification != b.is_classification:
        kinds = [
            f"{n} holds {'classes' if s.is_classification else 'numbers'}" for n, s in zip(names, (a, b), strict=True)
        ]
        hint = "Name the metric: --metric rmse reads numbers, --metric error classes."
        raise InvalidInput([Problem("y_pred", f"the answers{of} are of two kinds: {' and '.join(kinds)}", hint)])
    if a.classes == b.classes:
        return a, b
    known = {canonical(name) for name in a.classes}
    if not known & {canonical(name) for name in b.classes}:
        shown = " and ".join(f"{n} answers {', '.join(s.classes[:6])}" for n, s in zip(names, (a, b), strict=True))
        raise InvalidInput([Problem("y_pred", f"no class{of} is common to both: {shown}", "Spell classes alike.")])
    classes = (*a.classes, *(name for name in b.classes if canonical(name) not in known))
    return _recoded(a, classes), _recoded(b, classes)


def _recoded(answers: Answers, classes: tuple[str, ...]) -> Answers:
    """The same answers with classes in another order, or among more classes."""
    places = {canonical(name): place for place, name in enumerate(classes)}
    to = np.array([*(places[canonical(name)] for name in answers.classes), -1], dtype=np.int64)
    p = None
    if answers.p is not None:
        p = np.zeros((len(answers.p), len(classes)))
        p[:, to[:-1]] = answers.p
    return Answers(to[answers.y_true], to[answers.y_pred], classes, p)


def _one_truth(
    a: Answers,
    b: Answers,
    ids: Texts,
    names: tuple[str, str],
    label: str,
    judge: Literal["first", "second"] | None,
) -> tuple[Answers, Answers, int]:
    """Both with one truth: what only one knows counts for both; the number of labels that differed."""
    both = a.known & b.known
    if a.is_classification:
        differ = both & (a.y_true != b.y_true)
    else:
        with np.errstate(invalid="ignore"):
            differ = both & ~np.isclose(a.y_true, b.y_true, rtol=_ROUNDED, atol=0.0)
    n = int(differ.sum())
    if n and (judge is None or n > _MOST_CORRECTED * both.sum()):
        row = int(differ.argmax())
        said = " and ".join(f"{name} says {_shown(side, row)}" for name, side in zip(names, (a, b), strict=True))
        what = f"labels of {label!r}" if label else "labels"
        message = f"{n:,} of {int(both.sum()):,} {what} differ, first {str(ids[row])!r}: {said}"
        raise InvalidInput([Problem("y_true", message, "Hold both to one truth: write the same y_true into both.")])
    own, lent = (a, b) if judge != "second" else (b, a)
    truth = np.where(own.known, own.y_true, lent.y_true)
    return replace(a, y_true=truth), replace(b, y_true=truth), n


def _shown(answers: Answers, row: int) -> str:
    value = answers.y_true[row]
    return answers.classes[value] if answers.is_classification else f"{value:g}"


def _one_column(
    a: NDArray[Any] | None,
    b: NDArray[Any] | None,
    what: str,
    names: tuple[str, str],
    judge: Literal["first", "second"] | None,
    notes: list[str],
) -> NDArray[Any] | None:
    """Weights or groups of the common examples, from whoever has them."""
    if a is None or b is None:
        return b if a is None else a
    if not np.array_equal(a, b):
        notes.append(f"Their {what} differ: those of {names[1] if judge == 'second' else names[0]} count for both.")
    return b if judge == "second" else a


def only_one_right(first: Mapping[str, Answers], second: Mapping[str, Answers]) -> tuple[int, int] | None:
    """Answers that only the first and only the second got right, over all labels; None where answers are numbers.

    Args:
        first: Answers of one model by label.
        second: Answers of the other to the same examples.

    Example:
        >>> truth = np.array([0, 0, 1])
        >>> a, b = (Answers(truth, np.array(y), ("no", "yes")) for y in ([0, 0, 0], [0, 1, 1]))
        >>> only_one_right({"": a}, {"": b})
        (1, 1)
    """
    if not all(answers.is_classification for answers in first.values()):
        return None
    ours = theirs = 0
    for name, a in first.items():
        right, other = ((side.y_pred == a.y_true) & a.known for side in (a, second[name]))
        ours, theirs = ours + int((right & ~other).sum()), theirs + int((other & ~right).sum())
    return ours, theirs
