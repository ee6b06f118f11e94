"""Which engine it is, and when a server starts to import."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mlproj
from mlproj.data import Dataset
from mlproj.engine import Here, Pool, cpu_count, make_engine, warm_up
from mlproj.engine.ahead import Ahead, Task
from mlproj.engine.server import _waiting, end_waiting
from mlproj.errors import InvalidInput
from mlproj.records import Fit, Job


@pytest.mark.parametrize(
    ("name", "workers", "kind"),
    [("auto", 1, Here), ("auto", 2, Pool), ("process", 1, Pool), ("process", None, Pool)],
)
def test_one_worker_needs_no_pool_unless_asked_for(
    name: str, workers: int | None, kind: type[object], dataset: Dataset
) -> None:
    with make_engine(name, dataset, workers) as engine:
        assert isinstance(engine, kind)
        assert engine.workers == (workers or cpu_count())


def test_auto_takes_ahead_what_gains_from_it_and_no_more(dataset: Dataset, make_job: Callable[..., Job]) -> None:
    def taken(workers: int = 2, **sections: Any) -> list[int]:
        ahead = Ahead(dataset, crew=64, workers=workers, stacks=False)
        tasks = (Task(seed, make_job(seed, **sections)) for seed in range(1000))
        first = ahead.take(tasks, under_way=0)
        return [len(first), next(tasks).position]

    assert taken(model={"kind": "mlp", "width": 16}) == [64, 128]
    assert taken(model={"kind": "mlp", "width": 4096}) == [1, 2]
    assert taken(3, model={"kind": "python", "factory": "nets:Net"}) == [1, 3]


def test_a_time_budget_is_not_spent_on_one_crew(dataset: Dataset, make_job: Callable[..., Job]) -> None:
    def taken(budget: float) -> int:
        training = {"epochs": 300}
        tasks = (Task(seed, make_job(seed, budget=budget, training=training)) for seed in range(1000))
        Ahead(dataset, crew=64, workers=2, stacks=False).take(tasks, under_way=0)
        return next(tasks).position

    assert taken(1e6) == 128
    assert 1 <= taken(1.0) < taken(4.0) < 128
    assert taken(0.0) == 1


def test_time_spent_waiting_is_no_time_to_compute(make_job: Callable[..., Job]) -> None:
    waited = Task(0, make_job(budget=10.0), taken=time.monotonic() - 4)
    assert waited.budget == pytest.approx(6.0, abs=0.5)
    assert Task(0, make_job(budget=1.0), taken=time.monotonic() - 4).budget == 0.0
    assert Task(0, make_job()).budget is None


@pytest.mark.parametrize(("width", "name"), [(16, "fleet"), (2048, "process")])
def test_an_engine_says_whether_models_trained_side_by_side(
    dataset: Dataset, make_job: Callable[..., Job], width: int, name: str
) -> None:
    model, training = {"kind": "mlp", "width": width}, {"epochs": 1}
    with make_engine("auto", dataset, 1) as engine:
        assert len(list(engine.evaluate([make_job(seed, model=model, training=training) for seed in range(3)]))) == 3
        assert engine.name == name


def test_what_cannot_be_is_refused_in_one_go(dataset: Dataset) -> None:
    with pytest.raises(
        InvalidInput, match=r"--engine: 'ray' is not known; auto, fleet and process are(?s:.*)--workers: 0 is no"
    ):
        make_engine("ray", dataset, 0)


def test_a_server_that_was_warmed_up_is_the_pools(dataset: Dataset) -> None:
    warm_up("auto", 1)
    assert not _waiting
    warm_up("auto", 2)
    warm_up()
    (server,) = _waiting
    with Pool(dataset, workers=1) as pool:
        assert pool._server is server
        assert not _waiting


def test_a_server_that_nobody_needs_is_ended(dataset: Dataset) -> None:
    warm_up()
    (server,) = _waiting
    make_engine("auto", dataset, 1)
    assert server._process.returncode is not None
    end_waiting()


def test_handing_out_jobs_imports_no_torch(tmp_path: Path) -> None:
    program = "import sys; from mlproj.engine import warm_up; print({'torch', 'pandas', 'joblib'} & set(sys.modules))"
    found = os.environ | {"PYTHONPATH": str(Path(mlproj.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", program], env=found, capture_output=True, text=True, check=False)
    assert done.stdout == "set()\n", done.stderr


def test_the_next_pool_takes_the_server_of_the_last_one(
    dataset: Dataset, make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained() -> int:
        with make_engine("process", dataset, 1) as pool:
            assert isinstance(pool, Pool)
            ((_, result),) = pool.evaluate([make_job(0)])
            assert isinstance(result, Fit)
            pid = pool._server._process.pid
            pool.close()  # once more comes at the end of the block
        return pid

    try:
        first = trained()
        assert trained() == first
        monkeypatch.setenv("MLPROJ_SNAPSHOT_SECONDS", "7")  # workers are to see what there is now
        second = trained()
        assert second != first
        os.kill(second, signal.SIGKILL)
        assert trained() not in (first, second)
    finally:
        end_waiting()
    assert not Path(f"/proc/{first}").exists()
