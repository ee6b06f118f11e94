"""Jobs, wherever they run: trainings that report at rungs and end when they are dropped or their time is up."""

import time
from collections.abc import Callable, Collection, Mapping

from mlproj.records import OnRung, OutcomeKind

Report = Callable[[int, int, Mapping[str, float]], None]


class Watch:
    """Looks at trainings after each of their epochs.

    Args:
        budgets: Seconds after which jobs end, by position; those without a limit are left out.
        report: Called at rungs with (position, epoch, values by ``SPLIT/METRIC``).
        rungs: Epochs after which to report; every epoch when empty.
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
        is_dropped: Callable[[int], bool] = lambda _: False,
    ) -> None:
        self._budgets, self._report, self._rungs, self._is_dropped = budgets, report, rungs, is_dropped
        self._began = time.monotonic()
        self.over: set[int] = set()

    def __call__(
        self, epoch: int, _epochs: int, values: Mapping[int, Mapping[str, float]]
    ) -> Mapping[int, OutcomeKind]:
        """What a crew calls after each epoch, with the values of each job by position."""
        if self._report and (not self._rungs or epoch in self._rungs):
            for position, own in values.items():
                self._report(position, epoch, own)
        passed = time.monotonic() - self._began
        self.over |= {position for position, budget in self._budgets.items() if passed >= budget}
        ends: dict[int, OutcomeKind] = dict.fromkeys(self.over & values.keys(), "interrupted")
        return ends | dict.fromkeys(filter(self._is_dropped, values), "pruned")


class Board:
    """What all jobs have shown at each rung.

    Args:
        on_epoch: Asked which jobs to drop.
    """

    def __init__(self, on_epoch: OnRung) -> None:
        self._on_epoch = on_epoch
        self._seen: dict[int, dict[int, Mapping[str, float]]] = {}

    def tell(self, position: int, epoch: int, values: Mapping[str, float]) -> Collection[int]:
        """Puts up what a job has shown; returns the positions of the jobs to drop."""
        seen = self._seen.setdefault(epoch, {})
        seen[position] = values
        return self._on_epoch(epoch, seen)
