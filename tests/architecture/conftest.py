"""What the architecture tests share: the repository, and fresh processes to look into."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Probe = Callable[[str], set[str]]
_REPORT = "import sys; print('\\n'.join(['', *sys.modules]), file=sys.stderr)"


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture
def modules_after() -> Probe:
    """Runs Python code in a fresh process and returns the top-level names and modules that it imported."""

    def probe(code: str) -> set[str]:
        wrapped = f"try:\n    exec({code!r})\nexcept SystemExit:\n    pass\n{_REPORT}"
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        done = subprocess.run(
            [sys.executable, "-c", wrapped],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": path},
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return set(done.stderr.splitlines())

    return probe
