"""The binary cache: what loading the data gave, kept beside the store so that the next command need not read them.

It lies in `mlruns/cache/data`, a file per data set. Nothing in it is worth keeping: deleting the folder costs one
reading, and the variable `MLPROJ_CACHE=0` does without it. Test rows are in it as little as in a `Dataset`: their ids
and no feature or label of theirs.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.data.arrays_file import DamagedFile, read_arrays, write_arrays
from mlproj.data.cache_key import Key, key_of
from mlproj.data.columns import Column
from mlproj.data.deal import Deal
from mlproj.data.encoder import Encoder
from mlproj.data.late import pd
from mlproj.data.part import ARRAYS, LatePart, Part
from mlproj.data.store import StoredDeal, deal_file, read_digest
from mlproj.data.target import Target
from mlproj.errors import InvalidInput
from mlproj.spec.project import Project

if TYPE_CHECKING:
    from mlproj.data.dataset import Dataset

VARIABLE = "MLPROJ_CACHE"
MAX_FILES = 4
MAX_BYTES = 8_000_000_000
"""Size of all entries together; a data set that is larger alone is not kept."""
_STALE_SECONDS = 3600.0
_REST = ("warnings", "data_hash", "dev_hash", "notes", "corrections", "corrections_digest")
_STORED = ("seed", "redraws", "requested", "sizes", "shares", "cuts", "dealt")


@dataclass(frozen=True)
class Frames:
    """The raw cells behind a cached data set, read from the project's files when somebody asks for them.

    Attributes:
        load: Loads the data set from its files.
        data_hash: Hash of the data set that the cells belong to.
    """

    load: Callable[[], Dataset]
    data_hash: str
    found: dict[str, pd.DataFrame] = field(default_factory=dict)

    def of(self, name: str) -> pd.DataFrame:
        """The raw cells of a split.

        Raises:
            InvalidInput: When the data are no longer those that were cached.
        """
        if not self.found:
            dataset = self.load()
            if dataset.data_hash != self.data_hash:
                hint = "Run the command again."
                raise InvalidInput([dataset.project.problem("data.source", "changed while it was in use", hint)])
            self.found.update({part.name: part.frame for part in dataset.parts.values()})
        return self.found[name]


def cache_key(project: Project, store: Path | None) -> Key | None:
    """The key that the project's data have now; None where they are not cached.

    Args:
        project: As declared.
        store: Folder of the stored deal; None has no cache.
    """
    return None if store is None or os.environ.get(VARIABLE, "").strip() == "0" else key_of(project, store)


def find_cached(project: Project, store: Path, key: Key, load: Callable[[], Dataset]) -> Dataset | None:
    """The data set from the cache; None where there is none, for whatever reason.

    Args:
        project: As declared.
        store: Folder of the stored deal.
        key: Of the data as they lie there.
        load: Loads the same data set from its files.
    """
    if not key.name:
        return None
    file = _file_of(store, key)
    try:
        arrays, document = read_arrays(file)
        dataset = _unpack(project, arrays, document, load)
        os.utime(file)  # the entry that was used last is the last to go
    except (OSError, DamagedFile, KeyError, TypeError, ValueError):
        return None  # it is read as if it were not there, and written anew
    return dataset


def keep_cached(project: Project, dataset: Dataset, store: Path, key: Key) -> None:
    """Stores a data set for the next time; where that fails, the next time reads the files.

    Args:
        project: As declared.
        dataset: What loading gave, its deal stored.
        store: Folder of the stored deal.
        key: `cache_key` from before the data were read.
    """
    now, deal = cache_key(project, store), dataset.deal
    is_first = deal.first_notes is not None
    if now is None or now.spec != key.spec or not now.deal:
        return  # a file changed while it was read
    if read_digest(deal_file(store, project.name)) != deal.digest or not (is_first or now.deal == key.deal):
        return  # rows came in: what the next time says about them is for the next time to find out
    arrays, document = _pack(_as_next_time(dataset) if is_first else dataset)
    if sum({id(array): array.nbytes for array in arrays.values()}.values()) > MAX_BYTES:
        return
    with contextlib.suppress(OSError, TypeError):
        file = _file_of(store, now)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(file, arrays, document)
        _tidy(file)


def _file_of(store: Path, key: Key) -> Path:
    return store.parent / "cache" / "data" / f"{key.name}.bin"


def _as_next_time(dataset: Dataset) -> Dataset:
    """The data set of a first deal as the next time will find it: what is said of a first deal is not repeated."""
    deal, warnings = dataset.deal, list(dataset.warnings)
    for note in deal.notes[: deal.first_notes]:
        warnings.remove(note)
    cuts = dict(sorted(deal.cuts.items()))  # as they come out of the file
    again = replace(deal, notes=deal.notes[deal.first_notes :], cuts=cuts, base=deal.digest, first_notes=None)
    return replace(dataset, deal=again, warnings=tuple(warnings))


def _pack(dataset: Dataset) -> tuple[dict[str, Any], dict[str, Any]]:
    """A data set as arrays and plain data."""
    deal, parts = dataset.deal, dataset.parts
    arrays: dict[str, Any] = {"split": deal.split, "ids": deal.ids, "units": deal.units}
    arrays |= {"stored.units": deal.stored.units, "stored.split": deal.stored.split}
    for name, part in parts.items():
        values = part.arrays()
        arrays |= {f"{name}.{key}": value for key, value in values.items() if value is not None}
    facts = ("sources", "distributions_differ", "notes", "cuts", "base", "digest")
    document = {
        "task": dataset.project.task,
        "parts": list(parts),
        "deal": {key: getattr(deal, key) for key in facts},
        "stored": _sorted({key: getattr(deal.stored, key) for key in ("id_columns", *_STORED)}),
        "encoder": dataset.encoder.to_json(),
        "target": dataset.target.to_json(),
        "columns": [asdict(column) for column in dataset.columns],
        "rest": {key: getattr(dataset, key) for key in _REST},
    }
    return arrays, _plain(document)


def _sorted(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts in the order in which the file of a deal gives them."""
    found: dict[str, Any] = json.loads(json.dumps(facts, sort_keys=True, default=dict))
    return found


