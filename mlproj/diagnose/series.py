"""The ladder as a series over runs: which gap shrank or grew, and since which run.

Two runs on the same dev set are compared example by example, so that what both find hard cancels; a gap is a difference
of two rungs on different examples, so the change of a gap is that of the lower rung less that of the upper one, and its
interval joins theirs (MOVER).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, sqrt
from typing import Literal

import numpy as np

from mlproj.diagnose.rungs import RELATIVE_LOSS
from mlproj.diagnose.several import constant_losses, own_metric
from mlproj.errors import InvalidInput
from mlproj.metrics import paired_difference
from mlproj.metrics.intervals import mover, t_quantile
from mlproj.metrics.paired import Paired, implied_p
from mlproj.records import Entry, GapChange, Ladder, Predictions, Series
from mlproj.records.matching import match
from mlproj.spec.goal import LOSSES

LEVEL = 0.95
DEV = "dev"
"""Name under which the dev error itself is followed, beside the gaps."""
_FOLLOWED = ("avoidable_bias", "training_error", "variance", "variance_or_data_mismatch", "data_mismatch")
Change = tuple[float, float, float]


@dataclass(frozen=True)
class Member:
    """A run that may stand in a series.

    Attributes:
        entry: What is shown of it.
        predictions: Its answers.
        spec: What its model was made of, but for the seed; equal for trainings that differ by their seeds alone.
        seed: Its seed.
    """

    entry: Entry
    predictions: Predictions
    spec: str = ""
    seed: str = ""


def judge_series(
    members: Sequence[Member], *, hidden: int = 0, apart: Mapping[str, tuple[str, ...]] | None = None
) -> Series:
    """Compares the runs of a series, each with the one before and the newest with all.

    For each gap of the newest run the most recent earlier run is looked for from which it surely differs, by Holm's
    correction for all comparisons of the newest run; the change is then dated to the first run after it whose own step
    shows it.

    Args:
        members: The runs, the oldest first, all with ladders in one metric on one dev set.
        hidden: Earlier runs that are left out.
        apart: Runs that were set apart, by reason.
    """
    last = len(members) - 1
    steps = tuple(
        tuple(_changes(members, place - 1, place)) if place else () for place in range(len(members))
    )  # fmt: skip
    against = [change for place in range(last) for change in _changes(members, place, last)]
    judged = _claim(against)
    spreads, seeded = seed_spreads(members)
    changes = []
    for gap in dict.fromkeys(change.gap for change in judged):
        of_gap = [change for change in judged if change.gap == gap]
        claimed = [change for change in of_gap if change.is_claimed]
        found = replace(claimed[-1], since=_first_seen(claimed[-1], steps)) if claimed else of_gap[0]
        changes.append(replace(found, seeds=spreads.get(gap)))
    order = [*_FOLLOWED, DEV]
    changes.sort(key=lambda change: order.index(change.gap))
    entries = tuple(member.entry for member in members)
    return Series(entries, steps, tuple(changes), len(judged), seeded, hidden, dict(apart or {}))


def _first_seen(change: GapChange, steps: Sequence[Sequence[GapChange]]) -> int | None:
    """The first run whose own step, against the run before it, goes the way of a change with all of its interval."""
    for place in range(change.before + 1, change.after + 1):
        for step in steps[place]:
            if step.gap == change.gap and (step.high < 0 if change.value < 0 else step.low > 0):
                return place
    return None


def _claim(found: Sequence[GapChange]) -> list[GapChange]:
    """The changes with Holm's (1979) adjusted p-values."""
    adjusted, running = dict[int, float](), 0.0
    for rank, place in enumerate(sorted(range(len(found)), key=lambda k: found[k].p)):
        running = max(running, min(1.0, (len(found) - rank) * found[place].p))
        adjusted[place] = running
    return [replace(change, p_holm=adjusted[place]) for place, change in enumerate(found)]


def _changes(members: Sequence[Member], before: int, after: int) -> list[GapChange]:
    """How the gaps and the dev error of one run differ from those of an earlier one."""
    a, b = members[before], members[after]
    rungs: dict[str, tuple[Change, int, str]] = {}
    found = []
    for gap, (lower, upper) in _shared_gaps(a.entry.ladder, b.entry.ladder).items():
        for rung in (lower, upper):
            if rung is not None and rung not in rungs:
                rungs[rung] = rung_change(a, b, rung)
        down, n, how = rungs[lower]
        up, _, other = rungs[upper] if upper is not None else ((0.0, 0.0, 0.0), 0, "")
        if not all(map(isfinite, (down[0], up[0]))):
            continue
        low, high = mover(down, up)
        value = down[0] - up[0]
        method = how if upper in (None, "human") else f"MOVER of two differences: {lower} ({how}), {upper} ({other})"
        found.append(GapChange(gap, before, after, value, low, high, implied_p(value, low, high, LEVEL), n, method))
    return found


