"""Parquet and Feather files: columns keep their types."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from mlproj.data.sources.arrow import to_pandas
from mlproj.data.sources.base import AbstractSource, Reading, count_rows, find_file, need_columns, refuse

Made = TypeVar("Made")
_ROWS = 1 << 16


class ParquetSource(AbstractSource):
    """A Parquet file with one row per example."""

    forms = "`.parquet` files"
    suffixes = (".parquet", ".pq")

    def read(self, path: str, root: Path) -> Reading:
        """All columns with their types; nested ones as text."""
        from pyarrow import parquet

        file = find_file(path, root)
        table = attempt(path, "Parquet", lambda: parquet.ParquetFile(file).read())
        check_table(path, table)
        return Reading(to_pandas(table), count_rows(table.num_rows))

    def batches(self, path: str, root: Path, *, columns: Sequence[str] | None = None) -> Iterator[Reading]:
        """Row groups cut to some ten thousand rows."""
        from pyarrow import parquet

        file = attempt(path, "Parquet", lambda: parquet.ParquetFile(find_file(path, root)))
        names = need_columns(path, file.schema_arrow.names, columns)
        gaps = _columns_with_gaps(file)
        check_table(path, file.schema_arrow.empty_table(), n=file.metadata.num_rows)
        first = 1
        stream = file.iter_batches(batch_size=_ROWS, columns=names, use_threads=False)
        while (batch := attempt(path, "Parquet", lambda: next(stream, None))) is not None:
            part = pa.Table.from_batches([batch]).select(names)
            yield Reading(to_pandas(part, nullable=gaps), count_rows(part.num_rows, first))
            first += part.num_rows


class FeatherSource(AbstractSource):
    """A Feather file (Arrow's own format) with one row per example."""

    forms = "`.feather` files"
    suffixes = (".feather", ".arrow")

    def read(self, path: str, root: Path) -> Reading:
        """All columns with their types; nested ones as text."""
        from pyarrow import feather

        file = find_file(path, root)
        table = attempt(path, "Feather", lambda: feather.read_table(file))
        check_table(path, table)
        return Reading(to_pandas(table), count_rows(table.num_rows))

    def batches(self, path: str, root: Path, *, columns: Sequence[str] | None = None) -> Iterator[Reading]:
        """The record batches of the file, mapped into memory rather than read."""
        file = find_file(path, root)
        try:
            with pa.memory_map(str(file)) as source:
                reader = pa.ipc.open_file(source)
                yield from self._batches(path, reader, columns)
        except (pa.ArrowInvalid, OSError):  # the first version of the format has no batches
            reading = self.read(path, root)
            names = need_columns(path, list(map(str, reading.frame.columns)), columns)
            yield Reading(reading.frame[names], reading.rows)

    def _batches(self, path: str, reader: Any, columns: Sequence[str] | None) -> Iterator[Reading]:
        check_table(path, reader.schema.empty_table(), n=None)
        names = need_columns(path, reader.schema.names, columns)
        parts = range(reader.num_record_batches)
        gaps = frozenset(name for name in names if any(reader.get_batch(i).column(name).null_count for i in parts))
        first = 1
        for i in parts:
            whole = pa.Table.from_batches([reader.get_batch(i)]).select(names)
            for start in range(0, whole.num_rows, _ROWS):
                part = whole.slice(start, _ROWS)
                yield Reading(to_pandas(part, nullable=gaps), count_rows(part.num_rows, first))
                first += part.num_rows
        if first == 1:
            raise refuse(path, "has no rows")


def _columns_with_gaps(file: Any) -> frozenset[str]:
    """Columns that have a missing cell somewhere, by the file's own statistics; without these all of them may."""
    gaps = set()
    schema = file.schema_arrow.names
    for group in range(file.metadata.num_row_groups):
        for i in range(file.metadata.num_columns):
            column = file.metadata.row_group(group).column(i)
            known = column.statistics if column.is_stats_set else None
            if known is None or not known.has_null_count or known.null_count:
                gaps.add(column.path_in_schema.split(".")[0])
    return frozenset(gaps & set(schema))


def attempt(path: str, kind: str, make: Callable[[], Made]) -> Made:
    """What a reader returns.

    Raises:
        InvalidInput: When it cannot read the file.
    """
    try:
        return make()
    except pa.ArrowException as error:
        raise refuse(path, f"is no readable {kind} file: {str(error).splitlines()[0][:200]}") from None
    except OSError as error:
        raise refuse(path, f"cannot be read ({error.strerror or str(error).splitlines()[0][:200]})") from None


def check_table(path: str, table: pa.Table, *, n: int | None = -1) -> None:
    """Refuses a table without rows or columns, or with two columns of one name; `n` are its rows, None if unknown."""
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        raise refuse(path, f"names a column more than once: {', '.join(map(repr, twice))}")
    if table.num_columns == 0:
        raise refuse(path, "has no columns")
    if (table.num_rows if n == -1 else n) == 0:
        raise refuse(path, "has no rows")
