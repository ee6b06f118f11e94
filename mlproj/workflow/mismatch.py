"""`mlproj diagnose mismatch`: how the target's examples differ from those that were learned from, and what to do."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.mismatch import Feature, Mismatch, Side, judge_gap, judge_mismatch
from mlproj.errors import InvalidInput, Problem
from mlproj.records import Predictions, Run, SplitName
from mlproj.workflow.subject import Subject, Subjects, as_run

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.diagnose.mismatch.gap import GapView
    from mlproj.spec.project import Project
    from mlproj.track import AbstractTracker
    from mlproj.workflow.foreign import Recorded
    from mlproj.workflow.search import Searched
    from mlproj.workflow.train import Trained

TITLES: Mapping[SplitName, str] = {"train_dev": "train-dev", "dev": "dev"}
_MOST_SOURCES = 5
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
    sides, sources, notes = _gather_sides(subject, first, second)
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


def _gather_sides(
    subject: Subject, first: Predictions, second: Predictions
) -> tuple[tuple[Side, Side], list[Side], list[str]]:
    """Both sets with their features, sources of training data, and what there is to say about either."""
    if subject.project is not None:
        from mlproj.workflow.arrays import open_dataset

        try:
            dataset = open_dataset(subject.project, save=False)
        except InvalidInput as error:
            said = str(error).splitlines()[0]
            return _plain_sides(first, second), [], [f"The data cannot be read, so inputs are not compared: {said}"]
        sides = [_side_of_data(dataset, split, part) for split, part in zip(TITLES, (first, second), strict=True)]
        if all(len(side.ids) for side in sides):
            notes = [
                f"{len(part) - len(side.ids):,} examples of {side.name} are no longer in the data: left out from 2 on."
                for side, part in zip(sides, (first, second), strict=True)
                if len(side.ids) < len(part)
            ]
            return (sides[0], sides[1]), _sources(dataset), notes
    return _sides_of_file(first, second)


def _plain_sides(first: Predictions, second: Predictions) -> tuple[Side, Side]:
    return (
        Side(TITLES["train_dev"], first.ids, group=first.group, predictions=first),
        Side(TITLES["dev"], second.ids, group=second.group, predictions=second),
    )


def _sides_of_file(first: Predictions, second: Predictions) -> tuple[tuple[Side, Side], list[Side], list[str]]:
    """Both sets of a predictions file, with its further columns as features."""
    sides = _plain_sides(first, second)
    if not first.more:
        note = (
            "The predictions come without features, so inputs are not compared: add columns to the file, or use ids of "
            "the project."
        )
        return sides, [], [note]
    together, left = more_features(first, second)
    n = len(first)
    found = [
        replace(side, features=[feature.select(rows) for feature in together])
        for side, rows in zip(sides, (np.arange(n), np.arange(n, n + len(second))), strict=True)
    ]
    shown = ", ".join(left[:6]) + (", …" if len(left) > 6 else "")
    notes = [f"Columns whose texts differ from row to row are no features: {shown}."] if left else []
    return (found[0], found[1]), [], notes


def more_features(*parts: Predictions) -> tuple[list[Feature], list[str]]:
    """The further columns of predictions as features of all their examples, and the columns that are none."""
    import pandas as pd

    from mlproj.workflow.mismatch_inputs import guess_features

    columns = {name: np.concatenate([part.more[name] for part in parts]) for name in parts[0].more}
    return guess_features(pd.DataFrame(columns))


def _side_of_data(dataset: "Dataset", split: SplitName, predictions: Predictions) -> Side:
    """A split of the data beside the answers for it; examples that the data do not hold are left out."""
    from mlproj.workflow.mismatch_inputs import features_of, rows_of_part

    empty = Side(TITLES[split], predictions.ids[:0])
    if split not in dataset.parts:
        return empty
    part = dataset.parts[split]
    rows = rows_of_part(part, predictions.ids)
    kept = rows >= 0
    if not kept.any():
        return empty
    rows, own = rows[kept], predictions.select(kept)
    return Side(
        TITLES[split],
        own.ids,
        features_of(dataset, part.frame.iloc[rows].reset_index(drop=True)),
        own.group,
        own,
        _slices(dataset, split, rows),
        may_show(dataset.project, own) if split == "dev" else None,
    )


def may_show(project: "Project", dev: Predictions) -> NDArray[np.bool_]:
    """The half of dev that may be looked at (N,); all of dev where that half is next to nothing."""
    from mlproj.error_analysis.sample import eyeball

    half = eyeball(dev.ids, dev.group, seed=project.error_analysis.eyeball)
    return half if half.any() else np.ones(len(dev), dtype=np.bool_)


def _slices(dataset: "Dataset", split: SplitName, rows: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Which examples lie in each slice of the project; a slice that cannot be evaluated here is left out."""
    from mlproj.data.where import evaluate_where
    from mlproj.workflow.parts import slice_frame

    if not dataset.project.slices:
        return {}
    frame = slice_frame(dataset, split)
    found = {}
    for name, condition in dataset.project.slices.items():
        try:
            found[name] = evaluate_where(condition, frame)[rows]
        except ValueError:
            continue
    return found


def _sources(dataset: "Dataset") -> list[Side]:
    """The sources of `data.extra` by their train rows, the largest first."""
    from mlproj.data.table import parts_of
    from mlproj.diagnose.mismatch.judge import MOST_ROWS
    from mlproj.workflow.mismatch_inputs import features_of

    origins = [origin for _, origin in parts_of(dataset.project)]
    train = dataset.parts["train"]
    counts = np.bincount(train.source, minlength=len(origins))
    extras = [k for k, origin in enumerate(origins) if origin.role == "training" and counts[k]]
    found = []
    for k in sorted(extras, key=lambda k: -counts[k])[:_MOST_SOURCES]:
        rows = np.flatnonzero(train.source == k)
        if len(rows) > MOST_ROWS:
            rows = np.sort(np.random.default_rng(k).choice(rows, MOST_ROWS, replace=False))
        origin = origins[k]
        twice = [other.path for other in origins].count(origin.path) > 1
        name = f"{origin.path} where {origin.where}" if origin.where and twice else origin.path
        features = features_of(dataset, train.frame.iloc[rows].reset_index(drop=True))
        found.append(Side(name, train.ids[rows], features, None if train.group is None else train.group[rows]))
    return found


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
