"""Runs in the store: listing them, finding the one that is meant, showing it, and the UI."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlproj.advise.commands import is_file, join
from mlproj.errors import InputError, RunNotFound, TrackingError
from mlproj.records import Run
from mlproj.spec.code import forget_edited
from mlproj.spec.load import load_project
from mlproj.spec.project import Project
from mlproj.spec.yaml import read_yaml_file
from mlproj.workflow.labels import notes_on_runs
from mlproj.workflow.record import PARTS

if TYPE_CHECKING:
    from mlproj.track import AbstractTracker, Store

TRAINED = ("train", "search")
RANKED = (*TRAINED, "record")
"""Kinds of runs that compete for `best`: models that were trained here or elsewhere."""
BEST = "mlproj.best"
"""Tag of a search: the run of its best trial."""


@dataclass(frozen=True)
class Listing:
    """The runs of a project, newest first.

    Attributes:
        head: First line: which project and store.
        runs: The runs.
        best: Id of the best by contract among those on the newest dev set; None when there is none.
        metric: Name of the optimised metric of the newest run.
        notes: What keeps their figures from being compared.
    """

    head: str
    runs: tuple[Run, ...]
    best: str | None
    metric: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shown:
    """One run with its resolved spec.

    Attributes:
        run: The run.
        yaml: Its resolved project.yaml; empty where it holds none.
        head: First line: the run and the store.
        text: What it found, for a diagnosis.
        more: Command that prints the resolved spec; empty where it holds none.
        search: What it found, for a search.
        parts: How it does on slices and on what was tagged (see `workflow.parts`), for a training or a record.
    """

    run: Run
    yaml: str
    head: str
    text: str = ""
    more: str = ""
    search: Mapping[str, Any] | None = None
    parts: Mapping[str, Any] | None = None


def runs(project: Project | str | Path = ".") -> Listing:
    """List the runs, or show one run and its resolved spec."""
    project = load(project)
    store, tracker = open_tracker(project, must_exist=True, writes=False)
    with tracker:
        found = tuple(tracker.runs())
    best = best_run(found)
    count = f"{len(found)} run{'' if len(found) == 1 else 's'}"
    metric = next((contract_of(run)[0] for run in found if run.kind in RANKED and run.status == "FINISHED"), "error")
    notes = tuple(notes_on_runs(found, project))
    return Listing(f"{project.name} · {count}{store_note(store)}", found, best.id if best else None, metric, notes)


def show_run(project: Project | str | Path = ".", *, run: str | None = None) -> Shown:
    """One run: its outcome, figures and resolved project.yaml.

    Raises:
        RunNotFound: When no run answers to `run`.
    """
    project = load(project)
    store, tracker = open_tracker(project, must_exist=True, writes=False)
    with tracker:
        found = find_run(tracker, run)
        found_text = _text_of(tracker, found) if found.kind == "diagnosis" else ""
        spec = stored_spec(tracker, found) if _has_spec(found) else None
        insight = tracker.fetch(found.id, "search.json") if found.kind == "search" and spec else None
        parts = _parts_of(tracker, found) if found.kind in ("train", "record") and spec else None
        yaml = spec.read_text(encoding="utf-8") if spec else ""
        search = json.loads(insight.read_text(encoding="utf-8")) if insight else None
    more = join(project, "runs", found.name, "--yaml") if yaml else ""
    return Shown(found, yaml, f"{speak(found)}{store_note(store)}", found_text, more, search, parts)


def _parts_of(tracker: "AbstractTracker", run: Run) -> Mapping[str, Any] | None:
    """How a run did on slices and on what was tagged; None where its project had neither."""
    try:
        file = tracker.fetch(run.id, PARTS)
    except TrackingError:
        return None
    found: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _text_of(tracker: "AbstractTracker", run: Run) -> str:
    """What a diagnosis found, for people: the one text among its files."""
    texts = sorted(tracker.fetch(run.id, "").glob("*.txt"))
    return texts[0].read_text(encoding="utf-8").rstrip("\n") if texts else ""


def _has_spec(run: Run) -> bool:
    """Whether a run holds its spec: a diagnosis, what was killed, and most trials of a search do not."""
    if run.kind == "trial" and run.folder is not None and not (run.folder / "project.yaml").is_file():
        return False
    return run.kind != "diagnosis" and run.status == "FINISHED"


def stored_spec(tracker: "AbstractTracker", run: Run) -> Path:
    """A run's resolved project.yaml.

    Raises:
        InputError: When it holds none.
    """
    if not _has_spec(run):
        state = f"{run.kind}, {run.outcome or run.status.lower()}"
        hint = "Name a finished training: mlproj runs"
        if run.kind == "trial" and run.status == "FINISHED":
            hint = "A search keeps the files of those that could be the best; `search.keep: all` keeps all."
        raise InputError(f"{speak(run)} holds no project.yaml ({state}). {hint}")
    return tracker.fetch(run.id, "project.yaml")


def ui(project: Project | str | Path = ".", *, port: int | None = None, say: Callable[[str], None] = print) -> None:
    """Open the MLflow UI of this project on 127.0.0.1."""
    from mlproj.track import serve, store_for

    serve(store_for(load(project)), port=port, say=say)


def load(project: Project | str | Path, *, set: Sequence[str] = ()) -> Project:
    """The project meant by a path or an object, with changed keys."""
    changes = (set,) if isinstance(set, str) else set
    if not isinstance(project, Project):
        made = load_project(project, overrides=changes)
    elif set:
        made = load_project(project.root, base=project.model_dump(mode="json"), overrides=changes)
    else:
        made = project
    forget_edited(made.root)
    return made


def spec_of(
    run: Run, file: Path, home: Project, *, set: Sequence[str] = (), more: Mapping[str, Any] = MappingProxyType({})
) -> Project:
    """The resolved spec of a run, as a project that lies where `home` lies.

    Args:
        run: The run.
        file: Its stored project.yaml.
        home: The project that the run belongs to.
        set: Changes to it.
        more: Sections that stand in where the run has none.
    """
    spec = load_project(home.root, base={**more, **read_yaml_file(file).data}, base_name=run.name, overrides=set)
    parts = {name: getattr(spec, name) for name in Project.model_fields}
    asked = {change.partition("=")[0].strip() for change in set}
    # corrected labels, and what people look for in the errors, are those of today, not of what was trained
    if "data.corrections" not in asked:
        parts["data"] = spec.data.model_copy(update={"corrections": home.data.corrections})
    for name in ("error_analysis", "slices"):
        if not any(key.partition(".")[0] == name for key in asked):
            parts[name] = getattr(home, name)
    return home.changed(**parts)


def open_tracker(
    project: Project, *, must_exist: bool = False, writes: bool = True, keep: Sequence[int] = ()
) -> "tuple[Store, AbstractTracker]":
    """The project's store and a tracker for it.

    Args:
        project: The project.
        must_exist: Whether there must be runs in it already.
        writes: Whether runs will be written; reading alone is quicker.
        keep: File descriptors, such as a lock, that are held until the last record is written.

    Raises:
        RunNotFound: When `must_exist` and there is no store yet.
    """
    from mlproj.track import Channel, MlflowTracker, store_for

    store = store_for(project)
    if must_exist and not store.exists():
        raise RunNotFound(
            f"{project.name} has no runs yet: {store.label} does not exist. Train one first: mlproj train"
        )
    return store, MlflowTracker(store, project.name, writes=writes, connect=partial(Channel, keep=keep))


def find_model(tracker: "AbstractTracker", selector: str | None) -> Run:
    """The model that a selector means and that was trained here: as `find_run`, but a search is its best trial.

    Raises:
        RunNotFound: When no run, or more than one, answers.
        InputError: When the model was trained elsewhere.
    """
    return model_of(tracker, find_trained(tracker, selector))


def find_trained(tracker: "AbstractTracker", selector: str | None) -> Run:
    """As `find_run`, among the models that were trained here: `best` is the best of these.

    Raises:
        RunNotFound: When no run, or more than one, answers.
        InputError: When the model was trained elsewhere: its spec and weights are not ours to go on with.
    """
    found = best_run(tracker.runs(kinds=TRAINED)) if selector == "best" else find_run(tracker, selector)
    if found is None:
        raise RunNotFound("There is no finished training yet. Train one first: mlproj train")
    if found.kind == "record":
        raise InputError(f"{speak(found)} was trained elsewhere and recorded. Name a training: mlproj runs")
    return found


def model_of(tracker: "AbstractTracker", run: Run) -> Run:
    """The run that holds a run's model: the best trial of a search, any other run itself.

    Raises:
        RunNotFound: When the search has no best trial.
    """
    if run.kind != "search":
        return run
    if BEST not in run.tags:
        raise RunNotFound(f"{speak(run)} has no finished trial. Go on with it: mlproj search --resume")
    return tracker.run(run.tags[BEST])


def find_run(tracker: "AbstractTracker", selector: str | None) -> Run:
    """The run that a selector means.

    Args:
        tracker: An open tracker.
        selector: Run id, unique prefix, name, `latest` or `best`; None means the newest finished training.

    Raises:
        RunNotFound: When no run, or more than one, answers.
    """
    if selector in (None, "latest", "best"):
        if selector == "best":
            found = best_run(tracker.runs(kinds=RANKED))
        else:
            found = next(iter(tracker.runs(kinds=TRAINED, statuses=("FINISHED",))), None)
        if found is None:
            raise RunNotFound("There is no finished run yet. Train one first: mlproj train")
        return found
    if is_file(str(selector)):
        keep = join(None, "record", str(selector))
        raise RunNotFound(f"{selector} is a predictions file, which lies in no store. Put it there first: {keep}")
    return tracker.run(str(selector))


def best_run(runs: Sequence[Run]) -> Run | None:
    """The best by contract among the finished runs that share the newest one's dev set.

    All are held to the newest run's contract: figures of different metrics do not compare. Feasible runs first (every
    limit of `metric.satisfy` met by its point value), then the least violating; among equals the better optimised
    metric, then the older run.
    """
    from mlproj.metrics import rank_key

    finished = [
        run for run in runs if run.kind in RANKED and run.status == "FINISHED" and "mlproj.dev_hash" in run.tags
    ]
    if not finished:
        return None
    dev, (metric, satisfy) = finished[0].tags["mlproj.dev_hash"], contract_of(finished[0])
    ranked = []
    for run in finished:
        values = {name.removeprefix("dev/"): value for name, value in run.metrics.items() if name.startswith("dev/")}
        if run.tags["mlproj.dev_hash"] == dev and metric in values and set(satisfy) <= set(values):
            ranked.append((rank_key(values, metric, satisfy), -run.started, run))
    return max(ranked, key=lambda entry: entry[:2])[2] if ranked else None


def contract_of(run: Run) -> tuple[str, dict[str, str]]:
    """What a run optimised and what it had to satisfy."""
    prefix = "metric.satisfy."
    satisfy = {name.removeprefix(prefix): value for name, value in run.params.items() if name.startswith(prefix)}
    return run.params.get("metric.optimize", "error"), satisfy


def speak(run: Run) -> str:
    """A run in the words of a first line: name, short id, when.

    Example:
        >>> speak(Run("0123456789abcdef", "mlp", "train", "FINISHED", time.time()))
        'mlp (01234567, just now)'
    """
    return f"{run.name} ({run.id[:8]}, {ago(run.started)})"


def ago(started: float) -> str:
    """How long ago a moment was.

    Example:
        >>> ago(time.time() - 7300)
        '2 hours ago'
    """
    seconds = max(0.0, time.time() - started)
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


def split_sizes(sizes: Mapping[str, int]) -> list[str]:
    """Split sizes in ladder order, the sealed test set named as such.

    Example:
        >>> split_sizes({"train": 6500, "dev": 500, "test": 500})
        ['train 6,500', 'dev 500', 'test 500 (sealed)']
    """
    order = ("train", "train_dev", "dev", "test")
    return [
        f"{name.replace('_', '-')} {sizes[name]:,}{' (sealed)' if name == 'test' else ''}"
        for name in order
        if sizes.get(name)
    ]


def store_note(store: "Store") -> str:
    """What the first line adds when the store is not `mlruns/`."""
    return "" if store.is_default else f" · store {store.label}"


def run_document(run: Run, best: str | None) -> dict[str, Any]:
    """A run as JSON."""
    document: dict[str, Any] = {
        "run_id": run.id, "name": run.name, "kind": run.kind, "status": run.status, "outcome": run.outcome,
        "started": run.started, "metrics": finite(run.metrics), "params": dict(run.params), "tags": dict(run.tags),
    }  # fmt: skip
    return document | ({"best": run.id == best} if best else {})


def finite(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Numbers as JSON can hold them: what is not finite becomes null.

    Example:
        >>> finite({"recall": 0.5, "roc_auc": float("nan")})
        {'recall': 0.5, 'roc_auc': None}
    """
    return {name: value if value is not None and math.isfinite(value) else None for name, value in values.items()}
