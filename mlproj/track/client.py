"""The tracker that writes to MLflow, through a child process; the driver itself never imports MLflow."""

import getpass
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from mlproj.errors import TrackingError
from mlproj.records import History, Run
from mlproj.track.channel import AbstractChannel, Channel
from mlproj.track.driver import TAG, describe_driver
from mlproj.track.keys import clean_key, clean_params, clean_tags
from mlproj.track.layout import prepare
from mlproj.track.memory import as_history, end_status, find_file
from mlproj.track.model import Model, write_model
from mlproj.track.names import invent_name
from mlproj.track.reader import read_history, read_runs
from mlproj.track.store import Store, file_path
from mlproj.track.tracker import NOTHING, AbstractTracker

FLUSH_SECONDS: Final = 2.0
FLUSH_METRICS: Final = 1000
_DATABASES: Final = ("sqlite", "postgresql", "mysql", "mssql")
INFINITY_IN_SQL: Final = 1.7976931348623157e308
"""What MLflow stores for an infinite metric."""


@dataclass
class _Open:
    """A run that is not finished: what is not sent yet, and the answers that are still to come."""

    metrics: list[tuple[str, float, int, int]] = field(default_factory=list)
    flushed: float = field(default_factory=time.monotonic)
    answers: list[Future[Any]] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)


