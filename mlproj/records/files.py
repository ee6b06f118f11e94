"""Predictions files: every diagnosis reads them, whatever framework wrote them. N rows, K classes.

Columns `id, split, y_true, y_pred`, optional `p_<class>` (class names verbatim), `weight`, `group`; several labels have
`y_true:L, y_pred:L, p:L`. Only `y_pred` or the probabilities are required::

    predictions = read_predictions(Path("keras.csv"))
    write_predictions(predictions, Path("keras.parquet"))
"""

import difflib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InvalidInput, Problem
from mlproj.records.answers import Kind, could_be_numbers, find_labels, infer_kind, read_answers
from mlproj.records.arrow import to_arrow
from mlproj.records.columns import Columns
from mlproj.records.loading import SCHEMA_KEY, SUFFIXES, load_columns
from mlproj.records.predictions import SPLITS, Answers, Predictions, Texts
from mlproj.spec.goal import CLASSIFICATION_METRICS, REGRESSION_METRICS

_OWN = ("id", "split", "weight", "group")
_HINT_SPLITS = "Use train, train_dev, dev or test."
_OTHER_NAMES = {
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "eval": "dev",
    "training": "train",
    "holdout": "test",
}


def read_predictions(
    path: str | Path, *, metric: str | None = None, task: Kind | None = None, positive: str | None = None
) -> Predictions:
    """Reads a predictions file.

    Without `split` every row belongs to dev, without `id` the row number serves; further columns are carried along in
    `more`. Whether answers are classes follows `task`, else `metric`, else the file: probabilities, texts, or whole
    numbers with at most 20 distinct values are classes.

    Args:
        path: A .csv or .parquet file.
        metric: Metric that will be asked for, where one is named.
        task: classification or regression, where a project says so.
        positive: Positive class of a binary label; by default 1, true or yes.

    Returns:
        The predictions of all its rows, in order.

    Raises:
        InvalidInput: With everything in it that cannot be understood, by row, column and value.
    """
    return understand(load_columns(Path(path)), metric=metric, task=task, positive=positive)


def understand(
    columns: Columns,
    *,
    metric: str | None = None,
    task: Kind | None = None,
    positive: str | None = None,
    id_column: str = "id",
) -> Predictions:
    """The predictions in a file that was opened, as `read_predictions` reads them.

    Args:
        columns: The file.
        metric: Metric that will be asked for, where one is named.
        task: classification or regression, where a project says so.
        positive: Positive class of a binary label; by default 1, true or yes.
        id_column: Column that names the examples.

    Raises:
        InvalidInput: With everything in it that cannot be understood, by row, column and value.
    """
    kind = task or _kind_of(metric)
    parts = find_labels(columns)
    columns.check()
    labels = {}
    are_mixed = len(parts) > 1 and len({infer_kind(columns, part) for part in parts}) > 1
    for part in parts:
        # of several tasks, a metric speaks of those only that it can be read on
        spoken_of = (
            task or len(parts) == 1 or (kind == "regression" and not are_mixed and could_be_numbers(columns, part))
        )
        labels[part.label] = read_answers(columns, part, kind if spoken_of else None, positive)
    split, weight = _read_split(columns), _read_weight(columns)
    group = columns.names_in("group", what="the group of the example") if "group" in columns else None
    n = len(columns)
    named = id_column in columns
    ids = columns.names_in(id_column, what="the example") if named else np.arange(1, n + 1).astype(np.str_)
    columns.check()
    used = {*_OWN, id_column, *(name for part in parts for name in (part.truth, part.answer, *part.p.values()))}
    more = {name: columns.values(name) for name in columns.names if name not in used}
    return Predictions(ids, split, labels, weight, group, more)


