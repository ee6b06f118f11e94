"""`mlproj errors export`: from a run or a predictions file to a sheet that people fill in."""

import math
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from mlproj.records import Answers, Predictions, Run
from mlproj.workflow.labels import overfit_notes
from mlproj.workflow.sheets import shelf_of
from mlproj.workflow.subject import Subject, Subjects, nearby

if TYPE_CHECKING:
    import pandas as pd

    from mlproj.data import Part, Sealed
    from mlproj.spec.project import Project

_LETTERS = "bcdfghjkmnpqrstvwxz"
"""A token of these is no number, date or word to a spreadsheet."""
Originals = dict[str, dict[str, str]]
_ABSOLUTE = frozenset({"mae", "mape"})


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


@dataclass(frozen=True)
class _Source:
    """What rows can be drawn from. N examples.

    Attributes:
        head: First line.
        ids: Their ids (N,).
        answers: Truth and answers; in an audit of labels the truth stands in for the answers.
        weight: Weights in the metric (N,), or None.
        group: Groups (N,), or None.
        originals: Gives the data's own cells by column and id for some ids.
        project: The project around, if any.
        run: Id of the run, or "".
        name: What the command line called it.
        label: The label that it is about; "" for a single one.
    """

    head: str
    ids: NDArray[Any]
    answers: Answers
    weight: NDArray[np.float64] | None
    group: NDArray[Any] | None
    originals: Callable[[Sequence[str]], Originals]
    project: "Project | None"
    run: str = ""
    name: str = ""
    label: str = ""


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
        source = _open_labels(project, split, label) if labels_only else _open_run(subjects, run, project, label)
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


def _write(source: _Source, manifest: Manifest, ids: Sequence[str], files: Sequence[Path], n_common: int) -> None:
    """Keeps the manifest and writes the sheet of each reviewer, or one for all."""
    originals, p_pred = source.originals(ids), _p_pred(source, ids) if manifest.design != "labels" else {}
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
        message = f"{overlap} is below 0" if overlap < 0 else "is for several reviewers"
        problems.append(Problem("--overlap", message, "Name them: --reviewers anna,ben"))
    if len(names) == 1:
        problems.append(Problem("--reviewers", "there is one name only", "Leave it out, or name several: anna,ben"))
    if problems:
        raise InvalidInput(problems)


def _open_run(
    subjects: Subjects, run: Run | str | Path | None, project: "Project | str | Path | None", label: str | None
) -> _Source:
    subject = subjects.find(run, project)
    assert subject.predictions is not None
    dev = subject.predictions.part("dev")
    if not len(dev):
        raise InputError(f"{subject.selector} holds no answers on dev, and errors are looked at there.")
    name = choose_label(tuple(dev.labels), label)
    known = dev.labels[name].known
    if not known.any():
        hint = "Give y_true in the file, or use ids of the project."
        raise InvalidInput([Problem("y_true", "the truth of no example is known", hint, subject.selector)])
    dev = dev.select(known)
    return _Source(
        subject.head, dev.ids, dev.labels[name], dev.weight, dev.group, _originals(subject, dev), subject.project,
        subject.run.id if subject.run else "", subject.selector, name,
    )  # fmt: skip


def choose_label(labels: Sequence[str], wanted: str | None) -> str:
    """The label that a sheet is about.

    Raises:
        InvalidInput: When there are several and none was named, or the name is not among them.
    """
    if wanted is None and len(labels) == 1:
        return labels[0]
    if wanted is None or (wanted not in labels and wanted != labels[0]):
        message = f"{wanted!r} is no label here" if wanted else "there are several labels"
        raise InvalidInput([Problem("--label", message, f"Name one of {', '.join(filter(None, labels)) or 'none'}.")])
    return wanted


def _originals(subject: Subject, dev: Predictions) -> Callable[[Sequence[str]], Originals]:
    """The data's own cells of dev examples: the project's columns, and the further ones of a foreign file."""

    def more(wanted: Sequence[str]) -> Originals:
        row = {name: place for place, name in enumerate(dev.ids.tolist())}
        rows = [row[name] for name in wanted]
        return {
            name: dict(zip(wanted, map(_as_text, values[rows].tolist()), strict=True))
            for name, values in dev.more.items()
        }

    if subject.project is None:
        return more
    from mlproj.data import load_dataset
    from mlproj.track import store_for

    part = load_dataset(subject.project, store=store_for(subject.project).splits, save=False).parts.get("dev")
    if part is None or not set(dev.ids.tolist()) & set(part.ids.tolist()):
        return more
    own = _cells(part.frame, part.ids, subject.project)
    return lambda wanted: more(wanted) | own(wanted)


