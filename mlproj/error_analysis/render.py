"""A summary as text: what the reasons are worth, what the labels do, where it is worse, and one verdict."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlproj.error_analysis.sheet import Manifest

Rows = Sequence[Mapping[str, Any]]
_SHOWN = 12
_LOSS = {"mse": "squared error", "mae": "absolute error"}
CAVEAT = " (they were chosen because they were wrong then: some come right by chance alone)."


def unit_of(manifest: Manifest) -> Callable[[float | None], str]:
    """How errors are shown: rates in per cent, losses with four digits."""
    if manifest.task == "classification":
        return lambda value: "–" if value is None else f"{100 * value:.2f}"
    return lambda value: "–" if value is None else f"{value:.4g}"


def verdict(
    manifest: Manifest, tags: Rows, against: Mapping[str, Any] | None, n: int, left: float = math.inf
) -> tuple[str, str | None]:
    """The line that says which reason is the largest, and its name; None where that cannot be told yet.

    Args:
        manifest: How the sheet was drawn.
        tags: What `ceilings` found.
        against: What `difference` found of the two largest.
        n: Errors that were looked at.
        left: Errors of the split that nobody looked at yet.
    """
    show, error = unit_of(manifest), "points" if manifest.task == "classification" else "of the error"
    held = [row for row in tags if row["count"]]
    if not n:
        return "No error was looked at yet: write into the sheet, and summarise it again.", None
    if not held:
        return f"None of the {n} errors that were looked at has a tag: add a column tag:NAME for what they share.", None
    top = held[0]
    most = f"curing it wins at most {show(top['ceiling'])} {error} ({show(top['low'])} to {show(top['high'])})"
    if against is None or (against["p"] < 0.05 and top["p_first"] >= 0.95):
        return f"{top['tag']} is the largest reason (probability {_percent(top['p_first'])}): {most}.", top["tag"]
    more = _how_to_tell(manifest, against["more"], left)
    both = f"{top['tag']} ({_percent(top['p_first'])}) and {held[1]['tag']} ({_percent(held[1]['p_first'])})"
    return f"Cannot tell yet which is larger, {both}{more}. Of {top['tag']}: {most}.", None


def _how_to_tell(manifest: Manifest, more: int | None, left: float) -> str:
    if more is None:
        return ""
    if more > left:
        rest = f"{manifest.split} has {left:,.0f} more" if left else f"{manifest.split} has no more"
        return f": that takes about {more:,} more errors and {rest}, so take them for equally large"
    return f": look at about {more:,} more errors"


def label_verdict(manifest: Manifest, labels: Mapping[str, Any], n: int) -> str:
    """The verdict of a sheet that asks whether labels are right.

    Args:
        manifest: How the sheet was drawn.
        labels: What `audit` found.
        n: Rows that were looked at.
    """
    if not n:
        return "No label was looked at yet: write into the sheet, and summarise it again."
    if labels["rate"] is None:
        return (
            f"{n} rows were looked at, but nothing can be said of all labels of {manifest.split} yet: fill in label_ok."
        )
    low, high = (100 * labels["rate"][end] for end in ("low", "high"))
    of = "the half of dev that may be looked at" if manifest.half == "eyeball" else manifest.split
    return f"Between {low:.2f} and {high:.2f} % of the labels of {of} are wrong."


def render(document: Mapping[str, Any], manifest: Manifest) -> str:
    """The summary for people.

    Args:
        document: Its JSON.
        manifest: How the sheet was drawn.
    """
    blocks = [
        _tags(document, manifest),
        _unions(document["unions"], manifest),
        _labels(document["labels"], manifest),
        _agreement(document["agreement"]),
        _conflicts(document["conflicts"]),
        _slices(document["slices"], manifest),
        _still(document["still_wrong"]),
        "\n".join(f"note: {note}" for note in document["notes"]),
        _ending(document),
    ]
    return "\n\n".join(block for block in blocks if block)


def _ending(document: Mapping[str, Any]) -> str:
    return f"Verdict: {document['verdict']}\nnext: {document['next']}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under a header; all but the first are aligned to the right."""
    lines = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(line[c]) for line in lines) for c in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(w) if c else cell.ljust(w) for c, (cell, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _tags(document: Mapping[str, Any], manifest: Manifest) -> str:
    show, rows = unit_of(manifest), document["tags"]
    if not rows or (manifest.design != "errors" and not any(row["count"] for row in rows)):
        return ""
    unit = " %" if manifest.task == "classification" else ""
    header = ("reason", "errors", "share %", "at most", "95 % interval", f"error{unit} if cured", "P(largest)")
    cells = [
        (
            row["tag"], f"{row['count']:g} of {row['n']}", f"{100 * row['share']:.0f}", show(row["ceiling"]),
            f"[{show(row['low'])}, {show(row['high'])}]", show(row["error_if_fixed"]), _percent(row["p_first"]),
        )
        for row in rows[:_SHOWN]
    ]  # fmt: skip
    more = f"\nand {len(rows) - _SHOWN} more tags" if len(rows) > _SHOWN else ""
    unseen = document["unseen"]
    lines = []
    if unseen["untagged"]:
        lines.append(
            f"{100 * unseen['untagged']:.0f} % of the errors that were looked at have no tag: "
            "what they share can get a column tag:NAME."
        )
    if unseen["mass"] is not None:
        enough = "few tags are missing" if unseen["enough"] else f"look at {unseen['more']} more"
        lines.append(f"The next error brings a new tag with probability {100 * unseen['mass']:.0f} %: {enough}.")
    return "\n".join([table(header, cells) + more, *lines])


def _unions(rows: Rows, manifest: Manifest) -> str:
    if len(rows) < 2:
        return ""
    show = unit_of(manifest)
    parts = [f"{' + '.join(row['tags'])}: {show(row['ceiling'])}" for row in rows[1:4]]
    return "Together at most (tags overlap, so nothing is added up): " + "; ".join(parts)


def _labels(labels: Mapping[str, Any], manifest: Manifest) -> str:
    show = unit_of(manifest)
    lines = []
    if labels["share"] is not None:
        decision = "mend them first" if labels["fix"] else "leave them for now"
        interval = f"{100 * labels['low']:.0f} to {100 * labels['high']:.0f} %"
        drawn = f"by how they were drawn {100 * labels['share']:.0f} %, " if manifest.design == "suspects" else ""
        lines.append(
            f"Labels: {labels['wrong']} of {labels['n']} errors are wrong labels ({drawn}{interval}), "
            f"{show(labels['error_due_to_labels'])} of {show(manifest.error)} points; other causes "
            f"{show(labels['error_due_to_other_causes'])}: {decision}."
        )
    if labels["rate"]:
        rate = labels["rate"]
        lines.append(
            f"Wrong labels in {manifest.split}: {100 * rate['value']:.2f} % "
            f"({100 * rate['low']:.2f} to {100 * rate['high']:.2f} %), from {rate['n']} of {rate['of']:,}."
        )
    hidden = labels["hidden"]
    if hidden and hidden["n"]:
        were = "was" if hidden["wrong"] == 1 else "were"
        lines.append(
            f"Of {hidden['n']} right answers {hidden['wrong']} {were} right by a wrong label only; "
            f"{show(hidden['at_most'])} points of error may still hide there."
        )
        if hidden["more"]:
            lines.append(
                f"To bound that by half of the error, look at {hidden['more']:,} more of them "
                "(if none of those is wrong either)."
            )
        if hidden["error"] is not None:
            interval = f"{show(hidden['low'])} to {show(hidden['high'])}"
            lines.append(f"Error against true labels: {show(hidden['error'])} points ({interval}).")
    elif hidden and labels["wrong"]:
        lines.append("Right answers with a wrong label were not looked at: --with-correct 100 draws some.")
    return "\n".join(lines)


def _agreement(found: Mapping[str, Any] | None) -> str:
    if not found or not found["on"]:
        return ""
    rows = [
        (
            what,
            f"{row['n']}",
            f"{100 * row['agree']:.0f}",
            _two(row["alpha"]),
            f"[{_two(row['low'])}, {_two(row['high'])}]",
            _two(row["kappa"]),
        )
        for what, row in found["on"].items()
    ]
    few = f" Fewer than {found['suggested']} common rows say little." if found["overlap"] < found["suggested"] else ""
    who = ", ".join(name or "unsigned" for name in found["reviewers"])
    head = f"{who} looked at {found['overlap']} rows in common.{few}"
    return f"{head}\n" + table(("agreement on", "rows", "agree %", "alpha", "95 % interval", "kappa"), rows)


def _conflicts(rows: Rows) -> str:
    if not rows:
        return ""
    lines = [
        f"{len(rows)} disagreement{'' if len(rows) == 1 else 's'}; the majority counts, and where there is none "
        "a tag or a wrong label counts half:"
    ]
    for row in rows[:_SHOWN]:
        said = ", ".join(f"{s['reviewer'] or 'unsigned'} {s['value'] or 'nothing'} ({s['at']})" for s in row["said"])
        lines.append(f"  {row['id']} {row['what']}: {said}")
    return "\n".join(lines + ([f"  and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []))


def _slices(found: Mapping[str, Any] | None, manifest: Manifest) -> str:
    if not found:
        return ""
    show, blocks = unit_of(manifest), []
    unit = ", in %" if manifest.task == "classification" else f", mean {_LOSS.get(manifest.metric, 'loss')}"
    if found["declared"]:
        blocks.append(f"Slices of project.yaml on dev{unit}:\n" + slice_table(found["declared"], show))
    searched = found["discovered"]
    if searched:
        confirmed = [row for row in searched["found"] if row["confirmed"]]
        tried, carried = searched["tried"], searched["carried"]
        count = f"{tried} conditions tried on the half that may be looked at, {carried} judged on the other"
        if confirmed:
            blocks.append(f"Worse than the rest{unit} ({count}; confirmed by Holm):\n" + slice_table(confirmed, show))
        elif searched["carried"]:
            blocks.append(f"No part of the data is confirmed to be worse ({count}).")
    return "\n\n".join(blocks)


def slice_table(rows: Rows, show: Callable[[float | None], str]) -> str:
    """Slices with their error and how it differs from the rest."""
    cells = [
        (
            row["slice"], f"{row['n']:,}", show(row["error"]),
            "–" if row["error"] is None else f"[{show(row['low'])}, {show(row['high'])}]",
            "–" if row["gap"] is None else f"{'+' if row['gap'] >= 0 else '−'}{show(abs(row['gap']))}",
            "–" if row["gap"] is None else f"[{show(row['gap_low'])}, {show(row['gap_high'])}]",
        )
        for row in rows
    ]  # fmt: skip
    return table(("slice", "n", "error", "95 % interval", "against the rest", "95 % interval"), cells)


def _still(rows: Rows) -> str:
    if not rows:
        return ""
    parts = [f"{row['tag']} {row['wrong']} of {row['n']}" for row in rows]
    return "Of the examples that were tagged as errors the newest run still gets wrong: " + ", ".join(parts) + CAVEAT


def _percent(p: float) -> str:
    return ">0.99" if p > 0.99 else "<0.01" if p < 0.01 else f"{p:.2f}"


def _two(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