def write_predictions(predictions: Predictions, path: str | Path) -> None:
    """Writes predictions so that `read_predictions` finds the same in them.

    Args:
        predictions: What to write.
        path: A .parquet or .csv file; a Parquet file also remembers classes that occur in no row.

    Raises:
        InvalidInput: When the suffix is another one.
    """
    import pyarrow as pa

    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        message = f"ends in {target.suffix}" if target.suffix else "has no suffix"
        raise InvalidInput([Problem("", message, "Predictions are written as .csv or .parquet.", str(path))])
    columns: dict[str, Any] = {
        "id": to_arrow(predictions.ids),
        "split": to_arrow(predictions.split).dictionary_encode(),
    }
    for label, answers in predictions.labels.items():
        columns |= _label_columns(label, answers)
    if predictions.weight is not None:
        columns["weight"] = to_arrow(predictions.weight)
    if predictions.group is not None:
        columns["group"] = to_arrow(predictions.group)
    columns |= {name: to_arrow(values) for name, values in predictions.more.items()}
    schema = {label: list(answers.classes) for label, answers in predictions.labels.items()}
    table = pa.table(columns)
    if target.suffix.lower() == ".csv":
        from pyarrow import csv

        csv.write_csv(_without_dictionaries(table), target)
        return
    from pyarrow import parquet

    parquet.write_table(table.replace_schema_metadata({SCHEMA_KEY: json.dumps(schema).encode("utf-8")}), target)


def _kind_of(metric: str | None) -> Kind | None:
    if metric in REGRESSION_METRICS:
        return "regression"
    return "classification" if metric in CLASSIFICATION_METRICS else None


def _read_split(columns: Columns) -> Texts:
    if "split" not in columns:
        return np.full(len(columns), "dev")
    texts, codes = columns.text("split")
    names = [text.lower().replace("-", "_") for text in texts]
    columns.note("split", np.flatnonzero(codes < 0), "names no split", _HINT_SPLITS)
    for code, name in enumerate(names):
        if name not in SPLITS:
            near = _OTHER_NAMES.get(name) or next(iter(difflib.get_close_matches(name, SPLITS, n=1)), "")
            hint = f"Did you mean `{near}`?" if near else _HINT_SPLITS
            columns.note("split", np.flatnonzero(codes == code), "is no split", hint)
    return np.array([*names, ""], dtype=np.str_)[codes]


def _read_weight(columns: Columns) -> NDArray[np.float64] | None:
    if "weight" not in columns:
        return None
    weight = columns.numbers("weight", what="a weight from 0")
    columns.note("weight", np.flatnonzero(weight < 0), "is below 0", "Weights are numbers from 0.")
    if not np.any(weight):
        columns.refuse("column weight", "is 0 in every row", "Give at least one example a weight above 0.")
    return weight


def _label_columns(label: str, answers: Answers) -> dict[str, Any]:
    """Columns of one label by name."""
    import pyarrow as pa

    truth, answer = (f"y_true:{label}", f"y_pred:{label}") if label else ("y_true", "y_pred")
    if not answers.is_classification:
        return {truth: to_arrow(answers.y_true, np.isnan(answers.y_true)), answer: to_arrow(answers.y_pred)}
    names = to_arrow(np.array(answers.classes, dtype=np.str_))
    columns = {
        name: pa.DictionaryArray.from_arrays(to_arrow(codes.astype(np.int32), codes < 0), names)
        for name, codes in ((truth, answers.y_true), (answer, answers.y_pred))
    }
    if answers.p is None:
        return columns
    if label and len(answers.classes) == 2:
        return columns | {f"p:{label}": to_arrow(answers.p[:, 1])}
    prefix = f"p:{label}:" if label else "p_"
    return columns | {f"{prefix}{name}": to_arrow(answers.p[:, k]) for k, name in enumerate(answers.classes)}


def _without_dictionaries(table: Any) -> Any:
    import pyarrow as pa

    plain = [c.cast(c.type.value_type) if pa.types.is_dictionary(c.type) else c for c in table.columns]
    return pa.table(plain, names=table.column_names)
