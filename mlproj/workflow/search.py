"""`mlproj search`: many trainings, from coarse to fine, and what they found out."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from mlproj.advise.commands import join
from mlproj.errors import InputError, InvalidInput, Problem, TrackingError
from mlproj.records import Run
from mlproj.spec.duration import seconds_of
from mlproj.spec.load import load_project
from mlproj.spec.project import Project
from mlproj.spec.render import flatten, to_yaml
from mlproj.spec.search import Search
from mlproj.spec.space import space_problems
from mlproj.spec.yaml import read_yaml
from mlproj.workflow.desk import Begun, Desk, Lab, short_name
from mlproj.workflow.kept import search_folder
from mlproj.workflow.runs import find_trained, load, open_tracker, spec_of, stored_spec
from mlproj.workflow.starting import check_name

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.fleet.alone import OneByOne
    from mlproj.searching import Found, Progress, SearchStudy
    from mlproj.track import AbstractTracker

OVER = ("trials", "failed")
"""How a search ends that cannot be gone on with."""
MOST_TRIALS = 1_000_000_000


@dataclass(frozen=True)
class Searched:
    """A search that lies in the store.

    Attributes:
        run: Its run, which stands for its best trial.
        project: The project as it was searched.
        found: What it found.
        insight: What there is to say about it, as JSON knows it.
        engine: Where it trained.
        workers: Trainings at the same time.
        one_by_one: Which trainings ran alone where others ran side by side, and why.
        next: The command to run next.
        resume: The command that makes what is still to be made.
    """

    run: Run
    project: Project
    found: "Found"
    insight: dict[str, Any]
    engine: str
    workers: int
    one_by_one: "OneByOne"
    next: str
    resume: str

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj search`."""
        return {
            "run_id": self.run.id,
            "name": self.run.name,
            "study": self.found.study,
            **self.insight,
            "stopped": self.found.stopped,
            "made": self.found.made,
            "engine": self.engine,
            "workers": self.workers,
            "one_by_one": self.one_by_one.document(),
            "seconds": round(self.found.seconds, 3),
            "slept": round(self.found.slept, 3),
            "next": self.next,
            "resume": None if self.found.stopped == "trials" else self.resume,
        }


def search(
    project: Project | str | Path = ".",
    *,
    set: Sequence[str] = (),
    like: str | None = None,
    name: str | None = None,
    trials: int | None = None,
    time_budget: str | float | None = None,
    sampler: str | None = None,
    workers: int | None = None,
    engine: str = "auto",
    resume: bool = False,
    new: bool = False,
    on_start: Callable[[Begun], None] | None = None,
    on_trial: Callable[["Progress"], None] | None = None,
) -> Searched:
    """Search for better hyperparameters, from coarse to fine; what is cut off can be gone on with.

    Args:
        project: A project, a project.yaml or a folder holding one.
        set: Changes such as ``search.trials=32``.
        like: Run whose resolved spec is the starting point instead of project.yaml.
        name: Name of the search's run.
        trials: Trials over all rounds; `search.trials` when left out.
        time_budget: Computing time, such as ``10m`` or a number of seconds; a sleeping machine does not count.
        sampler: random, tpe, grid or qmc; `search.sampler` when left out.
        workers: Trainings at the same time; one per core when left out.
        engine: process for one training per worker process, even if there is only one; fleet for many side by side in
            each; auto for what this machine does best.
        resume: Go on with the search that was cut off.
        new: Start another search although one is unfinished.
        on_start: Called once, before the first trial.
        on_trial: Called after each training.

    Raises:
        InputError: When spec, data or options are wrong, or a search is unfinished and neither `resume` nor `new` says
            what to do; nothing was started.
        MlprojError: When every trial fails.
    """
    options = _Options(tuple(set), like, name, trials, time_budget, sampler, workers, engine, resume, new)
    budget = options.check()
    with ExitStack() as stack:
        desk = _open(stack, options, project)
        from mlproj.searching import HopelessSearch, Searching, Stopwatch

        desk.begin(name)
        if on_start:
            on_start(desk.begun())

        def heard(progress: "Progress") -> None:
            desk.note(progress)
            if on_trial:
                on_trial(progress)

        searching = Searching(desk.study, desk.project, Lab(desk), stopwatch=Stopwatch(budget), on_trial=heard)
        try:
            found = searching.run()
            run, insight = desk.finish(found)
        except HopelessSearch:
            desk.study.end("failed")
            raise
        except (TrackingError, OSError) as error:
            raise TrackingError(
                f"{error}\nWhat was finished is kept; go on with: {join(desk.home, 'search', '--resume')}"
            ) from error
        rest = join(desk.home, "search", "--resume")
        following = join(desk.home, "diagnose", "bias-variance", run.name) if found.best else rest
        pool = desk.engine
        return Searched(run, desk.project, found, insight, pool.name, pool.workers, pool.one_by_one, following, rest)


