"""`mlproj errors summarize`: sheets come back, and what people saw becomes ceilings, a label decision and slices."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlproj.advise.commands import join
from mlproj.error_analysis import Example, Manifest, Sheet, Stratum
from mlproj.error_analysis.agreement import agreement
from mlproj.error_analysis.audit import audit
from mlproj.error_analysis.ceilings import ceilings, difference, gather_errors, shown_error, unions, unseen
from mlproj.error_analysis.merge import merge
from mlproj.error_analysis.read import Find, read_sheets
from mlproj.error_analysis.render import label_verdict, render, verdict
from mlproj.error_analysis.sample import eyeball
from mlproj.errors import InputError, RunNotFound
from mlproj.records import Predictions
from mlproj.workflow.labels import alarm
from mlproj.workflow.parts import keep_tags, losses_of, measure_slices, report_parts, slice_frame
from mlproj.workflow.sheets import Shelf, shelf_of
from mlproj.workflow.subject import Subject, Subjects, nearby

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.spec.project import Project


LOST = "unknown"
"""Name of a sheet of which nothing is known but its rows."""


@dataclass(frozen=True)
class Summary:
    """What reviewers saw.

    Attributes:
        head: First line: which export, how much of it was looked at.
        sheet: The sheets as read.
        found: Everything that was computed, as JSON knows it.
    """

    head: str
    sheet: Sheet
    found: Mapping[str, Any]

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj errors summarize`."""
        return dict(self.found)

    def text(self) -> str:
        """The summary for people."""
        return render(self.found, self.sheet.manifest)


def errors_summarize(
    files: str | Path | Sequence[str | Path],
    *,
    project: "Project | str | Path | None" = None,
    predictions: Path | None = None,
) -> Summary:
    """Say what the reviewers saw: how much each reason can win at most, and whether labels should be mended.

    Args:
        files: Sheets that came back: one, or one per reviewer.
        project: Project, project.yaml or folder; the current folder's by default.
        predictions: The predictions file that was exported, where nothing is known of the sheet any more.

    Raises:
        InvalidInput: With everything in the sheets that cannot be understood, by file and line.
    """
    paths = [Path(path) for path in ([files] if isinstance(files, str | Path) else files)]
    home = nearby(project)
    shelf = shelf_of(home, paths)
    with Subjects() as subjects:
        sheet = read_sheets(paths, find=_finder(shelf, subjects, predictions, home))
        subject = _subject(subjects, sheet.manifest, predictions, home)
        newest = _newest(subjects, home)
    dataset = _dataset(home) if home is not None else None
    document = _judge(sheet, subject, dataset)
    if home is not None:
        from mlproj.track import store_for

        root = store_for(home).root
        keep_tags(root, sheet)
        is_later = (
            sheet.manifest.design == "errors"
            and newest is not None
            and (newest.run is None or newest.run.id != sheet.manifest.run)
        )
        if newest is not None and is_later and dataset is not None and newest.predictions is not None:
            document["still_wrong"] = report_parts(home, dataset, newest.predictions, root).get("tags", [])
    if subject is not None and newest is not None and newest.run is not None and newest.run.id != sheet.manifest.run:
        document["notes"] += _overfitted(sheet.manifest, subject, newest)
    document["next"] = _next(home, paths, sheet, document)
    return Summary(_head(sheet), sheet, document)


def _head(sheet: Sheet) -> str:
    manifest = sheet.manifest
    looked_at = len({row.id for row in sheet.reviewed})
    drawn = sum(stratum.drawn for stratum in manifest.strata.values())
    label = f" · label {manifest.label}" if manifest.label else ""
    rows = f"{looked_at} of {drawn} rows looked at"
    return f"{manifest.sheet} of {manifest.source}{label} · {manifest.split} {manifest.n:,} · {rows}"


def _judge(sheet: Sheet, subject: Subject | None, dataset: "Dataset | None") -> dict[str, Any]:
    manifest = sheet.manifest
    opinions, conflicts = merge(sheet)
    evidence = gather_errors(manifest, opinions, sheet.tags)
    rows = ceilings(evidence) if manifest.design != "labels" else []
    held = [row["tag"] for row in rows if row["count"]]
    against = difference(evidence, held[0], held[1]) if len(held) > 1 else None
    left = evidence.n_errors - len(evidence)
    labels = audit(manifest, opinions)
    line, named = verdict(manifest, rows, against, len(evidence), left)
    if manifest.design != "errors":
        line, named = label_verdict(manifest, labels, len(opinions)), None
    error = shown_error(manifest)
    return {
        "sheet": manifest.sheet,
        "run": {"id": manifest.run or None, "name": manifest.source},
        "split": manifest.split,
        "n": manifest.n,
        "metric": "rmse" if manifest.metric == "mse" else manifest.metric,
        "reviewed": len(opinions),
        "errors_reviewed": len(evidence) if manifest.design != "labels" else 0,
        "dev_error": error if math.isfinite(error) else None,
        "tags": rows,
        "unions": unions(evidence) if rows else [],
        "against": against,
        "unseen": unseen(evidence),
        "labels": labels,
        "agreement": agreement(sheet),
        "conflicts": [conflict.document() for conflict in conflicts],
        "slices": _slices(manifest, subject, dataset),
        "still_wrong": [],
        "notes": [*sheet.notes, *_notes(sheet)],
        "named": named,
        "verdict": line,
    }


