"""What is particular to a pool: processes that die, and that nothing of it outlives its driver."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mlproj
from mlproj.data import Dataset
from mlproj.engine import Pool, cpu_count
from mlproj.records import Failure, Fit, Job
from mlproj.training import fit

MakeJob = Callable[..., Job]
ROOT = str(Path(mlproj.__file__).parents[1])
LONG = {"epochs": 5000, "early_stopping": None}
SCRIPT = """
import sys
from mlproj.data import load_dataset
from mlproj.engine import make_engine, warm_up
from mlproj.records import Job
from mlproj.spec.project import Project

warm_up()
print("script runs", flush=True)
spec = {"name": "iris", "data": {"source": "sklearn:iris"}, "training": {"epochs": EPOCHS, "early_stopping": None}}
project = Project.model_validate(spec)
with make_engine("process", load_dataset(project), 2) as engine:
    results = engine.evaluate([Job(project, seed) for seed in range(4)], on_epoch=HEAR, rungs=(1,))
    print([type(result).__name__ for _, result in results], flush=True)
"""


@pytest.fixture(scope="module")
def pool(dataset: Dataset) -> Iterator[Pool]:
    with Pool(dataset, workers=2) as pool:
        yield pool


def is_alive(pid: int) -> bool:
    """Whether a process still does something: one that is only waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def kill_at_rung(pool: Pool, epoch: int, times: int, how: signal.Signals = signal.SIGKILL) -> Any:
    """Kills the worker of job 1 whenever it gets there, so many times."""
    killed: list[int] = []

    def ask(reached: int, values: Any) -> set[int]:
        worker = next((each for each in pool._running if 1 in each.tasks), None)
        if reached == epoch and 1 in values and worker and worker.pid not in killed and len(killed) < times:
            killed.append(worker.pid)
            os.kill(worker.pid, how)
        return set()

    return ask, killed


def test_a_killed_worker_costs_its_job_one_retry(pool: Pool, make_job: MakeJob, dataset: Dataset) -> None:
    jobs = [make_job(seed, training={"epochs": 200, "early_stopping": None}) for seed in range(4)]
    ask, killed = kill_at_rung(pool, 2, times=1)
    results = dict(pool.evaluate(jobs, on_epoch=ask))
    assert len(killed) == 1
    assert sorted(results) == [0, 1, 2, 3]
    again = results[1]
    assert isinstance(again, Fit)
    assert again.history == fit(jobs[1].project, dataset, seed=1).history


@pytest.mark.parametrize(
    ("how", "name"), [(signal.SIGKILL, "SIGKILL"), (signal.SIGSEGV, "signal 11 (Segmentation fault)")]
)
def test_a_worker_that_dies_twice_is_a_failure_that_says_how(
    pool: Pool, make_job: MakeJob, how: signal.Signals, name: str
) -> None:
    jobs = [make_job(seed, training={"epochs": 200, "early_stopping": None}) for seed in range(4)]
    ask, killed = kill_at_rung(pool, 2, times=2, how=how)
    results = dict(pool.evaluate(jobs, on_epoch=ask))
    assert len(set(killed)) == 2
    assert [type(results[position]) for position in range(4)] == [Fit, Failure, Fit, Fit]
    failed = results[1]
    assert isinstance(failed, Failure)
    assert "twice" in failed.reason
    assert name in failed.reason
    assert ("--workers" in failed.reason) == (how == signal.SIGKILL)


def test_a_retry_gets_the_time_that_is_left(pool: Pool, make_job: MakeJob) -> None:
    jobs = [make_job(seed, training=LONG, budget=0.6) for seed in range(2)]
    ask, killed = kill_at_rung(pool, 10, times=1)
    begin = time.monotonic()
    results = dict(pool.evaluate(jobs, on_epoch=ask))
    assert len(killed) == 1
    assert 0.6 <= time.monotonic() - begin < 1.1
    assert all(isinstance(result, Fit) and result.outcome.kind == "interrupted" for result in results.values())


def test_a_worker_that_dies_idle_costs_nothing(pool: Pool, make_job: MakeJob) -> None:
    list(pool.evaluate([make_job(seed) for seed in range(4)]))
    for worker in pool._idle:
        os.kill(worker.pid, signal.SIGKILL)
    results = dict(pool.evaluate([make_job(seed) for seed in range(4)]))
    assert all(isinstance(result, Fit) for result in results.values())


