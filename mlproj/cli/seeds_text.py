"""A fleet of seeds in words: one line per seed, what they say together, and what follows."""

from collections.abc import Iterator, Mapping
from typing import Any

from mlproj.cli.tables import table
from mlproj.cli.text import RATES, figure
from mlproj.spec.duration import spoken

_LISTED = 12
"""Seeds shown one by one; of more the first."""


def seeds_text(document: Mapping[str, Any]) -> str:
    """What several seeds came to, from the JSON document of `mlproj train --seeds N`.

    Args:
        document: What `mlproj train --seeds N --json` prints.
    """
    blocks = [_ending(document), _each(document), _together(document), "\n".join(_sayings(document))]
    return "\n\n".join([block for block in blocks if block] + [f"next: {document['next']}"])


def _ending(document: Mapping[str, Any]) -> str:
    new = sum(row["new"] for row in document["seeds"])
    n = len(document["seeds"])
    counts = f"{n:,} of {document['asked']:,} seeds of {document['group']} trained"
    counts += f", {n - new:,} of them before" if new < n else ""
    counts += f"; {len(document['failed']):,} failed" if document["failed"] else ""
    words = f"{counts} in {spoken(document['seconds'])}"
    if document["stopped"] == "interrupted":
        words = f"Interrupted: {words}"
    return words + (f"\nthe rest: {document['resume']}" if document["resume"] else "")


def _each(document: Mapping[str, Any]) -> str:
    names = list(_on_dev(document)) or list(next(iter(document["metrics"].values()), {}))
    split = "dev" if "dev" in document["metrics"] else "train"
    rows = []
    for row in document["seeds"][:_LISTED]:
        values = row["metrics"].get(split, {})
        seconds = "before" if row["seconds"] is None else f"{row['seconds']:.1f} s"
        rows.append(
            (
                str(row["seed"]),
                row["name"],
                *(figure(name, values.get(name)) for name in names),
                row["outcome"],
                seconds,
            )
        )
    header = ("seed", "run", *(f"{split} {name}" for name in names), "outcome", "")
    more = len(document["seeds"]) - _LISTED
    return table(header, rows, right=(0, *range(2, len(names) + 2))) + (f"\nand {more:,} more" if more > 0 else "")


def _on_dev(document: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = document["metrics"].get("dev", {})
    return found


def _together(document: Mapping[str, Any]) -> str:
    """Mean, spread and interval of every metric, by split."""
    rows = []
    for split, metrics in document["summary"].items():
        for name, found in metrics.items():
            limits = "" if found["low"] is None else f"[{figure(name, found['low'])}, {figure(name, found['high'])}]"
            spread = "" if found["spread"] is None else _spread(name, found["spread"])
            rows.append((split.replace("_", "-"), name, figure(name, found["mean"]), spread, limits, str(found["n"])))
    return table(("", "metric", "mean", "spread", "95 % interval", "seeds"), rows, right=(2, 3, 5)) if rows else ""


def _spread(name: str, value: float) -> str:
    """A standard deviation; of rates in points.

    Example:
        >>> _spread("error", 0.0042), _spread("rmse", 1.23456)
        ('0.42 points', '1.235')
    """
    return f"{100 * value:.2f} points" if name in RATES else f"{value:.4g}"


def _sayings(document: Mapping[str, Any]) -> Iterator[str]:
    counted = next((found["n"] for found in _summary_on_dev(document).values()), 0)
    if counted == 1:
        yield "One seed says nothing of others: train at least 3."
    elif counted:
        yield "The intervals are those of the mean over all seeds, on these examples; fresh examples would differ too."
    if any(row["outcome"] == "diverged" for row in document["seeds"]):
        yield "Seeds that diverged are left out of means and intervals."
    for row in document["failed"][:3]:
        yield f"seed {row['seed']} failed: {row['reason'].splitlines()[0]}"


def _summary_on_dev(document: Mapping[str, Any]) -> Mapping[str, Any]:
    summary = document["summary"]
    found: Mapping[str, Any] = summary.get("dev") or next(iter(summary.values()), {})
    return found
