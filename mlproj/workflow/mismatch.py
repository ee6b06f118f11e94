"""`mlproj diagnose mismatch`: how the target's examples differ from those that were learned from, and what to do."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlproj.diagnose.mismatch import Mismatch, judge_gap, judge_mismatch
from mlproj.errors import InvalidInput, Problem
from mlproj.records import Predictions, Run
from mlproj.workflow.mismatch_sides import TITLES, gather_sides
from mlproj.workflow.subject import Subject, Subjects, as_run

if TYPE_CHECKING:
    from mlproj.diagnose.mismatch.gap import GapView
    from mlproj.spec.project import Project
    from mlproj.track import AbstractTracker
    from mlproj.workflow.foreign import Recorded
    from mlproj.workflow.search import Searched
    from mlproj.workflow.train import Trained

_LEAST_CARVED = 500


@dataclass(frozen=True)
class Comparison:
    """How two sets differ, and the next command.

    Attributes:
        head: First line: run or file, split sizes, store.
        found: What was found.
        next: The command to run next.
        subject: What it speaks of; None for new data held against a project that has no run.
    """

    head: str
    found: Mismatch
    next: str
    subject: Subject | None = None

    def text(self) -> str:
        """The comparison for people."""
        from mlproj.diagnose.mismatch import render_mismatch

        return render_mismatch(self.found, self.next)

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj diagnose mismatch`."""
        from mlproj.diagnose.mismatch import to_mismatch_document

        subject = self.subject
        run = subject.run if subject else None
        named = {"id": run.id if run else None, "name": run.name if run else subject.selector if subject else None}
        chosen = subject.chosen if subject else None
        return to_mismatch_document(self.found, self.next, run=named | {"chosen": chosen})


def diagnose_mismatch(
    run: "Trained | Searched | Recorded | Run | str | Path | None" = None,
    *,
    project: "Project | str | Path | None" = None,
    against: str | Path | None = None,
    metric: str | None = None,
    min_gap: float | None = None,
    label: str | None = None,
) -> Comparison:
    """Say how dev differs from train-dev, what makes the gap between them, and what to do about it.

    Args:
        run: Run id, unique prefix, name, `latest`, `best`, a predictions file, a `Run`, or what `train`, `search`
            or `record` returned; the newest finished training when left out.
        project: Project, project.yaml or folder; by default the one that was trained, or the current folder's.
        against: New data without labels, any data source: their inputs are held against those of dev, and no error
            gap is shown.
        metric: Metric of the gap; by default that of the ladder.
        min_gap: Smallest gap worth closing.
        label: The one label to speak of, where there are several.

    Raises:
        InvalidInput: When there is no train-dev set, or what was given cannot be understood.
        RunNotFound: When no run answers to `run`.
    """
    if min_gap is not None and not 0 <= min_gap < float("inf"):
        raise InvalidInput([Problem("--min-gap", f"{min_gap} is no gap", "Write a number from 0, such as 0.01.")])
    run, project = as_run(run, project)
    with Subjects() as subjects:
        if against is not None:
            from mlproj.workflow.mismatch_new import compare_with_new

            for option, value in (("--metric", metric), ("--min-gap", min_gap)):
                if value is not None:
                    hint = "New data have no labels, so there is no error gap: leave it out."
                    raise InvalidInput([Problem(option, "cannot stand beside --against", hint)])
            compared = compare_with_new(subjects, run, project, str(against), label)
        else:
            compared = _compare(subjects.find(run, project, metric=metric), metric, min_gap, label)
        subject = compared.subject
        if subject is not None and subject.run is not None and subjects.tracker is not None:
            _record(subjects.tracker, subject.run, compared)
    return compared


def _compare(subject: Subject, metric: str | None, min_gap: float | None, label: str | None) -> Comparison:
    """Train-dev against dev."""
    from mlproj.advise.mismatch import next_after_mismatch
    from mlproj.diagnose.several import of_label

    assert subject.predictions is not None
    predictions = subject.predictions if label is None else of_label(subject.predictions, label)
    require_both(subject, predictions)
    gap = _measure_gap(subject, predictions, metric, min_gap, is_one=label is not None)
    first, second = (_labelled(predictions.part(split)) for split in TITLES)
    sides, sources, notes = gather_sides(subject, first, second)
    found = judge_mismatch(*sides, gap=gap, metric=gap.metric, sources=sources, notes=(*notes, *subject.notes))
    trained = None if subject.is_foreign else subject.selector or None
    words = next_after_mismatch(found, subject.project, subject.selector, trained, predictions, label)
    return Comparison(subject.head, found, words, subject)


