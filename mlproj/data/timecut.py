"""Cutting by time: dev and test begin on a day and are later than train. N examples, U units.

Rows of one moment stay together, so a cut falls between two distinct times, at the one nearest to the requested size.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mlproj.data.dates import Timeline, is_date
from mlproj.data.sizes import HeldOut
from mlproj.data.units import DEV, NONE, TEST, TRAIN, Codes, Mask, Rows
from mlproj.errors import InvalidInput, Problem
from mlproj.spec.project import Project

_CODE = {"dev": DEV, "test": TEST}


def choose_cuts(project: Project, rows: Rows, timeline: Timeline, held_out: HeldOut) -> dict[str, float]:
    """From which time on dev and test begin.

    Args:
        project: A date in `splits.dev` or `splits.test` is the cut itself.
        rows: The rows to deal.
        timeline: Their times.
        held_out: Sizes for the splits without a date of their own.

    Returns:
        The first time of dev and of test, where there is such a split.

    Raises:
        InvalidInput: When no cut leaves something on both sides.
    """
    cuts = _requested_cuts(project, timeline)
    candidates = rows.alive & rows.is_target & rows.free[rows.unit] & ~np.isnan(timeline.times)
    for name, other, size in (("test", "dev", held_out.test), ("dev", "test", held_out.dev)):
        if name in cuts or not size:
            continue
        want = size
        pool = candidates.copy()
        if other in cuts and name == "dev":
            later = timeline.times >= cuts[other]
            claimed = rows.count(later & candidates) > 0  # a group with rows in test belongs to test
            pool &= ~later
            if project.data.group is not None and pool.any() and claimed[rows.unit[pool]].all():
                raise InvalidInput([no_early_group(project, int(pool.sum()), "test", "train and dev")])
            pool &= ~claimed[rows.unit]
        elif other in cuts:
            pool &= timeline.times >= cuts[other]
            if getattr(project.splits, name) is None:  # automatic: at most half of what dev's date leaves
                want = min(want, max(1, int(pool.sum()) // 2))
        cut = _nearest_cut(timeline.times[pool], want)
        if cut is None:
            beyond = other in cuts and not pool.any()
            raise InvalidInput(
                [_beyond(project, timeline, other) if beyond else _no_cut(project, timeline, name, pool, want)]
            )
        cuts[name] = cut
    return cuts


def _requested_cuts(project: Project, timeline: Timeline) -> dict[str, float]:
    """The cuts that project.yaml names itself."""
    sizes = {name: getattr(project.splits, name) for name in _CODE}
    dates = {name: size for name, size in sizes.items() if isinstance(size, str) and is_date(size)}
    holds = f"is a date, but `data.time` ({project.data.time}) holds numbers"
    hint = "Write a number of the same kind in quotes, or a share or number of examples."
    problems = [
        project.problem(f"splits.{name}", f"{text!r} {holds}", hint)
        for name, text in dates.items()
        if not timeline.is_date and not text.strip().isdecimal()
    ]
    if problems:
        raise InvalidInput(problems)
    return {name: timeline.read(text) for name, text in dates.items()}


def split_by_time(values: NDArray[np.float64], cuts: Mapping[str, float]) -> Codes:
    """The split of each time: test or dev from their cuts on, train before (and where there is no time).

    Example:
        >>> split_by_time(np.array([1.0, 5.0, 9.0]), {"dev": 5.0, "test": 8.0}).tolist()
        [0, 2, 3]
    """
    codes = np.full(len(values), TRAIN, dtype=np.int8)
    for name, cut in sorted(cuts.items(), key=lambda item: item[1]):
        codes[values >= cut] = _CODE[name]
    return codes


def units_by_time(rows: Rows, cuts: Mapping[str, float]) -> Codes:
    """The split that each unit's latest target row falls into (U,).

    A unit of `data.extra` alone is train, or −1 when it is as late as dev or test.
    """
    with_target = split_by_time(rows.latest(rows.is_target), cuts)
    alone = split_by_time(rows.latest(~rows.is_target), cuts)
    return np.where(rows.n_target > 0, with_target, np.where(alone == TRAIN, TRAIN, NONE)).astype(np.int8)


def no_early_group(project: Project, n: int, later: str, rest: str) -> Problem:
    """Why `data.group` and `data.time` do not go together: whoever has one of the `n` early rows is in `later` too."""
    group = project.data.group
    message = f"each of the {n:,} rows from before {later} belongs to a {group} that appears in {later} as well"
    hint = "A group never sits in two splits, and the date decides: leave out `data.group` or `data.time`."
    return project.problem("data.group", f"{message}, so all of them are left out and {rest} would be empty", hint)


def _nearest_cut(values: NDArray[np.float64], want: int) -> float | None:
    """The distinct time from which on the number of rows is nearest to `want`, leaving some before it."""
    moments, counts = np.unique(values, return_counts=True)
    if len(moments) < 2:
        return None
    held = np.cumsum(counts[::-1])[::-1][1:]  # rows from each moment on, the first moment left to the other side
    return float(moments[1:][::-1][np.argmin(np.abs(held - want)[::-1])])  # of two equally near cuts the later one


def _no_cut(project: Project, timeline: Timeline, name: str, pool: Mask, want: int) -> Problem:
    found = "no rows are left to cut"
    if pool.any():
        found = f"all {int(pool.sum()):,} rows to cut have the time {timeline.text(timeline.times[pool][0])}"
    hint = f"Set `splits.{name}` to a date of your own, ask for fewer examples, or to 0."
    return project.problem(f"splits.{name}", f"{want:,} later examples cannot be cut off: {found}", hint)


def _beyond(project: Project, timeline: Timeline, name: str) -> Problem:
    """A date with no example on the side that it should leave to the other split."""
    side, end = ("from then on", np.nanmax) if name == "dev" else ("before", np.nanmin)
    found = f"{getattr(project.splits, name)!r} leaves no example {side}"
    hint = f"The {'last' if name == 'dev' else 'first'} one is of {timeline.text(float(end(timeline.times)))}."
    return project.problem(f"splits.{name}", found, hint)
