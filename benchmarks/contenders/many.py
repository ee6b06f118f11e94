"""Searches the digits with Optuna at random: python -m contenders.many plain [--trials 64] [--workers 2].

With one worker the study is kept in memory; with several each is a process of its own, and a journal file holds the
study. Nothing else is tracked. A trial's value is its lowest error on dev.
"""

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from task import DECAYS, DROPOUTS, EPOCHS, RATES, WIDTHS, Setting, digits, gflop


def main() -> None:
    """Searches, and prints the seconds after imports and the best error."""
    parser = argparse.ArgumentParser()
    parser.add_argument("loop")
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--journal", type=Path, help="of a search that others take part in")
    options = parser.parse_args()
    if options.workers > 1:
        print(json.dumps(several(options)))
        return
    loop = importlib.import_module(f"contenders.{options.loop}")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    parts = loop.prepare(digits())
    began = time.perf_counter()
    made: list[Setting] = []

    def train(setting: Setting) -> float:
        made.append(setting)
        return loop.train(parts, setting)

    best = search(optuna, train, options)
    seconds, work = time.perf_counter() - began, gflop((each.width, each.epochs) for each in made)
    print(json.dumps({"within": seconds, "error": best, "gflop": work}))


def search(optuna: Any, train: Any, options: argparse.Namespace) -> float:
    """Makes trials until there are enough, and returns the best error."""

    def objective(trial: Any) -> float:
        setting = Setting(
            learning_rate=trial.suggest_float("learning_rate", *RATES, log=True),
            weight_decay=trial.suggest_float("weight_decay", *DECAYS, log=True),
            dropout=trial.suggest_float("dropout", *DROPOUTS),
            width=trial.suggest_categorical("width", WIDTHS),
            epochs=options.epochs,
        )
        return train(setting)

    # A seed of its own for each process: two processes with one seed would draw the same values.
    sampler = optuna.samplers.RandomSampler(seed=options.seed)
    if not options.journal:
        study = optuna.create_study(sampler=sampler)
        study.optimize(objective, n_trials=options.trials)
        return study.best_value
    backend = optuna.storages.journal.JournalFileBackend(str(options.journal))
    storage = optuna.storages.JournalStorage(backend)
    study = optuna.create_study(study_name="digits", storage=storage, sampler=sampler, load_if_exists=True)
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.RUNNING)
    enough = optuna.study.MaxTrialsCallback(options.trials, states=states)
    study.optimize(objective, callbacks=[enough])
    return study.best_value


def several(options: argparse.Namespace) -> dict[str, float]:
    """Starts the workers, waits for them, and reads what they found; starting and importing is part of the seconds."""
    with tempfile.TemporaryDirectory(prefix="mlproj-bench-") as folder:
        journal = Path(folder) / "journal"
        command = [sys.executable, "-m", "contenders.many", options.loop, "--journal", str(journal)]
        command += ["--trials", str(options.trials), "--epochs", str(options.epochs)]
        began = time.perf_counter()
        workers = [
            subprocess.Popen([*command, "--seed", str(1000 * at + options.seed)], stdout=subprocess.PIPE)
            for at in range(options.workers)
        ]
        outputs = [worker.communicate()[0] for worker in workers]
        if any(worker.returncode for worker in workers):
            sys.exit("a worker failed")
        seconds = time.perf_counter() - began
    found = [json.loads(output) for output in outputs]
    best, work = min(each["error"] for each in found), sum(each["gflop"] for each in found)
    return {"within": seconds, "error": best, "gflop": work}


if __name__ == "__main__":
    main()
