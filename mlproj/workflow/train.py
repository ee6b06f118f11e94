"""`mlproj train`: load, split, build, train, examine, record."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from mlproj.advise.commands import join
from mlproj.errors import InvalidInput, Problem
from mlproj.records import Fit, Predictions, Promise, Run
from mlproj.spec.model import Python
from mlproj.spec.project import Project
from mlproj.spec.render import flatten, spec_hash
from mlproj.workflow.parts import report_parts
from mlproj.workflow.record import NOTHING, data_tags, store_fit
from mlproj.workflow.runs import (
    find_model,
    finite,
    load,
    open_tracker,
    speak,
    spec_of,
    split_sizes,
    store_note,
    stored_spec,
)

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.track import AbstractTracker, GitState
    from mlproj.workflow.trained_seeds import TrainedSeeds

LONGEST_NAME = 100
"""Characters that a run's name may have."""


@dataclass(frozen=True)
class Started:
    """A training that is about to run.

    Attributes:
        head: First line: the run, the splits and the store.
        epochs: Epochs it may take.
        warnings: What the data made mlproj wonder about.
    """

    head: str
    epochs: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Trained:
    """A finished training that lies in the store.

    Attributes:
        run: Its run.
        fit: What came out.
        contract: Each limit of `metric.satisfy`, judged on dev.
        project: The resolved spec.
        next: The command to run next.
        parts: How it does on `slices` and on examples that reviewers tagged, as JSON knows it.
    """

    run: Run
    fit: Fit
    contract: tuple[Promise, ...]
    project: Project
    next: str
    parts: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj train`."""
        fit = self.fit
        ending = fit.outcome.kind, fit.outcome.text
        return document_of(
            self.run, ending, fit.metrics, self.contract, fit.threshold, self.parts, fit.seconds, self.next
        )


def document_of(
    run: Run,
    ending: tuple[str, str],
    metrics: Mapping[str, Mapping[str, float]],
    contract: Sequence[Promise],
    threshold: float | None,
    parts: Mapping[str, Any],
    seconds: float | None,
    following: str,
) -> dict[str, Any]:
    """What `mlproj train --json` says of one training.

    Args:
        run: Its run.
        ending: Why it ended: kind and text.
        metrics: Values by split and metric.
        contract: Each limit, judged on dev.
        threshold: Probability from which the answer is the positive class.
        parts: How it does on parts of dev.
        seconds: Wall time of the training; None where nobody knows it any more.
        following: The command to run next.
    """
    return {
        "run_id": run.id,
        "name": run.name,
        "outcome": ending[0],
        "message": ending[1],
        "metrics": {split: finite(values) for split, values in metrics.items()},
        "contract": [promise_document(promise) for promise in contract],
        "threshold": threshold,
        "slices": parts.get("slices", []),
        "tags": parts.get("tags", []),
        "seconds": None if seconds is None else round(seconds, 3),
        "next": following,
    }


def promise_document(promise: Promise) -> dict[str, Any]:
    """One line of a contract as JSON."""
    return {
        "metric": promise.metric,
        "limit": promise.limit,
        **finite({"value": promise.value, "low": promise.low, "high": promise.high}),
        "n": promise.n,
        "status": promise.status,
    }


@overload
def train(
    project: Project | str | Path = ".",
    *,
    set: Sequence[str] = (),
    like: str | None = None,
    name: str | None = None,
    seeds: None = None,
    resume: Literal[False] = False,
    on_start: Callable[[Started], None] | None = None,
    on_epoch: Callable[[int, int, Mapping[str, float]], None] | None = None,
) -> Trained: ...
@overload
def train(
    project: Project | str | Path = ".",
    *,
    set: Sequence[str] = (),
    like: str | None = None,
    name: str | None = None,
    seeds: int,
    resume: bool = False,
) -> "TrainedSeeds": ...
def train(
    project: Project | str | Path = ".",
    *,
    set: Sequence[str] = (),
    like: str | None = None,
    name: str | None = None,
    seeds: int | None = None,
    resume: bool = False,
    on_start: Callable[[Started], None] | None = None,
    on_epoch: Callable[[int, int, Mapping[str, float]], None] | None = None,
) -> "Trained | TrainedSeeds":
    """Train the model, track the run, and show how it does on train, train-dev and dev.

    Args:
        project: A project, a project.yaml or a folder holding one.
        set: Changes such as ``training.learning_rate=0.01``.
        like: Run whose resolved spec is the starting point instead of project.yaml.
        name: Name of the run; with `seeds` of the group.
        seeds: Trains so many seeds, from the project's own upwards, each as a run of its own.
        resume: With `seeds`: keeps what was trained of this spec already, and trains what is missing.
        on_start: Called once, before the first epoch; not with `seeds`.
        on_epoch: Called after each epoch with (epoch, epochs, values by ``SPLIT/METRIC``); not with `seeds`.

    Returns:
        The training; with `seeds` all of them, and what they say together.

    Raises:
        InvalidInput: When spec or data are wrong; nothing was started.
    """
    if seeds is not None or resume:
        from mlproj.workflow.fleet import train_seeds

        return train_seeds(project, set=set, like=like, name=name, seeds=seeds, resume=resume)
    check_name(name)
    project = load(project, set=() if like else set)
    store, tracker = open_tracker(project)
    with tracker:
        if like:
            found = find_model(tracker, like)
            project = spec_of(found, stored_spec(tracker, found), project, set=set)
        from mlproj.data import load_dataset
        from mlproj.track import capture_git
        from mlproj.training import fit, resolve  # torch is imported here, while MLflow is imported next door

        project = project.changed(search=None)  # what a search may try is no part of one training
        dataset = load_dataset(project, store=store.splits, before_saving=partial(resolve, project))
        project = resolve(project, dataset)
        git = capture_git(project.root)
        run = begin_run(tracker, project, dataset, git, name or f"{model_name(project)}-{secrets.token_hex(2)}")
        if on_start:
            on_start(_started(run, project, dataset, store_note(store)))
        result = fit(project, dataset, on_epoch=on_epoch)
        contract = hold_contract(project, result.predictions, result.resources)
        parts = report_parts(project, dataset, result.predictions, store.root)
        store_fit(tracker, run.id, project, dataset, result, patch=git.patch, parts=parts)
        folder = tracker.fetch(run.id, "")
    following = next_command(
        project, run.name, diverged=result.outcome.kind == "diverged", has_dev="dev" in result.metrics
    )
    return Trained(_finished(run, result, folder), result, contract, project, following, parts)


def check_name(name: str | None) -> None:
    """Whether a run may be called so: the name has to lead back to the run on a command line and in a table.

    Args:
        name: Name of a run to be; None lets mlproj choose one.

    Raises:
        InvalidInput: When it may not.

    Example:
        >>> check_name("wide net")
        >>> check_name("latest")
        Traceback (most recent call last):
        mlproj.errors.InvalidInput: --name: 'latest' always means another run...
    """
    if name is None:
        return
    if name in ("latest", "best"):
        wrong = "always means another run"
    elif name.lower().endswith((".csv", ".parquet")):
        wrong = "reads like a predictions file"
    elif name.startswith("-"):
        wrong = "reads like an option"
    elif not name.isprintable() or not name.strip() or len(name) > LONGEST_NAME:
        wrong = f"is no name of 1 to {LONGEST_NAME} printable characters"
    else:
        return
    shown = repr(name if len(name) <= LONGEST_NAME else name[:20] + "…")
    raise InvalidInput([Problem("--name", f"{shown} {wrong}", "Choose another name, such as wide-net.")])


def next_command(project: Project, name: str, *, diverged: bool, has_dev: bool) -> str:
    """The command to run next: the ladder, which needs a dev set and a model that learned something.

    Args:
        project: The resolved spec.
        name: Name of the run.
        diverged: Whether it learned nothing.
        has_dev: Whether there is a dev set.
    """
    if diverged:
        rate = min(project.training.learning_rate / 10, 0.1)
        setting = f"training.learning_rate={rate:.6g}"
        return join(project, "train", "--like", name, "--set", setting, "--name", f"{name}-slower")
    return join(project, *(("diagnose", "bias-variance") if has_dev else ("runs",)), name)


def begin_run(
    tracker: "AbstractTracker",
    project: Project,
    dataset: "Dataset",
    git: "GitState",
    name: str,
    more: Mapping[str, str] = NOTHING,
) -> Run:
    """Opens the run of a training.

    Args:
        tracker: Where.
        project: The resolved spec.
        dataset: What is trained on.
        git: State of the project's git work tree.
        name: Name of the run.
        more: Further tags.
    """
    started = time.time()
    params = flatten(project)
    tags = {"mlproj.spec_hash": spec_hash(project)} | data_tags(dataset) | dict(git.tags) | dict(more)
    run_id = tracker.start(kind="train", name=name, params=params, tags=tags)
    return Run(run_id, name, "train", "RUNNING", started, None, params, {}, tags)


def model_name(project: Project) -> str:
    """A short name for what is trained, to begin run names with.

    Example:
        >>> from mlproj.spec.data import Data
        >>> model_name(Project(name="cats", data=Data(source="app.csv", label="is_cat")))
        'mlp-64-64'
    """
    if isinstance(project.model, Python):
        return project.model.factory.rpartition(":")[2]
    sizes = getattr(project.model, "sizes", ())
    return "-".join([project.model.kind, *map(str, sizes[:4])])


def _started(run: Run, project: Project, dataset: "Dataset", note: str) -> Started:
    sizes = " · ".join(split_sizes(dataset.deal.sizes))
    epochs = project.training.epochs
    return Started(
        f"{speak(run).replace(', just now', '')} · {sizes}{note}",
        epochs if isinstance(epochs, int) else 0,
        dataset.warnings,
    )


def hold_contract(project: Project, predictions: Predictions, resources: Mapping[str, float]) -> tuple[Promise, ...]:
    """Each limit of `metric.satisfy`, judged on dev.

    Args:
        project: With its limits.
        predictions: A model's answers.
        resources: Measured latency_ms and size_mb.
    """
    from mlproj.metrics import promises

    dev = predictions.part("dev")
    if not len(dev):
        return ()
    return promises(project.metric.satisfy, dev.labels, weight=dev.weight, group=dev.group, resources=resources)


def _finished(run: Run, fit: Fit, folder: Path | None) -> Run:
    metrics = {f"{split}/{name}": value for split, values in fit.metrics.items() for name, value in values.items()}
    return Run(
        run.id, run.name, run.kind, "FINISHED", run.started, fit.outcome.kind, run.params, metrics, run.tags, folder
    )
