"""What `errors apply` prints."""

from typing import TYPE_CHECKING

from mlproj.cli.text import figure, table

if TYPE_CHECKING:
    from mlproj.workflow.errors_apply import Applied, Rejudged

_SHOWN = 12
_LEFT = {
    "disputed": "on which reviewers disagree",
    "ambiguous": "that are ambiguous",
    "wrong_without_correction": "that are wrong, but nobody says what they should be",
}


def applied_text(applied: "Applied") -> str:
    """The corrections that are new, the stored runs before and after, and the next command."""
    verb = "Would write" if applied.dry_run else "Wrote"
    count = f"{len(applied.new)} correction{'' if len(applied.new) == 1 else 's'}"
    parts = [f"{verb} {count} to {applied.file}." if applied.new else "Nothing new to correct."]
    if applied.new:
        rows = [(c.id, c.was, c.label, c.by) for c in applied.new[:_SHOWN]]
        more = f"\nand {len(applied.new) - _SHOWN} more" if len(applied.new) > _SHOWN else ""
        parts.append(table(("id", "was", "label", "by"), rows) + more)
    left = [f"{n} labels {_LEFT[what]} were left as they are." for what, n in applied.left.items() if n]
    if left:
        parts.append("\n".join(left))
    if applied.runs:
        judged = [
            (run.run.name, run.metric, figure(run.metric, run.before), figure(run.metric, run.after), _limits(run))
            for run in applied.runs[:_SHOWN]
        ]
        header = ("run on dev", "metric", "before", "after", "change, 95 % interval")
        parts.append(table(header, judged, right=(2, 3)))
    if applied.notes:
        parts.append("\n".join(f"note: {note}" for note in applied.notes))
    return "\n\n".join([*parts, f"next: {applied.next}"])


def _limits(run: "Rejudged") -> str:
    if run.low is None or run.high is None:
        return ""
    return f"[{figure(run.metric, run.low)}, {figure(run.metric, run.high)}]"
