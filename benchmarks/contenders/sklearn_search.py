"""Searches the digits with scikit-learn: RandomizedSearchCV of an MLPClassifier in two processes, one fixed dev set.

python -m contenders.sklearn_search [--trials 64]; there is no dropout, and dev is looked at after the last epoch.
"""

import argparse
import json
import time

import numpy as np
from scipy.stats import loguniform
from sklearn.model_selection import PredefinedSplit, RandomizedSearchCV
from sklearn.neural_network import MLPClassifier
from task import BATCH, DECAYS, EPOCHS, RATES, WIDTHS, digits, gflop


def main() -> None:
    """Searches, and prints the seconds after imports and the best error."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    parts = digits()
    x, y = (np.concatenate([parts[name][at] for name in ("train", "dev")]) for at in range(2))
    fold = np.concatenate([np.full(len(parts["train"][1]), -1), np.zeros(len(parts["dev"][1]), int)])
    model = MLPClassifier(
        batch_size=BATCH,
        max_iter=options.epochs,
        early_stopping=False,
        tol=0.0,
        n_iter_no_change=options.epochs,
        random_state=options.seed,
    )
    space = {
        "learning_rate_init": loguniform(*RATES),
        "alpha": loguniform(*DECAYS),
        "hidden_layer_sizes": [(width, width) for width in WIDTHS],
    }
    search = RandomizedSearchCV(
        model,
        space,
        n_iter=options.trials,
        cv=PredefinedSplit(fold),
        n_jobs=2,
        refit=False,
        random_state=options.seed,
        error_score=0.0,  # a rate that is far too high makes it diverge: a bad trial, no reason to stop
    )
    began = time.perf_counter()
    search.fit(x, y)
    error = 1 - float(search.cv_results_["mean_test_score"].max())
    seconds = time.perf_counter() - began
    work = gflop((sizes[0], options.epochs) for sizes in search.cv_results_["param_hidden_layer_sizes"])
    print(json.dumps({"within": seconds, "error": error, "gflop": work}))


if __name__ == "__main__":
    main()
