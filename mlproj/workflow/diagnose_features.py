"""`mlproj diagnose features`: what a stored model makes of its raw columns on dev, and which may hold the answer."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.errors import InvalidInput, Problem
from mlproj.records import FeatureReport, Predictions, Run
from mlproj.workflow.labels import note_since
from mlproj.workflow.models import load_model
from mlproj.workflow.shuffle import answer_as_stored, dev_rows, group_alike, shuffle
from mlproj.workflow.subject import Subject, Subjects, as_run, is_file

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.pyfunc import ProjectModel
    from mlproj.spec.project import Project
    from mlproj.track import AbstractTracker
    from mlproj.workflow.search import Searched
    from mlproj.workflow.train import Trained


@dataclass(frozen=True)
class FeatureDiagnosis:
    """What a model makes of its columns.

    Attributes:
        head: First line.
        subject: Whose model it is.
        report: Importances and suspects.
        conclusion: What they come to.
        commands: By suspicious column, the command that tests what the model is worth without it.
        next: The next command.
    """

    head: str
    subject: Subject
    report: FeatureReport
    conclusion: str
    commands: Mapping[str, str]
    next: str

    def text(self) -> str:
        """The report for people."""
        from mlproj.diagnose.features_text import features_text

        return features_text(self.report, self.conclusion, self.commands, self.next)

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj diagnose features`."""
        from mlproj.diagnose.features_text import features_document

        run = self.subject.run
        named = {"id": run.id if run else None, "name": run.name if run else None, "chosen": self.subject.chosen}
        return features_document(self.report, self.conclusion, self.commands, self.next, run=named)


def diagnose_features(
    run: "Trained | Searched | Run | str | None" = None,
    *,
    project: "Project | str | Path | None" = None,
    metric: str | None = None,
    repeats: int = 10,
    groups: Sequence[str] = (),
    correlation: float = 0.8,
) -> FeatureDiagnosis:
    """Show which columns a model lives on, which hurt it, and which may hold the answer.

    Args:
        run: Run id, unique prefix, name, `latest`, `best`, a `Run`, or what `train` or `search` returned. Without it
            the newest finished training.
        project: Project, project.yaml or folder; by default the one that was trained, or the current folder's.
        metric: Metric of the importances; by default that of the ladder.
        repeats: Times that each dev example is given the cells of another one.
        groups: Columns that are shuffled together, such as ``latitude,longitude``; the others alone.
        correlation: Correlation from which columns are shuffled together where no groups are given; 1 for each alone.

    Raises:
        InvalidInput: When options or the metric cannot mean what was written, or a predictions file is given.
        RunNotFound: When no run answers to `run`.
    """
    _check_options(run, repeats, correlation)
    found, project = as_run(run, project)
    with Subjects() as subjects:
        subject = subjects.find(found, project)
        assert subject.run is not None
        assert subjects.tracker is not None
        assert subject.project is not None
        model = load_model(subjects.tracker, subject.run)
        diagnosis = _diagnose(subject, model, metric, int(repeats), groups, correlation, subjects.note)
        _record(subjects.tracker, subject.run, diagnosis)
    return diagnosis


def _check_options(run: object, repeats: int, correlation: float) -> None:
    problems = []
    if is_file(run):
        message = f"{run} is a predictions file, which holds no model to ask with other cells"
        problems.append(Problem("RUN", message, "Name a training: mlproj runs"))
    if repeats < 1 or repeats != int(repeats):
        problems.append(Problem("--repeats", f"{repeats} is no number of repeats", "Write a whole number from 1."))
    if not 0 < correlation <= 1:
        message = f"{correlation} is no correlation to group by"
        problems.append(Problem("--correlation", message, "Write a number above 0, up to 1 for each column alone."))
    if problems:
        raise InvalidInput(problems)


def _diagnose(
    subject: Subject,
    model: "ProjectModel",
    metric: str | None,
    repeats: int,
    groups: Sequence[str],
    correlation: float,
    note: str,
) -> FeatureDiagnosis:
    """Opens the data, shuffles, and judges."""
    from mlproj.diagnose.features import conclude, find_carriers, order_suspects
    from mlproj.diagnose.gather import choose_metric, find_constant
    from mlproj.diagnose.rungs import RELATIVE_LOSS
    from mlproj.diagnose.samples import measure
    from mlproj.diagnose.several import constant_losses
    from mlproj.workflow.arrays import open_dataset

    told = subject.project
    assert told is not None
    assert subject.predictions is not None
    chosen = choose_metric(
        subject.predictions, (), told.human, metric or told.metric.optimize, asked=metric is not None
    )
    by_hand = _read_groups(groups, [column.name for column in model.columns])
    dataset = open_dataset(told, save=False)
    dev, frame, notes = dev_rows(subject, dataset)
    base, changed = answer_as_stored(model, frame, dev)
    scales = constant_losses(subject.predictions) if chosen == RELATIVE_LOSS else {}
    measured = measure("dev", base, chosen, scales)
    together = by_hand or group_alike(model, dataset, correlation)
    importances = shuffle(model, model.encode(frame), base, (chosen, scales), together, repeats)
    constant = (find_constant(subject.predictions, chosen) or {}).get("value")
    alone, alone_n, traces = _traces(dataset)
    used = {column.name for column in model.columns}
    suspects = [each for each in traces if each.column in used]
    suspects += find_carriers(importances, measured.value, constant)
    since = note_since(subject.run, told)
    report = FeatureReport(
        chosen,
        measured.limits,
        measured.rung.method,
        constant,
        len(base),
        importances,
        {name: share for name, share in alone.items() if name in used},
        alone_n,
        order_suspects(suspects),
        None if by_hand else correlation,
        (*notes, *changed, *_witnesses(base), *_tuned(model, told, chosen), *([since] if since else [])),
    )
    end = conclude(report)
    commands = {each.column: _without(subject, [each.column]) for each in report.suspects}
    names = [column.name for column in model.columns]
    following = _next(subject, end.step, end.columns, names)
    head = f"{subject.spoken} · dev {len(base):,} · {len(names):,} columns in {len(importances):,} groups{note}"
    return FeatureDiagnosis(head, subject, report, end.text, commands, following)


