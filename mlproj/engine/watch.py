"""One job, wherever it runs: a training that reports at rungs and ends when it is dropped or its time is up."""

import time
import traceback
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from mlproj.errors import MlprojError
from mlproj.records import Failure, Fit, Job, OnRung, OutcomeKind

if TYPE_CHECKING:
    from mlproj.data import Dataset

Report = Callable[[int, Mapping[str, float]], None]


class Watch:
    """Looks at a training after each of its epochs.

    Args:
        budget: Seconds after which it ends; None for no limit.
        report: Called at rungs with (epoch, values by ``SPLIT/METRIC``).
        rungs: Epochs after which to report; every epoch when empty.
        is_dropped: Asked after each epoch.

    Attributes:
        is_over: Whether it ended the training because the time was up.
        is_reporting: Whether a report is on its way; still so when that raised an exception.
    """

    def __init__(
        self,
        budget: float | None,
        *,
        report: Report | None = None,
        rungs: Collection[int] = (),
        is_dropped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._budget, self._report, self._rungs, self._is_dropped = budget, report, rungs, is_dropped
        self._began = time.monotonic()
        self.is_over = self.is_reporting = False

    def __call__(self, epoch: int, _epochs: int, values: Mapping[str, float]) -> OutcomeKind | None:
        """What `fit` calls after each epoch."""
        if self._report and (not self._rungs or epoch in self._rungs):
            self.is_reporting = True
            self._report(epoch, values)
            self.is_reporting = False
        if self._is_dropped():
            return "pruned"
        self.is_over = self._budget is not None and time.monotonic() - self._began >= self._budget
        return "interrupted" if self.is_over else None


class Board:
    """What all jobs have shown at each rung.

    Args:
        on_epoch: Asked which jobs to drop.
    """

    def __init__(self, on_epoch: OnRung) -> None:
        self._on_epoch = on_epoch
        self._seen: dict[int, dict[int, Mapping[str, float]]] = {}

    def tell(self, position: int, epoch: int, values: Mapping[str, float]) -> Collection[int]:
        """Puts up what a job has shown; returns the positions of the jobs to drop."""
        seen = self._seen.setdefault(epoch, {})
        seen[position] = values
        return self._on_epoch(epoch, seen)


def attempt(load: Callable[[], Job], dataset: "Dataset", watch: Watch) -> Fit | Failure:
    """A job's result, or why there is none.

    Args:
        load: Gives the job.
        dataset: What to train on.
        watch: What looks at the training; an exception from its report is not the job's, and is raised.
    """
    from mlproj.training import fit

    try:
        job = load()
        return fit(job.project, dataset, seed=job.seed, rows=job.rows, on_epoch=watch)
    except Exception as error:  # whatever goes wrong in one job, the others go on
        if watch.is_reporting:
            raise
        return describe(error)


def describe(error: Exception) -> Failure:
    r"""An exception as the result of a job.

    Example:
        >>> describe(TypeError("no such thing\nas this")).reason
        'TypeError: no such thing'
    """
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, MlprojError):
        return Failure(str(error), trace)
    lines = str(error).strip().splitlines()
    return Failure(": ".join([type(error).__name__, *lines[:1]]), trace)
