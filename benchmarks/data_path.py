"""From a large file to one trained epoch: mlproj against pandas and a per-row DataLoader, whole processes.

A contender is a fresh process; those of a round run one after the other in turning order, and ratios are taken within
a round. "read" starts without mlproj's cache, "cached" finds the one that a run before it left. File pages are warm.

    python benchmarks/data_path.py [--rows 1000000] [--rounds 3] [--columns 50]
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from machine import Cost, describe, measure
from pyarrow import csv, parquet

HERE = Path(__file__).resolve().parent
PLAIN = "pandas, DataLoader (CSV)"
PROJECT = """name: rows-{kind}
data: {{source: ../rows.{kind}, label: y{identity}}}
model: {{kind: mlp, hidden: [64, 64]}}
training: {{epochs: 1, batch_size: 1024}}
"""


def make_files(folder: Path, n: int, n_columns: int) -> None:
    """A linear problem as CSV and Parquet, and a project for each; with and without a column that names the rows."""
    random = np.random.default_rng(0)
    x = random.standard_normal((n, n_columns), dtype=np.float32)
    columns = {f"x{i}": x[:, i] for i in range(n_columns)}
    table = pa.table(columns | {"y": (x @ random.standard_normal(n_columns) > 0).astype(np.int64), "uid": np.arange(n)})
    csv.write_csv(table, folder / "rows.csv")
    parquet.write_table(table, folder / "rows.parquet")
    for kind in ("csv", "parquet"):
        for name, identity in ((kind, ", id: uid"), (f"{kind}-hashed", ", exclude: [uid]")):
            (folder / name).mkdir()
            (folder / name / "project.yaml").write_text(PROJECT.format(kind=kind, identity=identity))
    time.sleep(2.1)  # files that changed a moment ago are not cached


def variants(folder: Path) -> dict[str, tuple[list[str], Path, bool]]:
    """Command, project folder and whether it may find a cache, by name."""
    found: dict[str, tuple[list[str], Path, bool]] = {
        PLAIN: ([sys.executable, str(HERE / "plain_data.py"), "rows.csv"], folder, False)
    }
    for name, place in (("CSV", "csv"), ("Parquet", "parquet"), ("CSV, hashed ids", "csv-hashed")):
        home = folder / place
        train = [sys.executable, "-m", "mlproj", "--project", str(home), "train", "--quiet"]
        bare = [sys.executable, str(HERE / "bare_data.py"), str(home)]
        found |= {f"mlproj train, {name}, read": (train, home, False), f"bare, {name}, read": (bare, home, False)}
        if name != "Parquet":  # out of the cache both are the same
            found |= {f"mlproj train, {name}, cached": (train, home, True)}
            found |= {f"bare, {name}, cached": (bare, home, True)}
    return found


def run_round(folder: Path, at: int) -> dict[str, Cost]:
    """Every contender once; those that read come without a cache, those out of the cache after one was made."""
    commands = list(variants(folder).items())
    at = at % len(commands)
    costs = {}
    for name, (command, home, is_cached) in commands[at:] + commands[:at]:
        if is_cached and not list((home / "mlruns" / "cache" / "data").glob("*.bin")):
            for _ in range(2):  # the first also makes the store
                measure([sys.executable, str(HERE / "bare_data.py"), str(home)], home)
        elif not is_cached:
            shutil.rmtree(home / "mlruns" / "cache", ignore_errors=True)
        costs[name] = measure(command, home)
        print(f"  {name}: {costs[name].wall:.2f} s, {costs[name].cpu:.2f} CPU, {costs[name].peak:.0f} MB", flush=True)
    return costs


def main() -> None:
    """Runs the rounds and prints a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlproj-bench-") as name:
        make_files(Path(name), asked.rows, asked.columns)
        rounds = [run_round(Path(name), at) for at in range(asked.rounds)]
    matrix = asked.rows * asked.columns * 4 / 1e6
    print(
        f"{describe()}\n{asked.rows:,} × {asked.columns}, float32 matrix {matrix:.0f} MB, load {os.getloadavg()[0]:.1f}"
    )
    print(f"{len(rounds)} rounds; medians, ratios within a round (smallest to largest)\n")
    print(f"{'whole process':40}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}   wall ratio, CPU ratio to {PLAIN}")
    for label in rounds[0]:
        costs = [row[label] for row in rounds]
        ratios = sorted(row[label].wall / row[PLAIN].wall for row in rounds)
        cpus = statistics.median(row[label].cpu / row[PLAIN].cpu for row in rounds)
        wall, cpu, peak = (statistics.median(getattr(cost, unit) for cost in costs) for unit in ("wall", "cpu", "peak"))
        spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}), {cpus:.2f}"
        print(f"{label:40}{wall:8.2f}{cpu:8.2f}{peak:9.0f}   {spread}")


if __name__ == "__main__":
    main()
