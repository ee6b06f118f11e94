"""The data as training sees them: train, train-dev and dev encoded, test left out. N examples, F inputs, L labels."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.data.cache import Frames, cache_key, find_cached, keep_cached
from mlproj.data.cells import read_texts
from mlproj.data.columns import Column, ignored_columns
from mlproj.data.deal import Deal
from mlproj.data.dealing import keep_deal
from mlproj.data.encoder import Encoder, encode_column, warn_encoder
from mlproj.data.part import LatePart, Part
from mlproj.data.prepare import Case, prepare
from mlproj.data.problems import Remarks
from mlproj.data.target import Target
from mlproj.data.task import warn_classes
from mlproj.data.threads import side_by_side
from mlproj.errors import InvalidInput, Problem
from mlproj.records.predictions import SEEN_SPLITS, SplitName, Texts
from mlproj.spec.project import Project

_BLOCK = 1 << 16


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
        corrections: Labels that `data.corrections` changed, by split, test among them.
        corrections_digest: Short hash of these corrections outside of test; "" without any.
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
    corrections: Mapping[str, int] = field(default_factory=dict)
    corrections_digest: str = ""


def load_dataset(
    project: Project,
    *,
    store: Path | None = None,
    redraw: bool = False,
    save: bool = True,
    before_saving: Callable[[Dataset], object] | None = None,
) -> Dataset:
    """Reads, checks, deals and encodes a project's data, or finds all that in the cache beside the store.

    Args:
        project: What to load.
        store: Folder that keeps the deal, and beside which the cache lies; None keeps none.
        redraw: Deal anew instead of keeping the stored deal.
        save: Whether to store a new deal; without it nothing is written.
        before_saving: Called with the dataset before a deal is stored; what it raises leaves nothing behind.

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
    key = cache_key(project, store)
    found = None
    if key is not None and store is not None and not redraw:
        found = find_cached(project, store, key, partial(_load, project, store))
    dataset = found or _load(project, store, redraw=redraw, quickly=key is not None and not redraw)
    if before_saving is not None:
        before_saving(dataset)
    if store is None or not save or found is not None:
        return dataset
    if not keep_deal(project, dataset.deal, store):
        return load_dataset(project, store=store)
    if key is not None:
        keep_cached(project, dataset, store, key)
    return dataset


def _load(project: Project, store: Path | None, *, redraw: bool = False, quickly: bool = False) -> Dataset:
    """The data set from its files; `quickly` without raw cells, which are read when somebody asks for them."""
    prepared = prepare(project, store=store, redraw=redraw, quickly=quickly)
    return _encode(prepared.require(), prepared.remarks, partial(_load, project, store))


def _encode(case: Case, remarks: Remarks, load: Callable[[], Dataset]) -> Dataset:
    """Fits encoder and target on train and applies them to every row that may be seen."""
    train = case.split == "train"
    encoder = _fit_encoder(case, np.flatnonzero(train))
    if not encoder.names:
        message = "the model would have no input: no two train rows share a word of the text, and there is nothing else"
        raise InvalidInput([case.project.problem("data", message, "Add columns, or rows whose texts share words.")])
    target = Target.fit(case.project, case.frame, labels=case.table.labels, task=case.labels.task, train=train)
    values = _cut(case, encoder, target.encode(case.frame))
    data_hash = _hash_data(values, encoder, case.deal)
    return Dataset(
        case.project,
        _with_cells(case, values, Frames(load, data_hash)),
        case.deal,
        encoder,
        target,
        case.columns,
        (*remarks.warnings, *warn_encoder(encoder, case.columns), *_warn_target(target, case)),
        data_hash,
        _hash_labels(case, "dev"),
        tuple(remarks.notes),
        dict(case.corrected.changed) if case.corrected else {},
        case.corrected.digest if case.corrected else "",
    )


def _fit_encoder(case: Case, train: NDArray[np.int64]) -> Encoder:
    """The encoder of the train rows, column by column, so that no second table lies in memory."""

    def fit(column: Column) -> Encoder:
        return Encoder.fit(case.cells(column.name, train).to_frame(), [column])

    fitted = side_by_side(fit, [column for column in case.columns if column.is_input])
    return Encoder(tuple(part for each in fitted for part in each.columns))


