"""The engine that trains in this process, one job after the other."""

from collections.abc import Collection, Generator, Iterable, Mapping
from typing import TYPE_CHECKING

from mlproj.engine.engine import AbstractEngine
from mlproj.engine.watch import Board, Watch, attempt
from mlproj.records import Failure, Fit, Job, OnRung

if TYPE_CHECKING:
    from mlproj.data import Dataset


class Here(AbstractEngine):
    """Trains in this process; the next job is taken when the last result was dealt with.

    Args:
        dataset: What to train on.
    """

    name = "process"
    workers = 1

    def __init__(self, dataset: "Dataset") -> None:
        self._dataset = dataset

    def evaluate(
        self, jobs: Iterable[Job], *, on_epoch: OnRung | None = None, rungs: Collection[int] = ()
    ) -> Generator[tuple[int, Fit | Failure]]:
        """Trains one job after the other.

        Raises:
            KeyboardInterrupt: When Ctrl-C ends a training.
        """
        board = None if on_epoch is None else Board(on_epoch)
        for position, job in enumerate(jobs):
            yield position, self._run(position, job, board, rungs)

    def _run(self, position: int, job: Job, board: Board | None, rungs: Collection[int]) -> Fit | Failure:
        dropped: set[int] = set()

        def report(epoch: int, values: Mapping[str, float]) -> None:
            if board is not None:
                dropped.update(board.tell(position, epoch, values))

        watch = Watch(job.budget, report=report, rungs=rungs, is_dropped=lambda: position in dropped)
        result = attempt(lambda: job, self._dataset, watch)
        if isinstance(result, Fit) and result.outcome.kind == "interrupted" and not watch.is_over:
            raise KeyboardInterrupt  # `fit` takes Ctrl-C as the wish to keep what it has; here it ends everything
        return result
