"""How mlproj's cost grows: python -m contenders.growth members|width|rows|memory [--engine auto] [--quick].

Prints seconds by case. members: per member and epoch of fleets in this process. width: per training and epoch of jobs
on an engine, once its workers are there. rows: per epoch of one training, and the error on dev as `CASE/error`. memory:
trains the largest fleet; whoever started this process sees how much memory it took.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from task import write_project

MEMBERS = (1, 4, 16, 64, 256)
WIDTHS = {32: (32, 10), 64: (32, 10), 128: (32, 10), 256: (16, 6), 512: (8, 4), 1024: (8, 2)}
"""Jobs and epochs by width: as many as take about a second one by one."""
FOREIGN = "module of the user's own"
ROWS = (1_000, 10_000, 100_000, 1_000_000)
N_COLUMNS, BATCH_OF_ROWS = 20, 256
_MODULE = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, n_inputs, n_outputs, width=64):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(n_inputs, width), nn.LayerNorm(width), nn.GELU())
        self.output = nn.Linear(width, n_outputs)

    def forward(self, x):
        return self.output(self.hidden(x))
"""
_SOURCE = "import growth_rows\n\n\ndef rows():\n    return growth_rows.made({n})\n"


def members(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Seconds per member and epoch, by the number of members."""
    from mlproj.fleet import train_crew

    epochs = 2 if options.quick else 10
    project, dataset = opened(write_project(folder, epochs=epochs, search=None))
    list(train_crew(dict(enumerate(jobs(project, 2))), dataset))
    found = {}
    for n in MEMBERS[: 3 if options.quick else None]:
        crew = dict(enumerate(jobs(project, n)))
        began = time.perf_counter()
        assert len(list(train_crew(crew, dataset))) == n
        found[str(n)] = (time.perf_counter() - began) / n / epochs
    return found


def width(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Seconds per training and epoch, by width, and for a module that no fleet can stack."""
    cases = {str(size): ({"kind": "mlp", "hidden": [size, size]}, *amount) for size, amount in WIDTHS.items()}
    cases[FOREIGN] = {"kind": "python", "factory": "nets:Net"}, 16, 6
    (folder / "nets.py").write_text(_MODULE, encoding="utf-8")
    if options.quick:
        cases = {name: (model, 4, 1) for name, (model, _, _) in cases.items() if name in ("64", "512", FOREIGN)}
    found = {}
    for name, (model, n, epochs) in cases.items():
        project, dataset = opened(write_project(folder, epochs=epochs, model=model, search=None))
        found[name] = on_engine(options.engine, dataset, project, n) / n / epochs
    return found


def on_engine(engine: str, dataset: Any, project: Any, n: int) -> float:
    """Seconds of n jobs on an engine that has trained before."""
    from mlproj.engine import make_engine

    with make_engine(engine, dataset) as made:
        warm = list(made.evaluate(jobs(with_training(project, epochs=1), 4)))
        began = time.perf_counter()
        done = list(made.evaluate(jobs(project, n)))
        seconds = time.perf_counter() - began
    for _, fit in [*warm, *done]:
        assert hasattr(fit, "weights"), f"a job failed: {fit}"
    return seconds


def rows(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Seconds per epoch of one training and its dev error, by the number of rows; those that train are four fifths."""
    found = {}
    for n in ROWS[: 2 if options.quick else None]:
        epochs = epochs_of(n)
        (folder / "source.py").write_text(_SOURCE.format(n=n).replace("growth_rows", "contenders.growth"), "utf-8")
        training = {"optimizer": "adam", "batch_size": BATCH_OF_ROWS, "epochs": epochs, "early_stopping": None}
        place = folder / str(n)
        data, splits = {"source": "python:source:rows"}, {"dev": 0.2, "test": 0}
        write_project(place, training=training, data=data, splits=splits, search=None)
        (folder / "source.py").rename(place / "source.py")
        project, dataset = opened(place)
        from mlproj.training import fit

        fit(with_training(project, epochs=1), dataset)
        began = time.perf_counter()
        trained = fit(project, dataset)
        found[str(n)] = (time.perf_counter() - began) / epochs
        found[f"{n}/error"] = trained.metrics["dev"]["error"]
    return found


def plain_rows(options: argparse.Namespace, _: Path) -> dict[str, float]:
    """The same by a plain loop."""
    from task import Setting

    from contenders import plain

    found = {}
    for n in ROWS[: 2 if options.quick else None]:
        x, y = made(n)
        cut, epochs = int(0.8 * n), epochs_of(n)
        parts = plain.prepare({"train": (x[:cut], y[:cut]), "dev": (x[cut:], y[cut:])})
        plain.train(parts, Setting(epochs=1), batch=BATCH_OF_ROWS)
        began = time.perf_counter()
        error = plain.train(parts, Setting(epochs=epochs), batch=BATCH_OF_ROWS)
        found[str(n)] = (time.perf_counter() - began) / epochs
        found[f"{n}/error"] = error
    return found


def plain_members(options: argparse.Namespace, _: Path) -> dict[str, float]:
    """Seconds per member and epoch of a plain loop, which trains one after the other."""
    from task import Setting, digits

    from contenders import plain

    epochs, parts = 2 if options.quick else 10, plain.prepare(digits())
    plain.train(parts, Setting(epochs=1))
    began = time.perf_counter()
    for seed in range(4):
        plain.train(parts, Setting(epochs=epochs), seed=seed)
    return {"1": (time.perf_counter() - began) / 4 / epochs}


def memory(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Trains 256 perceptrons of width 128 side by side."""
    from mlproj.fleet import train_crew

    n = 16 if options.quick else 256
    model = {"kind": "mlp", "hidden": [128, 128]}
    project, dataset = opened(write_project(folder, epochs=3, model=model, search=None))
    began = time.perf_counter()
    assert len(list(train_crew(dict(enumerate(jobs(project, n))), dataset))) == n
    return {"members": n, "within": time.perf_counter() - began}


def opened(folder: Path) -> tuple[Any, Any]:
    """A project without its search, resolved, and its data."""
    import mlproj
    from mlproj.data import load_dataset
    from mlproj.training import resolve

    project = mlproj.load_project(folder)
    dataset = load_dataset(project)
    return resolve(project, dataset), dataset


def with_training(project: Any, **changes: Any) -> Any:
    """The project with other values of `training`."""
    return project.changed(training=project.training.model_copy(update=changes))


def jobs(project: Any, n: int) -> Sequence[Any]:
    """Trainings that differ in learning rate and seed."""
    from mlproj.records import Job

    rates = [10 ** (-4 + 2 * at / max(n - 1, 1)) for at in range(n)]
    return [Job(with_training(project, learning_rate=rate), seed=seed) for seed, rate in enumerate(rates)]


def epochs_of(n: int) -> int:
    """Epochs that go over a hundred thousand rows at least.

    Example:
        >>> epochs_of(1_000), epochs_of(1_000_000)
        (100, 1)
    """
    return max(1, 100_000 // n)


def made(n: int) -> tuple[Any, Any]:
    """Rows of normal numbers and a class that five of them decide, with noise."""
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, N_COLUMNS)).astype("float32")
    return x, (x[:, :5].sum(axis=1) + rng.normal(size=n) > 0).astype("int64")


def main() -> None:
    """Measures one kind of growth and prints its seconds."""
    kinds: dict[str, Callable[[argparse.Namespace, Path], dict[str, float]]] = {
        "members": members, "width": width, "rows": rows, "memory": memory,
        "plain-members": plain_members, "plain-rows": plain_rows,
    }  # fmt: skip
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlproj-bench-") as folder:
        print(json.dumps(kinds[options.kind](options, Path(folder))))


if __name__ == "__main__":
    main()
