"""The stored deal: which unit lies in which split; a Parquet file that is the authority once it exists. U units.

One file per project, `NAME.parquet`, written whole or not at all, under a lock, so that two processes that deal at the
same moment agree on one deal. It is only kept if the wishes behind it are: a changed size or group column is refused
with the way to deal anew, because silently keeping the old splits, or mixing test into train, would both be wrong.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.data.cells import find_texts
from mlproj.data.late import pa, pc, pq
from mlproj.errors import InvalidInput, Problem, TrackingError
from mlproj.records.predictions import Texts
from mlproj.spec.project import Project

VERSION = 1
_BLOCK = 1 << 16  # names that are objects of Python at a time
_KEY = b"mlproj.splits"
_SAFE = re.compile(r"[^A-Za-z0-9._-]")
_FACTS = ("seed", "redraws", "id_columns", "requested", "sizes", "shares", "cuts", "dealt")
_SETTINGS = (
    "splits.column", "splits.dev", "splits.test", "splits.train_dev", "splits.stratify",
    "data.id", "data.group", "data.time",
)  # fmt: skip


@dataclass(frozen=True)
class StoredDeal:
    """A deal as it was made, with all that later rows are dealt by.

    Attributes:
        units: Names of the units (U,), sorted.
        split: Their splits (U,).
        seed: Seed of the first deal; later seeds move nothing.
        redraws: How often the splits were dealt anew.
        id_columns: Columns whose content made the ids; empty where `data.id` names them.
        requested: What project.yaml asked for, by dotted path.
        sizes: Examples per split at the first deal.
        shares: By which new units enter: dev and test as shares of the target examples, train_dev of the training
            distribution.
        cuts: With `data.time`: value from which a split begins.
        dealt: Day of the first deal.
    """

    units: Texts
    split: Texts
    seed: int = 0
    redraws: int = 0
    id_columns: tuple[str, ...] = ()
    requested: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    cuts: Mapping[str, float] = field(default_factory=dict)
    dealt: str = ""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of units, splits and the rules for new units; equal for equal deals.

        Example:
            >>> a, b = (StoredDeal(np.array(["u1"]), np.array([split])) for split in ("dev", "test"))
            >>> a.digest == b.digest
            False
        """
        rules = json.dumps([self.seed, self.redraws, sorted(self.shares.items()), sorted(self.cuts.items())])
        digest = hashlib.sha256(rules.encode())
        for names in (self.units, self.split):
            for start in range(0, len(names), _BLOCK):
                text = "\x1f".join(["", *names[start : start + _BLOCK].tolist()])
                digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def deal_file(store: Path, name: str) -> Path:
    """The file of a project's deal.

    Example:
        >>> deal_file(Path("splits"), "cats").as_posix()
        'splits/cats.parquet'
    """
    return store / f"{safe_name(name)}.parquet"


def safe_name(name: str) -> str:
    """What files and folders of a project are called: no two names share one.

    Args:
        name: The project's name.

    Example:
        >>> safe_name("cats"), safe_name("cats/dogs")
        ('cats', 'cats_dogs-01bd1273')
    """
    safe = _SAFE.sub("_", name)[:100]
    if safe == name and not safe.startswith("."):
        return safe
    return f"{safe.lstrip('.')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@contextlib.contextmanager
def lock_deal(file: Path) -> Iterator[None]:
    """Holds the lock of a deal's file; whoever else deals the same project waits.

    Raises:
        TrackingError: When the folder cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = file.with_suffix(".lock").open("a")
    except OSError as error:
        raise _unwritable(file, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed, also when the process dies
        yield


def read_deal(file: Path, project: Project) -> StoredDeal | None:
    """The stored deal, or None when there is none yet.

    Raises:
        InvalidInput: When the file is damaged or was written by a later version.
    """
    try:
        table = pq.read_table(file)
        facts = json.loads(table.schema.metadata[_KEY])
        if facts["version"] > VERSION:
            raise _unreadable(file, project, f"version {facts['version']} is newer than this mlproj knows ({VERSION})")
        units, split = (np.array(table[name].to_pylist(), dtype=np.str_) for name in ("unit", "split"))
        known = {name: facts[name] for name in _FACTS}
        stored = StoredDeal(units, split, **known | {"id_columns": tuple(known["id_columns"])})
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise _unreadable(file, project, f"{type(error).__name__}: {reason}") from error
    if stored.digest != facts.get("digest"):
        raise _unreadable(file, project, "its content does not match its own digest")
    return stored


def read_digest(file: Path) -> str:
    """The digest that a deal's file states of itself, without reading the deal; "" where there is none."""
    try:
        return str(json.loads(pq.read_schema(file).metadata[_KEY])["digest"])
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError):
        return ""


