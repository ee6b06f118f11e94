"""pandas and pyarrow, imported when something of them is used.

They take as long to import as a small training takes, and a command whose data lie in the cache needs neither. A module
that imports them from here defers its annotations (`from __future__ import annotations`), which would be a use.
"""

from typing import TYPE_CHECKING

from mlproj.lazy import Later

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as arrow_csv
    import pyarrow.parquet as pq
else:
    pd, pa, pc = Later("pandas"), Later("pyarrow"), Later("pyarrow.compute")
    arrow_csv, pq = Later("pyarrow.csv"), Later("pyarrow.parquet")

__all__ = ["arrow_csv", "pa", "pc", "pd", "pq"]
