"""What the readers of typed tables share: columns of Arrow as standard pandas types."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, TypeVar

from mlproj.data.late import pa, pd
from mlproj.data.sources.base import refuse

Made = TypeVar("Made")
BATCH = 1 << 16
"""Rows of a batch."""


def to_pandas(table: pa.Table, *, nullable: frozenset[str] | None = None, plain: Container[str] = ()) -> pd.DataFrame:
    """Standard pandas types; whole numbers and truths with missing cells keep theirs.

    Args:
        table: The columns; nested ones become text.
        nullable: Columns that have missing cells somewhere, when this is only a part of them.
        plain: Columns that stay where Arrow put them, in pieces, because a copy of each would be a second table.
    """
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        simple = simplify(column)
        has_gaps = simple.null_count if nullable is None else name in nullable
        mapper: Any = pd.ArrowDtype if name in plain else _nullable if has_gaps else None
        columns[str(name)] = simple.to_pandas(types_mapper=mapper)
    return pd.DataFrame(columns, copy=False)


def _nullable(kind: pa.DataType) -> Any:
    """The type of pandas that holds whole numbers or truths beside missing cells; None for what needs none."""
    if pa.types.is_boolean(kind):
        return pd.BooleanDtype()
    if not pa.types.is_integer(kind):
        return None
    return getattr(pd, f"{'U' if pa.types.is_unsigned_integer(kind) else ''}Int{kind.bit_width}Dtype")()


def simplify(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of a plain type: no dictionaries, dates as moments, decimals as numbers, what is nested as text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return simplify(column.cast(kind.value_type))
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("s" if kind == pa.date32() else "ms"))
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        return column.cast(pa.float64() if pa.types.is_decimal(kind) else pa.float32())
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    is_plain = pa.types.is_primitive(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if is_plain and not pa.types.is_time(kind) and not pa.types.is_duration(kind):
        return column
    return pa.chunked_array(
        [pa.array([None if cell is None else str(cell) for cell in column.to_pylist()], pa.string())]
    )


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
