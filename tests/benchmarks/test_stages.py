"""The profile of stages: what a process does is named, in forks and in processes that end without a word, too."""

import sys
from pathlib import Path

import pytest
from search_profile import profiled, tell_stages

_SCRIPT = """
import os, time
import pandas
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
    time.sleep(0.4)
else:
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    os._exit(0)
"""


def test_imports_waiting_and_forks_are_seen(tmp_path: Path) -> None:
    _, found = profiled([sys.executable, "-c", _SCRIPT], tmp_path)
    parent, child = sorted(found, key=lambda each: each["from"])
    wall, cpu = parent["main"]["import pandas"]
    assert wall > 0.05
    assert cpu > 0.05
    wall, cpu = parent["main"]["other"]
    assert wall > 0.6  # it only waits and sleeps
    assert cpu < 0.2
    assert set(child["main"]) == {"other"}
    assert child["main"]["other"][1] == pytest.approx(0.3, abs=0.2)


def test_stages_too_short_to_matter_are_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    tell_stages("driver", [({"import torch": [1.0, 0.5], "a": [0.004, 0.0], "b": [0.003, 0.0]}, {"import torch": 0.2})])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].split() == ["import", "torch", "1.000", "0.500", "0.200"]
    assert lines[-1].split() == ["shorter", "ones", "0.007", "0.000"]