class MlflowTracker(AbstractTracker):
    """Keeps the runs of one project in MLflow.

    The child process starts at once, while the driver does other things; nothing is created before the first run
    starts, and nothing waits for the child before the first run is finished.

    Args:
        store: Where the runs are kept.
        experiment: Name of the experiment, which is the project's.
        writes: Whether runs will be written; reading alone needs no child where the store is a SQLite file.
        connect: What makes the connection to MLflow.
    """

    def __init__(
        self,
        store: Store,
        experiment: str,
        *,
        writes: bool = True,
        connect: Callable[[Store, str], AbstractChannel] = Channel,
    ) -> None:
        self._store = store
        self._experiment = experiment
        self._connect = connect
        self._channel_made: AbstractChannel | None = connect(store, experiment) if writes else None
        self._open: dict[str, _Open] = {}
        self._ended: list[_Open] = []
        self._has_written = False
        self._last_start = 0
        self._folders: dict[str, Path | None] = {}

    # --------------------------------------------------------------- writing

    def start(
        self,
        *,
        kind: str,
        name: str | None = None,
        params: Mapping[str, object] = NOTHING,
        tags: Mapping[str, object] = NOTHING,
        run_id: str | None = None,
    ) -> str:
        """Starts a run; its id is known at once unless a server has to give it."""
        self._last_start = max(self._last_start + 1, _now())  # distinct, so that "newest" has one meaning
        request = {
            "name": name or invent_name(),
            "params": clean_params(params),
            "tags": clean_tags({"mlflow.user": _user(), "mlflow.source.name": "mlproj", **tags, "mlproj.kind": kind})
            | {TAG: describe_driver()},
            "at": self._last_start,
        }
        own_id = uuid.uuid4().hex if urlsplit(self._store.uri).scheme.partition("+")[0] in _DATABASES else None
        answer = self._channel.send("start", run_id=own_id, earlier=run_id, **request)
        self._has_written = True
        started = run_id or own_id or str(answer.result())
        self._open[started] = _Open(answers=[answer])
        return started

    def log(self, run_id: str, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Logs metrics by ``SPLIT/METRIC``; every two seconds they are written."""
        run = self._run(run_id)
        moment = _now()
        run.metrics += [(clean_key(name), float(value), moment, step) for name, value in metrics.items()]
        if len(run.metrics) >= FLUSH_METRICS or time.monotonic() - run.flushed >= FLUSH_SECONDS:
            _raise_first(run.answers)
            run.answers.append(self._channel.send("log", run_id=run_id, metrics=run.metrics))
            run.metrics, run.flushed = [], time.monotonic()

    def artifacts(self, run_id: str, folder: Path, *, model: Model | None = None) -> None:
        """Stores all files of a folder with a run, and the model as a pyfunc model under `model/`."""
        run = self._run(run_id)
        _raise_first(run.answers)
        files = None
        if model is not None:
            run.folders.append(Path(tempfile.mkdtemp(prefix="mlproj-model-")))
            files = write_model(model, run.folders[-1] / "data").to_json()
        run.answers.append(self._channel.send("artifacts", run_id=run_id, folder=str(folder.resolve()), model=files))

    def finish(
        self, run_id: str, *, status: str = "FINISHED", tags: Mapping[str, object] = NOTHING, wait: bool = True
    ) -> None:
        """Ends a run and waits until everything about it is safely stored."""
        run = self._run(run_id)
        del self._open[run_id]
        kept = clean_tags(tags)
        run.answers.append(self._channel.send("finish", run_id=run_id, status=status, tags=kept, metrics=run.metrics))
        if wait:
            _wait_for([run])
        else:
            self._ended.append(run)

    def settle(self) -> None:
        """Waits until everything about the runs that were ended without waiting is safely stored."""
        ended, self._ended = self._ended, []
        _wait_for(ended)

    def close(self, error: type[BaseException] | None = None) -> None:
        """Ends what is open and lets go of the store."""
        channel, self._channel_made = self._channel_made, None
        if channel is None:
            return
        for run_id, run in self._open.items():
            channel.send("finish", run_id=run_id, status=end_status(error), tags={}, metrics=run.metrics)
        try:
            channel.close(at_once=not self._has_written)
        finally:
            for folder in (folder for run in (*self._open.values(), *self._ended) for folder in run.folders):
                shutil.rmtree(folder, ignore_errors=True)
            self._open.clear()

    # --------------------------------------------------------------- reading

    def runs(self, kinds: Sequence[str] = (), *, statuses: Sequence[str] = (), limit: int | None = None) -> list[Run]:
        """The project's runs, newest first."""
        rows = self._read() if self._store.exists() else []
        found = [self._as_run(row) for row in rows]
        self._folders |= {run.id: run.folder for run in found}
        kept = [run for run in found if (not kinds or run.kind in kinds) and (not statuses or run.status in statuses)]
        return kept[:limit]

    def fetch(self, run_id: str, path: str = "") -> Path:
        """Where a file of a run lies on this machine; a server's is downloaded to `mlruns/cache` first."""
        if run_id not in self._folders and self._store.exists():
            self._folders |= {row["id"]: file_path(row["uri"]) for row in self._read(run_id)}
        if run_id not in self._folders:
            raise TrackingError(f"There is no run {run_id} in {self._store.label}.")
        folder = self._folders[run_id]
        if folder is not None:
            return find_file(folder, path, run_id)
        target = self._store.root / "cache" / run_id
        return Path(self._channel.send("fetch", run_id=run_id, path=path, target=str(target)).result())

    def history(self, run_id: str) -> History:
        """What was logged of a run step by step."""
        if run_id not in {run.id for run in self.runs()}:
            raise TrackingError(f"There is no run {run_id} in {self._store.label}.")
        database = self._store.database
        rows = read_history(database, run_id) if database is not None else None
        if rows is None:
            rows = self._channel.send("history", run_id=run_id).result()
        return as_history((name, step, _from_sql(value)) for name, step, value in rows)

    def _read(self, run_id: str | None = None) -> list[dict[str, Any]]:
        """The runs as they lie in the store; of a SQLite file, that of one id alone where it is given."""
        database = self._store.database
        if database is not None:
            if self._store.is_default:
                prepare(self._store)
            rows = read_runs(database, self._experiment, run_id)
            if rows is not None:
                return rows
        return self._channel.send("search", query="", limit=None).result()

    def _as_run(self, row: Mapping[str, Any]) -> Run:
        tags = row["tags"]
        return Run(
            row["id"],
            row["name"],
            tags.get("mlproj.kind", ""),
            row["status"],
            row["started"],
            tags.get("mlproj.outcome"),
            row["params"],
            {name: _from_sql(value) for name, value in row["metrics"].items()},
            tags,
            file_path(row["uri"]),
        )

    @property
    def _channel(self) -> AbstractChannel:
        if self._channel_made is None:
            self._channel_made = self._connect(self._store, self._experiment)
        return self._channel_made

    def _run(self, run_id: str) -> _Open:
        if run_id not in self._open:
            raise TrackingError(f"Run {run_id} is not open: it was not started here, or is finished.")
        return self._open[run_id]


def _wait_for(runs: Sequence[_Open]) -> None:
    """Waits for all answers about runs; raises the first that tells of trouble."""
    try:
        for run in runs:
            for answer in run.answers:
                answer.result()
    finally:
        for folder in (folder for run in runs for folder in run.folders):
            shutil.rmtree(folder, ignore_errors=True)


def _raise_first(answers: Sequence["Future[Any]"]) -> None:
    """Raises what has gone wrong so far, without waiting."""
    for answer in answers:
        if answer.done():
            answer.result()


def _from_sql(value: float) -> float:
    """A metric's value with the infinities that MLflow stores as its largest number.

    Example:
        >>> _from_sql(INFINITY_IN_SQL), _from_sql(0.5)
        (inf, 0.5)
    """
    return value if not abs(value) >= INFINITY_IN_SQL else value * 2


def _now() -> int:
    return time.time_ns() // 1_000_000


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"
