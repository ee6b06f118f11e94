"""Parquet files: columns keep their types."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from mlproj.data.sources.base import AbstractSource, Reading, count_rows, find_file, refuse

_NULLABLE = {
    pa.int8(): pd.Int8Dtype(), pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(), pa.uint16(): pd.UInt16Dtype(), pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(), pa.bool_(): pd.BooleanDtype(),
}  # fmt: skip


class ParquetSource(AbstractSource):
    """A Parquet file with one row per example."""

    forms = "`.parquet` files"

    def claims(self, path: str) -> bool:
        """Whether the name ends in `.parquet`."""
        return path.lower().endswith((".parquet", ".pq"))

    def read(self, path: str, root: Path) -> Reading:
        """All columns with their types; nested ones as text."""
        from pyarrow import parquet

        try:
            table = parquet.ParquetFile(find_file(path, root)).read()
        except OSError as error:
            raise refuse(path, f"cannot be read ({error.strerror or error})") from None
        except pa.ArrowException as error:
            raise refuse(path, f"is no readable Parquet file: {str(error).splitlines()[0][:200]}") from None
        twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
        if twice:
            raise refuse(path, f"names a column more than once: {', '.join(map(repr, twice))}")
        if table.num_rows == 0 or table.num_columns == 0:
            raise refuse(path, "has no rows" if table.num_columns else "has no columns")
        return Reading(_to_pandas(table), count_rows(table.num_rows))


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    """Standard pandas types; whole numbers and truths with missing cells keep theirs."""
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        plain = _simplify(column)
        mapper: Any = _NULLABLE.get if plain.null_count else None
        columns[str(name)] = plain.to_pandas(types_mapper=mapper)
    return pd.DataFrame(columns)


def _simplify(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _simplify(column.cast(kind.value_type))
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("s" if kind == pa.date32() else "ms"))
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    is_plain = pa.types.is_primitive(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if is_plain and not pa.types.is_time(kind) and not pa.types.is_duration(kind):
        return column
    return pa.chunked_array(
        [pa.array([None if cell is None else str(cell) for cell in column.to_pylist()], pa.string())]
    )
