"""Measures what stacks of models cost on this machine, fits the prices of `mlproj.fleet.cost`, and prints them.

    python benchmarks/cost_model.py            # measures (some minutes on an idle machine), fits, shows the misfit
    python benchmarks/cost_model.py --keep measured.json; python benchmarks/cost_model.py --from measured.json

One core, CPU seconds of whole `fit_stack` calls, alone and in stacks: on the digits perceptrons of several widths and
depths, linear models, batch sizes, dropout and batch norm; on random rows 100 and 300 classes and dev sets of 1,000 and
10,000 rows. Copy what it prints into `mlproj/fleet/cost.py`.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np  # after the number of threads
import pandas as pd
import torch
from machine import describe
from numpy.typing import NDArray
from scipy.optimize import nnls

from mlproj.data import Dataset, load_dataset
from mlproj.fleet.cost import CPU, Layout, Prices, count
from mlproj.fleet.plan import Planner
from mlproj.fleet.room import has_room
from mlproj.records import Job
from mlproj.spec.project import Project
from mlproj.training import resolve
from mlproj.training.fitting import fit_stack
from mlproj.training.loop import Member

SHORT, LONG = 2, 5
CACHES = (1e6, 2e6, 4e6, 8e6, 16e6, 32e6)
DIGITS = (10, 1797)
"""Classes and rows; all other data are random."""
MANY = ((100, 5_000), (300, 5_000), (100, 50_000), (300, 50_000))
"""Data of many classes; a fifth of the rows is dev."""


class Case(NamedTuple):
    """A stack that is measured.

    Attributes:
        model: The `model:` section.
        batch: Examples per update.
        members: Members M.
        epochs: Epochs.
        data: Classes and rows.
    """

    model: dict[str, Any]
    batch: int
    members: int
    epochs: int
    data: tuple[int, int] = DIGITS


def spec(model: dict[str, Any], epochs: int, batch: int, source: str = "sklearn:digits") -> Project:
    """A project."""
    training = {"epochs": epochs, "batch_size": batch, "early_stopping": None}
    data = {"source": source} if source == "sklearn:digits" else {"source": source, "label": "label"}
    return Project.model_validate({"name": "cost", "data": data, "model": model, "training": training})


def write_rows(classes: int, rows: int, folder: Path) -> str:
    """A file of random rows, ten features and a label; its path."""
    numbers = np.random.default_rng(0)
    frame = pd.DataFrame(numbers.normal(size=(rows, 10)), columns=[f"x{at}" for at in range(10)])
    label = numbers.permutation(np.arange(rows) % classes)  # every class is in every split
    file = folder / f"{classes}_{rows}.parquet"
    frame.assign(label=[f"c{code}" for code in label]).to_parquet(file)
    return str(file)


def cases() -> Iterator[Case]:
    """All that is measured."""
    for case in on_digits():
        yield Case(*case)
    for data in MANY:
        for members in (1, 8, 32) if data[1] < 10_000 else (1, 8):
            for batch in (64, 256):
                yield Case({"kind": "mlp", "width": 32}, batch, members, SHORT, data)
            yield Case({"kind": "linear"}, 256, members, SHORT, data)
        for members in (1, 4):
            yield Case({"kind": "mlp", "width": 32}, 1024, members, SHORT, data)


def on_digits() -> Iterator[tuple[dict[str, Any], int, int, int]]:
    """(model, batch size, members, epochs)."""
    for members in (1, 8, 32, 64):
        for width in (16, 32, 64, 128, 256):
            if members * width <= 64 * 128:
                yield {"kind": "mlp", "width": width}, 64, members, LONG if members < 32 else SHORT
        for layers in (1, 4):
            yield {"kind": "mlp", "width": 32, "layers": layers}, 64, members, SHORT
        for batch in (32, 256):
            yield {"kind": "mlp", "width": 64}, batch, members, SHORT
        yield {"kind": "linear"}, 64, members, LONG
        yield {"kind": "mlp", "width": 64, "dropout": 0.3}, 64, members, SHORT
        yield {"kind": "mlp", "width": 64, "batch_norm": True}, 64, members, SHORT
    for width, members in ((512, 1), (512, 4), (512, 12), (256, 4), (256, 16), (1024, 1), (1024, 3)):
        yield {"kind": "mlp", "width": width}, 64, members, SHORT


def seconds_of(project: Project, dataset: Dataset, members: int, repeats: int = 2) -> float:
    """CPU seconds of one stack, each member with a seed of its own; the least of some repeats."""
    resolved = resolve(project, dataset)
    found = []
    for _ in range(repeats):
        began = time.process_time()
        for _result in fit_stack([Member(resolved, seed) for seed in range(members)], dataset):
            pass
        found.append(time.process_time() - began)
    return min(found)


def measure() -> list[dict[str, Any]]:
    """Every case with its layout and its seconds."""
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        sources = {DIGITS: "sklearn:digits"}
        datasets: dict[tuple[int, int], Dataset] = {}
        for model, batch, members, epochs, data in cases():
            source = sources.get(data) or sources.setdefault(data, write_rows(*data, Path(folder)))
            project = spec(model, epochs, batch, source)
            if data not in datasets:
                datasets[data] = load_dataset(project)
                seconds_of(spec({"kind": "mlp"}, 1, 64, source), datasets[data], 2)  # imports and caches
            layout = Planner(datasets[data]).layout(Job(project, 0))
            assert layout is not None
            assert has_room(layout, members), "no plan makes such a stack"
            seconds = seconds_of(project, datasets[data], members)
            rows.append({"model": model, "layout": layout._asdict(), "members": members, "seconds": seconds})
    return rows


def fit_prices(rows: list[dict[str, Any]]) -> tuple[Prices, NDArray[np.float64]]:
    """The prices that explain the seconds best, and the ratio of explained to measured by case."""
    seconds = np.array([row["seconds"] for row in rows])
    best: tuple[float, Prices, NDArray[np.float64]] | None = None
    for cache in CACHES:
        work = np.array([count(_layout(row), row["members"], cache) for row in rows])
        relative = work / seconds[:, None]
        scale = relative.max(axis=0)
        found, misfit = nnls(relative / scale, np.ones(len(rows)))
        if best is None or misfit < best[0]:
            best = misfit, Prices(*(found / scale).tolist(), cache=cache), work @ (found / scale) / seconds
    assert best is not None
    return best[1], best[2]


def _alike(row: dict[str, Any]) -> tuple[Any, ...]:
    """What cases have in common that differ in nothing but members and epochs."""
    layout = row["layout"]
    return str(row["model"]), layout["batch"], layout["widths"][-1], layout["seen"]


def _layout(row: dict[str, Any]) -> Layout:
    return Layout(**row["layout"] | {"widths": tuple(row["layout"]["widths"])})


def main() -> None:
    """Measures or reads, fits and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="write what was measured")
    parser.add_argument("--from", type=Path, dest="source", help="read what was measured before")
    options = parser.parse_args()
    rows = json.loads(options.source.read_text()) if options.source else measure()
    if options.keep:
        options.keep.write_text(json.dumps(rows))
    prices, ratios = fit_prices(rows)
    print(describe())
    print("\n  alone µs  in a stack µs   gain   fitted/measured   (per model and update)")
    alone = {_alike(row): row for row in rows if row["members"] == 1}
    for row, ratio in zip(rows, ratios, strict=True):
        each = 1e6 * row["seconds"] / row["members"] / row["layout"]["updates"]
        one = alone[_alike(row)]
        lone = 1e6 * one["seconds"] / one["layout"]["updates"]
        batch, classes, seen = row["layout"]["batch"], row["layout"]["widths"][-1], row["layout"]["seen"]
        print(f"{lone:10.0f}{each:15.1f}{lone / each:7.2f}{ratio:18.2f}   {row['members']:3} × {row['model']}"
              f" batch {batch}, {classes} classes, {seen:,} rows looked at")  # fmt: skip
    print(f"\nmisfit: median {np.median(abs(ratios - 1)):.1%}, largest {max(abs(ratios - 1)):.0%}")
    print(
        "CPU = Prices(\n"
        + "".join(f"    {each.name}={getattr(prices, each.name):.3g},\n" for each in fields(CPU))
        + ")"
    )


if __name__ == "__main__":
    main()
