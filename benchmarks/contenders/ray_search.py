"""Searches the digits with Ray Tune: the plain loop, random values, two processes that are used again for each trial.

python -m contenders.ray_search [--trials 64]
"""

import argparse
import json
import tempfile
import time
from typing import Any

import ray
from ray import tune
from ray.tune.search import BasicVariantGenerator
from task import DECAYS, DROPOUTS, EPOCHS, RATES, WIDTHS, Setting, digits, gflop

from contenders import plain


class Trial(tune.Trainable):  # type: ignore[misc]
    """One training; a class, for functions cannot be used again."""

    def setup(self, config: dict[str, Any], parts: Any = None) -> None:
        """Keeps the data."""
        self.config, self.parts = config, parts

    def step(self) -> dict[str, Any]:
        """The whole training."""
        return {"error": plain.train(self.parts, Setting(**self.config)), "done": True}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Takes the next trial."""
        self.config = new_config
        return True


def main() -> None:
    """Searches, and prints the seconds after imports, with the start of Ray, and the best error."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    parts = plain.prepare(digits())
    space = {
        "learning_rate": tune.loguniform(*RATES),
        "weight_decay": tune.loguniform(*DECAYS),
        "dropout": tune.uniform(*DROPOUTS),
        "width": tune.choice(WIDTHS),
        "epochs": options.epochs,
    }
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="mlproj-bench-") as folder:
        ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
        tuner = tune.Tuner(
            tune.with_parameters(Trial, parts=parts),
            param_space=space,
            tune_config=tune.TuneConfig(
                num_samples=options.trials,
                metric="error",
                mode="min",
                reuse_actors=True,
                search_alg=BasicVariantGenerator(random_state=options.seed),
            ),
            run_config=tune.RunConfig(
                storage_path=folder, verbose=0, checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False)
            ),
        )
        results = tuner.fit()
        error = results.get_best_result().metrics["error"]
        work = gflop((one.config["width"], options.epochs) for one in results)
        ray.shutdown()
    print(json.dumps({"within": time.perf_counter() - began, "error": error, "gflop": work}))


if __name__ == "__main__":
    main()