def _plain(value: Any) -> Any:
    """Mappings of any kind as dictionaries, for JSON."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _unpack(
    project: Project, arrays: Mapping[str, Any], document: Mapping[str, Any], load: Callable[[], Dataset]
) -> Dataset:
    """The data set that `_pack` took apart."""
    from mlproj.data.dataset import Dataset

    facts, rules, rest = dict(document["deal"]), dict(document["stored"]), dict(document["rest"])
    rules["id_columns"] = tuple(rules["id_columns"])
    digest, facts["notes"] = facts.pop("digest"), tuple(facts["notes"])
    stored = StoredDeal(arrays["stored.units"], arrays["stored.split"], **rules)
    deal = Deal(split=arrays["split"], ids=arrays["ids"], units=arrays["units"], stored=stored, **facts)
    stored.__dict__["digest"] = deal.__dict__["digest"] = digest  # known: hashing all units again costs a while
    frames = Frames(load, rest["data_hash"])
    parts: dict[Any, Part] = {
        name: LatePart.make(
            partial(frames.of, name), {"name": name} | {key: arrays.get(f"{name}.{key}") for key in ARRAYS}
        )
        for name in document["parts"]
    }
    encoder, target = Encoder.from_json(document["encoder"]), Target.from_json(document["target"])
    columns = tuple(Column(**entry) for entry in document["columns"])
    rest |= {"warnings": tuple(rest["warnings"]), "notes": tuple(rest["notes"])}
    return Dataset(project.changed(task=document["task"]), parts, deal, encoder, target, columns, **rest)


def _tidy(kept: Path) -> None:
    """Removes the entries that were not used for longest where there are too many, and what a killed process left."""
    now, total, n = time.time(), kept.stat().st_size, 1
    for half in kept.parent.glob(".*.partial"):
        if now - half.stat().st_mtime > _STALE_SECONDS:
            half.unlink(missing_ok=True)
    others = [(file.stat(), file) for file in kept.parent.glob("*.bin") if file != kept]
    for state, file in sorted(others, key=lambda entry: -entry[0].st_mtime_ns):
        n, total = n + 1, total + state.st_size
        if n > MAX_FILES or total > MAX_BYTES:
            file.unlink(missing_ok=True)
