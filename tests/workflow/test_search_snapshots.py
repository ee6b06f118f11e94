"""A search whose driver is killed goes on with the trainings that were under way."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from killed import kept_in, kill_once_kept

import mlproj
from mlproj.errors import InputError
from mlproj.searching import latest_study, open_storage
from mlproj.searching.trials import Trial
from mlproj.training.snapshot_head import epochs_of
from mlproj.workflow.desk import Begun

SPEC = """\
name: digits
data: {source: "sklearn:digits"}
model: {layers: 1, width: 16}
training: {epochs: 60, batch_size: 32, early_stopping: null}
search: {trials: 4, rounds: 1, halving: none, space: {training.learning_rate: {log: [0.0001, 0.1]}}}
"""
SCRIPT = "import sys, mlproj; mlproj.search(sys.argv[1], engine='fleet', workers=2)"


def write_two(folder: Path, spec: str) -> list[Path]:
    homes = [folder / name / "digits" for name in ("whole", "killed")]
    for home in homes:
        home.mkdir(parents=True)
        (home / "project.yaml").write_text(spec, encoding="utf-8")
    return homes


def figures(trial: Trial) -> dict[str, Any]:
    return {**trial.metrics, "latency_ms": 0}


@pytest.mark.filterwarnings("default")  # MLflow's own imports warn
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_fleet_goes_on_from_its_snapshots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setenv("MLPROJ_SNAPSHOT_SECONDS", "0")
    homes = write_two(tmp_path, SPEC)
    whole = mlproj.search(homes[0], engine="fleet", workers=workers)
    code = SCRIPT.replace("workers=2", f"workers={workers}")
    assert len(kill_once_kept(code, homes[1], 4, "search", "digits")) == 4
    with pytest.raises(InputError, match=r"cut off after 0 of 4 trials; 4 are under way and go on with --resume\."):
        mlproj.search(homes[1])
    begun: list[Begun] = []
    resumed = mlproj.search(homes[1], engine="fleet", workers=workers, resume=True, on_start=begun.append)
    assert begun[0].notes[-1].startswith("4 trainings go on from epoch")
    trials, others = (sorted(found.found.trials, key=lambda trial: trial.number) for found in (whole, resumed))
    for one, other in zip(trials, others, strict=True):
        assert figures(one) == figures(other)
    assert not kept_in(homes[1], "search", "digits")


@pytest.mark.filterwarnings("default")  # MLflow's own imports warn
def test_seeds_of_the_finalists_go_on_too(tmp_path: Path) -> None:
    homes = write_two(tmp_path, SPEC.replace("trials: 4", "trials: 2, seeds: 2"))
    whole = mlproj.search(homes[0], engine="fleet", workers=1)
    code = SCRIPT.replace("workers=2", "workers=1")
    assert len(kill_once_kept(code, homes[1], 4, "search", "digits", study="search-1/seeds")) == 4
    with pytest.raises(InputError, match="while the best trials were trained with further seeds; 4 are under way"):
        mlproj.search(homes[1])
    begun: list[Begun] = []
    resumed = mlproj.search(homes[1], engine="fleet", workers=1, resume=True, on_start=begun.append)
    assert begun[0].notes[0] == "going on after 2 of 2 trials"
    assert begun[0].notes[1].startswith("4 trainings go on from epoch")
    for one, other in zip(whole.found.finalists, resumed.found.finalists, strict=True):
        assert one.trial.number == other.trial.number
        assert [{**seed, "latency_ms": 0} for seed in one.metrics] == [
            {**seed, "latency_ms": 0} for seed in other.metrics
        ]


# The first trial is of a deep model that learns nothing. The second, less than half as deep, keeps the other worker
# busy until the first is past all of its rungs, at a third of its epochs; after it come models that learn.
HALVED = """\
name: digits
data: {source: "sklearn:digits"}
model: {kind: mlp}
training: {epochs: 60, batch_size: 32, early_stopping: null}
search:
  trials: 6
  rounds: 1
  sampler: grid
  space: {model.hidden: {choice: [[16], DEEP, [17], [18], HALF, [19]]}}
""".replace("DEEP", str([1] * 48)).replace("HALF", str([1] * 20))


@pytest.mark.filterwarnings("default")  # MLflow's own imports warn
def test_what_was_judged_before_a_kill_stands(tmp_path: Path) -> None:
    """The judgement of one that is under way is turned round; nobody judges it again, so it ends where it was kept."""
    home = write_two(tmp_path, HALVED)[0]
    kept = kill_once_kept(SCRIPT.replace("fleet", "process"), home, 1, "search", "digits", study="judged-")
    at = {epochs_of(file) for file in kept}
    study = latest_study(open_storage(home / "mlruns" / "optuna.journal"), "digits")
    round_ = study.find_round(0) if study else None
    assert round_ is not None
    running = {trial.number for trial in round_.trials() if trial.state == "running"}
    first = next(each for each in round_.judged() if each.number in running and each.level == 0)
    assert not first.is_dropped
    round_.note([replace(first, is_dropped=True)])
    resumed = mlproj.search(home, engine="process", workers=2, resume=True)
    assert len(resumed.found.trials) == 6
    ended = resumed.found.trials[first.number]
    assert ended.state == "pruned"
    assert ended.epochs in at
