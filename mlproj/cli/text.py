"""Results as text for people: tables that read at a glance, plain characters that can be pasted anywhere."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlproj.cli.tables import fitted, table
from mlproj.records import Promise
from mlproj.spec.duration import spoken
from mlproj.spec.search import choice_words

if TYPE_CHECKING:
    from mlproj.data.columns import Column
    from mlproj.workflow.demo import Shown as DemoPart
    from mlproj.workflow.foreign import Recorded
    from mlproj.workflow.predict import Predicted
    from mlproj.workflow.project import Checked, Dealt
    from mlproj.workflow.runs import Listing, Shown
    from mlproj.workflow.train import Trained

RATES = frozenset(
    {"error", "accuracy", "f1", "f1_macro", "f1_weighted", "precision", "precision_macro", "recall", "recall_macro",
     "specificity", "specificity_macro", "balanced_accuracy", "roc_auc", "average_precision"}
)  # fmt: skip
"""Metrics shown in per cent, in every table and verdict."""
MAX_COLUMNS_SHOWN: Final = 24
MAX_CELLS_SHOWN: Final = 5
MAX_CLASSES_SHOWN: Final = 8
MANY_ROWS: Final = 100_000  # with fewer, most of the time goes into loading the model


def figure(metric: str, value: float | None) -> str:
    """A metric's value as people read it: rates in per cent, the rest with four digits.

    Example:
        >>> figure("error", 0.0312), figure("rmse", 54.12345)
        ('3.1 %', '54.12')
    """
    if value is None or math.isnan(value):
        return "–"
    return f"{100 * value:.1f} %" if metric in RATES else f"{value:.4g}"


def show(value: Any) -> str:
    """A tried value with few digits.

    Example:
        >>> show(0.0123456), show(64), show([64, 32]), show("adam"), show(0.99912), show({"kind": "step", "rate": 0.5})
        ('0.0123', '64', '[64, 32]', 'adam', '0.9991', 'step rate=0.5')
    """
    if isinstance(value, float) and 0.9 < value < 1:
        return f"{value:.4g}"
    if isinstance(value, float):
        return f"{value:.3g}"
    return choice_words(value)


def train_text(trained: "Trained") -> str:
    """How a training ended, its figures by split, its contract, and the next command."""
    fit = trained.fit
    names = list(next(iter(fit.metrics.values()), {}))
    rows = [
        (split.replace("_", "-"), *(figure(name, values.get(name)) for name in names))
        for split, values in fit.metrics.items()
    ]
    parts = [
        f"{fit.outcome} ({fit.seconds:.1f} s; run {trained.run.id[:8]})",
        "",
        table(("", *names), rows, right=range(1, len(names) + 1)),
    ]
    if fit.threshold is not None and fit.threshold != 0.5:
        parts.append(
            f"threshold {fit.threshold:.3g}, chosen on {'dev' if 'dev' in fit.metrics else 'train'}"
            if trained.project.metric.threshold == "auto"
            else f"threshold {fit.threshold:g}"
        )
    if trained.ensemble:
        from mlproj.cli.ensemble_text import ensemble_text

        parts += ["", ensemble_text(trained.ensemble)]
    if trained.contract:
        parts += ["", contract_table(trained.contract, "contract on dev")]
    if trained.parts:
        parts += ["", parts_text(trained.parts, "error" if fit.predictions.answers_are_classes else "rmse")]
    return "\n".join([*parts, "", f"next: {trained.next}"])


def recorded_text(recorded: "Recorded") -> str:
    """The figures of recorded answers by split, the contract, what is missing, and the next command."""
    names = list(dict.fromkeys(name for values in recorded.metrics.values() for name in values))
    rows = [
        (split.replace("_", "-"), *(figure(name, values.get(name)) for name in names))
        for split, values in recorded.metrics.items()
    ]
    parts = [table(("", *names), rows, right=range(1, len(names) + 1))]
    if recorded.contract:
        parts += ["", contract_table(recorded.contract, "contract on dev")]
    if recorded.parts:
        parts += ["", parts_text(recorded.parts, "error" if recorded.predictions.answers_are_classes else "rmse")]
    parts += ["", *(f"note: {note}" for note in recorded.notes)] if recorded.notes else []
    return "\n".join([*parts, "", f"next: {recorded.next}"])


def parts_text(parts: Mapping[str, Any], metric: str) -> str:
    """How a run does on slices of dev and on examples that were tagged: a few lines.

    Args:
        parts: What `report_parts` found.
        metric: error, or rmse for numbers, whose slices show mean losses.
    """
    blocks = []
    if rows := parts.get("slices"):
        shown = [
            (
                row["slice"], f"{row['n']:,}", figure(metric, row["error"]),
                "" if row["low"] is None else f"[{figure(metric, row['low'])}, {figure(metric, row['high'])}]",
                _signed(metric, row["gap"]),
                _signed_interval(metric, row),
            )
            for row in rows
        ]  # fmt: skip
        unit = ", points" if metric in RATES else ""
        header = ("slice of dev", "n", "error", "95 % interval", f"against the rest{unit}", "95 % interval")
        blocks.append(table(header, shown, right=(1, 2, 4)))
    if rows := parts.get("tags"):
        named = ", ".join(f"{row['tag']} {row['wrong']} of {row['n']}" for row in rows)
        blocks.append(f"Still wrong of what was tagged: {named} (they were chosen because they were wrong then).")
    return "\n".join(blocks)


def _signed(metric: str, difference: float | None) -> str:
    """A difference with its sign; of rates in points."""
    if difference is None:
        return "–"
    return f"{100 * difference:+.1f}" if metric in RATES else f"{difference:+.4g}"


def _signed_interval(metric: str, row: Mapping[str, Any]) -> str:
    return "" if row["gap"] is None else f"[{_signed(metric, row['gap_low'])}, {_signed(metric, row['gap_high'])}]"


def contract_table(contract: Sequence[Promise], title: str) -> str:
    """Each limit, the value with its interval, and whether the interval's bad end meets the limit."""
    words = {"met": "met", "violated": "violated", "unknown": "cannot tell yet"}
    rows = [
        (
            promise.metric,
            promise.limit,
            figure(promise.metric, promise.value),
            _interval(promise),
            words[promise.status],
        )
        for promise in contract
    ]
    return table((title, "limit", "value", "95 % interval", "status"), rows, right=(2,))


