"""Many runs in one transaction: a few statements for all, where MLflow's client makes a hundred for each.

MLflow has no call that writes several runs, and spends 15 to 25 ms of computing time on each. Its own tables, as its
SQLAlchemy models describe them, are filled here with the same rows; a test compares what MLflow reads of them with what
it reads of runs that it wrote itself. Whatever this cannot do, or another version of MLflow keeps elsewhere, raises
`CannotWrite` or an error of the database before anything is written: then the public calls are made instead.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

OPERATIONS: Final = frozenset({"start", "log", "finish"})
_LARGEST: Final = 1.7976931348623157e308
_NAME: Final = "mlflow.runName"
_Row = dict[str, Any]


class CannotWrite(Exception):
    """These requests are none that can be written together."""


def write_together(engine: "Engine", experiment_id: str, requests: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Writes what `Backend.start`, `log` and `finish` would write one after the other: all of it or nothing.

    Args:
        engine: MLflow's own, of a SQLite file.
        experiment_id: Where new runs belong.
        requests: (operation, arguments) in the order of asking; of `finish`, `at` says when.

    Raises:
        CannotWrite: When one of them needs MLflow itself.
        SQLAlchemyError: When the database does not take them.
    """
    if engine.dialect.name != "sqlite":
        raise CannotWrite(engine.dialect.name)
    with engine.begin() as connection:
        started = [own for op, own in requests if op == "start"]
        if started:
            _create(connection, experiment_id, started)
        _log(connection, requests)
        _end(connection, [own for op, own in requests if op == "finish"])


def _create(connection: "Connection", experiment_id: str, started: Sequence[Mapping[str, Any]]) -> None:
    """New runs with their parameters and tags, as `SqlAlchemyStore.create_run` and `log_batch` write them."""
    from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlParam, SqlRun, SqlTag
    from mlflow.utils.uri import append_to_uri_path
    from sqlalchemy import select

    experiments = SqlExperiment.__table__
    found = connection.execute(
        select(experiments.c.artifact_location).where(
            experiments.c.experiment_id == int(experiment_id), experiments.c.lifecycle_stage == "active"
        )
    ).first()
    if found is None or any(own["earlier"] or not own["run_id"] or _NAME in own["tags"] for own in started):
        raise CannotWrite("start")
    under: Callable[..., str] = append_to_uri_path
    runs, tags, params = list[_Row](), list[_Row](), list[_Row]()
    for own in started:
        run_id = own["run_id"]
        runs.append(
            {
                "run_uuid": run_id,
                "name": own["name"],
                "artifact_uri": under(found[0], run_id, "artifacts"),
                "experiment_id": int(experiment_id),
                "source_type": "UNKNOWN",
                "source_name": "",
                "entry_point_name": "",
                "user_id": own["tags"].get("mlflow.user", "unknown"),
                "status": "RUNNING",
                "start_time": own["at"],
                "source_version": "",
                "lifecycle_stage": "active",
            }
        )
        tags += _pairs(run_id, own["tags"] | {_NAME: own["name"]})
        params += _pairs(run_id, own["params"])
    connection.execute(SqlRun.__table__.insert(), runs)
    connection.execute(SqlTag.__table__.insert(), tags)
    if params:
        connection.execute(SqlParam.__table__.insert(), params)


def _log(connection: "Connection", requests: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Metrics, each value once, and the last of each metric: by step, then time, then value."""
    from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric
    from sqlalchemy import tuple_
    from sqlalchemy.dialects.sqlite import insert

    values = list(
        dict.fromkeys(
            (own["run_id"], name, *_stored(value), at, step)
            for _, own in requests
            for name, value, at, step in own.get("metrics", ())
        )
    )
    if not values:
        return
    columns = ("run_uuid", "key", "value", "is_nan", "timestamp", "step")
    connection.execute(
        insert(SqlMetric).on_conflict_do_nothing(), [dict(zip(columns, row, strict=True)) for row in values]
    )
    last: dict[tuple[str, str], tuple[Any, ...]] = {}
    for row in values:
        known = last.get(row[:2])
        if known is None or _age(row) > _age(known):
            last[row[:2]] = row
    latest = insert(SqlLatestMetric)
    table, new = SqlLatestMetric.__table__.c, latest.excluded
    connection.execute(
        latest.on_conflict_do_update(
            index_elements=["key", "run_uuid"],
            set_={name: new[name] for name in columns[2:]},
            where=tuple_(new.step, new.timestamp, new.value) > tuple_(table.step, table.timestamp, table.value),
        ),
        [dict(zip(columns, row, strict=True)) for row in last.values()],
    )


def _end(connection: "Connection", finished: Sequence[Mapping[str, Any]]) -> None:
    """Last tags, status and end of runs, which all must be there."""
    from mlflow.store.tracking.dbmodels.models import SqlRun, SqlTag
    from sqlalchemy import bindparam
    from sqlalchemy.dialects.sqlite import insert

    if not finished:
        return
    tags = [row for own in finished for row in _pairs(own["run_id"], own["tags"])]
    if any(row["key"] == _NAME for row in tags):
        raise CannotWrite("finish")
    if tags:
        added = insert(SqlTag)
        connection.execute(
            added.on_conflict_do_update(index_elements=["key", "run_uuid"], set_={"value": added.excluded.value}), tags
        )
    runs = SqlRun.__table__
    ended = connection.execute(
        runs.update()
        .where(runs.c.run_uuid == bindparam("which"), runs.c.lifecycle_stage == "active")
        .values(status=bindparam("ended"), end_time=bindparam("at")),
        [{"which": own["run_id"], "ended": own["status"], "at": own["at"]} for own in finished],
    )
    if ended.rowcount != len(finished):
        raise CannotWrite("a run is gone")


def _pairs(run_id: str, values: Mapping[str, str]) -> list[_Row]:
    return [{"run_uuid": run_id, "key": key, "value": value} for key, value in values.items()]


def _stored(value: float) -> tuple[float, bool]:
    """A metric as MLflow stores it: a number that SQL knows, and whether it stands for NaN.

    Example:
        >>> _stored(math.nan), _stored(-math.inf)
        ((0, True), (-1.7976931348623157e+308, False))
    """
    if math.isnan(value):
        return 0, True
    return min(max(value, -_LARGEST), _LARGEST), False


def _age(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """What makes one value of a metric later than another: step, time, value."""
    return row[5], row[4], row[2]
