"""Where the time of a first search goes, and of a warm training: process by process, stage by stage, beside the floor.

    python benchmarks/search_profile.py [--trials 64] [--epochs 20] [--rounds 3]

Each round runs `mlproj search` in fresh processes, once as it is and once with `stages.py` looking every 3 ms at what
each of its processes does: the driver, the server that workers are forked from, the workers, and the processes that
track. Wall and CPU time are those of a process's main thread; what its other threads compute stands in a column of its
own. Wall without CPU is waiting. Then the same for `mlproj.train` again and again in one process.

The floor is the time of the matrix products alone: 2 multiplications and additions per weight and example forward, 4
backward (2 in the first layer, whose inputs need no gradient), at the rate of one large product per core, and at that
of the small products that a stack is made of. Nothing that trains these networks in float32 on these cores is faster.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from machine import Cost, clean_environment, describe, measure
from stages import FOLDER, Stages
from task import BATCH, EPOCHS, N_DEV, N_TRAIN, WIDTHS, flops_per_epoch, perceptron, write_project

Document = Mapping[str, Any]
ROLES = ("driver", "fork server", "worker", "tracking", "tracking session")
_CORES = 2
_LEAST = 0.005
"""Stages with less wall and CPU time in seconds are summed up."""


def profiled(command: Sequence[str], folder: Path) -> tuple[Cost, list[Document]]:
    """Runs a command with all its Python processes watched; what it cost, and a document for each process."""
    with tempfile.TemporaryDirectory(prefix="mlproj-stages-") as name:
        place = Path(name)
        (place / "sitecustomize.py").write_text("import stages\n\nstages.start()\n")
        env = clean_environment()
        env |= {FOLDER: name, "PYTHONPATH": os.pathsep.join([name, env["PYTHONPATH"]])}
        began = time.time()
        cost = measure(command, folder, env)
        found = [json.loads(file.read_text()) for file in sorted(place.glob("*.json"))]
    return cost, [each | {"from": each["from"] - began, "to": each["to"] - began} for each in found]


def tell_processes(rounds: Sequence[Sequence[Document]]) -> None:
    """Prints the stages of each process, medians over the rounds; several workers are added up."""
    roles = dict.fromkeys([*ROLES, *(each["role"] for one in rounds for each in one)])
    for role in roles:
        some = [[each for each in one if each["role"] == role] for one in rounds]
        if not any(some):
            continue
        n = max(map(len, some))
        first = statistics.median(min(each["from"] for each in one) for one in some if one)
        last = statistics.median(max(each["to"] for each in one) for one in some if one)
        cpu = statistics.median(sum(each["cpu"] for each in one) for one in some)
        title = f"{role}{f' × {n}' if n > 1 else ''}: seen from {first:.2f} to {last:.2f} s, {cpu:.2f} CPU s"
        tell_stages(title, [(_sum(each["main"] for each in one), _added(each["side"] for each in one)) for one in some])


def tell_stages(title: str, rounds: Sequence[tuple[Mapping[str, Sequence[float]], Mapping[str, float]]]) -> None:
    """Prints a table of stages, largest wall time first, medians over the rounds."""
    names = dict.fromkeys(name for main, side in rounds for name in [*main, *side])
    rows = {
        name: [
            statistics.median(values)
            for values in zip(
                *([*main.get(name, (0.0, 0.0)), side.get(name, 0.0)] for main, side in rounds), strict=True
            )
        ]
        for name in names
    }
    shown = {name: row for name, row in rows.items() if max(row) >= _LEAST}
    rest = [sum(column) for column in zip(*(row for name, row in rows.items() if name not in shown), strict=True)]
    print(f"\n{title}\n{'':<34}{'wall s':>8}{'CPU s':>8}{'other threads, CPU s':>22}")
    for name, row in sorted(shown.items(), key=lambda item: -item[1][0]):
        print(f"  {name:<32}{row[0]:>8.3f}{row[1]:>8.3f}{row[2] or '':>22{'.3f' if row[2] else ''}}")
    if rest and max(rest) >= _LEAST:
        print(f"  {'shorter ones':<32}{rest[0]:>8.3f}{rest[1]:>8.3f}")


def _sum(each: Iterable[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    total: dict[str, list[float]] = {}
    for one in each:
        for name, values in one.items():
            total[name] = [a + b for a, b in zip(total.get(name, (0.0, 0.0)), values, strict=True)]
    return total


def _added(each: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for one in each:
        for name, value in one.items():
            total[name] = total.get(name, 0.0) + value
    return total


def tell_floor(trials: int, epochs: int, wall: float) -> None:
    """Prints what the products of a search take at least, widths drawn alike."""
    import torch

    torch.set_num_threads(1)
    a, b = torch.randn(2, 1024, 1024)
    peak = 2 * 1024**3 / best_of(lambda: torch.mm(a, b))
    each = trials / len(WIDTHS)
    train = sum(each * epochs * flops_per_epoch(*perceptron(width)) for width in WIDTHS)
    looks = sum(each * epochs * 2 * 2 * N_DEV * weights(perceptron(width)) for width in WIDTHS)
    small = sum(epochs * -(-N_TRAIN // BATCH) * products(torch, perceptron(width), round(each)) for width in WIDTHS)
    ideal, real = (train + looks) / peak / _CORES, small / _CORES
    print(
        f"\nfloor of {trials} trainings of {epochs} epochs, widths {', '.join(map(str, WIDTHS))} alike, {_CORES} cores"
    )
    print(f"  {train / 1e9:.1f} GFLOP of updates, {looks / 1e9:.1f} of looks at dev and as much of train")
    print(f"  at {peak / 1e9:.0f} GFLOP/s per core, the rate of a large product: {ideal:.2f} s")
    print(f"  the products of the updates in stacks of {round(each)}, as they are: {real:.2f} s")
    print(f"  the search took {wall:.2f} s: {100 * ideal / wall:.0f} % and {100 * real / wall:.0f} % of it")


def weights(sizes: Sequence[int]) -> int:
    """Weights of a perceptron without biases.

    Example:
        >>> weights((64, 32, 10))
        2368
    """
    return sum(a * b for a, b in pairwise(sizes))


def products(torch: Any, sizes: Sequence[int], members: int) -> float:
    """Seconds of one update's matrix products for a stack of members, on one core."""
    total = 0.0
    for at, (n_in, n_out) in enumerate(pairwise(sizes)):
        x, w, slope = (torch.randn(members, *shape) for shape in ((BATCH, n_in), (n_in, n_out), (BATCH, n_out)))
        total += best_of(lambda x=x, w=w: torch.bmm(x, w))
        total += best_of(lambda x=x, slope=slope: torch.bmm(x.transpose(1, 2), slope))
        if at:
            total += best_of(lambda w=w, slope=slope: torch.bmm(slope, w.transpose(1, 2)))
    return total


