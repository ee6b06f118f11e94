"""What a deal knows of the rows: the units they are dealt in, and the strata that count as alike. N examples, U units.

Splits are codes here: 0 train, 1 train_dev, 2 dev, 3 test, −1 none, in the order in which the ladder names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mlproj.data.cells import are_distinct
from mlproj.data.dates import Timeline
from mlproj.data.ids import canonical_text
from mlproj.data.late import pd
from mlproj.data.words import Place
from mlproj.errors import InvalidInput, Problem
from mlproj.records.predictions import SPLITS, Texts
from mlproj.spec.project import Project

TRAIN, TRAIN_DEV, DEV, TEST, NONE = 0, 1, 2, 3, -1
NAMES: Texts = np.array([*SPLITS, ""])  # NAMES[NONE] is ""
Codes = NDArray[np.int8]
Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]
_MOST = 500  # strata kept apart; the rarest beyond them are pooled
_RARE = 5  # a combination of several labels with fewer examples is pooled with the other rare ones
_BINS, _PER_BIN = 10, 10


@dataclass(frozen=True)
class Rows:
    """The rows to deal, and the units (U) that they form.

    Attributes:
        ids: Ids of the examples (N,).
        units: What is dealt as a whole (N,): group, else id.
        strata: Stratum of each row (N,), −1 where it has no label.
        is_target: Rows of the target distribution (N,); only those can be dev or test.
        time: When they happened, with `data.time`.
        predefined: Split that a column or a file puts each in (N,), "" where it is dealt.
        source: Position in `paths` of each row (N,).
        paths: Where the rows come from.
    """

    ids: Texts
    units: Texts
    strata: Counts
    is_target: Mask
    time: Timeline | None = None
    predefined: Texts | None = None
    source: Counts | None = None
    paths: Sequence[str] = ()

    @cached_property
    def _numbered(self) -> tuple[Counts, Texts]:
        if are_distinct(self.units):
            return np.arange(len(self.units), dtype=np.int64), self.units
        unit, names = pd.factorize(self.units.astype(object))
        return unit.astype(np.int64), np.array(names, dtype=np.str_)

    @property
    def unit(self) -> Counts:
        """Number of each row's unit (N,)."""
        return self._numbered[0]

    @property
    def names(self) -> Texts:
        """Names of the units (U,)."""
        return self._numbered[1]

    @cached_property
    def alive(self) -> Mask:
        """Rows with a label (N,); the others take no part."""
        return self.strata >= 0

    @cached_property
    def given(self) -> Codes:
        """Split that a column or a file puts each row in (N,), −1 where it is dealt."""
        given = np.full(len(self.units), NONE, dtype=np.int8)
        for code, name in enumerate(SPLITS if self.predefined is not None else ()):
            given[self.predefined == name] = code
        return given

    @cached_property
    def decided(self) -> Codes:
        """Split that a column or a file gives to each unit (U,), −1 where it gives none.

        Equal rows that it puts into several splits stay where it puts them (and show up as duplicates across splits);
        their unit counts as the most sealed one.
        """
        highest = np.full(len(self.names), NONE, dtype=np.int8)
        np.maximum.at(highest, self.unit[self.alive], self.given[self.alive])
        return highest

    @cached_property
    def n_given(self) -> dict[str, int]:
        """Rows that a column or a file puts into each split."""
        return {name: int((self.alive & (self.given == code)).sum()) for code, name in enumerate(SPLITS)}

    @cached_property
    def free(self) -> Mask:
        """Units (U,) that are to be dealt."""
        return (self.decided == NONE) & (self.n_rows > 0)

    @cached_property
    def n_target(self) -> Counts:
        """Labelled target rows of each unit (U,)."""
        return self.count(self.is_target)

    @cached_property
    def n_rows(self) -> Counts:
        """Labelled rows of each unit (U,)."""
        return self.count(self.alive)

    @cached_property
    def has_extra(self) -> bool:
        """Whether some labelled rows are not of the target distribution."""
        return bool((self.alive & ~self.is_target).any())

    @property
    def distributions_differ(self) -> bool:
        """Whether training and target distribution differ, by other training data or by time."""
        return self.time is not None or self.has_extra

    @property
    def times(self) -> NDArray[np.float64]:
        """When each row happened (N,); NaN where that is not known."""
        return self.time.times if self.time is not None else np.full(len(self.units), np.nan)

    def count(self, rows: Mask) -> Counts:
        """Labelled rows of each unit (U,) among `rows` (a mask)."""
        return np.bincount(self.unit[rows & self.alive], minlength=len(self.names)).astype(np.int64)

    def latest(self, rows: Mask) -> NDArray[np.float64]:
        """The latest time of each unit (U,) among its labelled `rows`; −inf where there is none."""
        best = np.full(len(self.names), -np.inf)
        chosen = rows & self.alive & ~np.isnan(self.times)
        np.maximum.at(best, self.unit[chosen], self.times[chosen])
        return best

    def usual_stratum(self, rows: Mask) -> Counts:
        """The most frequent stratum of each unit (U,) among its labelled `rows`; 0 where there is none."""
        chosen = rows & self.alive
        usual = np.zeros(len(self.names), dtype=np.int64)
        n_strata = int(self.strata.max()) + 1
        pairs, counts = np.unique(self.unit[chosen] * n_strata + self.strata[chosen], return_counts=True)
        order = np.argsort(counts, kind="stable")  # the most frequent is written last
        usual[pairs[order] // n_strata] = pairs[order] % n_strata
        return usual


def check_rows(project: Project, rows: Rows, place: Place) -> None:
    """Makes sure that there is something to deal, and that the splits a column or a file gives to rows are possible.

    Args:
        project: Names the column.
        rows: The rows to deal.
        place: Names the row at a position, for messages.

    Raises:
        InvalidInput: When no target row has a label, `data.extra` is put into dev or test, or a group into several
            splits.
    """
    if not (rows.alive & rows.is_target).any():
        hint = "Check `data.label` and `where`: dev and test come from `data.source` alone."
        raise InvalidInput([project.problem("data.source", "none of its rows has a label", hint)])
    problems: list[Problem] = []
    where = "splits.column" if project.splits.column else "splits"
    decided = rows.alive & (rows.given != NONE)
    foreign = np.flatnonzero(decided & ~rows.is_target & (rows.given >= DEV))
    if len(foreign):
        message = f"puts {len(foreign):,} rows of `data.extra` into dev or test, first {place(int(foreign[0]))}"
        hint = "Dev and test come from `data.source` alone: write train or train_dev there, or leave the cell empty."
        problems.append(project.problem(where, message, hint))
    lowest = np.full(len(rows.names), TEST, dtype=np.int8)
    np.minimum.at(lowest, rows.unit[decided], rows.given[decided])
    torn = np.flatnonzero(lowest < rows.decided)
    if project.data.group is not None and len(torn):
        both = f"{NAMES[lowest[torn[0]]]} and {NAMES[rows.decided[torn[0]]]}"
        message = f"puts {project.data.group} {str(rows.names[torn[0]])!r} into {both} ({len(torn):,} such groups)"
        hint = "One group never sits in two splits: correct the column, or leave out `data.group`."
        problems.append(project.problem(where, message, hint))
    if problems:
        raise InvalidInput(problems)


def label_strata(frame: pd.DataFrame, labels: Sequence[str], *, regression: bool, stratify: bool = True) -> Counts:
    """The stratum of each row, by its label.

    One label: its class. Several: the combination, rare ones pooled. Regression: ten bins of equal counts.

    Args:
        frame: The table with its label columns.
        labels: Label columns; with several a row is left out only when all of them are empty.
        regression: Whether the label is a quantity.
        stratify: False puts all labelled rows into one stratum.

    Returns:
        Numbers from 0 (N,), −1 where there is no label.

    Example:
        >>> label_strata(pd.DataFrame({"cat": ["yes", None, "no", "yes"]}), ["cat"], regression=False).tolist()
        [1, -1, 0, 1]
    """
    if not labels:
        return np.zeros(len(frame), dtype=np.int64)
    texts = [np.array(canonical_text(frame[name]).to_pylist(), dtype=object) for name in labels]
    labelled = np.any([text != "" for text in texts], axis=0)
    strata = np.full(len(frame), NONE, dtype=np.int64)
    if not labelled.any():
        return strata
    if not stratify:
        strata[labelled] = 0
    elif regression:
        values = pd.to_numeric(pd.Series(texts[0][labelled]), errors="coerce").to_numpy(np.float64)
        strata[labelled] = _bins(values)
        strata[np.flatnonzero(labelled)[np.isnan(values)]] = NONE
    else:
        whole = texts[0] if len(texts) == 1 else np.array(["\x1f".join(cells) for cells in zip(*texts, strict=True)])
        codes, _ = pd.factorize(whole[labelled], sort=True)
        strata[labelled] = _pool(codes.astype(np.int64), _RARE if len(texts) > 1 else 1)
    return strata


def _pool(codes: Counts, least: int) -> Counts:
    """The codes with all strata of fewer than `least` rows, and those beyond the largest 500, put into one."""
    counts = np.bincount(codes)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    pooled = (counts < least) | (rank >= _MOST)
    return np.where(pooled[codes], len(counts), codes)


def _bins(values: NDArray[np.float64]) -> Counts:
    known = values[np.isfinite(values)]
    n_bins = min(_BINS, len(known) // _PER_BIN)
    if n_bins < 2:
        return np.zeros(len(values), dtype=np.int64)
    edges = np.unique(np.quantile(known, np.arange(1, n_bins) / n_bins))
    return np.searchsorted(edges, values, side="right").astype(np.int64)
