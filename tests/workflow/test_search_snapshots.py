"""A search whose driver is killed goes on with the trainings that were under way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mlproj

SPEC = """\
name: digits
data: {source: "sklearn:digits"}
model: {layers: 1, width: 16}
training: {epochs: 60, batch_size: 32, early_stopping: null}
search: {trials: 4, rounds: 1, halving: none, space: {training.learning_rate: {log: [0.0001, 0.1]}}}
"""
SCRIPT = "import sys, mlproj; mlproj.search(sys.argv[1], engine='fleet', workers=2)"


@pytest.mark.filterwarnings("default")  # MLflow's own imports warn
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_fleet_goes_on_from_its_snapshots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setenv("MLPROJ_SNAPSHOT_SECONDS", "0")
    homes = [tmp_path / name / "digits" for name in ("whole", "killed")]
    for home in homes:
        home.mkdir(parents=True)
        (home / "project.yaml").write_text(SPEC, encoding="utf-8")
    whole = mlproj.search(homes[0], engine="fleet", workers=workers)
    kept = homes[1] / "mlruns" / "cache" / "trainings"
    driver = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.replace("workers=2", f"workers={workers}"), str(homes[1])],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        until = time.monotonic() + 120
        while len(list(kept.glob("[!.]*"))) < 4 and time.monotonic() < until:
            time.sleep(0.01)
    finally:
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    snapshots = list(kept.glob("[!.]*"))
    assert len(snapshots) == 4
    resumed = mlproj.search(homes[1], engine="fleet", workers=workers, resume=True)
    trials, others = (sorted(found.found.trials, key=lambda trial: trial.number) for found in (whole, resumed))
    for one, other in zip(trials, others, strict=True):
        assert {**one.metrics, "latency_ms": 0} == {**other.metrics, "latency_ms": 0}
    assert not kept.exists()
