"""Truth, answers and probabilities from the columns of a predictions file. N rows, K classes.

One label: `y_true, y_pred, p_<class>`. Several: `y_true:L, y_pred:L, p:L` (the probability of yes) or `p:L:CLASS`.
"""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlproj.records.columns import Columns, canonical
from mlproj.records.predictions import Answers

Kind = Literal["classification", "regression"]
POSITIVE_NAMES = ("1", "true", "yes")
"""Classes that are the positive one of two unless someone says otherwise."""
_OPPOSITES = {"1": "0", "0": "1", "true": "false", "false": "true", "yes": "no", "no": "yes"}
_OTHER_NAMES = ("yhat", "y_hat", "pred", "preds", "prediction", "predictions", "predicted", "answer", "output")
_MOST_CLASSES = 20
"""Whole numbers with more distinct values than this are taken for a quantity."""
_SUM_TOLERANCE = 0.02
"""Probabilities written with two digits may miss a sum of one by that much."""


@dataclass
class LabelColumns:
    """The columns that speak of one label.

    Attributes:
        label: Its name; "" for a single label.
        truth: Column of the truth, or None.
        answer: Column of the answers, or None.
        p: Columns of probabilities by class name; the name "" stands for yes.
    """

    label: str
    truth: str | None = None
    answer: str | None = None
    p: dict[str, str] = field(default_factory=dict)


def find_labels(columns: Columns) -> list[LabelColumns]:
    """Which columns speak of which label; a file without any answers is noted as a problem."""
    several = [name for name in columns.names if name.startswith(("y_true:", "y_pred:", "p:"))]
    found = _several(several) if several else [_single(columns)]
    single = [name for name in columns.names if name in ("y_true", "y_pred") or name.startswith("p_")]
    if several and single:
        message = f"the columns {single[0]} and {several[0]} mix one label with several"
        columns.refuse("", message, f"With several labels each column names its own, such as {single[0]}:LABEL.")
    for part in found:
        if part.answer is None and not part.p:
            wanted = f"y_pred:{part.label} or p:{part.label}" if part.label else "y_pred or p_<class>"
            columns.refuse("", f"has no column {wanted}, so there are no answers", _suggest(columns.names))
    return found


def _single(columns: Columns) -> LabelColumns:
    p = {name.removeprefix("p_"): name for name in columns.names if name.startswith("p_")}
    return LabelColumns("", _if_in(columns, "y_true"), _if_in(columns, "y_pred"), p)


def _if_in(columns: Columns, name: str) -> str | None:
    return name if name in columns else None


def _several(names: Sequence[str]) -> list[LabelColumns]:
    found: dict[str, LabelColumns] = {}
    for name in names:
        role, _, label = name.partition(":")
        if role != "p":
            part = found.setdefault(label, LabelColumns(label))
            part.truth, part.answer = (name, part.answer) if role == "y_true" else (part.truth, name)
    for name in (name for name in names if name.startswith("p:")):
        rest = name.removeprefix("p:")
        owners = [label for label in found if rest == label or rest.startswith(f"{label}:")]
        label = max(owners, key=len) if owners else rest.partition(":")[0]
        found.setdefault(label, LabelColumns(label)).p[rest.removeprefix(label).removeprefix(":")] = name
    return list(found.values())


def read_answers(columns: Columns, part: LabelColumns, kind: Kind | None, positive: str | None) -> Answers:
    """The answers for one label; whatever cannot be read is noted in `columns`.

    Args:
        columns: The file.
        part: The label's columns.
        kind: What its values are, where that is known; otherwise it is inferred: probabilities or texts mean classes,
            whole numbers with at most 20 distinct values too, other numbers a quantity.
        positive: The positive class of two, where that is known.
    """
    if (kind or infer_kind(columns, part)) == "regression":
        return _quantities(columns, part)
    return _classes(columns, part, positive)


def could_be_numbers(columns: Columns, part: LabelColumns) -> bool:
    """Whether nothing about a label's columns says that they hold classes."""
    names = [name for name in (part.truth, part.answer) if name]
    return not part.p and part.label not in _schema(columns) and all(columns.is_numeric(name) for name in names)


