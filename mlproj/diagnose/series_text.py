"""A series of ladders for people (`series_text`) and for programs (`series_document`)."""

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from mlproj.diagnose.render import WIDTH, finite
from mlproj.diagnose.rungs import is_rate
from mlproj.diagnose.series import DEV, direction, size_of
from mlproj.diagnose.words import TITLES, Numbers, choose_numbers
from mlproj.records import Entry, GapChange, Ladder, Series

GAPS = ("avoidable_bias", "training_error", "variance", "variance_or_data_mismatch", "data_mismatch")
_RUNGS = ("human", "train", "train_dev", "dev")
_SHORT = {
    "avoidable_bias": "bias", "training_error": "train err", "variance": "variance",
    "variance_or_data_mismatch": "var or mism", "data_mismatch": "mismatch",
}  # fmt: skip
_MOST_PATHS, _LONGEST_NUMBER = 6, 7


def series_text(series: Series, ago: Callable[[float], str]) -> str:
    """A table with a line per run, what changed in each, and which gap changed since when; plain text.

    Args:
        series: The series.
        ago: How long ago a moment was, in words.
    """
    numbers = series_numbers(series)
    ladder = series.entries[-1].ladder
    unit = " %" if numbers.is_rate else ""
    count = f"{len(series.entries):,} run{'' if len(series.entries) == 1 else 's'}"
    head = f"{count} on this dev set, newest last ({ladder.scale}{unit}):"
    blocks = [f"{head}\n{_table(series, numbers, ago)}", "\n".join(map(_wrap_item, conclusions(series, numbers)))]
    blocks.append("\n".join(_wrap_item(note) for note in series_notes(series)))
    return "\n\n".join(block for block in blocks if block)


def series_numbers(series: Series) -> Numbers:
    """How the numbers of a series are written."""
    errors = [rung.error for entry in series.entries for rung in entry.ladder.rungs if rung.error is not None]
    return choose_numbers(errors, is_rate=is_rate(series.entries[-1].ladder.metric))


def columns_of(series: Series) -> tuple[list[str], list[str]]:
    """Rungs and gaps that some ladder of a series has."""
    ladders = [entry.ladder for entry in series.entries]
    rungs = [name for name in _RUNGS if name != "human" and any(ladder.rung(name) for ladder in ladders)]
    return rungs, [name for name in GAPS if any(size_of(ladder, name) is not None for ladder in ladders)]


def mark_of(series: Series, place: int, gap: str) -> str:
    """The sign of a claimed change at the run that it is dated to.

    Returns:
        ▼ where a gap shrank, ▲ where it grew, else nothing.
    """
    for change in series.changes:
        if change.gap == gap and change.since == place:
            return "▼" if change.value < 0 else "▲"
    return ""


def verdict_words(ladder: Ladder) -> str:
    """The verdict in a word or two."""
    verdict = ladder.verdict
    return TITLES[verdict.named] if verdict.named else verdict.state.replace("_", " ")


def _table(series: Series, numbers: Numbers, ago: Callable[[float], str]) -> str:
    rungs, gaps = columns_of(series)
    rows = [["#", "run", "when", *(TITLES[rung] for rung in rungs), *(_SHORT[gap] for gap in gaps), "verdict"]]
    for place, entry in enumerate(series.entries):
        cells = [_rung_cell(entry.ladder, rung, numbers) + mark_of(series, place, rung) for rung in rungs]
        cells += [_gap_cell(entry.ladder, gap, numbers) + mark_of(series, place, gap) for gap in gaps]
        name = textwrap.shorten(entry.name, 24, placeholder="…") + ("*" if entry.data_changed else "")
        rows.append([str(place + 1), name, ago(entry.started), *cells, verdict_words(entry.ladder)])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    sides = ["r", "l", "l", *("r" * (len(rungs) + len(gaps))), "l"]
    lines = []
    for place, row in enumerate(rows):
        cells = [f"{c:<{w}}" if side == "l" else f"{c:>{w}}" for c, w, side in zip(row, widths, sides, strict=True)]
        lines.append("  ".join(cells).rstrip())
        if place and (told := changed_words(series.entries[place - 1])):
            indent = " " * (widths[0] + 4)
            lines.append(textwrap.fill(told, WIDTH, initial_indent=indent, subsequent_indent=indent))
    return "\n".join(lines)


