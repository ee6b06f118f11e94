"""Where trainings under way are kept, so that a crash costs seconds of work, not the trainings."""

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError

from mlproj.records import Job
from mlproj.spec.render import spec_hash
from mlproj.training.loop import Loop
from mlproj.training.snapshot import Snapshot, epochs_of, read_snapshot, take, write_snapshot

SECONDS = 30.0
"""A training loses at most that much, and the epoch that it was in."""
SECONDS_VARIABLE = "MLPROJ_SNAPSHOT_SECONDS"
"""Environment variable that says otherwise."""


class Shelf:
    """A folder of snapshots, one file per training, named by everything that its numbers depend on.

    Args:
        folder: Where they lie; it is made with the first of them.
        data_hash: Hash of what is trained on.

    Attributes:
        seconds: Seconds between two snapshots of a training.
    """

    def __init__(self, folder: Path, data_hash: str) -> None:
        self.folder, self._data_hash = folder, data_hash
        try:
            self.seconds = float(os.environ.get(SECONDS_VARIABLE, SECONDS))
        except ValueError:
            self.seconds = SECONDS

    def file(self, job: Job) -> Path:
        """Where the snapshot of a job lies, if there is one."""
        told = [self._data_hash, spec_hash(job.project), str(job.seed)]
        rows = b"" if job.rows is None else job.rows.tobytes()
        return self.folder / f"{hashlib.sha256('/'.join(told).encode() + rows).hexdigest()[:32]}.safetensors"

    def epochs(self, jobs: Mapping[int, Job]) -> dict[int, int]:
        """After how many epochs each job can be gone on with; jobs that begin are left out."""
        if not self.folder.is_dir():
            return {}
        found = {position: epochs_of(self.file(job)) for position, job in jobs.items()}
        return {position: epochs for position, epochs in found.items() if epochs}

    def keeper(self, jobs: Sequence[Job], *, goes_on: bool) -> "StackKeeper":
        """Keeps snapshots of jobs that train side by side.

        Args:
            jobs: The jobs, in the order of the stack.
            goes_on: Whether they go on from the snapshots that they have.
        """
        return StackKeeper(self, jobs, goes_on=goes_on)


class StackKeeper:
    """Keeps snapshots of one stack, as `training.snapshot.Keeper` has it.

    Args:
        shelf: Where.
        jobs: The jobs, in the order of the stack.
        goes_on: Whether they go on from the snapshots that they have.
    """

    def __init__(self, shelf: Shelf, jobs: Sequence[Job], *, goes_on: bool) -> None:
        self._shelf, self._jobs, self._goes_on = shelf, jobs, goes_on
        self._last = time.monotonic()

    def found(self) -> list[Snapshot] | None:
        """The snapshots to go on from; None where one of them cannot be read."""
        if not self._goes_on:
            return None
        try:
            return [read_snapshot(self._shelf.file(job)) for job in self._jobs]
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            return None

    def offer(self, loop: Loop) -> None:
        """Writes a snapshot of each member when it is time; a full disk costs the snapshot, not the training."""
        if time.monotonic() - self._last < self._shelf.seconds:
            return
        with suppress(OSError):
            self._shelf.folder.mkdir(parents=True, exist_ok=True)
            for m, snapshot in take(loop).items():
                write_snapshot(snapshot, self._shelf.file(self._jobs[m]))
        self._last = time.monotonic()
