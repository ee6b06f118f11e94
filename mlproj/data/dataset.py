"""The data as training sees them: train, train-dev and dev encoded, test left out. N examples, F inputs, L labels."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlproj.data.cells import read_texts
from mlproj.data.columns import Column
from mlproj.data.deal import Deal
from mlproj.data.encoder import Encoder, warn_encoder
from mlproj.data.prepare import Prepared, find_seen, keep_deal, prepare
from mlproj.data.table import Table
from mlproj.data.target import Target
from mlproj.errors import InvalidInput
from mlproj.records.predictions import SEEN_SPLITS, SplitName
from mlproj.spec.project import Project


@dataclass(frozen=True)
class Part:
    """One split.

    Attributes:
        name: train, train_dev or dev.
        ids: Ids of its examples (N,).
        frame: Their raw cells (N rows) without the label and without columns declared `ignore`.
        x: Inputs (N, F).
        y: Labels as `Target.encode` gives them (N, L).
        weight: Weights in the metric (N,), or None when all weigh 1.
        group: Group of each example (N,), or None without `data.group`.
        source: Position of each example's part among those of `data.source` and `data.extra` (N,).
    """

    name: SplitName
    ids: NDArray[np.str_]
    frame: pd.DataFrame
    x: NDArray[np.float32]
    y: NDArray[Any]
    weight: NDArray[np.float64] | None
    group: NDArray[np.str_] | None
    source: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Dataset:
    """A project's data, ready for training. The test set is sealed: nothing of its features or labels is in here.

    Attributes:
        project: The project with its task filled in.
        parts: train, and train_dev and dev where they exist.
        deal: Who lies in which split.
        encoder: How raw rows become inputs; fitted on train.
        target: How labels become numbers; fitted on train.
        columns: What the raw columns are, by the rows that may be seen.
        warnings: What a user should know about the data.
        data_hash: SHA-256 of all that training sees: inputs, labels, weights, ids and the deal.
        dev_hash: SHA-256 of the ids and labels of dev; runs with equal ones can be compared.
        notes: What was found out, such as the task.
    """

    project: Project
    parts: Mapping[SplitName, Part]
    deal: Deal
    encoder: Encoder
    target: Target
    columns: tuple[Column, ...]
    warnings: tuple[str, ...]
    data_hash: str
    dev_hash: str
    notes: tuple[str, ...] = ()


def load_dataset(project: Project, *, store: Path | None = None, redraw: bool = False) -> Dataset:
    """Reads, checks, deals and encodes a project's data.

    Args:
        project: What to load.
        store: Folder that keeps the deal; None keeps none.
        redraw: Deal anew instead of keeping the stored deal.

    Returns:
        Everything that training and diagnosis may see.

    Raises:
        InvalidInput: With every problem of the data; nothing is written then.

    Example:
        >>> from mlproj.spec.data import Data
        >>> dataset = load_dataset(Project(name="flowers", data=Data(source="sklearn:iris")))
        >>> {name: part.x.shape for name, part in dataset.parts.items()}
        {'train': (90, 4), 'dev': (30, 4)}
    """
    prepared = prepare(project, store=store, redraw=redraw)
    dataset = _encode(prepared)
    if store is not None:
        kept = keep_deal(prepared, store=store, redraw=redraw)
        if kept.digest != dataset.deal.digest:  # another process dealt in the meantime: its deal is the authority
            return load_dataset(project, store=store)
    return dataset


def _encode(prepared: Prepared) -> Dataset:
    """Fits encoder and target on train and applies them to every split that may be seen."""
    table, labels, deal = prepared.sound()
    project, columns = prepared.project, prepared.columns
    seen = find_seen(deal)
    shown, train = table.select(seen), deal.split[seen] == "train"
    encoder = Encoder.fit(shown.frame[train], columns)
    target = Target.fit(project, shown.frame, labels=table.labels, task=labels.task, train=train)
    present = [name for name in SEEN_SPLITS if (deal.split == name).any()]
    parts = {name: _encode_part(name, prepared, encoder, target) for name in present}
    return Dataset(
        project,
        parts,
        deal,
        encoder,
        target,
        columns,
        (*prepared.warnings, *warn_encoder(encoder, columns), *_warn_target(target, shown, train)),
        _hash_data(parts, encoder, deal),
        _hash_labels(table, deal, "dev"),
        prepared.notes,
    )


def _encode_part(name: SplitName, prepared: Prepared, encoder: Encoder, target: Target) -> Part:
    table, _, deal = prepared.sound()
    data, weight = prepared.project.data, prepared.weights.of_rows
    rows = np.flatnonzero(deal.split == name)
    part = table.select(rows)
    hidden = {*table.labels, *(column for column, kind in data.columns.items() if kind == "ignore")}
    return Part(
        name,
        deal.ids[rows],
        part.frame.drop(columns=[column for column in part.frame.columns if column in hidden]),
        encoder.encode(part.frame),
        target.encode(part.frame),
        None if weight is None else weight[rows],
        deal.units[rows] if data.group is not None else None,
        part.source,
    )


def _warn_target(target: Target, shown: Table, train: NDArray[np.bool_]) -> list[str]:
    """Classes that train does not know."""
    if target.kind == "regression" or target.several:
        return []
    learned = set(read_texts(shown.frame[target.labels[0]][train]).to_pylist())
    absent = [name for name in target.classes[0] if name not in learned]
    return [f"Train holds no example of class {', '.join(map(repr, absent))}."] if absent else []


def _hash_data(parts: Mapping[SplitName, Part], encoder: Encoder, deal: Deal) -> str:
    digest = hashlib.sha256(deal.digest.encode())
    _hash_texts(digest, encoder.names)
    for name, part in parts.items():
        _hash_texts(digest, [name])
        _hash_texts(digest, part.ids.tolist())
        _hash_texts(digest, [] if part.group is None else part.group.tolist())
        for values in (part.x, part.y, part.weight):
            if values is not None:
                digest.update(f"{values.dtype}{values.shape}".encode())
                digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _hash_labels(table: Table, deal: Deal, split: SplitName) -> str:
    """Ids and labels of a split, in the order of the ids, so that a shuffled file is the same data."""
    rows = np.flatnonzero(deal.split == split)
    rows = rows[np.argsort(deal.ids[rows], kind="stable")]
    digest = hashlib.sha256()
    _hash_texts(digest, deal.ids[rows].tolist())
    for name in table.labels:
        _hash_texts(digest, [name, *(text or "" for text in read_texts(table.frame[name].iloc[rows]).to_pylist())])
    return digest.hexdigest()


def _hash_texts(digest: Any, texts: Sequence[str]) -> None:
    """Texts with their lengths, so that ("ab", "c") and ("a", "bc") differ."""
    digest.update(np.array([len(text) for text in texts], dtype=np.int64).tobytes())
    digest.update("".join(texts).encode("utf-8", "surrogatepass"))
