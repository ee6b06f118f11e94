"""New data without labels against dev: are the inputs those that the model was judged on? N rows."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlproj.diagnose.mismatch import Side, compare_answers, judge_mismatch
from mlproj.errors import InputError, InvalidInput, Problem, RunNotFound
from mlproj.records import Answers, Predictions, Run
from mlproj.workflow.subject import Subject, Subjects, nearby

if TYPE_CHECKING:
    import pandas as pd

    from mlproj.data.sources import Reading
    from mlproj.spec.project import Project
    from mlproj.workflow.mismatch import Comparison


def compare_with_new(
    subjects: Subjects,
    run: Run | str | Path | None,
    project: "Project | str | Path | None",
    file: str,
    label: str | None,
) -> "Comparison":
    """New data against dev: inputs, and what the model answers on both.

    Args:
        subjects: Finds runs.
        run: The run or predictions file whose dev is meant; None for the newest, if there is one.
        project: The project.
        file: The new data, any source.
        label: The one label whose answers to compare.

    Raises:
        InvalidInput: When the file lacks features, or there is no dev set with features.
    """
    from mlproj.advise.mismatch import next_after_new
    from mlproj.workflow.mismatch import Comparison
    from mlproj.workflow.mismatch_inputs import read_new

    home = nearby(project)
    subject, notes = _find(subjects, run, home)
    if home is None and subject is None:
        hint = "Run it in the project's folder, name it with --project PATH, or give a predictions file with columns."
        raise InvalidInput([Problem("--against", "there is no project whose dev set it could be held against", hint)])
    reading = _thin(read_new(file, home.root if home else Path()), file, notes)
    if subject is not None and subject.predictions is not None and label is not None:
        from mlproj.diagnose.several import of_label

        subject = replace(subject, predictions=of_label(subject.predictions, label))
    dev, new, answers = _sides(subjects, subject, home, reading, file, notes)
    found = judge_mismatch(dev, new, notes=notes)
    found = replace(found, answers=answers)
    head = subject.head if subject else f"{home.name if home else ''} · dev {len(dev.ids):,}"
    known = None if subject is None or subject.is_foreign else subject.selector
    words = next_after_new(home, known, file)
    return Comparison(f"{head} · against {file}, {len(reading.frame):,} rows", found, words, subject)


def _find(subjects: Subjects, run: Run | str | Path | None, home: "Project | None") -> tuple[Subject | None, list[str]]:
    """The run or file; where none was named and there is none, dev alone is held against the new data."""
    if run is None and home is None:
        return None, []
    try:
        return subjects.find(run, home), []
    except RunNotFound:
        if run is not None:
            raise
        return None, ["The project has no trained run yet, so answers are not compared."]


def _thin(reading: "Reading", file: str, notes: list[str]) -> "Reading":
    """As many rows as are compared anyway, drawn at random."""
    from mlproj.diagnose.mismatch.judge import MOST_ROWS

    notes += reading.notes
    n = len(reading.frame)
    if n <= MOST_ROWS:
        return reading
    rows = np.sort(np.random.default_rng(n).choice(n, MOST_ROWS, replace=False))
    notes.append(f"{MOST_ROWS:,} of the {n:,} rows of {file} are compared, drawn at random.")
    thinned = reading.select(rows)
    return replace(thinned, frame=thinned.frame.reset_index(drop=True))


def _sides(
    subjects: Subjects, subject: Subject | None, home: "Project | None", reading: "Reading", file: str, notes: list[str]
) -> tuple[Side, Side, Any]:
    """Dev, the new rows, and what the model answers on both."""
    told = subject.project if subject and subject.project else home
    dev = None if subject is None or subject.predictions is None else subject.predictions.part("dev")
    if told is None:
        assert dev is not None
        return *_by_columns(dev, reading, file, notes), ()
    from mlproj.workflow.arrays import open_dataset
    from mlproj.workflow.mismatch_inputs import check_new, features_of, name_rows, rows_of_part
    from mlproj.workflow.mismatch_sides import may_show

    dataset = open_dataset(told, save=False)
    if "dev" not in dataset.parts:
        raise InvalidInput([told.problem("splits.dev", "there is no dev set", "Give it a share or a number.")])
    part = dataset.parts["dev"]
    if dev is not None and (rows_of_part(part, dev.ids) < 0).all() and dev.more:
        return *_by_columns(dev, reading, file, notes), ()
    notes += check_new(reading.frame, dataset, file)
    label = [name for name in dataset.target.labels if name in reading.frame.columns]
    if label:
        judged = "`mlproj diagnose bias-variance` judges a predictions file with labels."
        notes.append(f"{file} holds the label {', '.join(label)}, which is not read here: {judged}")
    group = told.data.group
    has_group = group is not None and group in reading.frame.columns and part.group is not None
    shown = Predictions(part.ids, np.full(len(part), "dev"), {}, None, part.group)
    sides = (
        Side("dev", part.ids, features_of(dataset, part.frame), part.group if has_group else None,
             may_show=may_show(told, shown)),
        Side(Path(file).name, name_rows(reading.frame, told.data.id, reading.rows.tolist()),
             features_of(dataset, reading.frame), reading.frame[group].astype(str).to_numpy().astype(np.str_)
             if has_group and group else None),
    )  # fmt: skip
    return *sides, _answers(subjects, subject, dev, reading.frame, notes)


def _by_columns(dev: Predictions, reading: "Reading", file: str, notes: list[str]) -> tuple[Side, Side]:
    """Dev of a predictions file and the new rows, by the columns that both have."""
    from mlproj.workflow.mismatch_inputs import guess_features, name_rows

    shared = [name for name in dev.more if name in reading.frame.columns]
    if not len(dev) or not shared:
        had = ", ".join(list(dev.more)[:6]) or "none"
        hint = f"The predictions file carries further columns: {had}. Name the same in {file}."
        raise InvalidInput([Problem("--against", f"{file} and the predictions share no feature", hint)])
    import pandas as pd

    mine, left = guess_features(pd.DataFrame({name: dev.more[name] for name in shared}))
    theirs, further = guess_features(reading.frame[shared])
    if ignored := sorted({*left, *further}):
        notes.append(f"Columns whose texts differ from row to row are no features: {', '.join(ignored[:6])}.")
    ids = name_rows(reading.frame, "id", reading.rows.tolist())
    first = Side("dev", dev.ids, mine, predictions=dev)
    return first, Side(Path(file).name, ids, [f for f in theirs if f.name not in ignored])


def _answers(
    subjects: Subjects, subject: Subject | None, dev: Predictions | None, frame: "pd.DataFrame", notes: list[str]
) -> Any:  # fmt: skip
    """How often the model gives each answer on dev and on the new rows; nothing where there is no model."""
    if subject is None or subject.run is None or subjects.tracker is None or dev is None or not len(dev):
        return ()
    from mlproj.workflow.models import load_model

    try:
        model = load_model(subjects.tracker, subject.run)
        unreadable = model.find_unreadable(frame)
        good = ~np.logical_or.reduce(list(unreadable.values())) if unreadable else np.ones(len(frame), dtype=np.bool_)
        said = model.predict(frame.loc[good])
    except InputError as error:
        notes.append(f"Answers are not compared: {str(error).splitlines()[0]}")
        return ()
    labels = {}
    for name, answers in dev.labels.items():
        column = f"y_pred:{name}" if name else "y_pred"
        if not answers.is_classification or column not in said:
            continue
        place = {text: k for k, text in enumerate(answers.classes)}
        codes = np.array([place.get(str(answer), -1) for answer in said[column]], dtype=np.int64)
        labels[name] = Answers(np.full(len(codes), -1, dtype=np.int64), codes, answers.classes)
    new = Predictions(np.arange(len(said)).astype(np.str_), np.full(len(said), "dev"), labels)
    return compare_answers(dev, new) if labels else ()