def _rung_cell(ladder: Ladder, name: str, numbers: Numbers) -> str:
    rung = ladder.rung(name)
    return "" if rung is None or rung.error is None else numbers.bare(rung.error)


def _gap_cell(ladder: Ladder, name: str, numbers: Numbers) -> str:
    size = size_of(ladder, name)
    return "" if size is None else numbers.bare(size, sign=True)


def changed_words(entry: Entry) -> str:
    """What a run's spec says otherwise than that of the run before.

    Example:
        >>> from mlproj.diagnose import ladder_of, parse_rungs
        >>> ladder = ladder_of(None, given=parse_rungs(["dev=0.1:500"]))
        >>> changed_words(Entry("1", "wide", "train", 0.0, ladder, (("model.width", "64", "256"),)))
        'model.width 64 → 256'
    """
    shown = [f"{path} {_value(old)} → {_value(new)}" for path, old, new in entry.changed[:_MOST_PATHS]]
    more = [f"{len(entry.changed) - _MOST_PATHS} more"] if len(entry.changed) > _MOST_PATHS else []
    return "; ".join(shown + more)


def _value(text: str | None) -> str:
    if text is None:
        return "–"
    try:
        return text if len(text) <= _LONGEST_NUMBER else f"{float(text):.4g}"
    except ValueError:
        return textwrap.shorten(text, 40, placeholder="…") or "''"


def conclusions(series: Series, numbers: Numbers) -> list[str]:
    """Which gap changed since when, in sentences; the claimed changes first."""
    if len(series.entries) < 2:
        return ["There is one run on this dev set: a series begins with the next."]
    claimed = [change for change in series.changes if change.is_claimed]
    places = dict.fromkeys((change.since, change.before) for change in claimed)
    found = [
        _claimed(series, [change for change in claimed if (change.since, change.before) == place], numbers)
        for place in places
    ]
    open_ = [change for change in series.changes if not change.is_claimed]
    if not claimed:
        found.append("No gap is known to have changed: every difference from the newest run may be chance.")
    if open_:
        told = [f"{_title(change.gap)} {_interval(change, numbers)}" for change in open_]
        first = series.entries[0].name
        found.append(f"Not known to have changed{_since_first(open_, first)}: {'; '.join(told)}.")
    return found


def _since_first(changes: Sequence[GapChange], first: str) -> str:
    return f" (against {first})" if all(change.before == 0 for change in changes) else ""


def _claimed(series: Series, changes: Sequence[GapChange], numbers: Numbers) -> str:
    """The changes that are dated to one run, in a sentence, and what that run changed."""
    first, entries = changes[0], series.entries
    before = _called(series, first.before)
    if first.since is None:
        place, told = f"After {before}", " No single step since then is sure by itself."
    else:
        since = entries[first.since]
        words = changed_words(since)
        place = f"Since {_called(series, first.since)} (against {before})"
        told = (f" It changed {words}." if words else "") + (" Its training data are others." * since.data_changed)
    parts = []
    for change in changes:
        size = size_of(series.entries[-1].ladder, change.gap)
        now = "" if size is None else f", now {numbers.value(size)}"
        seeds = ""
        if change.seeds is not None and abs(change.value) <= change.seeds:
            seeds = f" (seeds alone move it by up to {numbers.difference(change.seeds)}: this may be one)"
        parts.append(f"{_title(change.gap)} {direction(change)}, {_interval(change, numbers)}{now}{seeds}")
    return f"{place}: {'; '.join(parts)}.{told}"


def _called(series: Series, place: int) -> str:
    """A run by its name, with its number where the name stands for several."""
    names = [entry.name for entry in series.entries]
    return names[place] if names.count(names[place]) == 1 else f"{names[place]} (#{place + 1})"


