"""Whole stories of `mlproj diagnose learning-curve`, through the real store."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flower_project import flowers
from typer.testing import CliRunner

import mlproj
from mlproj.cli.app import app
from mlproj.engine import Here
from mlproj.errors import InputError, InvalidInput
from mlproj.records import CurveFit, Failure
from mlproj.spec.data import Data
from mlproj.spec.project import Project
from mlproj.workflow.curve_making import CurveProgress
from mlproj.workflow.curve_plan import plan_curve, read_sizes, read_target
from mlproj.workflow.curve_store import POINTS, read_fit, write_fit
from mlproj.workflow.learning_curve import CurveDiagnosis
from mlproj.workflow.recipe import same_updates

SPEC = """\
name: tiny
data: {source: a.csv, label: kind, id: uid}
splits: {dev: 100, test: 20}
model: {hidden: [8]}
training: {epochs: 4, batch_size: 32, early_stopping: null}
metric: {optimize: f1_macro}
human_level: {annotators: [anna, ben], label_is: single}
"""
SPEC_OF_NUMBERS = """\
name: numbers
data: {source: a.csv, label: x0, id: uid, group: who}
splits: {dev: 100, test: 20}
model: {hidden: [8]}
training: {epochs: 4, batch_size: 32, early_stopping: null}
"""


def write_tiny(folder: Path, spec: str = SPEC, n: int = 320) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    frame = flowers(n, seed=3)
    rng = np.random.default_rng(0)
    frame[[f"x{i}" for i in range(5)]] += rng.normal(scale=1.2, size=(n, 5))
    for name in ("anna", "ben"):  # people who err now and then
        frame[name] = np.where(rng.random(n) < 0.1, "iris", frame["kind"])
    frame.assign(who=frame["uid"] // 8).to_csv(folder / "a.csv", index=False)
    (folder / "project.yaml").write_text(spec, encoding="utf-8")
    return folder


def curve(home: Path, **options: Any) -> tuple[CurveDiagnosis, int]:
    """A learning curve in this process, and how many trainings it made."""
    made: list[int] = []
    diagnosis = mlproj.diagnose_learning_curve(
        options.pop("run", None), project=home, workers=1, on_fit=lambda step: made.append(step.done), **options
    )
    return diagnosis, len(made)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_tiny(tmp_path_factory.mktemp("curves") / "tiny")
    mlproj.train(folder, name="base")
    return folder


def invoke(home: Path, *words: str) -> Any:
    return CliRunner().invoke(app, ["--project", str(home), "diagnose", "learning-curve", *words, "--workers", "1"])


def test_the_whole_story_and_nothing_is_trained_twice(home: Path) -> None:
    words = ("base", "--target", "20%", "--sizes", "25,50%,141", "--picture", str(home / "c.png"))
    first = invoke(home, *words, "--json")
    assert first.exit_code == 0, first.output
    document = json.loads(first.stdout)
    assert [point["n"] for point in document["points"]] == [25, 100, 141, 200]
    assert {point["trainings"] for point in document["points"]} == {3}
    assert [each["new"] for each in document["trainings"]].count(False) == 1  # the run itself is one of them
    assert document["metric"] == "error"  # human level is given in it
    assert document["target"] == {"error": 0.2, "from": "--target"}
    assert 0 < document["floor"] < document["human"] < 0.2  # where disagreement of the annotators puts the best error
    assert (home / "c.png").stat().st_size > 10_000

    # the newest run is a diagnosis now, but the newest training is meant; f1 was measured along
    more, made = curve(home, sizes="25,100,141", repeats=4, metric="f1_macro")
    assert made == 4
    assert (more.curve.scale, more.curve.target) == ("1 - f1_macro", None)
    assert more.document()["run"] == document["run"] | {"chosen": "latest"}
    values = {each["key"]: each["dev"] for each in document["trainings"]}
    assert sum(fit.values["error"]["dev"] == values.get(fit.key) for fit in more.fits) == 12

    listed = next(run for run in mlproj.runs(home).runs if run.id == more.run)
    assert (listed.kind, listed.outcome) == ("diagnosis", "completed")
    assert listed.tags["mlproj.of"] == document["run"]["id"]
    shown = CliRunner().invoke(app, ["--project", str(home), "runs", more.run])
    assert "Conclusion:" in shown.output
    assert listed.folder is not None
    assert {path.name for path in listed.folder.iterdir()} >= {"learning-curve.png", "learning-curve.json", POINTS}
    assert len(list((listed.folder / POINTS).iterdir())) == 16


def test_numbers_in_groups_have_curves_too(tmp_path: Path) -> None:
    grouped = write_tiny(tmp_path / "groups", SPEC_OF_NUMBERS)
    mlproj.train(grouped)
    diagnosis, _ = curve(grouped, sizes="40,80,90")
    assert diagnosis.curve.metric == "rmse"
    assert all(fit.n % 8 == 0 for fit in diagnosis.fits)
    assert any("whole groups" in note for note in diagnosis.curve.notes)
    assert any("equal to another size" in note for note in diagnosis.curve.notes) == (len(diagnosis.curve.anchors) < 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repeats": 2}, "--repeats: 2 is too few"),
        ({"workers": 0}, "--workers: 0 is no number"),
        ({"picture": Path("x.pdf")}, "does not end in .png"),
        ({"picture": Path("no/where.png")}, "does not exist"),
    ],
)
def test_options_are_judged_before_anything_is_opened(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        mlproj.diagnose_learning_curve(project="nowhere", **options)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["0,50", "many", "500", "", "1.5"])
def test_sizes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="--sizes"):
        read_sizes(text, 200)


@pytest.mark.parametrize("text", ["6 apples", "600%", "", "-1", "nan"])
def test_targets_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="--target"):
        read_target(text, "error")


def test_a_wrong_size_ends_with_two_and_models_from_elsewhere_are_refused(home: Path) -> None:
    assert invoke(home, "--sizes", "1000").exit_code == 2
    (home / "keras.csv").write_text("id,split,y_true,y_pred\n1,dev,a,a\n2,dev,b,a\n", encoding="utf-8")
    with pytest.raises(InputError, match="trained elsewhere"):
        curve(home, run=str(home / "keras.csv"))


def test_changed_data_are_said_and_the_run_itself_is_trained_anew(tmp_path: Path) -> None:
    home = write_tiny(tmp_path / "changing")
    mlproj.train(home, name="base")
    table = (home / "a.csv").read_text(encoding="utf-8")
    (home / "a.csv").write_text(table.replace(",red,", ",blue,"), encoding="utf-8")
    diagnosis, made = curve(home, sizes="50,100")
    assert made == 9
    assert any("changed since base was trained" in note for note in diagnosis.curve.notes)


def test_what_fails_is_counted_and_ctrl_c_leaves_a_partial_answer_that_goes_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlproj.cli.progress

    whole = Here.evaluate

    def evaluate(engine: Here, jobs: Any, **options: Any) -> Any:
        asked = list(jobs)
        for position, result in whole(engine, asked, **options):
            job = asked[position]
            is_unlucky = job.seed == 1 and job.rows is not None and len(job.rows) == 60
            yield position, Failure("out of luck") if is_unlucky else result

    def stop(_: Any, progress: CurveProgress) -> None:
        if progress.done == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Here, "evaluate", evaluate)
        patch.setattr(mlproj.cli.progress.CurveProgressBar, "fit", stop)
        cut = invoke(home, "--sizes", "60,110", "--json")
    assert cut.exit_code == 130, cut.output
    document = json.loads(cut.stdout)
    assert (document["interrupted"], document["failed"]) == (True, {"trainings": 1, "reason": "out of luck"})
    known = len(document["trainings"])
    assert document["missing"] == 9 - known - 1
    assert document["next"].endswith("diagnose learning-curve base --sizes 60,110,200")
    diagnosis, made = curve(home, sizes="60,110")
    assert made == 9 - known
    assert (diagnosis.curve.missing, diagnosis.curve.failed) == (0, (0, ""))


def test_a_training_survives_the_disk(tmp_path: Path) -> None:
    moves = {"error": {"dev": np.arange(4) / 7}}
    fit = CurveFit(10, 9, 1, 5, "k", {"error": {"dev": 0.1, "train": 0.0}}, moves, "early_stopped", 1.5)
    write_fit(fit, tmp_path / "k.npz")
    found = read_fit(tmp_path / "k.npz")
    assert found is not None
    np.testing.assert_allclose(found.moves["error"]["dev"], moves["error"]["dev"], rtol=1e-6)
    assert replace(found, moves={}) == replace(fit, moves={})
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04")
    assert read_fit(tmp_path / "broken.npz") is None
    assert read_fit(tmp_path / "none.npz") is None


@pytest.mark.parametrize("schedule", ["inverse_time", "exponential", "staircase", "inverse_sqrt", "cosine", "constant"])
def test_a_schedule_gives_a_small_set_the_learning_rates_of_the_large_one(schedule: str) -> None:
    from mlproj.training.schedules import factors

    training = {"epochs": 40, "batch_size": 50, "schedule": {"kind": schedule}}
    whole = Project(name="x", data=Data(source="a.csv", label="y"), training=training)  # type: ignore[arg-type]
    part = same_updates(whole, 250, 1000)
    assert isinstance(part.training.epochs, int)
    large = factors(whole.training.schedule, n_epochs=40, steps_per_epoch=20)
    small = factors(part.training.schedule, n_epochs=part.training.epochs, steps_per_epoch=5)
    assert len(small) == len(large) == 800
    later = slice(400, None)  # within an epoch of the large set the small one is already a step further
    np.testing.assert_allclose(small[later], large[later], rtol=0.08)
    assert part.training.early_stopping is not None
    assert part.training.early_stopping.patience == 40


def test_subsets_are_nested_within_a_repeat_and_differ_between_repeats(home: Path) -> None:
    from mlproj.data import load_dataset
    from mlproj.spec.load import load_project

    spec = load_project(home)
    dataset = load_dataset(spec, save=False)
    plan = plan_curve(spec, dataset, "30,60,120", 3)
    rows = {(each.size, each.repeat): each.rows for each in plan.trainings}
    for repeat in range(3):
        small, large = rows[30, repeat], rows[120, repeat]
        assert small is not None
        assert large is not None
        assert set(small.tolist()) < set(large.tolist())
        assert rows[len(dataset.parts["train"]), repeat] is None
        shares = np.bincount(dataset.parts["train"].y[small, 0].astype(int), minlength=3)
        assert np.abs(shares - 30 * np.bincount(dataset.parts["train"].y[:, 0].astype(int)) / 200).max() <= 2
    first, second = rows[30, 0], rows[30, 1]
    assert first is not None
    assert second is not None
    assert first.tolist() != second.tolist()
    assert len(set(plan.keys)) == 12
    assert plan.trainings[0].rows is None
    assert [each.seed for each in plan.trainings[::4]] == [0, 1, 2]


@pytest.mark.parametrize(("text", "sizes"), [("0.5", [100, 200]), ("1.0,25%", [50, 200]), ([10, 0.1], [10, 20, 200])])
def test_sizes_are_numbers_or_shares(text: Any, sizes: list[int]) -> None:
    assert read_sizes(text, 200) == sizes


def test_a_handful_of_examples_makes_no_curve(tmp_path: Path) -> None:
    rows = "\n".join(f"{k},{k % 2}" for k in range(3))
    (tmp_path / "four.csv").write_text(f"x,y\n{rows}\n", encoding="utf-8")
    spec = "name: four\ndata: {source: four.csv, label: y}\nsplits: {dev: 2, test: 0}\ntraining: {epochs: 1}\n"
    (tmp_path / "project.yaml").write_text(spec, encoding="utf-8")
    mlproj.train(tmp_path)
    result = invoke(tmp_path)
    assert result.exit_code == 2
    assert "it holds 1" in result.stderr
