"""One split of the data as training sees it. N examples, F inputs, L labels."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlproj.records.predictions import SplitName, Texts


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

    def without_cells(self) -> "Part":
        """The part without raw cells, for whoever trains on it elsewhere."""
        return replace(self, frame=self.frame[[]])

    def take(self, rows: NDArray[np.int64]) -> "Part":
        """Some examples of the split, by their positions."""
        return replace(self, frame=self.frame.iloc[rows], **self._arrays_at(rows))

    def _arrays_at(self, rows: NDArray[np.int64]) -> dict[str, Any]:
        """Everything but name and raw cells, at some positions."""
        values = {name: getattr(self, name) for name in ("ids", "x", "y", "weight", "group", "source")}
        return {name: None if value is None else value[rows] for name, value in values.items()}
