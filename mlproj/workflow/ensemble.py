"""`mlproj train --ensemble K`: K models whose answers are averaged, as one model in one run.

The models are the best K trials of a search, or K seeds of a spec. They are trained again, all at once: a training is
determined by spec and seed, so that a search need not keep the weights of trials that were not the best.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from math import isclose
from typing import TYPE_CHECKING, Any

from mlproj.advise.commands import join
from mlproj.errors import InvalidInput, MlprojError, Problem
from mlproj.records import ENSEMBLE, Failure, Fit, History, Outcome, Predictions, Run
from mlproj.spec.project import Project
from mlproj.workflow.kept import kept_notes, left_words, shelf_of
from mlproj.workflow.members import Choice, Member, choose
from mlproj.workflow.parts import report_parts
from mlproj.workflow.record import store_fit
from mlproj.workflow.runs import split_sizes, store_note
from mlproj.workflow.starting import Start, begin_run
from mlproj.workflow.train import Trained, finished, hold_contract, next_command
from mlproj.workflow.trained_seeds import SeedsBegun

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.fleet import Shelf
    from mlproj.track import AbstractTracker, GitState, Store

MOST = 100
DOCUMENT = "ensemble.json"
"""Artifact of a run: which models its ensemble is made of."""


def train_ensemble(
    start: Start,
    k: int,
    *,
    resume: bool = False,
    on_start: Callable[[SeedsBegun], None] | None = None,
    on_member: Callable[[int, int, Mapping[str, float]], None] | None = None,
) -> Trained:
    """Trains K models and keeps them as one, whose answer is the mean of theirs.

    Args:
        start: The spec; like a search, its best K trials are meant, otherwise K seeds from the spec's own upwards.
        k: How many models.
        resume: Whether trainings that were cut off go on from where they were last kept.
        on_start: Called once, before the first training.
        on_member: Called after each training with (done, to be done, its metrics on dev).

    Raises:
        InvalidInput: When spec, data or options are wrong; nothing was started.
        MlprojError: When fewer than two models could be trained.
        KeyboardInterrupt: On Ctrl-C; it says what is kept and how to go on.
    """
    if not 2 <= k <= MOST:
        raise InvalidInput([Problem("--ensemble", f"{k} is no number of models", f"Write 2 to {MOST}, such as 5.")])
    from mlproj.engine import cpu_count, make_engine, warm_up

    with ExitStack() as stack:
        written, store, tracker = start.open(stack)
        workers = min(k, cpu_count())
        warm_up("auto", workers)
        made = _prepare(written, store, tracker, start, k)
        engine = stack.enter_context(make_engine("auto", made.dataset, workers, shelf=made.shelf.folder))
        run = begin_run(tracker, made.project, made.dataset, made.git, made.name, {ENSEMBLE: str(k)})
        with _ended_where_it_fails(tracker, run):
            if on_start:
                on_start(made.begun(run, resume=resume))
            if not resume:
                made.shelf.drop(*made.choice.jobs)
            began = time.monotonic()
            try:
                fits, lost = _train(engine.evaluate, made.choice, on_member)
            except KeyboardInterrupt:
                command = start.command(written, "--ensemble", str(k), "--resume")
                raise KeyboardInterrupt(left_words(made.shelf, dict(enumerate(made.choice.jobs)), command)) from None
            fit = combine(made.project, made.dataset, fits, made.choice.words, time.monotonic() - began)
        return made.keep(run, fit, fits, lost)


def _prepare(project: Project, store: "Store", tracker: "AbstractTracker", start: Start, k: int) -> "_Making":
    """The models, the data, and the resolved spec."""
    from mlproj.data import load_dataset
    from mlproj.track import capture_git
    from mlproj.training import resolve

    choice = choose(tracker, start, project, k)
    dataset = load_dataset(project, store=store.splits, before_saving=partial(resolve, project))
    name = start.name or f"ensemble-{secrets.token_hex(2)}"
    shelf = shelf_of(store, dataset)
    git = capture_git(project.root)
    return _Making(tracker, store, resolve(project, dataset), dataset, git, choice, name, shelf)


@contextmanager
def _ended_where_it_fails(tracker: "AbstractTracker", run: Run) -> Iterator[None]:
    """Ends a run where an exception ends its training."""
    try:
        yield
    except BaseException as error:
        with suppress(MlprojError):
            failed = isinstance(error, MlprojError)
            tags = {"mlproj.message": str(error)} if failed else {}
            tracker.finish(run.id, status="FAILED" if failed else "KILLED", tags=tags)
        raise


@dataclass(frozen=True)
class _Making:
    """An ensemble on its way."""

    tracker: "AbstractTracker"
    store: "Store"
    project: Project
    dataset: "Dataset"
    git: "GitState"
    choice: Choice
    name: str
    shelf: "Shelf"

    def begun(self, run: Run, *, resume: bool) -> SeedsBegun:
        """What to say before the first training."""
        sizes = split_sizes(self.dataset.deal.sizes)
        head = " · ".join([f"{self.name} ({run.id[:8]})", *sizes]) + store_note(self.store)
        notes = kept_notes(self.shelf.epochs(dict(enumerate(self.choice.jobs))), resume=resume)
        return SeedsBegun(head, self.choice.words, notes, self.dataset.warnings, len(self.choice.members))

    def keep(self, run: Run, fit: Fit, fits: Mapping[int, Fit], lost: Mapping[int, str]) -> Trained:
        """Stores the ensemble as one model, whose parts need no snapshots any more."""
        from mlproj.training import resolve

        project, dataset = self.project, self.dataset
        document = _document(self.choice, fits, lost, dataset, project, self.name)
        members = [resolve(self.choice.members[at].project, dataset) for at in fits]
        parts = report_parts(project, dataset, fit.predictions, self.store.root)
        store_fit(
            self.tracker, run.id, project, dataset, fit, patch=self.git.patch, parts=parts, members=members,
            more={DOCUMENT: document},
        )  # fmt: skip
        self.shelf.drop(*self.choice.jobs)
        folder = self.tracker.fetch(run.id, "")
        following = next_command(project, self.name, diverged=False, has_dev="dev" in fit.metrics)
        contract = hold_contract(project, fit.predictions, fit.resources)
        return Trained(finished(run, fit, folder), fit, contract, project, following, parts, document)


def _train(
    evaluate: Callable[..., Any],
    choice: Choice,
    on_member: Callable[[int, int, Mapping[str, float]], None] | None,
) -> tuple[dict[int, Fit], dict[int, str]]:
    """What came out of the trainings, by position: models, and reasons why there is none."""
    fits: dict[int, Fit] = {}
    lost: dict[int, str] = {}
    n = len(choice.members)
    with closing(evaluate(iter(choice.jobs))) as results:
        for position, result in results:
            if isinstance(result, Failure):
                lost[position] = result.reason
                continue
            if result.outcome.kind == "diverged":
                lost[position] = result.outcome.text
                continue
            fits[position] = result
            if on_member:
                on_member(len(fits) + len(lost), n, dict(result.metrics.get("dev", {})))
    if len(fits) < 2:
        reason = next(iter(lost.values()), "nothing was trained")
        raise MlprojError(f"No ensemble: {len(fits)} of {n} models could be trained. {reason}")
    return dict(sorted(fits.items())), lost


def combine(project: Project, dataset: "Dataset", fits: Mapping[int, Fit], words: str, seconds: float) -> Fit:
    """Several models as one, whose answer is the mean of theirs; a threshold is chosen anew for the mean.

    Args:
        project: The resolved spec whose metrics are measured.
        dataset: What was trained on.
        fits: The models, by position.
        words: What they are.
        seconds: What the trainings took.
    """
    from mlproj.metrics import average, measure
    from mlproj.track.model import of_member
    from mlproj.training.looks import metric_names
    from mlproj.workflow.lookup import answered_at, threshold_for

    each = list(fits.values())
    first = each[0].predictions
    mean = Predictions(
        first.ids, first.split, average([fit.predictions.labels for fit in each]), first.weight, first.group
    )
    threshold = threshold_for(mean, project)[0] if dataset.target.kind == "binary" else None
    predictions = mean if threshold is None else answered_at(mean, threshold)
    names = metric_names(project)
    parts = {split: predictions.part(split) for split in predictions.splits}
    is_kept = all(fit.weights for fit in each)
    return Fit(
        weights={name: a for k, fit in enumerate(each) for name, a in of_member(k, fit.weights).items()}
        if is_kept
        else {},
        history=History({}),
        outcome=Outcome("completed", f"The answers of {len(each)} models are averaged: {words}."),
        predictions=predictions,
        best_epoch=0,
        threshold=threshold,
        metrics={split: measure(names, part.labels, part.weight) for split, part in parts.items()},
        resources={key: sum(fit.resources[key] for fit in each) for key in each[0].resources},
        seconds=seconds,
    )


def _document(
    choice: Choice, fits: Mapping[int, Fit], lost: Mapping[int, str], dataset: "Dataset", project: Project, name: str
) -> dict[str, Any]:
    """What there is to say of an ensemble, as JSON knows it."""
    metric = str(project.metric.optimize)
    split = "dev" if "dev" in dataset.parts else "train"
    rows, notes = [], []
    for at, fit in fits.items():
        member, value = choice.members[at], fit.metrics[split].get(metric)
        run_id = member.trial.id if member.trial else None
        rows.append({"name": member.name, "run_id": run_id, "seed": member.seed, "value": value})
        then = member.trial.metrics.get(f"dev/{metric}") if member.trial else None
        if then is not None and value is not None and not isclose(then, value, rel_tol=1e-4, abs_tol=1e-6):
            why = _why_different(member, choice, dataset)
            notes.append(f"{member.name} came to {metric} {value:.4g} now, {then:.4g} in the search: {why}")
        notes += [f"{member.name} misses {miss}" for miss in _missed(fit, split, project)]
    notes += [f"{choice.members[at].name} is left out: {reason}" for at, reason in lost.items()]
    if choice.candidates > len(choice.members):
        fair = join(project, "evaluate", name, "--split", "test", "--reason", "is the ensemble as good as on dev?")
        notes.append(
            f"The {len(choice.members)} were chosen among {choice.candidates} by their figures on dev, which therefore "
            f"flatter the ensemble; test is a fair judge: {fair}"
        )
    return {
        "metric": metric, "split": split, "of": choice.words, "candidates": choice.candidates, "members": rows,
        "notes": notes,
    }  # fmt: skip


def _why_different(member: Member, choice: Choice, dataset: "Dataset") -> str:
    """Why a trial that was trained again may have come out differently."""
    if choice.changes:
        return f"--set {choice.changes[0]}{' and more' if len(choice.changes) > 1 else ''}"
    then = member.trial.tags.get("mlproj.data_hash") if member.trial else None
    if then is not None and then != dataset.data_hash:
        return "the data changed meanwhile"
    return "same data, same settings; code, libraries, the machine or the order of its sums may differ"


def _missed(fit: Fit, split: str, project: Project) -> list[str]:
    """The limits that a model alone misses, with its value."""
    from mlproj.metrics.limits import is_met

    values = {**fit.metrics[split], **fit.resources}
    limits = {str(name): limit for name, limit in project.metric.satisfy.items() if str(name) in values}
    return [f"{name} {limit}: {values[name]:.4g}" for name, limit in limits.items() if not is_met(values[name], limit)]
