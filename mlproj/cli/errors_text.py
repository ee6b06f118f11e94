"""What `errors apply` prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlproj.cli.tables import table
from mlproj.cli.text import RATES, figure

if TYPE_CHECKING:
    from mlproj.workflow.errors_apply import Applied
    from mlproj.workflow.rejudge import Change, Rejudged

_SHOWN = 12
_LEFT = {
    "disputed": (
        "label on which reviewers disagree: left as it is",
        "labels on which reviewers disagree: left as they are",
    ),
    "ambiguous": ("label that is ambiguous: left as it is", "labels that are ambiguous: left as they are"),
    "wrong_without_correction": (
        "label that is wrong, but nobody says what it should be: left as it is",
        "labels that are wrong, but nobody says what they should be: left as they are",
    ),
}
"""What is said of one label that is not corrected, and of several."""


def applied_text(applied: "Applied") -> str:
    """The corrections that are new, the stored runs before and after, and the next command."""
    parts = [_edits_text(applied)]
    left = [f"{n:,} {_LEFT[what][n > 1]}." for what, n in applied.left.items() if n]
    disputes = [
        f"  {conflict.id}: " + "; ".join(f"{who or 'somebody'} says {value} ({at})" for who, value, at in conflict.said)
        for conflict in applied.conflicts[:_SHOWN]
    ]
    if left:
        parts.append("\n".join([*left[:1], *disputes, *left[1:]] if disputes else left))
    if applied.runs:
        parts.append(_runs_text(applied.runs))
    if applied.ranking is not None:
        parts.append(applied.ranking.text)
    if applied.notes:
        parts.append("\n".join(f"note: {note}" for note in applied.notes))
    return "\n\n".join([*parts, f"next: {applied.next}"])


def _edits_text(applied: "Applied") -> str:
    if not applied.edits:
        return "Nothing new to correct."
    verb = "Would write" if applied.dry_run else "Wrote"
    several = any(edit.correction.of for edit in applied.edits)
    rows = [
        (edit.correction.id, *([edit.correction.of] if several else []), edit.before, edit.correction.label,
         edit.correction.by, edit.split.replace("_", "-") + (f", {edit.action}" if edit.action != "added" else ""))
        for edit in applied.edits[:_SHOWN]
    ]  # fmt: skip
    header = ("id", *(["of"] if several else []), "until now", "label", "by", "split")
    more = f"\nand {len(applied.edits) - _SHOWN:,} more" if len(applied.edits) > _SHOWN else ""
    return f"{verb} {_count(len(applied.edits), 'correction')} to {applied.file}.\n\n{table(header, rows)}{more}"


def _runs_text(runs: "Sequence[Rejudged]") -> str:
    """Each run by the labels of the data and by the corrected ones, a line per metric and split."""
    rows = [
        (judged.run.name, change.split.replace("_", "-"), change.metric, figure(change.metric, change.before),
         figure(change.metric, change.after), *_moved(change))
        for judged in runs[:_SHOWN]
        for change in judged.changes
    ]  # fmt: skip
    header = ("run", "split", "metric", "before", "after", "change", "95 % interval")
    more = f"\nand {len(runs) - _SHOWN:,} more runs (--json lists them)" if len(runs) > _SHOWN else ""
    return "Stored runs by the labels of the data and by the corrected ones, their answers as they were:\n" + (
        table(header, rows, right=(3, 4, 5)) + more
    )


def _moved(change: "Change") -> tuple[str, str]:
    """The change with its limits, rates in points."""
    scale, digits = (100, ".1f") if change.metric in RATES else (1, ".4g")
    numbers = [change.after - change.before, change.low, change.high]
    texts = ["" if value is None else f"{value * scale:+{digits}}" for value in numbers]
    return texts[0], f"[{texts[1]}, {texts[2]}]" if texts[1] and texts[2] else ""


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
