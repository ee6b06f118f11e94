"""`fit`: from a project and its data to a trained model with everything later questions are asked of."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mlproj.data import Dataset
from mlproj.records import Fit, History, Outcome, OutcomeKind
from mlproj.spec.model import MLP, Model, Python
from mlproj.spec.project import Project
from mlproj.training import outcome
from mlproj.training.batches import Examples
from mlproj.training.device import choose_device, few_threads
from mlproj.training.examine import Examiner, Seen, in_turns, look_back
from mlproj.training.looks import epoch_sample, sample_rows, take_rows
from mlproj.training.loop import Course, Ended, Loop, Member, OnEpoch, OnEpochs
from mlproj.training.objective import Objective
from mlproj.training.once import fit_once
from mlproj.training.resolving import resolve
from mlproj.training.resources import measure_resources
from mlproj.training.snapshot import Keeper, put_back
from mlproj.training.step import make_learner
from mlproj.training.targets import loss_weights, make_examples, make_objective, to_tensor
from mlproj.zoo import OwnEstimator, StackedModel, build, build_model, build_padded, cut_out, seeded, unstack
from mlproj.zoo.stacked import Weights


def fit(
    project: Project,
    dataset: Dataset,
    *,
    seed: int | None = None,
    rows: NDArray[Any] | None = None,
    on_epoch: OnEpoch | None = None,
    keeper: Keeper | None = None,
) -> Fit:
    """Trains the project's model and keeps the weights that did best on dev.

    A training that diverges, or that Ctrl-C ends, returns as well, with an outcome that says so.

    Args:
        project: The project; what is `auto` is made explicit first.
        dataset: Its data, without the test set.
        seed: Seed of weights, batches and dropout; the project's when left out.
        rows: Positions in the training set of the examples to train on, which are `train` in all that comes out; None
            for all of them.
        on_epoch: Called after each epoch with (epoch, epochs, values by ``SPLIT/METRIC``); may end the training, with
            `pruned` or `interrupted`.
        keeper: Keeps snapshots, and may have one to go on from.

    Returns:
        Weights, history, outcome, predictions on train, train-dev and dev, metrics and resources.

    Raises:
        InvalidInput: When spec and data do not go together.
    """
    begin = time.perf_counter()
    own = dataset if rows is None else on_rows(dataset, rows)
    project = resolve(project, own)
    seed = project.seed if seed is None else seed
    if isinstance(project.model, Python):
        return _fit_own(project, own, seed, on_epoch, keeper, begin)
    ((_, fitted),) = fit_stack([Member(project, seed)], own, on_epoch=_alone(on_epoch), keeper=keeper)
    return fitted


def fit_stack(
    members: Sequence[Member], dataset: Dataset, *, on_epoch: OnEpochs | None = None, keeper: Keeper | None = None
) -> Iterator[tuple[int, Fit]]:
    """Trains models of one shape side by side; each comes out as it would alone.

    Args:
        members: The models: resolved projects that differ in nothing but seed, rows (as many for each), dropout, label
            smoothing, initialisation and the values of `training:` that an optimiser takes one per member.
        dataset: Their data.
        on_epoch: Called after each epoch with (epoch, epochs, values of each member that still trains); may end some.
        keeper: Keeps snapshots, and may have some to go on from.

    Yields:
        Members by position as they end.
    """
    for fits in fit_stack_together(members, dataset, on_epoch=on_epoch, keeper=keeper):
        yield from fits


def fit_stack_together(
    members: Sequence[Member], dataset: Dataset, *, on_epoch: OnEpochs | None = None, keeper: Keeper | None = None
) -> Iterator[Sequence[tuple[int, Fit]]]:
    """As `fit_stack`; yields those that end together as one."""
    begin = time.perf_counter()
    project = members[0].project
    device = choose_device(project.training.device)
    model = _build_stack(members, dataset).to(device)
    objective = _objective_of(members, dataset, device)
    learner = make_learner(model, objective, [member.project.training for member in members])
    examples = _examples_of(members, dataset, device)
    size = project.training.batch_size
    n_rows = size if isinstance(size, int) else examples.x.shape[-2]
    with few_threads(n_rows * learner.weights.theta.numel()):
        examiner = Examiner(project, dataset, objective, device, _seen_rows(members, dataset))
        finish = _Finish(members, dataset, examiner, begin)
        loop = Loop(members, learner, examples, examiner)
        _go_on(loop, keeper)
        for ended in loop.run(on_epoch, keeper.offer if keeper else None):
            yield from finish(ended)


def _go_on(loop: Loop, keeper: Keeper | None) -> None:
    snapshots = keeper.found() if keeper else None
    if snapshots:
        put_back(loop, snapshots)


def on_rows(dataset: Dataset, rows: NDArray[Any]) -> Dataset:
    """The data set with some of its training examples, by position."""
    return replace(dataset, parts={**dataset.parts, "train": take_rows(dataset.parts["train"], rows)})


def _build_stack(members: Sequence[Member], dataset: Dataset) -> StackedModel:
    shape = {"n_features": dataset.parts["train"].x.shape[1], "n_outputs": dataset.target.n_outputs}
    seeds, specs = [member.seed for member in members], [member.project.model for member in members]
    perceptrons = [spec for spec in specs if isinstance(spec, MLP)]
    if len(set(specs)) > 1 and len(perceptrons) == len(specs):
        return build_padded(perceptrons, **shape, seeds=seeds)
    return build(specs[0], **shape, seeds=seeds)


def _objective_of(members: Sequence[Member], dataset: Dataset, device: torch.device) -> Objective:
    objective = make_objective(members[0].project, dataset)
    shares = [member.project.training.label_smoothing for member in members]
    if len(set(shares)) == 1:
        return objective
    return replace(objective, label_smoothing=torch.tensor(shares, device=device))


def _examples_of(members: Sequence[Member], dataset: Dataset, device: torch.device) -> Examples:
    """The training set, or that of each member, with the weights of the loss."""
    project, train, target = members[0].project, dataset.parts["train"], dataset.target
    weight, rows = loss_weights(project, train, target), _own_rows(members)
    if rows is None:
        return make_examples(train, target, device, weight)
    examples = make_examples(train, target, device).take(torch.from_numpy(np.stack(rows)).to(device))
    if weight is None:
        return examples
    # Balanced, and on average 1, over the examples that a member trains on, as they would be were it alone.
    own = [loss_weights(project, take_rows(train, each), target) for each in rows]
    return replace(examples, weight=to_tensor(np.stack([each for each in own if each is not None]), device).float())


def _own_rows(members: Sequence[Member]) -> list[NDArray[np.int64]] | None:
    rows = [member.rows for member in members if member.rows is not None]
    return rows or None


def _seen_rows(members: Sequence[Member], dataset: Dataset) -> list[NDArray[np.int64]] | None:
    """The training examples that each member is looked at on; None where they are the same for all."""
    rows = _own_rows(members)
    limit = epoch_sample(dataset.parts)
    return None if rows is None else [own[sample_rows(len(own), limit)] for own in rows]


class _Finish:
    """Makes a `Fit` of each member that has ended: predictions, metrics and resources of the weights that were kept."""

    def __init__(self, members: Sequence[Member], dataset: Dataset, examiner: Examiner, begin: float) -> None:
        self._members, self._dataset, self._examiner = members, dataset, examiner
        self._setup = (time.perf_counter() - begin) / len(members)
        self._shapes: dict[Model, tuple[StackedModel, Mapping[str, float]]] = {}
        self._n_values = sum(len(part) for part in dataset.parts.values()) * dataset.target.n_outputs

    def __call__(self, ended: Ended) -> Iterator[Sequence[tuple[int, Fit]]]:
        ended.model.load_state_dict(ended.state)
        n = len(ended.members)
        has_rows = any(self._members[m].rows is not None for m in ended.members)
        turns = [range(at, at + 1) for at in range(n)] if has_rows else in_turns(n, self._n_values)
        for chosen in turns:
            model = ended.model if len(chosen) == n else ended.model.part(chosen)
            members, courses = [ended.members[at] for at in chosen], [ended.courses[at] for at in chosen]
            yield list(self._finish(model, members, courses))

    def _finish(
        self, model: StackedModel, members: Sequence[int], courses: Sequence[Course]
    ) -> Iterator[tuple[int, Fit]]:
        first = self._members[members[0]]
        own = self._dataset if first.rows is None else on_rows(self._dataset, first.rows)
        thresholds = [course.best.examination.threshold for course in courses]
        seen = look_back(model, self._examiner, thresholds, dataset=own)
        for m, course, weights, answers in zip(members, courses, unstack(model), seen, strict=True):
            alone, resources = self._shape(self._members[m])
            own_weights = cut_out(weights, alone)
            yield (
                m,
                make_fit(
                    own_weights, course, self._members[m].project, self._examiner, answers, resources, self._setup
                ),
            )

    def _shape(self, member: Member) -> tuple[StackedModel, Mapping[str, float]]:
        """A model of the member's own shape, and what it costs to use."""
        spec = member.project.model
        shape = spec.model_copy(update={"dropout": 0.0}) if isinstance(spec, MLP) else spec
        if shape not in self._shapes:
            device = self._examiner.device
            alone = _build_stack([member], self._dataset).to(device)
            x = to_tensor(self._dataset.parts["train"].x[:64], device)
            self._shapes[shape] = alone, measure_resources(alone, x)
        return self._shapes[shape]


