"""`mlproj errors apply`: what reviewers corrected goes into `data.corrections`, and every stored run is judged anew."""

import getpass
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlproj.advise.commands import join
from mlproj.error_analysis import Sheet
from mlproj.error_analysis.merge import Conflict
from mlproj.error_analysis.read import read_sheets
from mlproj.error_analysis.relabel import Relabel, Relabels, relabels
from mlproj.errors import InvalidInput, Problem
from mlproj.workflow.declare import declare_corrections
from mlproj.workflow.labels import note_one_sided
from mlproj.workflow.rejudge import MOST_RUNS, Ranking, Rejudged, rank, rejudge_runs
from mlproj.workflow.sheets import shelf_of
from mlproj.workflow.subject import nearby

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.data.corrections_file import Correction
    from mlproj.spec.project import Project

_N_CORRECT = 100
"""Right answers to look at besides: none wrong among so many leaves at most 3.6 % of them."""


@dataclass(frozen=True)
class Edit:
    """One change of the file of corrections.

    Attributes:
        action: added, replaced, or removed when the label is again what the data say.
        correction: As it stands in the file now; a removed one as the sheet says it.
        before: The label that held until now.
        split: Where the example lies; "" when it is in none.
    """

    action: Literal["added", "replaced", "removed"]
    correction: "Correction"
    before: str
    split: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        row = self.correction
        named = {"id": row.id, "label": row.label, "was": row.was, "by": row.by, "date": row.date}
        return named | {"of": row.of, "before": self.before, "split": self.split, "action": self.action}


