"""One raw table from all parts of `data.source` and `data.extra`. N examples, in the order of the files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlproj.data.cells import kind_of, to_strings, to_text
from mlproj.data.columns import ROW_NUMBERS, assign_roles, ignored_columns, named_columns
from mlproj.data.dates import is_date
from mlproj.data.late import pa, pd
from mlproj.data.sources import Reading, find_source, read_source
from mlproj.data.where import evaluate_where
from mlproj.data.words import some_of
from mlproj.errors import InvalidInput, Problem
from mlproj.records import Texts
from mlproj.spec.data import Part
from mlproj.spec.project import Project
from mlproj.spec.where import columns_of, parse_where

MAX_SHOWN = 3
LEAST_BYTES = 4_000_000
"""Size of a file from which it is read quickly: a smaller one takes a fraction of a second, raw cells and all."""
HELD_OUT: tuple[Literal["dev", "test"], ...] = ("dev", "test")


@dataclass(frozen=True)
class PartOrigin:
    """One part of the data.

    Attributes:
        path: As written in project.yaml.
        role: `target` for the distribution that dev and test come from, `training` for further training data, `dev` or
            `test` for a file that is that split.
        key: Dotted path of its entry in project.yaml.
        where: The rows that were kept, as written.
    """

    path: str
    role: Literal["target", "training", "dev", "test"]
    key: str
    where: str | None = None


@dataclass(frozen=True)
class Table:
    """All raw cells of all parts, in the order: source, extra, files of dev and test.

    Attributes:
        frame: Raw cells: text or standard pandas types (N rows).
        source: Position in `origins` of each row's part (N,).
        rows: Row number of each row in its own file (N,), as a user would count it.
        origins: The parts.
        labels: Label columns: those of `data.label`, else the one that the source brings.
        files: The files of all parts, where some part has several.
        file: Position in `files` of each row's file (N,); None where each part is one file.
        contents: Hash of each row's features (N,), where the features themselves were not kept.
        hashed: The columns that these hashes are of.
        notes: What was left out while reading, for the user.
        plain: Columns of the frame that are plain numbers and are looked at one by one, being most of its memory.
    """

    frame: pd.DataFrame
    source: NDArray[np.int64]
    rows: NDArray[np.int64]
    origins: tuple[PartOrigin, ...]
    labels: tuple[str, ...]
    files: tuple[str, ...] = ()
    file: NDArray[np.int64] | None = None
    contents: Texts | None = None
    hashed: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    plain: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def is_target(self) -> NDArray[np.bool_]:
        """Mask (N,) of the rows of the target distribution."""
        return np.array([origin.role != "training" for origin in self.origins], np.bool_)[self.source]

    def place(self, row: int) -> str:
        """The file and row of an example, for messages: `app.csv row 17`."""
        file = self.origins[int(self.source[row])].path if self.file is None else self.files[int(self.file[row])]
        return f"{file} row {self.rows[row]}"

    def name_cells(self, cells: pd.Series[Any], bad: NDArray[np.bool_], what: str) -> str:
        """Which cells are wrong, for messages: `column 'age': app.csv row 17 holds 'abc', which is no number`.

        Args:
            cells: The column (N,).
            bad: Mask (N,) of its wrong cells, at least one.
            what: What they are.
        """
        rows = np.flatnonzero(bad)
        more = ", ".join(self.place(int(row)) for row in rows[1:MAX_SHOWN])
        rest = f" and {len(rows) - MAX_SHOWN:,} more" if len(rows) > MAX_SHOWN else ""
        found = to_text(cells.iloc[int(rows[0])])
        message = f"column {str(cells.name)!r}: {self.place(int(rows[0]))} holds {found!r}, which is {what}"
        return f"{message}; also {more}{rest}" if more else message

    @property
    def part_names(self) -> list[str]:
        """What each part is called: its path, with its `where` when several parts share the path."""
        paths = [origin.path for origin in self.origins]
        return [
            f"{origin.path} where {origin.where}" if origin.where and paths.count(origin.path) > 1 else origin.path
            for origin in self.origins
        ]

    def look_at(self, name: str, rows: NDArray[np.int64]) -> pd.Series[Any]:
        """A column of plain numbers at some positions."""
        values = pa.array(self.frame[name].array).to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
        return pd.Series(values[rows], name=name, copy=False)

    def select(self, chosen: NDArray[Any]) -> Table:
        """The table at `chosen` (a mask or positions) without its columns of plain numbers.

        It is copied, so that nothing of the other rows stays reachable.
        """
        positions = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        whole = self.frame.drop(columns=list(self.plain)) if self.plain else self.frame
        frame = whole.take(positions).reset_index(drop=True)
        file = None if self.file is None else self.file[positions]
        contents = None if self.contents is None else self.contents[positions]
        source, rows = self.source[positions], self.rows[positions]
        return replace(self, frame=frame, source=source, rows=rows, file=file, contents=contents, plain=frozenset())


def read_tables(project: Project) -> Table:
    """Reads every part that a project names and joins them into one table.

    Args:
        project: What to read, and from which folder.

    Raises:
        InvalidInput: When a file cannot be read, a part is left without rows, or the parts do not fit together.
    """
    readings: list[Reading] = []
    origins: list[PartOrigin] = []
    problems: list[Problem] = []
    cache: dict[str, Reading | None] = {}
    for part, origin in parts_of(project):
        reading = _read(project, part, origin, cache, problems)
        if reading is not None:
            readings.append(reading)
            origins.append(origin)
    if problems:
        raise InvalidInput(problems)
    labels = project.data.labels or own_labels(project, readings)
    frames = _unify(project, readings, origins, labels)
    source = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    joined = frames[0].reset_index(drop=True) if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    rows = np.concatenate([reading.rows for reading in readings])
    files, file = number_files(readings, origins)
    return Table(joined, source, rows, tuple(origins), labels, files, file, notes=notes_of(readings))


def read_table_quickly(project: Project) -> Table | None:
    """The table of a single file with its columns of plain numbers as such; None where only `read_tables` will do.

    Columns that project.yaml names, other than to include or exclude them, are read as ever.
    """
    (part, origin), *more = parts_of(project)
    if more or part.where or project.data.corrections or not project.data.labels:
        return None
    with contextlib.suppress(OSError):
        if (project.root / Path(part.path).expanduser()).stat().st_size < LEAST_BYTES:
            return None
    named = {name for key, name in named_columns(project) if not key.startswith(("data.include", "data.exclude"))}
    named |= {name for condition in project.slices.values() for name in columns_of(parse_where(condition))}
    try:
        source = find_source(part.path, project.root)
        reading = source.read_quickly(
            part.path, project.root, lambda name: name not in named and not name.startswith(ROW_NUMBERS)
        )
    except InvalidInput:
        return None
    if reading is None:
        return None
    source_of = np.zeros(len(reading.rows), np.int64)
    return Table(reading.frame, source_of, reading.rows, (origin,), project.data.labels, plain=reading.plain)


def notes_of(readings: Sequence[Reading]) -> tuple[str, ...]:
    """What was left out while reading, each once."""
    return tuple(dict.fromkeys(note for reading in readings for note in reading.notes))


def number_files(
    readings: Sequence[Reading], origins: Sequence[PartOrigin]
) -> tuple[tuple[str, ...], NDArray[np.int64] | None]:
    """The files of all parts, and each row's position among them (N,); None where each part is a single file."""
    if all(reading.file is None for reading in readings):
        return (), None
    files: list[str] = []
    numbers = []
    for reading, origin in zip(readings, origins, strict=True):
        here = np.zeros(len(reading.rows), np.int64) if reading.file is None else reading.file
        numbers.append(here + len(files))
        files += reading.files or (origin.path,)
    return tuple(files), np.concatenate(numbers)


