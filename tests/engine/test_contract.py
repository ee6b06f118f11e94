"""What every engine promises, asked of both: the same numbers as `fit`, jobs taken one by one, failures as results."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from mlproj.data import Dataset
from mlproj.engine import AbstractEngine, Here, Pool
from mlproj.records import Evaluate, Failure, Fit, Job
from mlproj.training import fit

MakeJob = Callable[..., Job]
LONG: dict[str, Any] = {"epochs": 5000, "early_stopping": None}


@pytest.fixture(scope="module", params=["here", "process", "fleet", "auto"])
def engine(request: pytest.FixtureRequest, dataset: Dataset) -> Iterator[AbstractEngine]:
    keys = {"crew": 4 if request.param in ("fleet", "auto") else 1, "stacks": request.param == "fleet"}
    with Here(dataset) if request.param == "here" else Pool(dataset, workers=2, **keys) as engine:
        yield engine


def trained(result: Fit | Failure) -> Fit:
    assert isinstance(result, Fit), result
    return result


def equal(a: Fit, b: Fit) -> bool:
    """Whether two trainings came to the same, bit by bit."""
    arrays: list[tuple[Any, Any]] = [(a.weights[name], b.weights[name]) for name in (*a.weights, *b.weights)]
    arrays += [(a.predictions.ids, b.predictions.ids), (a.predictions.split, b.predictions.split)]
    for mine, theirs in zip(a.predictions.labels.values(), b.predictions.labels.values(), strict=True):
        arrays += [(mine.y_pred, theirs.y_pred), (mine.y_true, theirs.y_true), (mine.p, theirs.p)]
    return (a.history, a.outcome, a.metrics) == (b.history, b.outcome, b.metrics) and all(
        np.array_equal(mine, theirs) for mine, theirs in arrays
    )


def test_results_are_those_of_fit_bit_by_bit(engine: AbstractEngine, make_job: MakeJob, dataset: Dataset) -> None:
    evaluate: Evaluate = engine.evaluate
    model = {"kind": "mlp", "dropout": 0.3, "batch_norm": True}
    jobs = [make_job(seed, model=model) for seed in range(5)] + [make_job(9, rows=np.arange(0, 90, 3))]
    results = dict(evaluate(jobs))
    assert sorted(results) == list(range(6))
    for position, job in enumerate(jobs):
        alone = fit(job.project, dataset, seed=job.seed, rows=job.rows)
        assert equal(trained(results[position]), alone), position


def test_jobs_are_taken_as_there_is_room_for_them(engine: AbstractEngine, make_job: MakeJob) -> None:
    taken, done, ahead = 0, 0, []

    def jobs() -> Iterator[Job]:
        nonlocal taken
        for seed in range(12):
            taken += 1
            yield make_job(seed)

    for _ in engine.evaluate(jobs()):
        done += 1
        ahead.append(taken - done)
    assert done == 12
    crew = 4 if engine.name == "fleet" else 1
    assert max(ahead) <= (0 if isinstance(engine, Here) else 2 * engine.workers * crew + 1)


def test_the_next_job_may_depend_on_results(engine: AbstractEngine, make_job: MakeJob) -> None:
    results: list[Fit | Failure] = []
    jobs = (make_job(seed) for seed in range(50) if len(results) < 4)
    for _, result in engine.evaluate(jobs):
        results.append(result)  # the jobs look at it meanwhile
    crew = 4 if engine.name == "fleet" else 1
    assert 4 <= len(results) <= 4 + 2 * engine.workers * crew


def test_no_jobs_give_no_results(engine: AbstractEngine) -> None:
    assert list(engine.evaluate([])) == []


def test_an_exception_is_the_result_of_its_job_alone(engine: AbstractEngine, make_job: MakeJob) -> None:
    results = dict(engine.evaluate([make_job(0), make_job(1, rows=np.array([10**6])), make_job(2)]))
    assert isinstance(results[0], Fit)
    assert isinstance(results[2], Fit)
    failed = results[1]
    assert isinstance(failed, Failure)
    assert failed.reason.startswith("IndexError: ")
    assert "take_rows" in failed.trace


def test_a_spec_that_does_not_fit_the_data_fails_with_its_own_message(
    engine: AbstractEngine, make_job: MakeJob
) -> None:
    ((_, failed),) = engine.evaluate([make_job(metric={"optimize": "rmse"})])
    assert isinstance(failed, Failure)
    assert "project.yaml: metric: on train: rmse is a regression metric" in failed.reason


def test_a_job_ends_when_its_time_is_up_after_one_epoch_at_least(engine: AbstractEngine, make_job: MakeJob) -> None:
    jobs = [make_job(0, budget=0.0, training=LONG), make_job(1, budget=0.3, training=LONG), make_job(2, budget=60.0)]
    results = {position: trained(result) for position, result in engine.evaluate(jobs)}
    assert [results[position].outcome.kind for position in range(3)] == ["interrupted", "interrupted", "completed"]
    assert results[0].history.epochs == results[0].best_epoch == 1
    assert "stopped by its time budget after 1 of 5,000 epochs" in results[0].outcome.text
    assert 0.2 <= results[1].seconds < 2  # of its 0.3 s it may have waited for a part
    assert 1 < results[1].history.epochs < 5000


def test_a_job_dropped_at_a_rung_ends_pruned_and_the_others_go_on(engine: AbstractEngine, make_job: MakeJob) -> None:
    asked: list[tuple[int, list[int]]] = []

    def drop(epoch: int, values: Mapping[int, Mapping[str, float]]) -> set[int]:
        asked.append((epoch, sorted(values)))
        assert all("dev/error" in shown for shown in values.values())
        return {1} if epoch == 4 and 1 in values else set()

    training = [{"epochs": epochs, "early_stopping": None} for epochs in (10, 5000, 10)]
    jobs = [make_job(seed, training=each) for seed, each in enumerate(training)]
    results = {position: trained(result) for position, result in engine.evaluate(jobs, on_epoch=drop, rungs=(2, 4))}
    assert [results[position].outcome.kind for position in range(3)] == ["completed", "pruned", "completed"]
    assert 4 <= results[1].history.epochs < 1000
    assert "where others did better" in results[1].outcome.text
    assert {epoch for epoch, _ in asked} == {2, 4}
    assert (2, [0, 1, 2]) in asked


def test_jobs_that_train_side_by_side_arrive_at_a_rung_together(engine: AbstractEngine, make_job: MakeJob) -> None:
    arrived: list[set[int]] = []

    def hear(_: int, values: Mapping[int, Mapping[str, float]]) -> set[int]:
        arrived.append(set(values).difference(*arrived))
        return set()

    list(engine.evaluate([make_job(seed) for seed in range(8)], on_epoch=hear, rungs=(2,)))
    assert set().union(*arrived) == set(range(8))
    assert sum(map(len, arrived)) == 8
    assert len(arrived) < 8 if engine.name == "fleet" else len(arrived) == 8


def test_what_is_dropped_ends_at_the_rung_and_survivors_are_as_if_alone(
    engine: AbstractEngine, make_job: MakeJob, dataset: Dataset
) -> None:
    jobs = [make_job(seed, training=LONG | {"epochs": 12}) for seed in range(8)]
    odd = lambda _, values: {position for position in values if position % 2}  # noqa: E731
    results = {position: trained(result) for position, result in engine.evaluate(jobs, on_epoch=odd, rungs=(3,))}
    assert [results[position].history.epochs for position in range(8)] == [12, 3] * 4
    alone = fit(jobs[4].project, dataset, seed=4)
    assert results[4].metrics == alone.metrics
    assert results[4].history.metrics["dev/loss"] == pytest.approx(alone.history.metrics["dev/loss"], rel=1e-5)


def test_a_job_may_have_rungs_of_its_own(engine: AbstractEngine, make_job: MakeJob) -> None:
    asked: list[tuple[int, int]] = []

    def hear(epoch: int, values: Mapping[int, Mapping[str, float]]) -> set[int]:
        asked.extend((position, epoch) for position in values if (position, epoch) not in asked)
        return set()

    jobs = [replace(make_job(seed), rungs=rungs) for seed, rungs in enumerate([(1,), (), (2, 3), None])]
    list(engine.evaluate(jobs, on_epoch=hear, rungs=(3,)))
    assert sorted(asked) == [(0, 1), (2, 2), (2, 3), (3, 3)]


def test_who_was_dropped_before_says_nothing_of_the_next_jobs(engine: AbstractEngine, make_job: MakeJob) -> None:
    """Positions begin anew: the workers of a pool are the same."""
    jobs = [make_job(seed, training=LONG | {"epochs": 6}) for seed in range(4)]
    for dropped in ({0, 1, 2, 3}, set[int]()):
        found = [trained(result) for _, result in engine.evaluate(jobs, on_epoch=lambda *_, d=dropped: d, rungs=(2,))]
        assert {fitted.outcome.kind for fitted in found} == {"pruned" if dropped else "completed"}


def test_without_rungs_every_epoch_is_reported(engine: AbstractEngine, make_job: MakeJob) -> None:
    epochs: list[int] = []

    def hear(epoch: int, _: Mapping[int, Mapping[str, float]]) -> set[int]:
        epochs.append(epoch)
        return set()

    list(engine.evaluate([make_job()], on_epoch=hear))
    assert epochs == [1, 2, 3]


def test_what_on_epoch_raises_reaches_the_caller(engine: AbstractEngine, make_job: MakeJob) -> None:
    for error in (ZeroDivisionError, KeyboardInterrupt):

        def ask(_: int, __: Mapping[int, Mapping[str, float]], error: type[BaseException] = error) -> set[int]:
            raise error

        with pytest.raises(error):
            list(engine.evaluate([make_job()], on_epoch=ask))
    assert len(list(engine.evaluate([make_job()]))) == 1


def test_an_engine_can_be_left_in_the_middle_and_used_again(engine: AbstractEngine, make_job: MakeJob) -> None:
    results = engine.evaluate(make_job(seed) for seed in range(100))
    next(results)
    results.close()
    assert len(list(engine.evaluate([make_job(seed) for seed in range(4)]))) == 4


def test_results_of_a_crew_are_announced(make_job: MakeJob, dataset: Dataset) -> None:
    with Pool(dataset, workers=1, crew=8) as engine:
        announced = [engine.more for _ in engine.evaluate([make_job(seed) for seed in range(8)])]
    assert announced[:-1].count(True) >= 4  # a machine that is busy may take longer than one waits
    assert not announced[-1]


def test_in_this_process_those_that_end_together_are_announced_and_no_others(
    make_job: MakeJob, dataset: Dataset
) -> None:
    epochs = [2, 2, 5, 2]
    jobs = [make_job(seed, training={"epochs": n, "early_stopping": None}) for seed, n in enumerate(epochs)]
    with Here(dataset, crew=8, stacks=True) as engine:
        announced = [(position, engine.more) for position, _ in engine.evaluate(jobs)]
    assert sorted(announced) == [(0, True), (1, True), (2, False), (3, False)]


@pytest.mark.parametrize("make", [Here, partial(Pool, workers=1)], ids=["here", "pool"])
def test_an_engine_tells_who_trained_alone_and_why(
    make_job: MakeJob, dataset: Dataset, make: Callable[..., AbstractEngine]
) -> None:
    wide = [make_job(seed, model={"kind": "mlp", "width": 2048}, training={"epochs": 1}) for seed in range(2)]
    with make(dataset, crew=8) as engine:
        list(engine.evaluate([*wide, *(make_job(seed, model={"kind": "mlp", "width": 8}) for seed in range(4))]))
        assert engine.one_by_one.words() == "2 of 6 trainings ran one by one: no gain from a stack (width 2048)"
    with make(dataset, crew=1) as engine:
        list(engine.evaluate([make_job(0), make_job(1)]))
        assert engine.one_by_one.words() == ""  # nobody wished for company
