"""Reading runs straight from MLflow's SQLite file: milliseconds instead of the seconds that MLflow's import takes.

Only tables that MLflow has kept since its first release are read; where they look otherwise, `read_runs` says so and
the child process reads through MLflow.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from mlproj.track.schema import BUSY_SECONDS

_RUNS: Final = """
    SELECT r.run_uuid, r.name, r.status, r.start_time, r.artifact_uri
    FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
    WHERE e.name = :experiment AND e.lifecycle_stage = 'active' AND r.lifecycle_stage = 'active'
        AND (:run_id IS NULL OR r.run_uuid = :run_id)
    ORDER BY r.start_time DESC, r.run_uuid
"""
_DETAILS: Final = {
    "tags": "SELECT run_uuid, key, value FROM tags",
    "params": "SELECT run_uuid, key, value FROM params",
    "metrics": "SELECT run_uuid, key, CASE WHEN is_nan THEN NULL ELSE value END FROM latest_metrics",
}
_HISTORY: Final = """
    SELECT key, step, CASE WHEN is_nan THEN NULL ELSE value END FROM metrics
    WHERE run_uuid = ? ORDER BY key, step, timestamp
"""
_FEW: Final = 500


def read_runs(database: Path, experiment: str, run_id: str | None = None) -> list[dict[str, Any]] | None:
    """The runs of an experiment, newest first, in the form that `Backend.search` has.

    Args:
        database: MLflow's SQLite file.
        experiment: Name of the experiment.
        run_id: The only run that is wanted; None for all.

    Returns:
        The runs; None when the database cannot be read this way.
    """
    try:
        with closing(sqlite3.connect(_address(database), uri=True, timeout=BUSY_SECONDS)) as connection:
            runs = [_head(row) for row in connection.execute(_RUNS, {"experiment": experiment, "run_id": run_id})]
            by_id = {run["id"]: run for run in runs}
            for field, query in _DETAILS.items():
                for owner, key, value in _rows(connection, query, tuple(by_id)):
                    if owner in by_id:
                        by_id[owner][field][key] = float("nan") if value is None and field == "metrics" else value
    except sqlite3.Error:
        return None
    return runs


def read_history(database: Path, run_id: str) -> list[tuple[str, int, float]] | None:
    """Everything that was logged of a run, in the form that `Backend.history` has.

    Args:
        database: MLflow's SQLite file.
        run_id: The run.

    Returns:
        (metric, step, value), oldest first for each metric; None when the database cannot be read this way.
    """
    try:
        with closing(sqlite3.connect(_address(database), uri=True, timeout=BUSY_SECONDS)) as connection:
            rows = connection.execute(_HISTORY, (run_id,)).fetchall()
    except sqlite3.Error:
        return None
    return [(name, step, float("nan") if value is None else value) for name, step, value in rows]


def _address(database: Path) -> str:
    """How to open it: a reader of a database in WAL mode has to write its index file, where the folder lets it."""
    can_write = os.access(database.parent, os.W_OK) and os.access(database, os.W_OK)
    return f"{database.as_uri()}?{'mode=rw' if can_write else 'mode=ro&immutable=1'}"


def _head(row: Sequence[Any]) -> dict[str, Any]:
    run_id, name, status, started, uri = row
    empty: dict[str, Any] = {"params": {}, "metrics": {}, "tags": {}}
    return {"id": run_id, "name": name or "", "status": status, "started": (started or 0) / 1000, "uri": uri, **empty}


def _rows(connection: sqlite3.Connection, query: str, ids: Sequence[str]) -> Iterator[Sequence[Any]]:
    """The rows of these runs; of all runs where they are many, which is faster than naming each."""
    few = len(ids) <= _FEW
    where = f" WHERE run_uuid IN ({', '.join('?' * len(ids))})" if few else ""
    yield from connection.execute(query + where, tuple(ids) if few else ())
