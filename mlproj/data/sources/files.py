"""Folders and globs: every data file in them, in the order of their names, as one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from mlproj.data.late import pd
from mlproj.data.sources.base import DATA_SUFFIXES, AbstractSource, Reading, need_columns, refuse, suggest_file
from mlproj.data.words import some_of, suggest
from mlproj.errors import InvalidInput, Problem

_PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
_WILD = frozenset("*?[")
_ALIKE = "Files of one folder or glob need the same columns."
_READ = f"Data files end in {', '.join(DATA_SUFFIXES[:-1])} or {DATA_SUFFIXES[-1]}."


class FilesSource(AbstractSource):
    """A folder of data files, or a glob such as `logs/2024-*.csv`; `**` stands for folders at any depth."""

    forms = "folders and globs of these"

    def claims(self, path: str) -> bool:
        """Whether the path is a glob, or has no ending that a file would have."""
        is_named = ":" in path or "." in Path(path).name.strip(".")
        return bool(_WILD & set(path)) or path.endswith("/") or not is_named

    def read(self, path: str, root: Path) -> Reading:
        """The rows of all files; each row knows the file that it stands in."""
        files, notes = find_files(path, root)
        readings: list[Reading] = []
        problems: list[Problem] = []
        for file in files:
            try:
                readings.append(_source(file).read(file, root))
                _check_alike(file, readings[-1].frame, files[0], readings[0].frame)
            except InvalidInput as error:
                problems += error.problems
                if not readings:
                    break
        if problems:
            raise InvalidInput(problems)
        kinds = _common_types([reading.frame for reading in readings])
        return Reading(
            pd.concat([_retype(reading.frame, kinds) for reading in readings], ignore_index=True),
            np.concatenate([reading.rows for reading in readings]),
            next((reading.label for reading in readings if reading.label), None),
            tuple(files),
            np.repeat(np.arange(len(files)), [len(reading.rows) for reading in readings]),
            notes,
        )

    def batches(self, path: str, root: Path, *, columns: Sequence[str] | None = None) -> Iterator[Reading]:
        """The batches of one file after the other; a first look at each finds the types that suit them all."""
        files, notes = find_files(path, root)
        heads = []
        for file in files:
            head = next(_source(file).batches(file, root))
            heads.append(replace(head, frame=head.frame.iloc[:1]))
            _check_alike(file, heads[-1].frame, files[0], heads[0].frame)
        kinds = _common_types([head.frame for head in heads])
        names = need_columns(path, list(kinds), columns)
        label = next((head.label for head in heads if head.label), None)
        for place, file in enumerate(files):
            for reading in _source(file).batches(file, root, columns=names):
                frame = _retype(reading.frame, {name: kinds[name] for name in names})
                yield Reading(frame, reading.rows, label, tuple(files), np.full(len(frame), place), notes)


def _source(file: str) -> AbstractSource:
    from mlproj.data.sources.registry import find_source

    return find_source(file.translate(dict.fromkeys(map(ord, _WILD), "_")))  # a file's own name is no glob


def find_files(path: str, root: Path) -> tuple[list[str], tuple[str, ...]]:
    """The data files as project.yaml would write them, in the order of their names, and what was left out."""
    place = root / Path(path).expanduser()
    if place.is_file():
        found = [place]
    elif place.is_dir():
        found = _list(path, place)
    elif _WILD & set(path):
        found = _expand(path, place)
    else:
        raise refuse(path, "there is no such file or folder", _suggest(place))
    kept = [file for file in found if file.name.lower().endswith(DATA_SUFFIXES)]
    others = [file.name for file in found if file not in kept]
    if not kept:
        _refuse_empty(path, place, found)
    notes: tuple[str, ...] = ()
    if others:
        read = f"{len(kept)} data {'file is' if len(kept) == 1 else 'files are'} read"
        n = f"{len(others)} other {'file' if len(others) == 1 else 'files'}"
        notes = (f"{path}: {read}, {n} left out ({some_of(others, 3)}).",)
    return [str(file.relative_to(root)) if file.is_relative_to(root) else str(file) for file in kept], notes


def _list(path: str, place: Path) -> list[Path]:
    """The visible files of a folder; data files further down have to be asked for."""
    files = sorted(file for file in place.iterdir() if file.is_file() and file.name[0] != ".")
    below = sorted(file for file in _visible(place.rglob("*"), place) if file.name.lower().endswith(DATA_SUFFIXES))
    deeper = [file for file in below if file.parent != place]
    if deeper:
        folder = path.rstrip("/")
        hint = f"Write {folder}/*{_suffix(deeper[0])} for its own files, {folder}/**/*{_suffix(deeper[0])} for all."
        raise refuse(path, f"holds data files in sub-folders too: {deeper[0].relative_to(place)}", hint)
    return files


def _suffix(file: Path) -> str:
    return next(suffix for suffix in sorted(DATA_SUFFIXES, key=len)[::-1] if file.name.lower().endswith(suffix))


def _expand(path: str, place: Path) -> list[Path]:
    """The files that a glob matches; hidden ones only where it names them."""
    parts = place.parts
    first = next(i for i, part in enumerate(parts) if _WILD & set(part))
    fixed, pattern = Path(*parts[:first]), parts[first:]
    if pattern[-1] == "**":
        pattern = (*pattern, "*")
    try:
        found = {file for file in fixed.glob("/".join(pattern)) if file.is_file()}
    except ValueError as error:
        raise refuse(path, f"is no glob: {error}", "Write `**` between slashes, as in logs/**/*.csv.") from None
    if not any(part.startswith(".") for part in pattern):
        found = set(_visible(found, fixed))
    if not found:
        raise refuse(path, "matches no file", suggest_file(fixed / "x.csv", f"{fixed.name or 'The folder'} holds"))
    return sorted(found)


def _visible(files: Iterator[Path] | set[Path], place: Path) -> Iterator[Path]:
    return (file for file in files if not any(part[0] == "." for part in file.relative_to(place).parts))


def _suggest(place: Path) -> str:
    """The closest folder beside a missing one, else the files there."""
    if place.parent.is_dir():
        folders = [entry.name for entry in place.parent.iterdir() if entry.is_dir() and entry.name[0] != "."]
        close = suggest(place.name, folders)
        if close.startswith("Did"):
            return close
    return suggest_file(place)


def _refuse_empty(path: str, place: Path, found: Sequence[Path]) -> None:
    pictures = [file for file in found if file.suffix.lower() in _PICTURES]
    if not pictures and place.is_dir():
        pictures = [file for file in place.glob("*/*") if file.suffix.lower() in _PICTURES]
    if pictures:
        hint = "Make a table of features of them, one row per picture, for example as .csv or .npz."
        raise refuse(path, f"is a folder of pictures ({pictures[0].name}); these are not read yet", hint)
    if place.is_file():
        raise refuse(path, "is a file whose kind cannot be told by its name", _READ)
    held = some_of(file.name for file in found)
    what = "is a folder that holds" if place.is_dir() else "matches"
    raise refuse(path, f"{what} no data file ({held})" if held else f"{what} no file", _READ)


def _check_alike(file: str, frame: pd.DataFrame, first: str, model: pd.DataFrame) -> None:
    found, names = list(map(str, frame.columns)), list(map(str, model.columns))
    absent = [name for name in names if name not in found]
    more = [name for name in found if name not in names]
    if absent:
        message = f"has no column {some_of(map(repr, absent))}, unlike {first}"
        hint = suggest(absent[0], more)
        raise refuse(file, message, hint if hint.startswith("Did") else _ALIKE)
    if more:
        message = f"has the column {some_of(map(repr, more))}, which {first} does not have"
        raise refuse(file, message, _ALIKE)


def _common_types(frames: Sequence[pd.DataFrame]) -> dict[str, Any]:
    """The type of each column in all files: text where they are of several kinds."""
    from mlproj.data.cells import kind_of

    types = {}
    for name in frames[0].columns:
        columns = [frame[name].iloc[:0] for frame in frames]
        kinds = {kind_of(column) for column in columns}
        is_mixed = len(kinds) > 1 or kinds <= {"text", "object"}
        types[str(name)] = "text" if is_mixed else reduce(_wider, [column.dtype for column in columns])
    return types


def _wider(a: Any, b: Any) -> Any:
    return pd.concat([pd.Series([], dtype=a), pd.Series([], dtype=b)]).dtype


def _retype(frame: pd.DataFrame, types: dict[str, Any]) -> pd.DataFrame:
    from mlproj.data.cells import kind_of, to_strings

    columns = {}
    for name, kind in types.items():
        column = frame[name]
        if not isinstance(kind, str):
            columns[name] = column.astype(kind)
        else:
            columns[name] = column if kind_of(column) == "text" else to_strings(column)
    return pd.DataFrame(columns)
