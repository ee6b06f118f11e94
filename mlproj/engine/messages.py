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
    """

    jobs: Mapping[int, bytes]
    budgets: Mapping[int, float]
    rungs: Collection[int] | None


class Drop(NamedTuple):
    """To a worker: give this job up after its next epoch. It may have ended meanwhile."""

    position: int


class Rung(NamedTuple):
    """From a worker: values by ``SPLIT/METRIC`` of one of its jobs after an epoch."""

    position: int
    epoch: int
    values: Mapping[str, float]


class Result(NamedTuple):
    """From a worker: what came of one of its jobs."""

    position: int
    result: Fit | Failure
