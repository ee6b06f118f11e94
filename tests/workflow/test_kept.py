"""Trainings of every command that are killed under way go on, and come to what they would have come to."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import numpy as np
import pytest
from killed import MARK, kept_in, kill_once_kept, mark

import mlproj
from mlproj.records.files import read_predictions
from mlproj.track import MlflowTracker, store_for
from mlproj.workflow.ensemble import train_ensemble
from mlproj.workflow.learning_curve import CurveBegun, CurveDiagnosis
from mlproj.workflow.starting import Start
from mlproj.workflow.train import Started, Trained
from mlproj.workflow.train_seeds import train_seeds
from mlproj.workflow.trained_seeds import SeedsBegun, TrainedSeeds

pytestmark = pytest.mark.filterwarnings("default")  # MLflow's own imports warn
SPEC = """\
name: digits
data: {source: "sklearn:digits"}
model: {layers: 1, width: 16, dropout: 0.2}
training: {epochs: 40, batch_size: 32, early_stopping: null}
"""

HALF_WRITTEN = ignore_patterns(".*")
"""What workers that outlive their driver by a moment still write and remove."""


def write_digits(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "project.yaml").write_text(SPEC, encoding="utf-8")
    return folder


def first_losses(home: Path) -> set[float]:
    """The first training loss of every finished training in a store."""
    project = mlproj.load_project(home)
    with MlflowTracker(store_for(project), project.name, writes=False) as tracker:
        runs = tracker.runs(kinds=("train",), statuses=("FINISHED",))
        return {tracker.history(run.id).metrics["train/loss"][0] for run in runs}


# -------------------------------------------------------------------- several seeds


def go_on(home: Path, seeds: int, **options: Any) -> tuple[TrainedSeeds, str]:
    notes: list[str] = []

    def hear(begun: SeedsBegun) -> None:
        notes.extend(begun.notes)

    return train_seeds(Start(home), seeds, on_start=hear, **options), "; ".join(notes)


@pytest.fixture(scope="module")
def killed_seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seeds that were killed under way; tests copy them."""
    home = write_digits(tmp_path_factory.mktemp("seeds") / "digits")
    code = "import sys, mlproj; mlproj.train(sys.argv[1], seeds=4, name='four')"
    assert len(kill_once_kept(code, home, 4)) == 4
    return home


def test_killed_seeds_go_on_and_equal_those_that_nobody_disturbed(killed_seeds: Path, tmp_path: Path) -> None:
    home = copytree(killed_seeds, tmp_path / "digits", ignore=HALF_WRITTEN)
    resumed, notes = go_on(home, 4, resume=True)
    assert notes.startswith("4 trainings go on from epoch")
    assert resumed.name == "four"
    whole = mlproj.train(write_digits(tmp_path / "whole"), seeds=4)
    for one, other in zip(whole.seeds, resumed.seeds, strict=True):
        assert one.run.metrics == other.run.metrics
        assert one.document["metrics"] == other.document["metrics"]
        ours, theirs = (
            read_answers(fleet.project.root, each.run.id) for fleet, each in ((whole, one), (resumed, other))
        )
        np.testing.assert_array_equal(ours, theirs)
    assert not kept_in(home)
    assert {run.status for run in mlproj.runs(home).runs} == {"FINISHED", "KILLED"}


def read_answers(home: Path, run_id: str) -> Any:
    project = mlproj.load_project(home)
    with MlflowTracker(store_for(project), project.name, writes=False) as tracker:
        return read_predictions(tracker.fetch(run_id, "predictions.parquet")).answers.p


def test_seeds_really_go_on_from_what_was_kept(killed_seeds: Path, tmp_path: Path) -> None:
    home = copytree(killed_seeds, tmp_path / "digits", ignore=HALF_WRITTEN)
    mark(kept_in(home)[0])
    go_on(home, 4, resume=True)
    assert MARK in first_losses(home)


def test_without_resume_seeds_begin_anew_and_it_is_said(killed_seeds: Path, tmp_path: Path) -> None:
    home = copytree(killed_seeds, tmp_path / "digits", ignore=HALF_WRITTEN)
    for snapshot in kept_in(home):
        mark(snapshot)
    _, notes = go_on(home, 2)
    assert notes.startswith("2 of these trainings were cut off before and begin anew; --resume")
    assert MARK not in first_losses(home)
    assert len(kept_in(home)) == 2  # of the seeds that were not asked for


def test_one_training_goes_on_with_that_of_a_fleet(killed_seeds: Path, tmp_path: Path) -> None:
    home = copytree(killed_seeds, tmp_path / "digits", ignore=HALF_WRITTEN)
    for snapshot in kept_in(home):
        mark(snapshot)
    mlproj.train(home, resume=True)
    assert first_losses(home) == {MARK}
    assert len(kept_in(home)) == 3


