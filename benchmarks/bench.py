"""Everything that `make bench` measures, and its dated report in docs/benchmarks/.

    python benchmarks/bench.py [--quick] [--only many,width] [--rounds 5] [--out FOLDER]

--quick tries every part at a size that says nothing, in a minute or two, and writes its report to a temporary folder.
--only measures some contests or further scripts, by name, and keeps what the report of the day has of the others.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from bench_page import write_pages  # noqa: E402
from contests import contests, knows_halving, run  # noqa: E402
from machine import Failed, clean_environment, measure, processor, versions, without_paths  # noqa: E402

PAGES = HERE.parent / "docs" / "benchmarks"
FURTHER: tuple[tuple[str, tuple[str, ...], tuple[str, ...] | None], ...] = (
    ("startup.py", (), ("--rounds", "1")),
    ("ladder_at_scale.py", ("--rounds", "2"), None),
    ("tracking_cost.py", ("--rounds", "5"), ("--trials", "4", "--epochs", "2", "--rounds", "1")),
    ("data_path.py", ("--rounds", "2"), None),
    ("search_profile.py", ("--rounds", "3"), ("--trials", "4", "--epochs", "2", "--rounds", "1")),
    ("mask_study.py", ("--cost",), ("--data", "wine", "--seeds", "2", "--pool", "64", "--fresh", "2", "--rounds", "1")),
    ("halving_study.py", ("--seeds", "10"), ("--seeds", "1", "--trials", "16", "--epochs", "4")),
)
"""Scripts whose table goes into the report as it is: name, arguments, and those of a quick run (None: left out of it).
One that is not there is left out and named."""
PACKAGES = ("torch", "numpy", "scikit-learn", "optuna", "mlflow", "lightning", "skorch", "ray")


def main() -> None:
    """Measures, writes, and ends with exit code 1 where something failed."""
    parser = argparse.ArgumentParser(description="Measures mlproj against its peers and writes a dated report.")
    parser.add_argument("--quick", action="store_true", help="only try that everything runs")
    parser.add_argument("--only", default="", help="names of contests or scripts, with commas between")
    parser.add_argument("--rounds", type=int, help="rounds of every contest")
    parser.add_argument("--out", type=Path, help="where the report goes; docs/benchmarks when left out")
    options = parser.parse_args()
    out = options.out or (Path(tempfile.mkdtemp(prefix="mlproj-bench-")) if options.quick else PAGES)
    file = out / f"{date.today()}.json"
    began, only = time.monotonic(), [name for name in options.only.split(",") if name]
    results = begin(file, " ".join(["make bench", *_said()]), is_partial=bool(only), is_quick=options.quick)
    before = results.get("minutes", 0.0)
    out.mkdir(parents=True, exist_ok=True)
    for _ in measure_all(results, options, only, tell):  # kept part by part: what is cut off goes on with --only
        results["minutes"] = round(before + (time.monotonic() - began) / 60, 1)
        file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    write_pages(out)
    tell(f"wrote {without_paths(str(file.with_suffix('.md')))} after {results['minutes']} minutes")
    sys.exit(1 if any("failed" in note for notes in results["notes"].values() for note in notes) else 0)


def begin(file: Path, command: str, *, is_partial: bool, is_quick: bool) -> dict[str, Any]:
    """What is known before anything is measured; the day's earlier results where only some are measured anew."""
    earlier = json.loads(file.read_text(encoding="utf-8")) if is_partial and file.is_file() else {}
    blank: dict[str, Any] = {"contests": {}, "texts": {}, "notes": {}, "commands": []}
    machine = {"processor": processor(), "cores": os.cpu_count(), "system": platform.system()}
    results = blank | earlier | {"date": str(date.today()), "machine": machine, "revision": revision()}
    results["is_quick"] = is_quick
    results["versions"] = {"Python": platform.python_version(), **versions(*PACKAGES)}
    results["commands"] = [*results["commands"], command]
    return results


def measure_all(
    results: dict[str, Any], options: argparse.Namespace, only: Sequence[str], tell: Callable[[str], None]
) -> Iterator[str]:
    """Runs the contests and further scripts that are asked for; gives each name once the results hold what it says."""
    halves = knows_halving()
    todo = contests(quick=options.quick, halves=halves)
    known = [contest.key for contest in todo] + [script for script, _, _ in FURTHER]
    if unknown := [name for name in only if name not in known]:
        sys.exit(f"--only: {', '.join(unknown)}: no such part; there are {', '.join(known)}")
    for contest in todo:
        if not only or contest.key in only:
            some = replace(contest, rounds=options.rounds) if options.rounds else contest
            results["contests"][contest.key], results["notes"][contest.key] = run(some, tell)
            if contest.key == "many" and not halves:
                results["notes"]["many"].append("halving was left out: this mlproj knows no `search.halving: auto`")
            yield contest.key
    for script, whole, quick in FURTHER:
        arguments = quick if options.quick else whole
        if (not only or script in only) and arguments is not None:
            tell(script)
            results["texts"][script], results["notes"][script] = told(script, arguments)
            yield script


def told(script: str, arguments: Sequence[str]) -> tuple[str, list[str]]:
    """What a further script prints, and what went wrong."""
    file = HERE / script
    if not file.is_file():
        return "", [f"{script} was left out: it is not there"]
    with tempfile.TemporaryDirectory(prefix="mlproj-bench-") as folder:
        try:
            cost = measure([sys.executable, str(file), *arguments], Path(folder), clean_environment())
        except Failed as error:
            return "", [f"{script} failed: {without_paths(str(error))}"]
    return without_paths(cost.output).strip(), []


def revision() -> str:
    """The commit that is measured; a plus where files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=8", "--exclude=*"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def tell(line: str) -> None:
    """A line for whoever waits."""
    print(line, file=sys.stderr, flush=True)


def _said() -> list[str]:
    """The options as `make` takes them."""
    words = [without_paths(word) for word in sys.argv[1:]]
    return [f"BENCH='{' '.join(words)}'"] if words else []


if __name__ == "__main__":
    main()
