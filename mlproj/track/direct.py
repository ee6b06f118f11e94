"""Runs written straight into MLflow's SQLite tables, in one transaction for all that wait together.

MLflow takes more than a second to import, and 15 to 25 ms of computing time per run. Its own tables are filled here
with the same rows; tests compare them with the rows that MLflow itself writes. Whatever is unusual raises
`CannotWrite`, or an error of SQLite or of the system, with nothing written to the database: then MLflow does it, and
has the last word on what is wrong.
"""

import math
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from mlproj.track import schema
from mlproj.track.driver import TAG, is_dead
from mlproj.track.keys import LONGEST_PARAM, LONGEST_TAG, clean_key
from mlproj.track.layout import location_of, prepare
from mlproj.track.store import Store, file_path
from mlproj.track.wrap import ModelFiles, save_model

TOGETHER: Final = frozenset({"start", "log", "finish"})
"""Requests that go into one transaction."""
_LARGEST: Final = 1.7976931348623157e308
_NAME: Final = "mlflow.runName"
_LONGEST_NAME: Final = 500
_LONGEST_LOCATION: Final = 2048
_ADD_TAG: Final = (
    "INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?) "
    "ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value"
)
_ADD_PARAM: Final = "INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?)"
_ADD_METRIC: Final = (
    "INSERT INTO metrics (run_uuid, key, value, is_nan, timestamp, step) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO NOTHING"
)
_ADD_LATEST: Final = (
    "INSERT INTO latest_metrics (run_uuid, key, value, is_nan, timestamp, step) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value, is_nan = excluded.is_nan, "
    "timestamp = excluded.timestamp, step = excluded.step "
    "WHERE (excluded.step, excluded.timestamp, excluded.value) > (step, timestamp, value)"
)
_ADD_RUN: Final = """
    INSERT INTO runs (run_uuid, name, artifact_uri, experiment_id, user_id, start_time, source_type, source_name,
        entry_point_name, source_version, status, lifecycle_stage)
    VALUES (?, ?, ?, ?, ?, ?, 'UNKNOWN', '', '', '', 'RUNNING', 'active')
"""
_ADD_EXPERIMENT: Final = """
    INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace)
    VALUES (?, ?, 'active', ?, ?, 'default')
"""
_RUNNING: Final = """
    SELECT r.run_uuid, t.value FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = ?
    WHERE r.experiment_id = ? AND r.status = 'RUNNING' AND r.lifecycle_stage = 'active'
"""


class CannotWrite(Exception):
    """This is nothing that can be written without MLflow."""


def can_serve(store: Store) -> bool:
    """Whether a store can be written to without MLflow: a SQLite file of known tables, or one that is still to be made.

    Args:
        store: The store.
    """
    database = store.database
    try:
        return database is not None and schema.is_installed() and (not store.exists() or schema.is_known(database))
    except OSError:  # a folder that must not be looked into
        return False


