"""A check-up as text for people and as a JSON document."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mlproj.diagnose.render import align
from mlproj.doctor.checkup import Checkup, Result

WIDTH: Final = 100
_MARKS: Final = {"ok": "ok", "warn": "WARN", "fail": "FAIL", "skipped": "-", "error": "ERROR"}


def render_text(checkup: Checkup, notes: Sequence[str], following: str) -> str:
    """One line per check, then what is wrong in full, a conclusion and the next command.

    Args:
        checkup: What was seen.
        notes: What else a reader should know.
        following: The next command.
    """
    rows = [["", "check", "what was seen"]]
    indent = 4 + max(len(each.code) for each in checkup.results) + 5
    for each in checkup.results:
        if each.verdict != "skipped":
            rows += _row(each, indent)
    parts = [align(rows, "lll")]
    if skipped := checkup.of("skipped"):
        parts.append("\n".join(["skipped:", *_reasons(skipped)]))
    wrong = [*checkup.of("fail"), *checkup.of("error"), *checkup.of("warn")]
    parts += [_explained(each) for each in wrong if each.advice or each.verdict == "error"]
    parts += [_fill(conclusion(checkup)), *(_fill(f"note: {note}") for note in notes), f"next: {following}"]
    return "\n\n".join(parts)


def _row(each: Result, indent: int) -> list[list[str]]:
    lines = textwrap.wrap(each.text, WIDTH - indent, break_long_words=False) or [""]
    first = [_MARKS[each.verdict], each.code, lines[0]]
    return [first, *(["", "", line] for line in lines[1:])]


def _reasons(skipped: Sequence[Result]) -> list[str]:
    """Skipped checks, those with one reason together."""
    by_reason: dict[str, list[str]] = {}
    for each in skipped:
        by_reason.setdefault(each.text, []).append(each.code)
    return [_fill(f"  {', '.join(codes)}: {reason}", "    ") for reason, codes in by_reason.items()]


def _explained(each: Result) -> str:
    """What a check asks for, what to do, and where to read about it."""
    head = _fill(f"{_MARKS[each.verdict]} {each.code}: what should hold is that {each.title}.")
    advice = _fill(f"  {each.advice}", "  ") if each.advice else ""
    command = f"    {each.command}" if each.command else ""
    page = f"  ({each.page}; --ignore {each.code} leaves it out)"
    return "\n".join(line for line in (head, advice, command, page) if line)


def conclusion(checkup: Checkup) -> str:
    """What it all comes to, in a sentence or two."""
    ran, names = len(checkup.results) - len(checkup.of("skipped")), _names
    count = f"{ran} check{'s' * (ran != 1)} ran"
    if failed := checkup.of("fail"):
        return f"Verdict: something is broken ({names(failed)}): mend that before believing any figure. {count}."
    if broken := checkup.of("error"):
        return f"Verdict: {names(broken)} could not be carried out, so nothing is known about it. {count}."
    if warned := checkup.of("warn"):
        return f"Verdict: nothing is broken for sure, but look at {names(warned)}. {count}."
    if not ran:
        return "Verdict: no check could be carried out."
    return f"Verdict: healthy. {count} and found nothing."


def _names(results: Sequence[Result]) -> str:
    return ", ".join(each.code for each in results)


def _fill(text: str, indent: str = "") -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def to_document(checkup: Checkup, notes: Sequence[str], following: str, *, run: Mapping[str, Any]) -> dict[str, Any]:
    """A check-up as a JSON document; numbers that are not finite become null.

    Args:
        checkup: What was seen.
        notes: What else a reader should know.
        following: The next command.
        run: Id and name of the run it speaks of, and how that was chosen.
    """
    return {
        "run": dict(run),
        "verdict": checkup.verdict,
        "text": conclusion(checkup),
        "checks": [
            {
                "code": each.code, "title": each.title, "verdict": each.verdict, "text": each.text, "n": each.n,
                "method": each.method, "numbers": plain(each.numbers), "advice": each.advice,
                "command": each.command or None, "page": each.page, "seconds": round(each.seconds, 3),
            }
            for each in checkup.results
        ],
        "ignored": list(checkup.ignored),
        "notes": list(notes),
        "next": following,
    }  # fmt: skip


def plain(value: Any) -> Any:
    """A value as JSON can hold it.

    Example:
        >>> plain({"a": (1.5, float("nan")), "b": "x"})
        {'a': [1.5, None], 'b': 'x'}
    """
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int):
        return value
    return float(value) if math.isfinite(value) else None