def _interval(promise: Promise) -> str:
    if promise.low is None or promise.high is None or promise.low == promise.high == promise.value:
        return ""  # nothing bounds it, or it was measured and has no interval
    return f"[{figure(promise.metric, promise.low)}, {figure(promise.metric, promise.high)}]"


def runs_text(listing: "Listing") -> str:
    """Trainings and searches, newest first; the best by contract is marked, trials and diagnoses are counted."""
    from mlproj.workflow.runs import RANKED, ago, contract_of

    if not listing.runs:
        return "No runs yet. Train one: mlproj train"
    rows = []
    counts = {kind: sum(run.kind == kind for run in listing.runs) for kind in ("trial", "diagnosis", "evaluation")}
    for run in (run for run in listing.runs if run.kind not in counts):
        metric, satisfy = contract_of(run)
        shown = [name for name in (metric, *satisfy) if f"dev/{name}" in run.metrics] if run.kind in RANKED else []
        values = "  ".join(f"{name} {figure(name, run.metrics[f'dev/{name}'])}" for name in shown)
        state = run.outcome or run.status.lower()
        rows.append(
            ("*" if run.id == listing.best else "", run.name, run.id[:8], ago(run.started), run.kind, state, values)
        )
    parts = [fitted(("", "run", "id", "when", "kind", "outcome", "dev"), rows, lesser=(4, 3, 2, 5), keep=2)]
    if listing.best:
        parts.append(f"* best by contract ({listing.metric}) on the newest dev set (`best`)")
    plural = {"trial": "trials of searches", "diagnosis": "diagnoses", "evaluation": "evaluations"}
    others = [f"{n:,} {plural[kind]}" if n > 1 else f"1 {kind}" for kind, n in counts.items() if n]
    if others:
        parts.append(f"and {' and '.join(others)} (--json lists all)")
    return "\n".join([*parts, *(f"note: {note}" for note in listing.notes)])


def run_text(shown: "Shown") -> str:
    """One run: outcome, figures by split, and what its spec says differently from the defaults' names."""
    run = shown.run
    values = {name: value for name, value in run.metrics.items() if name.count("/") == 1}
    names = list(dict.fromkeys(name.split("/")[1] for name in values))
    splits = [
        split for split in ("train", "train_dev", "dev", "test") if any(name.startswith(f"{split}/") for name in values)
    ]
    rows = [(name, *(figure(name, values.get(f"{split}/{name}")) for split in splits)) for name in names]
    parts = [
        shown.head,
        f"{run.kind}, {run.outcome or run.status.lower()}: {run.tags.get('mlproj.message', '')}".rstrip(": "),
    ]
    if rows:
        parts += [
            "",
            table(("", *(split.replace("_", "-") for split in splits)), rows, right=range(1, len(splits) + 1)),
        ]
    if shown.text:
        parts += ["", shown.text]
    if shown.search:
        from mlproj.cli.search_text import search_text

        parts += ["", search_text(shown.search)]
    if shown.parts:
        parts += ["", parts_text(shown.parts, "error" if "dev/error" in values else "rmse")]
    folder = f"\nartifacts: {run.folder}" if run.folder and run.folder.is_dir() else ""
    return "\n".join([*parts, f"{folder}\nspec: {shown.more}" if shown.more else folder]).rstrip("\n")


