"""A ladder for people (`render_text`) and for programs (`to_document`)."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from mlproj.diagnose.rungs import is_rate
from mlproj.diagnose.table import missing_lines, table_rows
from mlproj.diagnose.words import TITLES, Numbers, choose_numbers, show_chance
from mlproj.records import Gap, Ladder, Remedy, Rung

WIDTH = 96
"""Columns that the text stays within."""
_EXAMPLE = "\n      (the figure after {} is an example: measure, and put the measured one in its place)"
_GROWN = "\n      (as if so many examples had the same error: measure, and put the measured figures in place)"
_SHOWN = 4
"""Remedies shown; more would bury the next command."""


def render_text(
    ladder: Ladder,
    remedies: Sequence[Remedy] = (),
    next_command: str = "",
    *,
    brief: bool = False,
    more: Sequence[str] = (),
) -> str:
    """The ladder as a table with its verdict, remedies and next command; plain text.

    Args:
        ladder: The ladder.
        remedies: What to do about its gaps.
        next_command: The command to run next.
        brief: Whether notes, remedies and blank lines are left out.
        more: Further blocks, shown after the notes.
    """
    errors = [rung.error for rung in ladder.rungs if rung.error is not None]
    numbers = choose_numbers(errors, is_rate=is_rate(ladder.metric))
    blocks = [align(_rung_rows(ladder, numbers), "lrlrll")]
    if ladder.gaps:
        blocks.append(align(_gap_rows(ladder, numbers), "lrlrrl"))
    if ladder.labels:
        blocks.append(align(_label_rows(ladder), "lr" + "r" * len(_measured(ladder)) + "ll"))
    if ladder.table is not None and ladder.table["says_more"] and not brief:
        lines = [align(table_rows(ladder.table, numbers), "lrlrlr"), *missing_lines(ladder.table, WIDTH)]
        blocks.append("\n".join(lines))
    blocks.append(wrap(f"Verdict: {ladder.verdict.text}"))
    if ladder.notes and not brief:
        blocks.append("\n".join(wrap(f"- {note}", "  ") for note in ladder.notes))
    if not brief:
        blocks += [block for block in more if block]
    if remedies and not brief:
        blocks.append(_remedy_block(ladder, remedies))
    if next_command:
        blocks.append(f"Next: {next_command}{_caution(ladder, next_command)}")
    return ("\n" if brief else "\n\n").join(blocks)


def _caution(ladder: Ladder, command: str) -> str:
    """What to say of a command that holds figures nobody has measured yet; nothing for any other."""
    grow = (ladder.verdict.resolve or {}).get("grow", "")
    if " --human " in command:
        return _EXAMPLE.format("--human")
    if not grow or f"{grow}=" not in command:
        return ""
    return _EXAMPLE.format(f"{grow}=") if ladder.rung(grow) is None else _GROWN


def _rung_rows(ladder: Ladder, numbers: Numbers) -> list[list[str]]:
    unit = " %" if numbers.is_rate else ""
    differ = ladder.rung("train_dev") is not None or any(gap.name == "variance_or_data_mismatch" for gap in ladder.gaps)
    rows = [["rung", f"{ladder.scale}{unit}", "95 % interval", "n", "distribution" if differ else "", ""]]
    for rung in ladder.rungs:
        n = f"{rung.n:,}" if rung.n is not None else ""
        error = "sealed" if rung.error is None else numbers.bare(rung.error)
        place = (rung.distribution or "both") if differ else ""
        rows.append([TITLES[rung.name], error, _interval(rung, numbers), n, place, rung.source])
    if ladder.constant and ladder.constant["value"] is not None:
        words = textwrap.shorten(f"always {ladder.constant['answer']}", 40)
        rows.append(["constant", numbers.bare(ladder.constant["value"]), words, "", "", ""])
    return rows


def _interval(rung: Rung, numbers: Numbers) -> str:
    if rung.error is None:
        return ""
    if rung.low == rung.high == rung.error and rung.n is None:
        return "constant"
    return f"[{numbers.bare(rung.low)}, {numbers.bare(rung.high)}]"


def _gap_rows(ladder: Ladder, numbers: Numbers) -> list[list[str]]:
    worth = f"P(> {numbers.bare(ladder.verdict.min_gap)})"
    rows = [["gap", "points" if numbers.is_rate else "size", "95 % interval", worth, "P(largest)", ""]]
    for gap in ladder.gaps:
        mark = "mixed " * gap.mixed + "<- named" * (gap.name == ladder.verdict.named)
        chances = show_chance(gap.p_worth), show_chance(gap.p_largest)
        rows.append([TITLES[gap.name], *_gap_numbers(gap, numbers), *chances, mark])
    return rows


def _measured(ladder: Ladder) -> list[str]:
    """Names of the rungs that a label's own ladder may have."""
    return [rung.name for rung in ladder.rungs if rung.error is not None and rung.name != "human"]


def _label_rows(ladder: Ladder) -> list[list[str]]:
    """One line per label: its rungs, and its largest gap with the probability that it is the largest."""
    names = _measured(ladder)
    rows = [["label", "scale", *(TITLES[name] for name in names), "largest gap", ""]]
    for label, own in ladder.labels.items():
        errors = {rung.name: rung.error for rung in own.rungs if rung.error is not None}
        numbers = choose_numbers(list(errors.values()), is_rate=is_rate(own.metric))
        top = max(own.gaps, key=lambda gap: gap.p_largest, default=None)
        found = "" if top is None else f"{TITLES[top.name]} ({show_chance(top.p_largest)})"
        cells = [numbers.bare(errors[name]) if name in errors else "" for name in names]
        scale = own.scale + (" %" if numbers.is_rate else "")
        mark = "<- named" if own.verdict.named else ""
        rows.append([textwrap.shorten(label, 24, placeholder="…"), scale, *cells, found, mark])
    return rows


