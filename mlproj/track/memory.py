"""A tracker that keeps its runs in memory and their files in a temporary folder, for tests and for trying out."""

import shutil
import tempfile
import time
import uuid
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mlproj.errors import TrackingError
from mlproj.records import History, Run
from mlproj.track.keys import clean_key, clean_params, clean_tags
from mlproj.track.model import Model, write_model
from mlproj.track.names import invent_name
from mlproj.track.tracker import NOTHING, AbstractTracker


class MemoryTracker(AbstractTracker):
    """Keeps the runs of one project until it is thrown away; nothing is left behind.

    Example:
        >>> tracker = MemoryTracker()
        >>> run_id = tracker.start(kind="train", name="first")
        >>> tracker.log(run_id, {"dev/error": 0.1}, step=1)
        >>> tracker.finish(run_id)
        >>> tracker.run("first").metrics
        {'dev/error': 0.1}
    """

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="mlproj-runs-"))
        weakref.finalize(self, shutil.rmtree, self._home, ignore_errors=True)
        self._runs: dict[str, Run] = {}
        self._steps: dict[tuple[str, str], int] = {}
        self._logged: dict[str, list[tuple[str, int, float]]] = {}

    def start(
        self,
        *,
        kind: str,
        name: str | None = None,
        params: Mapping[str, object] = NOTHING,
        tags: Mapping[str, object] = NOTHING,
        run_id: str | None = None,
    ) -> str:
        """Starts a run, or opens an earlier one again."""
        kept = clean_tags({**tags, "mlproj.kind": kind})
        if run_id in self._runs:
            earlier = self._runs[run_id]
            self._runs[run_id] = replace(earlier, status="RUNNING", tags={**earlier.tags, **kept})
            return run_id
        run_id = uuid.uuid4().hex
        folder = self._home / run_id
        folder.mkdir()
        self._runs[run_id] = Run(
            run_id, name or invent_name(), kind, "RUNNING", time.time(), None, clean_params(params), {}, kept, folder
        )
        return run_id

    def log(self, run_id: str, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Logs metrics by ``SPLIT/METRIC``."""
        run = self._open(run_id)
        last = dict(run.metrics)
        for name, value in metrics.items():
            key = (run_id, clean_key(name))
            self._logged.setdefault(run_id, []).append((key[1], step, float(value)))
            if step >= self._steps.get(key, step):  # a value of an earlier step does not hide a later one
                last[key[1]], self._steps[key] = float(value), step
        self._runs[run_id] = replace(run, metrics=last)

    def artifacts(self, run_id: str, folder: Path, *, model: Model | None = None) -> None:
        """Stores all files of a folder with a run, and the model's data under `model/`."""
        home = self._open(run_id).folder
        assert home is not None
        shutil.copytree(folder, home, dirs_exist_ok=True)
        if model is not None:
            write_model(model, home / "model" / "data")

    def finish(
        self, run_id: str, *, status: str = "FINISHED", tags: Mapping[str, object] = NOTHING, wait: bool = True
    ) -> None:
        """Ends a run."""
        del wait  # it is stored at once
        run = self._open(run_id)
        kept = {**run.tags, **clean_tags(tags)}
        self._runs[run_id] = replace(run, status=status, tags=kept, outcome=kept.get("mlproj.outcome"))

    def settle(self) -> None:
        """Nothing is ever waiting."""

    def runs(self, kinds: Sequence[str] = (), *, statuses: Sequence[str] = (), limit: int | None = None) -> list[Run]:
        """The project's runs, newest first."""
        found = [
            run
            for run in reversed(self._runs.values())
            if (not kinds or run.kind in kinds) and (not statuses or run.status in statuses)
        ]
        return found[:limit]

    def fetch(self, run_id: str, path: str = "") -> Path:
        """Where a file of a run lies."""
        run = self._runs.get(run_id)
        if run is None or run.folder is None:
            raise TrackingError(f"There is no run {run_id}.")
        return find_file(run.folder, path, run_id)

    def history(self, run_id: str) -> History:
        """What was logged of a run step by step."""
        if run_id not in self._runs:
            raise TrackingError(f"There is no run {run_id}.")
        return as_history(self._logged.get(run_id, []))

    def close(self, error: type[BaseException] | None = None) -> None:
        """Marks what is still open; the runs stay readable."""
        for run_id in [run.id for run in self._runs.values() if run.status == "RUNNING"]:
            self.finish(run_id, status=end_status(error))

    def _open(self, run_id: str) -> Run:
        run = self._runs.get(run_id)
        if run is None or run.status != "RUNNING":
            raise TrackingError(f"Run {run_id} is not open: {'unknown' if run is None else run.status}.")
        return run


def as_history(logged: Iterable[tuple[str, int, float]]) -> History:
    """Values by metric in the order of their steps; of several values of a step the last counts.

    Args:
        logged: (metric, step, value) in the order of logging.

    Example:
        >>> as_history([("dev/error", 2, 0.1), ("dev/error", 1, 0.5), ("dev/error", 2, 0.2)]).metrics
        {'dev/error': (0.5, 0.2)}
    """
    steps: dict[str, dict[int, float]] = {}
    for name, step, value in logged:
        steps.setdefault(name, {})[step] = value
    return History({name: tuple(values[step] for step in sorted(values)) for name, values in steps.items()})


def end_status(error: type[BaseException] | None) -> str:
    """The status of a run that nobody finished.

    Example:
        >>> end_status(KeyboardInterrupt), end_status(ValueError)
        ('KILLED', 'FAILED')
    """
    return "KILLED" if error is not None and issubclass(error, KeyboardInterrupt) else "FAILED"


def find_file(folder: Path, path: str, run_id: str) -> Path:
    """A file among those of a run.

    Args:
        folder: The run's files.
        path: Which one; empty for all.
        run_id: The run, for the message.

    Raises:
        TrackingError: When there is no such file, naming those that there are.
    """
    found = folder / path
    if found.exists():
        return found
    there = ", ".join(sorted(entry.name for entry in folder.iterdir())) if folder.is_dir() else ""
    raise TrackingError(f"Run {run_id[:8]} has no {path or 'files'} in {folder}; there is: {there or 'nothing'}.")
