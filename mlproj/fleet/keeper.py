"""Who writes and reads the snapshots of one stack."""

import time
from collections.abc import Sequence
from contextlib import suppress

from safetensors import SafetensorError

from mlproj.fleet.shelf import Shelf
from mlproj.records import Job
from mlproj.training.loop import Loop
from mlproj.training.snapshot import Snapshot, read_snapshot, take, write_snapshot


class StackKeeper:
    """Keeps snapshots of one stack, as `training.snapshot.Keeper` has it.

    Args:
        shelf: Where.
        jobs: The jobs that train side by side, in the order of the stack.
        goes_on: Whether they go on from the snapshots that they have.
    """

    def __init__(self, shelf: Shelf, jobs: Sequence[Job], *, goes_on: bool) -> None:
        self._shelf, self._goes_on = shelf, goes_on
        self._files = [shelf.file(job) for job in jobs]  # now: code of the user's own may be edited meanwhile
        self._last = time.monotonic()

    def found(self) -> list[Snapshot] | None:
        """The snapshots to go on from; None where one of them cannot be read."""
        if not self._goes_on:
            return None
        try:
            return [read_snapshot(file) for file in self._files]
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            return None

    def offer(self, loop: Loop) -> None:
        """Writes a snapshot of each member when it is time; a full disk costs the snapshot, not the training."""
        if time.monotonic() - self._last < self._shelf.seconds:
            return
        with suppress(OSError, SafetensorError):  # safetensors has an error of its own for a full disk
            self._shelf.folder.mkdir(parents=True, exist_ok=True)
            for m, snapshot in take(loop).items():
                write_snapshot(snapshot, self._files[m])
        self._last = time.monotonic()
