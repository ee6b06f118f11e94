"""Answers of another tool in the project's own classes: `1.0` is `1`, `TRUE` is `true`, 1 is yes. N rows, K classes."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InvalidInput, Problem
from mlproj.records import Answers, Predictions
from mlproj.records.columns import canonical

if TYPE_CHECKING:
    from mlproj.data import Target

_PAIRS = (("0", "1"), ("no", "yes"), ("false", "true"), ("n", "y"), ("f", "t"))
"""Words for the negative and the positive class that mean the same."""
_SHOWN = 10


def spell_like(names: Sequence[str], ours: Sequence[str]) -> list[str | None]:
    """Each name as one of our classes; None where it is none of them.

    Numbers are compared as numbers, words without their case unless two classes differ by it alone, and of two classes
    0 and 1, no and yes, false and true mean the same.

    Example:
        >>> spell_like(["1.0", "0"], ["0", "1"]), spell_like(["True"], ["no", "yes"]), spell_like(["cow"], ["cat"])
        (['1', '0'], ['yes'], [None])
    """
    exact = {canonical(name): name for name in ours}
    folded = {name.strip().casefold(): name for name in ours}
    lenient = folded if len(folded) == len(ours) else {}
    words = _same_words(ours)
    found = []
    for name in names:
        text = canonical(name.strip())
        lower = text.casefold()
        found.append(exact.get(text) or lenient.get(lower) or words.get(lower))
    other = [name for name in ours if name not in found]
    if len(ours) == 2 and len(other) == 1 and None in found:  # of a file with one probability: "not churned"
        known = next((name for name in names if f"not {name}" in names), None)
        found = [
            other[0] if known and name == f"not {known}" else meant for name, meant in zip(names, found, strict=True)
        ]
    return found


def _same_words(ours: Sequence[str]) -> dict[str, str]:
    """Further words for the classes of a yes/no label."""
    if len(ours) != 2 or tuple(name.casefold() for name in ours) not in _PAIRS:
        return {}
    return {word: ours[side] for pair in _PAIRS for side, word in enumerate(pair)}


def in_our_classes(predictions: Predictions, target: "Target", path: Path) -> dict[str, Answers]:
    """Answers by label, in the project's classes and their order.

    Args:
        predictions: What another tool said.
        target: The project's label.
        path: The file, for messages.

    Raises:
        InvalidInput: When the answers cannot be held against the label: no column, another kind, unknown classes.
    """
    if problems := list(_strange_answers(predictions, target, path)):
        raise InvalidInput(problems)
    if target.kind == "regression":
        return dict(predictions.labels)
    return {
        name: _reordered(predictions.labels[name], classes)
        for name, classes in zip(target.names, target.classes, strict=True)
    }


def widened(answers: Answers, classes: Sequence[str]) -> Answers:
    """The answers, able to name every class of the project: one that was never answered is still a truth.

    Args:
        answers: Truth and answers of one label.
        classes: The classes that it has to be able to name.
    """
    more = tuple(name for name in classes if name not in answers.classes)
    p = answers.p
    if p is not None and more:
        p = np.hstack([p, np.zeros((len(p), len(more)))])
    return replace(answers, classes=(*answers.classes, *more), p=p)


def _reordered(answers: Answers, classes: Sequence[str]) -> Answers:
    """The same answers as positions in `classes`; a class that the other tool does not know has probability 0."""
    place = np.array([classes.index(str(name)) for name in spell_like(answers.classes, classes)], dtype=np.int64)
    p = answers.p
    if p is not None:
        p = np.zeros((len(p), len(classes)))
        p[:, place] = answers.p
    y_true = np.where(answers.y_true < 0, -1, place[answers.y_true])
    return replace(answers, y_true=y_true, y_pred=place[answers.y_pred], classes=tuple(classes), p=p)


def _strange_answers(predictions: Predictions, target: "Target", path: Path) -> Iterator[Problem]:
    several = len(target.names) > 1
    for column, name in enumerate(target.names):
        where = f"y_pred:{name}" if name else "y_pred"
        if name not in predictions.labels:
            there = ", ".join(f"y_pred:{label}" if label else "y_pred" for label in predictions.labels)
            hint = f"Add the column {where}." if several else "Call it y_pred: the project has one label."
            yield Problem(where, f"the label has no answers; the file holds {there}", hint, str(path))
            continue
        answers, is_number = predictions.labels[name], target.kind == "regression"
        if answers.is_classification == is_number:
            held, meant = ("classes", "a number") if is_number else ("numbers", "a class")
            hint = "Give predicted numbers." if is_number else "Give classes in y_pred, or probabilities in p_<class>."
            yield Problem(where, f"holds {held}, but the project's label is {meant}", hint, str(path))
        elif answers.is_classification:
            yield from _unknown_classes(answers, target.classes[column], where, path)
    for label in predictions.labels:
        if label not in target.names:
            names = ", ".join(target.labels)
            hint = f"The project's label{'s are' if several else ' is'} {names}."
            yield Problem(f"y_pred:{label}", "is no label of the project", hint, str(path))


def _unknown_classes(answers: Answers, ours: Sequence[str], where: str, path: Path) -> Iterator[Problem]:
    """Classes that the label does not have; one that is neither answered nor true in any row does no harm there."""
    meant = spell_like(answers.classes, ours)
    strange = [name for name, known in zip(answers.classes, meant, strict=True) if known is None]
    if not strange:
        if len(set(meant)) < len(meant):
            shown = ", ".join(answers.classes[:_SHOWN])
            yield Problem(where, f"answers {shown}, of which several are one class", "Spell them alike.", str(path))
        return
    shown = ", ".join(ours[:_SHOWN]) + (", …" if len(ours) > _SHOWN else "")
    near = difflib.get_close_matches(strange[0], ours, n=1)
    hint = f"Did you mean `{near[0]}`?" if near else "Spell them alike."
    if all(name.isdecimal() for name in strange) and len(strange) <= len(ours) and not near:
        order = ", ".join(f"{position} for {name}?" for position, name in enumerate(ours[:_SHOWN]))
        hint = f"Write the names instead of positions, in the order that the other tool uses ({order})."
    yield Problem(where, f"answers {', '.join(strange[:_SHOWN])}, but the classes are {shown}", hint, str(path))


def positions_of(values: Sequence[Any], classes: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    """Positions of answers (N,) among the classes, −1 for those that are none, and those.

    Args:
        values: Answers (N,).
        classes: Class names.
    """
    texts = [str(value) for value in values]
    distinct = list(dict.fromkeys(texts))
    meant: Mapping[str, str | None] = dict(zip(distinct, spell_like(distinct, classes), strict=True))
    place = {name: position for position, name in enumerate(classes)}
    codes = {text: -1 if name is None else place[name] for text, name in meant.items()}
    return np.array([codes[text] for text in texts], dtype=np.int64), [t for t, c in codes.items() if c < 0]
