"""JSON lines: one object per line; cells become text as they are written, and are read like those of a CSV file."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlproj.data.late import pd
from mlproj.data.sources.base import AbstractSource, Reading, find_file, need_columns, open_file, refuse

_ROWS = 1 << 16


class JsonLinesSource(AbstractSource):
    """One JSON object per line; a key that a line lacks is a missing cell, and what is nested stays JSON."""

    forms = "`.jsonl` and `.jsonl.gz` files"
    suffixes = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")

    def read(self, path: str, root: Path) -> Reading:
        """All keys of all lines."""
        file = find_file(path, root)
        lines, objects = [], []
        for line, found in _objects(path, file):
            lines.append(line)
            objects.append(found)
        names = list(dict.fromkeys(name for found in objects for name in found))
        _check(path, len(objects), names)
        return _reading(path, names, lines, objects)

    def batches(self, path: str, root: Path, *, columns: Sequence[str] | None = None) -> Iterator[Reading]:
        """Some ten thousand lines at a time; a first pass gathers the keys."""
        file = find_file(path, root)
        keys: dict[str, None] = {}
        n = 0
        for _, found in _objects(path, file):
            keys |= dict.fromkeys(found)
            n += 1
        _check(path, n, keys)
        names = need_columns(path, list(keys), columns)
        lines: list[int] = []
        objects: list[dict[str, str | None]] = []
        for line, found in _objects(path, file):
            lines.append(line)
            objects.append(found)
            if len(lines) == _ROWS:
                yield _reading(path, names, lines, objects)
                lines, objects = [], []
        if lines:
            yield _reading(path, names, lines, objects)


def _check(path: str, n: int, names: Collection[str]) -> None:
    if not names:
        raise refuse(path, "has no columns" if n else "has no rows", 'Write {"column": value, …} in each line.')


def _reading(path: str, names: Sequence[str], lines: list[int], objects: list[dict[str, str | None]]) -> Reading:
    try:
        columns = {name: pd.Series([found.get(name) for found in objects], dtype="str") for name in names}
    except UnicodeEncodeError:
        bad = next(line for line, found in zip(lines, objects, strict=True) if not _is_text(found))
        hint = "A character was cut in two when the file was written: \\ud800 to \\udfff come in pairs."
        raise refuse(f"{path} row {bad}", "holds half a character", hint) from None
    return Reading(pd.DataFrame(columns), np.array(lines, np.int64))


def _is_text(found: dict[str, str | None]) -> bool:
    return not any("\ud800" <= sign <= "\udfff" for cell in found.values() for sign in cell or "")


def _objects(path: str, file: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    """The objects with their lines; numbers as they are written, truths as `true` and `false`."""
    with open_file(path, file) as stream:
        for line, data in enumerate(stream, start=1):
            if data.strip():
                yield line, _parse(path, line, data)


def _parse(path: str, line: int, data: bytes) -> dict[str, str | None]:
    place = f"{path} row {line}"
    try:
        found = json.loads(data.decode("utf-8-sig"), parse_float=str, parse_int=str, parse_constant=str)
    except UnicodeDecodeError:
        raise refuse(place, "is not UTF-8", "Save the file as UTF-8.") from None
    except json.JSONDecodeError as error:
        hint = (
            "One JSON object per line is needed."
            if line > 1
            else "A single JSON document is no JSON lines file: one object per line is needed."
        )
        raise refuse(place, f"is no JSON ({error.msg} at character {error.pos + 1})", hint) from None
    except RecursionError:
        raise refuse(place, "is nested too deeply") from None
    if not isinstance(found, dict):
        raise refuse(
            place, f"holds a {type(found).__name__}, not an object", 'Write {"column": value, …} in each line.'
        )
    if any(isinstance(value, dict | list) for value in found.values()):
        plain = json.loads(data.decode("utf-8-sig"))  # numbers within what is nested stay numbers
        found = {name: plain[name] if isinstance(value, dict | list) else value for name, value in found.items()}
    return {name: _text(value) for name, value in found.items()}


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