@dataclass(frozen=True)
class _Options:
    """What a search was asked for."""

    set: tuple[str, ...]
    like: str | None
    name: str | None
    trials: int | None
    time_budget: str | float | None
    sampler: str | None
    workers: int | None
    engine: str
    resume: bool
    new: bool

    def check(self) -> float | None:
        """The time budget in seconds.

        Raises:
            InvalidInput: When an option cannot mean what was written, or options contradict each other.
        """
        from mlproj.engine import engine_problems

        check_name(self.name)
        problems = []
        if self.resume and self.new:
            problems.append(Problem("--resume", "goes on with a search, --new starts another", "Leave one out."))
        if self.resume:
            set_ = [change for change in self.set if not _is_storage(change)]
            kept = {"--set": set_, "--like": self.like, "--name": self.name, "--trials": self.trials}
            kept |= {"--sampler": self.sampler}
            problems += [
                Problem(option, "a resumed search keeps its own spec", "Leave it out, or start another with --new.")
                for option, value in kept.items()
                if value
            ]
        problems += [*self._amounts(), *engine_problems(self.engine, self.workers)]
        if problems:
            raise InvalidInput(problems)
        return None if self.time_budget is None else seconds_of(self.time_budget, "--time-budget")

    def _amounts(self) -> Iterator[Problem]:
        """Options that stand for a key of `search`, held against what the key allows, by their own name."""
        if self.trials is not None and not (type(self.trials) is int and 1 <= self.trials <= MOST_TRIALS):
            hint = f"Write a whole number from 1 to {MOST_TRIALS:,}."
            yield Problem("--trials", f"{self.trials} is no number of trials", hint)
        samplers = get_args(Search.model_fields["sampler"].annotation)
        if self.sampler is not None and self.sampler not in samplers:
            message = f"{self.sampler!r} is not known; {', '.join(samplers[:-1])} and {samplers[-1]} are"
            yield Problem("--sampler", message, "Leave it out for `search.sampler`.")

    @property
    def changes(self) -> tuple[str, ...]:
        """All changes to the spec, options with a key of their own among them."""
        keys = {"trials": self.trials, "sampler": self.sampler}
        return (*self.set, *(f"search.{key}={value}" for key, value in keys.items() if value is not None))


