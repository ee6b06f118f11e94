"""`mlproj errors apply`: what reviewers corrected goes into `data.corrections`, and every stored run is judged anew."""

import getpass
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlproj.advise.commands import join
from mlproj.error_analysis import Sheet
from mlproj.error_analysis.merge import merge
from mlproj.error_analysis.read import read_sheets
from mlproj.errors import InputError, InvalidInput, MlprojError, Problem
from mlproj.records import Answers, Predictions, Run
from mlproj.workflow.labels import note_one_sided
from mlproj.workflow.sheets import shelf_of
from mlproj.workflow.subject import nearby

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.data.corrections import Correction
    from mlproj.spec.project import Project

_MOST_RUNS = 50
"""Newest runs that are judged anew."""


@dataclass(frozen=True)
class Rejudged:
    """One stored run by the labels before and after.

    Attributes:
        run: The run.
        metric: What is measured, on dev.
        before: Its value by the labels that it was stored with.
        after: Its value by the corrected ones.
        low: Lower 95 % limit of the change; None where it has none.
        high: Upper limit.
    """

    run: Run
    metric: str
    before: float
    after: float
    low: float | None
    high: float | None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "run": {"id": self.run.id, "name": self.run.name}, "metric": self.metric, "before": self.before,
            "after": self.after, "change": {"value": self.after - self.before, "low": self.low, "high": self.high},
        }  # fmt: skip


