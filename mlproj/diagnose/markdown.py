"""Ladders and series as sections of Markdown, for reports and pull requests."""

from collections.abc import Callable, Sequence

from mlproj.diagnose.render import finite
from mlproj.diagnose.rungs import is_rate
from mlproj.diagnose.series import size_of
from mlproj.diagnose.series_text import (
    changed_words,
    columns_of,
    conclusions,
    mark_of,
    series_notes,
    series_numbers,
    verdict_words,
)
from mlproj.diagnose.words import TITLES, Numbers, choose_numbers, show_chance
from mlproj.records import Gap, Ladder, Remedy, Rung, Series

MARK = "<!-- written by mlproj diagnose bias-variance -->"
"""First line of a file that may be written anew."""


def ladder_markdown(
    ladder: Ladder, remedies: Sequence[Remedy], next_command: str, *, about: str, level: int = 2
) -> str:
    """A ladder as a section: rungs, gaps, verdict, notes, remedies and the next command.

    Args:
        ladder: The ladder.
        remedies: What to do about its gaps.
        next_command: The command to run next.
        about: What it speaks of, in a line.
        level: Depth of the heading.
    """
    errors = [rung.error for rung in ladder.rungs if rung.error is not None]
    numbers = choose_numbers(errors, is_rate=is_rate(ladder.metric))
    parts = [f"{'#' * level} Bias and variance", escape(about), _rungs(ladder, numbers)]
    if ladder.gaps:
        parts.append(_gaps(ladder, numbers))
    if ladder.labels:
        parts.append(_labels(ladder))
    parts.append(f"**Verdict:** {escape(ladder.verdict.text)}")
    if ladder.notes:
        parts.append(_items([escape(note) for note in ladder.notes]))
    if remedies:
        told = [
            f"{escape(r.action)} (against {TITLES[r.gap]}): {escape(r.why)}"
            + (f" {code(r.command)}" if r.command else "")
            for r in remedies
        ]
        parts.append(f"{'#' * (level + 1)} What helps\n\n{_items(told)}")
    if next_command:
        parts.append(f"Next: {code(next_command)}")
    return "\n\n".join(parts) + "\n"


def series_markdown(series: Series, when: Callable[[float], str], *, level: int = 2) -> str:
    """A series as a section: a row per run, what changed since when, and notes.

    Args:
        series: The series.
        when: A moment in words.
        level: Depth of the heading.
    """
    numbers = series_numbers(series)
    rungs, gaps = columns_of(series)
    unit = " in %" if numbers.is_rate else ""
    head = ["#", "run", "when", *(TITLES[rung] for rung in rungs), *(TITLES[gap] for gap in gaps), "verdict", "changed"]
    rows = []
    for place, entry in enumerate(series.entries):
        cells = [_rung(entry.ladder.rung(name), numbers) + mark_of(series, place, name) for name in rungs]
        cells += [_size(entry.ladder, name, numbers) + mark_of(series, place, name) for name in gaps]
        told = changed_words(entry) + (" (other training data)" if entry.data_changed else "")
        rows.append(
            [str(place + 1), entry.name, when(entry.started), *cells, verdict_words(entry.ladder), told.strip()]
        )
    sides = "rll" + "r" * (len(rungs) + len(gaps)) + "ll"
    parts = [
        f"{'#' * level} The ladder over {len(series.entries):,} runs",
        f"{escape(series.entries[-1].ladder.scale)}{unit}, with 95 % intervals; newest last.",
        table(head, rows, sides),
        _items([escape(text) for text in conclusions(series, numbers)]),
        _items([escape(text) for text in series_notes(series)]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], sides: str) -> str:
    r"""A table; cells are escaped.

    Example:
        >>> print(table(["run", "dev"], [["a|b", "9.1"]], "lr"))
        | run | dev |
        |---|--:|
        | a\|b | 9.1 |
    """
    rule = "|".join("--:" if side == "r" else "---" for side in sides)
    lines = [f"| {' | '.join(escape(cell) for cell in row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(map(escape, head))} |", f"|{rule}|", *lines])