def infer_kind(columns: Columns, part: LabelColumns) -> Kind:
    """What a label's values are, by its columns alone."""
    names = [name for name in (part.truth, part.answer) if name]
    if not could_be_numbers(columns, part):
        schema = _schema(columns).get(part.label)
        return "regression" if schema == [] else "classification"
    for name in names:
        values = columns.numbers(name, what="numbers", missing=True)
        known = values[~np.isnan(values)]
        if np.any(known != np.floor(known)) or len(np.unique(known)) > _MOST_CLASSES:
            return "regression"
    return "classification"


def _quantities(columns: Columns, part: LabelColumns) -> Answers:
    if part.p:
        hint = "Ask for a metric of classes such as error, or drop the probabilities."
        columns.refuse(
            f"column {next(iter(part.p.values()))}", "holds a probability, but the answers are numbers", hint
        )
    answer = columns.numbers(part.answer, what="a prediction") if part.answer else np.full(len(columns), np.nan)
    truth = columns.numbers(part.truth, what="the truth", missing=True) if part.truth else np.full_like(answer, np.nan)
    return Answers(truth, answer)


def _classes(columns: Columns, part: LabelColumns, positive: str | None) -> Answers:
    n = len(columns)
    nothing: tuple[list[str], NDArray[np.int64]] = ([], np.full(n, -1, dtype=np.int64))
    truth_texts, truth = columns.text(part.truth) if part.truth else nothing
    answer_texts, answer = columns.text(part.answer) if part.answer else nothing
    names = _name_classes(columns, part, (truth_texts, answer_texts), positive)
    y_true = _place(columns, part.truth, truth_texts, truth, names)
    y_pred = _place(columns, part.answer, answer_texts, answer, names)
    p = _probabilities(columns, part, names) if part.p else None
    if part.answer:
        columns.note(part.answer, np.flatnonzero(answer < 0), "is no answer", "Every row needs a prediction.")
        _refuse_strangers(columns, part, truth_texts, answer_texts)
    elif p is not None:
        y_pred = (p[:, 1] >= 0.5).astype(np.int64) if len(names) == 2 else p.argmax(axis=1).astype(np.int64)
    return Answers(y_true, y_pred, names, p)


def _name_classes(
    columns: Columns, part: LabelColumns, texts: tuple[list[str], list[str]], positive: str | None
) -> tuple[str, ...]:
    """All classes, in a fixed order; of two, the positive one last."""
    schema = _schema(columns).get(part.label)
    if schema:
        return tuple(schema)
    seen = list(dict.fromkeys(canonical(text) for text in [*texts[0], *texts[1]]))
    spelled = {canonical(text): text for text in [*texts[1], *texts[0]]}
    if len(part.p) > 1:
        named = list(part.p)
        return _order(named, positive) if len(named) == 2 else tuple(named)
    if part.p:
        yes = next(iter(part.p)) or next((name for name in seen if _is_positive(name, positive)), "")
        others = [spelled[name] for name in seen if name != canonical(yes)]
        yes = yes or (others.pop() if len(others) == 2 else "1")
        if len(others) > 1:
            column, shown = next(iter(part.p.values())), ", ".join(others[:4])
            columns.refuse(f"column {column}", f"is the only probability, but there are further classes: {shown}")
        return (others[0] if others else _OPPOSITES.get(yes.lower(), f"not {yes}"), yes)
    if len(seen) == 1 and seen[0].lower() in _OPPOSITES:
        seen.append(_OPPOSITES[seen[0].lower()])
    return _order([spelled.get(name, name) for name in seen], positive)


def _order(names: Sequence[str], positive: str | None) -> tuple[str, ...]:
    try:
        ordered = sorted(names, key=float)
    except ValueError:
        ordered = sorted(names)
    if len(ordered) == 2 and _is_positive(ordered[0], positive) and not _is_positive(ordered[1], positive):
        ordered.reverse()
    return tuple(ordered)