class Direct:
    """A store that is a SQLite file; nothing is opened or created before the first request.

    Args:
        store: Where it is.
        experiment: Name of the experiment.
    """

    def __init__(self, store: Store, experiment: str) -> None:
        self._store = store
        self._experiment = experiment
        self._connection: sqlite3.Connection | None = None
        self._experiment_id = 0
        self._steps: Mapping[str, Callable[..., Any]] = {
            "start": self._start,
            "log": self._log,
            "artifacts": self._copy,
            "finish": self._finish,
        }

    def carry_out(self, requests: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Any]:
        """Carries out requests in the order of asking: all of them or none.

        Args:
            requests: (operation, arguments) as of `Api`; several only of those in `TOGETHER`.

        Returns:
            The result of each.

        Raises:
            CannotWrite: When one of them needs MLflow itself.
            sqlite3.Error: When the database does not take them.
            OSError: When files cannot be written.
        """
        if any(op not in self._steps for op, _ in requests):
            raise CannotWrite("request")
        connection = self._opened()
        if len(requests) == 1 and requests[0][0] not in TOGETHER:
            return [self._steps[op](**own) for op, own in requests]
        with _transaction(connection):
            return [self._steps[op](**own) for op, own in requests]

    def close(self) -> None:
        """Lets go of the database, so that SQLite tidies its files."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # --------------------------------------------------------------- opening

    def _opened(self) -> sqlite3.Connection:
        """The open database, in which the experiment is; runs whose driver is known to be dead are marked KILLED."""
        if self._connection is None:
            if not can_serve(self._store):
                raise CannotWrite("store")
            prepare(self._store)
            assert self._store.database is not None
            connection = schema.connect(self._store.database)
            try:
                with _transaction(connection):
                    self._experiment_id = self._find_experiment(connection)
                    _end_orphans(connection, self._experiment_id)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _find_experiment(self, connection: sqlite3.Connection) -> int:
        strange = connection.execute(
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM experiments WHERE workspace <> 'default') "
            "OR NOT EXISTS (SELECT 1 FROM experiments WHERE experiment_id = 0)"
        )
        if strange.fetchone():
            raise CannotWrite("workspaces, or no first experiment")
        query = "SELECT experiment_id, lifecycle_stage FROM experiments WHERE name = ?"
        found = connection.execute(query, (self._experiment,)).fetchone()
        if found is not None:
            if found[1] != "active":
                raise CannotWrite("deleted experiment")
            return int(found[0])
        location = location_of(self._store, self._experiment)
        if location is None or not 0 < len(self._experiment) <= _LONGEST_NAME or len(location) > _LONGEST_LOCATION:
            raise CannotWrite("name")
        now = _now()
        return int(connection.execute(_ADD_EXPERIMENT, (self._experiment, location, now, now)).lastrowid or 0)

    # --------------------------------------------------------------- writing

    def _start(
        self,
        run_id: str | None,
        earlier: str | None,
        name: str,
        params: Mapping[str, str],
        tags: Mapping[str, str],
        at: int,
    ) -> str:
        """A new run with its parameters and tags, as `SqlAlchemyStore.create_run` and `log_batch` write them."""
        _check(tags, LONGEST_TAG)
        if earlier is not None:
            self._update(earlier, "status = 'RUNNING'")
            self._tag(earlier, tags)
            return earlier
        _check(params, LONGEST_PARAM)
        if run_id is None or not name:
            raise CannotWrite("id or name")
        folder = f"{self._location()}/{run_id}/artifacts"
        user = tags.get("mlflow.user", "unknown")
        self._execute(_ADD_RUN, (run_id, name, folder, self._experiment_id, user, at))
        self._tag(run_id, {**tags, _NAME: name})
        self._many(_ADD_PARAM, [(run_id, *pair) for pair in params.items()])
        return run_id

    def _log(self, run_id: str, metrics: Sequence[Sequence[Any]]) -> None:
        """Metrics, each value once, and the last of each metric: by step, then time, then value."""
        alive = "SELECT 1 FROM runs WHERE run_uuid = ? AND lifecycle_stage = 'active'"
        if self._execute(alive, (run_id,)).fetchone() is None:
            raise CannotWrite("no such run")
        self._add(run_id, metrics)

    def _copy(self, run_id: str, folder: str, model: Mapping[str, Any] | None) -> None:
        """Files into the folder of a run, and a pyfunc model under `model/`."""
        row = self._execute("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run_id,)).fetchone()
        target = file_path(row[0]) if row else None
        if target is None:
            raise CannotWrite("artifacts")
        if any(Path(folder).iterdir()):
            _copy_tree(Path(folder), target)
        if model is not None:
            save_model(ModelFiles.from_json(model), target / "model")

    def _finish(self, run_id: str, status: str, tags: Mapping[str, str], metrics: Sequence[Sequence[Any]]) -> str:
        """What is left, and the end of a run."""
        _check(tags, LONGEST_TAG)
        self._update(run_id, "status = ?, end_time = ?", status, _now())
        self._add(run_id, metrics)
        self._tag(run_id, tags)
        return run_id

    def _location(self) -> str:
        """Where the experiment's files go; of every other kind of address MLflow knows better how it goes on."""
        query = "SELECT artifact_location FROM experiments WHERE experiment_id = ? AND lifecycle_stage = 'active'"
        row = self._execute(query, (self._experiment_id,)).fetchone()
        location = str(row[0] or "") if row else ""
        if not location.startswith(("/", "file:///")) or location.endswith("/") or set(location) & set("?#;"):
            raise CannotWrite("location")
        return location

    def _update(self, run_id: str, change: str, *values: Any) -> None:
        """Changes a run that is there and was not deleted; any other is for MLflow to speak about."""
        statement = f"UPDATE runs SET {change} WHERE run_uuid = ? AND lifecycle_stage = 'active'"  # noqa: S608  ours
        if self._execute(statement, (*values, run_id)).rowcount != 1:
            raise CannotWrite("no such run")

    def _tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        self._many(_ADD_TAG, [(run_id, *pair) for pair in tags.items()])

    def _add(self, run_id: str, metrics: Sequence[Sequence[Any]]) -> None:
        if any(clean_key(name) != name or at < 0 for name, _, at, _ in metrics):
            raise CannotWrite("metric")
        rows = [(run_id, name, *_stored(value), at, step) for name, value, at, step in metrics]
        self._many(_ADD_METRIC, rows)
        self._many(_ADD_LATEST, list(_last(rows)))

    def _execute(self, statement: str, values: Sequence[Any]) -> sqlite3.Cursor:
        assert self._connection is not None
        return self._connection.execute(statement, values)

    def _many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        assert self._connection is not None
        self._connection.executemany(statement, rows)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing. Asks for the right to write at once: asked for later it may be refused without any waiting."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may have ended it already
            connection.execute("ROLLBACK")
        raise


