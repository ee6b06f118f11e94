"""One split of the data as training sees it. N examples, F inputs, L labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.data.late import pd
from mlproj.records.predictions import SplitName, Texts

ARRAYS = ("ids", "x", "y", "weight", "group", "source")
"""Attributes of a part with a value per example, None where there is none."""


@dataclass(frozen=True)
class Part:
    """One split.

    Attributes:
        name: train, train_dev or dev.
        ids: Ids of its examples (N,).
        frame: Their raw cells (N rows) without the label and without columns declared `ignore`.
        x: Inputs (N, F).
        y: Labels as `Target.encode` gives them (N, L).
        weight: Weights in the metric (N,), or None when all weigh 1.
        group: Group of each example (N,), or None without `data.group`.
        source: Position of each example's part among those of `data.source` and `data.extra` (N,).
    """

    name: SplitName
    ids: Texts
    frame: pd.DataFrame
    x: NDArray[np.float32]
    y: NDArray[Any]
    weight: NDArray[np.float64] | None
    group: Texts | None
    source: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def without_cells(self) -> LatePart:
        """The part without raw cells, for whoever trains on it elsewhere: its `frame` has rows and no column."""
        return LatePart.make(partial(_no_cells, len(self)), {"name": self.name} | self.arrays())

    def take(self, rows: NDArray[np.int64]) -> Part:
        """Some examples of the split, by their positions."""
        return LatePart.make(partial(_cells_at, self, rows), {"name": self.name} | self.arrays(rows))

    def arrays(self, rows: NDArray[np.int64] | None = None) -> dict[str, Any]:
        """Everything but name and raw cells, of all examples or at some positions."""
        values = {name: getattr(self, name) for name in ARRAYS}
        if rows is None:
            return values
        return {name: None if value is None else value[rows] for name, value in values.items()}


class LatePart(Part):
    """A split whose raw cells are fetched at the first look at `frame`: most who train on it never look."""

    @classmethod
    def make(cls, cells: Callable[[], pd.DataFrame], values: Mapping[str, Any]) -> LatePart:
        """A part of these values.

        Args:
            cells: Gives the raw cells.
            values: All attributes of `Part` but `frame`.
        """
        part = object.__new__(cls)
        part.__dict__.update(values, _cells=cells)
        return part

    def __getattr__(self, name: str) -> Any:
        """Asked for what is not there: the raw cells before the first look."""
        if name != "frame" or "_cells" not in self.__dict__:
            raise AttributeError(name)
        found = self.__dict__["frame"] = self.__dict__["_cells"]()
        return found


def _no_cells(n: int) -> pd.DataFrame:
    return pd.DataFrame(index=range(n))


def _cells_at(part: Part, rows: NDArray[np.int64]) -> pd.DataFrame:
    return part.frame.iloc[rows]
