"""What a figure was measured on, and how one process is measured."""

import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from subprocess import DEVNULL, Popen


@dataclass(frozen=True)
class Cost:
    """What one process cost from start to end: wall and CPU seconds (with its children), peak memory in MB."""

    wall: float
    cpu: float
    peak: float


def measure(command: Sequence[str], folder: Path) -> Cost:
    """Runs a command in a folder and measures it as a whole process.

    Raises:
        SystemExit: When the command fails.
    """
    began = time.perf_counter()
    process = Popen(command, cwd=folder, stdout=DEVNULL, stderr=None)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"`{' '.join(command)}` ended with exit code {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6)


def describe() -> str:
    """Date, processor and versions."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    processor = names[0] if names else platform.processor() or platform.machine()
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "mlflow", "numpy"))
    return f"{date.today()} · {processor}, {os.cpu_count()} cores · Python {platform.python_version()}, {packages}"
