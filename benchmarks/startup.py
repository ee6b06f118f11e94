"""How long the light commands take as whole processes: help, schema, a broken spec, a ladder without a project.

python benchmarks/startup.py [--rounds 9]
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from machine import describe, measure

MLPROJ = [sys.executable, "-m", "mlproj"]
LADDER = ["diagnose", "bias-variance"]
RUNGS = ["human=0.005", "train=8%:100000", "train_dev=0.09:2000", "dev=0.10:2000"]


def commands(folder: Path) -> dict[str, list[str]]:
    """The commands that are timed, by name."""
    answers = ["id,split,y_true,y_pred"]
    answers += [f"{at},{'train' if at % 3 else 'dev'},{at % 2},{(at + (at % 17 == 0)) % 2}" for at in range(6_000)]
    (folder / "predictions.csv").write_text("\n".join(answers) + "\n", encoding="utf-8")
    return {
        "python alone": [sys.executable, "-c", "pass"],
        "mlproj --help": [*MLPROJ, "--help"],
        "mlproj schema": [*MLPROJ, "schema"],
        "ladder from rungs": [*MLPROJ, *LADDER, *(part for rung in RUNGS for part in ("--rung", rung))],
        "ladder from 6,000 predictions (CSV)": [*MLPROJ, *LADDER, "predictions.csv", "--human", "0.01"],
    }


def main() -> None:
    """Runs every command in every round and prints a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="mlproj-bench-") as name:
        timed = commands(Path(name))
        walls: dict[str, list[float]] = {label: [] for label in timed}
        for _ in range(rounds):
            for label, command in timed.items():
                walls[label].append(measure(command, Path(name)).wall)
    print(f"{describe()}\n{rounds} rounds; median (smallest to largest)\n")
    for label, seconds in walls.items():
        print(f"{label:38}{statistics.median(seconds):7.3f} s  ({min(seconds):.3f} to {max(seconds):.3f})")


if __name__ == "__main__":
    main()
