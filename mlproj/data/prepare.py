"""From project.yaml to everything that is known about its data: read, checked, dealt, columns understood.

What is prepared still holds the test rows, so it never leaves this room: `load_dataset` keeps the rows that may be
seen, `examine` keeps counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.data.cells import read_truths, to_strings
from mlproj.data.columns import Column, assign_roles, find_absent, warn_columns
from mlproj.data.corrections import Corrected, correct, read_of
from mlproj.data.deal import Deal
from mlproj.data.dealing import deal_table
from mlproj.data.guess import infer_columns, survey_columns
from mlproj.data.late import pd
from mlproj.data.problems import Remarks, check_cells, check_features, check_roles, check_slices
from mlproj.data.table import Table, read_table_quickly, read_tables
from mlproj.data.task import Labels, is_several, read_labels
from mlproj.data.weights import Weights, read_weights
from mlproj.errors import InvalidInput, Problem
from mlproj.records.predictions import Texts
from mlproj.spec.project import Project


@dataclass(frozen=True)
class Case:
    """Data that could be dealt. N rows, S of which may be seen.

    Attributes:
        project: With the task filled in.
        table: All rows, test among them.
        shown: The rows that may be seen, in the same order.
        numbers: Values (S,) of the features that are numbers.
        labels: What is known of the labels of all rows.
        weights: Weights of all rows (N,), or None when all weigh 1.
        deal: Who lies in which split.
        columns: What the columns are, by the rows that may be seen.
        corrected: What corrections of labels changed; None without any.
    """

    project: Project
    table: Table
    shown: Table
    numbers: Mapping[str, NDArray[np.float64]]
    labels: Labels
    weights: Weights | None
    deal: Deal
    columns: tuple[Column, ...]
    corrected: Corrected | None = None

    def cells(self, name: str, rows: NDArray[np.int64]) -> pd.Series[Any]:
        """One column at some positions among the rows that may be seen."""
        plain = name in self.table.plain
        return self.table.look_at(name, self.seen[rows]) if plain else self.frame[name].take(rows)

    @cached_property
    def seen(self) -> NDArray[np.int64]:
        """Positions (S,) of the rows that may be seen among all."""
        return np.flatnonzero(self.deal.seen)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The cells that may be seen (S rows) without plain columns; numbers are read already, which takes long."""
        return replace_columns(self.shown.frame, self.numbers)

    @cached_property
    def split(self) -> Texts:
        """Splits of the rows that may be seen (S,)."""
        return self.deal.split[self.deal.seen]


