"""`mlproj train --seeds N`: the same spec under several seeds, each a run of its own, and what they say together."""

import json
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from mlproj.advise.commands import join
from mlproj.errors import InvalidInput, MlprojError, Problem, TrackingError
from mlproj.records import SEEDS, Failure, Fit, Job, Run
from mlproj.spec.goal import Resource
from mlproj.spec.project import Project
from mlproj.workflow.kept import kept_notes, left_words, shelf_of
from mlproj.workflow.parts import report_parts
from mlproj.workflow.record import PARTS, data_tags, store_fit
from mlproj.workflow.runs import split_sizes, store_note
from mlproj.workflow.seeds import UNFINISHED, is_same_spec
from mlproj.workflow.starting import Start, begin_run, model_name
from mlproj.workflow.train import document_of, hold_contract, next_command
from mlproj.workflow.trained_seeds import SeedsBegun, TrainedSeed, TrainedSeeds

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.engine import AbstractEngine
    from mlproj.fleet import Shelf
    from mlproj.track import AbstractTracker, GitState, Store

MOST = 1000
LARGEST = 2**31 - 1


def train_seeds(
    start: Start,
    seeds: int,
    *,
    resume: bool = False,
    on_start: Callable[[SeedsBegun], None] | None = None,
    on_seed: Callable[[int, int, Mapping[str, float]], None] | None = None,
) -> TrainedSeeds:
    """Trains a spec under seeds s, s + 1, …, where s is its `seed`; each becomes a run of its own.

    Args:
        start: The spec; its name is that of the group.
        seeds: How many.
        resume: Whether trainings of this spec that the store holds already are taken over, and only what is missing is
            trained.
        on_start: Called once, before the first training.
        on_seed: Called after each training with (done, to be done, its metrics on dev).

    Raises:
        InvalidInput: When spec, data or options are wrong; nothing was started.
        MlprojError: When no seed could be trained.
        KeyboardInterrupt: When Ctrl-C came before any seed was finished; it says what is kept and how to go on.
    """
    from mlproj.engine import cpu_count, make_engine, warm_up

    n = check_seeds(seeds)
    with ExitStack() as stack:
        project, store, tracker = start.open(stack)
        check_range(project, n)
        workers = min(n, cpu_count())
        warm_up("auto", workers)
        fleet = _prepare(tracker, store, project, n, start.name, resume=resume)
        todo = [seed for seed in fleet.wanted if seed not in fleet.done]
        workers = min(max(len(todo), 1), workers)
        engine = stack.enter_context(make_engine("auto", fleet.dataset, workers, shelf=fleet.shelf.folder))
        if on_start:
            on_start(fleet.begun(todo, engine.workers))
        began = time.monotonic()
        try:
            is_interrupted = fleet.train(engine.evaluate, todo, on_seed)
        except KeyboardInterrupt:
            jobs = {seed: fleet.job(seed) for seed in todo}
            command = start.command(project, "--seeds", str(n), "--resume")
            raise KeyboardInterrupt(left_words(fleet.shelf, jobs, command)) from None
        return fleet.finish(engine, time.monotonic() - began, is_interrupted=is_interrupted)


def check_seeds(seeds: int) -> int:
    """Whether so many seeds can be trained.

    Raises:
        InvalidInput: When not.
    """
    if not 1 <= seeds <= MOST:
        raise InvalidInput([Problem("--seeds", f"{seeds} is no number of seeds", f"Write 1 to {MOST:,}, such as 5.")])
    return seeds


def check_range(project: Project, n: int) -> None:
    """Whether there are so many seeds from the project's own upwards.

    Raises:
        InvalidInput: When not.
    """
    if project.seed + n - 1 > LARGEST:
        message = f"{n:,} seeds from {project.seed:,} on go beyond the largest, {LARGEST:,}"
        raise InvalidInput([project.problem("seed", message, "Begin lower, such as with --set seed=0.")])


def _prepare(
    tracker: "AbstractTracker", store: "Store", project: Project, n: int, name: str | None, *, resume: bool
) -> "_Fleet":
    """The data, the resolved spec, and what the store holds of it."""
    from mlproj.data import load_dataset
    from mlproj.track import capture_git
    from mlproj.training import resolve

    dataset = load_dataset(project, store=store.splits, before_saving=partial(resolve, project))
    project = resolve(project, dataset)
    shelf = shelf_of(store, dataset)
    fleet = _Fleet(tracker, store, project, dataset, capture_git(project.root), n, shelf, resume)
    group = fleet.find_earlier() if resume else None
    fleet.name = name or group or f"{model_name(project)}-{secrets.token_hex(2)}"
    return fleet


