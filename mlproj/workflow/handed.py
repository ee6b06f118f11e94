"""Answers that a loop of the user's own hands in, split by split, as predictions. N examples, K classes, L labels."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InvalidInput, Problem
from mlproj.records import SEEN_SPLITS, Answers, Predictions
from mlproj.records.ids import explain_strangers, match_ids
from mlproj.workflow.lookup import at_threshold, coded_truth, rows_of
from mlproj.workflow.spelling import positions_of

if TYPE_CHECKING:
    from mlproj.data import Dataset, Part, Target

_TOLERANCE, _SUM_TOLERANCE = 1e-6, 0.02
_AS_PROBABILITIES = "Turn them into probabilities first: softmax over the classes, or sigmoid for one output."


def gather_answers(given: Mapping[str, Any], dataset: "Dataset") -> tuple[Predictions, list[str]]:
    """Answers by split as predictions with the project's truth, weights and groups.

    Args:
        given: Answers by split: arrays in the order of `project.data(split)`, or tables with ids.
        dataset: The project's data.

    Returns:
        The predictions, and what there is to say about them.

    Raises:
        InvalidInput: With everything that does not fit, split by split.
    """
    if problems := _check_splits(given, dataset):
        raise InvalidInput(problems)
    soft = any(map(_is_fractional, given.values()))
    found = []
    for split in (name for name in SEEN_SPLITS if name in given):
        try:
            found.append(_read(given[split], dataset.parts[split], dataset, f"predictions[{split!r}]", soft=soft))
        except InvalidInput as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidInput(problems)
    joined = _join([predictions for predictions, _ in found], dataset)
    if all(from_probabilities for _, from_probabilities in found):
        return at_threshold(joined, dataset.project)
    if any(from_probabilities for _, from_probabilities in found):
        return joined, ["Probabilities were given for some splits only, and are not kept: give them for all."]
    return joined, []


def _check_splits(given: object, dataset: "Dataset") -> list[Problem]:
    there = " and ".join(dataset.parts)
    if not isinstance(given, Mapping):
        message = f"is a {type(given).__name__}, not answers by split"
        return [Problem("predictions", message, 'Hand in {"train": …, "dev": …}.')]
    if not given:
        return [Problem("predictions", "is empty", 'Hand in at least {"dev": …}.')]
    strange = [split for split in given if split not in dataset.parts]
    hint = f"There are {there}; test is sealed."
    return [Problem("predictions", f"{split!r} is no split of the project that may be seen", hint) for split in strange]


def _join(found: Sequence[Predictions], dataset: "Dataset") -> Predictions:
    ids = np.concatenate([each.ids for each in found])
    labels = {}
    for name in found[0].labels:
        parts = [each.labels[name] for each in found]
        p = [part.p for part in parts if part.p is not None]
        labels[name] = Answers(
            np.concatenate([part.y_true for part in parts]),
            np.concatenate([part.y_pred for part in parts]),
            parts[0].classes,
            np.concatenate(p) if len(p) == len(parts) else None,
        )
    _, weight, group = rows_of(dataset, ids)
    return Predictions(ids, np.concatenate([each.split for each in found]), labels, weight, group)


def _is_fractional(given: Any) -> bool:
    """Whether it is one fraction per example: then 0 and 1 in the other splits are probabilities as well."""
    dtype, shape = str(getattr(given, "dtype", "")), tuple(getattr(given, "shape", ()))
    if "float" not in dtype or not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        return False
    values = _as_array(given, "")
    return bool(np.any(values != np.round(values)))


def _read(given: Any, part: "Part", dataset: "Dataset", where: str, *, soft: bool) -> tuple[Predictions, bool]:
    """One split's answers with the truth beside them, and whether they follow from probabilities alone."""
    if hasattr(given, "to_frame") and hasattr(given, "index"):  # a Series: its index may hold the ids
        given = given.to_frame("y_pred") if _named_rows(given, part) else given.to_numpy()
    if hasattr(given, "columns"):
        return _read_table(given, part, dataset, where)
    target = dataset.target
    values = _as_array(given, where)
    if values.ndim == 0 or len(values) != len(part):
        n = f"{len(values):,}" if values.ndim else "1"
        hint = f"One answer per row of project.data({part.name!r}), in its order; or a table with the ids."
        raise InvalidInput([Problem(where, f"holds {n} answers for {len(part):,} examples", hint)])
    truth = target.decode(np.zeros((len(part), target.n_outputs)), part.y)
    labels = _read_array(values, truth, target, where, soft=soft)
    split = np.full(len(part), part.name)
    return Predictions(part.ids, split, labels), all(a.p is not None for a in labels.values())


