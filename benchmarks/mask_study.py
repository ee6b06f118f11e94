"""Does a search lose by trials that share the random numbers of their dropout masks, and what does sharing save?

    python benchmarks/mask_study.py                          # some twelve minutes on one core
    python benchmarks/mask_study.py --data wine,digits --seeds 5 --pool 64 --fresh 4
    python benchmarks/mask_study.py --cost                   # only the price of masks, under a minute

All trials of a search have one seed, so that their masks compare the same random bits with rates of their own. Each
search is made three times, with the same 64 configurations and the same seed:

    shared    as mlproj does: one seed for weights, order of the batches, and masks
    own       masks from a seed of the trial's own; weights and order as before
    apart     everything from a seed of the trial's own

Configurations are drawn from a pool, each of which was also trained with several fresh seeds (`--fresh`). The mean over
these on examples that no search has seen is what a user gets from a configuration: its *true* value. A search is as
good as the true value of the configuration that does best on dev. Beside that: how well the dev values of the trials
rank the true values (Spearman), and by how much the best dev value flatters (the configuration's mean on dev over
fresh seeds, minus the best dev value).

Differences are *shared minus own*, repeat by repeat, in points: 100 times the error, or 100 times the RMSE in standard
deviations of the truth. Above 0 sharing is worse. MARGIN was fixed before anything was looked at. Intervals are
Student's over the repeats; they speak of new seeds and configurations on these splits, not of new data sets.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any, Literal

import numpy as np
import torch
from machine import describe
from mask_trainings import (
    BATCH,
    EPOCHS,
    SOURCES,
    TRIALS,
    Bench,
    Masked,
    dev_loss,
    dev_value,
    draw,
    open_bench,
    own_masks,
    train,
)  # fmt: skip
from scipy.stats import spearmanr

from mlproj.data import load_dataset
from mlproj.metrics.contract import choose_best
from mlproj.metrics.seeds import t_interval
from mlproj.spec.project import Project
from mlproj.training import fitting, resolve

MARGIN = 0.5
"""Points by which sharing may make the true value of what a search finds worse, and still count as no worse."""
Arm = Literal["shared", "own", "apart"]
ARMS: tuple[Arm, ...] = ("shared", "own", "apart")


@dataclass(frozen=True)
class Pool:
    """Configurations and their true values: means over fresh seeds on dev and on what no search sees, in points."""

    projects: Sequence[Project]
    dev: Any
    hidden: Any


def make_pool(bench: Bench, n: int, fresh: int) -> Pool:
    """Draws configurations and trains each with fresh seeds, different ones for each."""
    projects = draw(bench, np.random.default_rng(1), n)
    members = [Masked(project, seed, None, seed) for seed, project in enumerate(list(projects) * fresh, start=10**6)]
    fits = train(bench, members)
    dev = [dev_value(bench, fit) for fit in fits]
    hidden = [bench.hidden(fit, member.project) for fit, member in zip(fits, members, strict=True)]
    return Pool(projects, *(np.reshape(values, (fresh, n)).mean(axis=0) for values in (dev, hidden)))


@dataclass(frozen=True)
class Quality:
    """How good one search was, in points but for `rank`.

    Attributes:
        true: True value of the configuration that did best on dev: smaller is better.
        best: The best dev value.
        flattery: Mean of that configuration on dev over fresh seeds, minus the best dev value.
        rank: Spearman's correlation of the dev values with the true values.
    """

    true: float
    best: float
    flattery: float
    rank: float


def members_of(arm: Arm, projects: Sequence[Project], repeat: int) -> list[Masked]:
    """The trials of one search."""
    own = [1000 * (repeat + 1) + at + 1 for at in range(len(projects))]
    common = 1000 * (repeat + 1)
    return [
        Masked(project, seed if arm == "apart" else common, None, common if arm == "shared" else seed)
        for project, seed in zip(projects, own, strict=True)
    ]


def search(bench: Bench, pool: Pool, arm: Arm, repeat: int) -> Quality:
    """One search of configurations that depend on the repeat alone."""
    chosen = np.random.default_rng((2, repeat)).permutation(len(pool.projects))[:TRIALS]
    fits = train(bench, members_of(arm, [pool.projects[at] for at in chosen], repeat))
    dev = [dev_value(bench, fit) for fit in fits]
    best = choose_best([{bench.metric: value} for value in dev], bench.metric, {}, [dev_loss(fit) for fit in fits])
    winner = chosen[best]
    rank = float(spearmanr(dev, pool.hidden[chosen]).statistic)
    return Quality(float(pool.hidden[winner]), dev[best], float(pool.dev[winner]) - dev[best], rank)


MEASURES: Mapping[str, str] = {
    "true": "true value of what is found",
    "best": "best dev value",
    "flattery": "flattery of the best dev value",
    "rank": "rank correlation",
}


def study(name: str, options: argparse.Namespace) -> dict[Arm, list[Quality]]:
    """All searches on one data set."""
    bench = open_bench(name)
    pool = make_pool(bench, options.pool, options.fresh)
    found: dict[Arm, list[Quality]] = {arm: [] for arm in ARMS}
    for repeat in range(options.seeds):
        for arm in ARMS:
            found[arm].append(search(bench, pool, arm, repeat))
    return found


def differences(found: Mapping[Arm, Sequence[Quality]], other: Arm, key: str) -> list[float]:
    """Shared minus another arm, repeat by repeat."""
    return [getattr(a, key) - getattr(b, key) for a, b in zip(found["shared"], found[other], strict=True)]


def show(found: Mapping[str, Mapping[Arm, Sequence[Quality]]]) -> None:
    """Means of the arms and differences with intervals, measure by measure; last the mean of the data sets."""
    for key, title in MEASURES.items():
        digits = 3 if key == "rank" else 2
        head = "".join(f"{word:>9}" for word in ("repeats", *ARMS))
        print(f"\n{title:<32}{head}   {'shared − own (95 %)':<26}   shared − apart (95 %)")
        rows = {name: {other: differences(each, other, key) for other in ARMS[1:]} for name, each in found.items()}
        for name, each in found.items():
            means = "".join(f"{fmean(getattr(q, key) for q in each[arm]):>9.{digits}f}" for arm in ARMS)
            n = len(each["shared"])
            print(f"{name:<32}{n:>9}{means}   {said(rows[name]['own'], digits)}   {said(rows[name]['apart'], digits)}")
        mean = {other: average([rows[name][other] for name in found]) for other in ARMS[1:]}
        n = len(mean["own"])
        print(f"{'all':<32}{n:>9}{'':27}   {said(mean['own'], digits)}   {said(mean['apart'], digits)}")


def average(rows: Sequence[Sequence[float]]) -> list[float]:
    """Means over data sets, of the repeats that all of them have: seeds and configurations of a repeat are the same.

    Example:
        >>> average([[1.0, 2.0, 9.0], [3.0, 0.0]])
        [2.0, 1.0]
    """
    return [fmean(row) for row in zip(*rows, strict=False)]


def said(values: Sequence[float], digits: int) -> str:
    """A mean with its limits."""
    mean, low, high = t_interval(values)
    return f"{mean:>+7.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})".ljust(26)


def verdict(found: Mapping[str, Mapping[Arm, Sequence[Quality]]]) -> str:
    """What shared masks do to the true value of what a search finds, data set by data set and on average."""
    every = {name: differences(each, "own", "true") for name, each in found.items()}
    every["all"] = average(list(every.values()))
    return "; ".join(f"{name}: {judged(*t_interval(values)[1:])}" for name, values in every.items())


def judged(low: float, high: float) -> str:
    """What an interval of a difference says, above 0 being worse.

    Example:
        >>> judged(-0.2, 0.4), judged(0.1, 0.4), judged(0.6, 0.9), judged(-0.2, 0.6), judged(-0.9, -0.1)
        ('no worse', 'worse by less than 0.5', 'WORSE', 'open', 'better')
    """
    if low > 0:
        return f"worse by less than {MARGIN}" if high < MARGIN else "WORSE"
    return "better" if high < 0 else "no worse" if high < MARGIN else "open"


# ---------------------------------------------------------------- the price of masks


def cost(rounds: int, *, members: int = TRIALS, width: int = 64, batch: int = 64, epochs: int = 4) -> None:
    """CPU time per member and update of perceptrons F-64-64-10 on the digits, with masks of each kind."""
    spec = {
        "name": "cost",
        "data": {"source": "sklearn:digits"},
        "model": {"kind": "mlp", "layers": 2, "width": width, "dropout": 0.25},
        "training": {"epochs": epochs, "batch_size": batch, "early_stopping": None},
    }
    project = Project.model_validate(spec)
    dataset = load_dataset(project)
    project = resolve(project, dataset)
    dry = project.changed(model=project.model.model_copy(update={"dropout": 0.0}))
    kinds = {
        "no dropout": [Masked(dry, 0, None, 0)] * members,
        "shared": members_of("shared", [project] * members, 0),
        "own": members_of("own", [project] * members, 0),
        "apart": members_of("apart", [project] * members, 0),
    }
    updates = epochs * -(-len(dataset.parts["train"]) // batch)
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds + 1):
        for name, some in kinds.items():
            began = time.process_time()
            list(fitting.fit_stack(some, dataset))
            seconds[name].append(time.process_time() - began)
    print(
        f"\nCPU time per member and update, {members} perceptrons 64-{width}-{width}-10, batch {batch}, {rounds} rounds"
    )
    for name, each in seconds.items():
        micro = [1e6 * value / members / updates for value in each[1:]]
        ratios = [value / base for value, base in zip(each[1:], seconds["shared"][1:], strict=True)]
        print(f"{name:<12}{median(micro):>8.1f} µs ({min(micro):.1f} to {max(micro):.1f}), to shared "
              f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")  # fmt: skip


def main() -> None:
    """Runs the study and prints it."""
    parser = argparse.ArgumentParser(description="What shared dropout masks cost a search, and what they save.")
    parser.add_argument("--data", default=",".join(SOURCES), help=f"with commas between: {', '.join(SOURCES)}")
    parser.add_argument("--seeds", type=int, default=30, help="repeats of each search")
    parser.add_argument("--pool", type=int, default=128, help="configurations to draw from")
    parser.add_argument("--fresh", type=int, default=8, help="fresh seeds behind each true value")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the measurement of costs")
    parser.add_argument("--keep", type=Path, help="write what every search gave, data set by data set")
    parser.add_argument("--from", type=Path, dest="source", help="read that instead of searching")
    parser.add_argument("--cost", action="store_true", help="only measure what masks cost")
    options = parser.parse_args()
    names = [name.strip() for name in options.data.split(",") if name.strip()]
    if unknown := sorted({*names} - {*SOURCES}):
        parser.error(f"--data: {', '.join(unknown)}: there are {', '.join(SOURCES)}")
    torch.set_num_threads(1)
    print(describe())
    with own_masks():
        if not options.cost:
            report(names, options)
        cost(options.rounds)


def report(names: Sequence[str], options: argparse.Namespace) -> None:
    """The study, as text."""
    began = time.process_time()
    found: dict[str, dict[Arm, list[Quality]]] = {}
    if options.source:
        kept = json.loads(options.source.read_text())
        found = {name: {arm: [Quality(**q) for q in kept[name][arm]] for arm in ARMS} for name in names if name in kept}
        names = ()
    else:
        print(
            f"{options.seeds} repeats of {TRIALS} trials from {options.pool} configurations, {options.fresh} fresh "
            f"seeds, {EPOCHS} epochs, batch {BATCH}; points, except rank correlations"
        )
    for name in names:
        found[name] = study(name, options)
        print(f"{name}: {time.process_time() - began:.0f} CPU s so far", flush=True)
        if options.keep:
            plain = {n: {arm: [asdict(q) for q in each] for arm, each in arms.items()} for n, arms in found.items()}
            options.keep.write_text(json.dumps(plain))
    show(found)
    print(f"\n{verdict(found)}")


if __name__ == "__main__":
    main()
