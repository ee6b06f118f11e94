"""Nobody waits for MLflow's import: no process of a training or a search does it where the store is ours."""

import os
import subprocess
import sys
from pathlib import Path

HOOK = """
import os, sys

def note(event, given):
    if event == "import" and given[0] in ("mlflow", "sqlalchemy", "alembic"):
        say(given[0])

def say(what):
    with open(os.environ["NOTES"], "a") as file:
        file.write(f"{os.getpid()} {what} {' '.join(sys.orig_argv[:4])[:80]!r}\\n")

say("started")
sys.addaudithook(note)
"""
PROJECT = 'name: digits\ndata: {source: "sklearn:digits"}\nmodel: {kind: mlp, hidden: [4]}\ntraining: {epochs: 1}\n'
PROGRAM = """
import mlproj

if __name__ == "__main__":
    mlproj.train(".")
    mlproj.train(".", seeds=2)
    mlproj.search(".", trials=2, workers=2, engine="process")
    mlproj.diagnose_bias_variance("latest", project=".")
    assert {run.kind for run in mlproj.runs(".").runs} >= {"train", "search"}
"""


def test_no_process_of_a_training_or_a_search_imports_mlflow(tmp_path: Path) -> None:
    for name, text in (("sitecustomize.py", HOOK), ("project.yaml", PROJECT), ("program.py", PROGRAM)):
        (tmp_path / name).write_text(text)
    path = os.pathsep.join([str(tmp_path), *sys.path])
    environment = os.environ | {"PYTHONPATH": path, "NOTES": str(tmp_path / "notes.txt"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "program.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    notes = (tmp_path / "notes.txt").read_text().splitlines()
    assert [line for line in notes if " started " not in line] == []
    assert len(notes) >= 3, "the driver, the child that keeps the runs, the server of workers"