def _fit_own(
    project: Project, dataset: Dataset, seed: int, on_epoch: OnEpoch | None, keeper: Keeper | None, begin: float
) -> Fit:
    """Trains a model of the user's own, which is alone."""
    train, target = dataset.parts["train"], dataset.target
    model = build_model(
        project, n_features=train.x.shape[1], n_outputs=target.n_outputs, seed=seed, columns=dataset.encoder.sizes
    )
    if isinstance(model, OwnEstimator):
        return fit_once(project, dataset, model, seed=seed, on_epoch=on_epoch, begin=begin)
    device = choose_device(project.training.device)
    model = model.to(device)
    objective = make_objective(project, dataset)
    learner = make_learner(model, objective, [project.training])
    examples = make_examples(train, target, device, loss_weights(project, train, target))
    size = project.training.batch_size
    n_rows = size if isinstance(size, int) else len(examples)
    with few_threads(n_rows * learner.weights.theta.shape[1]), seeded(seed, "dropout", device=device):
        examiner = Examiner(project, dataset, objective, device)
        loop = Loop([Member(project, seed)], learner, examples, examiner)
        setup = time.perf_counter() - begin
        _go_on(loop, keeper)
        (ended,) = loop.run(_alone(on_epoch), keeper.offer if keeper else None)
        model.load_state_dict(ended.state)
        (course,) = ended.courses
        resources = measure_resources(model, to_tensor(train.x[:64], device))
        (seen,) = look_back(model, examiner, [course.best.examination.threshold], dataset=dataset)
        return make_fit(unstack(model)[0], course, project, examiner, seen, resources, setup)