@dataclass(frozen=True)
class Applied:
    """What was put into `data.corrections`.

    Attributes:
        head: First line: which export, the file.
        file: The file of corrections.
        new: Corrections that were added or changed.
        total: Corrections in the file.
        left: What was not applied, and why, by count.
        splits: Corrected labels by split.
        runs: Stored runs judged anew, newest first.
        notes: What a user should know.
        dry_run: Whether nothing was written.
        next: The command to run next.
    """

    head: str
    file: Path
    new: "tuple[Correction, ...]"
    total: int
    left: Mapping[str, int]
    splits: Mapping[str, int]
    runs: tuple[Rejudged, ...]
    notes: tuple[str, ...]
    dry_run: bool
    next: str

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj errors apply`."""
        return {
            "file": str(self.file),
            "applied": [{"id": c.id, "label": c.label, "was": c.was, "by": c.by, "date": c.date} for c in self.new],
            "total": self.total,
            "left": dict(self.left),
            "splits": dict(self.splits),
            "runs": [run.document() for run in self.runs],
            "notes": list(self.notes),
            "dry_run": self.dry_run,
            "next": self.next,
        }


def errors_apply(
    files: str | Path | Sequence[str | Path],
    *,
    project: "Project | str | Path | None" = None,
    dry_run: bool = False,
) -> Applied:
    """Put the labels that reviewers corrected into data.corrections, and show what changes for the stored runs.

    Args:
        files: Sheets that came back: one, or one per reviewer.
        project: Project, project.yaml or folder; the current folder's by default.
        dry_run: Show what would change, and change nothing.

    Raises:
        InvalidInput: When a sheet cannot be understood, or the data no longer say what it shows; nothing is written.
    """
    home = nearby(project)
    if home is None:
        hint = "Run it in the project's folder, or name it: --project PATH"
        raise InvalidInput([Problem("", "there is no project.yaml here, and corrections belong to a project", hint)])
    paths = [Path(path) for path in ([files] if isinstance(files, str | Path) else files)]
    sheet = read_sheets(paths, find=shelf_of(home, paths).find)
    from mlproj.data.corrections import FILE, read_corrections
    from mlproj.data.store import lock_deal
    from mlproj.track import store_for

    name = home.data.corrections or FILE
    file = home.root / name
    with lock_deal(store_for(home).root / "corrections"):
        old = read_corrections(file, name) if file.is_file() else []
        wanted, left = _wanted(sheet, home)
        merged, new = _merge(old, wanted)
        corrected = home.changed(data=home.data.model_copy(update={"corrections": name}))
        dataset = _try(corrected, file, merged, keep=not dry_run and bool(new), paths=paths)
        notes = [] if dry_run or not (new or old) else _declare(home, name)
    runs = _rejudge(home, dataset, merged) if store_for(home).exists() else ()
    notes = [*sheet.notes, *notes, *_notes(dataset, runs)]
    words = ("errors", "export", "--split", "test", "--labels-only", "--out", "labels-test.csv")
    audits = dataset.deal.sizes.get("test") and not dataset.corrections.get("test") and dataset.corrections.get("dev")
    head = f"{sheet.manifest.sheet} of {sheet.manifest.source} · {name}, {len(merged):,} corrections"
    return Applied(
        head, file, tuple(new), len(merged), left, dict(dataset.corrections), runs, tuple(notes), dry_run,
        join(home, *words) if audits else join(home, "train"),
    )  # fmt: skip


def _wanted(sheet: Sheet, project: "Project") -> "tuple[list[Correction], dict[str, int]]":
    """What the sheet corrects, and what it says of labels that is not applied."""
    from mlproj.data.corrections import Correction

    opinions, conflicts = merge(sheet)
    disputed = {c.id for c in conflicts if c.what in ("label_ok", "corrected_label")}
    signed = {row.id: row.reviewer for row in sheet.reviewed if row.reviewer}
    today = datetime.now(UTC).date().isoformat()
    several = len(project.data.labels) > 1
    found = []
    left = {"disputed": 0, "ambiguous": 0, "wrong_without_correction": 0}
    for opinion in opinions:
        if opinion.example.id in disputed and not (opinion.label_ok == "wrong" and opinion.corrected):
            left["disputed"] += 1
        elif opinion.label_ok == "ambiguous":
            left["ambiguous"] += 1
        elif opinion.label_ok == "wrong" and not opinion.corrected:
            left["wrong_without_correction"] += 1
        elif opinion.label_ok == "wrong":
            by = signed.get(opinion.example.id) or _user()
            of = sheet.manifest.label if several else ""
            found.append(Correction(opinion.example.id, opinion.corrected, opinion.example.y_true, by, today, of))
    return found, left


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _merge(old: "Sequence[Correction]", wanted: "Sequence[Correction]") -> "tuple[list[Correction], list[Correction]]":
    """The corrections that hold from now on, and those among them that are new: a later one replaces an earlier."""
    kept = {row.key: replace(row, line=0) for row in old}
    new = []
    for row in wanted:
        earlier = kept.get(row.key)
        if earlier is not None and earlier.label == row.label:
            continue
        fresh = replace(row, was=earlier.was) if earlier is not None else row
        if fresh.label == fresh.was:  # back to what the data say
            del kept[row.key]
        else:
            kept[row.key] = fresh
        new.append(fresh)
    return list(kept.values()), new


def _try(
    project: "Project", file: Path, merged: "Sequence[Correction]", *, keep: bool, paths: Sequence[Path]
) -> "Dataset":
    """The data with the corrections in place; they are kept only when they fit the data.

    Raises:
        InvalidInput: When they do not; the old file stays.
    """
    from mlproj.data import load_dataset
    from mlproj.data.corrections import write_corrections
    from mlproj.track import store_for

    trial = file.with_name(f".{file.name}.new")
    try:
        write_corrections(trial, merged)
        tried = project.changed(data=project.data.model_copy(update={"corrections": trial.name}))
        try:
            dataset = load_dataset(tried, store=store_for(project).splits, save=False)
        except InvalidInput as error:
            problems = [
                replace(p, file=", ".join(map(str, paths)), line=None) if p.file == trial.name else p
                for p in error.problems
            ]
            raise InvalidInput(problems) from None
        if keep:
            trial.replace(file)
    finally:
        trial.unlink(missing_ok=True)
    return dataset


def _declare(project: "Project", name: str) -> list[str]:
    """Names the file in project.yaml where it is not named yet: one line more, everything else as it was written."""
    from mlproj.spec.load import load_project

    path = project._origin.path
    line = f"corrections: {name}"
    if project.data.corrections is not None:
        return []
    if path is None or not path.is_file():
        return [f"Add `{line}` under `data:`; until then the labels stay as they are."]
    old = path.read_text(encoding="utf-8")
    new = add_key(old, "data", line)
    before = load_project(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        if new is not None:
            partial.write_text(new, encoding="utf-8")
            after = load_project(partial)
            if after == before.changed(data=before.data.model_copy(update={"corrections": name})):
                partial.replace(path)
                return [f"Added `{line}` to {path.name}, under `data:`."]
    except MlprojError:
        pass  # not a file that one line can be added to; the user is told which one
    finally:
        partial.unlink(missing_ok=True)
    return [f"Add `{line}` under `data:` in {path.name}; until then the labels stay as they are."]


def add_key(text: str, section: str, line: str) -> str | None:
    r"""A YAML text with one more line in a section, comments and layout kept; None where that cannot be done.

    Example:
        >>> print(add_key("name: x\ndata:   # where from\n  source: a.csv\n", "data", "corrections: c.csv"), end="")
        name: x
        data:   # where from
          corrections: c.csv
          source: a.csv
        >>> add_key("data: {source: a.csv}", "data", "corrections: c.csv")
        'data: {corrections: c.csv, source: a.csv}'
    """
    flow = re.search(rf"(?m)^{section}[ \t]*:[ \t]*\{{[ \t]*", text)
    if flow:
        return f"{text[: flow.end()]}{line}, {text[flow.end() :]}"
    head = re.search(rf"(?m)^{section}[ \t]*:[ \t]*(#.*)?\r?\n", text)
    indent = re.match(r"(?:[ \t]*(?:#.*)?\r?\n)*([ \t]+)(?=[^\s#])", text[head.end() :]) if head else None
    if head is None or indent is None:
        return None
    end = "\r\n" if head[0].endswith("\r\n") else "\n"
    return f"{text[: head.end()]}{indent[1]}{line}{end}{text[head.end() :]}"


def _rejudge(project: "Project", dataset: "Dataset", corrections: "Sequence[Correction]") -> tuple[Rejudged, ...]:
    """Every finished run's dev metric by the labels that it was stored with and by the corrected ones."""
    from mlproj.records.files import read_predictions
    from mlproj.workflow.runs import BEST, TRAINED, open_tracker

    _, tracker = open_tracker(project, must_exist=True, writes=False)
    found = []
    with tracker:
        finished = [
            run
            for run in tracker.runs(kinds=(*TRAINED, "record"), statuses=("FINISHED",), limit=_MOST_RUNS)
            if run.kind != "search" or BEST in run.tags
        ]
        for run in finished:
            holder = tracker.run(run.tags[BEST]) if run.kind == "search" else run
            try:
                predictions = read_predictions(tracker.fetch(holder.id, "predictions.parquet"))
            except (MlprojError, OSError):
                continue  # cleared from the disk
            judged = rejudge(run, predictions.part("dev"), dataset, corrections)
            if judged is not None:
                found.append(judged)
    return tuple(found)


def rejudge(run: Run, dev: Predictions, dataset: "Dataset", corrections: "Sequence[Correction]") -> Rejudged | None:
    """One run's metric on dev before and after; None where it cannot be computed."""
    from mlproj.metrics import measure

    if not len(dev):
        return None
    metric = run.params.get("metric.optimize", "error")
    labels = {
        name: _with_truth(name, answers, dev.ids.tolist(), dataset, corrections) for name, answers in dev.labels.items()
    }
    after = replace(dev, labels=labels)
    try:
        values = [measure([metric], side.labels, side.weight)[metric] for side in (dev, after)]
    except InputError:
        return None
    low, high = _change(metric, dev, after)
    return Rejudged(run, metric, values[0], values[1], low, high)


def _change(metric: str, before: Predictions, after: Predictions) -> tuple[float | None, float | None]:
    """Limits of the change of an error or mean loss: the mean of the examples' changes."""
    from mlproj.metrics.intervals import gather_units, unit_mean
    from mlproj.metrics.losses import MEAN_METRICS, example_losses

    if metric not in MEAN_METRICS or len(before.labels) > 1:
        return None, None
    sides = []
    for answers in (before.answers, after.answers):
        known = before.answers.known & after.answers.known
        picked = answers.select(known)
        if metric in {"log_loss", "brier"} and picked.p is None:
            return None, None
        sides.append(example_losses(metric, picked.y_true, picked.y_pred, picked.p))
    known = before.answers.known & after.answers.known
    weight = None if before.weight is None else before.weight[known]
    group = None if before.group is None else before.group[known]
    found = unit_mean(gather_units(sides[1] - sides[0], weight, group), floor=-np.inf)
    return (found.low, found.high) if np.isfinite([found.low, found.high]).all() else (None, None)


def _with_truth(
    name: str, answers: Answers, ids: Sequence[str], dataset: "Dataset", corrections: "Sequence[Correction]"
) -> Answers:
    place = {row: position for position, row in enumerate(ids)}
    truth = answers.y_true.copy()
    for row in corrections:
        if row.id not in place or (row.of and row.of != name):
            continue
        if not answers.is_classification:
            truth[place[row.id]] = float(row.label)
        elif (code := _code(row.label, answers.classes, dataset)) is not None:
            truth[place[row.id]] = code
    return replace(answers, y_true=truth)


def _code(label: str, classes: Sequence[str], dataset: "Dataset") -> int | None:
    """Position of a class; of a yes/no label what it means counts, not how it is spelled."""
    if label in classes:
        return classes.index(label)
    if dataset.target.several:
        return int(label.lower() in ("1", "true", "yes", "t", "y"))
    return None


def _notes(dataset: "Dataset", runs: Sequence[Rejudged]) -> list[str]:
    from mlproj.spec.goal import LOSSES

    notes = []
    one_sided = note_one_sided(dataset.corrections, dataset.deal.sizes)
    if one_sided is not None:
        notes.append(one_sided)
        if "test" in dataset.deal.sizes and not dataset.corrections.get("test"):
            notes.append("Look at the labels of test by the same rules, and at right answers too (--with-correct).")
    if len(runs) > 1 and len({run.metric for run in runs}) == 1:
        sign = 1 if runs[0].metric in LOSSES else -1
        first, second = (min(runs, key=lambda run: sign * getattr(run, side)).run.name for side in ("before", "after"))
        if first != second:
            notes.append(f"The best run changes: {first} before, {second} after.")
    return notes
