"""pandas and pyarrow, imported when something of them is used.

They take as long to import as a small training takes, and a command whose data lie in the cache needs neither. A module
that imports them from here defers its annotations (`from __future__ import annotations`), which would be a use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any


class _Later:
    """Stands for a module, and imports it at the first use of one of its names."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        found = self.__dict__[attribute] = getattr(import_module(self._name), attribute)
        return found


if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as arrow_csv
    import pyarrow.parquet as pq
else:
    pd, pa, pc = _Later("pandas"), _Later("pyarrow"), _Later("pyarrow.compute")
    arrow_csv, pq = _Later("pyarrow.csv"), _Later("pyarrow.parquet")

__all__ = ["arrow_csv", "pa", "pc", "pd", "pq"]
