"""`mlproj train`: load, split, build, train, examine, record."""

import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.advise.commands import join
from mlproj.errors import InvalidInput, Problem
from mlproj.records import Fit, Promise, Run
from mlproj.spec.project import Project
from mlproj.spec.render import flatten, spec_hash, to_yaml
from mlproj.workflow.runs import (
    find_run,
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
    """A finished training that lies in the store."""

    run: Run
    fit: Fit
    contract: tuple[Promise, ...]
    project: Project
    next: str

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj train`."""
        return {
            "run_id": self.run.id,
            "name": self.run.name,
            "outcome": self.fit.outcome.kind,
            "message": self.fit.outcome.text,
            "metrics": {split: finite(values) for split, values in self.fit.metrics.items()},
            "contract": [promise_document(promise) for promise in self.contract],
            "threshold": self.fit.threshold,
            "seconds": round(self.fit.seconds, 3),
            "next": self.next,
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


def train(
    project: Project | str | Path = ".",
    *,
    set: Sequence[str] = (),
    like: str | None = None,
    name: str | None = None,
    on_start: Callable[[Started], None] | None = None,
    on_epoch: Callable[[int, int, Mapping[str, float]], None] | None = None,
) -> Trained:
    """Train the model, track the run, and show how it does on train, train-dev and dev.

    Args:
        project: A project, a project.yaml or a folder holding one.
        set: Changes such as ``training.learning_rate=0.01``.
        like: Run whose resolved spec is the starting point instead of project.yaml.
        name: Name of the run.
        on_start: Called once, before the first epoch.
        on_epoch: Called after each epoch with (epoch, epochs, values by ``SPLIT/METRIC``).

    Raises:
        InvalidInput: When spec or data are wrong; nothing was started.
    """
    check_name(name)
    project = load(project, set=() if like else set)
    store, tracker = open_tracker(project)
    with tracker:
        if like:
            found = find_run(tracker, like)
            project = spec_of(found, stored_spec(tracker, found), project, set=set)
        from mlproj.data import load_dataset
        from mlproj.track import capture_git
        from mlproj.training import fit, resolve  # torch is imported here, while MLflow is imported next door

        dataset = load_dataset(project, store=store.splits, before_saving=partial(resolve, project))
        project = resolve(project, dataset)
        git = capture_git(project.root)
        run = _begin(tracker, project, dataset, git, name or f"{model_name(project)}-{secrets.token_hex(2)}")
        if on_start:
            on_start(_started(run, project, dataset, store_note(store)))
        result = fit(project, dataset, on_epoch=on_epoch)
        contract = _contract(project, result)
        folder = _record(tracker, run, project, dataset, result, patch=git.patch)
    return Trained(_finished(run, result, folder), result, contract, project, _next(project, run.name, result))


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


def _next(project: Project, name: str, fit: Fit) -> str:
    """The command to run next: the ladder, which needs a dev set and a model that learned something."""
    if fit.outcome.kind == "diverged":
        rate = min(project.training.learning_rate / 10, 0.1)
        setting = f"training.learning_rate={rate:.6g}"
        return join(project, "train", "--like", name, "--set", setting, "--name", f"{name}-slower")
    return join(project, *(("diagnose", "bias-variance") if "dev" in fit.metrics else ("runs",)), name)


def _begin(tracker: "AbstractTracker", project: Project, dataset: "Dataset", git: "GitState", name: str) -> Run:
    started = time.time()
    params = flatten(project)
    tags: dict[str, str] = {
        "mlproj.spec_hash": spec_hash(project),
        "mlproj.data_hash": dataset.data_hash,
        "mlproj.dev_hash": dataset.dev_hash,
    } | dict(git.tags)
    run_id = tracker.start(kind="train", name=name, params=params, tags=tags)
    return Run(run_id, name, "train", "RUNNING", started, None, params, {}, tags)


def model_name(project: Project) -> str:
    """A short name for what is trained, to begin run names with.

    Example:
        >>> from mlproj.spec.data import Data
        >>> model_name(Project(name="cats", data=Data(source="app.csv", label="is_cat")))
        'mlp-64-64'
    """
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


def _contract(project: Project, fit: Fit) -> tuple[Promise, ...]:
    from mlproj.metrics import promises

    dev = fit.predictions.part("dev")
    return promises(project.metric.satisfy, dev.labels, weight=dev.weight, resources=fit.resources) if len(dev) else ()


def _record(
    tracker: "AbstractTracker", run: Run, project: Project, dataset: "Dataset", fit: Fit, *, patch: str | None
) -> Path | None:
    """Writes history, artifacts and model, then ends the run, in that order."""
    from mlproj.track import Model

    for name, values in fit.history.metrics.items():
        for epoch, value in enumerate(values, start=1):
            tracker.log(run.id, {name: value}, step=epoch)
    kept = slice(fit.best_epoch - 1, fit.best_epoch) if fit.best_epoch else slice(0)
    last = {name: value for name, values in fit.history.metrics.items() for value in values[kept]}  # the losses too
    last |= {f"{split}/{name}": value for split, values in fit.metrics.items() for name, value in values.items()}
    tracker.log(
        run.id, last | {f"dev/{name}": value for name, value in fit.resources.items()}, step=fit.history.epochs + 1
    )
    staging = Path(tempfile.mkdtemp(prefix="mlproj-"))
    try:
        write_artifacts(staging, project, dataset, fit, patch=patch)
        model = Model(project, dataset.encoder, dataset.target, fit.weights, fit.threshold)
        tracker.artifacts(run.id, staging, model=model)
        tracker.finish(
            run.id, status="FINISHED", tags={"mlproj.outcome": fit.outcome.kind, "mlproj.message": fit.outcome.text}
        )
        return tracker.fetch(run.id, "")
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_artifacts(folder: Path, project: Project, dataset: "Dataset", fit: Fit, *, patch: str | None) -> None:
    """Everything a later question about the run may need, without retraining.

    Args:
        folder: Where to write: project.yaml, splits.json, predictions.parquet, checkpoint.safetensors,
            confusion matrices and per-class tables, and dirty.patch where the git work tree has changes.
        project: The resolved spec.
        dataset: What was trained on.
        fit: What came out.
        patch: Uncommitted changes of the project's git work tree, if any.
    """
    from safetensors.numpy import save_file

    from mlproj.records.files import write_predictions

    (folder / "project.yaml").write_text(to_yaml(project), encoding="utf-8")
    splits = {
        "sizes": dict(dataset.deal.sizes),
        "from": {split: dict(parts) for split, parts in dataset.deal.sources.items()},
        "distributions_differ": dataset.deal.distributions_differ,
        "redraws": dataset.deal.redraws,
        "digest": dataset.deal.digest,
    }
    (folder / "splits.json").write_text(json.dumps(splits, indent=1), encoding="utf-8")
    write_predictions(fit.predictions, folder / "predictions.parquet")
    save_file(dict(fit.weights), folder / "checkpoint.safetensors")
    write_confusion(folder, fit)
    if patch:
        (folder / "dirty.patch").write_text(patch, encoding="utf-8")


def write_confusion(folder: Path, fit: Fit) -> None:
    """Confusion matrix and per-class table of dev (train where there is no dev), one pair of files per label."""
    from mlproj.metrics import confusion, per_class

    split = "dev" if "dev" in fit.predictions.splits else "train"
    part = fit.predictions.part(split)
    for label, answers in part.labels.items():
        if not answers.is_classification:
            continue
        suffix = f"_{label}" if label else ""
        counts = confusion(answers, part.weight)
        _write_csv(
            folder / f"confusion_matrix{suffix}.csv",
            ("true \\ predicted", *answers.classes),
            [(name, *row) for name, row in zip(answers.classes, counts.tolist(), strict=True)],
        )
        rows = per_class(answers, part.weight)
        _write_csv(folder / f"per_class{suffix}.csv", rows[0]._fields, rows)


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    import csv

    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def _finished(run: Run, fit: Fit, folder: Path | None) -> Run:
    metrics = {f"{split}/{name}": value for split, values in fit.metrics.items() for name, value in values.items()}
    return Run(
        run.id, run.name, run.kind, "FINISHED", run.started, fit.outcome.kind, run.params, metrics, run.tags, folder
    )
