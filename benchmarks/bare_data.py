"""mlproj's data path without tracking: load, one epoch, nothing recorded.

python benchmarks/bare_data.py FOLDER
"""

import itertools
import resource
import sys
import time
from pathlib import Path

from mlproj.data import load_dataset
from mlproj.spec import load_project
from mlproj.training import fit, resolve


def main() -> None:
    """Prints the seconds of both steps, and the peak memory beyond the imports in MB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    marks = [(time.perf_counter(), time.process_time())]
    project = load_project(Path(sys.argv[1]) / "project.yaml")
    dataset = load_dataset(project, store=project.root / "mlruns" / "splits")
    marks.append((time.perf_counter(), time.process_time()))
    fit(resolve(project, dataset), dataset)
    marks.append((time.perf_counter(), time.process_time()))
    steps = [f"{b[0] - a[0]:.2f} s ({b[1] - a[1]:.2f} CPU)" for a, b in itertools.pairwise(marks)]
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6
    print(f"load {steps[0]}, fit {steps[1]}, peak +{peak:.0f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
