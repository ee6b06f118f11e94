"""What a search works with: its runs in the store, its trials, and what is written at its end."""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.advise.commands import join
from mlproj.errors import InvalidInput
from mlproj.records import Failure, Fit, Job, Run
from mlproj.spec.project import Project
from mlproj.spec.render import flatten, spec_hash, to_yaml
from mlproj.spec.space import space_notes
from mlproj.workflow.kept import goes_on_words, search_folder
from mlproj.workflow.record import TRIED, data_tags, staging_folder, store_fit
from mlproj.workflow.runs import BEST, split_sizes, store_note

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from mlproj.data import Dataset
    from mlproj.engine import AbstractEngine
    from mlproj.fleet import Shelf
    from mlproj.searching import Found, Matrix, Progress, SearchStudy, Trial
    from mlproj.searching.trials import TrialState
    from mlproj.track import AbstractTracker, GitState, Store


@dataclass(frozen=True)
class Begun:
    """A search that is about to make its trials.

    Attributes:
        head: First line: the run, the splits and the store.
        plan: Second line: trials, rounds, sampler, engine.
        notes: What differs from what was asked for.
        warnings: What the data made mlproj wonder about.
        metric: The metric to optimise.
        trials: Trials over all rounds.
    """

    head: str
    plan: str
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    metric: str
    trials: int


def short_name(study: "SearchStudy") -> str:
    """What a search is called: the name of its run, or search-1, search-2 and so on."""
    return str(study.plan.get("name") or study.name.rpartition("/")[2])


