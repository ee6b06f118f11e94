"""The test set, opened: the only way to its rows, for `evaluate` and for an audit of its labels. N examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlproj.data.columns import ignored_columns
from mlproj.data.late import pd
from mlproj.data.prepare import prepare
from mlproj.errors import InvalidInput
from mlproj.records import Texts
from mlproj.spec.project import Project


@dataclass(frozen=True)
class Sealed:
    """The rows of the test set.

    Attributes:
        ids: Ids of its examples (N,).
        frame: Their raw cells (N rows) without the label and without columns declared `ignore`.
        labels: Their raw labels (N rows), a column per label; `Target.encode` reads them.
        weight: Weights in the metric (N,), or None when all weigh 1.
        group: Group of each example (N,), or None without `data.group`.
        digest: SHA-256 of the stored deal.
    """

    ids: Texts
    frame: pd.DataFrame
    labels: pd.DataFrame
    weight: NDArray[np.float64] | None
    group: Texts | None
    digest: str

    def __len__(self) -> int:
        return len(self.ids)


def open_test(project: Project, *, store: Path) -> Sealed:
    """Opens the test set. Whoever calls this counts the look and says why it was taken.

    Args:
        project: Whose test set.
        store: Folder that keeps the deal.

    Raises:
        InvalidInput: With every problem of the data, or when there is no test set.
    """
    case = prepare(project, store=store).require()
    rows = np.flatnonzero(case.deal.split == "test")
    if not len(rows):
        hint = "Give `splits.test` a share or a number and deal anew: mlproj split --redraw"
        raise InvalidInput([project.problem("splits.test", "there is no test set", hint)])
    table = case.table.select(rows)
    hidden = {*table.labels, *ignored_columns(case.project)}
    return Sealed(
        case.deal.ids[rows],
        table.frame[[name for name in table.frame.columns if name not in hidden]],
        table.frame[list(table.labels)],
        None if case.weights is None else case.weights[rows],
        None if case.project.data.group is None else case.deal.units[rows],
        case.deal.digest,
    )
