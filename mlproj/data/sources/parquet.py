"""Parquet files: columns keep their types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mlproj.data.late import pa
from mlproj.data.sources.arrow import BATCH, attempt, check_table, to_pandas
from mlproj.data.sources.base import AbstractSource, Reading, count_rows, find_file, need_columns


class ParquetSource(AbstractSource):
    """A Parquet file with one row per example."""

    forms = "`.parquet` files"
    suffixes = (".parquet", ".pq")

    def read(self, path: str, root: Path) -> Reading:
        """All columns with their types; nested ones as text."""
        table = _read_table(path, root)
        return Reading(to_pandas(table), count_rows(table.num_rows))

    def read_quickly(self, path: str, root: Path, may_be_plain: Callable[[str], bool]) -> Reading:
        """All columns with their types; those of numbers are not taken out of Arrow's memory."""
        table = _read_table(path, root)
        kinds = {field.name: field.type for field in table.schema}
        floats = (pa.float32(), pa.float64())
        numbers = {name for name, kind in kinds.items() if pa.types.is_integer(kind) or kind in floats}
        plain = frozenset(filter(may_be_plain, numbers))
        return Reading(to_pandas(table, plain=plain), count_rows(table.num_rows), plain=plain)

    def batches(self, path: str, root: Path, *, columns: Sequence[str] | None = None) -> Iterator[Reading]:
        """Row groups cut to some ten thousand rows."""
        from pyarrow import parquet

        place = find_file(path, root)
        with attempt(path, "Parquet", lambda: parquet.ParquetFile(place)) as file:
            check_table(path, file.schema_arrow.empty_table(), n=file.metadata.num_rows)
            names = need_columns(path, file.schema_arrow.names, columns)
            gaps = attempt(path, "Parquet", lambda: _columns_with_gaps(file, names))
            first = 1
            stream = file.iter_batches(batch_size=BATCH, columns=names, use_threads=False)
            while (batch := attempt(path, "Parquet", lambda: next(stream, None))) is not None:
                part = pa.Table.from_batches([batch]).select(names)
                yield Reading(to_pandas(part, nullable=gaps), count_rows(part.num_rows, first))
                first += part.num_rows


def _read_table(path: str, root: Path) -> pa.Table:
    from pyarrow import parquet

    place = find_file(path, root)
    with attempt(path, "Parquet", lambda: parquet.ParquetFile(place)) as file:
        table = attempt(path, "Parquet", file.read)
    check_table(path, table)
    return table


def _columns_with_gaps(file: Any, names: Sequence[str]) -> frozenset[str]:
    """Those of the columns that have a missing cell somewhere: by the file's statistics, else by their cells."""
    metadata = file.metadata
    places = {metadata.schema.column(i).path: i for i in range(metadata.num_columns)}  # a nested one is text anyway
    gaps, unknown = set(), set()
    for name in places.keys() & set(names):
        chunks = [metadata.row_group(group).column(places[name]) for group in range(metadata.num_row_groups)]
        counts = [c.statistics.null_count if c.is_stats_set and c.statistics.has_null_count else None for c in chunks]
        if any(counts):
            gaps.add(name)
        elif None in counts:
            unknown.add(name)
    if unknown:
        for batch in file.iter_batches(batch_size=BATCH, columns=sorted(unknown), use_threads=False):
            gaps |= {name for name in batch.schema.names if batch.column(name).null_count}
    return frozenset(gaps)
