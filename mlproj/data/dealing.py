"""From a raw table to its deal, and from there into the store.

::

    deal = deal_table(project, table, store=splits)      # nothing is written yet
    keep_deal(project, deal, splits)
    train = table.frame[deal.split == "train"]
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from mlproj.data.cells import is_missing, read_texts
from mlproj.data.columns import find_absent
from mlproj.data.dates import is_date, read_timeline
from mlproj.data.deal import Deal, deal_splits
from mlproj.data.ids import DEAL_KEYS, RowNames, name_rows
from mlproj.data.problems import Remarks
from mlproj.data.store import StoredDeal, deal_file, lock_deal, read_deal, write_deal
from mlproj.data.table import HELD_OUT, Table
from mlproj.data.units import Mask, Rows, label_strata
from mlproj.data.words import some_of
from mlproj.errors import InvalidInput
from mlproj.records.predictions import SPLITS, Texts
from mlproj.spec.project import Project


def deal_table(
    project: Project, table: Table, *, regression: bool = False, store: Path | None = None, redraw: bool = False
) -> Deal:
    """Deals the rows of a table, in agreement with the stored deal where there is one; nothing is written.

    Args:
        project: Says how.
        table: All rows and columns, those without a label too.
        regression: Whether the label is a quantity.
        store: Folder that keeps deals; None keeps none.
        redraw: Deal anew instead of keeping the stored deal.

    Returns:
        The deal, rows in the order of the table.

    Raises:
        InvalidInput: With every problem of ids, times, predefined splits, sizes, or of the stored deal.
    """
    problems = find_absent(project, table.frame.columns, DEAL_KEYS)
    if problems:
        raise InvalidInput(problems)
    stored, redraws, base = _read_stored(project, store, redraw=redraw)
    strata = label_strata(table.frame, table.labels, regression=regression, stratify=project.splits.stratify)
    needed = (strata >= 0) & table.is_target
    found = Remarks()
    names = found.attempt(lambda: _name(project, table, stored))
    time = found.attempt(lambda: read_timeline(project, table.frame, needed, table.place))
    predefined = found.attempt(lambda: _predefine(project, table))
    found.attempt(lambda: _check_dates(project, table))
    if names is None or found.problems:
        raise InvalidInput(found.problems)
    paths = table.part_names
    rows = Rows(names.ids, names.units, strata, table.is_target, time, predefined, table.source, paths)
    deal = deal_splits(project, rows, stored=stored, redraws=redraws, id_columns=names.columns, place=table.place)
    return replace(deal, notes=(*deal.notes, *_note_alone(project, table, rows.alive)), base=base)


def keep_deal(project: Project, deal: Deal, store: Path) -> bool:
    """Stores a deal where it is new.

    Args:
        project: Whose deal it is.
        deal: As `deal_table` made it.
        store: Folder that keeps deals.

    Returns:
        False when another process stored a different deal in the meantime: then that one is the authority.

    Raises:
        TrackingError: When the folder cannot be written.
    """
    if deal.base == deal.digest:
        return True
    file = deal_file(store, project.name)
    with lock_deal(file):
        if _read_stored(project, store, redraw=True)[2] != deal.base:
            return False
        write_deal(file, deal.stored)
    return True


def stored_columns(project: Project, store: Path | None, *, redraw: bool) -> tuple[str, ...]:
    """The columns whose content makes the ids of the stored deal; none where there is no deal to go on with."""
    stored = _read_stored(project, store, redraw=redraw)[0]
    return stored.id_columns if stored is not None else ()


def _read_stored(project: Project, store: Path | None, *, redraw: bool) -> tuple[StoredDeal | None, int, str]:
    """The deal to continue, how often the splits were dealt anew before a first one, and the stored deal's digest."""
    if store is None:
        return None, int(redraw), ""
    try:
        old = read_deal(deal_file(store, project.name), project)
    except InvalidInput:
        if not redraw:
            raise
        return None, 1, ""  # a damaged deal is what a redraw is for
    if old is None:
        return None, 0, ""
    return (None, old.redraws + 1, old.digest) if redraw else (old, 0, old.digest)


def _name(project: Project, table: Table, stored: StoredDeal | None) -> RowNames:
    """Ids as at the first deal: a column added since then must not rename every example."""
    columns = stored.id_columns if stored is not None and stored.id_columns else table.hashed
    gone = [name for name in columns or () if name not in table.frame.columns and table.contents is None]
    if gone and project.data.id is None:
        message = f"the ids of the stored splits are made from columns that the data no longer have: {some_of(gone)}"
        hint = "Restore them, or deal anew with `mlproj split --redraw`; a column named in `data.id` prevents this."
        raise InvalidInput([project.problem("data.id", message, hint)])
    return name_rows(
        project, table.frame, labels=table.labels, columns=columns, place=table.place, contents=table.contents
    )


def _predefine(project: Project, table: Table) -> Texts | None:
    """The split that `splits.column` or a file puts each row in (N,), "" where it is dealt; None for none at all."""
    by_part = [origin.role if origin.role in HELD_OUT else "" for origin in table.origins]
    by_file = np.array(by_part, dtype="<U9")[table.source]
    column = project.splits.column
    if column is None:
        return by_file if (by_file != "").any() else None
    texts = np.array([text or "" for text in read_texts(table.frame[column]).to_pylist()], dtype=np.str_)
    split = np.char.replace(np.char.lower(np.char.strip(texts)), "-", "_")
    wrong = np.flatnonzero(~np.isin(split, [*SPLITS, ""]))
    if len(wrong):
        first = wrong[np.sort(np.unique(texts[wrong], return_index=True)[1])]  # the first row of each text
        shown = ", ".join(f"{str(texts[row])!r} in {table.place(int(row))}" for row in first[:3])
        shown += f" ({len(wrong):,} such rows)" if len(wrong) > 1 else ""
        hint = f"Allowed are {', '.join(SPLITS)}; an empty cell is dealt as usual."
        raise InvalidInput([project.problem("splits.column", f"{column!r} holds {shown}, which is no split", hint)])
    return np.where(by_file != "", by_file, split).astype("<U9")


def _note_alone(project: Project, table: Table, dealt: Mask) -> list[str]:
    """Rows without a group, which may be more of somebody than anybody knows."""
    if project.data.group is None:
        return []
    n = int((is_missing(table.frame[project.data.group]) & dealt).sum())
    return [f"{n:,} rows have no {project.data.group}: each is dealt as a group of its own."] if n else []


def _check_dates(project: Project, table: Table) -> None:
    """A text in `splits.dev` is a day to cut at, or a file that was read as a part of its own."""
    hint = "Name the column of dates: `data: {time: COLUMN}`; or write a share below 1, a number from 2, or a file."
    files = [origin.role for origin in table.origins]
    problems = [
        project.problem(f"splits.{name}", f"{size!r} is a date, but there is no `data.time` to compare it with", hint)
        for name in HELD_OUT
        if isinstance(size := getattr(project.splits, name), str)
        and name not in files
        and not (project.data.time and is_date(size))
    ]
    if problems:
        raise InvalidInput(problems)
