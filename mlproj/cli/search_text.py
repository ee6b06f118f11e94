"""A search in words: the best five, whether they can be told apart, what mattered, where to look next."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlproj.cli.tables import fitted
from mlproj.cli.text import figure, show
from mlproj.spec.duration import spoken
from mlproj.spec.space import is_read

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
    n, made, pruned = _trained(document), document["made"], document["pruned"]
    counts = f"{n:,} trial{'s' * (n != 1)}"
    counts += f", {pruned:,} ended early" if pruned else " finished"
    counts += f", {document['failed']:,} failed" if document["failed"] else ""
    counts += f"; {made:,} trainings" if made != n + document["failed"] else ""
    slept = f" (the machine slept {spoken(document['slept'])}, not counted)" if document["slept"] else ""
    yield f"{counts} in {spoken(document['seconds'])}{slept}; run {document['run_id'][:8]}"
    why = {"budget": "The time budget was used up", "interrupted": "Interrupted"}
    if document["resume"]:
        yield f"{why[document['stopped']]}; the rest: {document['resume']}"


def _best(document: Document) -> str:
    """The best five with the values that were tried, those that every one of them shares left out."""
    metric, rows = document["metric"], document["finalists"]
    limits = [name for name in document["satisfy"] if name != metric]
    paths = list(rows[0]["params"])
    by_seeds = "mean" in rows[0]
    mean = "mean " if by_seeds else ""  # of the same seeds in every column: the search's own made them finalists
    header = ["trial", f"{mean}dev {metric}", *(["95 % interval"] if by_seeds else [])]
    header += [*(f"{mean}{name}" for name in limits), *(_short(path, paths) for path in paths)]
    lines = []
    for row in rows:
        cells = [f"{row['number']}{'' if row['feasible'] else ' !'}", figure(metric, row.get("mean", row["value"]))]
        cells += [_interval(metric, row["low"], row["high"])] if by_seeds else []
        cells += [figure(name, row["metrics"].get(name)) for name in limits]
        lines.append([*cells, *_tried(row["params"])])
    first = len(header) - len(paths)
    text = fitted(header, lines, right=range(1, len(header)), words=range(first, len(header)))
    n = len(rows[0]["seeds"]) if by_seeds else 0
    text += f"\nmeans of {n} further seed{'s' * (n != 1)}" if by_seeds else ""
    return text if all(row["feasible"] for row in rows) else f"{text}\n! misses a limit of metric.satisfy"


def _tried(params: Mapping[str, Any]) -> list[str]:
    """The values that a trial was given; a dash for what its optimizer does not read."""
    return [show(value) if is_read(path, params) else "–" for path, value in params.items()]


def _interval(metric: str, low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"[{figure(metric, low)}, {figure(metric, high)}]"


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
        yield f"what mattered cannot be told from {_trained(document):,} trials"
    missing = _trained(document) - document.get("answers_kept", _trained(document))
    if missing > 0:
        yield f"dev_predictions.npz lacks the answers of {missing:,} trials: mlruns/cache was cleared meanwhile"
    for edge in document["edges"]:
        yield (
            f"at the edge: the best {edge['path']}, {show(edge['value'])}, lies at the {edge['end']} end of its range; "
            f"better ones may lie in {written(edge['widened'])}"
        )
    if document.get("widen"):
        yield f"  {document['widen']}"


def _trained(document: Document) -> int:
    """Trials that were trained, ended early or not; searches of older versions ended none early."""
    return int(document["complete"] + document.get("pruned", 0))


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