def _notes(sheet: Sheet) -> list[str]:
    manifest, notes = sheet.manifest, []
    if manifest.sheet == LOST:
        notes.append("How the rows were drawn is not known any more: they are taken for a random part of their kind.")
    drawn = {name: stratum.drawn for name, stratum in manifest.strata.items() if stratum.drawn}
    seen = {row.id: row.example.stratum for row in sheet.reviewed}
    for name, n in drawn.items():
        looked_at = sum(stratum == name for stratum in seen.values())
        if 0 < looked_at < n:
            notes.append(f"{looked_at} of {n} rows of {name} were looked at; they are taken for a random part of them.")
    unnamed = sum(row.label_ok == "wrong" and not row.corrected_label for row in sheet.reviewed)
    if unnamed:
        notes.append(
            f"{unnamed} rows say wrong without a corrected_label: errors apply leaves those labels as they are."
        )
    fresh = [tag for tag in sheet.tags if tag not in manifest.tags]
    if fresh and manifest.tags:
        notes.append(f"New tags: {', '.join(fresh)}. Rows that were looked at before count as not having them.")
    return notes


def _slices(manifest: Manifest, subject: Subject | None, dataset: "Dataset | None") -> dict[str, Any] | None:
    """Slices of project.yaml on dev, and parts of the data that are found to be worse."""
    if subject is None or subject.predictions is None or manifest.design == "labels":
        return None
    dev = subject.predictions.part("dev")
    columns, frame, ids = _features(dev, dataset)
    loss, is_rate, known = losses_of(dev, subject.project.metric.optimize if subject.project else None)
    declared = []
    if subject.project is not None and subject.project.slices and frame is not None:
        declared = measure_slices(subject.project, frame, ids, dev)
    from mlproj.error_analysis.slices import discover

    found = None
    if columns and known.any():
        found = discover(
            {name: values[known] for name, values in columns.items()},
            loss[known],
            eyeball(dev.ids, dev.group, seed=manifest.eyeball_seed)[known],
            is_rate=is_rate,
            weight=None if dev.weight is None else dev.weight[known],
            group=None if dev.group is None else dev.group[known],
        )
    return {"declared": declared, "discovered": found}


def _features(dev: Predictions, dataset: "Dataset | None") -> tuple[dict[str, NDArray[Any]], Any, Sequence[str]]:
    """Features of the dev examples: the project's own, or the further columns of a foreign file."""
    part = dataset.parts.get("dev") if dataset else None
    if dataset is None or part is None or not set(dev.ids.tolist()) <= set(part.ids.tolist()):
        return {name: _as_feature(values) for name, values in dev.more.items()}, None, ()
    from mlproj.data.cells import read_numbers, read_texts

    row = {name: place for place, name in enumerate(part.ids.tolist())}
    here = np.array([row[name] for name in dev.ids.tolist()], dtype=np.int64)
    columns: dict[str, NDArray[Any]] = {}
    for column in dataset.columns:
        if column.role != "feature" or column.name not in part.frame.columns:
            continue
        cells = part.frame[column.name]
        if column.type == "number":
            columns[column.name] = read_numbers(cells)[0][here]
        elif column.type in ("category", "boolean"):
            columns[column.name] = np.array([text or "" for text in read_texts(cells).to_pylist()], dtype=np.str_)[here]
    return columns, slice_frame(dataset), part.ids.tolist()


def _as_feature(values: NDArray[Any]) -> NDArray[Any]:
    """A column of a foreign file as numbers where it holds numbers, else as text."""
    texts = ["" if value is None else str(value) for value in values.tolist()]
    try:
        return np.array([float(text) if text not in ("", "nan", "NA") else math.nan for text in texts])
    except ValueError:
        return np.array(texts, dtype=np.str_)


def _finder(shelf: Shelf, subjects: Subjects, predictions: Path | None, home: "Project | None") -> Find:
    """Finds manifests on the shelf; with a predictions file, an unknown sheet is taken for some of its errors."""

    def find(token: str, ids: Sequence[str]) -> Manifest | None:
        found = shelf.find(token, ids)
        if found is None and predictions is not None:
            found = _rebuild(subjects.find(predictions, home), ids)
        return found

    return find


