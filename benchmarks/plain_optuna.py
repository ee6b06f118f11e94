"""A search over the digits as a plain PyTorch script with Optuna: the yardstick for `mlproj search`.

The loop of plain_torch.py inside a sequential Optuna study kept in memory; nothing is tracked, dev is measured after
every epoch and the last value is the trial's.

    python benchmarks/plain_optuna.py [--trials 64] [--epochs 20] [--batch 64]
"""

import argparse
import time

import optuna
import torch
from plain_torch import error, load
from torch import nn
from torch.nn.functional import cross_entropy


def main() -> None:
    """Searches, and prints the seconds spent in training and the best error."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    data = load()
    x, y = data["train"]
    training = 0.0

    def objective(trial: optuna.Trial) -> float:
        nonlocal training
        rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
        decay = trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True)
        beta1 = 1 - trial.suggest_float("one_minus_beta1", 1e-3, 1e-1, log=True)
        began = time.perf_counter()
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        optimizer = torch.optim.Adam(model.parameters(), lr=rate, betas=(beta1, 0.999), weight_decay=decay)
        value = 1.0
        for _ in range(options.epochs):
            for rows in torch.randperm(len(x)).split(options.batch):
                loss = cross_entropy(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            value = error(model, *data["dev"])
        training += time.perf_counter() - began
        return value

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=options.trials)
    print(f'{{"training_seconds": {training:.3f}, "best": {study.best_value:.4f}}}')


if __name__ == "__main__":
    main()
