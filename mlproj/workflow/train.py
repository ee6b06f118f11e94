"""`mlproj train`: load, split, build, train, examine, record."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from mlproj.advise.commands import join
from mlproj.records import Fit, Job, Predictions, Promise, Run
from mlproj.spec.project import Project
from mlproj.workflow.kept import kept_notes, shelf_of
from mlproj.workflow.parts import report_parts
from mlproj.workflow.record import store_fit
from mlproj.workflow.runs import finite, speak, split_sizes, store_note
from mlproj.workflow.starting import Start, begin_run, check_kind, model_name

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.workflow.trained_seeds import TrainedSeeds


@dataclass(frozen=True)
class Started:
    """A training that is about to run.

    Attributes:
        head: First line: the run, the splits and the store.
        epochs: Epochs it may take.
        warnings: What the data made mlproj wonder about.
        notes: Where it goes on, if it was cut off before.
    """

    head: str
    epochs: int
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()


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
        ensemble: Of which models an ensemble is made, and how much they were chosen; empty for a single model.
    """

    run: Run
    fit: Fit
    contract: tuple[Promise, ...]
    project: Project
    next: str
    parts: Mapping[str, Any] = field(default_factory=dict)
    ensemble: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj train`."""
        fit = self.fit
        ending = fit.outcome.kind, fit.outcome.text
        document = document_of(
            self.run, ending, fit.metrics, self.contract, fit.threshold, self.parts, fit.seconds, self.next
        )
        return document | ({"ensemble": dict(self.ensemble)} if self.ensemble else {})


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
    ensemble: int | None = None,
    resume: bool = False,
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
    ensemble: int | None = None,
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
        ensemble: Trains so many models and averages their answers, as one model: with `like` of a search its best
            trials, otherwise so many seeds.
        resume: Goes on with what was cut off, from where it was last kept; with `seeds` what was trained of this spec
            already stays, and what is missing is trained.
        on_start: Called once, before the first epoch; not with `seeds` or `ensemble`.
        on_epoch: Called after each epoch with (epoch, epochs, values by ``SPLIT/METRIC``); not with `seeds` or
            `ensemble`.

    Returns:
        The training; with `seeds` all of them, and what they say together.

    Raises:
        InvalidInput: When spec or data are wrong; nothing was started.
    """
    start = Start(project, set, like, name)
    check_kind(seeds, ensemble)
    if ensemble is not None:
        from mlproj.workflow.ensemble import train_ensemble

        return train_ensemble(start, ensemble, resume=resume)
    if seeds is not None:
        from mlproj.workflow.train_seeds import train_seeds

        return train_seeds(start, seeds, resume=resume)
    with ExitStack() as stack:
        project, store, tracker = start.open(stack)
        from mlproj.data import load_dataset
        from mlproj.fleet import StackKeeper
        from mlproj.track import capture_git
        from mlproj.training import fit, resolve  # torch is imported here, while the store is prepared next door

        dataset = load_dataset(project, store=store.splits, before_saving=partial(resolve, project))
        project = resolve(project, dataset)
        git = capture_git(project.root)
        run = begin_run(tracker, project, dataset, git, name or f"{model_name(project)}-{secrets.token_hex(2)}")
        shelf, job = shelf_of(store, dataset), Job(project, project.seed)
        notes = kept_notes(shelf.epochs({0: job}), resume=resume)
        if on_start:
            on_start(_started(run, project, dataset, store_note(store), notes))
        result = fit(project, dataset, on_epoch=on_epoch, keeper=StackKeeper(shelf, [job], goes_on=resume))
        contract = hold_contract(project, result.predictions, result.resources)
        parts = report_parts(project, dataset, result.predictions, store.root)
        store_fit(tracker, run.id, project, dataset, result, patch=git.patch, parts=parts)
        if result.outcome.kind != "interrupted":
            shelf.drop(job)
        folder = tracker.fetch(run.id, "")
    following = next_command(
        project, run.name, diverged=result.outcome.kind == "diverged", has_dev="dev" in result.metrics
    )
    return Trained(finished(run, result, folder), result, contract, project, following, parts)


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


def _started(run: Run, project: Project, dataset: "Dataset", note: str, notes: tuple[str, ...]) -> Started:
    sizes = " · ".join(split_sizes(dataset.deal.sizes))
    epochs = project.training.epochs
    return Started(
        f"{speak(run).replace(', just now', '')} · {sizes}{note}",
        epochs if isinstance(epochs, int) else 0,
        dataset.warnings,
        notes,
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


def finished(run: Run, fit: Fit, folder: Path | None) -> Run:
    """A run as it lies in the store after its training."""
    metrics = {f"{split}/{name}": value for split, values in fit.metrics.items() for name, value in values.items()}
    return Run(
        run.id, run.name, run.kind, "FINISHED", run.started, fit.outcome.kind, run.params, metrics, run.tags, folder
    )
