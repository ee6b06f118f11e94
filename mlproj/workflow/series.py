"""`mlproj diagnose bias-variance --series`: the runs of an experiment on one dev set, from the oldest to the newest."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.errors import InputError, InvalidInput, Problem, TrackingError
from mlproj.records import Entry, Ladder, Predictions, Run, Series
from mlproj.workflow.labels import corrections_of
from mlproj.workflow.seeds import makings
from mlproj.workflow.subject import Subject

if TYPE_CHECKING:
    from mlproj.diagnose import GivenRung
    from mlproj.diagnose.series import Member
    from mlproj.track import AbstractTracker
    from mlproj.workflow.human import Told

KINDS = ("train", "search", "record")
"""Runs that stand in a series; a search by its best trial."""
MOST_PAIRED = 100_000
"""Training examples up to which two runs are compared one by one; above, their intervals are narrow enough."""
_DEV, _DATA, _BEST = "mlproj.dev_hash", "mlproj.data_hash", "mlproj.best"
_SILENT = ("name", "about")
_OF_A_MODEL = ("model.", "training.", "augment.", "search.", "mlproj.")


@dataclass(frozen=True)
class Question:
    """How each ladder of a series is computed, so that all are alike.

    Attributes:
        given: Human level by hand, if any.
        min_gap: Smallest gap worth closing.
        label: The one label to speak of, where there are several.
        last: Runs to show at most.
        about: What the newest ladder is told about people.
    """

    given: "Sequence[GivenRung]" = ()
    min_gap: float | None = None
    label: str | None = None
    last: int = 20
    about: "Told | None" = None


@dataclass(frozen=True)
class Listed:
    """A run of the list and the one that holds its model: for a search its best trial."""

    run: Run
    model: Run


def check_series(subject: Subject, given: "Sequence[GivenRung]", last: int) -> None:
    """Whether a series can be made of what is asked.

    Raises:
        InvalidInput: When the subject is no stored run, rungs are given by hand, or `last` is no number of runs.
    """
    problems = []
    if subject.run is None:
        what = "rungs given by hand" if subject.chosen == "rungs" else subject.selector
        message = f"a series is one of stored runs, and {what} lies in no store"
        problems.append(
            Problem("--series", message, "Name a run, or put the file there: mlproj record FILE --name NAME")
        )
    elif any(rung.name != "human" for rung in given):
        message = "rungs by hand would stand for every run of the series"
        problems.append(Problem("--series", message, "Give the human level at most (--human)."))
    if last < 1:
        problems.append(Problem("--last", f"{last} is no number of runs", "Write a whole number from 1."))
    if problems:
        raise InvalidInput(problems)


def series_of(tracker: "AbstractTracker", subject: Subject, newest: Ladder, question: Question) -> Series:
    """The series that leads up to a run.

    Args:
        tracker: Where the runs lie.
        subject: The newest run of the series.
        newest: Its ladder; all others are in its metric.
        question: How ladders are computed.
    """
    from mlproj.diagnose.series import judge_series

    assert subject.run is not None
    listed, apart = sort_out(_up_to(tracker, subject.run), subject.run)
    hidden = max(0, len(listed) - question.last)
    members: list[Member] = []
    before: Run | None = None
    for each in listed[hidden:]:
        try:
            member = _member(tracker, each, before, subject, newest, question)
        except (InputError, TrackingError, OSError, KeyError, ValueError) as error:
            apart.setdefault(f"it has no such ladder ({_first_line(error)})", []).append(each.run.name)
            continue
        members.append(member)
        before = each.model
    return judge_series(members, hidden=hidden, apart={reason: tuple(names) for reason, names in apart.items()})


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".:")


def _up_to(tracker: "AbstractTracker", newest: Run) -> list[Listed]:
    """The models of a project from the oldest to the one that is asked about."""
    runs = tracker.runs(statuses=("FINISHED",))
    by_id = {run.id: run for run in runs}
    listed = []
    for run in sorted((run for run in runs if run.kind in KINDS), key=lambda run: run.started):
        model = by_id.get(run.tags.get(_BEST, "")) if run.kind == "search" else run
        if model is None or run.started > newest.started:
            continue
        if model.id != newest.id:
            listed.append(Listed(run, model))
        else:
            searched = run
            return [*listed, Listed(searched, newest)]
    return [*listed, Listed(newest, newest)]


def sort_out(listed: Sequence[Listed], newest: Run) -> tuple[list[Listed], dict[str, list[str]]]:
    """The runs on the newest one's dev set with its labels, and the others by the reason why they stand apart."""
    kept, apart = [], dict[str, list[str]]()
    for each in listed:
        tags, model = each.model.tags, each.model
        reason = ""
        if model.id == newest.id:
            pass
        elif corrections_of(model).get("digest", "") != corrections_of(newest).get("digest", ""):
            reason = "judged by other corrections of the labels"
        elif _DEV not in tags and each.run.kind == "record":
            reason = "answers only a part of dev"
        elif tags.get(_DEV) != newest.tags.get(_DEV):
            reason = "judged on another dev set (other examples or labels, or dealt anew)"
        elif model.outcome == "diverged":
            reason = "its training diverged"
        if reason:
            apart.setdefault(reason, []).append(each.run.name)
        else:
            kept.append(each)
    return kept, apart


