"""Computing time: what a search spends of its budget. A machine that sleeps does not compute."""

import time
from collections.abc import Callable


class Stopwatch:
    """Counts computing time against a budget.

    The monotonic clock stands still while the machine sleeps and the wall clock does not, so what they differ by is
    sleep (or a clock that was set).

    Args:
        budget: Seconds of computing time; None for no limit.
        monotonic: A clock that stands still while the machine sleeps.
        wall: A clock that does not.
    """

    def __init__(
        self,
        budget: float | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.budget = budget
        self._monotonic, self._wall = monotonic, wall
        self._began = monotonic(), wall()

    @property
    def seconds(self) -> float:
        """Seconds of computing time so far."""
        return self._monotonic() - self._began[0]

    @property
    def slept(self) -> float:
        """Seconds that the machine slept so far; a difference below a second is the clocks' own."""
        difference = (self._wall() - self._began[1]) - self.seconds
        return difference if difference >= 1.0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds of the budget that are left, not below 0; None without a budget."""
        return None if self.budget is None else max(0.0, self.budget - self.seconds)

    def share(self, part: float, whole: float) -> float | None:
        """The moment, in `seconds`, at which a part of the remaining work should end to leave time for the rest.

        Args:
            part: Work until then, in any unit.
            whole: All remaining work.

        Example:
            >>> clock = iter([0.0, 40.0, 40.0])
            >>> Stopwatch(100, monotonic=clock.__next__, wall=lambda: 0.0).share(1, 3)
            60.0
        """
        left = self.left
        return None if left is None else self.seconds + left * part / whole if whole else self.seconds