def _rebuild(subject: Subject, ids: Sequence[str]) -> Manifest:
    """A manifest for a sheet whose own is lost: its rows are taken for a random part of their kind on dev.

    Of numbers the largest losses are drawn first: they are a kind of their own where all of them are in the sheet.
    """
    assert subject.predictions is not None
    dev = subject.predictions.part("dev")
    if len(dev.labels) > 1:
        raise InputError(
            f"{subject.selector}: holds {len(dev.labels)} labels ({', '.join(dev.labels)}), and which "
            "one the sheet is about is not known any more.\n"
            "  Name a file that holds y_true and y_pred of that label alone."
        )
    answers = dev.answers
    dev, answers = dev.select(answers.known), answers.select(answers.known)
    if not len(dev):
        raise InputError(f"{subject.selector}: no example of dev has a label.\n  Name the file that was exported.")
    loss, is_class, _ = losses_of(dev, None)
    wanted = set(ids)
    half, pool = _pool_of(dev, wanted)
    largest = _largest(dev.ids.tolist(), loss, wanted, pool)
    weight = np.ones(len(dev)) if dev.weight is None else dev.weight

    def word(value: Any) -> str:
        return answers.classes[int(value)] if is_class else f"{float(value):.12g}"

    examples = {
        str(name): Example(
            str(name), word(answers.y_true[i]), word(answers.y_pred[i]), float(loss[i]),
            _kind(bool(loss[i]), str(name) in largest, is_class=is_class), float(weight[i]),
        )
        for i, name in enumerate(dev.ids.tolist())
    }  # fmt: skip
    in_pool = [example for example in examples.values() if example.id in pool]
    everything = Counter(example.stratum for example in in_pool)
    drawn = Counter(example.stratum for example in in_pool if example.id in wanted)
    strata = {kind: Stratum(n, drawn[kind]) for kind, n in sorted(everything.items())}
    return Manifest(
        LOST, "", subject.selector, "dev", "errors", half, "classification" if is_class else "regression", "",
        answers.classes, len(dev), float(np.average(loss, weights=weight)), strata, examples,
        metric="error" if is_class else "mse",
    )  # fmt: skip


def _kind(is_wrong: bool, is_largest: bool, *, is_class: bool) -> str:
    if is_class:
        return "error" if is_wrong else "correct"
    return "largest" if is_largest else "other"


def _pool_of(dev: Predictions, wanted: set[str]) -> tuple[Literal["eyeball", "all"], set[str]]:
    """The eyeball half where all rows of a sheet lie in it, else all of dev."""
    half = set(dev.ids[eyeball(dev.ids, dev.group)].tolist())
    return ("eyeball", half) if wanted <= half else ("all", set(dev.ids.tolist()))


def _largest(names: Sequence[str], loss: NDArray[np.float64], wanted: set[str], pool: set[str]) -> set[str]:
    """The half of a sheet that holds the largest losses of its pool; nothing where it does not."""
    at_top = [name for place in np.argsort(-loss, kind="stable").tolist() if (name := names[place]) in pool]
    first = set(at_top[: (len(wanted) + 1) // 2])
    return first if first <= wanted else set()


def _subject(
    subjects: Subjects, manifest: Manifest, predictions: Path | None, home: "Project | None"
) -> Subject | None:
    """The answers that the sheet shows, where they are still to be had; a single label's alone."""
    file = predictions or (Path(manifest.source) if not manifest.run and manifest.split == "dev" else None)
    try:
        if file is not None:
            found = subjects.find(file, home) if file.is_file() else None
        else:
            found = subjects.find(manifest.run, home) if manifest.run and home is not None else None
    except InputError:
        return None  # the run was deleted or the file is another one by now: the sheet itself is enough
    if found is None or found.predictions is None or not manifest.label:
        return found
    kept = (
        {manifest.label: found.predictions.labels[manifest.label]} if manifest.label in found.predictions.labels else {}
    )
    return replace(found, predictions=replace(found.predictions, labels=kept)) if kept else None


def _overfitted(manifest: Manifest, then: Subject, now: Subject) -> list[str]:
    """The alarm of `labels.alarm`, where there are answers of two runs to hold against each other."""
    if then.predictions is None or now.predictions is None:
        return []
    found = alarm(manifest, then.predictions, now.predictions)
    return [found] if found else []


def _newest(subjects: Subjects, home: "Project | None") -> Subject | None:
    if home is None:
        return None
    try:
        return subjects.find(None, home)
    except (RunNotFound, InputError):
        return None


def _dataset(home: "Project") -> "Dataset | None":
    from mlproj.data import load_dataset
    from mlproj.track import store_for

    try:
        return load_dataset(home, store=store_for(home).splits, save=False)
    except InputError:
        return None  # the data moved on; the sheet can be summarised all the same


def _next(home: "Project | None", paths: Sequence[Path], sheet: Sheet, document: Mapping[str, Any]) -> str:
    """What to do about it: mend labels, go on looking, or work on the largest reason."""
    files = [str(path) for path in paths]
    corrected = any(row.label_ok == "wrong" and row.corrected_label for row in sheet.reviewed)
    worth_it = document["labels"]["fix"] or sheet.manifest.design != "errors"
    if home is not None and corrected and worth_it:
        return join(home, "errors", "apply", *files)
    if not document["reviewed"]:
        return join(home, "errors", "summarize", *files)
    if home is None:
        return join(home, "diagnose", "bias-variance", sheet.manifest.source)
    return join(home, "diagnose", "bias-variance", *([sheet.manifest.source] if sheet.manifest.run else []))
