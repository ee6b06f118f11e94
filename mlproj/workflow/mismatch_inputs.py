"""The features of two sets, as the judge of a mismatch takes them: of the project's data, or of a file. N examples."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.mismatch import Feature
from mlproj.errors import InvalidInput, Problem

if TYPE_CHECKING:
    import pandas as pd

    from mlproj.data import Column, Dataset, Part
    from mlproj.data.encoder import ColumnEncoder
    from mlproj.data.sources import Reading

_MOST_WORDS = 100
_LIKE_IDS = 0.5
"""Texts of which more than this share are different name their rows, or are prose: they are no categories."""


def features_of(dataset: "Dataset", frame: "pd.DataFrame") -> list[Feature]:
    """The model's features of raw rows, as the project reads them; cells that cannot be read are missing.

    Args:
        dataset: The project's data, which say what each column is.
        frame: Raw rows (N).
    """
    encoders = {part.name: part for part in dataset.encoder.columns}
    return [
        feature
        for column in dataset.columns
        if column.is_input and column.name in encoders
        for feature in _read(frame[column.name], column, encoders[column.name])
    ]


def _read(cells: "pd.Series[Any]", column: "Column", encoder: "ColumnEncoder") -> list[Feature]:
    from mlproj.data.cells import read_texts
    from mlproj.data.columns import read_values

    if column.type in ("number", "date"):
        values, _ = read_values(cells, column)
        return [Feature(column.name, np.where(np.isfinite(values), values, np.nan), is_date=column.type == "date")]
    if column.type == "boolean":
        values, _ = read_values(cells, column)
        words = np.where(np.isnan(values), "", np.where(values == 1, "true", "false"))
        return [Feature(column.name, words.astype(np.str_))]
    texts = np.array([text or "" for text in read_texts(cells).to_pylist()], dtype=np.str_)
    if column.type != "text" or encoder.bag is None:
        return [Feature(column.name, texts)]
    length = Feature(f"{column.name} (letters)", np.array([len(text) for text in texts.tolist()], dtype=np.float64))
    words, names = _words(cells, encoder)
    return [Feature(column.name, texts, words, names), length] if len(names) else [length]


def _words(cells: "pd.Series[Any]", encoder: "ColumnEncoder") -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Weights of the words that most train texts hold (N, W), as the model sees them."""
    from mlproj.data.cells import read_texts

    bag = encoder.bag
    assert bag is not None
    if not bag.words:
        return np.zeros((len(cells), 0)), ()
    kept = np.argsort(np.asarray(bag.idf), kind="stable")[:_MOST_WORDS]
    names = np.array(bag.words, dtype=object)[kept]
    return bag.weigh(read_texts(cells))[:, kept].toarray().astype(np.float64), tuple(map(str, names))


def rows_of_part(part: "Part", ids: NDArray[Any]) -> NDArray[np.int64]:
    """Position of each id in a split of the data (N,), −1 where it is not there."""
    place = {name: row for row, name in enumerate(part.ids.tolist())}
    return np.array([place.get(name, -1) for name in ids.tolist()], dtype=np.int64)


def guess_features(columns: "pd.DataFrame") -> tuple[list[Feature], list[str]]:
    """Features of a table that no project explains, and the columns that are none.

    Numbers are features, texts too where they recur; texts that differ from row to row name the rows or are prose.

    Args:
        columns: Raw columns (N rows).
    """
    from mlproj.data.cells import read_numbers, read_texts

    found, left = [], []
    for name in columns.columns:
        values, bad = read_numbers(columns[name])
        if not bad.any():
            found.append(Feature(str(name), np.where(np.isfinite(values), values, np.nan)))
            continue
        texts = np.array([text or "" for text in read_texts(columns[name]).to_pylist()], dtype=np.str_)
        if len(np.unique(texts)) > max(_LIKE_IDS * len(texts), 10):
            left.append(str(name))
        else:
            found.append(Feature(str(name), texts))
    return found, left


def read_new(file: str, root: Path) -> "Reading":
    """The rows of a file of new data, whatever mlproj reads.

    Args:
        file: As a user writes it.
        root: Folder that `python:` sources start from.

    Raises:
        InvalidInput: When it cannot be read, or holds no row.
    """
    from mlproj.data.sources import read_source

    reading = read_source(file, root if file.startswith("python:") else Path())
    if not len(reading.frame):
        raise InvalidInput([Problem("--against", f"{file} has no rows", "Name a file with new data.")])
    names = [str(name) for name in reading.frame.columns]
    return type(reading)(
        reading.frame.set_axis(names, axis=1).reset_index(drop=True), reading.rows, reading.label, reading.files,
        reading.file, reading.notes,
    )  # fmt: skip


def check_new(frame: "pd.DataFrame", dataset: "Dataset", file: str) -> list[str]:
    """Notes on what a file of new data lacks or holds besides.

    Args:
        frame: Its rows.
        dataset: The project's data.
        file: Its name, for messages.

    Raises:
        InvalidInput: Naming every feature that is missing, or whose cells are all unreadable.
    """
    from mlproj.data.cells import is_missing, to_text
    from mlproj.data.columns import read_values
    from mlproj.data.words import suggest

    names, notes = list(frame.columns), []
    needed = [column for column in dataset.columns if column.is_input]
    wanted = {column.name for column in needed}
    problems = [
        Problem(
            f"column {name!r}", "is missing, and dev has it", suggest(name, [n for n in names if n not in wanted]), file
        )
        for name in (column.name for column in needed)
        if name not in names
    ]
    problems += [
        Problem(f"column {name!r}", "occurs more than once", "Keep one of them.", file)
        for name in wanted
        if names.count(name) > 1
    ]
    for column in needed:
        if not column.is_numeric or names.count(column.name) != 1:
            continue
        cells = frame[column.name]
        _, bad = read_values(cells, column)
        if not bad.any():
            continue
        found = to_text(cells.iloc[int(bad.argmax())])
        if not (~is_missing(cells) & ~bad).any():
            hint = f"In {dataset.project.name} it is a {column.type}: give the column in that form."
            problems.append(Problem(f"column {column.name!r}", f"holds {found!r}, which is {column.fault}", hint, file))
        else:
            what = f"{column.fault}, such as {found!r}; they count as missing."
            notes.append(f"{int(bad.sum()):,} cells of {column.name!r} in {file} are {what}")
    if problems:
        raise InvalidInput(problems)
    return notes


def name_rows(frame: "pd.DataFrame", id_column: str | None, rows: Sequence[int]) -> NDArray[Any]:
    """Ids of new rows (N,): the id column where the file has it, else row numbers as the file counts."""
    if id_column is not None and id_column in frame.columns:
        from mlproj.data.cells import read_texts

        return np.array([text or "" for text in read_texts(frame[id_column]).to_pylist()], dtype=np.str_)
    return np.array([f"row {row}" for row in rows], dtype=np.str_)
