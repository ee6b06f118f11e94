"""Runs by way of MLflow's public API, for every store that it knows: created, written in batches, ended and read back.

Each public method that the driver may ask for takes and returns what JSON knows. MLflow is imported with the first
request, and nothing is created before the first run starts.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from mlproj.track.driver import TAG, is_dead
from mlproj.track.layout import location_of, prepare
from mlproj.track.store import Store, without_password
from mlproj.track.trouble import StoreError
from mlproj.track.wrap import ModelFiles, save_model

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

_OPERATIONS: Final = frozenset({"start", "log", "artifacts", "finish", "search", "fetch", "history"})


def warm_up(*, is_server: bool) -> None:
    """Imports MLflow, and what it needs for a database.

    Args:
        is_server: Whether the store is a server's, which needs none.
    """
    from importlib import import_module

    import_module("mlflow.pyfunc")
    if not is_server:
        import_module("mlflow.store.tracking.sqlalchemy_store")


class Api:
    """The store of one project as MLflow's public API reaches it.

    Args:
        store: Where it is.
        experiment: Name of the experiment, which is the project's.
        scratch: Folder for what is only written to be handed on.
        opened: Where ids of runs are noted as soon as they are begun.
    """

    def __init__(self, store: Store, experiment: str, scratch: Path, opened: set[str]) -> None:
        self.store = store
        self._experiment = experiment
        self._scratch = scratch
        self._opened = opened
        self._client_made: MlflowClient | None = None
        self._experiment_id: str | None = None

    def carry_out(self, op: str, arguments: Mapping[str, Any]) -> Any:
        """Carries out a request; importing MLflow comes with the first."""
        assert op in _OPERATIONS
        return getattr(self, op)(**arguments)

    def close(self) -> None:
        """Lets go of the database, so that SQLite tidies its files; MLflow's client has no public way to do that."""
        if engine := getattr(_store_of(self._client_made), "engine", None):
            engine.dispose()

    # --------------------------------------------------------------- writing

    def start(
        self,
        run_id: str | None,
        earlier: str | None,
        name: str,
        params: Mapping[str, str],
        tags: Mapping[str, str],
        at: int,
    ) -> str:
        """Creates a run, or opens an earlier one again.

        Args:
            run_id: The id it is to have; None lets the server choose.
            earlier: Id of a run to go on with; its parameters stay as they are.
            name: Its name.
            params: Parameters.
            tags: Tags.
            at: Start in milliseconds since 1970.

        Returns:
            Its id.
        """
        client = self._client(create=True)
        assert self._experiment_id is not None
        if earlier is not None:
            client.update_run(earlier, status="RUNNING")
            self._opened.add(earlier)
            self._write(earlier, tags=tags)
            return earlier
        with _next_id(run_id):
            run = client.create_run(self._experiment_id, start_time=at, tags=dict(tags), run_name=name)
        if run_id not in (None, run.info.run_id):
            client.delete_run(run.info.run_id)
            raise StoreError(
                f"MLflow gave the run another id than {run_id}. Use a version that mlproj was tested with."
            )
        self._opened.add(run.info.run_id)
        self._write(run.info.run_id, params=params)
        return run.info.run_id

    def log(self, run_id: str, metrics: Sequence[Sequence[Any]]) -> None:
        """Writes metrics, each as (name, value, milliseconds, step)."""
        self._write(run_id, metrics)

    def artifacts(self, run_id: str, folder: str, model: Mapping[str, Any] | None) -> None:
        """Stores the files of a folder, and a pyfunc model under `model/`.

        Args:
            run_id: The run.
            folder: Its files.
            model: What `ModelFiles.to_json` says.
        """
        client = self._client()
        if any(Path(folder).iterdir()):
            client.log_artifacts(run_id, folder)
        if model is not None:
            target = self._scratch / f"model-{run_id}"
            save_model(ModelFiles.from_json(model), target)
            client.log_artifacts(run_id, str(target), "model")

    def finish(self, run_id: str, status: str, tags: Mapping[str, str], metrics: Sequence[Sequence[Any]]) -> str:
        """Writes what is left and ends a run."""
        self._write(run_id, metrics, tags=tags)
        self._client().set_terminated(run_id, status)
        return run_id

    def _write(
        self,
        run_id: str,
        metrics: Sequence[Sequence[Any]] = (),
        params: Mapping[str, str] = MappingProxyType({}),
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """One batch, which MLflow's client cuts to the sizes that a server accepts."""
        from mlflow.entities import Metric, Param, RunTag

        if metrics or params or tags:
            self._client().log_batch(
                run_id,
                [Metric(*row) for row in metrics],
                [Param(key, value) for key, value in params.items()],
                [RunTag(key, value) for key, value in tags.items()],
                synchronous=True,  # whatever MLFLOW_ENABLE_ASYNC_LOGGING says: an answer means that it is stored
            )

    # --------------------------------------------------------------- reading

    def search(self, query: str, limit: int | None) -> list[dict[str, Any]]:
        """The project's runs that match an MLflow filter, newest first."""
        found: list[dict[str, Any]] = []
        client, token = self._client(), None
        while self._experiment_id is not None:
            size = min(1000, limit - len(found)) if limit else 1000
            page = client.search_runs(
                [self._experiment_id],
                query,
                max_results=size,
                order_by=["attributes.start_time DESC"],
                page_token=token,
            )
            found += [_as_json(run) for run in page]
            token = page.token
            if not token or (limit and len(found) >= limit):
                break
        return found

    def history(self, run_id: str) -> list[tuple[str, int, float]]:
        """Everything that was logged of a run: (metric, step, value), oldest first for each metric."""
        client = self._client()
        names = sorted(client.get_run(run_id).data.metrics)
        logged = {name: client.get_metric_history(run_id, name) for name in names}
        return [
            (name, each.step, each.value)
            for name in names
            for each in sorted(logged[name], key=lambda each: (each.step, each.timestamp))
        ]

    def fetch(self, run_id: str, path: str, target: str) -> str:
        """Downloads a file or folder of a run; returns where it lies now."""
        Path(target).mkdir(parents=True, exist_ok=True)
        return self._client().download_artifacts(run_id, path, target)

    # --------------------------------------------------------------- opening

    def _client(self, *, create: bool = False) -> "MlflowClient":
        """The client of an opened store; with `create` its experiment exists afterwards."""
        if self._client_made is None:
            from mlflow import MlflowClient

            reach(self.store)
            prepare(self.store)
            self._client_made = MlflowClient(self.store.uri, registry_uri=self.store.uri)
        if self._experiment_id is None:
            self._experiment_id = self._find_experiment(self._client_made, create)
            if create:
                self._end_orphans(self._client_made)
        return self._client_made

    def _find_experiment(self, client: "MlflowClient", create: bool) -> str | None:
        from mlflow.exceptions import MlflowException

        found = client.get_experiment_by_name(self._experiment)
        if found is None and create:
            try:
                return client.create_experiment(
                    self._experiment, artifact_location=location_of(self.store, self._experiment)
                )
            except MlflowException:  # another driver may have made it in between
                found = client.get_experiment_by_name(self._experiment)
                if found is None:
                    raise
        if found is not None and found.lifecycle_stage == "deleted":
            raise StoreError(
                f"The experiment '{self._experiment}' was deleted in MLflow (store: {self.store.label}).\n"
                f"Choose another `name:` in project.yaml, or bring it back with its runs: MLFLOW_TRACKING_URI="
                f"{without_password(self.store.uri)} mlflow experiments restore --experiment-id {found.experiment_id}"
            )
        return None if found is None else found.experiment_id

    def _end_orphans(self, client: "MlflowClient") -> None:
        """Marks runs KILLED whose driver is known to be dead."""
        for run in self.search("attributes.status = 'RUNNING'", None):
            if is_dead(run["tags"].get(TAG, "")):
                client.set_terminated(run["id"], "KILLED")


def _store_of(client: "MlflowClient | None") -> Any:
    """The store behind MLflow's client, which has no public name; None where it is elsewhere."""
    return getattr(getattr(client, "_tracking_client", None), "store", None)


def reach(store: Store) -> None:
    """Asks whether a tracking server answers at all; MLflow alone would try for minutes.

    Raises:
        StoreError: When nothing listens there.
    """
    import socket
    from urllib.parse import urlsplit

    if not store.is_server:
        return
    parts = urlsplit(store.uri)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=5).close()
    except (OSError, ValueError) as error:
        raise StoreError(
            f"Nothing answers at {store.label}: {error}.\n"
            f"Start that server, or unset MLFLOW_TRACKING_URI to keep the runs in {store.root.name}/."
        ) from None


@contextmanager
def _next_id(run_id: str | None) -> Iterator[None]:
    """Makes MLflow draw this id for its next run.

    MLflow takes no id from its caller, but the driver names the run in its first line, seconds before MLflow is
    imported. Safe, because this process has one thread that creates anything.
    """
    if run_id is None:
        yield
        return
    draw, uuid.uuid4 = uuid.uuid4, lambda: uuid.UUID(run_id)
    try:
        yield
    finally:
        uuid.uuid4 = draw


def _as_json(run: "MlflowRun") -> dict[str, Any]:
    data, info = run.data, run.info
    return {
        "id": info.run_id,
        "name": info.run_name or "",
        "status": info.status,
        "started": info.start_time / 1000,
        "params": data.params,
        "metrics": data.metrics,
        "tags": data.tags,
        "uri": info.artifact_uri,
    }