def check_text(checked: "Checked") -> str:
    """What the data look like, what the splits can tell, and what is wrong."""
    report, blocks = checked.report, []
    if report is not None:
        said = [*(f"note: {note}" for note in report.notes), *(f"warning: {text}" for text in report.warnings)]
        blocks = [_columns_text(report.columns), _sizes_text(report.splits), "\n".join(said)]
    count = len(checked.problems)
    mend = f"{count} problem{'' if count == 1 else 's'} to mend first:"
    return "\n\n".join(
        block for block in (*blocks, mend if count else f"Everything is in order.\nnext: {checked.next}") if block
    )


def _columns_text(columns: "Sequence[Column]") -> str:
    """The columns; of a wide table the plain ones are summed up by type."""
    is_wide = len(columns) > MAX_COLUMNS_SHOWN
    single = [c for c in columns if not is_wide or c.missing or c.note or not c.guessed or c.role != "feature"]
    single = single[:MAX_COLUMNS_SHOWN]
    rows: list[tuple[str, ...]] = [
        (c.name, c.type if c.guessed else f"{c.type} (declared)", c.role, f"{c.missing:,}", f"{c.unique:,}")
        for c in single
    ]
    rest: dict[str, list[str]] = {}
    for column in columns:
        if column not in single:
            rest.setdefault(column.type, []).append(column.name)
    rows.extend((f"{names[0]} … {names[-1]} ({len(names):,})", kind, "", "", "") for kind, names in rest.items())
    return table(("column", "type", "role", "missing", "distinct"), rows, right=(3, 4)) if rows else ""


def _sizes_text(splits: Mapping[str, Mapping[str, Any]]) -> str:
    """Split sizes, the half-width of the interval they buy, and where the examples come from."""
    if not splits:
        return ""
    at = next((row["at"] for row in splits.values() if row.get("at") is not None), None)
    rows = [
        (
            name.replace("_", "-"),
            f"{row['n']:,}",
            f"± {100 * row['half_width']:.1f} points" if row.get("half_width") is not None else "",
            _from(row["from"]),
        )
        for name, row in splits.items()
    ]
    width = f"95 % interval at {100 * at:.0f} % error" if at is not None else ""
    return table(("split", "n", width, "from"), rows, right=(1,))


def _from(sources: Mapping[str, int]) -> str:
    return ", ".join(f"{source} {count:,}" for source, count in sources.items())


def split_text(dealt: "Dealt", out: Path | None) -> str:
    """The deal: sizes and where each split's examples come from."""
    rows = [
        (name.replace("_", "-") + (" (sealed)" if name == "test" else ""), f"{row['n']:,}", _from(row["from"]))
        for name, row in dealt.splits.items()
    ]
    parts = [table(("split", "n", "from"), rows, right=(1,)), *dealt.notes]
    if out:
        parts.append(f"Wrote id and split to {out}.")
    return "\n".join(parts)


def predict_text(predicted: "Predicted") -> str:
    """How many rows were answered and where, how often each class was, and which rows could not be read."""
    tally = predicted.tally
    speed = f", {tally.rows / predicted.seconds:,.0f} rows a second" if tally.rows >= MANY_ROWS else ""
    parts = [f"Wrote {_rows(tally.rows)} to {predicted.out} ({predicted.seconds:.1f} s{speed})."]
    for label, counts in tally.answers.items():
        shares = [
            f"{name} {n:,} ({100 * n / counts.total():.1f} %)" for name, n in counts.most_common(MAX_CLASSES_SHOWN)
        ]
        rest = f" and {len(counts) - MAX_CLASSES_SHOWN:,} more" if len(counts) > MAX_CLASSES_SHOWN else ""
        parts.append(f"{f'y_pred:{label}' if label else 'y_pred'}: {', '.join(shares)}{rest}" if shares else "")
    if predicted.threshold is not None and predicted.threshold != 0.5:
        parts[-1] += f"; threshold {predicted.threshold:.3g}"
    if tally.unanswered:
        have = "has" if tally.unanswered == 1 else "have"
        parts.append(f"warning: {_rows(tally.unanswered)} {have} no answer, because a cell cannot be read:")
        parts += [f"  {cell}" for cell in tally.unreadable[:MAX_CELLS_SHOWN]]
        if tally.cells > MAX_CELLS_SHOWN:
            parts.append(f"  … {tally.cells:,} such cells in all (--json lists the first {len(tally.unreadable):,})")
    return "\n".join(part for part in parts if part)


def _rows(n: int) -> str:
    return f"{n:,} row{'' if n == 1 else 's'}"


def demo_text(part: "DemoPart") -> str:
    """One project of the demo in a dozen lines: what the search found, the ladder, verdict and next command."""
    found, metric = part.searched.insight, part.searched.insight["metric"]
    said = [f"== {part.folder} · {part.about}"]
    if found["best"]:
        tried = ", ".join(f"{path} {show(value)}" for path, value in found["best"]["params"].items())
        said.append(
            f"{found['complete'] + found.get('pruned', 0)} trials in {spoken(part.searched.found.seconds)}; the best, "
            f"dev {metric} {figure(metric, found['best']['value'])}: {tried}"
        )
    return "\n".join([*said, part.diagnosis.head, part.text]) + "\n"
