"""Who drives a run: enough about a process to tell later whether it still lives.

A run whose driver died by `kill -9` or a power cut would stay RUNNING for ever; the next start finds it by this tag.
"""

import os
import socket
from pathlib import Path
from typing import Final

TAG: Final = "mlproj.driver"


def describe_driver(pid: int | None = None) -> str:
    """This process as ``host|boot|namespace|pid|started``.

    Args:
        pid: Another process of this machine instead of this one.
    """
    pid = os.getpid() if pid is None else pid
    return "|".join((*_machine(), str(pid), _started(pid)))


def is_dead(driver: str) -> bool:
    """Whether a driver is known to be gone; False when it cannot be told, as for another machine's.

    Args:
        driver: What `describe_driver` said.

    Example:
        >>> is_dead(describe_driver())
        False
        >>> is_dead("elsewhere|||17|")
        False
    """
    parts = driver.split("|")
    if len(parts) != 5 or not parts[3].isdecimal():
        return False
    (host, boot, namespace), pid, started = parts[:3], int(parts[3]), parts[4]
    here = _machine()
    if host != here[0]:
        return False
    if boot != here[1]:
        return True
    return namespace == here[2] and _started(pid) != started


def _machine() -> tuple[str, str, str]:
    """Host name, an id of this boot, and the namespace that process ids belong to (empty where unknown)."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    return (
        socket.gethostname().replace("|", "_"),
        boot.read_text(encoding="ascii").strip() if boot.is_file() else "",
        str(namespace.readlink()) if namespace.is_symlink() else "",
    )


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot (a pid alone is given out again); "gone" when there is none.

    Where there is no /proc, a living process answers "" whenever it started.
    """
    if Path("/proc/self/stat").is_file():
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return "gone"
        fields = text.rpartition(")")[2].split()  # the name in parentheses may hold spaces
        return "gone" if fields[0] in ("Z", "X") else fields[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        pass
    return ""