def parts_of(project: Project) -> Iterator[tuple[Part, PartOrigin]]:
    """Every part that a project names, with where it is written."""
    data = project.data
    for i, part in enumerate(data.sources):
        key = f"data.source.{i}" if isinstance(data.source, tuple) else "data.source"
        yield part, PartOrigin(part.path, "target", key, part.where)
    for i, part in enumerate(data.extras):
        yield part, PartOrigin(part.path, "training", f"data.extra.{i}", part.where)
    for name in HELD_OUT:
        size = getattr(project.splits, name)
        if isinstance(size, str) and not is_date(size):
            yield Part(path=size), PartOrigin(size, name, f"splits.{name}")


def _read(
    project: Project, part: Part, origin: PartOrigin, cache: dict[str, Reading | None], problems: list[Problem]
) -> Reading | None:
    """One part's reading with its `where` applied; None after noting what is wrong."""
    if part.path not in cache:
        try:
            cache[part.path] = read_source(part.path, project.root)
        except InvalidInput as error:
            cache[part.path] = None
            problems += [project.problem(origin.key, f"{p.where}: {p.message}", p.hint) for p in error.problems]
    reading = cache[part.path]
    if reading is None or part.where is None:
        return reading
    try:
        return reading.select(choose_rows(project, part, origin, reading))
    except InvalidInput as error:
        problems += error.problems
        return None


