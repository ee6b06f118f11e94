"""Jobs that an engine takes ahead, so that those which gain from company train side by side."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from mlproj.records import Job

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.fleet.alone import OneByOne, Reason
    from mlproj.fleet.plan import Planner

_SHARE = 0.25
"""Share of a time budget that jobs are taken ahead for."""


@dataclass(frozen=True)
class Task:
    """A job on its way.

    Attributes:
        position: Where it stands among the jobs.
        job: The job.
        deaths: How often its worker has died.
        taken: When it was taken, on `time.monotonic`.
    """

    position: int
    job: Job
    deaths: int = 0
    taken: float = field(default_factory=time.monotonic)

    @property
    def budget(self) -> float | None:
        """Seconds that it may still compute: it has waited for a worker meanwhile."""
        return None if self.job.budget is None else max(0.0, self.job.budget - (time.monotonic() - self.taken))


class Ahead:
    """The jobs that were taken and wait for a worker, in the stacks in which they will train.

    Args:
        dataset: What is trained on.
        crew: Jobs taken ahead for each worker at most; 1 for none.
        workers: Workers that take one stack after the other.
        stacks: Whether all that can train side by side does; otherwise what gains from it.
    """

    def __init__(self, dataset: "Dataset", *, crew: int, workers: int, stacks: bool) -> None:
        self._dataset, self._crew, self._workers, self._stacks = dataset, crew, workers, stacks
        self._waiting: list[list[Task]] = []
        self._alone: Counter[Reason] = Counter()
        self._taken = 0
        self.name = "fleet" if stacks and crew > 1 else "process"

    def take(self, tasks: Iterator[Task], under_way: int) -> list[Task]:
        """What the next free worker trains; nothing where there is no more.

        Args:
            tasks: Taken from where nothing waits.
            under_way: Jobs that train now.
        """
        if not self._waiting:
            self._waiting = self._plan(tasks, under_way)
        return self._waiting.pop(0) if self._waiting else []

    def clear(self) -> None:
        """Forgets what waits."""
        self._waiting.clear()

    def _plan(self, tasks: Iterator[Task], under_way: int) -> list[list[Task]]:
        if self._crew == 1:
            return [[task] for task in [next(tasks, None)] if task is not None]
        from mlproj.fleet.plan import Planner

        planner = Planner(self._dataset, stacks=self._stacks)
        taken = list(self._worth_taking(planner, tasks, under_way))
        plan = planner.plan([(task, task.job) for task in taken], self._workers)
        if any(len(stack) > 1 for stack in plan):
            self.name = "fleet"
        self._taken += len(taken)
        self._alone.update(planner.why_alone(stack[0].job) for stack in plan if len(stack) == 1)
        return plan

    @property
    def one_by_one(self) -> "OneByOne":
        """The jobs that train alone, and why; none where all were to."""
        from mlproj.fleet.alone import OneByOne

        return OneByOne(self._taken, dict(self._alone))

    def _worth_taking(self, planner: "Planner", tasks: Iterator[Task], under_way: int) -> Iterator[Task]:
        """Jobs for as long as they gain from company; of others no more than there are workers for.

        Of a time budget jobs are taken for a share only: whatever is in flight when it is used up is cut off.
        """
        total, budget = 0.0, inf
        for n, task in enumerate(tasks, start=under_way + 1):
            yield task
            seconds = planner.in_company(task.job)
            if n >= self._workers * (1 if seconds is None else self._crew):
                return
            total += seconds or 0.0
            budget = min(budget, inf if task.budget is None else task.budget)
            if total >= _SHARE * budget * self._workers:
                return
