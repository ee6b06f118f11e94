"""Jobs, wherever they run: trainings that report at rungs and end when they are dropped or their time is up."""

import time
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from mlproj.records import Job, OnRung, OutcomeKind

Report = Callable[[int, Mapping[int, Mapping[str, float]]], None]
"""Told what all members of a stack have shown after an epoch, by position."""


class Watch:
    """Looks at trainings after each of their epochs.

    Args:
        budgets: Seconds after which jobs end, by position; those without a limit are left out.
        report: Called at rungs with (epoch, values by ``SPLIT/METRIC`` of each job that has reached it, by position).
            All members of a stack are reported together, and what it decides is known when it returns: one that
            reached a rung alone would be judged before its rivals.
        rungs: Epochs after which to report; every epoch when empty.
        own_rungs: The same for the jobs that have rungs of their own, by position.
        is_dropped: Asked after each epoch whether a job, by position, was given up.

    Attributes:
        over: Positions of the jobs whose time is up.
    """

    def __init__(
        self,
        budgets: Mapping[int, float],
        *,
        report: Report | None = None,
        rungs: Collection[int] = (),
        own_rungs: Mapping[int, Collection[int]] = MappingProxyType({}),
        is_dropped: Callable[[int], bool] = lambda _: False,
    ) -> None:
        self._budgets, self._report, self._is_dropped = budgets, report, is_dropped
        self._rungs, self._own_rungs = rungs, own_rungs
        self._began = time.monotonic()
        self.over: set[int] = set()

    def __call__(
        self, epoch: int, _epochs: int, values: Mapping[int, Mapping[str, float]]
    ) -> Mapping[int, OutcomeKind]:
        """What a crew calls after each epoch, with the values of each job by position."""
        if self._report:
            reached = {position: own for position, own in values.items() if self._is_rung(position, epoch)}
            if reached:
                self._report(epoch, reached)
        passed = time.monotonic() - self._began
        self.over |= {position for position, budget in self._budgets.items() if passed >= budget}
        ends: dict[int, OutcomeKind] = dict.fromkeys(self.over & values.keys(), "interrupted")
        return ends | dict.fromkeys(filter(self._is_dropped, values), "pruned")

    def _is_rung(self, position: int, epoch: int) -> bool:
        own = self._own_rungs.get(position)
        return (not self._rungs or epoch in self._rungs) if own is None else epoch in own


class Board:
    """What all jobs have shown at each rung.

    Args:
        on_epoch: Asked which jobs to drop.
    """

    def __init__(self, on_epoch: OnRung) -> None:
        self._on_epoch = on_epoch
        self._seen: dict[int, dict[int, Mapping[str, float]]] = {}

    def tell(self, epoch: int, values: Mapping[int, Mapping[str, float]]) -> Collection[int]:
        """Puts up what jobs have shown, all members of a stack at once; returns the positions of the jobs to drop."""
        seen = self._seen.setdefault(epoch, {})
        seen |= values
        return self._on_epoch(epoch, seen)


def rungs_of(jobs: Mapping[int, Job]) -> dict[int, Collection[int]]:
    """The rungs of the jobs that have rungs of their own, by position."""
    return {position: job.rungs for position, job in jobs.items() if job.rungs is not None}
