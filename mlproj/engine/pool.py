"""The engine that trains in worker processes of this machine."""

import multiprocessing
import pickle
import signal
import sys
import time
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING

from mlproj.engine.ahead import Ahead, Task
from mlproj.engine.engine import AbstractEngine, cpu_count
from mlproj.engine.messages import Drop, Order, Result, Setup
from mlproj.engine.server import ForkServer, ServerError, give_back, take_server
from mlproj.engine.shared import write_shared
from mlproj.engine.watch import Board, rungs_of
from mlproj.records import Failure, Fit, Job, OnRung

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.fleet.alone import OneByOne

_DEATHS = 2
"""Workers that a job may cost before it is given up."""
_GRACE = 10.0
"""Seconds at least that a job may run on when its budget is used up: budgets are looked at after an epoch, and a
training that ends still measures what came of it. Half the budget where that is more. A job that is over that long
hangs."""
_PATIENCE = 0.01
"""Seconds that a crew's next result is waited for, where its taker deals with several together."""
Outcome = tuple[int, Fit | Failure]


@dataclass(eq=False)
class _Worker:
    """A worker process, and what it does: its tasks by position.

    Attributes:
        grace: Seconds that it may be silent when the budgets of all its tasks are used up.
        deadline: When it is given up, on `time.monotonic`, if nothing is heard of it until then.
    """

    connection: Connection
    pid: int
    server: ForkServer
    tasks: dict[int, Task] = field(default_factory=dict)
    grace: float = 0.0
    deadline: float = inf

    def end(self) -> int | None:
        """Ends it if it still runs, and returns its exit code where that is known."""
        self.connection.close()
        return self.server.end(self.pid)