# -------------------------------------------------------------------- one training


def test_a_killed_training_goes_on_and_equals_the_one_that_nobody_disturbed(tmp_path: Path) -> None:
    home = write_digits(tmp_path / "digits")
    assert len(kill_once_kept("import sys, mlproj; mlproj.train(sys.argv[1])", home, 1)) == 1
    started: list[Started] = []
    resumed, whole = (
        mlproj.train(h, resume=True, on_start=started.append) for h in (home, write_digits(tmp_path / "w"))
    )
    assert started[0].notes[0].startswith("1 training goes on from epoch")
    assert started[1].notes == ("nothing of this spec on these data was cut off: it begins anew",)
    assert isinstance(resumed, Trained)
    assert isinstance(whole, Trained)
    assert resumed.fit.history == whole.fit.history
    assert all(np.array_equal(resumed.fit.weights[name], array) for name, array in whole.fit.weights.items())
    assert not kept_in(home)


def test_what_ctrl_c_ended_can_be_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPROJ_SNAPSHOT_SECONDS", "0")
    home = write_digits(tmp_path / "digits")

    def stop(epoch: int, _epochs: int, _values: Any) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    cut = mlproj.train(home, on_epoch=stop)
    assert cut.fit.outcome.kind == "interrupted"
    started: list[Started] = []
    mlproj.train(home, resume=True, on_start=started.append)
    assert started[0].notes == ("1 training goes on from epoch 2",)


@pytest.mark.parametrize("option", ["--seeds", "--ensemble"])
def test_ctrl_c_before_anything_is_finished_says_what_is_kept_and_how_to_go_on(tmp_path: Path, option: str) -> None:
    home = write_digits(tmp_path / "digits")
    words = ["train", "--set", "training.epochs=20000", option, "2"]
    environment = os.environ | {"MLPROJ_SNAPSHOT_SECONDS": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "mlproj", *words], cwd=home, env=environment, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while len(kept_in(home)) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1].splitlines()[-1]
    assert process.returncode == 130
    assert said.startswith("Interrupted. 2 trainings go on from epoch")
    assert said.endswith(f"; go on with: mlproj train --set training.epochs=20000 {option} 2 --resume")


def test_the_command_that_goes_on_asks_for_all_that_was_asked_for(tmp_path: Path) -> None:
    project = mlproj.load_project(write_digits(tmp_path / "digits"))
    words = Start(set=["seed=1"], like="first", name="more").command(project, "--seeds", "2").split()
    assert words[-9:] == ["train", "--set", "seed=1", "--like", "first", "--name", "more", "--seeds", "2"]


# -------------------------------------------------------------------- an ensemble


def test_a_killed_ensemble_goes_on_with_all_of_its_models(tmp_path: Path) -> None:
    home = write_digits(tmp_path / "digits")
    code = "import sys, mlproj; mlproj.train(sys.argv[1], ensemble=3)"
    assert len(kill_once_kept(code, home, 3)) == 3
    begun: list[SeedsBegun] = []
    resumed = train_ensemble(Start(home), 3, resume=True, on_start=begun.append)
    assert begun[0].notes[0].startswith("3 trainings go on from epoch")
    whole = train_ensemble(Start(write_digits(tmp_path / "whole")), 3)
    np.testing.assert_array_equal(resumed.fit.predictions.answers.p, whole.fit.predictions.answers.p)
    assert not kept_in(home)


# -------------------------------------------------------------------- the learning curve

CURVE = "import sys, mlproj; mlproj.diagnose_learning_curve(project=sys.argv[1], sizes='600', workers=2)"


def test_a_killed_learning_curve_goes_on_by_itself(tmp_path: Path) -> None:
    home = write_digits(tmp_path / "digits")
    mlproj.train(home)
    other = copytree(home, tmp_path / "other")
    assert kill_once_kept(CURVE, home, 2)
    begun: list[CurveBegun] = []
    resumed = diagnose(home, begun)
    assert " on from epoch" in begun[0].notes[0]
    whole = diagnose(other, begun)
    assert begun[1].notes == ()
    assert losses_of(resumed) == losses_of(whole)
    assert not kept_in(home)


def diagnose(home: Path, begun: list[CurveBegun]) -> CurveDiagnosis:
    return mlproj.diagnose_learning_curve(project=home, sizes="600", workers=2, on_start=begun.append)


def losses_of(curve: CurveDiagnosis) -> dict[tuple[int, int], Any]:
    return {(fit.n, fit.repeat): fit.values for fit in curve.fits}
