"""What recording a search adds to it: `mlproj search` against the same trainings through the engine, nothing recorded.

Both train the same jobs on the same workers, which are warm; alternating, so that a busy machine hits both. Wall and
computing time run from the first job to the last result; what follows (matrix, importance, pictures, the run of the
search) is told apart as `end`. Prints one line per round and the medians.

    python benchmarks/tracking_cost.py --trials 64 --epochs 20 --rounds 5
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parents[1]


class Cost(NamedTuple):
    """Seconds of one search."""

    wall: float
    driver: float
    tracking: float
    end: float


def cpu_of(pid: int) -> float:
    """Computing time so far of a process, of its children that have ended, and of those that live: its sessions."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    living = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(cpu_of(int(child)) for child in living)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("trials", 64), ("epochs", 20), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory(prefix="mlproj-bench-") as folder:
        home = Path(folder) / "digits"
        shutil.copytree(HERE / "projects" / "digits", home, ignore=shutil.ignore_patterns("mlruns"))
        for number in range(options.rounds + 1):
            recorded, bare = measure(home, options.trials, options.epochs)
            if number == 0:
                continue  # makes the store and reads every file once
            ratios.append(recorded.wall / bare)
            print(
                f"search {recorded.wall:.2f} s, engine alone {bare:.2f} s, ratio {ratios[-1]:.3f}; computing time: "
                f"driver {recorded.driver:.2f} s, tracking {recorded.tracking:.2f} s; end of the search "
                f"{recorded.end:.2f} s"
            )
    spread = f"{min(ratios):.3f} to {max(ratios):.3f}, load {os.getloadavg()[0]:.1f}"
    print(f"median ratio {statistics.median(ratios):.3f}, {spread}")


def measure(home: Path, trials: int, epochs: int) -> tuple[Cost, float]:
    """One search that is recorded, then its jobs once more through an engine, without a record."""
    from mlproj.engine import make_engine
    from mlproj.engine.pool import Pool
    from mlproj.records import Job
    from mlproj.searching import Searching
    from mlproj.track.channel import Channel
    from mlproj.workflow.search import search

    jobs: list[Job] = []
    marks: dict[str, float] = {}
    children: list[int] = []
    evaluate, run, spawn = Pool.evaluate, Searching.run, Channel.__init__

    def watched(pool, given, **more):  # type: ignore[no-untyped-def]
        def kept():  # type: ignore[no-untyped-def]
            for job in given:
                jobs.append(job)
                yield job

        return evaluate(pool, kept(), **more)

    def timed(searching):  # type: ignore[no-untyped-def]
        warm(searching.lab._desk.engine)
        marks.update(wall=time.perf_counter(), driver=time.process_time(), tracking=cpu_of(children[-1]))
        found = run(searching)
        now = {"wall": time.perf_counter(), "driver": time.process_time(), "tracking": cpu_of(children[-1])}
        marks.update({name: now[name] - marks[name] for name in now} | {"ended": now["wall"]})
        return found

    def noted(channel, *given, **more):  # type: ignore[no-untyped-def]
        spawn(channel, *given, **more)
        children.append(channel._child.process.pid)

    Pool.evaluate, Searching.run, Channel.__init__ = watched, timed, noted  # type: ignore[method-assign]
    try:
        done = search(
            home, trials=trials, engine="fleet", set=[f"training.epochs={epochs}", "search.rounds=1"], new=True
        )
    finally:
        Pool.evaluate, Searching.run, Channel.__init__ = evaluate, run, spawn  # type: ignore[method-assign]
    end = time.perf_counter() - marks["ended"]
    from mlproj.data import load_dataset

    dataset = load_dataset(done.project, store=home / "mlruns" / "splits")
    jobs = jobs[-trials:]  # not those that warmed the workers
    with make_engine("fleet", dataset, done.workers) as engine:
        warm(engine)
        began = time.perf_counter()
        assert sum(1 for _ in engine.evaluate(jobs)) == trials
        bare = time.perf_counter() - began
    return Cost(marks["wall"], marks["driver"], marks["tracking"], end), bare


def warm(engine) -> None:  # type: ignore[no-untyped-def]
    """Starts all workers, so that neither side pays for their imports."""
    from mlproj.records import Job
    from mlproj.spec.load import load_project

    project = load_project(HERE / "projects" / "digits", overrides=["training.epochs=1"]).changed(search=None)
    for _ in engine.evaluate([Job(project, seed) for seed in range(2 * engine.workers)]):
        pass


if __name__ == "__main__":
    main()