def _open(stack: ExitStack, options: _Options, project: Project | str | Path) -> Desk:
    """Everything that a search needs; what takes longest is started first."""
    from mlproj.engine import make_engine, warm_up
    from mlproj.track import store_for

    changes = [change for change in options.changes if not options.like or _is_storage(change)]
    home = load(project, set=changes)
    store = store_for(home)
    warm_up(options.engine, options.workers)
    from mlproj.searching import begin_study, driver_lock, latest_study, open_storage, prepare_to_draw

    lock = stack.enter_context(driver_lock(store.root))
    tracker = stack.enter_context(open_tracker(home, keep=(lock.fd,))[1])
    repairs: list[str] = []
    url, journal = home.search.storage if home.search else None, store.root / "optuna.journal"
    open_studies = partial(open_storage, journal, url, say=repairs.append)
    latest = latest_study(open_studies(), home.name) if url or journal.exists() else None
    if latest and url and latest.plan.get("run_id") not in {run.id for run in tracker.runs(kinds=("search",))}:
        latest = None  # of another project of this name that shares the database
    shelf = search_folder(store, home, "trainings")
    _check_unfinished(home, latest, options, shelf)
    earlier = latest if options.resume else None
    written = _stored(home, earlier) if earlier else _fresh(home, tracker, options)
    notes = _differing(home, written) if earlier else []
    from mlproj.data import load_dataset
    from mlproj.track import capture_git
    from mlproj.training import resolve

    dataset = load_dataset(written, store=store.splits, before_saving=partial(_check_dev, written, is_new=not earlier))
    if earlier:
        _check_data(home, earlier, dataset)
        _check_runs(home, earlier, tracker)
    resolved = resolve(written, dataset)
    spec = written.changed(task=resolved.task, metric=resolved.metric)
    if earlier:
        earlier.end(None)
    else:
        shutil.rmtree(shelf, ignore_errors=True)  # of a search that was given up
    engine = stack.enter_context(make_engine(options.engine, dataset, options.workers, crew=_crew(spec), shelf=shelf))
    study = earlier or begin_study(
        open_studies(),
        home.name,
        _plan(written, dataset),
        optimize=str(spec.metric.optimize),
        satisfy=spec.metric.satisfy,
        seed=spec.seed,
    )
    prepare_to_draw()
    git = capture_git(home.root)
    return Desk(home, spec, dataset, store, tracker, study, engine, git, tuple(repairs + notes))


def _crew(project: Project) -> int:
    """How many trials a fleet begins at a time: few where the sampler learns from their results."""
    assert project.search is not None
    from mlproj.engine import CREW

    return 8 if project.search.sampler == "tpe" else CREW


def _is_storage(change: str) -> bool:
    """Whether a setting says where the studies lie, which is no part of what is searched."""
    return change.partition("=")[0].strip() == "search.storage"


def _check_unfinished(project: Project, latest: "SearchStudy | None", options: _Options, shelf: Path) -> None:
    """Whether it is clear if a search begins or goes on."""
    is_over = latest is None or latest.ended in OVER
    if options.resume and is_over:
        which = "there is none" if latest is None else f"{short_name(latest)} is over"
        raise InputError(
            f"No search to go on with: {which}. Start one: {join(project, 'search')}\n"
            "(If its studies lie in a database, name it in `search.storage` or with --set search.storage=URL.)"
        )
    if latest is None or is_over or options.resume or options.new:
        return
    words = {"budget": "its time budget was used up", "interrupted": "it was interrupted"}
    state = words.get(latest.ended or "", "it was cut off")
    raise InputError(
        f"{short_name(latest)} is unfinished: {state} {_how_far(latest, shelf)}.\n"
        f"Go on with it:  {join(project, 'search', '--resume')}\n"
        f"Start another:  {join(project, 'search', '--new')}"
    )


def _how_far(latest: "SearchStudy", shelf: Path) -> str:
    """After how much of it a search was cut off, and what is kept of the trainings under way."""
    from mlproj.fleet import Shelf
    from mlproj.searching import DONE, N_FINALISTS, trials_of

    n = latest.plan["trials"]
    done = len({trial.number for trial in trials_of(latest) if trial.state in DONE})
    has_seeds = latest.plan["trainings"] > n + N_FINALISTS
    kept = len(Shelf(shelf, latest.plan["data_hash"]).all_epochs())
    more = f"; {kept:,} {'is' if kept == 1 else 'are'} under way and {'goes' if kept == 1 else 'go'} on with --resume"
    where = "while the best trials were trained with further seeds" if has_seeds and done >= n else None
    return (where or f"after {done:,} of {n:,} trials") + (more if kept else "")