def _as_array(given: Any, where: str) -> NDArray[Any]:
    if hasattr(given, "detach"):  # a tensor, wherever it lies; NumPy knows no bfloat16
        given = given.detach().cpu()
        given = given.float() if given.is_floating_point() else given
    try:
        values = np.asarray(given)
    except ValueError:
        raise InvalidInput([Problem(where, "holds rows of different lengths", "Give one row per example.")]) from None
    if values.dtype == object:  # such as a column of pandas: texts, or numbers in boxes
        return np.array(values.tolist()) if values.ndim else values
    return values


def _read_array(
    values: NDArray[Any], truth: Mapping[str, Answers], target: "Target", where: str, *, soft: bool
) -> dict[str, Answers]:
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if target.several and len(target.labels) > 1:
        if values.ndim != 2 or values.shape[1] != len(target.labels):
            hint = f"One column per label, in this order: {', '.join(target.labels)}."
            message = f"has the shape {values.shape} for {len(target.labels)} labels"
            raise InvalidInput([Problem(where, message, hint)])
        return {
            name: _read_classes(
                values[:, column], truth[name], f"{where}, label {name}", soft=_is_fractional(values.ravel())
            )
            for column, name in enumerate(target.names)
        }
    [(name, known)] = truth.items()
    if target.kind == "regression":
        return {name: replace(known, y_pred=_read_numbers(values, where))}
    return {name: _read_classes(values, known, where, soft=soft)}


def _read_numbers(values: NDArray[Any], where: str) -> NDArray[np.float64]:
    numbers = _floats(values, where, "Give one predicted value per example.")
    if numbers.ndim != 1:
        raise InvalidInput([Problem(where, f"has the shape {values.shape}", "Give one predicted value per example.")])
    return numbers


def _floats(values: NDArray[Any], where: str, hint: str) -> NDArray[np.float64]:
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        raise InvalidInput([Problem(where, "holds something that is no number", hint)]) from None
    if not np.isfinite(numbers).all():
        row = int(np.argwhere(~np.isfinite(numbers))[0][0])
        raise InvalidInput([Problem(where, f"holds {numbers[row]} at position {row}, which is not finite", hint)])
    return numbers


def _read_classes(values: NDArray[Any], known: Answers, where: str, *, soft: bool) -> Answers:
    """Probabilities (N, K), or (N,) of the positive class of two; else classes by name, or by position."""
    n_classes = len(known.classes)
    if values.ndim > 2:
        hint = "Give probabilities (N, K), or one answer per example."
        raise InvalidInput([Problem(where, f"has the shape {values.shape}", hint)])
    if values.ndim == 2:
        if values.shape[1] != n_classes:
            hint = f"One column per class, in this order: {', '.join(known.classes[:8])}."
            raise InvalidInput([Problem(where, f"has {values.shape[1]} columns for {n_classes} classes", hint)])
        return _from_probabilities(_probabilities(values, where), known)
    if values.dtype.kind == "f" and soft:
        if n_classes != 2:
            hint = f"Give probabilities (N, {n_classes}), one column per class: {', '.join(known.classes[:8])}."
            raise InvalidInput([Problem(where, f"holds one number per example for {n_classes} classes", hint)])
        positive = _floats(values, where, "Probabilities are numbers from 0 to 1.")
        return _from_probabilities(_probabilities(np.column_stack([1 - positive, positive]), where), known)
    return Answers(known.y_true, _codes(values, known.classes, where), known.classes)


def _from_probabilities(p: NDArray[np.float64], known: Answers) -> Answers:
    y_pred = p[:, 1] >= 0.5 if p.shape[1] == 2 else p.argmax(axis=1)
    return Answers(known.y_true, y_pred.astype(np.int64), known.classes, p)


def _probabilities(values: NDArray[Any], where: str) -> NDArray[np.float64]:
    p = _floats(values, where, "Probabilities are numbers from 0 to 1.")
    outside = (p < -_TOLERANCE) | (p > 1 + _TOLERANCE)
    if outside.any():
        message = f"holds {p[outside][-1]:.4g}, which is no probability: these look like logits"
        raise InvalidInput([Problem(where, message, _AS_PROBABILITIES)])
    off = np.abs(p.sum(axis=1) - 1)
    if off.max(initial=0) > _SUM_TOLERANCE:
        row = int(off.argmax())
        message = f"sums to {p[row].sum():.4g} at position {row}, not to 1"
        raise InvalidInput([Problem(where, message, f"Give one probability per class. {_AS_PROBABILITIES}")])
    return np.clip(p, 0.0, 1.0)


