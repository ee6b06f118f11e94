"""How long `mlproj diagnose bias-variance` takes on a million predictions, against pandas reading the same file.

python benchmarks/ladder_at_scale.py [--rounds 5] [--rows 1000000]
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from machine import describe, measure

LADDER = [sys.executable, "-m", "mlproj", "diagnose", "bias-variance"]
READ = {
    ".parquet": "import pandas; pandas.read_parquet({!r})",
    ".csv": "import pandas; pandas.read_csv({!r}, engine='pyarrow')",
}
FORMS = (
    ("error", "plain.parquet", []),
    ("error, grouped", "grouped.parquet", []),
    ("F1", "plain.parquet", ["--metric", "f1"]),
    ("log loss", "plain.parquet", ["--metric", "log_loss"]),
    ("ROC AUC", "plain.parquet", ["--metric", "roc_auc"]),
    ("average precision", "plain.parquet", ["--metric", "average_precision"]),
    ("F1 macro, 10 classes", "ten.parquet", ["--metric", "f1_macro"]),
    ("mean of 3 labels, F1", "labels.parquet", ["--metric", "f1"]),
    ("rmse", "numbers.parquet", []),
    ("error, CSV", "plain.csv", []),
    ("error, grouped, CSV", "grouped.csv", []),
)


def write_files(folder: Path, n: int) -> None:
    """Predictions of made-up models: two classes, ten classes, three labels, numbers."""
    rng = np.random.default_rng(0)
    split = rng.choice(["train", "train_dev", "dev"], n, p=[0.8, 0.1, 0.1])
    head = pd.DataFrame({"id": np.arange(n), "split": split})
    y = rng.integers(0, 2, n)
    p = np.clip(0.2 + 0.6 * y + rng.normal(0, 0.25, n), 0.001, 0.999)
    words = np.array(["no", "yes"])
    plain = head.assign(y_true=words[y], y_pred=words[(p >= 0.5).astype(int)], p_yes=p, p_no=1 - p)
    for name, table in (("plain", plain), ("grouped", plain.assign(group=rng.integers(0, n // 20, n)))):
        table.to_parquet(folder / f"{name}.parquet")
        table.to_csv(folder / f"{name}.csv", index=False)
    ten = rng.integers(0, 10, n)
    answered = np.where(rng.random(n) < 0.1, rng.integers(0, 10, n), ten)
    head.assign(y_true=ten, y_pred=answered).to_parquet(folder / "ten.parquet")
    labels = {}
    for name in ("car", "dog", "sign"):
        truth = rng.integers(0, 2, n)
        labels |= {f"y_true:{name}": truth, f"y_pred:{name}": np.where(rng.random(n) < 0.1, 1 - truth, truth)}
    head.assign(**labels).to_parquet(folder / "labels.parquet")
    value = rng.normal(50, 10, n)
    head.assign(y_true=value, y_pred=value + rng.normal(0, 3, n)).to_parquet(folder / "numbers.parquet")


def main() -> None:
    """Times each ladder and the bare reading of its file in every round, and prints a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    asked = parser.parse_args()
    costs: dict[str, list[tuple[float, float, float]]] = {label: [] for label, _, _ in FORMS}
    with tempfile.TemporaryDirectory(prefix="mlproj-bench-") as name:
        folder = Path(name)
        write_files(folder, asked.rows)
        for _ in range(asked.rounds):
            for label, file, words in FORMS:
                whole = measure([*LADDER, file, *words], folder)
                bare = measure([sys.executable, "-c", READ[Path(file).suffix].format(file)], folder)
                costs[label].append((whole.wall, whole.wall / bare.wall, whole.peak))
    print(f"{describe()}\n{asked.rows:,} predictions, whole process, median of {asked.rounds} (smallest to largest)\n")
    print(f"{'':24}{'wall s':>8}{'':20}{'to pandas reading the file':>28}{'peak MB':>10}")
    for label, rows in costs.items():
        walls, ratios, peaks = (list(column) for column in zip(*rows, strict=True))
        spread = f"({min(walls):.2f} to {max(walls):.2f})"
        ratio = f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
        print(f"{label:24}{statistics.median(walls):8.2f}  {spread:18}{ratio:>28}{max(peaks):10.0f}")


if __name__ == "__main__":
    main()