def _interval(change: GapChange, numbers: Numbers) -> str:
    limits = f"{numbers.bare(change.low, sign=True)} to {numbers.bare(change.high, sign=True)}"
    unit = " points" if numbers.is_rate else ""
    return f"{numbers.bare(change.value, sign=True)}{unit} ({limits})"


def _title(gap: str) -> str:
    return "dev error" if gap == DEV else TITLES[gap]


def series_notes(series: Series) -> list[str]:
    """What the numbers rest on, and what was left out."""
    notes = []
    if len(series.entries) > 1:
        notes.append(
            f"Changes compare the same dev examples pairwise, with 95 % intervals; {series.tested:,} were tested, and "
            "a claim (▼ shrank, ▲ grew) holds for all at once (Holm, 5 %). Test stays out."
        )
        if series.seeded:
            notes.append(
                f"How much seeds alone do is known from {series.seeded:,} spec{'' if series.seeded == 1 else 's'} that "
                "were trained with several; other changes than those are one training against one."
            )
        else:
            notes.append(
                "Each run is one training with one seed: a change may be the seed's. Train both again with another, "
                "such as --set seed=1, before you build on it."
            )
    if len(series.entries) > 1 and any(entry.kind == "search" for entry in series.entries):
        notes.append("A search stands by its best trial, which was chosen on dev: its dev error flatters a little.")
    if any(entry.data_changed for entry in series.entries):
        notes.append("* trained on other rows, cells or columns than the run before; dev is the same.")
    if series.hidden:
        total = len(series.entries) + series.hidden
        notes.append(f"{series.hidden:,} earlier runs on this dev set are not shown: --last {total}.")
    for reason, names in series.apart.items():
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        notes.append(f"Set apart, {reason}: {shown}.")
    return notes


def _wrap_item(text: str) -> str:
    return textwrap.fill(f"- {text}", WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def series_document(series: Series) -> dict[str, Any]:
    """The series as JSON; numbers that are not finite become null."""
    numbers = series_numbers(series)
    names = [entry.name for entry in series.entries]
    return {
        "runs": [
            {
                "id": entry.id, "name": entry.name, "kind": entry.kind, "started": entry.started,
                "rungs": [
                    {
                        "name": rung.name, "error": finite(rung.error), "low": finite(rung.low),
                        "high": finite(rung.high), "n": rung.n, "method": rung.method,
                    }
                    for rung in entry.ladder.rungs if not rung.sealed
                ],
                "gaps": [
                    {"name": gap.name, "size": finite(gap.size), "low": finite(gap.low), "high": finite(gap.high)}
                    for gap in entry.ladder.gaps
                ],
                "verdict": {"state": entry.ladder.verdict.state, "named": entry.ladder.verdict.named},
                "changed": {path: [old, new] for path, old, new in entry.changed},
                "data_changed": entry.data_changed,
                "steps": [_change(change, names) for change in steps],
            }
            for entry, steps in zip(series.entries, series.steps, strict=True)
        ],
        "changes": [
            _change(change, names)
            | {
                "p_holm": change.p_holm, "direction": direction(change),
                "since": None if change.since is None else series.entries[change.since].id,
                "seeds": finite(change.seeds),
            }
            for change in series.changes
        ],
        "tested": series.tested, "correction": "Holm, two-sided, level 0.05", "seeded": series.seeded,
        "hidden": series.hidden, "apart": [{"reason": r, "runs": list(n)} for r, n in series.apart.items()],
        "conclusion": conclusions(series, numbers), "notes": series_notes(series),
    }  # fmt: skip


def _change(change: GapChange, names: Sequence[str]) -> dict[str, Any]:
    return {
        "gap": change.gap, "before": names[change.before], "after": names[change.after], "value": finite(change.value),
        "low": finite(change.low), "high": finite(change.high), "p": change.p, "n": change.n, "method": change.method,
    }  # fmt: skip
