"""What successive halving costs and what it loses: the same searches with and without it, over several seeds.

    python benchmarks/halving_study.py --seeds 10 --trials 64 --epochs 20

Both search the digits with the same draws in the first round, on the same split, in one fleet in this process, without
tracking. Printed are the epochs that were trained, the processor time, and the best dev error, per seed and on average.
"""

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

import optuna

from mlproj.data import Dataset, load_dataset
from mlproj.engine import CREW, Here
from mlproj.records import Evaluate, Failure, Fit, Job
from mlproj.searching import Searching, Stopwatch, Trial, begin_study
from mlproj.spec.load import make_project
from mlproj.spec.project import Project
from mlproj.training import resolve

SPACE = {
    "training.learning_rate": {"log": [0.0001, 0.1]},
    "training.l2": {"log": [1e-6, 0.1]},
    "model.dropout": {"uniform": [0.0, 0.5]},
    "model.width": {"choice": [32, 64, 96, 128]},
}


@dataclass
class Bench:
    """Trains for a search and keeps nothing but the number of epochs."""

    evaluate: Evaluate
    dataset: Dataset
    epochs_made: int = 0
    open: dict[str, Project] = field(default_factory=dict)

    ahead: int = 1
    more: bool = False

    def forget(self, job: Job) -> None:
        """Nothing is kept of a training under way."""

    def settle(self) -> None:
        """Nothing is on its way to a disk."""

    def begin(self, trial: Trial, project: Project) -> str:
        """Opens nothing; notes the project."""
        self.open[trial.key] = resolve(project, self.dataset)
        return trial.key

    def epochs(self, trial: Trial) -> int:
        """Epochs that the trial is to make."""
        epochs = self.open[trial.key].training.epochs
        return epochs if isinstance(epochs, int) else 0

    def record(self, trial: Trial, fit: Fit, *, whole: bool) -> None:  # noqa: ARG002
        """Counts epochs."""
        self.epochs_made += fit.history.epochs

    def fail(self, trial: Trial, failure: Failure) -> None:  # noqa: ARG002
        """Stops the study: nothing should fail here."""
        raise RuntimeError(failure.reason)

    def drop(self, trial: Trial) -> None:
        """Nothing is open."""

    def found(self, trial: Trial) -> Trial | None:  # noqa: ARG002
        """Nothing was made before."""
        return None


def search_once(halving: str, seed: int, options: argparse.Namespace) -> tuple[float, int, float, int]:
    """The best dev error, the epochs, the processor seconds and the trials ended early of one search."""
    search = {"trials": options.trials, "sampler": options.sampler, "halving": halving, "space": SPACE}
    spec: Mapping[str, Any] = {
        "name": "digits",
        "data": {"source": "sklearn:digits"},
        "metric": {"optimize": "error"},
        "model": {"kind": "mlp", "width": 64, "layers": 2},
        "training": {"epochs": options.epochs, "early_stopping": None},
        "seed": seed,
        "search": search,
    }
    project = make_project(spec)
    dataset = load_dataset(project)
    project = project.changed(task=resolve(project, dataset).task)
    with Here(dataset, crew=8 if options.sampler == "tpe" else options.crew) as engine:
        bench = Bench(engine.evaluate, dataset)
        study = begin_study(optuna.storages.InMemoryStorage(), "digits", {}, optimize="error", satisfy={}, seed=seed)
        began = time.process_time()
        found = Searching(study, project, bench, stopwatch=Stopwatch()).run()
        seconds = time.process_time() - began
    assert found.best is not None
    return found.best.metrics["error"], bench.epochs_made, seconds, len(found.pruned)


def main() -> None:
    """Runs the study and prints it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--sampler", default="random", choices=("random", "tpe", "qmc"))
    parser.add_argument("--crew", type=int, default=CREW, help="trials side by side; 1 for one after the other")
    options = parser.parse_args()
    print("seed  error none    auto  epochs none   auto  CPU s none   auto  early")
    lost, shares, speeds = [], [], []
    for seed in range(options.seeds):
        whole, halved = (search_once(halving, seed, options) for halving in ("none", "auto"))
        lost.append(100 * (halved[0] - whole[0]))
        shares.append(halved[1] / whole[1])
        speeds.append(halved[2] / whole[2])
        print(
            f"{seed:>4}  {100 * whole[0]:>8.2f} % {100 * halved[0]:>5.2f} %  {whole[1]:>11,} {halved[1]:>6,}  "
            f"{whole[2]:>10.1f} {halved[2]:>6.1f}  {halved[3]:>5}",
            flush=True,
        )
    spread = f" (standard deviation {stdev(lost):.2f})" if len(lost) > 1 else ""
    print(f"the best found is on average {fmean(lost):+.2f} points worse with halving{spread}")
    print(f"epochs {fmean(shares):.2f}×, processor time {fmean(speeds):.2f}×")


if __name__ == "__main__":
    main()