def choose_rows(project: Project, part: Part, origin: PartOrigin, reading: Reading) -> NDArray[np.int64]:
    """Positions of the rows that the `where` of a part keeps.

    Raises:
        InvalidInput: When it cannot be evaluated, or keeps none.
    """
    if part.where is None:
        return np.arange(len(reading.rows))
    try:
        keep = np.flatnonzero(evaluate_where(part.where, reading.frame))
    except ValueError as error:
        raise InvalidInput(
            [project.problem(f"{origin.key}.where", f"`{part.where}` on {part.path}: {error}")]
        ) from None
    if not len(keep):
        raise InvalidInput([project.problem(f"{origin.key}.where", f"`{part.where}` keeps no row of {part.path}")])
    return keep


def own_labels(project: Project, readings: Sequence[Reading]) -> tuple[str, ...]:
    """The label that the sources bring where `data.label` is not written."""
    label = next((reading.label for reading in readings if reading.label), None)
    if label is None:
        hint = f"Add `label: COLUMN` under `data:`. Columns: {some_of(readings[0].frame.columns, 12)}."
        raise InvalidInput([project.problem("data.label", "is missing: which column is to be predicted?", hint)])
    return (label,)


def _unify(
    project: Project, readings: Sequence[Reading], origins: Sequence[PartOrigin], labels: Sequence[str]
) -> list[pd.DataFrame]:
    """The parts' frames with the same columns in the same order and of the same kind."""
    frames = [reading.frame for reading in readings]
    if len(frames) == 1:
        return frames
    names = check_columns(project, [list(map(str, frame.columns)) for frame in frames], origins, labels)
    return alike([frame.reindex(columns=names) for frame in frames])


def check_columns(
    project: Project, columns: Sequence[Sequence[str]], origins: Sequence[PartOrigin], labels: Sequence[str]
) -> list[str]:
    """The columns of all parts together.

    Raises:
        InvalidInput: When a part lacks one that it needs.
    """
    names = list(dict.fromkeys(name for each in columns for name in each))
    problems = []
    optional = _optional_columns(project, names, labels)
    for present, origin in zip(columns, origins, strict=True):
        absent = [name for name in names if name not in present and name not in optional]
        if absent:
            problems.append(_absent(project, origin, absent, list(present)))
    if problems:
        raise InvalidInput(problems)
    return names


def _optional_columns(project: Project, names: Sequence[str], labels: Sequence[str]) -> set[str]:
    """Columns that need not be in every part: no feature, label, id or weight of their own."""
    roles = assign_roles(project, names, labels)
    return {
        name
        for name, role in roles.items()
        if role in ("excluded", "annotator", "group", "time", "split")
        or (role == "feature" and name in ignored_columns(project))
    }


def _absent(project: Project, origin: PartOrigin, absent: list[str], present: list[str]) -> Problem:
    shown = some_of(map(repr, absent), MAX_SHOWN, f" and {len(absent) - MAX_SHOWN} more")
    close = get_close_matches(absent[0], present, n=1)
    hint = f"It holds a column {close[0]!r}: is that the one? " if close else ""
    hint += "Columns that are no features may be missing: list them under `data.exclude`."
    noun = "column" if len(absent) == 1 else "columns"
    return project.problem(origin.key, f"{origin.path} has no {noun} {shown}, which other parts of the data have", hint)


def alike(frames: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Frames of the same columns: those that are text in one part and typed in another become text in all."""
    if len(frames) == 1:
        return frames
    for name in frames[0].columns:
        kinds = {kind_of(frame[name]) for frame in frames if frame[name].notna().any()}
        if len(kinds) > 1 or "object" in kinds:
            for frame in frames:
                frame[name] = to_strings(frame[name])
        elif len(kinds) == 1:
            model = next(frame[name].dtype for frame in frames if frame[name].notna().any())
            for frame in frames:
                if kind_of(frame[name]) not in kinds:
                    frame[name] = pd.Series([None] * len(frame), index=frame.index, dtype=_nullable(model))
    return frames


def _nullable(dtype: Any) -> Any:
    """A dtype of the same kind that can hold missing cells."""
    if pd.api.types.is_bool_dtype(dtype):
        return pd.BooleanDtype()
    return pd.Int64Dtype() if pd.api.types.is_integer_dtype(dtype) else dtype