def _end_orphans(connection: sqlite3.Connection, experiment_id: int) -> None:
    for run_id, driver in connection.execute(_RUNNING, (TAG, experiment_id)).fetchall():
        if is_dead(driver):
            ended = "UPDATE runs SET status = 'KILLED', end_time = ? WHERE run_uuid = ?"
            connection.execute(ended, (_now(), run_id))


def _check(values: Mapping[str, str], longest: int) -> None:
    """Leaves names and values that MLflow would refuse or cut to MLflow; the name of a run changes more than a tag."""
    for key, value in values.items():
        if clean_key(key) != key or len(value) > longest or key == _NAME:
            raise CannotWrite(key)


def _copy_tree(source: Path, target: Path) -> None:
    """Copies all files below a folder, as MLflow does: folders get the rights that new ones have."""
    target.mkdir(parents=True, exist_ok=True)
    for place, folders, files in os.walk(source):
        there = target / Path(place).relative_to(source)
        for name in folders:
            (there / name).mkdir(exist_ok=True)
        for name in files:
            shutil.copy2(Path(place, name), there / name)


def _stored(value: float) -> tuple[float, bool]:
    """A metric as MLflow stores it: a number that SQL knows, and whether it stands for NaN.

    Example:
        >>> _stored(math.nan), _stored(-math.inf)
        ((0, True), (-1.7976931348623157e+308, False))
    """
    if math.isnan(value):
        return 0, True
    return min(max(value, -_LARGEST), _LARGEST), False


def _last(rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The latest of each metric's values: by step, then time, then value."""
    last: dict[str, tuple[Any, ...]] = {}
    for row in rows:
        known = last.get(row[1])
        if known is None or (row[5], row[4], row[2]) > (known[5], known[4], known[2]):
            last[row[1]] = row
    yield from last.values()


def _now() -> int:
    return time.time_ns() // 1_000_000
