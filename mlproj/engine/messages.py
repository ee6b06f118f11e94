"""What a pool and its workers say to each other."""

from collections.abc import Collection, Mapping
from typing import NamedTuple


class Setup(NamedTuple):
    """To a new worker.

    Attributes:
        threads: Threads that it may compute with.
        path: Where the driver imports modules from.
    """

    threads: int
    path: list[str]


class Order(NamedTuple):
    """To a worker: train this.

    Attributes:
        position: Position among the jobs.
        job: The pickled job; it is unpickled where an exception is the job's result.
        budget: Seconds that it may compute; None for no limit.
        rungs: Epochs after which to report, every epoch when empty; None for no reports.
    """

    position: int
    job: bytes
    budget: float | None
    rungs: Collection[int] | None


class Drop(NamedTuple):
    """To a worker: give this job up after its next epoch. It may have ended meanwhile."""

    position: int


class Rung(NamedTuple):
    """From a worker: values by ``SPLIT/METRIC`` of its job after an epoch."""

    epoch: int
    values: Mapping[str, float]
