"""A search in words: the best five, whether they can be told apart, what mattered, where to look next."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlproj.cli.text import RATES, figure, show, table
from mlproj.spec.duration import spoken

Document = Mapping[str, Any]


def search_text(document: Document) -> str:
    """What a search found, from its JSON document.

    Args:
        document: What `mlproj search --json` prints, or the stored part of it.
    """
    blocks = ["\n".join(_ending(document))]
    if document["finalists"]:
        blocks.append(_best(document))
        blocks.append("\n".join(_sayings(document)))
    if document["failures"]:
        blocks.append("\n".join(_failures(document["failures"])))
    if "next" in document:
        blocks.append(f"next: {document['next']}")
    return "\n\n".join(block for block in blocks if block)


def _ending(document: Document) -> Iterator[str]:
    if "stopped" not in document:
        return
    counts = f"{document['complete']:,} trials finished"
    counts += f", {document['failed']:,} failed" if document["failed"] else ""
    seconds = spoken(document["seconds"])
    slept = f" (the machine slept {spoken(document['slept'])}, not counted)" if document["slept"] else ""
    yield f"{counts} in {seconds}{slept}; run {document['run_id'][:8]}"
    if document["stopped"] == "budget":
        yield "The time budget was used up; `mlproj search --resume` makes the rest."
    if document["stopped"] == "interrupted":
        yield "Interrupted; `mlproj search --resume` makes the rest."


def _best(document: Document) -> str:
    """The best five with the values that were tried, those that every one of them shares left out."""
    metric, rows = document["metric"], document["finalists"]
    limits = [name for name in document["satisfy"] if name != metric]
    paths = list(rows[0]["params"])
    by_seeds = "mean" in rows[0]
    header = ["trial", f"dev {metric}"]
    header += ["mean of seeds", "95 % interval"] if by_seeds else []
    header += [*limits, *(_short(path, paths) for path in paths)]
    lines = []
    for row in rows:
        cells = [f"{row['number']}{'' if row['feasible'] else ' !'}", figure(metric, row["value"])]
        if by_seeds:
            cells += [figure(metric, row["mean"]), _interval(metric, row["low"], row["high"])]
        cells += [figure(name, row["metrics"].get(name)) for name in limits]
        lines.append([*cells, *(show(row["params"][path]) for path in paths)])
    text = table(header, lines, right=range(1, len(header)))
    return text if all(row["feasible"] for row in rows) else f"{text}\n! misses a limit of metric.satisfy"


def _interval(metric: str, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return ""
    if metric in RATES:  # a t-interval knows nothing of 0 and 1
        low, high = max(low, 0.0), min(high, 1.0)
    return f"[{figure(metric, low)}, {figure(metric, high)}]"


def _short(path: str, paths: Sequence[str]) -> str:
    """The last word of a path where it is enough.

    Example:
        >>> _short("training.l2", ["training.l2", "model.width"])
        'l2'
    """
    word = path.rpartition(".")[2]
    return word if sum(other.rpartition(".")[2] == word for other in paths) == 1 else path


def _sayings(document: Document) -> Iterator[str]:
    """The verdict, what mattered, and what lies at an edge."""
    if document["verdict"]:
        yield document["verdict"]["text"]
    if document["mattered"]:
        shares = (f"{path} {100 * document['importance'][path]:.0f} %" for path in document["mattered"])
        yield f"what mattered: {', '.join(shares)}"
    elif document["importance"]:
        yield f"what mattered cannot be told from {document['complete']:,} trials"
    for edge in document["edges"]:
        yield (
            f"at the edge: the best {edge['path']}, {show(edge['value'])}, lies at the {edge['end']} end of its range; "
            f"better ones may lie in {written(edge['widened'])}"
        )
    if document.get("widen"):
        yield f"  {document['widen']}"


def written(dimension: Mapping[str, Any]) -> str:
    """A range as project.yaml would hold it.

    Example:
        >>> written({"log": [0.0001, 1.0]})
        '{log: [0.0001, 1.0]}'
    """
    return "{" + ", ".join(f"{key}: {json.dumps(value)}" for key, value in dimension.items()) + "}"


def _failures(failures: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for failure in failures[:3]:
        yield f"{failure['trials']} failed: {failure['reason'].splitlines()[0]}"
    if len(failures) > 3:
        yield f"and {len(failures) - 3} more kinds of failure (mlproj runs --json)"
