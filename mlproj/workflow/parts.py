"""Parts of dev that every run reports: the slices of project.yaml, and what reviewers of errors tagged."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlproj.error_analysis import Sheet
from mlproj.error_analysis.merge import merge
from mlproj.metrics.intervals import wilson
from mlproj.records import Predictions, SplitName
from mlproj.records.whole import whole_file

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.spec.project import Project

SUFFIX = ".tags.json"


def report_parts(project: "Project", dataset: "Dataset", predictions: Predictions, store: Path) -> dict[str, Any]:
    """How a run does on the slices of its project and on the examples that reviewers tagged.

    Args:
        project: With `slices`.
        dataset: Its data.
        predictions: The run's answers.
        store: The folder `mlruns/`.

    Returns:
        JSON-ready: `slices` (`slice`, `n`, `error` with limits, `rest`, `gap` with limits, `p`) and `tags` (`tag`, `n`
        examples that were wrong when they were tagged, `wrong` now, `share` with `low` and `high`); empty for nothing.
    """
    dev, part = predictions.part("dev"), dataset.parts.get("dev")
    if part is None or not len(dev):
        return {}
    found: dict[str, Any] = {}
    if project.slices:
        found["slices"] = measure_slices(project, slice_frame(dataset), part.ids.tolist(), dev)
    tagged = read_tags(store)
    if tagged and len(dev.labels) == 1 and dev.answers.is_classification:
        wrong = {str(i) for i in dev.ids[(dev.answers.y_true != dev.answers.y_pred) & dev.answers.known].tolist()}
        found["tags"] = [
            _still_wrong(tag, ids & set(dev.ids.tolist()), wrong)
            for tag, ids in tagged.items()
            if ids & set(dev.ids.tolist())
        ]
    return {name: rows for name, rows in found.items() if rows}


def slice_frame(dataset: "Dataset", split: SplitName = "dev") -> Any:
    """What slices can speak of: the cells of a split's examples and their labels, as a DataFrame."""
    part, target = dataset.parts[split], dataset.target
    labels = {}
    for column, name in enumerate(target.labels):
        y = part.y[:, column]
        if target.kind == "regression":
            labels[name] = y.tolist()
        else:
            known = np.where(np.isnan(y.astype(np.float64)) | (y < 0), -1, np.nan_to_num(y)).astype(np.int64)
            labels[name] = [target.classes[column][code] if code >= 0 else None for code in known.tolist()]
    return part.frame.assign(**labels)


def measure_slices(project: "Project", frame: Any, ids: Sequence[str], dev: Predictions) -> list[dict[str, Any]]:
    """The error on each slice of dev against the rest of dev.

    Args:
        project: With `slices`.
        frame: Raw cells of the dev examples.
        ids: Their ids.
        dev: Answers on dev.
    """
    from mlproj.data.where import evaluate_where
    from mlproj.error_analysis.slices import measure_part

    row = {name: place for place, name in enumerate(ids)}
    here = np.array([row.get(name, -1) for name in dev.ids.tolist()])
    found = []
    loss, is_rate, known = losses_of(dev, project.metric.optimize)
    known &= here >= 0
    for name, condition in project.slices.items():
        mask = evaluate_where(condition, frame)[here]
        part = measure_part(
            name,
            mask[known],
            loss[known],
            is_rate=is_rate,
            weight=None if dev.weight is None else dev.weight[known],
            group=None if dev.group is None else dev.group[known],
        )
        if part is None:
            n = int(mask[known].sum())
            found.append({"slice": name, "n": n, "error": None, "low": None, "high": None, "gap": None})
        else:
            found.append(part.document())
    return found


def losses_of(dev: Predictions, metric: str | None) -> tuple[NDArray[np.float64], bool, NDArray[np.bool_]]:
    """Loss of each example (N,), averaged over several labels; whether it is 0 or 1; and for which it is known."""
    from mlproj.metrics.losses import example_losses

    labels = list(dev.labels.values())
    is_class = labels[0].is_classification
    name = "error" if is_class else "mae" if metric in {"mae", "mape"} else "mse"
    known = np.array([answers.known for answers in labels])
    each = [
        np.where(ok, example_losses(name, np.where(ok, a.y_true, 0), a.y_pred, None), 0.0)
        for a, ok in zip(labels, known, strict=True)
    ]
    loss = np.asarray(np.sum(each, axis=0) / np.maximum(known.sum(axis=0), 1), dtype=np.float64)
    return loss, is_class and len(labels) == 1, np.asarray(known.any(axis=0), dtype=np.bool_)


def keep_tags(store: Path, sheet: Sheet) -> None:
    """Keeps what reviewers tagged, so that later runs can say how many of those examples they still get wrong."""
    opinions, _ = merge(sheet)
    errors = [o for o in opinions if o.example.y_true != o.example.y_pred]
    tags = {tag: [o.example.id for o in errors if o.tags.get(tag, 0) > 0.5] for tag in sheet.tags}
    folder = store / "sheets"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{sheet.manifest.sheet}{SUFFIX}"
    with whole_file(path) as place:
        place.write_text(json.dumps({"run": sheet.manifest.run, "tags": tags}), encoding="ascii")


def read_tags(store: Path) -> dict[str, set[str]]:
    """Ids of the examples that were wrong when they got a tag, by tag, over all sheets."""
    found: dict[str, set[str]] = {}
    for path in sorted((store / "sheets").glob(f"*{SUFFIX}")):
        try:
            tags: Mapping[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))["tags"]
            for tag, ids in tags.items():
                found.setdefault(tag, set()).update(ids)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return {tag: ids for tag, ids in found.items() if ids}


def _still_wrong(tag: str, ids: set[str], wrong: set[str]) -> dict[str, Any]:
    n, still = len(ids), len(ids & wrong)
    low, high = wilson(still / n, n)
    return {"tag": tag, "n": n, "wrong": still, "share": still / n, "low": low, "high": high}
