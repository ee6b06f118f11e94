"""The quick way through a CSV file that is mostly plain numbers: parsed as such at once, by several threads.

It says nothing of its own: for whatever is not plain in a file, from quotation marks to a cell that is no number, it
gives up, and the careful way of `csv` reads the file, or says what is wrong with it. What it does read is what the
careful way would have read, with float64 in place of texts that are numbers.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mlproj.data.cells import CODE
from mlproj.data.late import arrow_csv, pa, pc
from mlproj.data.sources.arrow import to_pandas
from mlproj.data.sources.base import Reading, count_rows, open_file
from mlproj.data.sources.csv import LEADING_BLANK, check_bytes, parse_options, peek, read_header
from mlproj.errors import InvalidInput

_BLOCK = 1 << 20
_PIECE = 1 << 16  # bytes that stay in the cache of a core


def read_plain(path: str, file: Path, may_be_plain: Callable[[str], bool]) -> Reading | None:
    """The table of a CSV file with its columns of plain numbers as float64.

    Args:
        path: As written in project.yaml.
        file: The file.
        may_be_plain: Whether a column of this name may be given as numbers.

    Returns:
        None where the file is not plain enough: records that are no lines, mistakes, or no column of plain numbers.
    """
    try:
        head = check_bytes(path, peek(path, file))
        header = read_header(path, head)
        n_quotes = head.partition(b"\n")[0].count(b'"')
        has_quotes = head.count(b'"') > n_quotes
        texts = _options(header, {}, has_quotes=has_quotes)
        sample = arrow_csv.read_csv(pa.BufferReader(head), **texts)
        plain = [name for name in header if may_be_plain(name) and _looks_plain(sample[name])]
        if not plain or LEADING_BLANK.match(head):
            return None
        with open_file(path, file) as stream:
            seen = _Watch(stream)
            table = arrow_csv.read_csv(
                seen, **_options(header, dict.fromkeys(plain, pa.float64()), has_quotes=has_quotes)
            )
        if seen.n_lines != table.num_rows + 1 or seen.n_quotes % 2 or not (has_quotes or seen.n_quotes == n_quotes):
            return None
        if seen.has_zeros or any(pc.any(pc.is_nan(table[name])).as_py() for name in plain):
            return None  # NaN in letters may be a word
        if seen.may_hold_codes and _holds_code(path, file, texts, [name for name in plain if _has_whole(table[name])]):
            return None
    except (InvalidInput, UnicodeDecodeError, pa.ArrowInvalid):
        return None
    names = frozenset(plain)
    return Reading(to_pandas(table, plain=names), count_rows(table.num_rows, first=2), plain=names)


class _Watch(io.RawIOBase):
    """A stream of bytes that notes, while it is read, whether every line is one record, and what may be a code."""

    def __init__(self, stream: BinaryIO) -> None:
        """Nothing is read yet."""
        self._stream, self._last, self._ends = stream, b"\n\n", 0
        self.n_quotes, self.has_zeros, self.may_hold_codes = 0, False, False

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, n: int = -1) -> bytes:
        """The next n bytes."""
        data = self._stream.read(n)
        self.has_zeros |= b"\0" in data
        text = np.frombuffer(self._last + data, np.uint8)
        for start in range(2, len(text), _PIECE):
            piece = text[start : start + _PIECE]
            self._ends += int(np.count_nonzero(piece == ord("\n")))
            self.n_quotes += int(np.count_nonzero(piece == ord('"')))
            self.may_hold_codes = self.may_hold_codes or _may_hold_code(text[start - 2 : start + _PIECE])
        self._last = text[-2:].tobytes()
        return data

    @property
    def n_lines(self) -> int:
        """Lines so far, the last one with or without an end."""
        return self._ends + (self._last[-1:] != b"\n")


def _may_hold_code(text: NDArray[np.uint8]) -> bool:
    """Whether a 0 and a digit begin a cell, maybe after a sign: 007 or a date do so, 0.7 and 1e-07 do not."""
    found = text[1:-1] == ord("0")
    found &= text[:-2] < ord(".")  # the end of the cell before, a sign, a blank or a quotation mark
    found &= text[2:] - np.uint8(ord("0")) < 10
    if not found.any():
        return False
    place = np.flatnonzero(found)
    is_sign = (text[place] == ord("-")) | (text[place] == ord("+"))
    is_exponent = is_sign & (place > 0) & (text[np.maximum(place - 1, 0)] | 0x20 == ord("e"))
    return not bool(is_exponent.all())


def _options(header: Sequence[str], types: Mapping[str, pa.DataType], *, has_quotes: bool) -> dict[str, Any]:
    """How Arrow reads: all columns as text but for some types; a row that is too long or short is an error."""
    options = parse_options(header, 0, _BLOCK, has_quotes=has_quotes, ragged=[])
    options["read_options"].use_threads = True
    options["parse_options"] = arrow_csv.ParseOptions(newlines_in_values=has_quotes)  # and no handler of such rows
    options["convert_options"].column_types = dict.fromkeys(header, pa.large_string()) | dict(types)
    return options


def _looks_plain(texts: pa.ChunkedArray) -> bool:
    """Whether some cells are numbers, and all others empty."""
    try:
        numbers = pc.cast(texts, pa.float64())
    except pa.ArrowInvalid:
        return False
    n_known = len(texts) - texts.null_count
    is_known = n_known > 0 and not pc.any(pc.is_nan(numbers)).as_py()
    return is_known and not pc.any(pc.match_substring_regex(texts, CODE)).as_py()


def _has_whole(numbers: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.equal(numbers, pc.floor(numbers))).as_py())


def _holds_code(path: str, file: Path, texts: dict[str, Any], names: Sequence[str]) -> bool:
    """Whether columns that hold whole numbers hold one such as 007, which only their texts can tell."""
    if not names:
        return False
    texts["convert_options"].include_columns = names
    with open_file(path, file) as stream, arrow_csv.open_csv(stream, **texts) as batches:
        return any(
            pc.any(pc.match_substring_regex(column, CODE)).as_py() for batch in batches for column in batch.columns
        )
