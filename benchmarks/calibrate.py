"""Can the diagnosis be trusted? Thousands of ladders whose truth is known; writes docs/calibration.md and its figures.

python benchmarks/calibrate.py [--worlds 10] [--draws 4000] [--pool 1000000] [--repeats 1000]

Takes some minutes on two cores. With skore installed (benchmarks/requirements.txt) its own checks are run as well.
"""

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests" / "support")]

from calibration_page import write_page  # noqa: E402
from coverage_of_gaps import GRID_N, GRID_P, covered_exactly, covered_with_a_constant  # noqa: E402
from coverage_of_metrics import classes, grouped, numbers, plain, rare_classes, share_covered, weighted  # noqa: E402
from ladders import RUNGS, Case, Drawn, bank, chosen_on_dev, draw_ladder, healthy  # noqa: E402
from machine import describe  # noqa: E402

SIZES = (200, 500, 2000, 5000)
PER_CASE = {200: 4, 500: 4, 2000: 10, 5000: 4}
POPULATIONS: Mapping[str, tuple[str, int, Callable[..., Any]]] = {
    "wide": ("exponential, 2 points on average", 500, lambda rng, n: rng.exponential(0.02, (n, 4))),
    "even": ("uniform up to 4 points", 1000, lambda rng, n: rng.uniform(0, 0.04, (n, 4))),
    "small": ("uniform up to 4 points", 200, lambda rng, n: rng.uniform(0, 0.04, (n, 4))),
}
_WORLDS_FOR_SKORE = 3  # it trains every network again and takes longer than all the rest
BINS = ((0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 0.95), (0.95, 1.01))
METRICS: tuple[tuple[str, Any, int, Sequence[str]], ...] = (
    ("150 examples", partial(plain, classes), 150,
     ("f1", "precision", "recall", "balanced_accuracy", "mcc", "roc_auc", "average_precision", "log_loss")),
    ("150 examples", partial(plain, numbers), 150, ("mae", "rmse", "r2")),
    ("1,000 examples", partial(plain, classes), 1000, ("f1", "mcc", "roc_auc", "average_precision", "log_loss")),
    ("1,000 examples", partial(plain, numbers), 1000, ("mae", "rmse", "r2")),
    ("300 examples, five classes, the rarest 5 %", partial(plain, rare_classes), 300,
     ("f1_macro", "balanced_accuracy", "mcc")),
    ("200 weighted examples", partial(weighted, classes), 200, ("error", "f1", "mcc", "roc_auc", "log_loss")),
    ("200 weighted examples", partial(weighted, numbers), 200, ("mae", "rmse", "r2")),
    *((f"{g} groups of 20", partial(grouped, classes), g,
       ("error", "f1", "precision", "recall", "balanced_accuracy", "mcc", "roc_auc", "average_precision", "log_loss"))
      for g in (5, 8, 15)),
    *((f"{g} groups of 20", partial(grouped, numbers), g, ("mae", "rmse", "r2")) for g in (5, 8, 15)),
)  # fmt: skip


def gap_coverage() -> dict[str, Any]:
    """Exact coverage over the grid: the mean, the least, and the cells below .93."""
    found = []
    for n, p, m, q in ((n, p, m, q) for n in GRID_N for p in GRID_P for m in GRID_N for q in GRID_P):
        if (n, p) <= (m, q):
            found.append((n, p, m, q, covered_exactly(p, n, q, m)))
    constant = [(n, p, covered_with_a_constant(p, n)) for n in GRID_N for p in GRID_P]
    regular = [row for row in found if min(row[0] * row[1], row[2] * row[3]) >= 1]
    return {
        "cells": len(found),
        "regular_cells": len(regular),
        "regular_mean": float(np.mean([row[-1] for row in regular])),
        "regular_least": min(row[-1] for row in regular),
        "least": min(row[-1] for row in found),
        "constant_mean": float(np.mean([row[-1] for row in constant])),
        "constant_least": min(row[-1] for row in constant),
        "regular_below_93": [[*row[:4], round(row[-1], 4)] for row in regular if row[-1] < 0.93],
        "rare_below_93": [[*row[:4], round(row[-1], 4)] for row in found if row not in regular and row[-1] < 0.93],
        "constant_below_93": [[*row[:2], round(row[-1], 4)] for row in constant if row[-1] < 0.93],
    }


def metric_coverage(job: tuple[int, str, int]) -> tuple[str, str, float]:
    """Share of the intervals of one metric that hold the truth."""
    at, metric, repeats = job
    label, make, size, _ = METRICS[at]
    return label, metric, share_covered(metric, make.func, make.args[0], size, repeats)


