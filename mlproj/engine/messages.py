"""What a pool and its workers say to each other."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from mlproj.records import Failure, Fit


class Setup(NamedTuple):
    """To a new worker.

    Attributes:
        threads: Threads that it may compute with.
        path: Where the driver imports modules from.
        shelf: Folder where trainings under way are kept; None where they are not.
    """

    threads: int
    path: list[str]
    shelf: str | None


class Order(NamedTuple):
    """To a worker: train these.

    Attributes:
        jobs: Pickled jobs by position; each is unpickled where an exception is its result.
        budgets: Seconds that they may compute, by position; those without a limit are left out.
        rungs: Epochs after which to report, every epoch when empty; None for no reports.
        own_rungs: The same for the jobs that have rungs of their own, by position.
    """

    jobs: Mapping[int, bytes]
    budgets: Mapping[int, float]
    rungs: Collection[int] | None
    own_rungs: Mapping[int, Collection[int]]


class Drop(NamedTuple):
    """To a worker: give these jobs up after their next epoch. Some may be others' or have ended meanwhile.

    Attributes:
        positions: The jobs.
        is_answer: Whether it answers a `Rung`, for which the worker waits.
    """

    positions: Collection[int]
    is_answer: bool


class Rung(NamedTuple):
    """From a worker: what those of its jobs that train side by side have shown after an epoch.

    It waits for the answer, so that what is dropped ends at the rung, and not some epochs later as chance has it.

    Attributes:
        epoch: The epoch.
        values: Values by ``SPLIT/METRIC`` of each job, by position.
    """

    epoch: int
    values: Mapping[int, Mapping[str, float]]


class Result(NamedTuple):
    """From a worker: what came of one of its jobs."""

    position: int
    result: Fit | Failure