def test_a_pool_survives_the_death_of_its_server_and_leaves_nothing_when_closed(
    dataset: Dataset, make_job: MakeJob
) -> None:
    with Pool(dataset, workers=2) as pool:
        first = dict(pool.evaluate([make_job(seed) for seed in range(4)]))
        for pid in (pool._server._process.pid, *(worker.pid for worker in pool._idle)):
            os.kill(pid, signal.SIGKILL)
        second = dict(pool.evaluate([make_job(seed) for seed in range(4)]))
        pids = [pool._server._process.pid, *(worker.pid for worker in pool._idle)]
    pool.close()
    assert all(isinstance(result, Fit) for result in (*first.values(), *second.values()))
    assert len(pids) == 3
    assert not any(map(is_alive, pids))
    assert pool._data.closed


def test_leaving_in_the_middle_ends_what_runs(pool: Pool, make_job: MakeJob) -> None:
    long = (make_job(seed, training={"epochs": 3} if seed == 0 else LONG) for seed in range(10))
    results = pool.evaluate(long)
    next(results)
    pids = [worker.pid for worker in pool._running]
    assert len(pids) == 2
    begin = time.monotonic()
    results.close()
    assert time.monotonic() - begin < 0.5
    assert not any(map(is_alive, pids))


def test_two_evaluations_at_once_are_refused(pool: Pool, make_job: MakeJob) -> None:
    first = pool.evaluate([make_job(seed, training=LONG) for seed in range(3)], on_epoch=lambda *_: {0})
    next(first)
    with pytest.raises(RuntimeError, match="at work"):
        next(pool.evaluate([make_job()]))
    first.close()


def test_the_cores_are_shared_out(dataset: Dataset) -> None:
    with Pool(dataset, workers=1) as one, Pool(dataset, workers=1000) as many:
        assert (one._threads, many._threads) == (cpu_count(), 1)


def test_ctrl_c_during_an_evaluation_ends_the_workers(pool: Pool, make_job: MakeJob) -> None:
    def jobs() -> Iterator[Job]:
        yield make_job(0, training=LONG)
        yield make_job(1)
        pids.extend(worker.pid for worker in pool._running)
        raise KeyboardInterrupt

    pids: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        list(pool.evaluate(jobs()))
    assert pids
    assert not is_alive(pids[0])


def run_script(epochs: int, hear: str, *, way: str, folder: Path) -> "subprocess.Popen[str]":
    """A user's script without `if __name__ == "__main__"`, run from a file or from standard input."""
    text = SCRIPT.replace("EPOCHS", str(epochs)).replace("HEAR", hear)
    (folder / "script.py").write_text(text)
    (folder / "random.py").write_text("raise SystemExit('a module of the user, by chance called as one of Python')")
    command = ["-P", "script.py" if way == "file" else "-"]
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": ROOT},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    if way == "stdin":
        assert process.stdin is not None
        process.stdin.write(text)
        process.stdin.close()
        process.stdin = None
    return process


@pytest.mark.parametrize("way", ["file", "stdin"])
def test_a_script_needs_no_main_guard(way: str, tmp_path: Path) -> None:
    said, errors = run_script(2, "None", way=way, folder=tmp_path).communicate(timeout=60)
    assert (said, errors) == ("script runs\n['Fit', 'Fit', 'Fit', 'Fit']\n", "")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_its_driver(how: signal.Signals, tmp_path: Path) -> None:
    hear = "lambda *_: print('at work', flush=True) or []"
    process = run_script(10**6, hear, way="file", folder=tmp_path)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(3)] == ["script runs\n", "at work\n", "at work\n"]
    (server,) = children(process.pid)
    workers = children(server)
    assert len(workers) == 2
    os.killpg(process.pid, how)
    assert wait_until(lambda: not any(map(is_alive, (server, *workers))), seconds=2)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == -how
    assert errors.count("Traceback") == (how == signal.SIGINT)


def test_a_driver_killed_before_its_server_is_ready_leaves_no_server(tmp_path: Path) -> None:
    program = "import os; from mlproj.engine import warm_up; warm_up(); print(flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": ROOT},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    process.stdout.readline()
    (server,) = children(process.pid)
    process.kill()
    process.communicate()
    assert wait_until(lambda: not is_alive(server), seconds=10)


def test_a_worker_starts_in_a_moment(pool: Pool, make_job: MakeJob) -> None:
    list(pool.evaluate([make_job(seed) for seed in range(2)]))
    while pool._idle:
        pool._idle.pop().end()
    begin = time.monotonic()
    ((_, result),) = pool.evaluate([make_job(rows=np.arange(90))])
    assert isinstance(result, Fit)
    assert time.monotonic() - begin - result.seconds < 0.3