def best_of(work: Any, times: int = 30) -> float:
    """CPU seconds of the fastest of several calls: whoever else works on this machine takes wall time only."""
    seconds = []
    for _ in range(times):
        began = time.thread_time()
        work()
        seconds.append(time.thread_time() - began)
    return min(seconds)


def warm_training(folder: Path, epochs: int, times: int = 10) -> None:
    """Trains again and again in this process, and prints where the time of one training goes."""
    import mlproj

    changes = [f"training.epochs={epochs}"]
    for _ in range(3):
        mlproj.train(folder, set=changes)
    sys.setswitchinterval(0.001)
    counting = Stages(folder, "driver")
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        mlproj.train(folder, set=changes)
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    main = {name: [value / times for value in values] for name, values in counting.main.items()}
    side = {name: value / times for name, value in counting.side.items()}
    title = f"mlproj.train, warm, mean of {times}: {seconds / times:.3f} s, {used / times:.3f} CPU s in this process"
    tell_stages(title, [(main, side)])


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="Where the time of a first search goes, and of a warm training.")
    for name, default in (("trials", 64), ("epochs", EPOCHS), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--halving", default="none", choices=("none", "auto"))
    parser.add_argument("--warm", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.warm:
        warm_training(options.warm, options.epochs)
        return
    print(describe())
    search = [sys.executable, "-m", "mlproj", "search", "--trials", str(options.trials), "--quiet", "--json"]
    search += ["--set", f"training.epochs={options.epochs}", "--set", f"search.halving={options.halving}"]
    plain, watched, rounds = [], [], []
    with tempfile.TemporaryDirectory(prefix="mlproj-bench-") as name:
        for number in range(options.rounds):
            folder = write_project(Path(name) / str(number), seed=number)
            measure([sys.executable, "-m", "mlproj", "train", "--quiet"], folder, clean_environment())
            plain.append(measure([*search, "--new"], folder, clean_environment()))
            cost, found = profiled([*search, "--new"], folder)
            watched.append(cost)
            rounds.append(found)
        walls = [statistics.median(cost.wall for cost in costs) for costs in (plain, watched)]
        cpus = [statistics.median(cost.cpu for cost in costs) for costs in (plain, watched)]
        print(
            f"first search of {options.trials} trials, whole process: {walls[0]:.2f} s, {cpus[0]:.2f} CPU s; watched "
            f"{walls[1]:.2f} s, {cpus[1]:.2f} CPU s; medians of {options.rounds}"
        )
        tell_processes(rounds)
        tell_floor(options.trials, options.epochs, walls[0])
        warm = [sys.executable, __file__, "--warm", str(folder), "--epochs", str(options.epochs)]
        print(measure(warm, folder, clean_environment()).output.rstrip())


if __name__ == "__main__":
    main()
