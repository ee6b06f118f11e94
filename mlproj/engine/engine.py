"""What every engine promises."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mlproj.records import Failure, Fit, Job, OnRung

if TYPE_CHECKING:
    from mlproj.fleet.alone import OneByOne


class AbstractEngine(ABC):
    """Trains jobs on one data set. Used as a context manager; nothing it started outlives it.

    Attributes:
        workers: Most processes that train at the same time.
        crew: Jobs per process that are taken ahead where they train side by side; 1 where each trains alone.
    """

    workers: int
    crew: int = 1

    @property
    def more(self) -> bool:
        """Whether `evaluate` has another result already, so that its taker can deal with several together."""
        return False

    @property
    @abstractmethod
    def name(self) -> str:
        """What a search says it ran on: fleet where jobs trained side by side, process where each trained alone."""

    @property
    @abstractmethod
    def one_by_one(self) -> "OneByOne":
        """The trainings that ran alone although company was wished, and why."""

    @abstractmethod
    def evaluate(
        self, jobs: Iterable[Job], *, on_epoch: OnRung | None = None, rungs: Collection[int] = ()
    ) -> Generator[tuple[int, Fit | Failure]]:
        """Trains jobs and hands out each result as it comes; closing the generator ends what still runs.

        Args:
            jobs: Taken one by one, whenever there is room for another; the next may depend on results so far.
            on_epoch: Asked at rungs which jobs to drop, once for all that train side by side. A dropped job ends with
                outcome `pruned`: at this rung if it is one of those that have just reached it, else after its next
                epoch at the latest.
            rungs: Epochs after which to ask, for jobs without rungs of their own; every epoch when empty.

        Yields:
            Position of the job among `jobs`, and its result.
        """

    def close(self) -> None:
        """Ends what still runs and gives back what it held; may be called twice."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def cpu_count() -> int:
    """Cores that this process may use: within its CPU affinity and the quota of its container.

    Example:
        >>> cpu_count() >= 1
        True
    """
    import joblib

    return int(joblib.cpu_count())
