"""The report on a model's columns, for people (`features_text`) and for programs (`features_document`)."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from math import floor, isfinite, log10
from typing import Any

from mlproj.diagnose.features import group_name, numbers_of
from mlproj.diagnose.render import WIDTH, finite
from mlproj.diagnose.rungs import is_rate
from mlproj.diagnose.words import Numbers
from mlproj.records import FeatureReport, Importance, LeakSuspect
from mlproj.spec.goal import LOSSES

_BAR, _NAME, _SHOWN = 16, 34, 20
_ALONE = "share of the label's variance, cross-fitted in two halves of train"
_STATES = {"matters": "matters", "hurts": "HURTS", "unclear": "", "unused": "not used"}


def features_text(report: FeatureReport, conclusion: str, commands: Mapping[str, str], next_command: str) -> str:
    """A table with bars, suspects with what to do, the conclusion and the next command; plain text.

    Args:
        report: The report.
        conclusion: What it comes to.
        commands: By suspicious column, the command that tests what the model is worth without it.
        next_command: The command to run next.
    """
    numbers = numbers_of(report)
    blocks = [_base_line(report, numbers), _table(report, numbers)]
    if report.suspects:
        blocks.append(_suspects(report.suspects, commands))
    blocks.append(_wrap(conclusion))
    blocks.append("\n".join(_wrap(f"- {note}", "  ") for note in (*_how(report), *report.notes)))
    blocks.append(f"next: {next_command}")
    return "\n\n".join(blocks)


def scale_of(metric: str) -> str:
    """What the numbers are: the metric, or 1 − the metric for a score."""
    return metric if metric in LOSSES else f"1 - {metric}"


def _base_line(report: FeatureReport, numbers: Numbers) -> str:
    value, low, high = report.base
    top = numbers.bare(high if isfinite(high) else None)
    text = f"{scale_of(report.metric)} on dev: {numbers.value(value)} [{numbers.bare(low)}, {top}]"
    return text + ("" if report.constant is None else f"; the constant answer: {numbers.value(report.constant)}")


def _table(report: FeatureReport, numbers: Numbers) -> str:
    unit = "points" if numbers.is_rate else "rise"
    rows = [["columns shuffled", unit, "95 % interval", "alone", "", ""]]
    largest = max((abs(each.value) for each in report.importances if isfinite(each.value)), default=0.0)
    for each in _shown(report.importances):
        rows.append(_row(each, numbers, report, largest))
        rows += [_row(member, numbers, report, largest, indent="  ") for member in each.members]
    widths = [max(len(row[k]) for row in rows) for k in range(5)]
    lines = [
        f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:<{widths[2]}}  {d:>{widths[3]}}  {e:<{widths[4]}}  {f}".rstrip()
        for a, b, c, d, e, f in rows
    ]
    hidden = len(report.importances) - len(_shown(report.importances))
    return "\n".join([*lines, *([f"… {hidden:,} more groups in the JSON document (--json)"] if hidden else [])])


def _shown(found: Sequence[Importance]) -> Sequence[Importance]:
    """The first and all that hurt; a table of hundreds of columns helps nobody."""
    return [each for place, each in enumerate(found) if place < _SHOWN or each.state == "hurts"]


def _row(each: Importance, numbers: Numbers, report: FeatureReport, largest: float, indent: str = "") -> list[str]:
    name = textwrap.shorten(group_name(each.columns), _NAME - len(indent), placeholder=" …") or each.columns[0][:_NAME]
    if not isfinite(each.value):
        return [indent + name, "undefined", "", "", "", ""]
    shown = _writer(numbers, largest)
    limits = f"[{shown(each.low)}, {shown(each.high)}]"
    share = report.alone.get(each.columns[0]) if len(each.columns) == 1 else None
    alone = "" if share is None else f"{100 * share:.0f} %"
    cells = round(_BAR * abs(each.value) / largest) if largest else 0
    bar = ("█" if each.value > 0 else "░") * cells
    state = "" if indent else _STATES[each.state]
    return [indent + name, shown(each.value), limits, alone, "" if indent else bar, state]


def _writer(numbers: Numbers, largest: float) -> Callable[[float], str]:
    """How the rises of one table are written: points, or with so many digits that the largest shows three."""
    if numbers.is_rate:
        return lambda number: numbers.bare(number if isfinite(number) else None, sign=True)
    digits = max(0, 2 - floor(log10(largest))) if largest > 0 else 2
    return lambda number: f"{number:+,.{digits}f}" if isfinite(number) else f"{number:+}"


def _suspects(suspects: Sequence[LeakSuspect], commands: Mapping[str, str]) -> str:
    lines = ["Leak suspects:"]
    for column in dict.fromkeys(suspect.column for suspect in suspects):
        signs = [suspect for suspect in suspects if suspect.column == column]
        mark = "likely a leak" if any(sign.strong for sign in signs) else "worth a look"
        lines.append(_wrap(f"- {column} ({mark}): {'; '.join(sign.evidence for sign in signs)}.", "  "))
        lines.append(_wrap(f"  {advice(signs)}", "  "))
        lines.append(f"    {commands[column]}")
    return "\n".join(lines)


def advice(signs: Sequence[LeakSuspect]) -> str:
    """What to do about a suspicious column.

    Example:
        >>> advice([LeakSuspect("reason", "name", "", 0.9, 100, "")])
        'Known only afterwards? Write `data: {exclude: [reason]}`. What the model is worth without it:'
    """
    column = signs[0].column
    if signs[0].kind == "time":
        return (
            f"If the model is to foretell, write `data: {{time: {column}}}` and deal anew. What it is worth without it:"
        )
    if signs[0].kind == "id":
        return (
            f"If it names the example, write `data: {{id: {column}}}`, else `data: {{exclude: [{column}]}}`. "
            "What the model is worth without it:"
        )
    return f"Known only afterwards? Write `data: {{exclude: [{column}]}}`. What the model is worth without it:"


def _how(report: FeatureReport) -> list[str]:
    repeats = max((each.repeats for each in report.importances), default=0)
    unit = "points of it" if is_rate(report.metric) else "its units"
    together = (
        "as given" if report.correlation is None else f"when they correlate above {report.correlation:g} on average"
    )
    notes = [
        f"By how much {scale_of(report.metric)} on dev ({report.n:,} examples) rises, in {unit}, when the columns' "
        f"cells come from other examples ({repeats} times each); for this model as trained. Columns are shuffled "
        f"together {together}.",
        "The intervals hold the noise of the shuffling and of the dev examples, each at 95 %. "
        f"{len(report.importances):,} groups were tested; `matters` and `HURTS` hold for all of them at once (Holm, "
        "5 %).",
    ]
    if report.alone:
        notes.append(
            f"alone: share of the label's variance that the column explains by itself on train ({report.alone_n:,} "
            "examples, cross-fitted)."
        )
    return notes


def _wrap(text: str, indent: str = "") -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def features_document(
    report: FeatureReport,
    conclusion: str,
    commands: Mapping[str, str],
    next_command: str,
    *,
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """The JSON document of `mlproj diagnose features`; numbers that are not finite become null.

    Args:
        report: The report.
        conclusion: What it comes to.
        commands: By suspicious column, the command that tests what the model is worth without it.
        next_command: The command to run next.
        run: Id and name of the run, and how it was chosen.
    """
    value, low, high = report.base
    base = {
        "value": finite(value),
        "low": finite(low),
        "high": finite(high),
        "n": report.n,
        "method": report.base_method,
    }
    return {
        "run": dict(run),
        "metric": report.metric,
        "scale": scale_of(report.metric),
        "split": "dev",
        "base": base,
        "constant": None if report.constant is None else finite(report.constant),
        "tested": len(report.importances),
        "correction": "Holm, two-sided, level 0.05",
        "correlation": report.correlation,
        "importances": [_importance(each) for each in report.importances],
        "alone": {
            name: {"value": share, "n": report.alone_n, "method": _ALONE} for name, share in report.alone.items()
        },
        "suspects": [
            {
                "column": suspect.column, "kind": suspect.kind, "strong": suspect.strong, "evidence": suspect.evidence,
                "value": finite(suspect.value), "n": suspect.n, "method": suspect.method, "key": suspect.key,
                "command": commands[suspect.column],
            }
            for suspect in report.suspects
        ],
        "hurts": [list(each.columns) for each in report.of_state("hurts")],
        "conclusion": conclusion,
        "next": next_command,
        "notes": list(report.notes),
    }  # fmt: skip


def _importance(each: Importance) -> dict[str, Any]:
    found = {
        "columns": list(each.columns), "value": finite(each.value), "low": finite(each.low), "high": finite(each.high),
        "p": each.p, "n": each.n, "repeats": each.repeats, "method": each.method,
    }  # fmt: skip
    if each.p_holm is None:
        return found
    return found | {
        "p_holm": each.p_holm,
        "state": each.state,
        "members": [_importance(member) for member in each.members],
    }