def _alone(on_epoch: OnEpoch | None) -> OnEpochs | None:
    """What a stack of one calls after each epoch."""
    if on_epoch is None:
        return None

    def heard(epoch: int, epochs: int, values: Mapping[int, Mapping[str, float]]) -> Mapping[int, OutcomeKind]:
        kind = on_epoch(epoch, epochs, values[0])
        return {} if kind is None else {0: kind}

    return heard


def make_fit(
    weights: Weights,
    course: Course,
    project: Project,
    examiner: Examiner,
    seen: Seen,
    resources: Mapping[str, float],
    setup: float,
) -> Fit:
    """All that came out of the training of one member.

    Args:
        weights: The weights that were kept.
        course: How its training went.
        project: Its resolved project.
        examiner: What examined it.
        seen: Its answers with these weights.
        resources: What it costs to use.
        setup: Seconds that passed before its first update.
    """
    return Fit(
        weights=weights,
        history=History({name: tuple(values) for name, values in course.history.items()}),
        outcome=_outcome(course, project, examiner.judged_by),
        best_epoch=course.best.epoch,
        threshold=course.best.examination.threshold,
        resources=resources,
        **seen,
        seconds=setup + course.seconds,
    )


def _outcome(course: Course, project: Project, judged_by: str | None) -> Outcome:
    """Why the training ended, in words."""
    stopping = project.training.early_stopping
    optimize = project.metric.optimize or ""
    assert isinstance(project.training.epochs, int)
    ending = outcome.Ending(
        project=project,
        epochs=course.epochs,
        n_epochs=project.training.epochs,
        updates=course.updates,
        best_epoch=course.best.epoch,
        judged_by=judged_by,
        value=course.best.examination.values.get(f"{judged_by}/{optimize}"),
        is_improving=outcome.is_improving(course.history.get(f"{judged_by}/{optimize}", ()), optimize),
    )
    if course.end == "diverged":
        return outcome.diverged(ending, course.seen)
    if course.end == "interrupted":
        return outcome.interrupted(ending, course.seen)
    if course.end == "pruned":
        return outcome.pruned(ending)
    if course.end == "early_stopped" and stopping:
        return outcome.early_stopped(ending, stopping.patience)
    return outcome.completed(ending)