@dataclass(frozen=True)
class Prepared:
    """A project's data, with all that is wrong with them.

    Attributes:
        project: With the task filled in, where the labels could be read.
        remarks: Problems, warnings and notes.
        columns: What the columns are, as far as they could be read.
        case: The data themselves; None when they could not be read or dealt.
    """

    project: Project
    remarks: Remarks
    columns: tuple[Column, ...] = ()
    case: Case | None = field(default=None, repr=False)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong, each once."""
        first = {(problem.where, problem.message): problem for problem in reversed(self.remarks.problems)}
        return tuple(first.values())[::-1]

    def require(self) -> Case:
        """The data themselves.

        Raises:
            InvalidInput: When something is wrong with them.
        """
        if self.case is None or self.problems:
            raise InvalidInput(self.problems)
        return self.case


def prepare(project: Project, *, store: Path | None = None, redraw: bool = False, quickly: bool = False) -> Prepared:
    """Reads, checks and deals a project's data; writes nothing.

    Args:
        project: What to prepare.
        store: Folder of the stored deals; None has none.
        redraw: Whether to deal anew instead of keeping the stored deal.
        quickly: Whether raw cells are not asked for: columns of plain numbers are then never read as texts. Data with
            any problem are read again with care, which says what it is.
    """
    if quickly and (table := read_table_quickly(project)) is not None:
        prepared = _check_and_deal(project, table, Remarks(), store, redraw=redraw)
        if not prepared.problems:
            return prepared
        del prepared, table
    remarks = Remarks()
    whole = remarks.attempt(lambda: read_tables(project))
    return (
        Prepared(project, remarks) if whole is None else _check_and_deal(project, whole, remarks, store, redraw=redraw)
    )


def _check_and_deal(project: Project, table: Table, remarks: Remarks, store: Path | None, *, redraw: bool) -> Prepared:
    """What is known of a project's data once they are read."""
    remarks.notes.extend(table.notes)
    names = [str(name) for name in table.frame.columns]
    remarks.problems.extend(find_absent(project, names) + check_roles(project, table.labels))
    if any(label not in names for label in table.labels):
        columns = infer_columns(table.frame, project, labels=table.labels)
        remarks.problems.extend(check_cells(project, table, columns))
        return Prepared(project, remarks)
    if not has_features(project, names, table.labels):
        columns = infer_columns(table.frame, project, labels=table.labels)
        remarks.problems.extend(check_features(project, columns))
        return Prepared(project, remarks, columns)
    labels = read_labels(project, table, remarks)
    lines = remarks.attempt(lambda: read_of(project))
    project = project.changed(task=labels.task)
    weights = read_weights(project, table, labels.known, remarks)
    if not labels.known.any():
        return Prepared(project, remarks)
    labelled = replace(table, frame=replace_columns(table.frame, clean_labels(project, table, labels)))
    regression = labels.task == "regression"
    deal = remarks.attempt(lambda: deal_table(project, labelled, regression=regression, store=store, redraw=redraw))
    corrected = None
    if deal is not None and lines and any(lines):  # after the deal: a correction moves no example
        corrected = remarks.attempt(partial(correct, project, table, deal.ids, deal.split, lines))
    elif lines:
        remarks.problems.extend(lines[1])
    if corrected is not None:
        table = corrected.table
        labels, weights = _read_again(project, table, remarks)
        remarks.notes.append(corrected.text)
    shown = table if deal is None else table.select(deal.seen)
    check_slices(project, shown.frame, remarks)
    seen = np.arange(len(table)) if deal is None else np.flatnonzero(deal.seen)

    def cells(name: str) -> pd.Series[Any]:
        return table.look_at(name, seen) if name in table.plain else shown.frame[name]

    columns, numbers = survey_columns(names, cells, project, labels=table.labels, plain=table.plain)
    remarks.problems.extend(check_cells(project, table, columns, clean=table.plain | numbers.keys()))
    remarks.warnings.extend(warn_columns(columns, len(shown)))
    case = None
    if deal is not None:
        sealed = table.select(~deal.seen)
        remarks.problems.extend(check_cells(project, sealed, [c for c in columns if c.name in numbers]))
        remarks.warnings.extend(deal.notes)
        case = Case(project, table, shown, numbers, labels, weights, deal, columns, corrected)
    remarks.problems.extend(check_features(project, columns))
    return Prepared(project, remarks, columns, case)


def _read_again(project: Project, table: Table, remarks: Remarks) -> tuple[Labels, Weights | None]:
    """Labels and weights (which may follow the label) by the corrected labels; warnings were given already."""
    again = Remarks()
    labels = read_labels(project, table, again)
    weights = read_weights(project, table, labels.known, again)
    remarks.problems.extend(again.problems)
    return labels, weights


def has_features(project: Project, names: Sequence[str], labels: Sequence[str]) -> bool:
    """Whether project.yaml leaves any column to learn from; without one all rows are equal, and none can be dealt."""
    roles = assign_roles(project, names, labels)
    return any(role == "feature" and project.data.columns.get(name) != "ignore" for name, role in roles.items())


def clean_labels(project: Project, table: Table, labels: Labels) -> dict[str, pd.Series[Any]]:
    """The label columns with every form of a missing cell made empty, so that the deal leaves those rows out."""
    cleaned = {}
    for name in table.labels:
        cells = table.frame[name]
        known = ~np.isnan(read_truths(cells)[0]) if is_several(project) else labels.known
        cleaned[name] = to_strings(cells).where(known)
    return cleaned


def replace_columns(frame: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """The frame with some of its columns replaced."""
    return pd.DataFrame({name: columns.get(name, frame[name]) for name in frame.columns}, index=frame.index, copy=False)
