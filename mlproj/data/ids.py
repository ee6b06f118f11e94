"""Names for examples: a column's text, or a hash of the row's features. N examples.

An id must outlive everything that happens to a file: shuffling, more rows, moved columns, another format. So a cell is
hashed by what it says (``1``, ``1.0`` and ``"1"`` are the same number), not by how it was stored::

    names = name_rows(project, frame, labels=("is_cat",))
    names.ids, names.units      # equal rows: one unit, ids ending in #2, #3, …
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlproj.data.cells import are_distinct, kind_of, read_texts
from mlproj.data.columns import ROW_NUMBERS, assign_roles, find_absent, ignored_columns
from mlproj.data.late import pa, pc, pd
from mlproj.data.threads import side_by_side
from mlproj.data.words import Place, row_place, some_of
from mlproj.errors import InvalidInput, Problem
from mlproj.records.predictions import Texts
from mlproj.spec.project import Project

HASH_DIGITS = 16
"""Hexadecimal digits kept of each SHA-256: 64 bits; among a million rows two differing ones collide with p = 3e-8."""
_SEPARATOR, _ESCAPE = "\x1f", "\x1e"
_BLOCK = 16_384  # rows hashed at a time: their joined text stays small, and every core takes blocks of its own
_NUMBER = r"^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[iI][nN][fF](?:inity)?|[nN][aA][nN])$"
_MOMENT = r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[-+]\d\d:?\d\d)?$"
DEAL_KEYS = ("data.id", "data.group", "data.time", "splits.column")
"""Keys whose columns a deal needs."""


@dataclass(frozen=True)
class RowNames:
    """What the examples of a table are called.

    Attributes:
        ids: One text per example (N,), no two alike.
        units: What is dealt as a whole (N,): the group, else the id, shared by rows of equal content.
        columns: Columns whose content made the ids; empty where `data.id` names them.
    """

    ids: Texts
    units: Texts
    columns: tuple[str, ...] = ()


def name_rows(
    project: Project,
    frame: pd.DataFrame,
    *,
    labels: Sequence[str] = (),
    columns: Sequence[str] | None = None,
    place: Place = row_place,
    contents: Texts | None = None,
) -> RowNames:
    """The ids of a table's rows, and the units that are dealt as a whole.

    Args:
        project: Says which columns are id and group.
        frame: All rows and columns.
        labels: Label columns.
        columns: Columns to hash where `data.id` is not given; by default `hash_columns` decides.
        place: Names the row at a position, for messages.
        contents: Content hash of each row (N,) over `columns`, where it is known already.

    Raises:
        InvalidInput: When the id or group column is not there, or ids are missing or repeated.
    """
    problems = find_absent(project, frame.columns, DEAL_KEYS)
    if problems:
        raise InvalidInput(problems)
    if project.data.id is None:
        columns = hash_columns(project, frame.columns, labels) if columns is None else tuple(columns)
        contents = content_hashes(frame, columns) if contents is None else contents
        ids = _numbered(contents)
    else:
        columns = ()
        ids = contents = _named_ids(project, frame[project.data.id], place)
    return RowNames(ids, _units(project, frame, contents), tuple(columns))


def hash_columns(project: Project, names: Sequence[str] | pd.Index, labels: Sequence[str]) -> tuple[str, ...]:
    """The columns whose content names a row, in name order.

    They follow from project.yaml alone, never from what the cells look like, because a guess may change as the data
    grow: all columns but the label, group, weight, `splits.column` and what is excluded or ignored. Row numbers that a
    writer left without a name do not count. The time column does: equal measurements on two days are two examples.

    Example:
        >>> from mlproj.spec.data import Data
        >>> project = Project(name="cats", data=Data(source="a.csv", label="cat", exclude=("note",)))
        >>> hash_columns(project, ["size", "note", "cat", "age"], ["cat"])
        ('age', 'size')
    """
    roles = assign_roles(project, [str(name) for name in names], labels)
    out = {*project.data.exclude, *ignored_columns(project)}
    kept = {name for name, role in roles.items() if role in ("feature", "time", "id") and name not in out}
    return tuple(sorted(name for name in kept if not name.startswith(ROW_NUMBERS)))


def content_hashes(frame: pd.DataFrame, columns: Sequence[str]) -> Texts:
    """SHA-256 of each row's cells, shortened (N,): equal rows have equal hashes, whatever they were stored as.

    Args:
        frame: The table.
        columns: Columns to hash, in the order in which they count.

    Example:
        >>> text, number = pd.DataFrame({"a": ["1.0"]}), pd.DataFrame({"a": [1]})
        >>> bool(content_hashes(text, ["a"]) == content_hashes(number, ["a"]))
        True
    """
    starts = range(0, len(frame), _BLOCK)

    def hash_at(start: int) -> bytes:
        return _hash_block(frame.iloc[start : start + _BLOCK], columns)

    digests = b"".join(side_by_side(hash_at, starts))  # turning numbers into text is most of the work
    return np.frombuffer(digests.hex().encode(), f"S{HASH_DIGITS}").astype(f"<U{HASH_DIGITS}")


def canonical_text(values: pd.Series) -> pa.Array:
    """What each cell says: numbers as shortest float64 text, missing as empty, dates in ISO form, else the text.

    Example:
        >>> canonical_text(pd.Series(["1.0", " yes", None, "TRUE", "2024-01-01 00:00:00"])).to_pylist()
        ['1', 'yes', '', 'true', '2024-01-01']
    """
    match kind_of(values):
        case "number":
            text = _canonical_number(_arrow(values))
        case "boolean" | "date":
            text = _moment_text(pc.cast(_arrow(values), pa.string()))
        case _:
            text = _canonical_words(read_texts(values))
    return pc.fill_null(pc.cast(text, pa.string()), "")


def _hash_block(block: pd.DataFrame, columns: Sequence[str]) -> bytes:
    """The first bytes of the SHA-256 of each row, one after the other."""
    texts = [_cell_texts(block[name]) for name in columns]
    if not texts:
        rows = [b""] * len(block)
    else:
        joined = pc.binary_join_element_wise(*texts, _SEPARATOR) if len(texts) > 1 else texts[0]
        rows = pc.cast(joined, pa.binary()).to_pylist()
    sha256, n_bytes = hashlib.sha256, HASH_DIGITS // 2
    return b"".join([sha256(row).digest()[:n_bytes] for row in rows])


def _cell_texts(cells: pd.Series[Any]) -> pa.Array:
    """What the cells of a column say, without separators; numbers hold none."""
    texts = canonical_text(cells)
    return texts if kind_of(cells) == "number" else _escaped(texts)


def _escaped(texts: pa.Array) -> pa.Array:
    """The texts without the separator, so that ("a|", "b") and ("a", "|b") stay two different rows."""
    if not pc.any(pc.match_substring_regex(texts, f"[{_SEPARATOR}{_ESCAPE}]")).as_py():
        return texts
    texts = pc.replace_substring(texts, _ESCAPE, _ESCAPE + "e")
    return pc.replace_substring(texts, _SEPARATOR, _ESCAPE + "s")


def _arrow(values: pd.Series) -> pa.Array:
    array = pa.array(values, from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _canonical_number(array: pa.Array) -> pa.Array:
    if pa.types.is_float32(array.type) or pa.types.is_float16(array.type):
        array = pc.cast(pc.cast(array, pa.float32()), pa.string())  # its shortest text is what a CSV file of it holds
    return _number_text(pc.cast(array, pa.float64(), safe=False))


def _canonical_words(words: pa.Array) -> pa.Array:
    """Canonical text of text cells: all numbers at once, or worked out once per distinct cell."""
    try:
        return _number_text(pc.cast(words, pa.float64()))
    except pa.ArrowInvalid:  # some cell is no number
        encoded = pc.dictionary_encode(words)
    distinct = encoded.dictionary
    is_number = pc.match_substring_regex(distinct, _NUMBER)
    numbers = _number_text(pc.cast(pc.if_else(is_number, distinct, None), pa.float64()))
    lower = pc.utf8_lower(distinct)
    is_boolean = pc.is_in(lower, value_set=pa.array(["true", "false"], lower.type))
    other = pc.if_else(is_boolean, lower, _moment_text(distinct))
    text = pc.if_else(is_number, pc.fill_null(pc.cast(numbers, other.type), ""), other)
    return pc.take(text, encoded.indices)


def _number_text(numbers: pa.Array) -> pa.Array:
    """Shortest text that reads back as the same float64; −0 is 0, NaN is missing."""
    numbers = pc.add(numbers, 0.0)
    return pc.cast(pc.if_else(pc.is_nan(numbers), None, numbers), pa.string())


def _moment_text(texts: pa.Array) -> pa.Array:
    """Moments in one form: a blank between date and time, no trailing zeros, midnight left out."""
    is_moment = pc.match_substring_regex(texts, _MOMENT)
    if not pc.any(is_moment).as_py():
        return texts
    short = pc.replace_substring_regex(texts, _MOMENT, r"\1 \2\3")
    short = pc.replace_substring_regex(short, r"[-+]00:?00$", "Z")
    short = pc.replace_substring_regex(short, r"(:\d\d:\d\d)\.0+\b|(:\d\d:\d\d\.\d*?[1-9])0+\b", r"\1\2")
    short = pc.replace_substring_regex(short, r"^(\d{4}-\d\d-\d\d) 00:00(:00)?$", r"\1")
    return pc.if_else(is_moment, short, texts)


def _numbered(contents: Texts) -> Texts:
    """Content hashes made unique: the second of equal rows ends in #2, the third in #3."""
    if are_distinct(contents):
        return contents
    repeat = pd.Series(contents).groupby(contents, sort=False).cumcount().to_numpy()
    again = np.flatnonzero(repeat)
    if not len(again):
        return contents
    ids = contents.astype(f"<U{HASH_DIGITS + 1 + len(str(repeat.max() + 1))}")
    ids[again] = [f"{contents[row]}#{repeat[row] + 1}" for row in again]
    return ids


