"""Nothing is lost: drivers that are killed at drawn moments, gone on with, against a search that nobody disturbed."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pytest

import mlproj
from mlproj.searching import latest_study, open_storage
from mlproj.workflow.search import Searched

KILLS = int(os.environ.get("MLPROJ_KILLS", "20"))
DOOMED = Path(__file__).resolve().parent.parent / "support" / "doomed_search.py"
SPEC = """\
name: digits
data: {source: "sklearn:digits"}
training: {epochs: 2}
search:
  trials: 24
  seeds: 2
  space:
    training.learning_rate: {log: [0.0001, 1.0]}
    training.beta1: {one_minus_log: [0.9, 0.999]}
    model.hidden: {choice: [[4], [8, 4], [16]]}
"""


def write_project(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "project.yaml").write_text(SPEC, encoding="utf-8")
    return folder


def run_doomed(home: Path, how: str, writes: int, seconds: float, both: bool, engine: str) -> Any:
    """The document of a search; None when it died."""
    words = [str(home), how, str(writes), str(seconds), str(int(both)), engine]
    done = subprocess.run(
        [sys.executable, str(DOOMED), *words],
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    if done.returncode == -9:
        return None
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def has_begun(home: Path) -> bool:
    """Whether there is a search to go on with."""
    journal = home / "mlruns" / "optuna.journal"
    whole = journal.read_bytes().rpartition(b"\n")[0] if journal.exists() else b""
    return b'"mlproj"' in whole


def is_over(home: Path) -> bool:
    """Whether the search has written down that it ended."""
    if not has_begun(home):
        return False
    study = latest_study(open_storage(home / "mlruns" / "optuna.journal", None), "digits")
    return study is not None and study.ended == "trials"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    return mlproj.search(write_project(tmp_path_factory.mktemp("undisturbed") / "digits"), workers=1)


@pytest.mark.filterwarnings("default")  # MLflow's own imports warn
def test_a_search_that_is_killed_again_and_again_finds_what_an_undisturbed_one_finds(
    undisturbed: Searched, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    kills, homes = 0, 0
    while kills < KILLS:
        home, document = write_project(tmp_path / f"digits-{homes}"), None
        homes += 1
        while document is None and not is_over(home):
            writes = draw.choice([0, draw.randint(1, 60)])
            seconds = 0.0 if writes else draw.uniform(1.0, 6.0)
            engine = draw.choice(["auto", "auto", "process"])
            if kills >= KILLS:
                writes, seconds = 0, 0.0
            how = "resume" if has_begun(home) else "new"
            document = run_doomed(home, how, writes, seconds, draw.random() < 0.3, engine)
            kills += document is None
        if document is not None:  # else it was killed between its end and its last word
            check_same(document, undisturbed.document())
        check_nothing_lost_or_doubled(home)


def check_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for key in ("trials", "complete", "failed", "stopped", "rounds", "importance", "edges"):
        assert found[key] == expected[key], key
    for key in ("number", "params", "value", "feasible"):
        assert found["best"][key] == expected["best"][key], key
    for ours, theirs in zip(found["finalists"], expected["finalists"], strict=True):
        assert [ours[key] for key in ("number", "params", "value", "seeds")] == [
            theirs[key] for key in ("number", "params", "value", "seeds")
        ]
    assert found["verdict"]["text"] == expected["verdict"]["text"]


def check_nothing_lost_or_doubled(home: Path) -> None:
    """Asks Optuna's and MLflow's own clients."""
    import mlflow

    backend = optuna.storages.journal.JournalFileBackend(str(home / "mlruns" / "optuna.journal"))
    storage = optuna.storages.JournalStorage(backend)
    rounds = [f"digits/search-1/round-{number}" for number in (1, 2)]
    trials = [t for name in rounds for t in optuna.load_study(study_name=name, storage=storage).get_trials()]
    own = [trial for trial in trials if "number" in trial.user_attrs]
    finished = [trial for trial in own if trial.state == optuna.trial.TrialState.COMPLETE]
    assert sorted(trial.user_attrs["number"] for trial in finished) == list(range(24))
    assert not [trial for trial in trials if not trial.state.is_finished()]
    assert max(Counter(json.dumps(trial.params, sort_keys=True) for trial in finished).values()) == 1
    client = mlflow.MlflowClient(f"sqlite:///{home}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], max_results=5000)
    assert not [run.info.run_id for run in runs if run.info.status == "RUNNING"]
    parents = [run for run in runs if run.data.tags["mlproj.kind"] == "search" and run.info.status == "FINISHED"]
    assert len(parents) == 1
    for trial in finished:
        run = client.get_run(trial.user_attrs["run_id"])
        assert run.info.status == "FINISHED"
        assert run.data.metrics["dev/error"] == trial.value
        assert run.data.tags["mlflow.parentRunId"] == parents[0].info.run_id
    ended = Counter(
        run.data.tags["mlproj.number"]
        for run in runs
        if run.data.tags["mlproj.kind"] == "trial"
        and run.info.status == "FINISHED"
        and "/round-" in run.data.tags["mlproj.trial"]
    )
    assert max(ended.values()) == 1