def _fresh(home: Project, tracker: "AbstractTracker", options: _Options) -> Project:
    """The spec of a new search, with its space written out."""
    from mlproj.searching import sizes_of

    spec = home
    if options.like:
        run = find_trained(tracker, options.like)  # of a search its own spec, not its best trial's
        own = {"search": home.search.model_dump(mode="json")} if home.search else {}
        spec = spec_of(run, stored_spec(tracker, run), home, set=options.changes, more=own)
    spec = _with_space(spec)
    assert spec.search is not None
    assert spec.search.space is not None
    if problems := space_problems(spec, spec.search.space):
        raise InvalidInput(problems)
    sizes_of(spec.search, spec.search.space)  # says when a grid does not fit, before anything is started
    return spec


def _with_space(project: Project) -> Project:
    """The project with its space written out."""
    from mlproj.searching import default_space

    search_spec = project.search or Search()
    space = search_spec.space or default_space(project)
    return project.changed(search=search_spec.model_copy(update={"space": dict(space)}))


def _differing(home: Project, stored: Project) -> list[str]:
    """Says in which keys project.yaml is no longer what a search began with."""
    now, then = flatten(_with_space(home)), flatten(stored)
    keys = [key for key in {**now, **then} if now.get(key) != then.get(key)]
    shown = ", ".join(keys[:6]) + (f" and {len(keys) - 6} more keys" if len(keys) > 6 else "")
    return [f"{home.file} differs in {shown}; the search goes on with the spec it began with"] if keys else []


def _stored(home: Project, study: "SearchStudy") -> Project:
    """The spec that a search began with."""
    spec = load_project(home.root, base=read_yaml(study.plan["project"]).data, base_name=short_name(study))
    return home.changed(**{name: getattr(spec, name) for name in Project.model_fields})


def _plan(spec: Project, dataset: "Dataset") -> dict[str, Any]:
    """What a search has to know when it is gone on with."""
    from mlproj.searching import N_FINALISTS, sizes_of

    assert spec.search is not None
    assert spec.search.space is not None
    trials = sum(sizes_of(spec.search, spec.search.space))
    return {
        "project": to_yaml(spec),
        "data_hash": dataset.data_hash,
        "dev_hash": dataset.dev_hash,
        "trials": trials,
        "trainings": trials + N_FINALISTS * spec.search.seeds,
    }


def _check_dev(project: Project, dataset: "Dataset", *, is_new: bool) -> None:
    """Whether a search can be made with these data: what it compares is dev."""
    from mlproj.training import choice_problems, resolve

    resolve(project, dataset)
    if problems := choice_problems(project, dataset) if is_new else []:
        raise InvalidInput(problems)
    if "dev" not in dataset.parts:
        hint = "Give dev a share, such as 0.2."
        raise InvalidInput([project.problem("splits.dev", "there is no dev set to compare trials on", hint)])


def _check_runs(project: Project, study: "SearchStudy", tracker: "AbstractTracker") -> None:
    """Whether the runs of the finished trials are still there."""
    from mlproj.searching import trials_of

    trained = ("complete", "pruned")
    there = {run.id for run in tracker.runs(kinds=("trial",))}
    gone = [trial.number for trial in trials_of(study) if trial.state in trained and trial.run_id not in there]
    if gone:
        raise InputError(
            f"{len(gone)} finished trials of {short_name(study)} have no run in the store any more: it was deleted, or "
            f"MLFLOW_TRACKING_URI names another.\n"
            f"Bring it back, or start another: {join(project, 'search', '--new')}"
        )


def _check_data(project: Project, study: "SearchStudy", dataset: "Dataset") -> None:
    """Whether the data are those that a search began with."""
    if dataset.data_hash != study.plan["data_hash"]:
        raise InputError(
            f"The data or their splits changed since {short_name(study)} began: its trials would not compare.\n"
            f"Bring the data back, or start another: {join(project, 'search', '--new')}"
        )