def _named_ids(project: Project, values: pd.Series, place: Place) -> Texts:
    texts = read_texts(values)
    problems = []
    missing = np.flatnonzero(pc.is_null(texts).to_numpy(zero_copy_only=False))
    if len(missing):
        message = f"{len(missing):,} rows have no {values.name!r}: {some_of(map(place, missing.tolist()))}"
        problems.append(project.problem("data.id", message, "Fill them in, or leave `data.id` out: a hash serves."))
    names = pd.Series(texts.to_pylist(), dtype=object)
    problems += _repeated(project, names, place)
    if problems:
        raise InvalidInput(problems)
    return np.array(names.tolist(), dtype=np.str_)


def _repeated(project: Project, names: pd.Series, place: Place) -> list[Problem]:
    again = names.notna() & names.duplicated(keep=False)
    if not again.any():
        return []
    rows = pd.Series(np.flatnonzero(again)).groupby(names[again].to_numpy(), sort=False).agg(list)
    shown = "; ".join(f"{name!r} in {some_of(map(place, at), rest='')}" for name, at in rows.head().items())
    message = f"{len(rows):,} ids of {project.data.id!r} occur more than once: {shown}{'; …' if len(rows) > 5 else ''}"
    hint = "Name a column that is different in every row; for several rows per person use `data.group`."
    return [project.problem("data.id", message, hint)]


def _units(project: Project, frame: pd.DataFrame, contents: Texts) -> Texts:
    """Group of each row; a row without one stands for itself."""
    if project.data.group is None:
        return contents
    groups = pc.cast(read_texts(frame[project.data.group]), pa.string())
    own = pc.binary_join_element_wise("row", pa.array(contents, pa.string()), " ")
    return np.array(pc.coalesce(groups, own).to_pylist(), dtype=np.str_)