def _labelled(part: Predictions) -> Predictions:
    return part.select(np.logical_or.reduce([answers.known for answers in part.labels.values()]))


def require_both(subject: Subject, predictions: Predictions) -> None:
    """Makes sure that train-dev and dev are there with labels.

    Args:
        subject: What is spoken of.
        predictions: Its predictions, of the label that was asked for.

    Raises:
        InvalidInput: Naming what is missing, and the command that makes it.
    """
    there = {split: len(_labelled(predictions.part(split))) for split in TITLES}
    if all(there.values()):
        return
    absent = [TITLES[split] for split, n in there.items() if not n]
    where = f"{subject.selector}" if subject.selector else "run"
    if "dev" in absent:
        hint = "Give `splits.dev` in project.yaml and train, or add rows whose split is dev and their y_true."
        raise InvalidInput([Problem("dev", f"{where} holds no labelled dev examples", hint)])
    raise InvalidInput([Problem("train_dev", f"{where} holds no labelled train-dev examples, so nobody can tell what "
                                "is mismatch and what is variance", _how_to_carve(subject, predictions))])  # fmt: skip


def _how_to_carve(subject: Subject, predictions: Predictions) -> str:
    """What makes a train-dev set: rows of the file, or a command where train and dev may differ."""
    from mlproj.advise import commands

    if subject.project is None or subject.is_foreign:
        return "Add rows whose split is train_dev: examples like those trained on, that were not trained on."
    if not (subject.splits or {}).get("distributions_differ"):
        held = commands.join(subject.project, "diagnose", "mismatch", "--against", "FILE")
        return (
            "Train and dev are dealt from one distribution here, so there is no mismatch to speak of. New data can be "
            f"held against dev: {held}. To train on data from elsewhere too, name them in `data.extra`."
        )
    n = max(1, min(_LEAST_CARVED, int((predictions.split == "train").sum()) // 4))
    both = f"{commands.redraw(subject.project, train_dev=n)} && {commands.join(subject.project, 'train')}"
    return f"Carve one out of the training data and train again: {both}"


def _measure_gap(
    subject: Subject, predictions: Predictions, metric: str | None, min_gap: float | None, *, is_one: bool
) -> "GapView":
    """The gap as the ladder shows it."""
    from mlproj.diagnose.gather import choose_metric
    from mlproj.diagnose.ladder import Setting
    from mlproj.diagnose.prevalence import match_prevalence
    from mlproj.diagnose.rungs import RELATIVE_LOSS
    from mlproj.diagnose.samples import measure
    from mlproj.diagnose.several import constant_losses

    told = subject.project
    human = told.human if told and not is_one else None
    wanted = metric or (told.metric.optimize if told else None)
    chosen = choose_metric(predictions, (), human, wanted, asked=metric is not None)
    scales = constant_losses(predictions) if chosen == RELATIVE_LOSS else {}
    first, second = (measure(split, predictions.part(split), chosen, scales) for split in TITLES)
    scale = Setting(chosen, weighted=predictions.weight is not None).scale
    return judge_gap(first, second, chosen, scale, min_gap=min_gap, matched=match_prevalence(predictions, chosen))


def _record(tracker: "AbstractTracker", run: Run, compared: Comparison) -> None:
    """Stores the comparison as a run of its own, tied to the run it speaks of."""
    found = compared.found
    with tempfile.TemporaryDirectory(prefix="mlproj-") as folder:
        text = json.dumps(compared.document(), indent=1, ensure_ascii=False)
        (Path(folder) / "mismatch.json").write_text(text, encoding="utf-8")
        (Path(folder) / "mismatch.txt").write_text(compared.text() + "\n", encoding="utf-8")
        tags = {
            "mlproj.of": run.id,
            "mlproj.state": found.gap.state if found.gap else "no_gap",
            "mlproj.action": found.action.name,
        }
        recorded = tracker.start(kind="diagnosis", name=f"mismatch of {run.name}", params={}, tags=tags)
        values = _figures(found)
        if values:
            tracker.log(recorded, values, step=0)
        tracker.artifacts(recorded, Path(folder))
        tracker.finish(recorded, status="FINISHED", tags={"mlproj.outcome": "completed"})


def _figures(found: Mismatch) -> dict[str, float]:
    """The figures of a comparison that can be compared over time."""
    seen = found.separation
    values: Sequence[tuple[str, float | None]] = (
        ("gap/data_mismatch", found.gap.size if found.gap else None),
        ("mismatch/auc", seen.auc if seen else None),
        ("mismatch/unlike_at_least", seen.variation if seen else None),
    )
    return {name: value for name, value in values if value is not None}
