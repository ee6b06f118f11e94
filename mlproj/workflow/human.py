"""Where the human level of a diagnosis comes from: a figure, counts of experts, or labels of several people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlproj.errors import InvalidInput, Problem
from mlproj.records import Predictions
from mlproj.spec.goal import HumanLevel, LabelIs
from mlproj.workflow.subject import Subject

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.diagnose import GivenRung
    from mlproj.diagnose.human import People
    from mlproj.spec.project import Project
    from mlproj.workflow.annotators import Blame, Labelled

LABEL_IS: tuple[LabelIs, ...] = ("gold", "single", "consensus")
FEWEST = 20
"""Examples with labels from which a distribution has a human level of its own."""


@dataclass(frozen=True)
class Told:
    """What a diagnosis is told about people.

    Attributes:
        level: The human level as the ladder takes it; None where there is none.
        rung: The rung that it amounts to, where it is no plain figure.
        notes: What there is to say.
        document: What people's labels say, JSON-ready; None where there are none.
        people: By distribution (or "" for both), what they say.
    """

    level: HumanLevel | None = None
    rung: "GivenRung | None" = None
    notes: tuple[str, ...] = ()
    document: Mapping[str, Any] | None = None
    people: "Mapping[str, People]" = field(default_factory=dict)


def find_human(
    subject: Subject,
    *,
    metric: str | None = None,
    annotators: str | None = None,
    label_is: str | None = None,
) -> Told:
    """The human level of a subject: of the options given, else of its project.

    Args:
        subject: The run or file.
        metric: Metric of the ladder, where one was asked for.
        annotators: Columns, separated by commas, or a file of labels, in place of the project's human level.
        label_is: What the label is beside them.

    Raises:
        InvalidInput: When the labels of people cannot be read.
    """
    project = subject.project
    if annotators is not None:
        levels: tuple[HumanLevel, ...] = (_of_option(annotators, label_is),)
        blame: Blame = lambda message, hint: Problem("--annotators", message, hint)  # noqa: E731
    else:
        levels = project.humans if project is not None else ()
        blame = lambda message, hint: _blame(project, message, hint)  # noqa: E731
    if not levels:
        return Told()
    if all(level.annotators is None and level.experts is None for level in levels):
        return _figures(levels)
    differ = bool((subject.splits or {}).get("distributions_differ"))
    found: dict[str, People] = {}
    notes: list[str] = []
    for level in levels:
        on = level.on if differ or len(levels) > 1 else None
        people, said = _measure(level, subject, metric, on, blame, differ=differ)
        found |= people
        notes += said
    return _join(found, notes)


def _of_option(annotators: str, label_is: str | None) -> HumanLevel:
    """The human level that the options mean."""
    problems = []
    if label_is is not None and label_is not in LABEL_IS:
        problems.append(Problem("--label-is", f"{label_is!r} is none of {', '.join(LABEL_IS)}", "Name one of them."))
    names = [name.strip() for name in annotators.split(",") if name.strip()]
    if not names:
        problems.append(Problem("--annotators", "names no column", "For example --annotators anna,ben."))
    twice = dict.fromkeys(name for name in names if names.count(name) > 1)
    problems += [Problem("--annotators", f"{name!r} is named twice", "Keep one of the two.") for name in twice]
    if problems:
        raise InvalidInput(problems)
    is_file = len(names) == 1 and names[0].lower().endswith((".csv", ".parquet"))
    given: Any = names[0] if is_file else names
    return HumanLevel.model_validate({"annotators": given, "label_is": label_is})


def _blame(project: "Project | None", message: str, hint: str) -> Problem:
    where = "human_level.annotators"
    return project.problem(where, message, hint) if project is not None else Problem(where, message, hint)


def _figures(levels: Sequence[HumanLevel]) -> Told:
    """One plain figure, or one for each distribution."""
    from mlproj.diagnose.rungs import as_given

    if len(levels) == 1:
        return Told(levels[0])
    return Told(levels[0], replace(as_given(levels[0]), on_target=as_given(levels[1])))


def _measure(
    level: HumanLevel, subject: Subject, metric: str | None, on: str | None, blame: "Blame", *, differ: bool
) -> "tuple[dict[str, People], list[str]]":
    """What one human level says, by distribution."""
    from mlproj.diagnose.human import People, from_counts, from_votes
    from mlproj.diagnose.rungs import as_given

    if level.experts is not None:
        return {on or "": from_counts(level.experts, on)}, []
    if level.annotators is None:
        return {on or "": People(as_given(level), level.metric or "error", (), {})}, []
    labelled = read_labels(level, subject, blame)
    notes = _were_features(level, subject)
    if labelled.left_aside:
        notes.append(
            f"Labels of {labelled.left_aside:,} examples of the sealed test set, or of no split, are left aside."
        )
    plain = "error" if labelled.votes.classes else "rmse"
    wanted = metric or level.metric or plain
    found = {}
    for place, votes in _by_distribution(labelled, on, differ=differ).items():
        where = f" on the {place} distribution" if place else ""
        found[place] = from_votes(votes, wanted, label_is=level.label_is, on=place or None, where=where)
    return found, notes


def _were_features(level: HumanLevel, subject: Subject) -> list[str]:
    """The warning that a model was shown the labels of people as features, before they were declared."""
    run = subject.run
    if run is None or run.folder is None or subject.is_foreign or not level.columns:
        return []
    from mlproj.data.columns import assign_roles
    from mlproj.spec.load import load_project

    roles = assign_roles(load_project(run.folder / "project.yaml"), level.columns, ())
    seen = [name for name in level.columns if roles[name] == "feature"]
    if not seen:
        return []
    were = "was a feature" if len(seen) == 1 else "were features"
    return [f"{', '.join(seen)} {were} of {run.name}: it was told what people said. Train anew: mlproj train"]


def _by_distribution(labelled: "Labelled", on: str | None, *, differ: bool) -> dict[str, Any]:
    """The labels of each distribution; examples of the target that are trained on are of both."""
    votes = labelled.votes
    if not differ:
        return {"": votes}
    held_out = np.isin(labelled.split, ["dev", "test"])
    of_target = held_out if labelled.of_target is None else held_out | labelled.of_target
    parts = {"training": votes.at(~held_out), "target": votes.at(of_target)}
    if on is not None:
        return {on: parts[on]}
    n = {place: int((part.per_item > 0).sum()) for place, part in parts.items()}
    enough = {place: part for place, part in parts.items() if n[place] >= FEWEST}
    most = max(parts, key=lambda place: n[place])
    return enough or {most: parts[most]}


def _join(found: "Mapping[str, People]", notes: Sequence[str]) -> Told:
    """One rung of what was found on one distribution or on both."""
    order = [place for place in ("", "training", "target") if place in found]
    said = [note for place in order for note in found[place].notes]
    document = {place or "both": dict(found[place].document) for place in order}
    known = {place: people for place in order if (people := found[place]).rung is not None}
    told = Told(None, None, (*dict.fromkeys(said), *notes), document, found)
    if not known:
        return told
    first = next(iter(known.values()))
    rung = first.rung
    assert rung is not None
    second = known.get("target")
    if second is not None and second is not first and second.metric == first.metric:
        rung = replace(rung, on_target=second.rung)
    plain = first.metric in ("error", "rmse")
    level = HumanLevel.model_validate(
        {"error": rung.value, "on": rung.on} if plain else {"metric": first.metric, "value": rung.value, "on": rung.on}
    )
    return replace(told, level=level, rung=rung)


def read_labels(level: HumanLevel, subject: Subject, blame: "Blame") -> "Labelled":
    """The labels of the people that a human level names.

    Args:
        level: With `annotators`.
        subject: The run or file; where it belongs to a project, the project's data are read.
        blame: Makes a problem of what is wrong.

    Raises:
        InvalidInput: When they cannot be read.
    """
    from mlproj.workflow.annotators import Items, of_columns, of_file

    predictions = subject.predictions
    if predictions is not None and _brings(predictions, level):
        _check_single(len(predictions.labels), blame)
        items = Items.of_predictions(predictions)
        if level.columns:
            return of_columns({name: predictions.more[name] for name in level.columns}, items, blame)
    if subject.project is None:
        if predictions is None:
            raise InvalidInput([blame("there are no examples: all rungs are given by hand", "Give --human ERROR:N.")])
        if level.columns:
            raise InvalidInput([_absent(name, list(predictions.more), blame) for name in level.columns
                                if name not in predictions.more])  # fmt: skip
        _check_single(len(predictions.labels), blame)
        return of_file(Path(str(level.annotators)), Items.of_predictions(predictions), blame)
    from mlproj.workflow.arrays import open_dataset

    return labels_of_dataset(level, open_dataset(subject.project, save=False), blame)


def labels_of_dataset(level: HumanLevel, dataset: "Dataset", blame: "Blame") -> "Labelled":
    """The labels of people, for the examples of a project that may be seen.

    Args:
        level: With `annotators`.
        dataset: The project's data.
        blame: Makes a problem of what is wrong.

    Raises:
        InvalidInput: When they cannot be read.
    """
    from mlproj.workflow.annotators import Items, of_columns, of_file

    _check_single(len(dataset.target.names), blame)
    items = Items.of_dataset(dataset)
    if isinstance(level.annotators, str):
        return of_file(dataset.project.root / level.annotators, items, blame, dataset.project.data.id)
    import pandas as pd

    frames = [part.frame for part in dataset.parts.values()]
    absent = [name for name in level.columns if name not in frames[0].columns]
    if absent:
        raise InvalidInput([_absent(name, list(frames[0].columns), blame) for name in absent])
    cells = {name: pd.concat([frame[name] for frame in frames], ignore_index=True) for name in level.columns}
    return of_columns(cells, items, blame)


def check_annotators(project: "Project", dataset: "Dataset") -> list[str]:
    """What `check` says of the labels of people, which train and test of it no model.

    Raises:
        InvalidInput: When they cannot be read.
    """
    notes: list[str] = []
    problems: list[Problem] = []
    for level in project.humans:
        if level.annotators is None:
            continue
        try:
            labelled = labels_of_dataset(level, dataset, lambda message, hint: _blame(project, message, hint))
        except InvalidInput as error:
            problems += error.problems
            continue
        votes = labelled.votes
        people = ", ".join(votes.people[:6]) + (f", … ({len(votes.people):,} people)" if len(votes.people) > 6 else "")
        labelled_n, twice = int((votes.per_item > 0).sum()), int((votes.per_item > 1).sum())
        columns = " Their columns are no features, and stay in sheets." if level.columns else ""
        if not twice:
            columns += " With one label per example they can only be held against the label of the data."
        notes.append(
            f"human_level: labels of {people} on {labelled_n:,} examples outside of test, two or more on {twice:,}."
            + columns
        )
    if problems:
        raise InvalidInput(problems)
    return notes


def _brings(predictions: Predictions, level: HumanLevel) -> bool:
    """Whether a predictions file holds the labels of all these people itself."""
    return bool(level.columns) and all(name in predictions.more for name in level.columns)


def _check_single(n_labels: int, blame: "Blame") -> None:
    if n_labels > 1:
        message = f"labels of people speak of one label, and there are {n_labels}"
        raise InvalidInput([blame(message, "Give the human level as a figure, or a project to each label.")])


def _absent(name: str, names: Sequence[str], blame: "Blame") -> Problem:
    from mlproj.data.words import suggest

    if name == "y_true":
        return blame("'y_true' is the label", "Name the columns of the people; the label counts by itself.")
    return blame(f"there is no column {name!r}", suggest(name, names) or "The file holds answers only.")