def _cells(frame: "pd.DataFrame", ids: NDArray[Any], project: "Project") -> Callable[[Sequence[str]], Originals]:
    """The raw cells of some rows of the data as text, by column and id; those that it does not hold are left out."""
    from mlproj.data.cells import read_texts

    row = {name: place for place, name in enumerate(ids.tolist())}

    def cells(wanted: Sequence[str]) -> Originals:
        held = [name for name in wanted if name in row]
        some = frame.iloc[[row[name] for name in held]]
        return {
            str(name): dict(zip(held, [text or "" for text in read_texts(some[name]).to_pylist()], strict=True))
            for name in some.columns
            if name != project.data.id
        }

    return cells


def _as_text(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _open_labels(project: "Project | str | Path | None", split: str, label: str | None) -> _Source:
    """Labels without answers, of dev or of the sealed test set."""
    from mlproj.data import load_dataset, open_test
    from mlproj.track import store_for

    home = nearby(project)
    if home is None:
        hint = "Run it in the project's folder, or name it: --project PATH"
        raise InvalidInput([Problem("--labels-only", "an audit of labels needs the project", hint)])
    store = store_for(home).splits
    dataset = load_dataset(home, store=store)
    target = dataset.target
    name = choose_label(target.names, label)
    part: Part | Sealed
    if split == "test":
        part = open_test(home, store=store)
        y = target.encode(part.labels)
    elif "dev" not in dataset.parts:
        raise InvalidInput([home.problem("splits.dev", "there is no dev set", "Give it a share or a number.")])
    else:
        part = dataset.parts["dev"]
        y = part.y
    ids, weight, group = part.ids, part.weight, part.group
    answers = target.decode(np.zeros((len(y), target.n_outputs)), y)[name]
    known = answers.known
    answers = replace(answers, y_pred=answers.y_true, p=None).select(known)
    head = f"{home.name} · labels of {split}, {int(known.sum()):,} examples · no answers are shown"
    return _Source(
        head, ids[known], answers, None if weight is None else weight[known], None if group is None else group[known],
        _cells(part.frame, ids, home), home, "", f"labels of {split}", name,
    )  # fmt: skip


def _draw(
    source: _Source,
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
    metric, loss = _losses(source)
    suspicious = suspicion(answers) if suspects else None
    wrong = answers.y_pred != answers.y_true
    if labels_only:
        drawn = draw_labels(len(order), n=n, order=order)
    elif suspicious is not None:
        drawn = draw_suspects(suspicious, half, n=n, order=order)
    elif classes:
        if not wrong.any():
            raise InputError(
                f"{source.name} answers all {len(order):,} examples of dev right: there is nothing to look at."
            )
        drawn = draw_errors(wrong, half, n=n, n_correct=n_correct, order=order)
    elif n_correct:
        message = "numbers are neither right nor wrong; the sheet holds large and ordinary losses anyway"
        raise InvalidInput([Problem("--with-correct", message, "Leave it out.")])
    else:
        drawn = draw_largest(loss, half, n=n, order=order)
    weight = np.ones(len(order)) if source.weight is None else source.weight
    as_error = wrong.astype(np.float64) if classes else loss
    examples = [
        Example(
            str(source.ids[row]),
            _truth(answers, answers.y_true[row]),
            "" if labels_only else _truth(answers, answers.y_pred[row]),
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
        eyeball_error=_mean(as_error, weight, half, labels_only),
        blackbox_error=_mean(as_error, weight, ~half, labels_only),
    )
    return manifest, drawn.rows, _notes(drawn, manifest, wrong, half, n)


def _mean(values: NDArray[np.float64], weight: NDArray[np.float64], rows: NDArray[np.bool_], nothing: bool) -> float:
    return math.nan if nothing or not weight[rows].any() else float(np.average(values[rows], weights=weight[rows]))


def _losses(source: _Source) -> tuple[str, NDArray[np.float64]]:
    """Name and value of each example's loss (N,)."""
    from mlproj.metrics.losses import example_losses

    answers = source.answers
    if answers.is_classification:
        name = "error" if answers.p is None else "log_loss"
    else:
        optimized = source.project.metric.optimize if source.project else None
        name = "mae" if optimized in _ABSOLUTE else "mse"
    return name, example_losses(name, answers.y_true, answers.y_pred, answers.p)


def _truth(answers: Answers, value: Any) -> str:
    return answers.classes[int(value)] if answers.is_classification else f"{float(value):.12g}"


def _p_pred(source: _Source, ids: Sequence[str]) -> dict[str, str]:
    """Probability of the given answer by id."""
    p, answers = source.answers.p, source.answers.y_pred
    if p is None:
        return {}
    row = {name: place for place, name in enumerate(source.ids.tolist())}
    return {name: f"{p[row[name], int(answers[row[name]])]:.4f}" for name in ids}


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