def _cut(case: Case, encoder: Encoder, y: NDArray[Any]) -> dict[SplitName, dict[str, Any]]:
    """What each split holds of the rows that may be seen (S of them, labels (S, L)), but for raw cells."""
    ids, units, source = case.deal.ids[case.seen], case.deal.units[case.seen], case.table.source[case.seen]
    weight = None if case.weights is None else case.weights[case.seen]
    values: dict[SplitName, dict[str, Any]] = {}
    for name in SEEN_SPLITS:
        rows = np.flatnonzero(case.split == name)
        if len(rows):
            values[name] = {
                "ids": ids[rows],
                "x": _encode_rows(case, encoder, rows),
                "y": y[rows],
                "weight": None if weight is None else weight[rows],
                "group": None if case.project.data.group is None else units[rows],
                "source": source[rows],
            }
    return values


def _encode_rows(case: Case, encoder: Encoder, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """The inputs (N, F) of some of the rows that may be seen."""
    x = np.zeros((len(rows), len(encoder.names)), np.float32)
    ends = np.cumsum([len(part.inputs) for part in encoder.columns]).tolist()
    starts = [0, *ends[:-1]]

    def encode(at: int) -> list[Problem]:
        part = encoder.columns[at]
        return encode_column(part, case.cells(part.name, rows), x[:, starts[at] : ends[at]])

    problems = [problem for found in side_by_side(encode, range(len(ends))) for problem in found]
    if problems:
        raise InvalidInput(problems)
    return x


def _with_cells(case: Case, values: Mapping[SplitName, Mapping[str, Any]], frames: Frames) -> dict[SplitName, Part]:
    """The splits with their raw cells; with a way to them, where columns of plain numbers were read as such."""
    if case.table.plain:
        return {
            name: LatePart.make(partial(frames.of, name), {"name": name, **value}) for name, value in values.items()
        }
    hidden = {*case.table.labels, *ignored_columns(case.project)}
    frame = case.shown.frame[[name for name in case.shown.frame.columns if name not in hidden]]
    return {
        name: Part(name, frame=frame.take(np.flatnonzero(case.split == name)).reset_index(drop=True), **value)
        for name, value in values.items()
    }


def _warn_target(target: Target, case: Case) -> list[str]:
    """Classes that are too rare, or not where they are needed; those of test are counted, not named."""
    if target.kind == "regression" or target.several:
        return []
    cells = case.shown.frame[target.labels[0]]
    learned = set(read_texts(cells[case.split == "train"]).to_pylist())
    absent = [name for name in target.classes[0] if name not in learned]
    warnings = [f"Train holds no example of class {', '.join(map(repr, absent))}."] if absent else []
    sealed = case.labels.n_classes - len(target.classes[0])
    if sealed:
        warnings.append(f"{sealed} {'class occurs' if sealed == 1 else 'classes occur'} in the test set only.")
    return [*warn_classes(cells), *warnings]


def _hash_data(parts: Mapping[SplitName, Mapping[str, Any]], encoder: Encoder, deal: Deal) -> str:
    digest = hashlib.sha256(deal.digest.encode())
    _hash_texts(digest, encoder.names)
    for name, part in parts.items():
        _hash_texts(digest, [name])
        _hash_texts(digest, part["ids"])
        _hash_texts(digest, [] if part["group"] is None else part["group"])
        for values in (part["x"], part["y"], part["weight"]):
            if values is not None:
                digest.update(f"{values.dtype}{values.shape}".encode())
                digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _hash_labels(case: Case, split: SplitName) -> str:
    """Ids and labels of a split, in the order of the ids, so that a shuffled file is the same data."""
    rows = np.flatnonzero(case.split == split)
    ids = case.deal.ids[case.deal.seen][rows]
    order = np.argsort(ids, kind="stable")
    digest = hashlib.sha256()
    _hash_texts(digest, ids[order])
    for name in case.shown.labels:
        texts = read_texts(case.shown.frame[name].iloc[rows[order]])
        _hash_texts(digest, [name, *(text or "" for text in texts.to_pylist())])
    return digest.hexdigest()


def _hash_texts(digest: Any, texts: Sequence[str] | Texts) -> None:
    """Texts with their lengths, so that ("ab", "c") and ("a", "bc") differ."""
    names = np.asarray(texts, dtype=np.str_)
    digest.update(np.char.str_len(names).astype(np.int64).tobytes())
    for start in range(0, len(names), _BLOCK):
        digest.update("".join(names[start : start + _BLOCK].tolist()).encode("utf-8", "surrogatepass"))