def _shared_gaps(a: Ladder, b: Ladder) -> dict[str, tuple[str, str | None]]:
    """The gaps that two ladders both have between the same rungs, with their lower and upper rung; and dev."""
    ends = [{gap.name: _ends(ladder, gap.name) for gap in ladder.gaps if gap.name in _FOLLOWED} for ladder in (a, b)]
    return {name: rungs for name, rungs in ends[1].items() if ends[0].get(name) == rungs} | {DEV: (DEV, None)}


def _ends(ladder: Ladder, gap: str) -> tuple[str, str | None]:
    """The lower and the upper rung of a gap; None stands for an error of zero."""
    last = "train_dev" if ladder.rung("train_dev") is not None else DEV
    ends: dict[str, tuple[str, str | None]] = {
        "avoidable_bias": ("train", "human"), "training_error": ("train", None), "variance": (last, "train"),
        "variance_or_data_mismatch": (DEV, "train"), "data_mismatch": (DEV, "train_dev"),
    }  # fmt: skip
    return ends[gap]


def rung_change(a: Member, b: Member, rung: str) -> tuple[Change, int, str]:
    """By how much a rung of run b lies above that of run a: value and limits, examples, and how it was computed.

    Paired where both answered the same examples; on different ones (training data were added) the two intervals are
    joined as independent, which is on the wide side. Human level is the same for both.
    """
    if rung == "human":
        return (0.0, 0.0, 0.0), 0, "one human level for both"
    sides = [member.predictions.part(rung) for member in (a, b)]
    if not all(map(len, sides)):  # too many to be kept
        return _independent(a.entry.ladder, b.entry.ladder, rung)
    try:
        pair = match(*sides, names=(a.entry.name, b.entry.name), judge="second")
    except InvalidInput:
        pair = None
    if pair is None or (pair.left_out != (0, 0) and rung != DEV):
        return _independent(a.entry.ladder, b.entry.ladder, rung)
    metric = b.entry.ladder.metric
    if metric == RELATIVE_LOSS:
        return _relative(pair.first, pair.second, constant_losses(b.predictions))
    found = paired_difference(
        pair.second.labels, pair.first.labels, metric, weight=pair.first.weight, group=pair.first.group
    )
    return _as_loss(found, metric), found.n, f"paired, {found.method}"


def _as_loss(found: Paired, metric: str) -> Change:
    if metric in LOSSES:
        return found.value, found.low, found.high
    return -found.value, -found.high, -found.low


def _relative(a: Predictions, b: Predictions, scales: Mapping[str, float]) -> tuple[Change, int, str]:
    """The mean over tasks of their paired differences in relative loss, as if they erred together."""
    each, n = [], 0
    for name, answers in b.labels.items():
        metric = own_metric(RELATIVE_LOSS, answers)
        found = paired_difference(answers, a.labels[name], metric, weight=a.weight, group=a.group)
        each.append(np.array(_as_loss(found, metric)) / scales.get(name, 1.0))
        n = max(n, found.n)
    value, low, high = np.mean(each, axis=0).tolist()
    return (value, low, high), n, f"paired, mean over {len(each)} tasks as if they erred together"


def _independent(a: Ladder, b: Ladder, rung: str) -> tuple[Change, int, str]:
    limits, n = [], 0
    for ladder in (b, a):
        found = ladder.rung(rung)
        assert found is not None
        assert found.error is not None
        low, high = (-inf if found.low is None else found.low), (inf if found.high is None else found.high)
        limits.append((found.error, low, high))
        n = found.n or n
    low, high = mover(limits[0], limits[1])
    return (limits[0][0] - limits[1][0], low, high), n, "different examples, MOVER"


def seed_spreads(members: Sequence[Member]) -> tuple[dict[str, float], int]:
    """By how much one training each of equally good specs differs in 19 of 20 cases, by gap; and how many specs say so.

    The spread between seeds is pooled over the specs that were trained with several: t √2 s, t with the pooled degrees
    of freedom. Of trainings with the same seed the newest counts.
    """
    by_spec: dict[str, dict[str, Member]] = {}
    for member in members:
        if member.spec:
            by_spec.setdefault(member.spec, {})[member.seed] = member
    fleets = [list(of_spec.values()) for of_spec in by_spec.values() if len(of_spec) > 1]
    spreads = {}
    for gap in (*_FOLLOWED, DEV):
        squares, degrees = 0.0, 0
        for fleet in fleets:
            sizes = [size for member in fleet if (size := size_of(member.entry.ladder, gap)) is not None]
            squares += float(np.square(np.array(sizes) - np.mean(sizes)).sum()) if sizes else 0.0
            degrees += max(len(sizes) - 1, 0)
        if degrees:
            spreads[gap] = t_quantile(degrees, LEVEL) * sqrt(2 * squares / degrees)
    return spreads, len(fleets)


def size_of(ladder: Ladder, gap: str) -> float | None:
    """Size of a gap, or the dev error; None where the ladder has none."""
    if gap == DEV:
        rung = ladder.rung(DEV)
        return None if rung is None else rung.error
    return next((found.size for found in ladder.gaps if found.name == gap), None)


def direction(change: GapChange) -> Literal["shrank", "grew", "unknown"]:
    """Which way a gap surely went."""
    if not change.is_claimed:
        return "unknown"
    return "shrank" if change.value < 0 else "grew"
