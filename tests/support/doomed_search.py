"""Searches that die: a driver that kills itself with SIGKILL at a moment that was drawn for it.

    python doomed_search.py FOLDER new|resume WRITES SECONDS BOTH ENGINE

It dies inside its WRITES-th write to the journal (half of which reaches the file), or after SECONDS, whatever comes
first; with BOTH=1 the process that keeps the runs dies with it, as in a power cut. Without either it ends by itself.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import mlproj
from mlproj.track import channel

CHILDREN: list[int] = []


def die(both: bool) -> None:
    for child in CHILDREN if both else ():
        os.kill(child, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def arm(writes: int, seconds: float, both: bool) -> None:
    """Sets the traps."""
    spawn, write = channel._spawn, os.write
    count = 0

    def spawn_noted(*arguments: Any, **options: Any) -> Any:
        process = spawn(*arguments, **options)
        CHILDREN.append(process.pid)
        return process

    def write_or_die(fd: int, data: bytes) -> int:
        nonlocal count
        if b"op_code" not in data:
            return write(fd, data)
        count += 1
        if count == writes:
            write(fd, data[: len(data) // 2])
            die(both)
        return write(fd, data)

    setattr(channel, "_spawn", spawn_noted)  # noqa: B010  a trap, not an implementation
    setattr(os, "write", write_or_die)  # noqa: B010
    if seconds:
        timer = threading.Timer(seconds, die, (both,))
        timer.daemon = True
        timer.start()


def main() -> None:
    folder, how, writes, seconds, both, engine = sys.argv[1:]
    arm(int(writes), float(seconds), both == "1")
    found = mlproj.search(Path(folder), resume=how == "resume", engine=engine, workers=1 if engine == "auto" else 2)
    sys.stdout.write(json.dumps(found.document()))


if __name__ == "__main__":
    main()
