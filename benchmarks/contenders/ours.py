"""How long mlproj takes in one process.

python -m contenders.ours train|fit|search FOLDER --epochs 20 [--trials 64] [--engine auto] [--halving auto]

train: the twin of `mlproj train`, tracking and all, several times. fit: what it trains with, without tracking; `first`
is the first of them with the import of what trains, torch being there. search: the twin of `mlproj search`.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

from task import Setting, gflop

from contenders.one import first_and_later


def train(options: argparse.Namespace) -> dict[str, float]:
    """Trains and tracks; the seconds hold reading, dealing, training, examining, storing."""
    import mlproj

    changes = [f"training.epochs={options.epochs}"]
    seconds, error = [], 1.0
    for _ in range(options.repeats):
        began = time.perf_counter()
        trained = mlproj.train(options.folder, set=changes)
        seconds.append(time.perf_counter() - began)
        error = trained.fit.metrics["dev"]["error"]
    return {**first_and_later(seconds), "error": error, "gflop": gflop([(Setting.width, options.epochs)])}


def fit(options: argparse.Namespace) -> dict[str, float]:
    """Trains on data that are there, and examines."""
    import mlproj
    from mlproj.data import load_dataset

    project = mlproj.load_project(options.folder)
    training_spec = project.training.model_copy(update={"epochs": options.epochs})
    project = project.changed(search=None, training=training_spec)
    dataset = load_dataset(project)
    import torch  # noqa: F401

    ready = time.perf_counter()
    from mlproj import training

    project = training.resolve(project, dataset)
    imported, seconds, error = time.perf_counter() - ready, [], 1.0
    for _ in range(options.repeats):
        began = time.perf_counter()
        error = training.fit(project, dataset).metrics["dev"]["error"]
        seconds.append(time.perf_counter() - began)
    found = {**first_and_later(seconds), "error": error}
    return found | {"first": imported + found["cold"], "gflop": gflop([(Setting.width, options.epochs)])}


def search(options: argparse.Namespace) -> dict[str, float]:
    """Searches and tracks; whatever the search imports and starts is part of the seconds."""
    import mlproj

    changes = [f"training.epochs={options.epochs}", f"search.halving={options.halving}"]
    began = time.perf_counter()
    found = mlproj.search(options.folder, trials=options.trials, engine=options.engine, set=changes)
    seconds = time.perf_counter() - began
    work = gflop((trial.params["model.width"], trial.epochs) for trial in found.found.trials)
    return {"within": seconds, "error": found.document()["best"]["value"], "gflop": work}


def main() -> None:
    """Does what it is asked for and prints the seconds."""
    modes: dict[str, Callable[[argparse.Namespace], dict[str, float]]] = {"train": train, "fit": fit, "search": search}
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=modes)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--halving", default="none")
    options = parser.parse_args()
    print(json.dumps(modes[options.mode](options)))


if __name__ == "__main__":
    main()