def write_deal(file: Path, deal: StoredDeal) -> None:
    """Stores a deal: in a temporary file first, then renamed, so that no reader ever meets half a file.

    Raises:
        TrackingError: When the folder cannot be written.
    """
    facts = {name: getattr(deal, name) for name in _FACTS} | {"version": VERSION, "digest": deal.digest}
    columns = {"unit": deal.units, "split": deal.split}
    table = pa.table({name: pa.array(texts, pa.string()) for name, texts in columns.items()})
    table = table.replace_schema_metadata({_KEY: json.dumps(facts, sort_keys=True, default=dict).encode()})
    temporary = file.with_name(f".{file.stem}-{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as sink:
            pq.write_table(table, sink, compression="zstd")
            sink.flush()
            os.fsync(sink.fileno())
        temporary.replace(file)
        _sync_folder(file.parent)
    except OSError as error:
        raise _unwritable(file, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def sort_units(units: Texts) -> NDArray[np.int64]:
    """The order of unit names in which deals are stored."""
    return np.asarray(pc.sort_indices(pa.array(units, pa.string())).to_numpy()).astype(np.int64)


def find_units(stored: StoredDeal, names: Texts) -> NDArray[np.int64]:
    """Position of each name (U,) among the stored units, −1 where it is not one of them.

    Example:
        >>> find_units(StoredDeal(np.array(["a", "b"]), np.array(["dev", "train"])), np.array(["b", "c"])).tolist()
        [1, -1]
    """
    return find_texts(pa.array(names, pa.string()), stored.units.tolist())


def requested_of(project: Project) -> dict[str, Any]:
    """What a project asks of its deal, by dotted path; None for automatic.

    Example:
        >>> from mlproj.spec.data import Data, Splits
        >>> project = Project(name="cats", data=Data(source="a.csv", label="cat"), splits=Splits(dev=0.25))
        >>> requested_of(project)["splits.dev"], requested_of(project)["splits.train_dev"]
        (0.25, None)
    """
    found = {key: getattr(getattr(project, section), name) for key in _SETTINGS for section, name in [key.split(".")]}
    return {key: None if value == "auto" else value for key, value in found.items()}


def check_settings(project: Project, stored: StoredDeal) -> None:
    """Makes sure that the stored deal is the one that project.yaml asks for.

    Raises:
        InvalidInput: Naming each changed key with its old and new value.
    """
    hint = "Put it back, or deal anew with `mlproj split --redraw`: dev and test then change, and reports say so."
    problems = [
        project.problem(key, f"is {_say(new)} now, but {_say(old)} when the stored splits were dealt", hint)
        for key, new in requested_of(project).items()
        for old in [stored.requested.get(key)]
        if not _is_same(key, old, new, stored)
    ]
    if problems:
        raise InvalidInput(problems)


def _is_same(key: str, old: Any, new: Any, stored: StoredDeal) -> bool:
    """Whether two settings mean the same; an automatic size may be written out as what it came to."""
    is_size = key in ("splits.dev", "splits.test", "splits.train_dev")
    written_out = is_size and old is None and isinstance(new, int | float)
    return old == new or (written_out and new == stored.sizes.get(key.removeprefix("splits."), 0))


def _say(value: Any) -> str:
    if value is None:
        return "not given"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else repr(value)


def _sync_folder(folder: Path) -> None:
    """Makes the rename itself survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(file: Path, error: OSError) -> TrackingError:
    return TrackingError(f"The splits cannot be stored in {file.parent}: {error.strerror}. Free or unlock that folder.")


def _unreadable(file: Path, project: Project, reason: str) -> InvalidInput:
    place = file.relative_to(project.root) if file.is_relative_to(project.root) else file
    hint = "Restore the file from a copy, or deal anew with `mlproj split --redraw` (dev and test then change)."
    return InvalidInput([Problem(str(place), f"the stored splits cannot be read ({reason})", hint)])
