"""A training to be done (`Job`), and what stands in for a `Fit` when it fails (`Failure`)."""

import traceback
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from mlproj.errors import MlprojError
from mlproj.records.fit import Fit
from mlproj.spec.project import Project


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        project: What to train; what is `auto` is made explicit where it runs.
        seed: Seed of weights, batches and dropout.
        rows: Positions in the training set to train on; None for all of it.
        budget: Seconds that it may compute, judged after each epoch; None for no limit.
        rungs: Epochs after which it is asked whether to drop it; None for those of `evaluate`.
    """

    project: Project
    seed: int
    rows: NDArray[Any] | None = None
    budget: float | None = None
    rungs: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Failure:
    """A training that raised an exception or whose process died.

    Attributes:
        reason: What went wrong, in one line that a person can act on.
        trace: The traceback, for whoever looks closer; empty where there is none.
        is_late: Whether its process was ended because its time was long up: with more of it, it may come out.
    """

    reason: str
    trace: str = ""
    is_late: bool = False


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


OnRung = Callable[[int, Mapping[int, Mapping[str, float]]], Collection[int]]
"""Asked with (epoch, values by ``SPLIT/METRIC`` for each job that has reached it); answers which jobs to drop. Jobs
that train side by side arrive together. It may name jobs again: one whose worker has died comes to a rung twice."""


class Evaluate(Protocol):
    """Trains jobs, wherever that may be."""

    def __call__(
        self, jobs: Iterable[Job], *, on_epoch: OnRung | None = None, rungs: Collection[int] = ()
    ) -> Generator[tuple[int, Fit | Failure]]:
        """Trains jobs and hands out each result as it comes; closing the generator ends what still runs.

        Args:
            jobs: Taken one by one, whenever there is room for another; the next may depend on results so far.
            on_epoch: Asked at rungs which jobs to drop; a dropped job ends with outcome `pruned`.
            rungs: Epochs after which to ask; every epoch when empty.

        Yields:
            Position of the job among `jobs`, and its result.
        """
        ...