@dataclass(frozen=True)
class Applied:
    """What was put into `data.corrections`.

    Attributes:
        head: First line: which export, the file.
        file: The file of corrections.
        edits: What is new in it.
        total: Corrections in the file.
        left: What was not applied, and why, by count.
        conflicts: Labels on which reviewers disagree.
        splits: Corrected labels by split, all of the file.
        runs: Stored runs judged anew, newest first.
        ranking: What became of the best two.
        notes: What a user should know.
        dry_run: Whether nothing was written.
        next: The command to run next.
    """

    head: str
    file: Path
    edits: tuple[Edit, ...]
    total: int
    left: Mapping[str, int]
    conflicts: tuple[Conflict, ...]
    splits: Mapping[str, int]
    runs: tuple[Rejudged, ...]
    ranking: Ranking | None
    notes: tuple[str, ...]
    dry_run: bool
    next: str

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj errors apply`."""
        return {
            "file": str(self.file),
            "applied": [edit.document() for edit in self.edits],
            "total": self.total,
            "left": dict(self.left),
            "conflicts": [conflict.document() for conflict in self.conflicts],
            "splits": dict(self.splits),
            "runs": [run.document() for run in self.runs],
            "ranking": self.ranking.document() if self.ranking else None,
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
    said = relabels(sheet)
    from mlproj.data.corrections_file import FILE, read_corrections
    from mlproj.data.store import lock_deal
    from mlproj.track import store_for

    name = home.data.corrections or FILE
    file = home.root / name
    with lock_deal(store_for(home).root / "corrections"):  # what somebody else adds meanwhile is not lost
        old = read_corrections(file, name) if file.exists() else ()
        wanted = _wanted(said, sheet, home)
        merged, edits = _merge(old, wanted, said)
        new = {row.key: source for row, source in zip(wanted, said.agreed, strict=True)}
        places = _Places(name, {row.key: row.line for row in old}, new)
        dataset = _try(home, file, merged, places, keep=not dry_run and bool(edits))
        notes = declare_corrections(home, name, dry_run=dry_run) if merged else []
    split = dict(zip(dataset.deal.ids.tolist(), dataset.deal.split.tolist(), strict=True))
    edits = [replace(edit, split=split.get(edit.correction.id, "")) for edit in edits]
    runs = _rejudge(home, dataset, merged, edits) if (merged or edits) and store_for(home).exists() else ()
    ranking = rank(runs, _metric(dataset), home.metric.satisfy)
    notes = [*sheet.notes, *notes, *_standing(merged, said), *_notes(dataset, sheet, runs)]
    head = f"{sheet.manifest.sheet} of {sheet.manifest.source} · {name}, {_count(len(merged), 'correction')}"
    left = {
        "disputed": len(said.conflicts),
        "ambiguous": said.ambiguous,
        "wrong_without_correction": said.unnamed,
    }
    return Applied(
        head, file, tuple(edits), len(merged), left, said.conflicts, dict(dataset.corrections), runs, ranking,
        tuple(notes), dry_run, _next(home, dataset, sheet, paths, dry_run=dry_run and bool(edits)),
    )  # fmt: skip


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _wanted(said: Relabels, sheet: Sheet, project: "Project") -> "list[Correction]":
    """What the sheet corrects."""
    from mlproj.data.cells import to_text
    from mlproj.data.corrections_file import Correction

    today = datetime.now(UTC).date().isoformat()
    of = sheet.manifest.label if len(project.data.labels) > 1 else ""
    is_number = sheet.manifest.task == "regression"
    return [
        Correction(
            row.id,
            str(to_text(float(row.label))) if is_number else row.label,
            row.was,
            row.by or _user(),
            today,
            of,
        )
        for row in said.agreed
    ]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _merge(
    old: "Sequence[Correction]", wanted: "Sequence[Correction]", said: Relabels
) -> "tuple[list[Correction], list[Edit]]":
    """The corrections that hold from now on, and what is new: a later one replaces an earlier.

    Raises:
        InvalidInput: When a sheet shows a label that neither the data nor the corrections say.
    """
    kept = {row.key: replace(row, line=0) for row in old}
    edits, problems = [], []
    for row, source in zip(wanted, said.agreed, strict=True):
        earlier = kept.get(row.key)
        if earlier is None:
            kept[row.key] = row
            edits.append(Edit("added", row, row.was))
        elif not _is_same(row.was, earlier.was) and not _is_same(row.was, earlier.label):
            problems.append(_stale(source, f"{earlier.label!r} (corrected from {earlier.was!r})"))
        elif _is_same(row.label, earlier.was):
            del kept[row.key]
            edits.append(Edit("removed", replace(row, was=earlier.was), earlier.label))
        elif not _is_same(row.label, earlier.label):
            kept[row.key] = replace(row, was=earlier.was)
            edits.append(Edit("replaced", kept[row.key], earlier.label))
    if problems:
        raise InvalidInput(problems)
    return list(kept.values()), edits


def _is_same(a: str, b: str) -> bool:
    """Whether two texts say the same label: 12.5 of the data may be 12.500000001 of an answer in single precision."""
    if a == b:
        return True
    try:
        return math.isclose(float(a), float(b), rel_tol=1e-6)
    except ValueError:
        return False


def _stale(source: Relabel, now: str) -> Problem:
    hint = "The labels changed since it was exported: export a new sheet."
    message = f"shows {source.was!r} for {source.id!r}, but its label is {now} by now"
    return Problem("column y_true", message, hint, source.file, source.line)


def _try(project: "Project", file: Path, merged: "Sequence[Correction]", places: "_Places", *, keep: bool) -> "Dataset":
    """The data with the corrections in place; they are kept only when they fit the data.

    Raises:
        InvalidInput: When they do not; the old file stays.
    """
    from mlproj.data import load_dataset
    from mlproj.data.corrections_file import read_corrections, write_corrections
    from mlproj.track import store_for

    trial = file.with_name(f".{file.name}.new")
    try:
        write_corrections(trial, merged)
        name = os.path.relpath(trial, project.root)
        tried = project.changed(data=project.data.model_copy(update={"corrections": name}))
        try:
            dataset = load_dataset(tried, store=store_for(project).splits, save=False)
        except InvalidInput as error:
            at = {row.line: row for row in read_corrections(trial)}
            problems = [p if p.file != name else places.tell(p, at.get(p.line or 0)) for p in error.problems]
            raise InvalidInput(problems) from None
        if keep:
            trial.replace(file)
    finally:
        trial.unlink(missing_ok=True)
    return dataset


_SHEET_COLUMNS = {"id": "id", "was": "y_true", "label": "corrected_label"}


@dataclass(frozen=True)
class _Places:
    """Where corrections come from: a line of a sheet, or of the file as it was.

    Attributes:
        file: What messages call the file of corrections.
        old: Its lines by what they correct.
        new: Sheets and lines by what they correct.
    """

    file: str
    old: Mapping[tuple[str, str], int]
    new: Mapping[tuple[str, str], Relabel]

    def tell(self, problem: Problem, row: "Correction | None") -> Problem:
        """A problem of a correction, told of the line that its user can mend."""
        source = self.new.get(row.key) if row else None
        if source is None:
            return replace(problem, file=self.file, line=self.old.get(row.key) if row else None)
        hint = problem.hint
        if problem.where == "was":
            hint = "The data changed since it was exported: export a new sheet."
        column = f"column {_SHEET_COLUMNS.get(problem.where, problem.where)}"
        return Problem(column, problem.message, hint, source.file, source.line)


def _rejudge(
    project: "Project", dataset: "Dataset", merged: "Sequence[Correction]", edits: Sequence[Edit]
) -> tuple[Rejudged, ...]:
    from mlproj.workflow.runs import open_tracker

    back = [replace(e.correction, label=e.correction.was) for e in edits if e.action == "removed"]
    _, tracker = open_tracker(project, must_exist=True, writes=False)
    with tracker:
        return rejudge_runs(tracker, project, [*merged, *back], metric=_metric(dataset))


def _metric(dataset: "Dataset") -> str:
    return dataset.project.metric.optimize or ("rmse" if dataset.target.kind == "regression" else "error")


def _standing(merged: "Sequence[Correction]", said: Relabels) -> list[str]:
    """Corrections that this sheet does not agree with, although it corrects nothing there."""
    now = {row.id: row for row in merged}
    against = [now[name] for name, shown in said.confirmed if name in now and shown == now[name].was]
    if not against:
        return []
    shown = ", ".join(f"{row.id} ({row.was}, corrected to {row.label})" for row in against[:3])
    more = f" and {len(against) - 3:,} more" if len(against) > 3 else ""
    return [f"The sheet calls labels ok that were corrected: {shown}{more}. Delete their lines if it is right."]


def _notes(dataset: "Dataset", sheet: Sheet, runs: Sequence[Rejudged]) -> list[str]:
    notes = []
    one_sided = note_one_sided(dataset.corrections, dataset.deal.sizes)
    if one_sided is not None:
        notes.append(one_sided)
    if _unaudited(dataset, sheet):
        notes.append("No label of test was corrected: look at them by the same rules (errors export --split test).")
    if _one_eyed(dataset, sheet):
        notes.append(
            "Only wrong answers were looked at. Where label and answer are wrong alike, the answer counts as right: "
            f"look at right ones too (errors export --with-correct {_N_CORRECT})."
        )
    if len(runs) == MOST_RUNS:
        notes.append(f"Only the newest {MOST_RUNS} runs were judged anew.")
    return notes


def _unaudited(dataset: "Dataset", sheet: Sheet) -> bool:
    """Whether labels of dev were corrected and those of test not looked at."""
    counts = dataset.corrections
    return sheet.manifest.split != "test" and bool(
        counts.get("dev") and dataset.deal.sizes.get("test") and not counts.get("test")
    )


def _one_eyed(dataset: "Dataset", sheet: Sheet) -> bool:
    """Whether labels were looked at only where the model contradicts them."""
    is_errors = sheet.manifest.design == "errors" and sheet.manifest.task == "classification"
    return is_errors and bool(dataset.corrections.get("dev")) and all(row.is_error for row in sheet.reviewed)


def _next(project: "Project", dataset: "Dataset", sheet: Sheet, paths: Sequence[Path], *, dry_run: bool) -> str:
    """The same process for test, then for right answers; then training by the corrected labels."""
    if dry_run:
        return join(project, "errors", "apply", *map(str, paths))
    if _unaudited(dataset, sheet):
        return join(project, "errors", "export", "--split", "test", "--labels-only", "--out", "labels-test.csv")
    if _one_eyed(dataset, sheet):
        words = ("--with-correct", str(_N_CORRECT), "--out", "errors-and-right.csv")
        return join(project, "errors", "export", sheet.manifest.source, *words)
    return join(project, "train")
