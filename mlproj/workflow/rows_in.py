"""Rows that a model is to answer for: a source read some rows at a time, its columns looked over first.

rows = Rows("new.csv", project, model)
for part in rows: ...
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.errors import InvalidInput, Problem
from mlproj.spec.project import Project

if TYPE_CHECKING:
    import pandas as pd

    from mlproj.data.columns import Column
    from mlproj.data.sources import AbstractSource, Reading
    from mlproj.pyfunc import ProjectModel

_ROWS_AT_ONCE = 2**16
_CELLS_AT_ONCE = 2**25  # inputs of the rows in work: 128 MB as float32
_ROWS_LOOKED_AT = 10_000  # rows of the first batch by which a column is judged as a whole
_CELLS_TO_JUDGE = 3  # from so many cells on, all of them unreadable, the column is another one


class Rows:
    """The rows of a source, some at a time.

    Attributes:
        id: Column that names the rows; None where the file has none.
        ignored: Columns of the file that the model does not use.
        notes: What a user should know of the columns.

    Args:
        source: As a user writes it.
        home: The project around it.
        model: What is to answer.

    Raises:
        InvalidInput: Naming every column that is not what the model needs.
    """

    def __init__(self, source: str, home: Project, model: "ProjectModel") -> None:
        from mlproj.data.sources import find_source

        self._source = source
        self._root = home.root if source.startswith("python:") else Path()
        self._reader: AbstractSource = find_source(source, self._root)
        self._batches = self._reader.batches(source, self._root)
        first = next(self._batches, None)
        if first is None:
            raise InvalidInput([Problem(source, "has no rows")])
        self._first = _named(first)
        names = list(self._first.frame.columns)
        check_columns(self._first.frame, model, source)
        self._needed = [column.name for column in model.columns]
        self.id = home.data.id if home.data.id in names else None
        kept = {*self._needed, self.id}
        self.ignored = tuple(name for name in names if name not in kept)
        self._is_wide = len(self.ignored) > len(self._needed) and names == list(first.frame.columns)
        self.notes = tuple(self._remark(home))
        self._size = max(1, min(_ROWS_AT_ONCE, _CELLS_AT_ONCE // max(1, model.n_inputs)))

    def _remark(self, home: Project) -> Iterator[str]:
        from mlproj.data.words import some_of

        if self.ignored:
            count = f"{len(self.ignored):,} column{'' if len(self.ignored) == 1 else 's'}"
            listed = some_of(self.ignored, 6)
            yield f"The model does not use {count} of the file: {listed}."
        if home.data.id and not self.id:
            yield f"The file has no column {home.data.id!r}, so the row number serves as id."

    def __iter__(self) -> Iterator["Reading"]:
        for batch in self._all():
            for start in range(0, len(batch.frame), self._size):
                part = slice(start, start + self._size)
                file = None if batch.file is None else batch.file[part]
                yield replace(batch, frame=batch.frame.iloc[part], rows=batch.rows[part], file=file)

    def _all(self) -> Iterator["Reading"]:
        """The batches; of a wide table only the columns that are needed are read from here on."""
        first = self._first
        del self._first  # one batch at a time is held
        if self._is_wide:
            wanted = list(dict.fromkeys([*self._needed, *([self.id] if self.id else [])]))
            self._batches = self._reader.batches(self._source, self._root, columns=wanted)
        else:
            yield first
        del first
        yield from map(_named, self._batches)


def _named(batch: "Reading") -> "Reading":
    """A batch whose columns are called by texts, as a file's are, and whose rows are numbered from 0."""
    names = [str(name) for name in batch.frame.columns]
    return replace(batch, frame=batch.frame.set_axis(names, axis=1).reset_index(drop=True))


def check_columns(frame: "pd.DataFrame", model: "ProjectModel", source: str) -> None:
    """Makes sure that a file has the columns that a model needs.

    Args:
        frame: Its first rows.
        model: The model.
        source: The file's name, for messages.

    Raises:
        InvalidInput: Naming every column that is missing, occurs twice, or holds something else in all its cells.
    """
    from mlproj.data.words import suggest

    names = list(frame.columns)
    needed = {column.name: column for column in model.columns}
    free = [name for name in names if name not in needed]
    problems = [
        Problem(f"column {name!r}", "is missing, and the model needs it", suggest(name, free), source)
        for name in needed
        if name not in names
    ]
    problems += [
        Problem(f"column {name!r}", "occurs more than once", "Keep one of them.", source)
        for name in needed
        if names.count(name) > 1
    ]
    there = frame.head(_ROWS_LOOKED_AT)
    for name, column in needed.items():
        if names.count(name) == 1 and (wrong := _judge_column(there[name], column)):
            problems.append(replace(wrong, file=source))
    if problems:
        raise InvalidInput(problems)


def _judge_column(cells: "pd.Series[Any]", column: "Column") -> Problem | None:
    """What is wrong with a column as a whole: none of its cells is what it was in training."""
    from mlproj.data.cells import is_missing, kind_of, to_text
    from mlproj.data.columns import read_values

    if not column.is_numeric:
        return None
    bad = read_values(cells, column)[1]
    is_typed = kind_of(cells) in ("number", "boolean", "date")
    if int(bad.sum()) < (1 if is_typed else _CELLS_TO_JUDGE) or (~is_missing(cells) & ~bad).any():
        return None
    found = to_text(cells.iloc[int(bad.argmax())])
    message = f"holds {found!r}, which is {column.fault}, and no cell that is one"
    hint = f"In training it was a {column.type}: give the column in that form, or train with the new one."
    return Problem(f"column {column.name!r}", message, hint)