def _gap_numbers(gap: Gap, numbers: Numbers) -> tuple[str, str]:
    if gap.name == "avoidable_bias" and gap.size < 0:
        return "none", f"up to {numbers.bare(max(gap.high, 0.0), sign=True)}" if gap.high > 0 else ""
    return numbers.bare(
        gap.size, sign=True
    ), f"[{numbers.bare(gap.low, sign=True)}, {numbers.bare(gap.high, sign=True)}]"


def align(rows: Sequence[Sequence[str]], sides: str) -> str:
    """Rows as columns two blanks apart, each flush left (l) or right (r).

    Args:
        rows: Cells as text, the header among them.
        sides: One letter per column, l or r.

    Example:
        >>> print(align([["gap", "points"], ["variance", "+5.9"]], "lr"))
        gap       points
        variance    +5.9
    """
    widths = [max(len(row[k]) for row in rows) for k in range(len(sides))]
    lines = []
    for row in rows:
        cells = [f"{c:<{w}}" if side == "l" else f"{c:>{w}}" for c, w, side in zip(row, widths, sides, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _remedy_block(ladder: Ladder, remedies: Sequence[Remedy]) -> str:
    lines = ["What helps:"]
    for remedy in remedies[:_SHOWN]:
        against = "" if remedy.gap == ladder.verdict.named else f" against {TITLES[remedy.gap]}"
        lines.append(wrap(f"- {remedy.action}{against}: {remedy.why}", "  "))
        lines += [f"    {remedy.command}"] if remedy.command else []
    if len(remedies) > _SHOWN:
        lines.append(f"- {len(remedies) - _SHOWN} more in the JSON document (--json)")
    return "\n".join(lines)


def wrap(text: str, indent: str = "") -> str:
    """Text in lines of at most `WIDTH` columns, all but the first indented."""
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def to_document(
    ladder: Ladder, remedies: Sequence[Remedy] = (), next_command: str = "", *, run: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The ladder as a JSON document; numbers that are not finite become null.

    Args:
        ladder: The ladder.
        remedies: What to do about its gaps.
        next_command: The command to run next.
        run: Id and name of the run it speaks of, and how that was chosen.
    """
    verdict = ladder.verdict
    return {
        "run": dict(run or {"id": None, "name": None, "chosen": None}),
        "metric": ladder.metric,
        "scale": ladder.scale,
        "rungs": [_rung_document(rung) for rung in ladder.rungs],
        "gaps": [_gap_document(gap) for gap in ladder.gaps],
        "verdict": {
            "state": verdict.state,
            "named": verdict.named,
            "candidates": list(verdict.candidates),
            "text": verdict.text,
            "resolve": None if verdict.resolve is None else dict(verdict.resolve),
            "min_gap": finite(verdict.min_gap),
            "regret": finite(verdict.regret),
            "confidence_set": list(verdict.confidence_set),
        },
        "constant": None if ladder.constant is None else dict(ladder.constant),
        "remedies": [
            {"action": remedy.action, "gap": remedy.gap, "why": remedy.why, "command": remedy.command}
            for remedy in remedies
        ],
        "next": next_command,
        "notes": list(ladder.notes),
        "label": ladder.label or None,
        "matched_prevalence": None if ladder.matched is None else dict(ladder.matched),
        "human": None if ladder.people is None else dict(ladder.people),
        "table": None if ladder.table is None else dict(ladder.table),
        "labels": [{"label": label, **_own_document(own)} for label, own in ladder.labels.items()],
    }


def _own_document(ladder: Ladder) -> dict[str, Any]:
    """The ladder of one of several labels: what can be said without a project."""
    whole = to_document(ladder)
    return {key: whole[key] for key in ("metric", "scale", "rungs", "gaps", "verdict", "constant", "notes")}


def _rung_document(rung: Rung) -> dict[str, Any]:
    return {
        "name": rung.name,
        "error": finite(rung.error),
        "low": finite(rung.low),
        "high": finite(rung.high),
        "n": rung.n,
        "distribution": rung.distribution,
        "sealed": rung.sealed,
        "method": rung.method,
        "source": rung.source or None,
        "bracket": None if rung.floor is None else {"low": finite(rung.floor), "high": finite(rung.error)},
    }


def _gap_document(gap: Gap) -> dict[str, Any]:
    return {
        "name": gap.name,
        "size": finite(gap.size),
        "low": finite(gap.low),
        "high": finite(gap.high),
        "p_largest": finite(gap.p_largest),
        "p_above_min_gap": finite(gap.p_worth),
        "regret": finite(gap.regret),
        "band": {"low": finite(gap.band[0]), "high": finite(gap.band[1])},
        "n": dict(gap.n),
        "method": gap.method,
        "bracket": None if gap.other_end is None else {"low": finite(gap.size), "high": finite(gap.other_end)},
        "mixed": gap.mixed,
    }


def finite(number: float | None) -> float | None:
    """A number as JSON can hold it: what is not finite becomes null.

    Example:
        >>> finite(0.5), finite(float("inf"))
        (0.5, None)
    """
    return float(number) if number is not None and math.isfinite(number) else None
