"""Crews: jobs of one shape train side by side, others alone, and none suffers from another."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from mlproj.data import Dataset, load_dataset
from mlproj.fleet import shape_of, train_crew
from mlproj.fleet.crew import _stacks
from mlproj.records import Failure, Fit, Job, OutcomeKind
from mlproj.spec.project import Project
from mlproj.training import fit

MakeJob = Callable[..., Job]
IRIS = {"name": "iris", "data": {"source": "sklearn:iris"}}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_dataset(Project.model_validate(IRIS))


def job(seed: int = 0, rows: Any = None, **sections: Any) -> Job:
    sections.setdefault("training", {"epochs": 3})
    return Job(Project.model_validate(IRIS | sections), seed, rows)


def mlp(**keys: Any) -> dict[str, Any]:
    return {"kind": "mlp", **keys}


def same(one: Fit, other: Fit) -> bool:
    """Whether two trainings came to the same but for rounding."""
    close = [np.allclose(one.weights[name], other.weights[name], rtol=1e-3, atol=1e-4) for name in other.weights]
    return all(close) and (one.outcome, one.best_epoch) == (other.outcome, other.best_epoch)


def test_what_a_member_may_have_of_its_own_does_not_part_jobs() -> None:
    base = shape_of(job(model=mlp(width=20)))
    own = {"learning_rate": 0.1, "l2": 0.1, "schedule": {"kind": "cosine"}, "early_stopping": None}
    assert shape_of(job(7, model=mlp(width=30, dropout=0.5, init="xavier"), training={"epochs": 3} | own)) == base
    for apart in (
        job(model=mlp(width=20, layers=3)),
        job(model=mlp(width=20, activation="tanh")),
        job(model=mlp(width=20), training={"epochs": 4}),
        job(model=mlp(width=20), training={"epochs": 3, "batch_size": 32}),
        job(model=mlp(width=20), training={"epochs": 3, "optimizer": "sgd"}),
        job(model=mlp(width=20), rows=np.arange(30)),
        job(model=mlp(width=20), metric={"optimize": "accuracy"}),
    ):
        assert shape_of(apart) != base
    assert shape_of(job(model={"kind": "python", "factory": "nets:Net"})) is None


def test_every_job_of_a_mixed_crew_comes_out_as_it_would_alone(dataset: Dataset) -> None:
    models = [mlp(width=8), mlp(width=12, dropout=0.2), mlp(width=60), {"kind": "linear"}, mlp(width=16, layers=1)]
    jobs = {10 + at: job(at, model=model) for at, model in enumerate(models)}
    jobs[20] = job(3, rows=np.arange(0, 80, 2), model=mlp(width=8))
    jobs[21] = job(4, rows=np.arange(1, 80, 2), model=mlp(width=10))
    found = dict(train_crew(jobs, dataset))
    assert sorted(found) == sorted(jobs)
    for position, each in jobs.items():
        result = found[position]
        assert isinstance(result, Fit)
        assert same(result, fit(each.project, dataset, seed=each.seed, rows=each.rows)), position


def test_one_that_cannot_be_trained_leaves_the_others_of_its_stack(dataset: Dataset) -> None:
    jobs = {0: job(0), 1: job(1, metric={"optimize": "rmse"}), 2: job(2)}
    jobs |= {3: job(3, rows=np.array([1, 10**6])), 4: job(4, rows=np.array([1, 2]))}
    found = dict(train_crew(jobs, dataset))
    assert [isinstance(found[at], Fit) for at in range(5)] == [True, False, True, False, True]
    failure = found[1]
    assert isinstance(failure, Failure)
    assert "rmse is a regression metric" in failure.reason


def test_jobs_end_as_the_caller_says(dataset: Dataset) -> None:
    seen: dict[int, list[int]] = {}

    def ask(epoch: int, _: int, values: Mapping[int, Mapping[str, float]]) -> dict[int, OutcomeKind]:
        seen[epoch] = sorted(values)
        return {8: "pruned"} if epoch == 1 else {}

    found = dict(train_crew({7: job(0), 8: job(1), 9: job(2)}, dataset, on_epoch=ask))
    assert seen == {1: [7, 8, 9], 2: [7, 9], 3: [7, 9]}
    kinds = {position: result.outcome.kind for position, result in found.items() if isinstance(result, Fit)}
    assert kinds == {7: "completed", 8: "pruned", 9: "completed"}


@pytest.mark.parametrize("n", [1, 3])
def test_an_exception_of_the_caller_is_no_result(dataset: Dataset, n: int) -> None:
    def ask(_: int, __: int, ___: Mapping[int, Mapping[str, float]]) -> dict[int, OutcomeKind]:
        raise LookupError("the caller's own")

    with pytest.raises(LookupError, match="the caller's own"):
        list(train_crew({at: job(at) for at in range(n)}, dataset, on_epoch=ask))


def test_a_crew_is_cut_where_a_stack_would_take_too_much_memory(dataset: Dataset) -> None:
    def stacks(n: int, width: int) -> list[int]:
        jobs = {at: job(at, model=mlp(width=width)) for at in range(n)}
        return [len(positions) for _, positions in _stacks(jobs, dataset, {})]

    assert stacks(150, 8) == [64, 64, 22]
    few = stacks(20, 2000)  # 4,000 hidden units: 64 MB of weights, gradients and moments each
    assert sum(few) == 20
    assert max(few) * (2000 * 2000 + 3000) * 16 < 2**29 * 1.01
    assert max(few) > 1