@dataclass
class _Fleet:
    """A fleet on its way."""

    tracker: "AbstractTracker"
    store: "Store"
    project: Project
    dataset: "Dataset"
    git: "GitState"
    n: int
    shelf: "Shelf"
    resumes: bool = False
    name: str = ""
    done: dict[int, TrainedSeed] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    open: dict[int, Run] = field(default_factory=dict)

    @property
    def wanted(self) -> range:
        """The seeds that the fleet is to have."""
        return range(self.project.seed, self.project.seed + self.n)

    def find_earlier(self) -> str | None:
        """Takes over finished trainings of this spec on these data, the newest of each seed.

        Returns:
            The group that they belong to, or the newest of which a seed was begun; None where there is none.
        """
        from mlproj.spec.render import flatten
        from mlproj.track.keys import clean_params

        ours = Run("", "", "train", "", 0.0, params=clean_params(flatten(self.project)), tags=data_tags(self.dataset))
        begun: str | None = None
        for run in reversed(self.tracker.runs(kinds=("train",))):
            seed = run.params.get("seed", "")
            if not (seed.isdigit() and int(seed) in self.wanted and is_same_spec(run, ours)):
                continue
            begun = run.tags.get(SEEDS, begun)
            if run.status == "FINISHED" and run.outcome not in UNFINISHED:
                with suppress(TrackingError, OSError, ValueError):  # a run whose files are gone is trained again
                    self.done[int(seed)] = self._read(run, int(seed))
        return next((each.run.tags[SEEDS] for each in self.done.values() if SEEDS in each.run.tags), begun)

    def job(self, seed: int) -> Job:
        return Job(self.project.changed(seed=seed), seed)

    def _read(self, run: Run, seed: int) -> TrainedSeed:
        """A seed that lies in the store, as `mlproj train` told of it."""
        from mlproj.records.files import read_predictions

        folder = self.tracker.fetch(run.id, "")
        predictions = read_predictions(folder / "predictions.parquet")
        names = self._metric_names(predictions.answers_are_classes)
        metrics = {
            split: {metric: run.metrics[key] for metric in names if (key := f"{split}/{metric}") in run.metrics}
            for split in predictions.splits
        }
        resources = {key.removeprefix("dev/"): value for key, value in run.metrics.items() if key.startswith("dev/")}
        document = document_of(
            run,
            (run.outcome or "completed", run.tags.get("mlproj.message", "")),
            metrics,
            hold_contract(self.project, predictions, resources),
            _threshold_of(folder),
            json.loads((folder / PARTS).read_text(encoding="utf-8")) if (folder / PARTS).is_file() else {},
            None,
            self._next(run.name, diverged=run.outcome == "diverged"),
        )
        return TrainedSeed(seed, run, document, is_new=False)

    def _metric_names(self, is_classification: bool) -> list[str]:
        metric = self.project.metric
        plain = "error" if is_classification else "rmse"
        limited = [str(name) for name in metric.satisfy if name not in get_args(Resource)]
        return list(dict.fromkeys([plain, str(metric.optimize), *limited]))

    def begun(self, todo: Sequence[int], workers: int) -> SeedsBegun:
        """What to say before the first training."""
        first, last = self.wanted[0], self.wanted[-1]
        which = f"seed {first}" if self.n == 1 else f"seeds {first} to {last}"
        head = " · ".join([self.name, *split_sizes(self.dataset.deal.sizes)]) + store_note(self.store)
        parts = [which, f"{workers} processes" if workers > 1 else "1 process"]
        return SeedsBegun(head, " · ".join(parts), tuple(self._notes(todo)), self.dataset.warnings, len(todo))

    def _notes(self, todo: Sequence[int]) -> Iterator[str]:
        """What is there already."""
        kept = self.shelf.epochs({seed: self.job(seed) for seed in todo})
        if self.done:
            yield f"{len(self.done):,} of {self.n:,} seeds are there already; {len(todo):,} to train"
        if self.resumes and not self.done and not kept:
            yield "nothing of this spec is trained on these data yet: there is nothing to resume, all are new"
        elif kept:
            yield from kept_notes(kept, resume=self.resumes)

    # ---------------------------------------------------------------- training

    def train(
        self,
        evaluate: Callable[..., Any],
        todo: Sequence[int],
        on_seed: Callable[[int, int, Mapping[str, float]], None] | None,
    ) -> bool:
        """Trains what is missing, each result stored as it comes; whether Ctrl-C ended it.

        What was in flight then is marked KILLED; what was finished stays.
        """
        from mlproj.searching.shield import shielded

        if not self.resumes:
            self.shelf.drop(*map(self.job, todo))
        try:
            with closing(evaluate(self._jobs(todo))) as results:
                for position, result in results:
                    with shielded():
                        self._take(todo[position], result)
                    if on_seed and isinstance(result, Fit):
                        on_seed(
                            len([s for s in todo if s in self.done]), len(todo), dict(result.metrics.get("dev", {}))
                        )
        except BaseException as error:
            with shielded(), suppress(MlprojError):
                for run in self.open.values():
                    self.tracker.finish(run.id, status="KILLED")
            if isinstance(error, KeyboardInterrupt) and self.done:
                return True
            raise
        return False

    def _jobs(self, todo: Sequence[int]) -> Iterator[Job]:
        from mlproj.searching.shield import shielded

        for seed in todo:
            job = self.job(seed)
            with shielded():
                name = f"{self.name}-seed-{seed}"
                self.open[seed] = begin_run(self.tracker, job.project, self.dataset, self.git, name, {SEEDS: self.name})
            yield job

    def _take(self, seed: int, result: Fit | Failure) -> None:
        """Stores what came out of one training."""
        run, job = self.open.pop(seed), self.job(seed)
        if isinstance(result, Failure):
            self.failed[seed] = result.reason
            self._fail(run, result)
            self.shelf.drop(job)
            return
        project = job.project
        parts = report_parts(project, self.dataset, result.predictions, self.store.root)
        store_fit(self.tracker, run.id, project, self.dataset, result, patch=self.git.patch, parts=parts)
        self.shelf.drop(job)
        document = document_of(
            run,
            (result.outcome.kind, result.outcome.text),
            result.metrics,
            hold_contract(project, result.predictions, result.resources),
            result.threshold,
            parts,
            result.seconds,
            self._next(run.name, diverged=result.outcome.kind == "diverged"),
        )
        self.done[seed] = TrainedSeed(seed, run, document, is_new=True)

    def _fail(self, run: Run, failure: Failure) -> None:
        with tempfile.TemporaryDirectory(prefix="mlproj-") as folder:
            if failure.trace:
                (Path(folder) / "traceback.txt").write_text(failure.trace, encoding="utf-8")
                self.tracker.artifacts(run.id, Path(folder))
            self.tracker.finish(run.id, status="FAILED", tags={"mlproj.message": failure.reason})

    # ---------------------------------------------------------------- the end

    def finish(self, engine: "AbstractEngine", seconds: float, *, is_interrupted: bool) -> TrainedSeeds:
        """What is there now.

        Raises:
            MlprojError: When nothing is.
        """
        if not self.done:
            reason = next(iter(self.failed.values()), "nothing was trained")
            raise MlprojError(f"No seed could be trained: {reason}")
        seeds = [self.done[seed] for seed in sorted(self.done)]
        good = [each for each in seeds if each.document["outcome"] != "diverged"]
        stands = (good or seeds)[0]
        run = self.tracker.run(stands.run.id)
        project = self.project.changed(seed=stands.seed)
        is_whole = len(seeds) == self.n
        words = ["--like", run.name, "--set", f"seed={self.project.seed}", "--seeds", str(self.n), "--name", self.name]
        return TrainedSeeds(
            self.name, run, project, tuple(seeds), self.failed, self.n, is_interrupted, seconds,
            stands.document["next"], None if is_whole else join(self.project, "train", *words, "--resume"),
            engine.name, engine.one_by_one,
        )  # fmt: skip

    def _next(self, name: str, *, diverged: bool) -> str:
        return next_command(self.project, name, diverged=diverged, has_dev="dev" in self.dataset.parts)


def _threshold_of(folder: Path) -> float | None:
    """The threshold that a stored model answers with; None where it has none."""
    file = folder / "model" / "data" / "model.json"
    found = json.loads(file.read_text(encoding="utf-8")).get("threshold") if file.is_file() else None
    return None if found is None else float(found)
