"""Trials per minute of `mlproj search` on the digits, against a sequential plain PyTorch + Optuna loop.

Both search learning rate, beta1 and weight decay of a 64-64 perceptron at random, with as many epochs and the same
batch. Every contender runs as a fresh process, one after the other and in turning order; ratios are taken within a
round. mlproj tracks every trial in MLflow and an Optuna journal, the plain loop tracks nothing.

    python benchmarks/search_vs_optuna.py [--rounds 3] [--trials 64]
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import describe

HERE = Path(__file__).resolve().parent
DIGITS = HERE.parent / "projects" / "digits" / "project.yaml"
EPOCHS, BATCH = 20, 64
SPACE = {
    "training.learning_rate": {"log": [1e-4, 1e-1]},
    "training.beta1": {"one_minus_log": [0.9, 0.999]},
    "training.l2": {"log": [1e-6, 1e-2]},
}


def plain(_: Path, trials: int) -> tuple[float, float]:
    """Seconds of the plain loop, and how many of them it trained."""
    command = [sys.executable, str(HERE / "plain_optuna.py"), "--trials", str(trials)]
    seconds, document = run([*command, "--epochs", str(EPOCHS), "--batch", str(BATCH)])
    return seconds, document["training_seconds"]


def search(folder: Path, trials: int, workers: int) -> tuple[float, float]:
    """Seconds of `mlproj search` in a project that has a store, and how many its workers trained (sum by number)."""
    shutil.copy(DIGITS, folder)
    run([sys.executable, "-m", "mlproj", "--project", str(folder), "train", "--json", "--quiet"])
    fixed = [f"training.epochs={EPOCHS}", f"training.batch_size={BATCH}", "training.early_stopping=null"]
    fixed += ["model.layers=2", "model.width=64"]
    fixed += [f"search.space.{path}={json.dumps(dimension)}" for path, dimension in SPACE.items()]
    command = [sys.executable, "-m", "mlproj", "--project", str(folder), "search", "--json", "--quiet"]
    command += ["--trials", str(trials), "--workers", str(workers)]
    seconds, document = run([*command, *(part for change in fixed for part in ("--set", change))])
    return seconds, document["training_seconds"] / document["workers"]


def run(command: list[str]) -> tuple[float, dict[str, float]]:
    """Wall seconds of a command, and the JSON document that it prints."""
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - began, json.loads(done.stdout)


def main() -> None:
    """Runs the rounds and prints a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=64)
    options = parser.parse_args()
    contenders = {
        "plain PyTorch + Optuna": plain,
        "mlproj search, 1 worker": lambda folder, trials: search(folder, trials, 1),
        "mlproj search, 2 workers": lambda folder, trials: search(folder, trials, 2),
    }
    rounds: list[dict[str, tuple[float, float]]] = []
    for at in range(options.rounds):
        names = list(contenders)
        row = {}
        for name in names[at % len(names) :] + names[: at % len(names)]:
            with tempfile.TemporaryDirectory(prefix="mlproj-bench-") as folder:
                row[name] = contenders[name](Path(folder), options.trials)
        rounds.append(row)
    print(f"{describe()}\n{options.rounds} rounds of {options.trials} trials; medians (smallest to largest)\n")
    print(f"{'whole process':28}{'seconds':>9}{'trials/min':>12}{'outside training':>18}   to plain")
    for name in contenders:
        seconds = statistics.median(row[name][0] for row in rounds)
        outside = statistics.median(1 - row[name][1] / row[name][0] for row in rounds)
        ratios = sorted(row[name][0] / row["plain PyTorch + Optuna"][0] for row in rounds)
        spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"{name:28}{seconds:9.2f}{60 * options.trials / seconds:12.0f}{100 * outside:16.0f} %   {spread}")


if __name__ == "__main__":
    main()