def _member(
    tracker: "AbstractTracker",
    each: Listed,
    before: Run | None,
    subject: Subject,
    newest: Ladder,
    question: Question,
) -> "Member":
    """A run with its ladder."""
    from mlproj.diagnose import ladder_of
    from mlproj.diagnose.series import Member
    from mlproj.diagnose.several import of_label
    from mlproj.records.files import read_predictions

    assert subject.run is not None
    assert subject.predictions is not None
    told = question.about
    if each.model.id == subject.run.id:
        predictions, ladder = subject.predictions, newest
    else:
        folder = tracker.fetch(each.model.id, "")
        predictions = read_predictions(folder / "predictions.parquet")
        splits = json.loads((folder / "splits.json").read_text(encoding="utf-8"))
        ladder = ladder_of(
            predictions,
            given=question.given,
            human=told.level if told else subject.project.human if subject.project else None,
            people=told.rung if told else None,
            metric=newest.metric,
            metric_is_asked=True,
            distributions_differ=bool(splits.get("distributions_differ")),
            min_gap=question.min_gap,
            label=question.label,
            plan=False,
        )
    if question.label is not None:
        predictions = of_label(predictions, question.label)
    predictions = _slim(predictions, ladder)
    changed, data_changed = ((), False) if before is None else _difference(before, each.model)
    entry = Entry(each.run.id, each.run.name, each.run.kind, each.run.started, ladder, changed, data_changed)
    return Member(entry, predictions, _spec(each.model), each.model.params.get("seed", ""))


def _slim(predictions: Predictions, ladder: Ladder) -> Predictions:
    """The answers without splits so large that pairing would tell nothing more, so that many runs fit into memory."""
    import numpy as np

    from mlproj.diagnose.rungs import RELATIVE_LOSS

    large = [s for s in predictions.splits if s != "dev" and int((predictions.split == s).sum()) > MOST_PAIRED]
    if not large or ladder.metric == RELATIVE_LOSS:  # the constant answers are fitted on train
        return predictions
    return predictions.select(~np.isin(predictions.split, large))


def _difference(before: Run, after: Run) -> tuple[tuple[tuple[str, str | None, str | None], ...], bool]:
    """What the spec of one run says otherwise than that of another, and whether they were trained on other data.

    What a record says of model and training is its user's: only what both say is held against each other there.
    """
    old, new = before.params, after.params
    names = [*old, *(name for name in new if name not in old)]
    if "record" in (before.kind, after.kind):
        names = [name for name in names if (name in old and name in new) or not name.startswith(_OF_A_MODEL)]
    changed = tuple(
        (name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name) and name not in _SILENT
    )
    return changed, before.tags.get(_DATA) != after.tags.get(_DATA)


def _spec(run: Run) -> str:
    """What a run's model was made of, but for the seed; empty for a record, of which nobody knows."""
    if run.kind == "record":
        return ""
    text = json.dumps(makings(run), sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_markdown(path: Path | None) -> list[Problem]:
    """What keeps a section of Markdown from being written to a file: never over a file that is something else."""
    from mlproj.diagnose.markdown import MARK

    if path is None:
        return []
    if path.suffix.lower() not in (".md", ".markdown"):
        return [Problem("--markdown", f"{path} does not end in .md", "Name a .md file.")]
    if not path.parent.is_dir():
        return [Problem("--markdown", f"the folder {path.parent} does not exist", "Make it first, or name another.")]
    if path.is_dir():
        return [Problem("--markdown", f"{path} is a folder", "Name a .md file.")]
    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(MARK):
        message = f"{path} is there already and was not written by this command"
        return [Problem("--markdown", message, "Name another file, so that it is kept.")]
    return []


def write_markdown(path: Path, text: str) -> None:
    """Writes a section to a file of its own, whole or not at all."""
    from mlproj.diagnose.markdown import MARK
    from mlproj.records.whole import whole_file

    with whole_file(path) as place:
        place.write_text(f"{MARK}\n\n{text}", encoding="utf-8")


def day(started: float) -> str:
    """A moment as a date and a time of day in UTC, as it stays true in a report.

    Example:
        >>> day(0.0)
        '1970-01-01 00:00'
    """
    from datetime import UTC, datetime

    return datetime.fromtimestamp(started, UTC).strftime("%Y-%m-%d %H:%M")


def series_part(series: Series) -> dict[str, Any]:
    """The series as a part of the JSON document."""
    from mlproj.diagnose.series_text import series_document

    return {"series": series_document(series)}
