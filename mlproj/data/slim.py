"""Dealing tables that are larger than memory: only what a deal looks at is kept of each row. N examples.

A deal needs labels, groups, times, predefined splits and ids; where no column names the ids, they are hashes of the
features, and these are made batch by batch. The deal is the one that `load_dataset` would make of the same data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlproj.data.cells import kind_of
from mlproj.data.columns import find_absent
from mlproj.data.deal import Deal
from mlproj.data.dealing import deal_table, keep_deal, stored_columns
from mlproj.data.ids import content_hashes, hash_columns
from mlproj.data.late import pd
from mlproj.data.prepare import clean_labels, has_features, replace_columns
from mlproj.data.problems import Remarks, check_roles
from mlproj.data.sources import AbstractSource, Reading, find_source
from mlproj.data.sources.files import find_files
from mlproj.data.table import (
    PartOrigin,
    Table,
    alike,
    check_columns,
    choose_rows,
    notes_of,
    number_files,
    own_labels,
    parts_of,
)
from mlproj.data.task import read_labels
from mlproj.data.words import suggest
from mlproj.errors import InvalidInput, Problem
from mlproj.records import Texts
from mlproj.spec.data import Part
from mlproj.spec.project import Project
from mlproj.spec.where import columns_of, parse_where

LARGE = 512 << 20
"""Bytes of data files from which a table is dealt without reading it as a whole: it takes several times as many."""
_PACKED = 5
"""How much larger a compressed or columnar file is when it is read."""


def is_large(project: Project) -> bool:
    """Whether the data files of a project are too large to be read for a deal alone."""
    total = 0
    for part, _ in parts_of(project):
        try:
            files = find_files(part.path, project.root)[0]
        except InvalidInput:  # no file, or said when it is read
            continue
        for file in files:
            packed = not file.lower().endswith((".csv", ".jsonl", ".ndjson"))
            total += (project.root / file).stat().st_size * (_PACKED if packed else 1)
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
    parts, heads = _read_heads(project)
    origins = [part.origin for part in parts]
    labels = project.data.labels or own_labels(project, heads)
    names = check_columns(project, [list(map(str, head.frame.columns)) for head in heads], origins, labels)
    problems = find_absent(project, names) + check_roles(project, labels) + [
        project.problem("data.label", f"there is no column {label!r}", suggest(label, names))
        for label in labels
        if label not in names
    ]  # fmt: skip
    if not problems and not has_features(project, names, labels):
        problems.append(project.problem("data", "no column is left as a feature"))
    if problems:
        raise InvalidInput(problems)
    data, splits = project.data, project.splits
    kept = [name for name in (*labels, data.id, data.group, data.time, splits.column) if name is not None]
    hashed = None
    if data.id is None:
        hashed = stored_columns(project, store, redraw=redraw) or hash_columns(project, names, labels)
    types = _number_types(heads, hashed or ())
    read = [part.read(dict.fromkeys(kept), hashed, types) for part in parts]
    readings, contents = [reading for reading, _ in read], [hashes for _, hashes in read]
    frames = alike([reading.frame.reindex(columns=list(dict.fromkeys(kept))) for reading in readings])
    files, file = number_files(readings, origins)
    return Table(
        pd.concat(frames, ignore_index=True),
        np.repeat(np.arange(len(frames)), [len(frame) for frame in frames]),
        np.concatenate([reading.rows for reading in readings]),
        tuple(origins),
        labels,
        files,
        file,
        None if hashed is None else np.concatenate(contents),
        None if hashed is None else tuple(hashed),
        notes_of(readings),
    )


def _read_heads(project: Project) -> tuple[list[_Part], list[Reading]]:
    """Every part with its first batch, which tells columns and types."""
    problems: list[Problem] = []
    parts, heads = [], []
    whole: dict[str, Reading] = {}
    for entry, origin in parts_of(project):
        part = _Part(project, entry, origin, whole)
        try:
            head = next(part.batches(None))
        except InvalidInput as error:
            problems += error.problems
            continue
        parts.append(part)
        heads.append(replace(head, frame=head.frame.iloc[:1]))
    if problems:
        raise InvalidInput(problems)
    return parts, heads


def _number_types(heads: Sequence[Reading], names: Sequence[str]) -> dict[str, Any]:
    """The type that a column of numbers has when the parts are joined: half as many digits say another number."""
    columns = {name: [head.frame[name] for head in heads if name in head.frame.columns] for name in names}
    return {
        name: pd.concat(found).dtype
        for name, found in columns.items()
        if len(found) > 1 and all(kind_of(column) == "number" for column in found)
    }


@dataclass(frozen=True)
class _Part:
    """One part of the data; `whole` keeps the sources that are read as a whole, each once."""

    project: Project
    entry: Part
    origin: PartOrigin
    whole: dict[str, Reading]

    def batches(self, columns: Sequence[str] | None) -> Iterator[Reading]:
        """The batches; what is wrong with them is said of their place in project.yaml."""
        path, root = self.entry.path, self.project.root
        try:
            source = find_source(path, root)
            if type(source).batches is AbstractSource.batches:
                if path not in self.whole:
                    self.whole[path] = source.read(path, root)
                reading = self.whole[path]
                yield reading if columns is None else replace(reading, frame=reading.frame[list(columns)])
                return
            yield from source.batches(path, root, columns=columns)
        except InvalidInput as error:
            key = self.origin.key
            raise InvalidInput(
                [self.project.problem(key, f"{p.where}: {p.message}", p.hint) for p in error.problems]
            ) from None

    def read(
        self, kept: Iterable[str], hashed: Sequence[str] | None, types: Mapping[str, Any]
    ) -> tuple[Reading, Texts]:
        """The kept columns, and the hash of each row."""
        where = parse_where(self.entry.where) if self.entry.where else None
        asked = frozenset(columns_of(where)) if where is not None else frozenset[str]()
        head = next(self.batches(None))
        names = list(head.frame.columns)
        if not asked <= set(names):
            choose_rows(self.project, self.entry, self.origin, head)  # says so
        needed = {*kept, *asked, *(hashed or ())}
        frames, rows, files, hashes = [], [], [], []
        for reading in self.batches([name for name in names if name in needed]):
            last = reading
            frames.append(reading.frame[[name for name in reading.frame.columns if name in asked or name in set(kept)]])
            rows.append(reading.rows)
            files.append(reading.file)
            if hashed is not None:
                cells = reading.frame.reindex(columns=list(hashed))
                hashes.append(content_hashes(cells.astype({n: k for n, k in types.items() if n in names}), hashed))
        file = None if last.file is None else np.concatenate([each for each in files if each is not None])
        joined = replace(last, frame=pd.concat(frames, ignore_index=True), rows=np.concatenate(rows), file=file)
        texts = np.concatenate(hashes) if hashes else np.empty(len(joined.rows), "<U1")
        chosen = choose_rows(self.project, self.entry, self.origin, joined)  # as a whole: a batch tells no types
        return joined.select(chosen), texts[chosen]
