"""`mlproj errors export`: from a run or a predictions file to a sheet that people fill in."""

import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlproj.advise.commands import join
from mlproj.error_analysis import Example, Manifest
from mlproj.error_analysis.sample import (
    Draw,
    draw_errors,
    draw_labels,
    draw_largest,
    draw_suspects,
    eyeball,
    hash_order,
    share_out,
)
from mlproj.error_analysis.suspects import suspicion
from mlproj.error_analysis.write import SUFFIXES, make_page, write_page
from mlproj.errors import InputError, InvalidInput, Problem
from mlproj.records import Run
from mlproj.workflow.labels import overfit_notes
from mlproj.workflow.sheet_source import SheetSource, open_answers, open_labels
from mlproj.workflow.sheets import shelf_of
from mlproj.workflow.subject import Subjects

if TYPE_CHECKING:
    from mlproj.spec.project import Project

_LETTERS = "bcdfghjkmnpqrstvwxz"
"""A token of these is no number, date or word to a spreadsheet."""


@dataclass(frozen=True)
class Exported:
    """Sheets that were written.

    Attributes:
        head: First line: run or file, split and n.
        files: The sheets, one or one per reviewer.
        manifest: How they were drawn.
        notes: What a user should know about the draw.
        next: The command to run when they are filled in.
    """

    head: str
    files: tuple[Path, ...]
    manifest: Manifest
    notes: tuple[str, ...]
    next: str

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj errors export`."""
        made = self.manifest
        return {
            "sheet": made.sheet,
            "files": [str(path) for path in self.files],
            "rows": len(made.examples),
            "split": made.split,
            "half": made.half,
            "strata": {
                name: {"population": s.population, "drawn": s.drawn, "weight": s.weight}
                for name, s in made.strata.items()
            },
            "notes": list(self.notes),
            "next": self.next,
        }


def errors_export(
    run: Run | str | Path | None = None,
    *,
    out: str | Path,
    project: "Project | str | Path | None" = None,
    n: int = 100,
    tags: str | Sequence[str] | None = None,
    with_correct: int = 0,
    draw_from: str = "dev",
    split: str = "dev",
    labels_only: bool = False,
    label: str | None = None,
    reviewers: str | Sequence[str] | None = None,
    overlap: int | None = None,
    seed: int = 0,
) -> Exported:
    """Write wrong answers into a sheet (.csv, .xlsx) that people fill in.

    Args:
        run: Run id, unique prefix, name, `latest`, `best`, or a predictions file; the newest finished training when
            left out.
        out: The sheet: .csv or .xlsx. With several reviewers each gets a file with the name inserted.
        project: Project, project.yaml or folder; the current folder's by default.
        n: Rows: wrong answers, suspects or labels.
        tags: Reasons that get a column, also as text with commas; by default those of `error_analysis.tags`.
        with_correct: So many right answers besides, for an audit of labels.
        draw_from: dev draws from the wrong answers, suspects from the labels that look wrong.
        split: test only with `labels_only`.
        labels_only: Shows labels without answers: an audit, also of the sealed test set.
        label: Which label, where there are several.
        reviewers: Names; each gets a sheet.
        overlap: Rows that all reviewers get, to see whether they agree; 30 by default.
        seed: Seed of the draw.

    Raises:
        InvalidInput: When an option cannot mean what was written; nothing is written then.
    """
    names = _split_names(reviewers)
    files = _files(Path(out), names)
    _check(n, with_correct, draw_from, split, labels_only, names, overlap)
    for path in files:
        check_free(path)
    with Subjects() as subjects:
        source = open_labels(project, split, label) if labels_only else open_answers(subjects, run, project, label)
        alarms = [] if labels_only else overfit_notes(subjects, source.run, source.project, shelf_of(source.project))
    wanted = _split_names(tags) or (source.project.error_analysis.tags if source.project else ())
    manifest, rows, notes = _draw(
        source, n=n, n_correct=with_correct, suspects=draw_from == "suspects", split=split, seed=seed,
        tags=tuple(wanted), reviewers=names, labels_only=labels_only,
    )  # fmt: skip
    n_common = min(30, len(rows)) if overlap is None else overlap
    _write(source, manifest, source.ids[rows].tolist(), files, n_common)
    following = join(source.project, "errors", "summarize", *map(str, files))
    return Exported(source.head, files, manifest, (*notes, *alarms), following)


def _write(source: SheetSource, manifest: Manifest, ids: Sequence[str], files: Sequence[Path], n_common: int) -> None:
    """Keeps the manifest and writes the sheet of each reviewer, or one for all."""
    originals, p_pred = source.originals(ids), source.p_of_answer(ids) if manifest.design != "labels" else {}
    names = manifest.reviewers or ("",)
    pages = [
        make_page(
            manifest,
            [manifest.examples[ids[place]] for place in share],
            p_pred=p_pred,
            originals=originals,
            tags=manifest.tags,
            reviewer=name,
        )
        for name, share in zip(names, share_out(len(ids), len(names), n_common), strict=True)
    ]
    try:
        shelf_of(source.project, files).keep(manifest)
        for path, page in zip(files, pages, strict=True):
            write_page(page, path, classes=manifest.classes)
    except OSError as error:
        message = f"{error.filename or files[0]} cannot be written ({error.strerror or error})"
        raise InvalidInput([Problem("--out", message, "Name a file in a folder that you may write to.")]) from None


def check_free(path: Path) -> None:
    """Whether a sheet may be written to a path: never over one in which somebody has written, nor over anything else.

    Raises:
        InvalidInput: When it may not.
    """
    from mlproj.error_analysis.layout import AFTER
    from mlproj.error_analysis.open import open_sheet
    from mlproj.error_analysis.sheet import TAG

    if not path.exists():
        return
    try:
        cells = open_sheet(path)
    except InputError:
        raise InvalidInput(
            [Problem("--out", f"{path} is there already and is no sheet", "Name another file.")]
        ) from None
    written = [i for i, name in enumerate(cells.header) if name in AFTER or name.startswith(TAG)]
    if "sheet" not in cells.header or "id" not in cells.header:
        raise InvalidInput([Problem("--out", f"{path} is there already and is no sheet", "Name another file.")])
    if any(row[i].strip() for row in cells.rows for i in written):
        hint = "Name another file, or summarise this one first: it is kept as it is."
        raise InvalidInput([Problem("--out", f"somebody has written into {path} already", hint)])


def _split_names(names: str | Sequence[str] | None) -> tuple[str, ...]:
    parts = names.split(",") if isinstance(names, str) else names or ()
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _files(out: Path, reviewers: Sequence[str]) -> tuple[Path, ...]:
    problem = ""
    if out.suffix.lower() not in SUFFIXES:
        problem, hint = f"{out} is neither .csv nor .xlsx", "Name a .csv or .xlsx file."
    elif not out.parent.is_dir():
        problem, hint = f"the folder {out.parent} does not exist", "Make it first, or name another."
    elif out.is_dir():
        problem, hint = f"{out} is a folder", "Name a file."
    if problem:
        raise InvalidInput([Problem("--out", problem, hint)])
    odd = [name for name in reviewers if not all(mark.isalnum() or mark in "-_. " for mark in name)]
    if odd:
        raise InvalidInput([Problem("--reviewers", f"{odd[0]!r} cannot be part of a file's name", "Use letters.")])
    return tuple(out.with_name(f"{out.stem}-{name}{out.suffix}") for name in reviewers) or (out,)


def _check(
    n: int, n_correct: int, draw_from: str, split: str, labels_only: bool, names: Sequence[str], overlap: int | None
) -> None:
    problems = []
    if n < 1:
        problems.append(Problem("--n", f"{n} rows are no sheet", "Write a number from 1, such as 100."))
    if n_correct < 0:
        problems.append(Problem("--with-correct", f"{n_correct} is below 0", "Write a number from 0, such as 100."))
    if draw_from not in ("dev", "suspects"):
        problems.append(Problem("--from", f"{draw_from!r} is not known", "It is dev or suspects."))
    if split not in ("dev", "test"):
        problems.append(Problem("--split", f"{split!r} is not known", "It is dev, or test with --labels-only."))
    if split == "test" and not labels_only:
        hint = "Its labels alone may be checked: add --labels-only."
        problems.append(Problem("--split", "the test set is sealed: its errors may not be looked at", hint))
    if labels_only and (n_correct or draw_from != "dev"):
        message = "an audit of labels shows no answers, so there are neither right ones nor suspects"
        problems.append(Problem("--labels-only", message, "Leave --with-correct and --from out."))
    if overlap is not None and (overlap < 0 or not names):
        below = overlap < 0
        message = f"{overlap} is below 0" if below else "is for several reviewers"
        hint = "Write a number from 0, such as 30." if below else "Name them: --reviewers anna,ben"
        problems.append(Problem("--overlap", message, hint))
    if len(names) == 1:
        problems.append(Problem("--reviewers", "there is one name only", "Leave it out, or name several: anna,ben"))
    if problems:
        raise InvalidInput(problems)


def _draw(
    source: SheetSource,
    *,
    n: int,
    n_correct: int,
    suspects: bool,
    split: str,
    seed: int,
    tags: tuple[str, ...],
    reviewers: tuple[str, ...],
    labels_only: bool,
) -> tuple[Manifest, NDArray[np.int64], tuple[str, ...]]:
    """The manifest of a sheet, the positions of its rows, and what there is to say about the draw."""
    answers, order = source.answers, hash_order(source.ids, seed)
    which = source.project.error_analysis.eyeball if source.project else 0
    half = eyeball(source.ids, source.group, seed=which)
    classes = answers.is_classification
    metric, loss = source.loss_name, source.losses()
    suspicious = suspicion(answers) if suspects else None
    wrong = answers.y_pred != answers.y_true
    ask = _Asked(n, n_correct, labels_only=labels_only, suspicious=suspicious)
    drawn = _rows(source, ask, half, order, wrong, loss)
    weight = np.ones(len(order)) if source.weight is None else source.weight
    as_error = wrong.astype(np.float64) if classes else loss
    examples = [
        Example(
            str(source.ids[row]),
            source.word(answers.y_true[row]),
            "" if labels_only else source.word(answers.y_pred[row]),
            math.nan if labels_only else float(loss[row]),
            stratum,
            float(weight[row]),
            None if suspicious is None else round(float(suspicious[row]), 6),
        )
        for row, stratum in zip(drawn.rows.tolist(), drawn.stratum, strict=True)
    ]
    manifest = Manifest(
        sheet="sheet-" + "".join(secrets.choice(_LETTERS) for _ in range(8)),
        run=source.run,
        source=source.name,
        split="test" if split == "test" else "dev",
        design="labels" if labels_only else "suspects" if suspects else "errors",
        half=drawn.half,
        task="classification" if classes else "regression",
        label=source.label,
        classes=answers.classes,
        n=len(order),
        error=math.nan if labels_only else float(np.average(as_error, weights=weight)),
        strata=drawn.strata,
        examples={example.id: example for example in examples},
        tags=tags,
        metric="error" if classes else metric,
        reviewers=reviewers,
        created=time.time(),
        seed=seed,
        eyeball_seed=which,
    )
    return manifest, drawn.rows, _notes(drawn, manifest, wrong, half, n)


@dataclass(frozen=True)
class _Asked:
    """What kind of rows a sheet is to hold, and how many."""

    n: int
    n_correct: int
    labels_only: bool
    suspicious: NDArray[np.float64] | None


def _rows(
    source: SheetSource,
    ask: _Asked,
    half: NDArray[np.bool_],
    order: NDArray[np.uint64],
    wrong: NDArray[np.bool_],
    loss: NDArray[np.float64],
) -> Draw:
    """The rows of a sheet, drawn as its design says.

    Raises:
        InputError: When there is nothing to look at.
    """
    if ask.labels_only:
        return draw_labels(len(order), n=ask.n, order=order)
    if ask.suspicious is not None:
        return draw_suspects(ask.suspicious, half, n=ask.n, order=order)
    if not source.answers.is_classification:
        if ask.n_correct:
            message = "numbers are neither right nor wrong; the sheet holds large and ordinary losses anyway"
            raise InvalidInput([Problem("--with-correct", message, "Leave it out.")])
        return draw_largest(loss, half, n=ask.n, order=order)
    if not wrong.any():
        count = f"all {len(order):,} examples of dev"
        raise InputError(f"{source.name} answers {count} right: there is nothing to look at.")
    return draw_errors(wrong, half, n=ask.n, n_correct=ask.n_correct, order=order)


def _notes(
    drawn: Draw, manifest: Manifest, wrong: NDArray[np.bool_], half: NDArray[np.bool_], n: int
) -> tuple[str, ...]:
    notes = []
    if manifest.design == "labels":
        found = manifest.strata["label"]
        notes.append(f"{found.drawn:,} of {found.population:,} labels of {manifest.split}, drawn at random.")
    elif drawn.half == "eyeball":
        notes.append("Rows come from the half of dev that may be looked at; the other half stays unseen.")
    else:
        what = "wrong answers" if manifest.design == "errors" and manifest.task == "classification" else "examples"
        held = int((half & wrong).sum()) if what == "wrong answers" else int(half.sum())
        notes.append(
            f"Rows come from all of dev: the half that may be looked at holds only {held:,} {what} of {n:,} asked."
        )
    for name, stratum in manifest.strata.items():
        if manifest.design != "labels":
            notes.append(f"{name}: {stratum.drawn:,} of {stratum.population:,}.")
    return tuple(notes)
