"""`mlproj record`: the answers of somebody else's loop become a run in the store, where every diagnosis reads them."""

import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlproj.advise.commands import join
from mlproj.errors import InvalidInput, Problem
from mlproj.records import Predictions, Promise, Run
from mlproj.spec.project import Project
from mlproj.spec.render import flatten, spec_hash
from mlproj.workflow.arrays import open_dataset
from mlproj.workflow.baggage import Baggage, pack
from mlproj.workflow.parts import report_parts
from mlproj.workflow.record import PARTS, data_tags, staging_folder, write_answers
from mlproj.workflow.runs import finite, load, open_tracker, speak, split_sizes, store_note
from mlproj.workflow.starting import check_name
from mlproj.workflow.train import promise_document

if TYPE_CHECKING:
    from mlproj.data import Dataset

_NOTHING: Mapping[str, Any] = MappingProxyType({})
DEV_HASH = "mlproj.dev_hash"


@dataclass(frozen=True)
class Recorded:
    """Somebody else's answers in the store.

    Attributes:
        head: First line: the run, the splits and the store.
        run: The run.
        predictions: The answers, with truth and splits as the project has them.
        metrics: Values by split and metric.
        contract: Each limit of `metric.satisfy`, judged on dev.
        project: The project.
        notes: What is missing, and what follows from it.
        next: The command to run next.
        parts: How it does on `slices` and on examples that reviewers tagged, as JSON knows it.
    """

    head: str
    run: Run
    predictions: Predictions
    metrics: Mapping[str, Mapping[str, float]]
    contract: tuple[Promise, ...]
    project: Project
    notes: tuple[str, ...]
    next: str
    parts: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj record`."""
        return {
            "run_id": self.run.id,
            "name": self.run.name,
            "outcome": self.run.outcome,
            "message": self.run.tags.get("mlproj.message", ""),
            "metrics": {split: finite(values) for split, values in self.metrics.items()},
            "contract": [promise_document(promise) for promise in self.contract],
            "slices": self.parts.get("slices", []),
            "tags": self.parts.get("tags", []),
            "notes": list(self.notes),
            "next": self.next,
        }


def record(
    project: Project | str | Path = ".",
    *,
    file: str | Path | None = None,
    predictions: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] = _NOTHING,
    metrics: Mapping[str, float] = _NOTHING,
    name: str | None = None,
    model: Any = None,
) -> Recorded:
    """Put the answers of a model that was trained elsewhere into the store, where every diagnosis works on them.

    Args:
        project: A project, a project.yaml or a folder holding one.
        file: A predictions file (.csv, .parquet); truth and splits are looked up by id.
        predictions: Instead of a file, answers by split, in the order of `project.data(split)` or as tables with ids:
            classes or values (N,), probabilities of the positive class (N,), probabilities (N, K) in the order of the
            classes, or a DataFrame with `y_pred` or `p_<class>` columns.
        params: What the model was trained with, kept as parameters of the run; may be nested.
        metrics: Further figures, such as ``latency_ms`` on dev or ``train/loss``.
        name: Name of the run.
        model: The network, an `nn.Module` or its state dict: the weights are kept as a checkpoint.

    Raises:
        InvalidInput: When the answers do not fit the project; nothing is stored then.
    """
    check_name(name)
    project = load(project)
    if (file is None) == (predictions is None):
        what = "both a file and predictions are given" if file is not None else "there is nothing to record"
        raise InvalidInput([Problem("file", what, "Name one predictions file, or hand in predictions by split.")])
    baggage = pack(project, params, metrics, model)
    found, dataset, notes = _read(project, file, predictions)
    project = _resolved(project, dataset)
    values, unknown = _measure(project, found)
    contract = _contract(project, found, baggage.resources)
    notes = [*notes, *_coverage(found, dataset), *unknown, *_unmeasured(project, baggage)]
    store, tracker = open_tracker(project)
    parts = report_parts(project, dataset, found, store.root)
    message = f"recorded from {Path(file).name}" if file is not None else "recorded from a loop of the user's own"
    run = _Entry(project, dataset, found, baggage, values, parts, message)
    with tracker:
        stored = run.write(tracker, name or _make_name(file), splits=store.splits)
    sizes = {**_sizes(found), "test": dataset.deal.sizes.get("test", 0)}
    head = " · ".join([speak(stored).replace(", just now", ""), *split_sizes(sizes)]) + store_note(store)
    words = ("diagnose", "bias-variance") if "dev" in found.splits else ("runs",)
    step = join(project, *words, stored.name)
    return Recorded(head, stored, found, values, contract, project, tuple(notes), step, parts)


def _read(
    project: Project, file: str | Path | None, predictions: Mapping[str, Any] | None
) -> "tuple[Predictions, Dataset, list[str]]":
    """The answers held against the project's data, and what there is to say about them."""
    if file is not None:
        from mlproj.workflow.lookup import read_foreign

        foreign = read_foreign(Path(file), project, metric=project.metric.optimize, is_ours=True)
        assert foreign.dataset is not None
        aside = [f"{foreign.left_aside:,} rows of the sealed test set are left aside."] if foreign.left_aside else []
        return foreign.predictions, foreign.dataset, [*aside, *foreign.notes]
    from mlproj.workflow.handed import gather_answers

    dataset = open_dataset(project, save=False)
    found, notes = gather_answers(predictions if predictions is not None else {}, dataset)
    return found, dataset, notes


def _resolved(project: Project, dataset: "Dataset") -> Project:
    """The project with task and metric made explicit.

    Raises:
        InvalidInput: When a metric speaks of the positive class and nobody says which one that is.
    """
    from mlproj.spec.goal import POSITIVE_CLASS_METRICS

    task = dataset.project.task
    optimize = project.metric.optimize or ("rmse" if task == "regression" else "error")
    of_one = [name for name in (optimize, *project.metric.satisfy) if name in POSITIVE_CLASS_METRICS]
    if dataset.target.kind == "binary" and of_one and not dataset.target.positive_named:
        first, second = dataset.target.classes[0]
        message = f"{of_one[0]} speaks of the positive class, but the classes are {first!r} and {second!r}"
        hint = f"Say which one is meant, for example `positive: {second}`."
        raise InvalidInput([project.problem("data.positive", message, hint)])
    return project.changed(task=task, search=None, metric=project.metric.model_copy(update={"optimize": optimize}))


def _measure(project: Project, found: Predictions) -> tuple[dict[str, dict[str, float]], list[str]]:
    """The figures of each split that answers can tell, and why others are missing."""
    from mlproj.metrics import measure
    from mlproj.metrics.evidence import RESOURCES

    plain = "rmse" if project.task == "regression" else "error"
    limits = [str(name) for name in project.metric.satisfy if name not in RESOURCES]
    values: dict[str, dict[str, float]] = {split: {} for split in found.splits}
    notes: dict[str, None] = {}
    for metric in dict.fromkeys([plain, project.metric.optimize or plain, *limits]):
        for split in found.splits:
            part = found.part(split)
            try:
                values[split] |= measure([metric], part.labels, part.weight)
            except InvalidInput as error:
                notes[f"{metric} cannot be computed: {error.problems[0].message}."] = None
    return values, list(notes)


def _contract(project: Project, found: Predictions, resources: Mapping[str, float]) -> tuple[Promise, ...]:
    """Each limit held against dev; one that answers cannot tell is unknown."""
    from mlproj.metrics import promises

    dev = found.part("dev")
    judged: list[Promise] = []
    for metric, limit in project.metric.satisfy.items() if len(dev) else ():
        try:
            judged += promises({metric: limit}, dev.labels, weight=dev.weight, group=dev.group, resources=resources)
        except InvalidInput:
            judged.append(Promise(str(metric), limit, float("nan"), None, None, None, "unknown"))
    return tuple(judged)


def _sizes(found: Predictions) -> dict[str, int]:
    return {split: int((found.split == split).sum()) for split in found.splits}


def _covers_dev(found: Predictions, dataset: "Dataset") -> bool:
    return "dev" in dataset.parts and _sizes(found).get("dev") == len(dataset.parts["dev"])


def _coverage(found: Predictions, dataset: "Dataset") -> list[str]:
    """Which examples have no answers, and what follows."""
    follows = {"dev": "nothing can be chosen or diagnosed", "train": "bias and variance cannot be told apart"}
    sizes, notes = _sizes(found), []
    for split, part in dataset.parts.items():
        n, spoken = sizes.get(split, 0), str(split).replace("_", "-")
        if not n:
            what = follows.get(split, "that rung of the ladder is missing")
            notes.append(f"There are no answers on {spoken}: {what}.")
        elif n < len(part):
            more = "; it is no candidate for `best`" if split == "dev" else ""
            notes.append(f"{n:,} of {len(part):,} examples of {spoken} have answers: figures are of these alone{more}.")
    return notes


def _unmeasured(project: Project, baggage: Baggage) -> list[str]:
    from mlproj.metrics.evidence import RESOURCES

    missing = [str(n) for n in project.metric.satisfy if n in RESOURCES and n not in baggage.resources]
    if not missing:
        return []
    named = " and ".join(missing)
    return [f"{named} of a model that runs elsewhere cannot be measured here: give it as one of `metrics` in Python."]


def _make_name(file: str | Path | None) -> str:
    stem = re.sub(r"[^\w.-]+", "-", Path(file).stem).strip("-.")[:60] if file is not None else ""
    return f"{stem or 'record'}-{secrets.token_hex(2)}"


@dataclass(frozen=True)
class _Entry:
    """What is written into the store as one run of kind record."""

    project: Project
    dataset: "Dataset"
    found: Predictions
    baggage: Baggage
    values: Mapping[str, Mapping[str, float]]
    parts: Mapping[str, Any]
    message: str

    def write(self, tracker: Any, name: str, *, splits: Path) -> Run:
        """Keeps the deal where it is new, then writes the run: files first, so that none is half-written."""
        from mlproj.data.dealing import keep_deal
        from mlproj.track import capture_git

        with staging_folder() as staging:
            git = capture_git(self.project.root)
            sizes = {**_sizes(self.found), "test": self.dataset.deal.sizes.get("test", 0)}
            write_answers(staging, self.project, self.dataset, self.found, patch=git.patch, sizes=sizes)
            if self.parts:
                (staging / PARTS).write_text(json.dumps(self.parts, indent=1), encoding="utf-8")
            self.baggage.save(staging)
            if not keep_deal(self.project, self.dataset.deal, splits):
                message = "the splits were dealt by another command in the meantime"
                raise InvalidInput([Problem("splits", message, "Run it again: it uses that deal.")])
            tags = self._tags() | dict(git.tags)
            params = _own_params(self.project) | dict(self.baggage.params)
            run_id = tracker.start(kind="record", name=name, params=params, tags=tags)
            figures = {f"{split}/{metric}": v for split, row in self.values.items() for metric, v in row.items()}
            figures |= self.baggage.metrics
            tracker.log(run_id, figures, step=0)
            tracker.artifacts(run_id, staging)
            ending = {"mlproj.outcome": "completed", "mlproj.message": self.message}
            tracker.finish(run_id, tags=ending)
        folder = tracker.fetch(run_id, "")
        return Run(run_id, name, "record", "FINISHED", time.time(), "completed", params, figures, tags | ending, folder)

    def _tags(self) -> dict[str, str]:
        """Tags of the data; without all of dev it cannot be ranked among the runs on the same dev set."""
        tags = {"mlproj.spec_hash": spec_hash(self.project)} | data_tags(self.dataset)
        if not _covers_dev(self.found, self.dataset):
            del tags[DEV_HASH]
        return tags


def _own_params(project: Project) -> dict[str, str]:
    """What project.yaml says about data, splits and metric; of model and training it speaks of another model."""
    return {key: value for key, value in flatten(project).items() if not key.startswith(("model.", "training."))}
