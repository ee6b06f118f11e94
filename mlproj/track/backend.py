"""What the child process does with the driver's requests: each goes straight into the tables, or through MLflow.

The one place that chooses. What `Direct` cannot do is done by `Api`, which imports MLflow first; so the errors that a
user sees are MLflow's.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlproj.track.api import Api
from mlproj.track.direct import Direct
from mlproj.track.store import Store
from mlproj.track.trouble import explain

Request = tuple[str, Mapping[str, Any]]
Answer = dict[str, Any]


class Backend:
    """The store of one project.

    Args:
        store: Where it is.
        experiment: Name of the experiment, which is the project's.
        scratch: Folder for what is only written to be handed on.
        is_direct: Whether to do without MLflow what can be done without it.
    """

    def __init__(self, store: Store, experiment: str, scratch: Path, *, is_direct: bool = True) -> None:
        self.store = store
        self._open: set[str] = set()
        self._broken: set[str] = set()
        self._direct = Direct(store, experiment) if is_direct else None
        self._api = Api(store, experiment, scratch, self._open)

    def carry_out(self, op: str, arguments: Mapping[str, Any]) -> Answer:
        """Carries out a request: its result under ``result``, or what went wrong under ``error``."""
        return self.carry_out_all([(op, arguments)])[0]

    def carry_out_all(self, requests: Sequence[Request]) -> list[Answer]:
        """Carries out requests that wait together: in one transaction where that is possible, else one by one.

        Args:
            requests: (operation, arguments) in the order of asking.

        Returns:
            The answer of each, as of `carry_out`.
        """
        answers = self._write(requests)
        return [self._ask(op, own) for op, own in requests] if answers is None else answers

    def abandon(self) -> None:
        """Marks what is still open KILLED: the driver died; where the store fails, the next driver does it."""
        for run_id in list(self._open):
            ending = {"run_id": run_id, "status": "KILLED", "tags": {}, "metrics": []}
            if "error" in self.carry_out("finish", ending):
                break  # a store that failed once is not asked again
        self.close()

    def close(self) -> None:
        """Lets go of the database."""
        if self._direct is not None:
            self._direct.close()
        self._api.close()

    def _write(self, requests: Sequence[Request]) -> list[Answer] | None:
        """The answers when all could be written without MLflow; None when nothing was written."""
        if self._direct is None:
            return None
        try:
            results = self._direct.carry_out([(op, self._settled(op, own)) for op, own in requests])
        except Exception as error:  # noqa: BLE001  whatever it was, MLflow has the last word
            return self._refused(error, requests) if _is_locked(error) else None
        for (op, own), result in zip(requests, results, strict=True):
            self._note(op, own, result)
        return [{"result": result} for result in results]

    def _refused(self, error: Exception, requests: Sequence[Request]) -> list[Answer]:
        """The answers of a database that others held for so long that MLflow would wait in vain as well."""
        self._broken |= {own.get("run_id") or "" for _, own in requests}
        return [{"error": explain(error, self.store)} for _ in requests]

    def _ask(self, op: str, own: Mapping[str, Any]) -> Answer:
        """The answer through MLflow."""
        try:
            result = self._api.carry_out(op, self._settled(op, own))
        except Exception as error:  # noqa: BLE001  the process boundary: whatever goes wrong is the driver's to know
            self._broken.add(own.get("run_id") or "")
            return {"error": explain(error, self.store)}
        self._note(op, own, result)
        return {"result": result}

    def _settled(self, op: str, own: Mapping[str, Any]) -> Mapping[str, Any]:
        """A run of which something could not be stored is FAILED."""
        return {**own, "status": "FAILED"} if op == "finish" and own["run_id"] in self._broken else own

    def _note(self, op: str, own: Mapping[str, Any], result: Any) -> None:
        if op == "start":
            self._open.add(result)
        elif op == "finish":
            self._open.discard(own["run_id"])


def _is_locked(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
