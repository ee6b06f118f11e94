"""From project.yaml to everything that is known about its data: read, checked, dealt, columns understood.

What is prepared still holds the test rows, so it never leaves this room: `load_dataset` keeps the rows that may be
seen, `examine` keeps counts. Problems are gathered, not raised, so that one answer names them all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlproj.data.cells import read_texts, read_truths
from mlproj.data.columns import Column, infer_columns, warn_columns
from mlproj.data.deal import Deal
from mlproj.data.dealing import deal_table
from mlproj.data.problems import check_cells, check_features, check_names
from mlproj.data.store import deal_file, read_deal
from mlproj.data.table import Table, read_tables
from mlproj.data.target import check_positive
from mlproj.data.task import Labels, is_several, read_labels
from mlproj.data.weights import NO_WEIGHTS, Weights, read_weights
from mlproj.errors import InvalidInput, Problem
from mlproj.records.predictions import SEEN_SPLITS
from mlproj.spec.project import Project

Made = TypeVar("Made")


@dataclass(frozen=True)
class Prepared:
    """A project's data, with all that is wrong with them.

    Attributes:
        project: With the task filled in.
        table: All rows, test among them; None when they could not be read.
        labels: What is known of the labels; None likewise, or when a label column is not there.
        deal: Who lies in which split; None when the problems forbid dealing.
        columns: What the columns are, by the rows that may be seen.
        weights: Weights of all rows.
        problems: Everything that is wrong.
        warnings: What a user should know.
        notes: What was found out, such as the task.
    """

    project: Project
    table: Table | None = None
    labels: Labels | None = None
    deal: Deal | None = None
    columns: tuple[Column, ...] = ()
    weights: Weights = NO_WEIGHTS
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def sound(self) -> tuple[Table, Labels, Deal]:
        """The data themselves.

        Raises:
            InvalidInput: When something is wrong with them.
        """
        if self.problems or self.table is None or self.labels is None or self.deal is None:
            raise InvalidInput(self.problems)
        return self.table, self.labels, self.deal


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
        return Prepared(project, table, labels, problems=_without_repeats(problems))
    deal = _collect(problems, lambda: deal_rows(project, table, labels, store=store, redraw=redraw))
    seen = np.ones(len(table), np.bool_) if deal is None else find_seen(deal)
    shown = table.select(seen).frame
    columns = infer_columns(shown, project, labels=table.labels)
    problems += check_cells(project, table, columns) + check_features(project, columns)
    return Prepared(
        project,
        table,
        labels,
        deal,
        columns,
        weights,
        _without_repeats(problems),
        (*labels.warnings, *weights.warnings, *warn_columns(columns, len(shown)), *(deal.notes if deal else ())),
        (labels.note,) if labels.note else (),
    )


def deal_rows(
    project: Project, table: Table, labels: Labels, *, store: Path | None, redraw: bool, save: bool = False
) -> Deal:
    """The deal of a table's rows.

    Args:
        project: With the task filled in.
        table: All rows.
        labels: What is known of the labels.
        store: Folder of the stored deals; None has none.
        redraw: Whether to deal anew.
        save: Whether to store the deal.

    Raises:
        InvalidInput: With every problem of ids, times, predefined splits, sizes, or of the stored deal.
    """
    return deal_table(
        project,
        table.frame.assign(**_clean_labels(project, table, labels)),
        labels=table.labels,
        source=table.source,
        paths=[origin.path for origin in table.origins],
        roles=[origin.role for origin in table.origins],
        regression=labels.task == "regression",
        place=table.place,
        store=store,
        redraw=redraw,
        save=save,
    )


def keep_deal(prepared: Prepared, *, store: Path, redraw: bool) -> Deal:
    """Stores the deal of sound data where it is new.

    Returns:
        The deal that is stored now; another process may have stored a different one since `prepare` looked.
    """
    table, labels, deal = prepared.sound()
    stored = read_deal(deal_file(store, prepared.project.name), prepared.project) if not redraw else None
    if stored is not None and stored.digest == deal.digest:
        return deal
    return deal_rows(prepared.project, table, labels, store=store, redraw=redraw, save=True)


def find_seen(deal: Deal) -> NDArray[np.bool_]:
    """Mask (N,) of the rows that training and diagnosis may see: dealt, and not in the test set."""
    return np.isin(deal.split, SEEN_SPLITS)


def _clean_labels(project: Project, table: Table, labels: Labels) -> dict[str, "pd.Series[Any]"]:
    """The label columns with every form of a missing cell made empty, so that the deal leaves those rows out."""
    cleaned = {}
    for name in table.labels:
        cells = table.frame[name]
        known = ~np.isnan(read_truths(cells)[0]) if is_several(project) else labels.known
        cleaned[name] = pd.Series(read_texts(cells).to_pandas(), dtype="str").where(known)
    return cleaned


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