def reliability(name: str, ladders: int = 6000, draws: int = 400) -> dict[str, Any]:
    """Stated probability of being the largest against how often it is, in one population of gaps."""
    from mlproj.diagnose.gaps import share_largest

    label, n, make = POPULATIONS[name]
    rng = np.random.default_rng(17)
    gaps = make(rng, ladders)
    x = rng.binomial(n, np.cumsum(gaps, axis=1).clip(max=0.9))
    drawn = rng.beta(x[..., None] + 0.5, n - x[..., None] + 0.5, (ladders, 4, draws))
    shares = np.stack([share_largest(np.diff(one, axis=0, prepend=0.0)) for one in drawn])
    stated, right = shares.max(axis=1), shares.argmax(axis=1) == gaps.argmax(axis=1)
    return {"gaps": label, "n": n, "ladders": ladders, "bins": in_bins(stated, right)}


def ladders_of(job: tuple[str, int, int, int]) -> list[dict[str, Any]]:
    """All ladders of one world, judged by mlproj and by other rules."""
    import mlproj.diagnose.draws
    import mlproj.diagnose.samples

    family, seed, n_draws, pool = job
    for module in (mlproj.diagnose.draws, mlproj.diagnose.samples):
        module.N_DRAWS = n_draws  # type: ignore[attr-defined]
    cases: Iterator[Case] = {
        "bank": lambda: bank(seed, pool),
        "healthy": lambda: healthy(seed, pool),
        "chosen": lambda: iter([chosen_on_dev(seed)]),
    }[family]()
    rng, rows = np.random.default_rng([7, seed]), []
    for case in cases:
        times = 4 if family == "healthy" else 1
        for n in SIZES:
            rows += [judged(draw_ladder(case, n, rng), n) for _ in range(PER_CASE[n] * times)]
        if family != "chosen" and seed < _WORLDS_FOR_SKORE:
            rows += asked_of_skore(case, rng)
    return rows


def judged(drawn: Drawn, n: int) -> dict[str, Any]:
    """One ladder: what is true, what mlproj says, what others say, and which intervals hold the truth."""
    from mlproj.diagnose.gaps import find_steps, judge, smallest_worth_closing
    from mlproj.diagnose.rungs import GivenRung
    from mlproj.diagnose.samples import take

    samples = {name: take(GivenRung(name, x / m, m), "error") for name, (x, m) in drawn.counts.items()}
    steps = find_steps(samples, distributions_differ=drawn.distributions_differ)
    found = judge(samples, steps, smallest_worth_closing(samples["dev"].value, is_rate=True))
    truth = drawn.gaps()
    fresh = [name for name in drawn.counts if name != "train" and (drawn.dial != "choice on dev" or name != "dev")]
    top = max(found.gaps, key=lambda gap: gap.p_largest)
    return {
        "dial": drawn.dial,
        "n": n,
        "truth": truth,
        "worth": smallest_worth_closing(drawn.truth["dev"], is_rate=True),
        "says": {"mlproj": found.candidates[0] if found.state == "named" else None, **rules(drawn)},
        "state": found.state,
        "rungs": {name: samples[name].limits[1] <= drawn.truth[name] <= samples[name].limits[2] for name in fresh},
        "gaps": {gap.name: gap.low <= truth[gap.name] <= gap.high for gap in found.gaps}
        if drawn.dial != "choice on dev"
        else {},
        "band": all(gap.band[0] <= truth[gap.name] <= gap.band[1] for gap in found.gaps)
        if drawn.dial != "choice on dev"
        else None,
        "top": (top.p_largest, top.name == max(truth, key=lambda name: truth[name])),
    }


def rules(drawn: Drawn) -> dict[str, str | None]:
    """What fixed thresholds say of the same counts, in the same words.

    The largest gap: the largest observed one, always. Skore 0.28 (its checks SKD001 and SKD002, on accuracy):
    overfitting when train beats dev by max(0.03, 10 % of dev's accuracy), underfitting when neither beats the commonest
    class by max(0.01, 5 %). sklearn-diagnose 0.1.2 (its rules without a language model): overfitting from a difference
    of 0.10, underfitting below a training accuracy of 0.60.
    """
    rate = {name: x / n for name, (x, n) in drawn.counts.items()}
    there = [name for name in RUNGS if name in rate]
    sizes = dict(zip(drawn.gaps(), (rate[low] - rate[up] for up, low in pairwise(there)), strict=True))
    train, dev, dummy = 1 - rate["train"], 1 - rate["dev"], drawn.share_largest_class
    over = train - dev >= max(0.03, 0.10 * dev)
    under = max(train, dev) - dummy < max(0.01, 0.05 * dummy)
    return {
        "the largest gap": max(sizes, key=lambda name: sizes[name]),
        "skore's thresholds": "variance" if over else "avoidable_bias" if under else None,
        "sklearn-diagnose's thresholds": "variance"
        if train - dev >= 0.10
        else "avoidable_bias"
        if train < 0.60
        else None,
    }


