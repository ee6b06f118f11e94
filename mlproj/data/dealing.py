"""From a raw table to its deal: ids, strata, times and wishes gathered, the stored deal read, the new one kept.

::

    deal = deal_table(project, table.frame, labels=table.labels, source=table.source, paths=…, roles=…, store=splits)
    train = table.frame[deal.split == "train"]
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlproj.data.cells import is_missing, read_texts
from mlproj.data.dates import is_date, read_timeline
from mlproj.data.deal import Deal, deal_splits
from mlproj.data.ids import Place, RowNames, did_you_mean, name_rows, row_place
from mlproj.data.store import StoredDeal, deal_file, lock_deal, read_deal, write_deal
from mlproj.data.strata import label_strata
from mlproj.errors import InvalidInput, Problem
from mlproj.records.predictions import SPLITS, Texts
from mlproj.spec.project import Project

_HELD_OUT = ("dev", "test")


def deal_table(
    project: Project,
    frame: pd.DataFrame,
    *,
    labels: Sequence[str],
    source: NDArray[np.int64],
    paths: Sequence[str],
    roles: Sequence[str],
    regression: bool = False,
    place: Place = row_place,
    store: Path | None = None,
    redraw: bool = False,
    save: bool = True,
) -> Deal:
    """Deals the rows of a table, in agreement with the stored deal where there is one.

    Args:
        project: Says how.
        frame: All rows and columns, those without a label too.
        labels: Label columns.
        source: Part of each row (N,): position in `paths` and `roles`.
        paths: Parts as written in project.yaml.
        roles: What each part is: target, training, or dev or test for a file that is one of these splits.
        regression: Whether the label is a quantity.
        place: Names the row at a position, for messages.
        store: Folder that keeps deals; None keeps none.
        redraw: Deal anew instead of keeping the stored deal.
        save: Whether to store the deal; without it nothing is written.

    Returns:
        The deal, rows in the order of the table.

    Raises:
        InvalidInput: With every problem of ids, times, predefined splits, sizes, or of the stored deal.
    """
    _check_columns(project, frame)
    file = deal_file(store, project.name) if store is not None else None
    with lock_deal(file) if file is not None and save else contextlib.nullcontext():
        stored, redraws = _read(project, file, redraw=redraw)
        facts = _read_rows(project, frame, labels, source, roles, regression=regression, place=place, stored=stored)
        deal = deal_splits(project, **facts, stored=stored, redraws=redraws, source=source, paths=paths, place=place)
        if file is not None and save and deal.stored is not stored:
            write_deal(file, deal.stored)
    return replace(deal, notes=(*deal.notes, *_note_alone(project, frame, facts["strata"] >= 0)))


def _read_rows(
    project: Project,
    frame: pd.DataFrame,
    labels: Sequence[str],
    source: NDArray[np.int64],
    roles: Sequence[str],
    *,
    regression: bool,
    place: Place,
    stored: StoredDeal | None,
) -> dict[str, Any]:
    """What a deal needs to know of each row, by the names that `deal_splits` gives it; all problems at once."""
    is_target = np.array([role != "training" for role in roles], dtype=np.bool_)[source]
    strata = label_strata(frame, labels, regression=regression, stratify=project.splits.stratify)
    needed = (strata >= 0) & is_target
    names, time, predefined, _ = gather(
        lambda: _name(project, frame, labels, stored, place),
        lambda: read_timeline(project, frame, needed, place) if project.data.time is not None else None,
        lambda: predefine(project, frame, source, roles, place),
        lambda: _check_dates(project, roles),
    )
    of_names = {"ids": names.ids, "units": names.units, "id_columns": names.columns}
    return of_names | {"strata": strata, "is_target": is_target, "time": time, "predefined": predefined}


def predefine(
    project: Project, frame: pd.DataFrame, source: NDArray[np.int64], roles: Sequence[str], place: Place
) -> Texts | None:
    """The split that `splits.column` or a file puts each row in (N,), "" where the row is to be dealt.

    Args:
        project: Names the column.
        frame: All rows and columns.
        source: Part of each row (N,).
        roles: What each part is; dev and test name the split of all its rows.
        place: Names the row at a position, for messages.

    Returns:
        Names of splits, or None when neither says anything.

    Raises:
        InvalidInput: When a cell is no name of a split.
    """
    by_file = np.array([role if role in _HELD_OUT else "" for role in roles], dtype="<U9")[source]
    column = project.splits.column
    if column is None:
        return by_file if (by_file != "").any() else None
    texts = np.array([text or "" for text in read_texts(frame[column]).to_pylist()], dtype=np.str_)
    split = np.char.replace(np.char.lower(np.char.strip(texts)), "-", "_")
    wrong = np.flatnonzero(~np.isin(split, [*SPLITS, ""]))
    if len(wrong):
        first = {str(texts[row]): place(int(row)) for row in reversed(wrong.tolist())}  # the first of each wins
        shown = ", ".join(f"{text!r} in {at}" for text, at in list(first.items())[::-1][:3])
        shown += f" ({len(wrong):,} such rows)" if len(wrong) > 1 else ""
        hint = f"Allowed are {', '.join(SPLITS)}; an empty cell is dealt as usual."
        raise InvalidInput([project.problem("splits.column", f"{column!r} holds {shown}, which is no split", hint)])
    return np.where(by_file != "", by_file, split).astype("<U9")


def gather(*steps: Callable[[], Any]) -> list[Any]:
    """The results of steps that do not depend on each other.

    Raises:
        InvalidInput: With the problems of all of them.

    Example:
        >>> gather(lambda: 1, lambda: 2)
        [1, 2]
    """
    results: list[Any] = []
    problems: list[Problem] = []
    for step in steps:
        try:
            results.append(step())
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return results


def _read(project: Project, file: Path | None, *, redraw: bool) -> tuple[StoredDeal | None, int]:
    """The stored deal, and how often the splits were dealt anew before the deal to come."""
    if file is None:
        return None, int(redraw)
    if not redraw:
        return read_deal(file, project), 0
    try:
        old = read_deal(file, project)
    except InvalidInput:  # a damaged deal is what a redraw is for
        return None, 1
    return None, old.redraws + 1 if old is not None else 0


def _name(
    project: Project, frame: pd.DataFrame, labels: Sequence[str], stored: StoredDeal | None, place: Place
) -> RowNames:
    """Ids as at the first deal: a column added since then must not rename every example."""
    columns = stored.id_columns if stored is not None and stored.id_columns else None
    gone = [name for name in columns or () if name not in frame.columns]
    if gone and project.data.id is None:
        message = (
            f"the ids of the stored splits are made from columns that the data no longer have: {', '.join(gone[:5])}"
        )
        hint = "Restore them, or deal anew with `mlproj split --redraw`; a column named in `data.id` prevents this."
        raise InvalidInput([project.problem("data.id", message, hint)])
    return name_rows(project, frame, labels=labels, columns=columns, place=place)


def _note_alone(project: Project, frame: pd.DataFrame, dealt: NDArray[np.bool_]) -> list[str]:
    """Rows without a group, which may be more of somebody than anybody knows."""
    if project.data.group is None:
        return []
    n = int((is_missing(frame[project.data.group]) & dealt).sum())
    return [f"{n:,} rows have no {project.data.group}: each is dealt as a group of its own."] if n else []


def _check_columns(project: Project, frame: pd.DataFrame) -> None:
    named = {
        "data.id": project.data.id,
        "data.group": project.data.group,
        "data.time": project.data.time,
        "splits.column": project.splits.column,
    }
    problems = [
        project.problem(key, f"the data have no column {name!r}", did_you_mean(name, frame.columns))
        for key, name in named.items()
        if name is not None and name not in frame.columns
    ]
    if problems:
        raise InvalidInput(problems)


def _check_dates(project: Project, roles: Sequence[str]) -> None:
    """A text in `splits.dev` is a day to cut at, or a file that was read as a part of its own."""
    hint = "Name the column of dates: `data: {time: COLUMN}`; or write a share below 1, a number from 2, or a file."
    problems = [
        project.problem(f"splits.{name}", f"{size!r} is a date, but there is no `data.time` to compare it with", hint)
        for name in _HELD_OUT
        if isinstance(size := getattr(project.splits, name), str)
        and name not in roles
        and not (project.data.time and is_date(size))
    ]
    if problems:
        raise InvalidInput(problems)
