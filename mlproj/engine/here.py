"""The engine that trains in this process, one job or one crew after the other."""

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlproj.engine.ahead import Ahead, Task
from mlproj.engine.engine import AbstractEngine
from mlproj.engine.watch import Board, Watch, rungs_of
from mlproj.records import Failure, Fit, Job, OnRung

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.fleet.alone import OneByOne


class Here(AbstractEngine):
    """Trains in this process; the next job is taken when the last result was dealt with.

    Args:
        dataset: What to train on.
        crew: Jobs that are taken ahead, to train side by side where that pays.
        stacks: Whether all that can train side by side does; otherwise what gains from it.
        shelf: Folder where trainings under way are kept, and gone on with after a crash; None for nowhere.
    """

    workers = 1

    def __init__(self, dataset: "Dataset", *, crew: int = 1, stacks: bool = False, shelf: Path | None = None) -> None:
        self._dataset, self.crew, self._shelf = dataset, crew, shelf
        self._ahead = Ahead(dataset, crew=crew, workers=1, stacks=stacks)
        self._ready: list[tuple[int, Fit | Failure]] = []

    @property
    def name(self) -> str:
        """Fleet where jobs trained side by side, or are meant to; process while each trained alone."""
        return self._ahead.name

    @property
    def more(self) -> bool:
        """Whether others ended together with the one that came last: they are there already."""
        return bool(self._ready)

    @property
    def one_by_one(self) -> "OneByOne":
        """The trainings that ran alone although company was wished, and why."""
        return self._ahead.one_by_one

    def evaluate(
        self, jobs: Iterable[Job], *, on_epoch: OnRung | None = None, rungs: Collection[int] = ()
    ) -> Generator[tuple[int, Fit | Failure]]:
        """Trains one job after the other.

        Raises:
            KeyboardInterrupt: When Ctrl-C ends a training.
        """
        board = None if on_epoch is None else Board(on_epoch)
        tasks = (Task(position, job) for position, job in enumerate(jobs))
        self._ahead.clear()
        self._ready.clear()
        while crew := self._ahead.take(tasks, under_way=0):
            yield from self._run(crew, board, rungs)

    def _run(
        self, crew: Sequence[Task], board: Board | None, rungs: Collection[int]
    ) -> Generator[tuple[int, Fit | Failure]]:
        budgets = {task.position: task.budget for task in crew if task.budget is not None}  # imports take time too
        from mlproj.fleet import Shelf, train_crew_together

        dropped: set[int] = set()

        def report(epoch: int, values: Mapping[int, Mapping[str, float]]) -> None:
            if board is not None:
                dropped.update(board.tell(epoch, values))

        own_rungs = rungs_of({task.position: task.job for task in crew})
        watch = Watch(budgets, report=report, rungs=rungs, own_rungs=own_rungs, is_dropped=dropped.__contains__)
        shelf = Shelf(self._shelf, self._dataset.data_hash) if self._shelf else None
        jobs = {task.position: task.job for task in crew}
        for together in train_crew_together(jobs, self._dataset, on_epoch=watch, shelf=shelf):
            self._ready.extend(together)
            while self._ready:
                position, result = self._ready.pop(0)
                if isinstance(result, Fit) and result.outcome.kind == "interrupted" and position not in watch.over:
                    raise KeyboardInterrupt  # `fit` takes Ctrl-C as a wish to keep what it has; here it ends everything
                yield position, result
