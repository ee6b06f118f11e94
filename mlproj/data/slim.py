"""Dealing tables that are larger than memory: only what a deal looks at is kept of each row. N examples.

A deal needs labels, groups, times, predefined splits and ids; where no column names the ids, they are hashes of the
features, and these are made batch by batch. The deal is the one that `load_dataset` would make of the same data.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mlproj.data.columns import find_absent
from mlproj.data.deal import Deal
from mlproj.data.dealing import deal_table, keep_deal, stored_columns
from mlproj.data.ids import content_hashes, hash_columns
from mlproj.data.prepare import clean_labels, replace_columns
from mlproj.data.problems import Remarks
from mlproj.data.sources import Reading, find_source
from mlproj.data.table import PartOrigin, Table, number_files, parts_of
from mlproj.data.task import read_labels
from mlproj.data.where import evaluate_where
from mlproj.errors import InvalidInput
from mlproj.records import Texts
from mlproj.spec.data import Part
from mlproj.spec.project import Project

LARGE = 512 << 20
"""Bytes of data files from which a table is dealt without reading it as a whole: it takes several times as many."""
_PACKED = 5
"""How much larger a compressed or columnar file is when it is read."""


def is_large(project: Project) -> bool:
    """Whether the data files of a project are too large to be read for a deal alone."""
    total = 0
    for part, _ in parts_of(project):
        place = project.root / Path(part.path).expanduser()
        files = [place] if place.is_file() else list(place.glob("*")) if place.is_dir() else []
        if not files and any(sign in part.path for sign in "*?["):
            files = list(project.root.glob(part.path)) if not Path(part.path).is_absolute() else []
        for file in files:
            if file.is_file():
                plain = file.name.lower().endswith((".csv", ".jsonl", ".ndjson"))
                total += file.stat().st_size * (1 if plain else _PACKED)
    return total >= LARGE


def deal_project(project: Project, *, store: Path, redraw: bool = False) -> Deal:
    """Deals a project's data and keeps the deal, in memory that grows with the ids alone.

    Cells of features are not looked at: `check` and `train` say what is wrong with them.

    Args:
        project: What to deal.
        store: Folder that keeps the deal.
        redraw: Deal anew instead of keeping the stored deal.

    Raises:
        InvalidInput: With every problem of labels, ids and sizes; nothing is written then.
    """
    remarks = Remarks()
    table = read_slim(project, store=store, redraw=redraw)
    labels = read_labels(project, table, remarks)
    if remarks.problems:
        raise InvalidInput(remarks.problems)
    known = project.changed(task=labels.task)
    labelled = replace(table, frame=replace_columns(table.frame, clean_labels(known, table, labels)))
    deal = deal_table(known, labelled, regression=labels.task == "regression", store=store, redraw=redraw)
    if not keep_deal(known, deal, store):
        return deal_project(project, store=store)
    return deal


def read_slim(project: Project, *, store: Path | None = None, redraw: bool = False) -> Table:
    """All rows with the columns that a deal looks at, and a hash in place of the features.

    Args:
        project: What to read.
        store: Folder of the stored deals: the columns that were hashed at the first deal are hashed again.
        redraw: Whether the deal is made anew.

    Raises:
        InvalidInput: When a file cannot be read, or has not the columns that are needed.
    """
    parts = list(parts_of(project))
    names = _all_names(project, parts)
    labels = project.data.labels or _own_label(project, parts)
    problems = find_absent(project, names) + [
        project.problem("data.label", f"there is no column {label!r}") for label in labels if label not in names
    ]
    if problems:
        raise InvalidInput(problems)
    hashed = None
    if project.data.id is None:
        hashed = stored_columns(project, store, redraw=redraw) or hash_columns(project, names, labels)
    data, splits = project.data, project.splits
    kept = [name for name in (*labels, data.id, data.group, data.time, splits.column) if name is not None]
    readings, origins, contents = [], [], []
    for part, origin in parts:
        reading, hashes = _read_part(project, part, origin, kept, hashed)
        readings.append(reading)
        origins.append(origin)
        contents.append(hashes)
    source = np.repeat(np.arange(len(readings)), [len(reading.rows) for reading in readings])
    return Table(
        pd.concat([reading.frame for reading in readings], ignore_index=True),
        source,
        np.concatenate([reading.rows for reading in readings]),
        tuple(origins),
        labels,
        *number_files(readings, origins),
        None if hashed is None else np.concatenate(contents),
        None if hashed is None else tuple(hashed),
    )


def _batches(project: Project, part: Part, origin: PartOrigin) -> Iterator[Reading]:
    """The batches of a part; what is wrong with it is said of its place in project.yaml."""
    try:
        yield from find_source(part.path, project.root).batches(part.path, project.root)
    except InvalidInput as error:
        problems = [project.problem(origin.key, f"{p.where}: {p.message}", p.hint) for p in error.problems]
        raise InvalidInput(problems) from None


def _all_names(project: Project, parts: Sequence[tuple[Part, PartOrigin]]) -> list[str]:
    first = [next(_batches(project, part, origin)).frame.columns for part, origin in parts]
    return list(dict.fromkeys(str(name) for columns in first for name in columns))


def _own_label(project: Project, parts: Sequence[tuple[Part, PartOrigin]]) -> tuple[str, ...]:
    label = next((r.label for part, origin in parts if (r := next(_batches(project, part, origin))).label), None)
    if label is None:
        raise InvalidInput([project.problem("data.label", "is missing: which column is to be predicted?")])
    return (label,)


def _read_part(
    project: Project, part: Part, origin: PartOrigin, kept: Sequence[str], hashed: Sequence[str] | None
) -> tuple[Reading, Texts]:
    """One part with the kept columns as text, and the hash of each row."""
    from mlproj.data.cells import to_strings

    frames, rows, files, hashes = [], [], [], []
    last: Reading | None = None
    for reading in _batches(project, part, origin):
        last = reading
        chosen = _choose(project, part, origin, reading)
        frame = chosen.frame.reindex(columns=list(dict.fromkeys([*kept, *(hashed or ())])))
        frames.append(pd.DataFrame({name: to_strings(frame[name]) for name in dict.fromkeys(kept)}))
        rows.append(chosen.rows)
        files.append(chosen.file)
        hashes.append(content_hashes(frame, hashed) if hashed is not None else np.empty(len(frame), "<U1"))
    if last is None or not sum(map(len, rows)):
        kind = f"`{part.where}` keeps no row of {part.path}" if part.where else f"{part.path}: has no rows"
        raise InvalidInput([project.problem(origin.key, kind)])
    file = None if last.file is None else np.concatenate([each for each in files if each is not None])
    joined = pd.concat(frames, ignore_index=True)
    return Reading(joined, np.concatenate(rows), last.label, last.files, file), np.concatenate(hashes)


def _choose(project: Project, part: Part, origin: PartOrigin, reading: Reading) -> Reading:
    if part.where is None:
        return reading
    try:
        return reading.select(np.flatnonzero(evaluate_where(part.where, reading.frame)))
    except ValueError as error:
        problem = project.problem(f"{origin.key}.where", f"`{part.where}` on {part.path}: {error}")
        raise InvalidInput([problem]) from None