def asked_of_skore(case: Case, rng: np.random.Generator) -> list[dict[str, Any]]:
    """One ladder of a case at 200 and at 2,000 examples as skore's own checks see it, where skore is installed."""
    try:
        from skore import EstimatorReport
        from skore._checks.skd001_overfitting import CheckOverfitting
        from skore._checks.skd002_underfitting import CheckUnderfitting
    except ImportError:
        return []
    import warnings

    from sklearn.base import clone

    fresh, target, rows = case.parts["train"], case.parts["target"], []
    for n in (200, 2000):
        at = rng.integers(0, len(target.y), n)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = {"X_train": fresh.x, "y_train": fresh.y, "X_test": target.x[at], "y_test": target.y[at]}
            report = EstimatorReport(clone(case.parts["model"]), **data)  # fits the same network again
            over, under = (check().check_function(report) for check in (CheckOverfitting, CheckUnderfitting))
        drawn = draw_ladder(case, n, rng)
        said = "variance" if over else "avoidable_bias" if under else None
        worth = max(0.1 * drawn.truth["dev"], 0.005)
        rows.append(
            {"dial": drawn.dial, "n": n, "truth": drawn.gaps(), "worth": worth, "says": {"skore": said}, "only": True}
        )
    return rows


def planted(row: Mapping[str, Any]) -> str | None:
    """The dominant gap (3 points or more, and twice the next), "healthy" (none worth closing), or None for all else."""
    sizes = sorted(row["truth"].values(), reverse=True)
    if sizes[0] < row["worth"]:
        return "healthy"
    if sizes[0] >= 0.03 and sizes[0] >= 2 * sizes[1]:
        return max(row["truth"], key=lambda name: row["truth"][name])
    return None


def outcome(kind: str, said: str | None) -> str:
    """How a rule did on a ladder whose truth is `kind`."""
    if kind == "healthy":
        return "false alarm" if said else "quiet"
    return "right" if said == kind else "wrong" if said else "nothing"


def by_size(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, int]]]:
    """Outcomes by rule and by number of examples."""
    counts: dict[str, dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for row in rows:
        kind = None if row["dial"] == "choice on dev" else planted(row)
        for rule, said in row["says"].items() if kind else ():
            counts[rule][row["n"]][outcome(kind or "", said)] += 1
    return {rule: {str(n): dict(found) for n, found in sorted(sizes.items())} for rule, sizes in counts.items()}


def coverage(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Share of intervals that hold the truth, and how many there were, by rung and gap."""
    held: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        for name, inside in {**row["rungs"], **row["gaps"]}.items():
            held[name].append(inside)
        if row["band"] is not None:
            held["band"].append(row["band"])
    return {name: [float(np.mean(inside)), len(inside)] for name, inside in held.items()}


def in_bins(stated: Any, right: Any) -> list[list[float]]:
    """Lower end of each bin, stated probability, how often it was right, and ladders in the bin."""
    rows = []
    for low, high in BINS:
        inside = (stated >= low) & (stated < high)
        if inside.sum() >= 30:
            rows.append([low, float(stated[inside].mean()), float(right[inside].mean()), int(inside.sum())])
    return rows


def tally(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Everything the page says of the ladders."""
    full = [row for row in rows if not row.get("only")]
    confusion: dict[str, Counter[str]] = defaultdict(Counter)
    for row in full:
        kind = planted(row)
        if kind and row["n"] == 2000:
            confusion[kind][row["says"]["mlproj"] or row["state"]] += 1
    tops = np.array([row["top"] for row in full], dtype=np.float64)
    return {
        "ladders": len(full),
        "coverage": coverage(full),
        "confusion_at_2000": {kind: dict(counts) for kind, counts in confusion.items()},
        "rules": by_size(rows),
        "p_largest": in_bins(tops[:, 0], tops[:, 1]),
    }


def main() -> None:
    """Runs everything on two cores and writes the page and its figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--worlds", type=int, default=10)
    parser.add_argument("--draws", type=int, default=4000)
    parser.add_argument("--pool", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    asked = parser.parse_args()
    began = time.perf_counter()
    jobs = [("bank", seed, asked.draws, asked.pool) for seed in range(asked.worlds)]
    jobs += [("healthy", seed, asked.draws, asked.pool) for seed in range(asked.worlds)]
    jobs += [("chosen", seed, asked.draws, asked.pool) for seed in range(asked.worlds)]
    measured = [(at, metric, asked.repeats) for at, row in enumerate(METRICS) for metric in row[3]]
    with ProcessPoolExecutor(2) as workers:
        waiting = workers.map(ladders_of, jobs), workers.map(metric_coverage, measured)
        reliable = {name: reliability(name) for name in POPULATIONS}
        gaps = gap_coverage()
        rows = [row for part in waiting[0] for row in part]
        metrics = [list(row) for row in waiting[1]]
    try:
        skore = version("skore")
    except PackageNotFoundError:
        skore = None
    found = {
        "machine": describe(),
        "skore": skore,
        "seconds": round(time.perf_counter() - began),
        "asked": {name: value for name, value in vars(asked).items() if name != "out"},
        "gap_coverage": gaps,
        "metric_coverage": metrics,
        "reliability": reliable,
        **tally(rows),
    }
    (asked.out / "calibration.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (asked.out / "calibration.md").write_text(write_page(found), encoding="utf-8")
    print(f"{len(rows):,} ladders in {found['seconds']} s; wrote calibration.md and calibration.json")


if __name__ == "__main__":
    main()
