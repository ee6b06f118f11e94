"""Whole-process time of `mlproj train` on the digits, against a plain PyTorch script of the same training.

Every variant runs as a fresh process, the variants of a round one after the other and in turning order; ratios are
taken within a round, so that a busy machine slows numerator and denominator alike.

    python benchmarks/train_vs_torch.py [--rounds 5]
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from machine import Cost, describe, measure

HERE = Path(__file__).resolve().parent
DIGITS = HERE.parent / "projects" / "digits" / "project.yaml"
EPOCHS, BATCH = 40, 64
PLAIN = "plain PyTorch"


def variants(folder: Path) -> dict[str, list[str]]:
    """The commands that are compared, by name; those that write do so under `folder`."""
    same = ["--epochs", str(EPOCHS), "--batch", str(BATCH)]
    plain = [sys.executable, str(HERE / "plain_torch.py"), *same]
    fixed = [f"training.epochs={EPOCHS}", f"training.batch_size={BATCH}", "training.early_stopping=null"]
    train = [sys.executable, "-m", "mlproj", "--project", str(folder), "train", "--quiet"]
    train += [part for change in fixed for part in ("--set", change)]
    return {
        PLAIN: plain,
        "plain PyTorch, logged to MLflow": [*plain, "--mlflow", str(folder)],
        "mlproj train": train,
    }


def run_round(at: int) -> dict[str, Cost]:
    """Every variant twice in a folder of its own: with the store still to be made, then with a store that exists."""
    with tempfile.TemporaryDirectory(prefix="mlproj-bench-") as name:
        folder = Path(name)
        shutil.copy(DIGITS, folder)
        commands = list(variants(folder).items())
        turned = commands[at % len(commands) :] + commands[: at % len(commands)]
        first = {f"{label}, first run": measure(command, folder) for label, command in turned if label != PLAIN}
        return first | {label: measure(command, folder) for label, command in turned}


def main() -> None:
    """Runs the rounds and prints a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = [run_round(at) for at in range(parser.parse_args().rounds)]
    print(f"{describe()}\n{len(rounds)} rounds; medians, ratios within a round (smallest to largest)\n")
    print(f"{'whole process':42}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}   to {PLAIN}")
    for label in sorted(rounds[0], key=lambda label: (label.removesuffix(", first run"), label)):
        costs = [row[label] for row in rounds]
        ratios = sorted(row[label].wall / row[PLAIN].wall for row in rounds)
        wall, cpu, peak = (statistics.median(getattr(cost, unit) for cost in costs) for unit in ("wall", "cpu", "peak"))
        spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"{label:42}{wall:8.2f}{cpu:8.2f}{peak:9.0f}   {spread}")


if __name__ == "__main__":
    main()