def _witnesses(base: Predictions) -> list[str]:
    """How examples count, where they do not count alike or one by one."""
    notes = ["Examples count as `data.weight` says."] if base.weight is not None else []
    if base.group is not None:
        notes.append(f"The intervals count {len(set(base.group.tolist())):,} groups, not examples (`data.group`).")
    return notes


def _tuned(model: "ProjectModel", told: "Project", metric: str) -> list[str]:
    """The warning that dev chose the threshold: then anything that is changed looks worse there."""
    from mlproj.metrics import needs_threshold

    if model.threshold in (None, 0.5) or told.metric.threshold != "auto":
        return []
    if metric not in ("error", "accuracy") and not needs_threshold(metric, {}):
        return []
    return [
        "The threshold was chosen on dev, so that every rise is a little too large; --metric log_loss or roc_auc does "
        "without one."
    ]


def _read_groups(groups: Sequence[str], names: Sequence[str]) -> list[tuple[str, ...]]:
    """The groups asked for, and every other column alone; nothing where none was asked for."""
    import difflib

    problems, taken = [], []
    asked = [tuple(part.strip() for part in text.split(",") if part.strip()) for text in groups]
    for text, group in zip(groups, asked, strict=True):
        for name in group:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1)
                hint = f"Did you mean `{near[0]}`?" if near else f"Its columns are {', '.join(names[:8])}."
                problems.append(Problem("--groups", f"{text!r}: the model has no column {name!r}", hint))
            elif name in taken:
                problems.append(Problem("--groups", f"{name!r} stands in two places", "Keep one."))
            taken.append(name)
    if problems:
        raise InvalidInput(problems)
    alone = [(name,) for name in names if name not in taken]
    return [*(group for group in asked if group), *alone] if any(asked) else []


def _traces(dataset: "Dataset") -> tuple[dict[str, float], int, list[Any]]:
    """What each column explains by itself on train, and the signs of a leak there, over all labels."""
    import numpy as np

    from mlproj.data.leaks import explain_alone
    from mlproj.data.traces import find_traces

    train, target = dataset.parts["train"], dataset.target
    regression = target.kind == "regression"
    y = train.y.astype(np.float64)
    y = y if regression else np.where(y < 0, np.nan, y)
    most: dict[str, float] = {}
    n, found = 0, []
    for position, label in enumerate(target.labels):
        alone, rows = explain_alone(train.frame, dataset.columns, y[:, position], regression=regression)
        classes = () if regression else target.classes[position]
        found += find_traces(train.frame, dataset.columns, label, y[:, position], classes=classes, alone=alone)
        most = {name: max(share, most.get(name, 0.0)) for name, share in alone.items()}
        n = max(n, rows)
    return most, n, found


def _without(subject: Subject, columns: Sequence[str]) -> str:
    """The training that tells what a model is worth without some columns."""
    from mlproj.advise.commands import join

    project = subject.project
    assert project is not None
    data = project.data
    kept = [name for name in data.include if name not in columns]
    key, names = ("include", kept) if data.include else ("exclude", [*data.exclude, *columns])
    name = f"{subject.selector}-without-{columns[0] if len(columns) == 1 else len(columns)}"
    listed = json.dumps(names, ensure_ascii=False) if any(not _is_plain(each) for each in names) else _flow(names)
    return join(project, "train", "--like", subject.selector, "--set", f"data.{key}={listed}", "--name", name)


def _is_plain(name: str) -> bool:
    return name.replace("_", "").isalnum() and not name.isdigit() and name[0].isalpha()


def _flow(names: Sequence[str]) -> str:
    return f"[{','.join(names)}]"


def _next(subject: Subject, step: str, columns: Sequence[str], names: Sequence[str]) -> str:
    from mlproj.advise.commands import join

    drops = step in ("exclude", "drop_hurting", "drop_idle") and len(columns) < len(names)
    if drops and not subject.is_foreign:
        return _without(subject, columns)
    return join(subject.project, "diagnose", "bias-variance", subject.selector)


def _record(tracker: "AbstractTracker", run: Run, diagnosis: FeatureDiagnosis) -> None:
    """Stores the report as a run of its own, tied to the run it speaks of."""
    with tempfile.TemporaryDirectory(prefix="mlproj-") as folder:
        text = json.dumps(diagnosis.document(), indent=1, ensure_ascii=False, allow_nan=False)
        (Path(folder) / "features.json").write_text(text, encoding="utf-8")
        (Path(folder) / "features.txt").write_text(diagnosis.text() + "\n", encoding="utf-8")
        report = diagnosis.report
        strong = ",".join(dict.fromkeys(each.column for each in report.suspects if each.strong))
        tags = {"mlproj.of": run.id, "mlproj.diagnosis": "features", "mlproj.leaks": strong}
        recorded = tracker.start(kind="diagnosis", name=f"features of {run.name}", params={}, tags=tags)
        values = {f"importance/{' and '.join(each.columns)}": each.value for each in report.importances}
        tracker.log(recorded, values, step=0)
        tracker.artifacts(recorded, Path(folder))
        tracker.finish(recorded, status="FINISHED", tags={"mlproj.outcome": "completed"})
