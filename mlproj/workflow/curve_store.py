"""The trainings of learning curves in the store: each is kept as it ends, so that none is made twice.

A diagnosis holds one small file per training under `points/`: its losses by metric and split, and how far each held-out
example moves them. The file is called by a hash of spec, data, rows and seed; whoever asks again looks there first,
whatever had become of the earlier diagnosis.
"""

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import TrackingError
from mlproj.records import CurveFit
from mlproj.spec.project import Project
from mlproj.spec.render import flatten

if TYPE_CHECKING:
    from mlproj.track import AbstractTracker

POINTS = "points"
"""Folder of a diagnosis that holds its trainings."""
CURVE = "mlproj.curve"
"""Tag of a diagnosis: hash of the data and the spec whose trainings it holds."""
_OF_A_MODEL = ("task", "data.", "splits.", "metric.", "model.", "augment.", "training.")
_NOT_OF_A_MODEL = ("training.device", "data.corrections")
"""The machine changes no result by more than rounding, and corrected labels are part of the data's hash."""


def recipe_hash(project: Project, data_hash: str) -> str:
    """Hash of what makes a model: the keys of its spec that training reads, and its data.

    Args:
        project: A resolved spec.
        data_hash: Hash of the data and their deal.
    """
    spec = {
        name: value
        for name, value in flatten(project).items()
        if name.startswith(_OF_A_MODEL) and name not in _NOT_OF_A_MODEL
    }
    return hashlib.sha256(json.dumps([spec, data_hash], sort_keys=True).encode()).hexdigest()


def training_key(project: Project, data_hash: str, rows: NDArray[np.int64] | None, seed: int) -> str:
    """Hash of one training: spec, data, rows and seed.

    Args:
        project: The spec that it is trained with.
        data_hash: Hash of the data and their deal.
        rows: Positions in the training split, ascending; None for all.
        seed: Seed of weights and batches.
    """
    digest = hashlib.sha256(f"{recipe_hash(project, data_hash)}/{seed}/".encode())
    digest.update(b"all" if rows is None else np.ascontiguousarray(rows, dtype=np.int64).tobytes())
    return digest.hexdigest()[:32]


class Shelf:
    """Where the trainings of one diagnosis are put, and those of earlier ones found.

    Args:
        tracker: The open store.
        curve: Hash of spec and data, as the tag `mlproj.curve` holds it.
    """

    def __init__(self, tracker: "AbstractTracker", curve: str) -> None:
        self._tracker, self._curve = tracker, curve
        self._staging = tempfile.TemporaryDirectory(prefix="mlproj-")  # must stay until the run is finished

    def __enter__(self) -> "Shelf":
        return self

    def __exit__(self, *error: object) -> None:
        self._staging.cleanup()

    def find(self, keys: Collection[str], metrics: Sequence[str]) -> dict[str, CurveFit]:
        """Earlier trainings by key, those that were measured in all the metrics.

        Args:
            keys: Wanted trainings.
            metrics: Metrics that they must have been measured in.
        """
        found: dict[str, CurveFit] = {}
        for run in self._tracker.runs(kinds=("diagnosis",)):
            if run.tags.get(CURVE) != self._curve or len(found) == len(keys):
                continue
            with suppress(TrackingError):  # it was cut off before its first training ended
                folder = self._tracker.fetch(run.id, POINTS)
                for key in set(keys) - found.keys():
                    fit = read_fit(folder / f"{key}.npz")
                    if fit is not None and set(metrics) <= fit.values.keys():
                        found[key] = fit
        return found

    def keep(self, run_id: str, fit: CurveFit) -> None:
        """Puts a training into a diagnosis."""
        folder = Path(self._staging.name) / fit.key
        (folder / POINTS).mkdir(parents=True, exist_ok=True)
        write_fit(fit, folder / POINTS / f"{fit.key}.npz")
        self._tracker.artifacts(run_id, folder)


def write_fit(fit: CurveFit, path: Path) -> None:
    """Writes a training; `read_fit` finds the same in it."""
    meta = {name: getattr(fit, name) for name in ("size", "n", "repeat", "seed", "key", "values", "outcome", "seconds")}
    arrays: dict[str, NDArray[Any]] = {
        f"{split}:{metric}": np.asarray(moves, dtype=np.float32)
        for metric, by_split in fit.moves.items()
        for split, moves in by_split.items()
    }
    text = json.dumps(meta)
    np.savez_compressed(path, meta=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)  # type: ignore[arg-type]


def read_fit(path: Path) -> CurveFit | None:
    """A training that was written earlier; None where there is none that can be read."""
    try:
        with path.open("rb") as opened, np.load(opened) as file:
            meta: Mapping[str, Any] = json.loads(bytes(file["meta"]).decode())
            moves: dict[str, dict[str, NDArray[Any]]] = {}
            for name in file.files:
                if name != "meta":
                    split, _, metric = name.partition(":")
                    moves.setdefault(metric, {})[split] = file[name].astype(np.float64)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    return CurveFit(**meta, moves=moves)