def escape(text: str) -> str:
    r"""Text that Markdown shows as it is, but for code between backticks: no markup, no HTML, no end of a cell.

    Example:
        >>> print(escape("a|b *c* <d>"))
        a\|b \*c\* &lt;d&gt;
        >>> print(escape("say `a_b`, not a_b"))
        say `a_b`, not a\_b
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:  # an odd backtick out is no code
        parts = [text]
    shown = [part.replace("|", "\\|") if place % 2 else _plain(part) for place, part in enumerate(parts)]
    return " ".join("`".join(shown).split())


def _plain(text: str) -> str:
    for letter in "\\`*_|[]#":
        text = text.replace(letter, f"\\{letter}")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """A command as code, whatever backticks it holds.

    Example:
        >>> code("mlproj runs")
        '`mlproj runs`'
    """
    fence = "`"
    while fence in text:
        fence += "`"
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _items(texts: Sequence[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def _rungs(ladder: Ladder, numbers: Numbers) -> str:
    unit = " %" if numbers.is_rate else ""
    rows = []
    for rung in ladder.rungs:
        n = f"{rung.n:,}" if rung.n is not None else ""
        error = "sealed" if rung.error is None else numbers.bare(rung.error)
        rows.append([TITLES[rung.name], error, _interval(rung, numbers), n, rung.method])
    if ladder.constant and ladder.constant["value"] is not None:
        rows.append(["constant", numbers.bare(ladder.constant["value"]), f"always {ladder.constant['answer']}", "", ""])
    return table(["rung", f"{ladder.scale}{unit}", "95 % interval", "n", "method"], rows, "lrlrl")


def _interval(rung: Rung, numbers: Numbers) -> str:
    if rung.error is None:
        return ""
    if rung.low == rung.high == rung.error:
        return "constant"
    return f"{numbers.bare(rung.low)} to {numbers.bare(rung.high)}"


def _gaps(ladder: Ladder, numbers: Numbers) -> str:
    worth = f"P(> {numbers.bare(ladder.verdict.min_gap)})"
    head = ["gap", "points" if numbers.is_rate else "size", "95 % interval", worth, "P(largest)", ""]
    rows = []
    for gap in ladder.gaps:
        mark = "named" if gap.name == ladder.verdict.named else ""
        chances = show_chance(gap.p_worth), show_chance(gap.p_largest)
        rows.append([TITLES[gap.name], *_gap(gap, numbers), *chances, mark])
    return table(head, rows, "lrlrrl")


def _gap(gap: Gap, numbers: Numbers) -> tuple[str, str]:
    if gap.name == "avoidable_bias" and gap.size < 0:
        return "none", f"up to {numbers.bare(max(gap.high, 0.0), sign=True)}" if gap.high > 0 else ""
    limits = f"{numbers.bare(finite(gap.low), sign=True)} to {numbers.bare(finite(gap.high), sign=True)}"
    return numbers.bare(gap.size, sign=True), limits


def _labels(ladder: Ladder) -> str:
    """One row per label: its dev error and its verdict."""
    rows = []
    for label, own in ladder.labels.items():
        errors = [rung.error for rung in own.rungs if rung.error is not None]
        numbers = choose_numbers(errors, is_rate=is_rate(own.metric))
        rows.append([label, own.scale, _rung(own.rung("dev"), numbers), verdict_words(own)])
    return table(["label", "scale", "dev", "verdict"], rows, "llrl")


def _rung(rung: Rung | None, numbers: Numbers) -> str:
    if rung is None or rung.error is None:
        return ""
    return f"{numbers.bare(rung.error)} [{numbers.bare(rung.low)}, {numbers.bare(rung.high)}]"


def _size(ladder: Ladder, name: str, numbers: Numbers) -> str:
    gap = next((gap for gap in ladder.gaps if gap.name == name), None)
    return "" if gap is None or size_of(ladder, name) is None else " [".join(_gap_cells(gap, numbers))


def _gap_cells(gap: Gap, numbers: Numbers) -> tuple[str, str]:
    limits = f"{numbers.bare(finite(gap.low), sign=True)}, {numbers.bare(finite(gap.high), sign=True)}]"
    return numbers.bare(gap.size, sign=True), limits