@dataclass
class Desk:
    """What a search works with.

    Attributes:
        home: The project as project.yaml says it now.
        project: The project as it is searched: as written, with task, metric and `search.space` explicit.
        dataset: Its data.
        store: Where runs are kept.
        tracker: The same, open.
        study: Where the search is written down.
        engine: Where it trains.
        git: State of the project's git work tree.
        remarks: What there is to say about going on with a search.
        run_id: Its run.
        name: Name of its run.
    """

    home: Project
    project: Project
    dataset: "Dataset"
    store: "Store"
    tracker: "AbstractTracker"
    study: "SearchStudy"
    engine: "AbstractEngine"
    git: "GitState"
    remarks: tuple[str, ...] = ()
    run_id: str = ""
    name: str = ""

    @property
    def rows(self) -> Path:
        """Where the trials' answers lie until the search ends."""
        return search_folder(self.store, self.home, "answers") / self.run_id

    @property
    def shelf(self) -> "Shelf":
        """The trainings under way."""
        from mlproj.fleet import Shelf

        return Shelf(search_folder(self.store, self.home, "trainings"), self.dataset.data_hash)

    @property
    def n_seeds(self) -> int:
        """With how many seeds each finalist is trained again."""
        return self.project.search.seeds if self.project.search else 1

    @property
    def tags(self) -> dict[str, str]:
        """Tags of every run of the search."""
        return data_tags(self.dataset) | dict(self.git.tags)

    def begin(self, name: str | None) -> None:
        """Opens the run of the search, or opens it again."""
        self.name = self.study.plan.get("name") or name or short_name(self.study)
        earlier = self.study.plan.get("run_id")
        known = {run.id for run in self.tracker.runs(kinds=("search",))} if earlier else {}
        tags = self.tags | {"mlproj.spec_hash": spec_hash(self.project), "mlproj.study": self.study.name}
        self.run_id = self.tracker.start(
            kind="search",
            name=self.name,
            params=flatten(self.project),
            tags=tags,
            run_id=earlier if earlier in known else None,
        )
        self.study.update_plan(run_id=self.run_id, name=self.name)
        for other in self.rows.parent.glob("*"):
            if other != self.rows:  # of a search that was given up
                shutil.rmtree(other, ignore_errors=True)

    def begun(self) -> "Begun":
        """What to say before the first trial."""
        search_spec = self.project.search
        assert search_spec is not None
        from mlproj.searching import DONE, sizes_of, trials_of
        from mlproj.track import without_password

        sizes = sizes_of(search_spec, search_spec.space or {})
        head = f"{self.name} ({self.run_id[:8]}) · {' · '.join(split_sizes(self.dataset.deal.sizes))}"
        n, rounds = sum(sizes), len(sizes)
        parts = [f"{n:,} trial{'s' * (n != 1)}{f' in {rounds} rounds' * (rounds > 1)}", search_spec.sampler]
        keys = len(search_spec.space or ())
        parts += [f"{keys} hyperparameter{'s' * (keys != 1)}"]
        parts += [f"{self.engine.workers} worker{'s' * (self.engine.workers != 1)}"]
        notes = [*self.remarks, *space_notes(self.project, search_spec.space or {})]
        if n < search_spec.trials and search_spec.sampler == "grid":
            notes.append(f"a grid of {n:,} points is what fits into {search_spec.trials:,} trials")
        elif n < search_spec.trials:
            has = f"the space has only {n:,} combination{'s' * (n != 1)}"
            notes.append(f"{has}: {n:,} trial{'s' * (n != 1)} instead of {search_spec.trials:,}")
        done = sum(trial.state in DONE for trial in trials_of(self.study))
        if done:
            notes.append(f"going on after {done:,} of {n:,} trials")
        if under_way := self.shelf.all_epochs():
            notes.append(goes_on_words(under_way))
        metric = str(self.project.metric.optimize)
        if search_spec.storage:
            head += f" · studies in {without_password(search_spec.storage)} (search.storage)"
        return Begun(head + store_note(self.store), " · ".join(parts), tuple(notes), self.dataset.warnings, metric, n)

    def note(self, progress: "Progress") -> None:
        """Logs the best so far, so that the run shows how it came about."""
        if progress.best is not None:
            self.tracker.log(self.run_id, _on_dev(progress.best), step=progress.done)

    def finish(self, found: "Found") -> tuple[Run, dict[str, Any]]:
        """Writes what the search found, ends its run, and notes that it is over.

        Returns:
            The run, and what there is to say about the search, as JSON knows it.
        """
        from mlproj.searching import describe

        with staging_folder() as staging:
            matrix = self._matrix(staging, found)
            insight = describe(found, self.project, matrix)
            insight["answers_kept"] = len(matrix.numbers) if matrix else 0
            insight["widen"] = self._widen(insight["edges"])
            tags = self._write(staging, found, insight)
            self.tracker.artifacts(self.run_id, staging)
            status = "FINISHED" if found.best else "KILLED"
            self.tracker.finish(self.run_id, status=status, tags=tags)
        self.study.end(found.stopped)
        if found.stopped == "trials":
            for folder in (self.rows, search_folder(self.store, self.home, "trainings")):
                shutil.rmtree(folder, ignore_errors=True)
        return self.tracker.run(self.run_id), insight

    def _widen(self, edges: Sequence[Mapping[str, Any]]) -> str | None:
        """The command that searches again beyond the edges at which the best was found; None without such an edge."""
        settings = [f"search.space.{edge['path']}={json.dumps(edge['widened'])}" for edge in edges]
        words = [word for setting in settings for word in ("--set", setting)]
        return join(self.home, "search", "--like", self.name, *words) if words else None

    def _matrix(self, folder: Path, found: "Found") -> "Matrix | None":
        """The answers of all trials on dev as one file."""
        from mlproj.searching import write_matrix

        trained = (*found.complete, *found.pruned)
        run_ids = {trial.number: trial.run_id for trial in trained if trial.run_id}
        pruned = {trial.number for trial in found.pruned}
        try:
            return write_matrix(folder / "dev_predictions.npz", self.rows, run_ids, pruned=pruned)
        except KeyError:  # nothing finished, or the cache was cleared
            return None

    def _write(self, folder: Path, found: "Found", insight: Mapping[str, Any]) -> dict[str, str]:
        """The files and figures of the search; returns the tags that end its run."""
        from mlproj.searching import draw_search

        (folder / "project.yaml").write_text(to_yaml(self.project), encoding="utf-8")
        (folder / "search.json").write_text(json.dumps(insight, indent=1, allow_nan=False), encoding="utf-8")
        metric, satisfy = str(self.project.metric.optimize), self.project.metric.satisfy
        assert self.project.search is not None
        space = self.project.search.space or {}
        if found.complete:
            draw_search(
                folder / "search",
                found.trials,
                space,
                optimize=metric,
                satisfy=satisfy,
                importance=insight["importance"],
                mattered=insight["mattered"],
            )
        if found.finalists:  # the mean over seeds may have chosen another than the curve ends with
            self.tracker.log(self.run_id, _on_dev(found.finalists[0].trial), step=self.study.plan["trainings"] + 1)
        words = {"trials": "all trials were made", "budget": "the time budget was used up"}
        tags = {
            "mlproj.outcome": "interrupted" if found.stopped == "interrupted" else "completed",
            "mlproj.message": f"{insight['complete']} trials finished, {insight['pruned']} ended early, "
            f"{insight['failed']} failed; " + words.get(found.stopped, "it was interrupted"),
        }
        return tags | ({BEST: found.best.run_id or ""} if found.best else {})


