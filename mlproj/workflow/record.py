"""Putting a trained model into the store: figures, files, the model itself, and the end of its run."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlproj.errors import TrackingError
from mlproj.records import Fit, Predictions
from mlproj.spec.project import Project
from mlproj.spec.render import to_yaml

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.track import AbstractTracker


NOTHING: Mapping[str, Any] = MappingProxyType({})
PARTS = "slices.json"
"""Artifact of a run that says how it does on parts of dev."""
TRIED = "mlproj.tried"
"""Tag of a trial: the values that it tried by path, as JSON."""
CORRECTIONS = "mlproj.corrections"
"""Tag of a run: how many labels of each split were corrected when it was made, and a hash of the corrections."""


def data_tags(dataset: "Dataset") -> dict[str, str]:
    """Tags that say on which data a run was made."""
    tags = {"mlproj.data_hash": dataset.data_hash, "mlproj.dev_hash": dataset.dev_hash}
    if not any(dataset.corrections.values()):
        return tags
    return tags | {CORRECTIONS: json.dumps({**dataset.corrections, "digest": dataset.corrections_digest})}


def store_fit(
    tracker: "AbstractTracker",
    run_id: str,
    project: Project,
    dataset: "Dataset",
    fit: Fit,
    *,
    patch: str | None = None,
    whole: bool = True,
    wait: bool = True,
    parts: Mapping[str, Any] = NOTHING,
    members: Sequence[Project] = (),
    more: Mapping[str, Any] = NOTHING,
) -> None:
    """Writes history, artifacts and model, then ends the run, in that order.

    Args:
        tracker: Where the run is open.
        run_id: The run.
        project: The resolved spec.
        dataset: What was trained on.
        fit: What came out.
        patch: Uncommitted changes of the project's git work tree, if any.
        whole: Whether predictions, checkpoint and model are stored; without them only the figures are.
        wait: Whether to wait until everything is safely stored; what is stored whole is always waited for.
        parts: How it does on parts of dev; kept as slices.json.
        members: Of an ensemble the resolved specs of its models.
        more: Further documents by file name.

    Raises:
        TrackingError: When anything could not be stored.
    """
    _log(tracker, run_id, fit)
    ending = {"mlproj.outcome": fit.outcome.kind, "mlproj.message": fit.outcome.text}
    if not whole:
        tracker.finish(run_id, tags=ending, wait=wait)
        return
    from mlproj.track import Model

    with staging_folder() as staging:
        write_artifacts(staging, project, dataset, fit, patch=patch)
        if parts:
            (staging / PARTS).write_text(json.dumps(parts, indent=1), encoding="utf-8")
        for name, document in more.items():
            (staging / name).write_text(json.dumps(document, indent=1, allow_nan=False), encoding="utf-8")
        model = Model(project, dataset.encoder, dataset.target, fit.weights, fit.threshold, tuple(members))
        tracker.artifacts(run_id, staging, model=model if fit.weights else None)
        tracker.finish(run_id, tags=ending)


@contextmanager
def staging_folder() -> Iterator[Path]:
    """A temporary folder in which the files of a run are put together.

    Raises:
        TrackingError: When files cannot be written there.
    """
    folder = None
    try:
        folder = Path(tempfile.mkdtemp(prefix="mlproj-"))
        yield folder
    except Exception as error:
        from safetensors import SafetensorError  # which is no OSError, whatever the disk says

        if not isinstance(error, OSError | SafetensorError):
            raise
        where = f"in {folder.parent}" if folder else "as temporary files"
        raise TrackingError(
            f"The files of the run could not be put together {where}: {error}\n"
            "Make room there, or name another folder in the environment variable TMPDIR, and run it again."
        ) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _log(tracker: "AbstractTracker", run_id: str, fit: Fit) -> None:
    """The history epoch by epoch, then the figures of the weights that were kept as one more step."""
    for epoch in range(fit.history.epochs):
        at_end = {name: values[epoch] for name, values in fit.history.metrics.items() if epoch < len(values)}
        tracker.log(run_id, at_end, step=epoch + 1)
    kept = slice(fit.best_epoch - 1, fit.best_epoch) if fit.best_epoch else slice(0)
    last = {name: value for name, values in fit.history.metrics.items() for value in values[kept]}  # the losses too
    last |= {f"{split}/{name}": value for split, values in fit.metrics.items() for name, value in values.items()}
    last |= {f"dev/{name}": value for name, value in fit.resources.items()}
    tracker.log(run_id, last, step=fit.history.epochs + 1)


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

    if fit.weights:  # an estimator that cannot be kept without pickle has none
        save_file(dict(fit.weights), folder / "checkpoint.safetensors")
    write_answers(folder, project, dataset, fit.predictions, patch=patch)


def write_answers(
    folder: Path,
    project: Project,
    dataset: "Dataset",
    predictions: Predictions,
    *,
    patch: str | None,
    sizes: Mapping[str, int] | None = None,
) -> None:
    """What a later question reads of any model, wherever it was trained.

    Args:
        folder: Where to write: project.yaml, splits.json, predictions.parquet, confusion matrices and per-class tables,
            and dirty.patch where the git work tree has changes.
        project: The resolved spec.
        dataset: The data.
        predictions: The answers.
        patch: Uncommitted changes of the project's git work tree, if any.
        sizes: Examples by split, where they are not those of the deal.
    """
    from mlproj.records.files import write_predictions

    (folder / "project.yaml").write_text(to_yaml(project), encoding="utf-8")
    splits = {
        "sizes": dict(dataset.deal.sizes if sizes is None else sizes),
        "from": {split: dict(parts) for split, parts in dataset.deal.sources.items()},
        "distributions_differ": dataset.deal.distributions_differ,
        "redraws": dataset.deal.redraws,
        "digest": dataset.deal.digest,
    }
    (folder / "splits.json").write_text(json.dumps(splits, indent=1), encoding="utf-8")
    write_predictions(predictions, folder / "predictions.parquet")
    write_confusion(folder, predictions)
    if patch:
        (folder / "dirty.patch").write_text(patch, encoding="utf-8")


def write_confusion(folder: Path, predictions: Predictions) -> None:
    """Confusion matrix and per-class table of dev (train where there is no dev), one pair of files per label."""
    from mlproj.metrics import confusion, per_class

    part = predictions.part("dev" if "dev" in predictions.splits else predictions.splits[0])
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