def _is_positive(name: str, positive: str | None) -> bool:
    return canonical(name) == canonical(positive) if positive is not None else name.lower() in POSITIVE_NAMES


def _place(
    columns: Columns, column: str | None, texts: Sequence[str], codes: NDArray[np.int64], names: Sequence[str]
) -> NDArray[np.int64]:
    """Positions in `names` (N,), −1 where the cell is missing; texts that are no class are noted."""
    if column is None:
        return codes
    positions = {canonical(name): place for place, name in enumerate(names)} | {n: i for i, n in enumerate(names)}
    moved = np.array([positions.get(text, positions.get(canonical(text), -1)) for text in texts] + [-1], dtype=np.int64)
    for code in np.flatnonzero(moved[:-1] < 0)[:3]:
        near = difflib.get_close_matches(texts[code], names, n=1)
        shown = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
        hint = f"Did you mean `{near[0]}`?" if near else "Spell classes alike in y_true, y_pred and p_<class>."
        columns.note(column, np.flatnonzero(codes == code), f"is none of the classes {shown}", hint)
    return moved[codes]


def _refuse_strangers(columns: Columns, part: LabelColumns, truth: Sequence[str], answer: Sequence[str]) -> None:
    """Two codings of the same classes, which nobody can match: texts and numbers, or fractions and whole numbers."""
    if not truth or not answer or part.p or {canonical(t) for t in truth} & {canonical(a) for a in answer}:
        return
    whole = [all(canonical(text).lstrip("+-").isdigit() for text in side) for side in (truth, answer)]
    number = [all(map(_is_number, side)) for side in (truth, answer)]
    if whole[0] != whole[1] or number[0] != number[1]:
        message = f"says {answer[0]!r} where {part.truth} says {truth[0]!r}: no class occurs in both"
        hint = "Use the same class names in both columns; the probability of a class belongs in a column p_<class>."
        columns.refuse(f"column {part.answer}", message, hint)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _probabilities(columns: Columns, part: LabelColumns, names: Sequence[str]) -> NDArray[np.float64]:
    """Probabilities (N, K) in the order of `names`."""
    hint = "Probabilities are numbers from 0 to 1; turn scores into probabilities first (softmax or sigmoid)."
    by_class = {}
    for name, column in part.p.items():
        values = columns.numbers(column, what="a probability", hint=hint)
        outside = np.flatnonzero((values < -1e-6) | (values > 1 + 1e-6))
        columns.note(column, outside, "is no probability", hint)
        by_class[canonical(name)] = np.clip(values, 0.0, 1.0)
    if len(part.p) == 1:
        yes = next(iter(by_class.values()))
        return np.column_stack([1 - yes, yes])
    known = [name for name in names if canonical(name) in by_class]
    p = np.column_stack([by_class[canonical(name)] for name in known])
    if len(known) < len(names):
        missing = ", ".join(name for name in names if canonical(name) not in by_class)
        columns.refuse("", f"has no probabilities for {missing}", "Give one p_<class> column per class, or none.")
    elif not columns.problems:
        off = np.flatnonzero(np.abs(p.sum(axis=1) - 1) > _SUM_TOLERANCE)
        columns.note(next(iter(part.p.values())), off, _sum_message(p, off), "Probabilities of one example sum to 1.")
    return p


def _sum_message(p: NDArray[np.float64], off: NDArray[Any]) -> str:
    return f"and its neighbours sum to {p[off[0]].sum():.3g}" if len(off) else ""


def _schema(columns: Columns) -> dict[str, list[str]]:
    return json.loads(columns.schema) if columns.schema else {}


def _suggest(names: Sequence[str]) -> str:
    free = [name for name in names if name != "y_true"]
    near = [name for name in free if name.lower() in _OTHER_NAMES] or difflib.get_close_matches("y_pred", free, n=1)
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return f"Rename `{near[0]}` to `y_pred` if it holds the answers." if near else f"Its columns are {shown}."
