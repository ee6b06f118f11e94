"""The labels of several people, read from columns of the data or from a file of id, annotator and label. I items.

Whatever they say of the sealed test set is left aside, unseen.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InvalidInput, Problem
from mlproj.metrics.annotators import Votes
from mlproj.records import Answers, Predictions, Texts
from mlproj.records.columns import Columns
from mlproj.records.ids import explain_strangers, match_ids
from mlproj.workflow.spelling import spell_like

if TYPE_CHECKING:
    from mlproj.data import Dataset

FORM = "One row per label, with the columns id, annotator and label."
_SHOWN = 3
Blame = Callable[[str, str], Problem]
"""Makes a problem of a message and a hint, at the key or option that named the labels."""


@dataclass(frozen=True)
class Items:
    """The examples that people may have labelled. I items.

    Attributes:
        ids: Their ids (I,).
        split: Their splits (I,).
        truth: What the data say of them, with the classes; the answers are blank.
        weight: Their weights in the metric (I,), or None.
        group: Their groups (I,), or None.
        aside: Ids that exist and may not be seen, or lie in no split.
        of_target: Mask (I,) of those from the target distribution, in whatever split; None where splits tell.
    """

    ids: Texts
    split: Texts
    truth: Answers
    weight: NDArray[np.float64] | None = None
    group: Texts | None = None
    aside: Texts | None = None
    of_target: NDArray[np.bool_] | None = None

    @classmethod
    def of_dataset(cls, dataset: "Dataset") -> "Items":
        """All examples of a project that may be seen."""
        data, parts = dataset.project.data, list(dataset.parts.values())
        y = np.concatenate([part.y for part in parts])
        truth = dataset.target.decode(np.zeros((len(y), dataset.target.n_outputs)), y)[""]
        weight = [part.weight for part in parts if part.weight is not None]
        group = [part.group for part in parts if part.group is not None]
        return cls(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([np.full(len(part), part.name) for part in parts]),
            Answers(truth.y_true, truth.y_true, truth.classes),
            np.concatenate(weight) if weight else None,
            np.concatenate(group) if group else None,
            dataset.deal.ids[~dataset.deal.seen],
            # with `time` the target is what comes later, whichever file it is from
            None if data.time else np.concatenate([part.source for part in parts]) < len(data.sources),
        )

    @classmethod
    def of_predictions(cls, predictions: Predictions) -> "Items":
        """The rows of a predictions file that stands for itself."""
        answers = predictions.answers
        truth = Answers(answers.y_true, answers.y_true, answers.classes)
        return cls(predictions.ids, predictions.split, truth, predictions.weight, predictions.group)


@dataclass(frozen=True)
class Labelled:
    """Labels that people gave, with the split of each item (I,) and what was left aside."""

    votes: Votes
    split: Texts
    left_aside: int = 0
    of_target: NDArray[np.bool_] | None = None


def of_columns(cells: Mapping[str, Any], items: Items, blame: Blame) -> Labelled:
    """Labels that stand in columns, one per person.

    Args:
        cells: Raw cells (I,) by column.
        items: The examples, in the order of the cells.
        blame: Makes a problem of what is wrong.

    Raises:
        InvalidInput: When cells are no classes or no numbers, or every one is empty.
    """
    found, problems = [], []
    for name, raw in cells.items():
        columns = Columns("", {name: _arrow(raw)}, first_row=1)
        row, answer, strange = _read(columns, name, items.truth.classes)
        problems += [blame(f"column {name!r} {message}", hint) for message, hint in strange]
        found.append((row, answer))
    people = tuple(cells)
    counts = [len(row) for row, _ in found]
    if not problems and not sum(counts):
        problems.append(blame(f"all {len(items.ids):,} cells are empty", "Name columns that hold labels."))
    problems += [blame(f"column {name!r} is empty", "Leave it out.") for name, n in zip(people, counts, strict=True)
                 if not n and not problems]  # fmt: skip
    if problems:
        raise InvalidInput(problems)
    item = np.concatenate([row for row, _ in found])
    person = np.repeat(np.arange(len(people)), counts)
    votes = _votes(item, person, np.concatenate([a for _, a in found]), people, items)
    return Labelled(votes, items.split, 0, items.of_target)


def of_file(path: Path, items: Items, blame: Blame, id_column: str | None = None) -> Labelled:
    """Labels that stand in a file, one row each.

    Args:
        path: A .csv or .parquet file with id, annotator and label.
        items: The examples that are known.
        blame: Makes a problem of what is wrong with the file as a whole.
        id_column: What the project calls the ids, which the file may do too.

    Raises:
        InvalidInput: With everything that is wrong with it: columns, ids, labels, somebody who labelled twice.
    """
    from mlproj.records.loading import load_columns

    if not path.is_file():
        raise InvalidInput([blame(f"{path} does not exist", FORM)])
    columns = load_columns(path)
    key = next((name for name in ("id", id_column) if name in columns.names), "id")
    if missing := list(_missing(columns, key, path)):
        raise InvalidInput(missing)
    ids, who = columns.names_in(key, what="the example"), columns.names_in("annotator", what="who labelled it")
    columns.check()
    known = match_ids(ids, items.ids)
    aside = np.zeros(len(ids), np.bool_) if items.aside is None else (match_ids(ids, items.aside) >= 0) & (known < 0)
    row, answer, strange = _read(columns, "label", items.truth.classes)
    problems = [Problem("column label", message, hint, str(path)) for message, hint in strange]
    problems += _strangers(ids[(known < 0) & ~aside], len(ids), items, key, path)
    keep = known[row] >= 0
    people, person = np.unique(who[row[keep]], return_inverse=True)
    problems += _twice(known[row[keep]], person, ids[row[keep]], people, path)
    if not problems and not keep.any():
        why = "are of the sealed test set, or of examples without a label" if len(answer) else "are empty"
        problems.append(Problem("column label", f"all its labels {why}", "Label examples of train or dev.", str(path)))
    if problems:
        raise InvalidInput(problems)
    votes = _votes(known[row[keep]], person.astype(np.int64), answer[keep], tuple(people.tolist()), items)
    return Labelled(votes, items.split, len(np.unique(ids[aside])), items.of_target)


def _votes(
    item: NDArray[np.int64], person: NDArray[Any], answer: NDArray[Any], people: tuple[str, ...], items: Items
) -> Votes:
    truth = items.truth
    return Votes(item, person.astype(np.int64), answer, people, truth.classes, truth.y_true, items.weight, items.group)


def _read(
    columns: Columns, name: str, classes: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[Any], list[tuple[str, str]]]:
    """Rows with a label, the labels, and what is wrong with others as messages and hints."""
    if not classes:
        if not columns.is_numeric(name):
            texts = [text for text in columns.text(name)[0] if not _is_number(text)]
            return (
                np.zeros(0, np.int64),
                np.zeros(0),
                [(f"holds {_some(texts)}, but the label is a number", "Correct or empty such cells.")],
            )
        values = columns.numbers(name, what="a label", missing=True)
        rows = np.flatnonzero(np.isfinite(values))
        return rows, values[rows], []
    texts, codes = columns.text(name)
    meant = spell_like(texts, classes)
    strange = [text for text, known in zip(texts, meant, strict=True) if known is None]
    position = np.array([-1 if known is None else classes.index(known) for known in meant] + [-1], dtype=np.int64)
    answer = position[codes]
    rows = np.flatnonzero(answer >= 0)
    return rows, answer[rows], [_strange_label(strange, classes)] if strange else []


def _strange_label(strange: Sequence[str], classes: Sequence[str]) -> tuple[str, str]:
    import difflib

    shown = ", ".join(classes[:8]) + (", …" if len(classes) > 8 else "")
    near = difflib.get_close_matches(strange[0], classes, n=1)
    hint = f"Did you mean `{near[0]}`?" if near else "Leave the cell empty where somebody could not tell."
    return f"holds {_some(strange)}, but the classes are {shown}", hint


def _missing(columns: Columns, key: str, path: Path) -> Iterator[Problem]:
    import difflib

    for name in (key, "annotator", "label"):
        if name not in columns:
            near = difflib.get_close_matches(name, columns.names, n=1)
            hint = f"Did you mean `{near[0]}`? {FORM}" if near else FORM
            yield Problem("", f"has no column {name!r}", hint, str(path))


def _strangers(strange: Texts, n: int, items: Items, key: str, path: Path) -> Iterator[Problem]:
    if not len(strange):
        return
    shown = _some(list(dict.fromkeys(strange.tolist())))
    known = items.ids.tolist()
    hint = (
        explain_strangers(strange.tolist(), known)
        or f"Ids look like {known[0]!r}: `mlproj split --out FILE` lists them."
    )
    yield Problem(f"column {key}", f"{len(strange):,} of {n:,} ids are not in the data: {shown}", hint, str(path))


def _twice(item: NDArray[Any], person: NDArray[Any], ids: Texts, people: Texts, path: Path) -> Iterator[Problem]:
    pairs, first, counts = np.unique(np.column_stack([item, person]), axis=0, return_index=True, return_counts=True)
    again = np.flatnonzero(counts > 1)
    if len(again):
        who, what = str(people[pairs[again[0], 1]]), str(ids[first[again[0]]])
        message = f"{who} labelled {what!r} {counts[again[0]]} times" + (
            f", and {len(again) - 1:,} more such" if len(again) > 1 else ""
        )
        yield Problem("column annotator", message, "Keep one label of each person per example.", str(path))


def _some(texts: Sequence[str]) -> str:
    counted = list(Counter(texts))
    return ", ".join(map(repr, counted[:_SHOWN])) + (", …" if len(counted) > _SHOWN else "")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _arrow(raw: Any) -> Any:
    import pyarrow as pa

    if hasattr(raw, "dtype") and raw.dtype == object:
        values = raw.tolist()
        kinds = {type(value) for value in values if value is not None and value == value}  # noqa: PLR0124  # NaN
        raw = values if len(kinds) < 2 else [None if v is None or v != v else str(v) for v in values]  # noqa: PLR0124
    return pa.chunked_array([pa.array(raw, from_pandas=True)])
