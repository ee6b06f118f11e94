"""Where the time of a process goes, stage by stage: a thread that looks every few milliseconds at what runs.

A stage is a package that is being imported, or a room of mlproj; which, the frames of a thread tell, so that nothing
of mlproj has to be changed or named here by line or function. At each look a thread's wall time and its own CPU time
since the last one go to the stage that it is in: wall without CPU is waiting. Only the standard library is imported.

`start()` is called by a `sitecustomize.py` in every Python process of a measured command; forks go on with counters
of their own. What was counted is written to a folder, again and again, for workers are ended without a word.
"""

import atexit
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

FOLDER = "MLPROJ_STAGES"
"""Environment variable: where the counters are written."""
PACKAGES = (
    "torch", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "matplotlib", "optuna", "sqlalchemy", "alembic",
    "mlflow", "pydantic", "yaml", "typer", "rich", "mlproj",
)  # fmt: skip
"""Packages whose import is a stage; the time of others goes to whichever of these imports them."""
ROOMS: Mapping[str, str] = {
    "mlproj.cli": "command line",
    "mlproj.spec": "project file",
    "mlproj.workflow": "workflow",
    "mlproj.track": "tracking",
    "mlproj.searching": "search: asks, tells, ranking",
    "mlproj.searching.matrix": "matrix of trials and examples",
    "mlproj.searching.pictures": "pictures",
    "mlproj.searching.panels": "pictures",
    "mlproj.engine": "engine: messages, waiting",
    "mlproj.fleet": "planning, crews",
    "mlproj.training": "setting up, results",
    "mlproj.training.loop": "updates",
    "mlproj.training.step": "updates",
    "mlproj.training.derived": "updates",
    "mlproj.training.slopes": "updates",
    "mlproj.training.optimizers": "updates",
    "mlproj.training.batches": "updates",
    "mlproj.training.flat": "updates",
    "mlproj.training.examine": "looks at dev and train",
    "mlproj.training.outputs": "looks at dev and train",
    "mlproj.training.looks": "looks at dev and train",
    "mlproj.training.resources": "latency and size",
    "mlproj.metrics": "looks at dev and train",
    "mlproj.zoo": "updates",
    "mlproj.data": "reading, dealing, encoding",
    "mlproj.records": "records, files",
    "mlproj.diagnose": "diagnosis",
}
"""Stages by module; the longest name that fits counts."""
_ROLES = {"mlproj.engine.server": "fork server", "mlproj.track.server": "tracking"}
_FORKS = {"fork server": "worker", "tracking": "tracking session"}
_SECONDS, _KEEP_SECONDS = 0.003, 0.25


def stage_of(frame: FrameType | None) -> str:
    """What a thread does, by its innermost frame."""
    fallback = "other"
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name == "importlib._bootstrap":
            package = _imported(frame)
            if package in PACKAGES:
                return f"import {package}"
            fallback = "import others" if package else fallback
        elif name.startswith("mlproj.") and (stage := _room(name)):
            return stage
        frame = frame.f_back
    return fallback


def _imported(frame: FrameType) -> str:
    """The package that a frame of the import system is at; "" for other frames of it."""
    if frame.f_code.co_name != "_find_and_load":
        return ""
    return str(frame.f_locals.get("name", "")).partition(".")[0]


def _room(module: str) -> str:
    while module:
        if module in ROOMS:
            return ROOMS[module]
        module = module.rpartition(".")[0]
    return ""


class Stages:
    """Counts, and writes down what it has counted.

    Args:
        folder: Where to.
        role: What the process is.
        started: CPU seconds that it has used before, for the start of Python.
    """

    def __init__(self, folder: Path, role: str, *, started: float = 0.0) -> None:
        self.folder, self.role = folder, role
        self.begin(started)

    def begin(self, started: float = 0.0) -> None:
        """Counts from now on.

        Args:
            started: CPU seconds that were used before, for the start of Python.
        """
        self.born, self.cpu, self.own = time.time(), time.process_time() - started, 0.0
        self.main: dict[str, list[float]] = {"start of Python": [started, started]} if started else {}
        self.side: dict[str, float] = {}
        self._clocks: dict[int, float] = {}
        self._last = self._kept = time.perf_counter()
        self._thread = threading.Thread(target=self._run, name="stages", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Charges the time since the last look."""
        now, here = time.perf_counter(), threading.get_ident()
        passed, self._last = now - self._last, now
        main = threading.main_thread().ident
        for ident, frame in sys._current_frames().items():
            spent = time.clock_gettime(time.pthread_getcpuclockid(ident))
            before = self._clocks.get(ident, spent if ident == main else 0.0)
            cpu = spent - before if spent >= before else spent  # a new thread may have the number of an old one
            self._clocks[ident] = spent
            if ident == here:
                self.own += cpu
                continue
            stage = stage_of(frame)
            if ident == main:
                each = self.main.setdefault(stage, [0.0, 0.0])
                each[0] += passed
                each[1] += cpu
            else:
                self.side[stage] = self.side.get(stage, 0.0) + cpu

    def keep(self) -> None:
        """Writes the counters down."""
        self._kept = time.perf_counter()
        file = self.folder / f"{os.getpid()}-{self.born:.6f}.json"
        file.with_suffix(".new").write_text(json.dumps(self.document()))
        file.with_suffix(".new").replace(file)

    def document(self) -> dict[str, Any]:
        """What was counted so far; all in seconds."""
        return {
            "role": self.role,
            "from": self.born,
            "to": time.time(),
            "cpu": time.process_time() - self.cpu - self.own,
            "main": self.main,
            "side": self.side,
        }

    def _run(self) -> None:
        thread = threading.current_thread()
        while thread is self._thread:
            self.look()
            if self._last - self._kept > _KEEP_SECONDS:
                self.keep()
            time.sleep(_SECONDS)


def start() -> None:
    """Counts in this process and all its forks; nothing without the environment variable."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    sys.setswitchinterval(0.001)
    said = " ".join(sys.orig_argv)
    role = next((role for text, role in _ROLES.items() if text in said), "driver")
    counting = Stages(Path(folder), role, started=time.process_time())
    leave = os._exit

    def forked() -> None:
        counting.role = _FORKS.get(counting.role, counting.role)
        counting.begin()

    def left(status: int) -> NoReturn:
        counting.keep()
        leave(status)

    os.register_at_fork(after_in_child=forked)
    atexit.register(counting.keep)
    os._exit = left
