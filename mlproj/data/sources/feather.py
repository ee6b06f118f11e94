"""Feather files, which is Arrow's own format: columns keep their types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mlproj.data.late import pa
from mlproj.data.sources.arrow import BATCH, attempt, check_table, to_pandas
from mlproj.data.sources.base import AbstractSource, Reading, count_rows, find_file, need_columns, refuse


class FeatherSource(AbstractSource):
    """A Feather file with one row per example."""

    forms = "`.feather` files"
    suffixes = (".feather", ".arrow")

    def read(self, path: str, root: Path) -> Reading:
        """All columns with their types; nested ones as text."""
        from pyarrow import feather

        file = find_file(path, root)
        table = attempt(path, "Feather", lambda: feather.read_table(file, memory_map=False))
        check_table(path, table)
        return Reading(to_pandas(table), count_rows(table.num_rows))

    def batches(self, path: str, root: Path, *, columns: Sequence[str] | None = None) -> Iterator[Reading]:
        """The record batches of the file, mapped into memory rather than read."""
        file = find_file(path, root)
        with attempt(path, "Feather", lambda: pa.memory_map(str(file))) as source:
            try:
                reader = pa.ipc.open_file(source)
            except pa.ArrowInvalid:  # the first version of the format has no batches, and other files have no rows
                yield from super().batches(path, root, columns=columns)
                return
            check_table(path, reader.schema.empty_table(), n=None)
            names = need_columns(path, reader.schema.names, columns)
            parts = range(reader.num_record_batches)
            gaps = frozenset(
                name
                for i in parts
                for name, column in zip(reader.schema.names, self._batch(path, reader, i).columns, strict=True)
                if column.null_count
            )
            first = 1
            for i in parts:
                whole = pa.Table.from_batches([self._batch(path, reader, i)]).select(names)
                for start in range(0, whole.num_rows, BATCH):
                    part = whole.slice(start, BATCH)
                    yield Reading(to_pandas(part, nullable=gaps), count_rows(part.num_rows, first))
                    first += part.num_rows
        if first == 1:
            raise refuse(path, "has no rows")

    def _batch(self, path: str, reader: pa.ipc.RecordBatchFileReader, i: int) -> pa.RecordBatch:
        return attempt(path, "Feather", lambda: reader.get_batch(i))
