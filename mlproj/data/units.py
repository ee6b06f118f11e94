"""The table of a deal: rows, the units they belong to, and what is fixed about them already. N examples, U units.

Splits are codes here: 0 train, 1 train_dev, 2 dev, 3 test, −1 none, in the order in which the ladder names them.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlproj.data.ids import Place
from mlproj.errors import InvalidInput, Problem
from mlproj.records.predictions import SPLITS, Texts
from mlproj.spec.project import Project

TRAIN, TRAIN_DEV, DEV, TEST, NONE = 0, 1, 2, 3, -1
NAMES: Texts = np.array([*SPLITS, ""])  # NAMES[NONE] is ""
Codes = NDArray[np.int8]


@dataclass(frozen=True)
class Rows:
    """The rows of a deal and their units.

    Attributes:
        names: Names of the units (U,).
        unit: Unit of each row (N,).
        alive: Rows with a label (N,); the others take no part.
        is_target: Rows of the target distribution (N,).
        strata: Stratum of each row (N,).
        given: Split that a column or a file puts each row in (N,), −1 where it is dealt.
    """

    names: Texts
    unit: NDArray[np.int64]
    alive: NDArray[np.bool_]
    is_target: NDArray[np.bool_]
    strata: NDArray[np.int64]
    given: Codes

    @cached_property
    def n_target(self) -> NDArray[np.int64]:
        """Labelled target rows of each unit (U,)."""
        return self.count(self.is_target)

    @cached_property
    def n_rows(self) -> NDArray[np.int64]:
        """Labelled rows of each unit (U,)."""
        return self.count(np.ones(len(self.unit), dtype=np.bool_))

    def count(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Labelled rows of each unit (U,) among `rows` (a mask)."""
        return np.bincount(self.unit[rows & self.alive], minlength=len(self.names)).astype(np.int64)

    def latest(self, values: NDArray[np.float64], rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The largest value of each unit (U,) among its labelled `rows`; −inf where there is none."""
        best = np.full(len(self.names), -np.inf)
        chosen = rows & self.alive & ~np.isnan(values)
        np.maximum.at(best, self.unit[chosen], values[chosen])
        return best

    def usual_stratum(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The most frequent stratum of each unit (U,) among its labelled `rows`; 0 where there is none."""
        chosen = rows & self.alive
        usual = np.zeros(len(self.names), dtype=np.int64)
        if not chosen.any():
            return usual
        n_strata = int(self.strata.max()) + 1
        pairs, counts = np.unique(self.unit[chosen] * n_strata + self.strata[chosen], return_counts=True)
        order = np.argsort(counts, kind="stable")  # the most frequent is written last
        usual[pairs[order] // n_strata] = pairs[order] % n_strata
        return usual


def table_of(
    units: Texts,
    strata: NDArray[np.int64],
    is_target: NDArray[np.bool_],
    predefined: Texts | None,
) -> Rows:
    """The rows of a deal, with units numbered.

    Args:
        units: Unit of each row (N,).
        strata: Stratum of each row (N,), −1 where it has no label.
        is_target: Rows of the target distribution (N,).
        predefined: Names of splits (N,), "" where a row is to be dealt.
    """
    unit, names = pd.factorize(units.astype(object))
    given = np.full(len(units), NONE, dtype=np.int8)
    if predefined is not None:
        for code, name in enumerate(SPLITS):
            given[predefined == name] = code
    return Rows(np.array(names, dtype=np.str_), unit.astype(np.int64), strata >= 0, is_target, strata, given)


def given_to_units(project: Project, rows: Rows, place: Place) -> Codes:
    """The split that a column or a file gives to each unit (U,), −1 where it gives none.

    Equal rows that it puts into several splits stay where it puts them (and show up as duplicates across splits);
    their unit counts as the most sealed one.

    Raises:
        InvalidInput: When it puts `data.extra` into dev or test, or one group into several splits.
    """
    decided = rows.alive & (rows.given != NONE)
    highest = np.full(len(rows.names), NONE, dtype=np.int8)
    lowest = np.full(len(rows.names), TEST, dtype=np.int8)
    np.maximum.at(highest, rows.unit[decided], rows.given[decided])
    np.minimum.at(lowest, rows.unit[decided], rows.given[decided])
    problems: list[Problem] = []
    foreign = np.flatnonzero(decided & ~rows.is_target & (rows.given >= DEV))
    where = "splits.column" if project.splits.column else "splits"
    if len(foreign):
        row = int(foreign[0])
        message = f"puts {len(foreign):,} rows of `data.extra` into dev or test, first {place(row)}"
        hint = "Dev and test come from `data.source` alone: write train or train_dev there, or leave the cell empty."
        problems.append(project.problem(where, message, hint))
    torn = np.flatnonzero((highest != NONE) & (lowest < highest))
    if project.data.group is not None and len(torn):
        name = rows.names[torn[0]]
        both = f"{NAMES[lowest[torn[0]]]} and {NAMES[highest[torn[0]]]}"
        message = f"puts {project.data.group} {str(name)!r} into {both} ({len(torn):,} such groups)"
        problems.append(
            project.problem(
                where, message, "One group never sits in two splits: correct the column, or leave out `data.group`."
            )
        )
    if problems:
        raise InvalidInput(problems)
    return highest
