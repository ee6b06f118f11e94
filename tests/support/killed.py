"""Commands that are killed in the middle, once trainings under way were kept."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mlproj.training.snapshot import read_snapshot, write_snapshot
from mlproj.training.snapshot_head import epochs_of

KEPT = Path("mlruns", "cache", "trainings")
EPOCHS = 15
MARK = 77.0


def kept_in(home: Path, *parts: str) -> list[Path]:
    """The snapshots in a project's store that are whole."""
    return sorted((home / KEPT).joinpath(*parts).glob("[!.]*.safetensors"))


def kill_once_kept(code: str, home: Path, n: int, *parts: str, study: str = "") -> list[Path]:
    """Runs code in a process of its own, with the project as its argument, and kills it when n trainings are under way.

    All are some epochs on by then, so that the store knows of them too; with a study, not before that is begun.
    """

    def is_time() -> bool:
        journal = home / "mlruns" / "optuna.journal"
        is_begun = not study or (journal.exists() and study in journal.read_text(encoding="utf-8"))
        return is_begun and len([file for file in kept_in(home, *parts) if epochs_of(file) >= EPOCHS]) >= n

    driver = subprocess.Popen(
        [sys.executable, "-c", code, str(home)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "MLPROJ_SNAPSHOT_SECONDS": "0"},
    )
    try:
        until = time.monotonic() + 120
        while not is_time() and driver.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
    finally:
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    return kept_in(home, *parts)


def mark(snapshot: Path) -> None:
    """Writes a first training loss that no training has: what goes on from here shows it."""
    found = read_snapshot(snapshot)
    found.course.history["train/loss"][0] = MARK
    write_snapshot(found, snapshot)
