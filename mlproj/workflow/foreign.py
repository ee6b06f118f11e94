"""`mlproj record`: the answers of somebody else's loop become a run in the store, where every diagnosis reads them."""

import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlproj.advise.commands import join
from mlproj.errors import InvalidInput, Problem
from mlproj.records import Answers, Predictions, Promise, Run
from mlproj.spec.project import Project
from mlproj.spec.render import flatten, spec_hash
from mlproj.workflow.arrays import open_dataset
from mlproj.workflow.record import data_tags, write_answers
from mlproj.workflow.runs import finite, load, open_tracker, speak, split_sizes, store_note
from mlproj.workflow.train import check_name, promise_document

if TYPE_CHECKING:
    from mlproj.data import Dataset, Part

_OURS = ("model.", "training.", "search.")
"""Keys of project.yaml that say nothing about a model that was trained elsewhere."""
_PARAM = re.compile(r"[\w\-. :/]{1,250}")


@dataclass(frozen=True)
class Recorded:
    """Somebody else's answers in the store.

    Attributes:
        head: First line: the run, the splits and the store.
        run: The run.
        predictions: The answers, with truth and splits as the project has them.
        metrics: Values by split and metric.
        contract: Each limit of `metric.satisfy` that answers can tell, judged on dev.
        project: The project.
        notes: What is missing, and what follows from it.
        next: The command to run next.
    """

    head: str
    run: Run
    predictions: Predictions
    metrics: Mapping[str, Mapping[str, float]]
    contract: tuple[Promise, ...]
    project: Project
    notes: tuple[str, ...]
    next: str

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj record`."""
        return {
            "run_id": self.run.id,
            "name": self.run.name,
            "metrics": {split: finite(values) for split, values in self.metrics.items()},
            "contract": [promise_document(promise) for promise in self.contract],
            "notes": list(self.notes),
            "next": self.next,
        }


def record(
    project: Project | str | Path = ".",
    *,
    file: str | Path | None = None,
    predictions: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
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
        params: What the model was trained with, kept as parameters of the run.
        metrics: Further figures by ``SPLIT/METRIC``.
        name: Name of the run.
        model: The network, an `nn.Module`: its weights are kept as a checkpoint.

    Raises:
        InvalidInput: When the answers do not fit the project; nothing is stored then.
    """
    check_name(name)
    project = load(project)
    if (file is None) == (predictions is None):
        what = "both a file and predictions are given" if file is not None else "there is nothing to record"
        raise InvalidInput([Problem("file", what, "Name one predictions file, or hand in predictions by split.")])
    problems = [*_check_params(params or {}), *_check_model(model)]
    if problems:
        raise InvalidInput(problems)
    dataset = open_dataset(project)
    found = _from_file(Path(file), project, dataset) if file is not None else _from_arrays(predictions or {}, dataset)
    project = project.changed(task=dataset.project.task, search=None)
    if project.metric.optimize is None:
        plain = "rmse" if project.task == "regression" else "error"
        project = project.changed(metric=project.metric.model_copy(update={"optimize": plain}))
    values, notes = _measure(project, found)
    contract = _contract(project, found)
    notes = [*_coverage(found, dataset), *notes]
    run, label = _store(project, dataset, found, values, params or {}, metrics or {}, name, model, str(file or ""))
    sizes = {split: int((found.split == split).sum()) for split in found.splits}
    head = " · ".join([speak(run).replace(", just now", ""), *split_sizes(sizes)]) + label
    words = ("diagnose", "bias-variance") if "dev" in found.splits else ("runs",)
    return Recorded(head, run, found, values, contract, project, tuple(notes), join(project, *words, run.name))


def _check_params(params: Mapping[str, Any]) -> list[Problem]:
    hint = "Use letters, digits, and any of _ - . : / and spaces."
    return [
        Problem("params", f"{str(key)!r} cannot be the name of a parameter", hint)
        for key in params
        if not isinstance(key, str) or not _PARAM.fullmatch(key)
    ]


def _check_model(model: Any) -> list[Problem]:
    """What cannot be kept without pickle is not taken: a file that runs code when it is opened helps nobody."""
    if model is None or (hasattr(model, "state_dict") and hasattr(model, "parameters")):
        return []
    message = f"a {type(model).__name__} cannot be kept without pickle; an nn.Module can"
    return [Problem("model", message, "Leave it out: its answers are all that a diagnosis reads.")]


def _from_file(path: Path, project: Project, dataset: "Dataset") -> Predictions:
    from mlproj.records.files import read_predictions
    from mlproj.workflow.lookup import hold_against

    positive = str(project.data.positive) if project.data.positive is not None else None
    read = read_predictions(path, metric=project.metric.optimize, task=dataset.project.task, positive=positive)
    return hold_against(read, project, dataset, path)


def _from_arrays(predictions: Mapping[str, Any], dataset: "Dataset") -> Predictions:
    """Answers that were handed in by split."""
    from mlproj.training.examine import join_predictions

    problems = [
        Problem("predictions", f"{split!r} is no split that may be seen", f"There are {' and '.join(dataset.parts)}.")
        for split in predictions
        if split not in dataset.parts
    ]
    if not predictions:
        problems.append(Problem("predictions", "is empty", 'Hand in at least {"dev": …}.'))
    if problems:
        raise InvalidInput(problems)
    parts = {split: dataset.parts[split] for split in dataset.parts if split in predictions}  # in ladder order
    answers: dict[str, dict[str, Answers]] = {}
    for split, part in parts.items():
        try:
            answers[str(split)] = _read(predictions[split], part, dataset, f"predictions[{str(split)!r}]")
        except InvalidInput as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidInput(problems)
    return join_predictions({str(split): part for split, part in parts.items()}, answers)


def _read(given: Any, part: "Part", dataset: "Dataset", where: str) -> dict[str, Answers]:
    """One split's answers by label, with the truth beside them."""
    target = dataset.target
    if hasattr(given, "columns"):
        given = _from_table(given, part, dataset, where)
    values = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    if len(values.shape) == 0 or len(values) != len(part):
        n = len(values) if values.shape else 1
        hint = f"One answer per row of project.data({part.name!r}), in its order; or a table with the ids."
        raise InvalidInput([Problem(where, f"holds {n:,} answers for {len(part):,} examples", hint)])
    truth = target.decode(np.zeros((len(part), target.n_outputs)), part.y)
    if target.several:
        return _read_several(values, truth, target.names, where)
    [(name, known)] = truth.items()
    if target.kind == "regression":
        return {name: Answers(known.y_true, _numbers(values, where))}
    return {name: _read_classes(values, known, where)}


def _from_table(table: Any, part: "Part", dataset: "Dataset", where: str) -> NDArray[Any]:
    """The answers of a table, in the order of the split."""
    names = [str(name) for name in table.columns]
    ids = table["id"].astype(str) if "id" in names else table.index.astype(str)
    place = {text: row for row, text in enumerate(ids.tolist())}
    own = list(range(len(table))) if "id" not in names and table.index.name != "id" else None
    if own is None:
        absent = [text for text in part.ids.tolist() if text not in place]
        if absent:
            message = f"holds no answer for {len(absent):,} of {len(part):,} examples, first {absent[0]!r}"
            raise InvalidInput([Problem(where, message, "One row per example of the split, by its id.")])
        if len(place) < len(table):
            raise InvalidInput([Problem(where, "names an id more than once", "Keep one row per example.")])
    rows = own if own is not None else [place[text] for text in part.ids.tolist()]
    classes = dataset.target.classes
    if dataset.target.several:
        p = [f"p:{label}" for label in dataset.target.labels]
        y = [f"y_pred:{label}" for label in dataset.target.labels]
        wanted = p if all(name in names for name in p) else y
    elif classes and all(f"p_{name}" in names for name in classes[0]):
        wanted = [f"p_{name}" for name in classes[0]]
    else:
        wanted = ["y_pred"]
    missing = [name for name in wanted if name not in names]
    if missing:
        allowed = "y_pred" + (f" or {', '.join(f'p_{name}' for name in classes[0][:4])}" if classes else "")
        message = f"has no column {missing[0]}; its columns are {', '.join(names[:8])}"
        raise InvalidInput([Problem(where, message, f"Give {allowed}.")])
    values = table[wanted].to_numpy()[rows]
    return values if len(wanted) > 1 else values[:, 0]


def _numbers(values: NDArray[Any], where: str) -> NDArray[np.float64]:
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        raise InvalidInput([Problem(where, "holds something that is no number", "Give predicted values.")]) from None
    if numbers.ndim != 1 or not np.isfinite(numbers).all():
        what = f"has the shape {values.shape}" if numbers.ndim != 1 else "holds a value that is not finite"
        raise InvalidInput([Problem(where, what, "Give one finite number per example.")])
    return numbers


def _read_classes(values: NDArray[Any], known: Answers, where: str) -> Answers:
    """Classes by name or position, or probabilities."""
    classes, n_classes = known.classes, len(known.classes)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim == 2:
        p = _probabilities(values, where)
        if p.shape[1] != n_classes:
            hint = f"One column per class, in this order: {', '.join(classes[:8])}."
            raise InvalidInput([Problem(where, f"has {p.shape[1]} columns for {n_classes} classes", hint)])
        return Answers(known.y_true, p.argmax(axis=1).astype(np.int64), classes, p)
    if values.ndim == 1 and values.dtype.kind == "f" and n_classes == 2 and not set(np.unique(values)) <= {0.0, 1.0}:
        positive = _probabilities(np.column_stack([1 - values, values]), where)[:, 1]
        return Answers(
            known.y_true, (positive >= 0.5).astype(np.int64), classes, np.column_stack([1 - positive, positive])
        )
    return Answers(known.y_true, _codes(values, classes, where), classes)


def _probabilities(values: NDArray[Any], where: str) -> NDArray[np.float64]:
    try:
        p = values.astype(np.float64)
    except (TypeError, ValueError):
        raise InvalidInput([Problem(where, "holds something that is no probability", "Give numbers.")]) from None
    if not np.isfinite(p).all():
        raise InvalidInput([Problem(where, "holds a value that is not finite", "Probabilities are from 0 to 1.")])
    if p.min(initial=0) < -1e-6 or p.max(initial=0) > 1 + 1e-6:
        message = (
            f"holds {float(p.max() if p.max() > 1 else p.min()):.4g}, which is no probability: these look like logits"
        )
        hint = "Turn them into probabilities first: softmax over the classes, or sigmoid for one output."
        raise InvalidInput([Problem(where, message, hint)])
    off = np.abs(p.sum(axis=1) - 1)
    if off.max(initial=0) > 0.02:
        row = int(off.argmax())
        message = f"sums to {p[row].sum():.4g} in row {row}, not to 1"
        raise InvalidInput([Problem(where, message, "Give one probability per class.")])
    return np.clip(p, 0, 1)


def _codes(values: NDArray[Any], classes: Sequence[str], where: str) -> NDArray[np.int64]:
    """Positions of classes; numbers that are no class's name are positions themselves."""
    from mlproj.records.columns import canonical

    if values.ndim != 1:
        raise InvalidInput([Problem(where, f"has the shape {values.shape}", "Give one answer per example.")])
    place = {canonical(name): code for code, name in enumerate(classes)}
    texts = [canonical(str(value)) for value in values.tolist()]
    if values.dtype.kind in "iufb" and not set(texts) & set(place):
        as_codes = values.astype(np.float64)
        if (
            np.all(as_codes == np.round(as_codes))
            and as_codes.min(initial=0) >= 0
            and as_codes.max(initial=0) < len(classes)
        ):
            return as_codes.astype(np.int64)
    strange = sorted({text for text in texts if text not in place})
    if strange:
        hint = f"The classes are {', '.join(classes[:8])}."
        raise InvalidInput([Problem(where, f"answers {strange[0]!r}, which is no class", hint)])
    return np.array([place[text] for text in texts], dtype=np.int64)


def _read_several(
    values: NDArray[Any], truth: Mapping[str, Answers], names: Sequence[str], where: str
) -> dict[str, Answers]:
    if values.ndim != 2 or values.shape[1] != len(names):
        hint = f"One column per label, in this order: {', '.join(names)}."
        raise InvalidInput([Problem(where, f"has the shape {values.shape} for {len(names)} labels", hint)])
    found = {}
    for column, name in enumerate(names):
        each = values[:, column]
        told = each.astype(np.float64) if each.dtype.kind in "fiub" else each
        found[name] = _read_classes(told, truth[name], f"{where}, label {name}")
    return found


def _measure(project: Project, found: Predictions) -> tuple[dict[str, dict[str, float]], list[str]]:
    """The figures of each split that answers can tell, and what is missing for the others."""
    from mlproj.metrics import measure
    from mlproj.metrics.evidence import RESOURCES

    plain = "rmse" if project.task == "regression" else "error"
    limits = [name for name in project.metric.satisfy if name not in RESOURCES]
    names = list(dict.fromkeys([plain, project.metric.optimize or plain, *limits]))
    values: dict[str, dict[str, float]] = {}
    notes: dict[str, None] = {}
    for split in found.splits:
        part = found.part(split)
        values[split] = {}
        for metric in names:
            try:
                values[split] |= measure([metric], part.labels, part.weight)
            except InvalidInput as error:
                notes.setdefault(f"{metric} cannot be computed: {error.problems[0].message}.")
    unmeasured = [name for name in project.metric.satisfy if name in RESOURCES]
    if unmeasured:
        notes.setdefault(f"{' and '.join(unmeasured)} of a model that runs elsewhere cannot be measured here.")
    return values, list(notes)


def _contract(project: Project, found: Predictions) -> tuple[Promise, ...]:
    from mlproj.metrics import promises

    dev = found.part("dev")
    if not len(dev):
        return ()
    try:
        return promises(project.metric.satisfy, dev.labels, weight=dev.weight, group=dev.group)
    except InvalidInput:
        return ()  # what is missing is said already


def _coverage(found: Predictions, dataset: "Dataset") -> list[str]:
    notes = []
    for split, part in dataset.parts.items():
        n = int((found.split == split).sum())
        spoken = str(split).replace("_", "-")
        if not n:
            follows = {"dev": "nothing can be chosen or diagnosed", "train": "bias and variance cannot be told apart"}
            notes.append(
                f"There are no answers on {spoken}: {follows.get(str(split), 'that rung of the ladder is missing')}."
            )
        elif n < len(part):
            follows = ", and `best` leaves it out" if split == "dev" else ""
            notes.append(
                f"{n:,} of {len(part):,} examples of {spoken} have answers; figures are of these alone{follows}."
            )
    return notes


def _store(
    project: Project,
    dataset: "Dataset",
    found: Predictions,
    values: Mapping[str, Mapping[str, float]],
    params: Mapping[str, Any],
    metrics: Mapping[str, float],
    name: str | None,
    model: Any,
    source: str,
) -> tuple[Run, str]:
    """Writes everything as a run of kind record; returns it, and what the first line adds about the store."""
    from mlproj.track import capture_git

    store, tracker = open_tracker(project)
    name = name or f"record-{secrets.token_hex(2)}"
    told = {key: value for key, value in flatten(project).items() if not key.startswith(_OURS)}
    told |= {key: str(value) for key, value in params.items()}
    git = capture_git(project.root)
    tags = {"mlproj.spec_hash": spec_hash(project)} | data_tags(dataset) | dict(git.tags)
    if int((found.split == "dev").sum()) < len(dataset.parts.get("dev", ())):
        del tags["mlproj.dev_hash"]  # figures of another set: `best` must not choose by them
    staging = Path(tempfile.mkdtemp(prefix="mlproj-"))
    with tracker:
        run_id = tracker.start(kind="record", name=name, params=told, tags=tags)
        try:
            write_answers(staging, project, dataset, found, patch=git.patch)
            if model is not None:
                _write_checkpoint(model, staging)
            figures = {f"{split}/{metric}": v for split, row in values.items() for metric, v in row.items()}
            tracker.log(run_id, {**{key: float(v) for key, v in metrics.items()}, **figures}, step=0)
            tracker.artifacts(run_id, staging)
            message = f"recorded from {Path(source).name}" if source else "recorded from a loop of the user's own"
            tracker.finish(run_id, tags={"mlproj.outcome": "completed", "mlproj.message": message})
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        folder = tracker.fetch(run_id, "")
    run = Run(run_id, name, "record", "FINISHED", time.time(), "completed", told, figures, tags, folder)
    return run, store_note(store)


def _write_checkpoint(model: Any, folder: Path) -> None:
    from safetensors.numpy import save_file

    state = {name: np.ascontiguousarray(tensor.detach().cpu().numpy()) for name, tensor in model.state_dict().items()}
    save_file(state, folder / "checkpoint.safetensors")
