"""From project.yaml to everything that is known about its data: read, checked, dealt, columns understood.

What is prepared still holds the test rows, so it never leaves this room: `load_dataset` keeps the rows that may be
seen, `examine` keeps counts. Problems are gathered, not raised, so that one answer names them all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlproj.data.cells import read_texts, read_truths
from mlproj.data.columns import Column, warn_columns
from mlproj.data.deal import Deal
from mlproj.data.dealing import deal_table
from mlproj.data.guess import Survey, infer_columns, survey_columns
from mlproj.data.problems import check_cells, check_features, check_names
from mlproj.data.store import deal_file, lock_deal, read_deal, write_deal
from mlproj.data.table import Table, read_tables
from mlproj.data.target import check_positive
from mlproj.data.task import Labels, is_several, read_labels
from mlproj.data.weights import NO_WEIGHTS, Weights, read_weights
from mlproj.errors import InvalidInput, Problem
from mlproj.records.predictions import SEEN_SPLITS, Texts
from mlproj.spec.project import Project

Made = TypeVar("Made")


@dataclass(frozen=True)
class Prepared:
    """A project's data, with all that is wrong with them.

    Attributes:
        project: With the task filled in.
        table: All rows, test among them; None when they could not be read.
        shown: The rows that may be seen, in the same order; None when the problems forbid dealing.
        numbers: Values of the features that are numbers, in those rows.
        labels: What is known of the labels; None when a label column is not there.
        deal: Who lies in which split; None likewise.
        base: Digest of the stored deal that it continues; "" where there was none.
        columns: What the columns are, by the rows that may be seen.
        weights: Weights of all rows.
        problems: Everything that is wrong.
        warnings: What a user should know.
        notes: What was found out, such as the task.
    """

    project: Project
    table: Table | None = None
    shown: Table | None = None
    numbers: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    labels: Labels | None = None
    deal: Deal | None = None
    base: str = ""
    columns: tuple[Column, ...] = ()
    weights: Weights = NO_WEIGHTS
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def require(self) -> "Sound":
        """The data themselves.

        Raises:
            InvalidInput: When something is wrong with them.
        """
        if self.problems or self.shown is None or self.labels is None or self.deal is None:
            raise InvalidInput(self.problems)
        split = self.deal.split[find_seen(self.deal)]
        return Sound(self.shown, _replace(self.shown.frame, self.numbers), self.labels, self.deal, split)


@dataclass(frozen=True)
class Sound:
    """Data without problems.

    Attributes:
        shown: The rows that may be seen (S of N).
        frame: Their cells, numbers read already, so that they need not be read again.
        labels: What is known of the labels of all rows.
        deal: Who lies in which split.
        split: Splits of the rows that may be seen (S,).
    """

    shown: Table
    frame: pd.DataFrame
    labels: Labels
    deal: Deal
    split: Texts


def prepare(project: Project, *, store: Path | None = None, redraw: bool = False) -> Prepared:
    """Reads, checks and deals a project's data; writes nothing.

    Args:
        project: What to prepare.
        store: Folder of the stored deals; None has none.
        redraw: Whether to deal anew instead of keeping the stored deal.
    """
    problems: list[Problem] = []
    table = _collect(problems, lambda: read_tables(project))
    if table is None:
        return Prepared(project, problems=tuple(problems))
    names = [str(name) for name in table.frame.columns]
    problems += check_names(project, names, table.labels)
    if any(label not in names for label in table.labels):
        problems += check_cells(project, table, infer_columns(table.frame, project, labels=table.labels))
        return Prepared(project, table, problems=tuple(problems))
    labels = read_labels(project, table)
    weights = read_weights(project, table, labels.known)
    project = project.changed(task=labels.task)
    problems += [*labels.problems, *weights.problems, *_check_positive(project, table, labels)]
    if not labels.known.any():
        return Prepared(project, table, labels=labels, problems=_without_repeats(problems))
    base = stored_digest(project, store)
    deal = _collect(problems, lambda: deal_rows(project, table, labels, store=store, redraw=redraw))
    shown = table if deal is None else table.select(find_seen(deal))
    survey = survey_columns(shown.frame, project, labels=table.labels)
    columns = survey.columns
    problems += _check_all_cells(project, table, deal, survey) + check_features(project, columns)
    return Prepared(
        project,
        table,
        shown if deal else None,
        survey.numbers,
        labels,
        deal,
        base,
        columns,
        weights,
        _without_repeats(problems),
        (*labels.warnings, *weights.warnings, *warn_columns(columns, len(shown)), *(deal.notes if deal else ())),
        (labels.note,) if labels.note else (),
    )


def deal_rows(project: Project, table: Table, labels: Labels, *, store: Path | None, redraw: bool) -> Deal:
    """The deal of a table's rows; nothing is stored yet.

    Args:
        project: With the task filled in.
        table: All rows.
        labels: What is known of the labels.
        store: Folder of the stored deals; None has none.
        redraw: Whether to deal anew.

    Raises:
        InvalidInput: With every problem of ids, times, predefined splits, sizes, or of the stored deal.
    """
    return deal_table(
        project,
        _replace(table.frame, _clean_labels(project, table, labels)),
        labels=table.labels,
        source=table.source,
        paths=[origin.path for origin in table.origins],
        roles=[origin.role for origin in table.origins],
        regression=labels.task == "regression",
        place=table.place,
        store=store,
        redraw=redraw,
        save=False,
    )


def keep_deal(prepared: Prepared, store: Path) -> bool:
    """Stores the deal of sound data where it is new.

    Returns:
        False when another process stored a different deal since `prepare` looked: then that one is the authority.
    """
    deal = prepared.deal
    if deal is None or prepared.base == deal.digest:
        return True
    file = deal_file(store, prepared.project.name)
    with lock_deal(file):
        if stored_digest(prepared.project, store) != prepared.base:
            return False
        write_deal(file, deal.stored)
    return True


def stored_digest(project: Project, store: Path | None) -> str:
    """The digest of the stored deal; "" where there is none or it is damaged."""
    try:
        stored = read_deal(deal_file(store, project.name), project) if store is not None else None
    except InvalidInput:  # reported by whoever reads it to use it
        return ""
    return stored.digest if stored is not None else ""


def find_seen(deal: Deal) -> NDArray[np.bool_]:
    """Mask (N,) of the rows that training and diagnosis may see: dealt, and not in the test set."""
    return np.isin(deal.split, SEEN_SPLITS)


def _check_all_cells(project: Project, table: Table, deal: Deal | None, survey: Survey) -> list[Problem]:
    """Cells of all rows, those of test too, against the types; what the survey has read is not read again."""
    if deal is None:
        return check_cells(project, table, survey.columns)
    surveyed = [name for name in survey.numbers if name not in survey.unclean]
    sealed = table.select(~find_seen(deal))
    numbers = [column for column in survey.columns if column.name in surveyed]
    return check_cells(project, table, survey.columns, clean=surveyed) + check_cells(project, sealed, numbers)


def _clean_labels(project: Project, table: Table, labels: Labels) -> dict[str, "pd.Series[Any]"]:
    """The label columns with every form of a missing cell made empty, so that the deal leaves those rows out."""
    cleaned = {}
    for name in table.labels:
        cells = table.frame[name]
        known = ~np.isnan(read_truths(cells)[0]) if is_several(project) else labels.known
        cleaned[name] = pd.Series(read_texts(cells).to_pandas(), dtype="str").where(known)
    return cleaned


def _replace(frame: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """The frame with some of its columns replaced."""
    return pd.DataFrame({name: columns.get(name, frame[name]) for name in frame.columns}, index=frame.index)


def _check_positive(project: Project, table: Table, labels: Labels) -> list[Problem]:
    """Whether `data.positive` names a class; labels that are wrong in themselves are reported as such first."""
    if project.data.positive is None or labels.problems or labels.task == "regression":
        return []
    if is_several(project):
        hint = "Leave it out: 1, yes and true are the positive class of each."
        return [project.problem("data.positive", "is for one label with two classes, not for several labels", hint)]
    return check_positive(project, pc.unique(read_texts(table.frame[table.labels[0]][labels.known])).to_pylist())


def _collect(problems: list[Problem], make: Callable[[], Made]) -> Made | None:
    """What `make` returns; None after gathering the problems that stopped it."""
    try:
        return make()
    except InvalidInput as error:
        problems += error.problems
        return None


def _without_repeats(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    return tuple({(problem.where, problem.message): problem for problem in reversed(problems)}.values())[::-1]
