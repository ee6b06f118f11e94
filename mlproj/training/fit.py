"""`fit`: from a project and its data to a trained model with everything later questions are asked of."""

import time
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from mlproj.data import Dataset
from mlproj.records import Fit, History, Outcome
from mlproj.spec.project import Project
from mlproj.training import outcome
from mlproj.training.device import choose_device, few_threads
from mlproj.training.examine import Examiner, look_back, take_rows
from mlproj.training.loop import Course, Loop, OnEpoch
from mlproj.training.once import fit_once
from mlproj.training.resolve import resolve
from mlproj.training.resources import measure_resources
from mlproj.training.step import Learner, make_learner
from mlproj.training.targets import loss_weights, make_examples, make_objective, to_tensor
from mlproj.zoo import OwnEstimator, build_model, seeded, unstack


def fit(
    project: Project,
    dataset: Dataset,
    *,
    seed: int | None = None,
    rows: NDArray[Any] | None = None,
    on_epoch: OnEpoch | None = None,
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

    Returns:
        Weights, history, outcome, predictions on train, train-dev and dev, metrics and resources.

    Raises:
        InvalidInput: When spec and data do not go together.
    """
    begin = time.perf_counter()
    if rows is not None:
        dataset = replace(dataset, parts={**dataset.parts, "train": take_rows(dataset.parts["train"], rows)})
    project = resolve(project, dataset)
    seed = project.seed if seed is None else seed
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
        course = Loop(project, learner, examples, examiner, seed).run(on_epoch)
        return _finish(learner, course, examiner, begin)


def _finish(learner: Learner, course: Course, examiner: Examiner, begin: float) -> Fit:
    """Predictions, metrics and resources of the weights that were kept."""
    model, best = learner.model, course.best
    model.load_state_dict(best.state)
    threshold, device = best.examination.threshold, learner.weights.theta.device
    return Fit(
        weights=unstack(model)[0],
        history=History({name: tuple(values) for name, values in course.history.items()}),
        outcome=_outcome(course, examiner),
        best_epoch=best.epoch,
        threshold=threshold,
        resources=measure_resources(model, to_tensor(examiner.dataset.parts["train"].x[:64], device)),
        **look_back(model, examiner, threshold),
        seconds=time.perf_counter() - begin,
    )


def _outcome(course: Course, examiner: Examiner) -> Outcome:
    """Why the training ended, in words."""
    project, judged_by = examiner.project, examiner.judged_by
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
