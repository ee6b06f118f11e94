"""Ladders of several runs in the order of time, and which gap changed since when."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlproj.records.ladder import Ladder

SURE = 0.95
"""Probability that no claim of a series is wrong."""


@dataclass(frozen=True)
class Entry:
    """One run of a series.

    Attributes:
        id: Its id.
        name: Its name.
        kind: train, search, trial or record.
        started: Start in seconds since 1970.
        ladder: Its ladder.
        changed: What its spec says otherwise than that of the run before: dotted path, value before, value now; None
            where one of them does not say it.
        data_changed: Whether its rows, cells or columns of training are others than those of the run before.
    """

    id: str
    name: str
    kind: str
    started: float
    ladder: Ladder
    changed: tuple[tuple[str, str | None, str | None], ...] = ()
    data_changed: bool = False


@dataclass(frozen=True)
class GapChange:
    """By how much a gap (or the dev error) of a later run differs from that of an earlier one.

    Attributes:
        gap: Name of the gap, or dev.
        before: Place of the earlier run in the series, from 0.
        after: Place of the later one.
        value: Later minus earlier; negative where it shrank.
        low: Lower 95 % limit.
        high: Upper 95 % limit.
        p: Two-sided p-value of no change.
        n: Dev examples of both.
        method: How the limits were computed.
        p_holm: After Holm's correction for all changes that were tested; None where nothing is claimed of it.
        since: Place of the first run after `before` whose own step shows the change; None unless it is claimed, and
            where it came in steps too small to be seen.
        seeds: By how much two trainings that differ by their seeds alone differ in 19 of 20 cases; None where the
            series holds no spec with several seeds.
    """

    gap: str
    before: int
    after: int
    value: float
    low: float
    high: float
    p: float
    n: int
    method: str
    p_holm: float | None = None
    since: int | None = None
    seeds: float | None = None

    @property
    def is_claimed(self) -> bool:
        """Whether the change is sure, with all others that were tested."""
        return self.p_holm is not None and self.p_holm < 1 - SURE


@dataclass(frozen=True)
class Series:
    """Ladders of runs on one dev set, the oldest first, and how the newest compares.

    Attributes:
        entries: The runs.
        steps: For each run its changes against the run before; empty for the first.
        changes: One per gap of the newest run: the claimed change, or that since the first run.
        tested: Changes that were tested for the claims.
        seeded: Specs of the series that were trained with several seeds.
        hidden: Earlier runs on the same dev set that are not shown.
        apart: Runs that were set apart, by the reason why.
    """

    entries: tuple[Entry, ...]
    steps: tuple[tuple[GapChange, ...], ...] = ()
    changes: tuple[GapChange, ...] = ()
    tested: int = 0
    seeded: int = 0
    hidden: int = 0
    apart: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
