"""What a figure was measured on, and how one process is measured."""

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from subprocess import Popen


@dataclass(frozen=True)
class Cost:
    """What one process cost from start to end.

    Attributes:
        wall: Wall seconds.
        cpu: CPU seconds, with its children.
        peak: Peak memory in MB of the largest of its processes.
        others: CPU seconds that other processes used meanwhile, per wall second; nan where nobody counts them.
        output: What it wrote to standard output.
    """

    wall: float
    cpu: float
    peak: float
    others: float = float("nan")
    output: str = ""


class Failed(SystemExit):
    """A measured command ended with an error; its message says which."""


def measure(command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> Cost:
    """Runs a command in a folder and measures it as a whole process.

    Args:
        command: Program and arguments.
        folder: Where it runs.
        env: Its environment; this process's when left out.

    Raises:
        Failed: When the command fails.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        busy, ours, began = _busy(), _ours(), time.perf_counter()
        process = Popen(command, cwd=folder, env=None if env is None else dict(env), stdout=output, stderr=None)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        others = (_busy() - busy - (_ours() - ours)) / wall
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise Failed(f"`{' '.join(command)}` ended with exit code {process.returncode}")
        output.seek(0)
        unit = 1 if sys.platform == "darwin" else 1024
        cpu = usage.ru_utime + usage.ru_stime
        return Cost(wall, cpu, usage.ru_maxrss * unit / 1e6, others, output.read())


def describe() -> str:
    """Date, processor and versions."""
    packages = ", ".join(f"{name} {found}" for name, found in versions("torch", "mlflow", "numpy").items())
    return f"{date.today()} · {processor()}, {os.cpu_count()} cores · Python {platform.python_version()}, {packages}"


def processor() -> str:
    """What the processor calls itself."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def versions(*packages: str) -> dict[str, str]:
    """The versions of those packages that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def clean_environment(threads: int | None = None) -> dict[str, str]:
    """This environment, with the package and the benchmarks of this checkout, and only the given limit on threads."""
    here = Path(__file__).resolve().parent
    limits = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    kept = {name: value for name, value in os.environ.items() if name not in limits}
    kept |= dict.fromkeys(limits, str(threads)) if threads else {}
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "RAY_USAGE_STATS_ENABLED": "0", "PYTHONWARNINGS": "ignore"}
    return kept | quiet | {"PYTHONPATH": os.pathsep.join([str(here.parent), str(here)])}


def without_paths(text: str) -> str:
    """A text without what is this machine's alone: the checkout, the folder of temporary files, the interpreter."""
    for place in (sys.executable, shutil.which("python") or sys.executable):
        text = text.replace(place, "python")
    root = Path(__file__).resolve().parent.parent
    return text.replace(f"{root}{os.sep}", "").replace(str(root), ".").replace(tempfile.gettempdir(), "TMP")


def _busy() -> float:
    """CPU seconds that all processes of this machine have used so far; nan where /proc does not tell."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return float("nan")
    user, nice, system, _, _, irq, softirq, *_ = (int(word) for word in stat.read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _ours() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    return sum(each.ru_utime + each.ru_stime for each in (getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)))
