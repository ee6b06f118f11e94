"""Whole stories of `mlproj train --seeds`, and of the ladder that speaks of the recipe."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from flower_project import SPEC, write_flowers

import mlproj
from mlproj import engine
from mlproj.cli.seeds_text import seeds_text
from mlproj.data import load_dataset
from mlproj.diagnose import ladder_of, parse_rungs
from mlproj.errors import InvalidInput
from mlproj.metrics.seeds import t_interval
from mlproj.records import Failure, Job
from mlproj.records.files import read_predictions
from mlproj.track import MlflowTracker, store_for
from mlproj.track.memory import MemoryTracker
from mlproj.training import fit
from mlproj.workflow.procedure import recipe_of
from mlproj.workflow.starting import Start
from mlproj.workflow.subject import Subject
from mlproj.workflow.train import Trained
from mlproj.workflow.train_seeds import train_seeds
from mlproj.workflow.trained_seeds import TrainedSeeds

SHORT = SPEC.replace("epochs: 6", "epochs: 3")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> TrainedSeeds:
    """Three seeds that were trained once; tests read them and change nothing."""
    home = write_flowers(tmp_path_factory.mktemp("fleet") / "flowers", SHORT)
    return mlproj.train(home, seeds=3, set=["seed=3"], name="wide")


@pytest.fixture
def copy(fleet: TrainedSeeds, tmp_path: Path) -> Path:
    """A copy of the project with its runs, which a test may change."""
    return copytree(fleet.project.root, tmp_path / "copy")


def test_each_seed_is_a_run_of_its_own_in_one_group(fleet: TrainedSeeds) -> None:
    found = mlproj.runs(fleet.project).runs
    assert sorted((run.name, run.kind, run.params["seed"], run.tags["mlproj.seeds"]) for run in found) == [
        ("wide-seed-3", "train", "3", "wide"),
        ("wide-seed-4", "train", "4", "wide"),
        ("wide-seed-5", "train", "5", "wide"),
    ]


def test_a_seed_of_a_fleet_is_the_training_made_alone(fleet: TrainedSeeds) -> None:
    project = fleet.project.changed(seed=4)
    alone = fit(project, load_dataset(project, store=store_for(project).splits))
    with MlflowTracker(store_for(fleet.project), fleet.project.name, writes=False) as tracker:
        stored = read_predictions(tracker.fetch(fleet.seeds[1].run.id, "predictions.parquet"))
    np.testing.assert_array_equal(stored.answers.p, alone.predictions.answers.p)
    told = fleet.seeds[1].document["metrics"]
    assert {split: values["error"] for split, values in told.items()} == {
        split: values["error"] for split, values in alone.metrics.items()
    }


def test_the_document_is_that_of_the_first_seed_with_all_of_them_beside(fleet: TrainedSeeds) -> None:
    document = json.loads(json.dumps(fleet.document(), allow_nan=False))
    assert {"run_id", "name", "outcome", "metrics", "contract", "seconds"} <= set(document)
    assert (document["name"], document["group"], document["asked"]) == ("wide-seed-3", "wide", 3)
    assert [row["seed"] for row in document["seeds"]] == [3, 4, 5]
    assert document["metrics"] == document["seeds"][0]["metrics"]
    assert (document["stopped"], document["resume"], document["failed"]) == ("seeds", None, [])


def test_the_summary_is_students_interval_over_the_seeds(fleet: TrainedSeeds) -> None:
    errors = [each.document["metrics"]["dev"]["error"] for each in fleet.seeds]
    found = fleet.summary()["dev"]["error"]
    mean, low, high = t_interval(errors)
    assert (found["mean"], found["n"]) == (pytest.approx(mean), 3)
    assert (found["low"], found["high"]) == pytest.approx((max(low, 0), min(high, 1)))
    assert found["spread"] == pytest.approx(np.std(errors, ddof=1))


def test_the_text_lists_seeds_and_what_they_say_together(fleet: TrainedSeeds) -> None:
    text = seeds_text(fleet.document())
    assert text.startswith("3 of 3 seeds of wide trained in")
    assert all(f"wide-seed-{seed}" in text for seed in (3, 4, 5))
    assert text.endswith("next: " + fleet.next)


def test_resume_keeps_what_is_there_and_trains_the_rest(fleet: TrainedSeeds, copy: Path) -> None:
    grown = mlproj.train(copy, seeds=4, set=["seed=3"], resume=True)
    assert [each.is_new for each in grown.seeds] == [False, False, False, True]
    assert (grown.name, grown.seeds[3].run.name) == ("wide", "wide-seed-6")
    kept = dict(grown.seeds[0].document)
    known = dict(fleet.seeds[0].document)
    assert kept.pop("seconds") is None
    assert (known.pop("seconds") or 0) > 0
    assert {k: v for k, v in kept.items() if k != "next"} == {k: v for k, v in known.items() if k != "next"}


def test_ctrl_c_leaves_what_is_finished_and_says_how_to_go_on(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers(SHORT)

    def stop(_done: int, _total: int, _values: Mapping[str, float]) -> None:
        raise KeyboardInterrupt

    cut = train_seeds(Start(home, name="cut"), 3, on_seed=stop)
    assert cut.is_interrupted
    assert 1 <= len(cut.seeds) < 3
    statuses = [run.status for run in mlproj.runs(home).runs]
    assert statuses.count("FINISHED") == len(cut.seeds)
    assert set(statuses) <= {"FINISHED", "KILLED"}
    assert cut.resume is not None
    assert cut.resume.endswith("--set seed=0 --seeds 3 --name cut --resume")
    whole = train_seeds(Start(home, ["seed=0"], cut.run.name, "cut"), 3, resume=True)
    assert (len(whole.seeds), whole.resume, whole.name) == (3, None, "cut")
    assert sum(not each.is_new for each in whole.seeds) == len(cut.seeds)


class _Doomed:
    """An engine in which some seeds fail."""

    workers = 1

    def __init__(self, failing: set[int], engine: Any) -> None:
        self._failing, self._engine = failing, engine
        self.name, self.one_by_one = engine.name, engine.one_by_one

    def evaluate(self, jobs: Iterator[Job], **_: Any) -> Iterator[tuple[int, Any]]:
        for position, job in enumerate(jobs):
            if job.seed in self._failing:
                yield position, Failure("OutOfMemory: the room is full", "Traceback …")
            else:
                yield position, next(self._engine.evaluate(iter([job])))[1]

    def __enter__(self) -> "_Doomed":
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()


def test_a_seed_that_fails_is_named_and_the_others_stay(
    make_flowers: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, make = make_flowers(SHORT.replace("epochs: 3", "epochs: 1")), engine.make_engine
    monkeypatch.setattr(engine, "make_engine", lambda name, data, _, **rest: _Doomed({1}, make(name, data, 1, **rest)))
    document = mlproj.train(home, seeds=2).document()
    assert document["failed"] == [{"seed": 1, "reason": "OutOfMemory: the room is full"}]
    assert "seed 1 failed: OutOfMemory" in seeds_text(document)
    assert document["summary"]["dev"]["error"]["low"] is None
    assert {run.status for run in mlproj.runs(home).runs} == {"FINISHED", "FAILED"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "--seeds: 0 is no number of seeds"),
        ({"seeds": 1001}, "--seeds: 1001"),
        ({"seeds": 3, "name": "latest"}, "--name"),
        ({"seeds": 3, "set": ["seed=2147483646"]}, "go beyond the largest"),
    ],
)
def test_options_that_mean_nothing_start_nothing(
    options: dict[str, Any], message: str, make_flowers: Callable[..., Path]
) -> None:
    home = make_flowers()
    with pytest.raises(InvalidInput, match=message):
        mlproj.train(home, **options)
    assert not (home / "mlruns" / "mlflow.db").exists()


# ---------------------------------------------------------------- the ladder of the recipe


def test_with_three_seeds_the_diagnosis_has_limits_for_the_recipe(fleet: TrainedSeeds) -> None:
    diagnosis = mlproj.diagnose_bias_variance(fleet)
    found = diagnosis.document()["procedure"]
    assert (found["basis"], found["seeds"]) == ("seeds and examples", [3, 4, 5])
    assert [gap["name"] for gap in found["gaps"]] == [gap.name for gap in diagnosis.ladder.gaps]
    errors = [each.document["metrics"] for each in fleet.seeds]
    sizes = [each["train_dev"]["error"] - each["train"]["error"] for each in errors]
    assert found["gaps"][1]["size"] == pytest.approx(np.mean(sizes))
    assert "recipe, 3 seeds" in diagnosis.text()
    json.dumps(diagnosis.document(), allow_nan=False)


def test_with_one_seed_it_is_conditional_on_this_run_and_says_what_ends_that(trained: Trained) -> None:
    diagnosis = mlproj.diagnose_bias_variance(trained)
    found = diagnosis.document()["procedure"]
    assert (found["basis"], found["gaps"]) == ("this run", [])
    assert found["command"].split("train ")[-1] == "--like first --set seed=1 --seeds 2"
    assert f"  {found['command']}\n" in diagnosis.text()


def test_rungs_given_by_hand_leave_nothing_to_say_of_the_recipe(fleet: TrainedSeeds) -> None:
    subject = Subject("", "wide", "wide", run=fleet.run, project=fleet.project)
    ladder = ladder_of(None, given=parse_rungs(["train=5%:900", "dev=8%:300"]))
    assert recipe_of(MemoryTracker(), subject, ladder, by_hand=["dev"]) is None
    assert recipe_of(MemoryTracker(), subject, ladder, by_hand=["human"]) is not None


def test_a_trial_is_no_witness_of_its_own_recipe(fleet: TrainedSeeds) -> None:
    """It was chosen for its dev error: only trainings made since say what its spec does."""
    tracker = MemoryTracker()
    run = replace(fleet.run, kind="trial")
    ladder = ladder_of(None, given=parse_rungs(["train=5%:900", "dev=8%:300"]))
    found = recipe_of(tracker, Subject("", "t", "t", run=run, project=fleet.project), ladder)
    assert found is not None
    assert found.seeds == ()
    assert found.command.endswith("--set seed=4 --seeds 3 --name wide")