class Pool(AbstractEngine):
    """Trains in worker processes that are forked when they are needed, each with its share of the cores.

    A worker that dies costs its job one retry on a new one. What was started here ends with `close`, and by itself
    when this process dies.

    Args:
        dataset: What to train on; all workers share one copy.
        workers: Most workers at the same time.
        crew: Jobs that are taken ahead for each worker, to train side by side where that pays.
        stacks: Whether all that can train side by side does; otherwise what gains from it.
        shelf: Folder where trainings under way are kept, and gone on with after a crash; None for nowhere.
        spare: Whether the process that workers are forked from may wait for the next pool when this one is closed.

    Raises:
        MlprojError: When there is no room to lay out the data, or no process can be started.
    """

    def __init__(
        self,
        dataset: "Dataset",
        *,
        workers: int,
        crew: int = 1,
        stacks: bool = False,
        shelf: Path | None = None,
        spare: bool = False,
    ) -> None:
        self._spare = spare
        self.workers, self.crew, self._shelf = workers, crew, None if shelf is None else str(shelf)
        self._ahead = Ahead(dataset, crew=crew, workers=workers, stacks=stacks)
        self._threads = max(1, cpu_count() // workers)
        self._data = write_shared(dataset)
        self._server = take_server()
        self._idle: list[_Worker] = []
        self._running: list[_Worker] = []
        self._again: list[Task] = []
        self._results: list[Outcome] = []

    @property
    def name(self) -> str:
        """Fleet where jobs trained side by side, or are meant to; process while each trained alone."""
        return self._ahead.name

    @property
    def one_by_one(self) -> "OneByOne":
        """The trainings that ran alone although company was wished, and why."""
        return self._ahead.one_by_one

    @property
    def more(self) -> bool:
        """Whether a result is there already, or can be read at once; of a crew they come within milliseconds."""
        patience = _PATIENCE if self.crew > 1 else 0.0
        return bool(self._results or wait([worker.connection for worker in self._running], patience))

    def evaluate(
        self, jobs: Iterable[Job], *, on_epoch: OnRung | None = None, rungs: Collection[int] = ()
    ) -> Generator[Outcome]:
        """Trains jobs on all workers; results come in the order in which they end.

        A free worker gets its next job before the result it brought is handed out, so that none waits for whoever
        takes the results.
        """
        if self._running:
            raise RuntimeError("This pool is at work: close the generator of its last evaluate() first.")
        tasks = (Task(position, job) for position, job in enumerate(jobs))
        board = None if on_epoch is None else Board(on_epoch)
        asked = None if on_epoch is None else tuple(rungs)
        results = self._results = list[Outcome]()
        try:
            while True:
                results += self._collect(board, patience=0.0 if results else None)
                if len(results) <= self.workers:  # not ever further ahead of a slow taker
                    self._feed(tasks, asked)
                if results:
                    yield results.pop(0)
                elif not self._running:
                    return
        finally:
            self._again.clear()
            self._ahead.clear()
            while self._running:
                self._running.pop().end()

    def close(self) -> None:
        """Ends all workers and the process they are started from, and lets go of the data."""
        for workers in (self._running, self._idle):
            while workers:
                workers.pop().end()
        if self._data.closed:
            return
        self._data.close()
        if self._spare:
            give_back(self._server)
        else:
            self._server.close()

    def _feed(self, tasks: Iterator[Task], rungs: Collection[int] | None) -> None:
        """Gives every free worker jobs, for as long as there are any; one whose worker has died goes alone."""
        while len(self._running) < self.workers:
            under_way = sum(len(worker.tasks) for worker in self._running)
            crew = [self._again.pop()] if self._again else self._ahead.take(tasks, under_way)
            if not crew:
                return
            self._order(crew, rungs)

    def _order(self, crew: Sequence[Task], rungs: Collection[int] | None) -> None:
        budgets = {task.position: task.budget for task in crew if task.budget is not None}
        own_rungs = rungs_of({task.position: task.job for task in crew})
        order = Order({task.position: pickle.dumps(task.job) for task in crew}, budgets, rungs, own_rungs)
        worker = self._find_worker()
        worker.tasks = {task.position: task for task in crew}
        longest = max(budgets.values()) if len(budgets) == len(crew) else inf
        worker.grace = max(_GRACE, longest / 2)
        worker.deadline = time.monotonic() + longest + worker.grace
        self._running.append(worker)
        with suppress(OSError):  # a worker that is dead by now shows so when its result is awaited
            worker.connection.send(order)

    def _find_worker(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if not worker.connection.poll():
                return worker
            worker.end()  # an idle worker has nothing to say: what can be read is its end
        try:
            return self._hire()
        except ServerError:
            self._server.close()
            self._server = ForkServer()
            return self._hire()

    def _hire(self) -> _Worker:
        ours, theirs = multiprocessing.Pipe()
        with theirs:
            worker = _Worker(ours, self._server.fork(theirs.fileno(), self._data.fileno()), self._server)
        with suppress(OSError):
            ours.send(Setup(self._threads, list(sys.path), self._shelf))
        return worker

    def _collect(self, board: Board | None, patience: float | None) -> list[Outcome]:
        """Hears the workers that have something to say; waits for the first, at most so many seconds.

        One that is silent long after its time was up is ended.
        """
        results: list[Outcome] = []
        first = min((worker.deadline for worker in self._running), default=inf)
        if patience is None and first < inf:
            patience = max(0.0, first - time.monotonic())
        spoke = wait([worker.connection for worker in self._running], patience) if self._running else []
        for worker in [worker for worker in self._running if worker.connection in spoke]:
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                results += self._bury(worker)
                continue
            worker.deadline = max(worker.deadline, time.monotonic() + worker.grace)
            if isinstance(message, Result):
                del worker.tasks[message.position]
                results.append((message.position, message.result))
                if not worker.tasks:
                    self._running.remove(worker)
                    self._idle.append(worker)
            elif board is not None:
                self._drop(worker, board.tell(*message))
        now = time.monotonic()
        for worker in [worker for worker in self._running if worker.connection not in spoke and worker.deadline <= now]:
            self._running.remove(worker)
            worker.end()
            said = f"It was ended {worker.grace:.0f} s after its time budget: no epoch had come to an end by then."
            results += [(position, Failure(said, is_late=True)) for position in worker.tasks]
        return results

    def _drop(self, asker: _Worker, positions: Collection[int]) -> None:
        """Answers the worker that has reported, and tells the others what concerns them."""
        for worker in self._running:
            theirs = worker.tasks.keys() & positions
            if theirs or worker is asker:
                with suppress(OSError):
                    worker.connection.send(Drop(theirs, is_answer=worker is asker))

    def _bury(self, worker: _Worker) -> list[Outcome]:
        """Has the jobs of a dead worker done again, or gives them up."""
        self._running.remove(worker)
        code = worker.end()
        given_up: list[Outcome] = []
        for task in worker.tasks.values():
            if task.deaths + 1 >= _DEATHS:
                given_up.append((task.position, Failure(_explain(code, self.workers))))
                continue
            self._again.append(replace(task, deaths=task.deaths + 1))
        return given_up


def _explain(code: int | None, workers: int) -> str:
    """How the processes of a job died, and what may help.

    Example:
        >>> _explain(-9, 4)
        'Its process was killed twice (SIGKILL), most likely because memory ran out: try fewer `--workers` (now 4).'
        >>> _explain(3, 4)
        'Its process ended twice with exit code 3; see what it wrote to standard error.'
        >>> _explain(-11, 4)
        'Its process ended twice by signal 11 (Segmentation fault); see what it wrote to standard error.'
    """
    if code == -signal.SIGKILL:
        help_ = f"try fewer `--workers` (now {workers})" if workers > 1 else "try a smaller `training.batch_size`"
        return f"Its process was killed twice (SIGKILL), most likely because memory ran out: {help_}."
    how = "" if code is None else f" with exit code {code}"
    if code is not None and code < 0:
        how = f" by signal {-code} ({signal.strsignal(-code)})"
    return f"Its process ended twice{how}; see what it wrote to standard error."
