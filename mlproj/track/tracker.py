"""The tracker's promise: runs are started, logged to, ended and found again, whatever keeps them.

``with MlflowTracker(store, "cats") as tracker: run_id = tracker.start(kind="train", name="first")``
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType

from mlproj.records import History, Run
from mlproj.track.model import Model
from mlproj.track.select import Choice, choose_run

NOTHING: Mapping[str, str] = MappingProxyType({})


class AbstractTracker(ABC):
    """Keeps the runs of one project.

    Used as a context manager: a run that is still open when the block ends was not finished, and is marked FAILED
    (KILLED when Ctrl-C ended the block).
    """

    @abstractmethod
    def start(
        self,
        *,
        kind: str,
        name: str | None = None,
        params: Mapping[str, object] = NOTHING,
        tags: Mapping[str, object] = NOTHING,
        run_id: str | None = None,
    ) -> str:
        """Starts a run.

        Args:
            kind: train, search, trial, diagnosis, evaluation, record or improve; kept as tag `mlproj.kind`.
            name: Its name; one is invented when there is none.
            params: Dotted paths of project.yaml and their values.
            tags: Further tags.
            run_id: An earlier run to go on with: it is open again, with what it holds and these tags.

        Returns:
            The run's id.
        """

    @abstractmethod
    def log(self, run_id: str, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Logs metrics by ``SPLIT/METRIC``; they are written in batches.

        Args:
            run_id: A run that this tracker started and that is not finished.
            metrics: The values; NaN and infinities are kept.
            step: The epoch.
        """

    @abstractmethod
    def artifacts(self, run_id: str, folder: Path, *, model: Model | None = None) -> None:
        """Stores all files of a folder with a run, and the model as a pyfunc model under `model/`.

        Args:
            run_id: A run that this tracker started and that is not finished.
            folder: The files; it must stay until the run is finished.
            model: The trained model.
        """

    @abstractmethod
    def finish(
        self, run_id: str, *, status: str = "FINISHED", tags: Mapping[str, object] = NOTHING, wait: bool = True
    ) -> None:
        """Ends a run and waits until everything about it is safely stored.

        Args:
            run_id: A run that this tracker started and that is not finished.
            status: FINISHED, FAILED or KILLED.
            tags: Further tags, such as `mlproj.outcome`.
            wait: Whether to wait; without it `settle` does, for all runs at once.

        Raises:
            TrackingError: When anything about the run could not be stored.
        """

    @abstractmethod
    def settle(self) -> None:
        """Waits until everything about the runs that were ended without waiting is safely stored.

        Raises:
            TrackingError: When anything about one of them could not be stored.
        """

    @abstractmethod
    def runs(self, kinds: Sequence[str] = (), *, statuses: Sequence[str] = (), limit: int | None = None) -> list[Run]:
        """The project's runs, newest first.

        Args:
            kinds: Only these kinds; all when empty.
            statuses: Only these statuses; all when empty.
            limit: At most so many.
        """

    @abstractmethod
    def fetch(self, run_id: str, path: str = "") -> Path:
        """Where a file of a run lies on this machine; a server's is downloaded first.

        Args:
            run_id: The run.
            path: Its file or folder, for example ``predictions.parquet``; empty for all of them.

        Raises:
            TrackingError: When the run has no such file.
        """

    @abstractmethod
    def history(self, run_id: str) -> History:
        """What was logged of a run step by step, each metric in the order of its steps.

        Args:
            run_id: The run.

        Raises:
            TrackingError: When there is no such run, or it cannot be read.
        """

    @abstractmethod
    def close(self, error: type[BaseException] | None = None) -> None:
        """Ends what is open and lets go of the store.

        Args:
            error: Type of the exception that ended the work, if one did.
        """

    def run(self, selector: str) -> Run:
        """The run that a selector means.

        Args:
            selector: A run id, a unique prefix of one, a name (the newest of that name), or `latest`.

        Raises:
            RunNotFound: When none answers, or a prefix fits several.
        """
        return self.choose(selector).run

    def choose(self, selector: str) -> Choice:
        """The run that a selector means, how it was chosen, and what there is to say about the choice.

        Args:
            selector: A run id, a unique prefix of one, a name (the newest of that name), or `latest`.

        Raises:
            RunNotFound: When none answers, or a prefix fits several.
        """
        return choose_run(selector, self.runs())

    def __enter__(self) -> "AbstractTracker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(kind)