def _codes(values: NDArray[Any], classes: Sequence[str], where: str) -> NDArray[np.int64]:
    """Positions (N,) of classes; whole numbers that are no class's name are positions themselves."""
    is_number = values.dtype.kind in "iufb"
    if is_number and tuple(classes) == ("1", "0"):
        hint = "Give class names as text, or probabilities."
        message = "holds numbers, but 0 is the name of the positive class and the position of the other"
        raise InvalidInput([Problem(where, message, hint)])
    codes, strange = positions_of(values.tolist(), classes)
    if not strange:
        return codes
    if is_number and not any(name.lstrip("-").isdecimal() for name in classes):
        whole = _floats(values, where, "Give one class per example.")
        if np.all((whole == np.round(whole)) & (whole >= 0) & (whole < len(classes))):
            return whole.astype(np.int64)
    hint = f"The classes are {', '.join(classes[:8])}{', …' if len(classes) > 8 else ''}."
    if is_number and any(abs(float(value)) > len(classes) for value in strange):
        hint += f" If these are logits: {_AS_PROBABILITIES[0].lower()}{_AS_PROBABILITIES[1:]}"
    raise InvalidInput([Problem(where, f"answers {strange[0]!r}, which is no class", hint)])


def _named_rows(given: Any, part: "Part") -> bool:
    """Whether the index of a table holds ids: it is called so, or it names examples of the split."""
    index = given.index
    if index.name == "id":
        return True
    if type(index).__name__ == "RangeIndex" or index.name is not None:
        return False
    return bool((match_ids(index.astype(str).to_numpy().astype(np.str_), part.ids) >= 0).all())


def _read_table(table: Any, part: "Part", dataset: "Dataset", where: str) -> tuple[Predictions, bool]:
    """A table with `y_pred` or `p_` columns, its rows named by a column or by its index, else in the split's order."""
    import pyarrow as pa

    from mlproj.records.columns import Columns
    from mlproj.records.files import understand

    project = dataset.project
    names = [str(name) for name in table.columns]
    if len(table) == 0:
        raise InvalidInput([Problem(where, "has no rows", "One row per example is needed.")])
    key = next((name for name in ("id", project.data.id) if name in names), None)
    try:
        arrays = [pa.chunked_array([pa.array(table.iloc[:, i], from_pandas=True)]) for i in range(len(names))]
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        message = f"holds cells of several kinds ({str(error).splitlines()[0]})"
        raise InvalidInput([Problem(where, message, "Give one kind of value per column.")]) from None
    cells = {name: column for name, column in zip(names, arrays, strict=True) if name not in ("split", "weight")}
    if key is None and _named_rows(table, part):
        key, cells["id"] = "id", pa.chunked_array([pa.array(table.index.astype(str))])
    columns = Columns(where, cells, first_row=0)
    positive = None if project.data.positive is None else str(project.data.positive)
    read = understand(columns, task=project.task, positive=positive, id_column=key or "id")
    rows = _rows_of_table(read, part, dataset, where) if key else _rows_in_order(read, part, where)
    read = replace(read, ids=part.ids[rows], split=np.full(len(rows), part.name), group=None, more={})
    labels = coded_truth(read, dataset.target, part.y[rows], Path(where))
    return replace(read, labels=labels), not any(name.startswith("y_pred") for name in names)


def _rows_in_order(read: Predictions, part: "Part", where: str) -> NDArray[np.int64]:
    if len(read) != len(part):
        hint = f"One row per row of project.data({part.name!r}), in its order; or name them in a column `id`."
        raise InvalidInput([Problem(where, f"holds {len(read):,} answers for {len(part):,} examples", hint)])
    return np.arange(len(part), dtype=np.int64)


def _rows_of_table(read: Predictions, part: "Part", dataset: "Dataset", where: str) -> NDArray[np.int64]:
    """Position of each row of the table in its split."""
    rows = match_ids(read.ids, part.ids)
    strange = read.ids[rows < 0]
    if len(strange):
        elsewhere = match_ids(strange, dataset.deal.ids)
        split = str(dataset.deal.split[elsewhere[0]]) if elsewhere[0] >= 0 else ""
        message = f"{len(strange):,} of {len(rows):,} ids are not in {part.name}: first {str(strange[0])!r}"
        message += f", which is in {split}" * bool(split)
        hint = explain_strangers(strange.tolist(), part.ids.tolist())
        hint = hint or f"The ids are the index of project.data({part.name!r})."
        raise InvalidInput([Problem(where, message, hint)])
    names, counts = np.unique(rows, return_counts=True)
    if (counts > 1).any():
        first = str(part.ids[names[counts > 1][0]])
        message = f"{int((counts > 1).sum()):,} ids stand in several rows, first {first!r}"
        raise InvalidInput([Problem(where, message, "Keep one row per example.")])
    return rows