class Lab:
    """Trains for a search and records its trials."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._shelf = desk, desk.shelf
        self.evaluate = desk.engine.evaluate
        self._open: dict[str, Project] = {}  # resolved once: that looks at the data
        self._known: dict[str, Run] | None = None
        self._rows = list["Future[None]"]()

    @property
    def ahead(self) -> int:
        """How many jobs are taken at a time where they train side by side; 1 where each trains alone."""
        return self._desk.engine.crew

    @property
    def more(self) -> bool:
        """Whether another result is there already."""
        return self._desk.engine.more

    def begin(self, trial: "Trial", project: Project) -> str:
        """Opens a run for a trial."""
        from mlproj.training import resolve

        desk = self._desk
        with suppress(InvalidInput):  # the training will say so, and the run shows what was tried
            project = resolve(project, desk.dataset)
        tags = desk.tags | {
            "mlflow.parentRunId": desk.run_id,
            "mlproj.trial": trial.key,
            "mlproj.number": str(trial.number),
            TRIED: json.dumps(dict(trial.params)),
            "mlproj.spec_hash": spec_hash(project),
        }
        name = f"{desk.name}-trial-{trial.number}"
        if trial.study.endswith("/seeds"):
            number = trial.number // desk.n_seeds
            tags |= {"mlproj.number": str(number), "mlproj.seed": str(project.seed)}
            name = f"{desk.name}-trial-{number}-seed-{project.seed}"
        run_id = desk.tracker.start(kind="trial", name=name, params=flatten(project), tags=tags)
        self._open[run_id] = project
        return run_id

    def record(self, trial: "Trial", fit: Fit, *, whole: bool) -> None:
        """Stores what came out and ends the run."""
        from mlproj.searching import write_row

        desk = self._desk
        assert trial.run_id is not None
        if not trial.study.endswith("/seeds") and fit.outcome.kind != "interrupted":
            row = (desk.rows, trial.number, fit.predictions.part("dev"))
            if desk.rows.exists():  # many wait for the disk together
                self._rows.append(_disk().submit(write_row, *row))
            else:  # the first begins the folder
                write_row(*row)
        project = self._open[trial.run_id]
        store_fit(desk.tracker, trial.run_id, project, desk.dataset, fit, patch=desk.git.patch, whole=whole, wait=whole)
        del self._open[trial.run_id]

    def settle(self) -> None:
        """Waits until all that was recorded is safely stored."""
        rows, self._rows = self._rows, []
        for row in rows:
            row.result()
        self._desk.tracker.settle()

    def forget(self, job: Job) -> None:
        """Lets go of the snapshot of a training whose result is stored."""
        self._shelf.drop(job)

    def fail(self, trial: "Trial", failure: Failure) -> None:
        """Ends the run of a trial that failed, with the reason and, where there is one, the traceback."""
        assert trial.run_id is not None
        tracker = self._desk.tracker
        with tempfile.TemporaryDirectory(prefix="mlproj-") as folder:
            if failure.trace:
                (Path(folder) / "traceback.txt").write_text(failure.trace, encoding="utf-8")
                tracker.artifacts(trial.run_id, Path(folder))
            status = "KILLED" if failure.is_late else "FAILED"
            tracker.finish(trial.run_id, status=status, tags={"mlproj.message": failure.reason})
        del self._open[trial.run_id]

    def drop(self, trial: "Trial") -> None:
        """Ends the run of a trial that is cut off."""
        if trial.run_id in self._open:
            del self._open[trial.run_id]
            self._desk.tracker.finish(trial.run_id, status="KILLED")

    def epochs(self, trial: "Trial") -> int:
        """Epochs that a trial, whose run is open, is to make; 0 where its spec does not fit the data."""
        epochs = self._open[trial.run_id or ""].training.epochs
        return epochs if isinstance(epochs, int) else 0

    def found(self, trial: "Trial") -> "Trial | None":
        """A trial whose run was finished before the search was cut off, as the run tells it."""
        if self._known is None:
            runs = self._desk.tracker.runs(kinds=("trial",), statuses=("FINISHED",))
            parent = self._desk.run_id
            ours = [run for run in runs if run.tags.get("mlflow.parentRunId") == parent]
            self._known = {run.tags.get("mlproj.trial", ""): run for run in ours if run.outcome != "interrupted"}
        run = self._known.get(trial.key)
        if run is None:
            return None
        from mlproj.searching.halving import levels_of, seen_at

        metrics = _of_dev(run.metrics)
        is_pruned = run.outcome == "pruned"
        history = self._desk.tracker.history(run.id).metrics
        made = len(history.get("train/loss", ())) - 1  # the last entry is of the weights that were kept
        state: TrialState = "pruned" if is_pruned else "complete"
        done = replace(trial, state=state, metrics=metrics, epochs=made)
        return replace(done, rungs=seen_at(levels_of(int(run.params.get("training.epochs", "0"))), history, done))


def _of_dev(values: Mapping[str, float]) -> dict[str, float]:
    """Values on dev by metric."""
    prefix = "dev/"
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


@cache
def _disk() -> "ThreadPoolExecutor":
    """Threads that write files and wait for the disk."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(8, "mlproj-disk")


def _on_dev(trial: "Trial") -> dict[str, float]:
    return {f"dev/{name}": value for name, value in trial.metrics.items()}
