"""`mlproj diagnose doctor` from the outside: with a run, without one, in Python and on the command line."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import mlproj
from mlproj.cli.app import app
from mlproj.errors import InvalidInput, RunNotFound
from mlproj.track import MemoryTracker
from mlproj.workflow.doctor import _course, _search_of
from mlproj.workflow.train import Trained

QUICK = ("updates", "train-metric", "still-improving")


@pytest.fixture(autouse=True)
def _short_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlproj.doctor.patient.UPDATES", 60)


def doctor(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["diagnose", "doctor", *map(str, arguments)])


def only(*codes: str) -> list[str]:
    return [word for code in codes for word in ("--only", code)]


def test_the_newest_training_is_looked_at_and_the_result_is_kept(copy_of_trained: Path) -> None:
    result = doctor("--project", copy_of_trained, *only(*QUICK))
    assert result.exit_code == 0, result.output
    head, *lines = result.stdout.splitlines()
    assert head.startswith("first (")
    assert head.endswith("train 1,350 · train-dev 150 · dev 150 · test 150 (sealed)")
    assert any(line.startswith("ok") and "train-metric" in line for line in lines)
    longer = "train --like first --set training.epochs=12 --name first-longer"
    assert lines[-1] == f"next: mlproj --project {copy_of_trained.name} {longer}"
    shown = mlproj.runs(copy_of_trained).runs
    kept, first = shown[0], shown[-1]
    assert (kept.name, kept.kind, kept.tags["mlproj.of"]) == ("doctor of first", "diagnosis", first.id)
    assert (kept.tags["mlproj.state"], kept.tags["mlproj.named"]) == ("warn", "still-improving")
    assert kept.folder is not None
    document = json.loads((kept.folder / "doctor.json").read_text())
    assert document["run"]["name"] == "first"
    assert {row["code"]: row["verdict"] for row in document["checks"]} == {
        "updates": "ok", "train-metric": "ok", "still-improving": "warn"
    }  # fmt: skip
    metric = document["checks"][1]
    assert (metric["n"], metric["page"]) == (1350, "docs/doctor.md#train-metric")
    assert metric["numbers"]["value"] == pytest.approx(metric["numbers"]["stored"])
    again = CliRunner().invoke(app, ["runs", "doctor of first", "--project", str(copy_of_trained)])
    assert "train-metric" in again.stdout, again.output


def test_a_project_without_runs_is_looked_at_as_it_stands(make_flowers: Any) -> None:
    home = make_flowers()
    found = mlproj.diagnose_doctor(project=home, ignore=["shuffled-labels"])
    assert (found.run, found.verdict, found.next) == (None, "ok", f"mlproj --project {home.name} train")
    assert found.head.startswith("flowers (project.yaml as it stands) · train 1,350")
    assert {each.text for each in found.checkup.of("skipped") if each.code == "train-metric"} == {"needs a run"}
    assert not (home / "mlruns").exists()


def test_what_changed_since_the_training_is_said_and_fresh_looks_at_it(copy_of_trained: Path) -> None:
    file, table = copy_of_trained / "project.yaml", pd.read_csv(copy_of_trained / "app.csv")
    file.write_text(file.read_text().replace("hidden: [16]", "hidden: [8, 8]"))
    table.loc[0, "kind"] = "rose" if table.kind[0] != "rose" else "iris"
    table.to_csv(copy_of_trained / "app.csv", index=False)
    of_run = mlproj.diagnose_doctor("first", project=copy_of_trained, only=["updates", "train-metric"])
    assert "all 4 trainable" in of_run.checkup["updates"].text
    assert "changed since the run was trained" in of_run.checkup["train-metric"].text
    assert "model.hidden" in of_run.notes[0]
    assert "--fresh" in of_run.notes[0]
    fresh = mlproj.diagnose_doctor(project=copy_of_trained, fresh=True, only=["updates"])
    assert "all 6 trainable" in fresh.checkup["updates"].text
    with pytest.raises(InvalidInput, match="Leave out one"):
        mlproj.diagnose_doctor("first", project=copy_of_trained, fresh=True)


def test_a_broken_model_ends_with_3_only_when_that_is_asked_for(make_flowers: Any) -> None:
    spec = "name: broken\ndata: {source: app.csv, label: kind, id: uid}\nmodel: {kind: python, factory: 'nets:Net'}\n"
    home = make_flowers(spec)
    (home / "nets.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self, n_inputs, n_outputs):\n"
        "        super().__init__()\n"
        "        self.used, self.cut = (torch.nn.Linear(n_inputs, n_outputs) for _ in range(2))\n"
        "    def forward(self, x):\n"
        "        return self.used(x) + self.cut(x).detach()\n"
    )
    relaxed, strict = (doctor("--project", home, *only("updates"), *more) for more in ((), ("--strict",)))
    assert (relaxed.exit_code, strict.exit_code) == (0, 3)
    assert "cut.weight, cut.bias never moved" in relaxed.stdout
    assert "something is broken (updates)" in relaxed.stdout


def test_a_predictions_file_leaves_the_data_to_look_at(copy_of_trained: Path) -> None:
    ids = pd.read_csv(copy_of_trained / "app.csv").uid
    path = copy_of_trained / "keras.csv"
    pd.DataFrame({"id": ids, "y_pred": "rose"}).to_csv(path, index=False)
    found = mlproj.diagnose_doctor(path, project=copy_of_trained)
    assert [each.code for each in found.checkup.results if each.verdict != "skipped"] == ["split-hygiene"]
    assert "trained elsewhere" in found.checkup["updates"].text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nosuch",), "No run is called 'nosuch'"),
        (("--ignore", "signl"), "Did you mean `signal`"),
        (("--fresh", "first"), "leave out one"),
    ],
)
def test_mistakes_end_with_2(home: Path, arguments: tuple[str, ...], said: str) -> None:
    result = doctor(*arguments, "--project", home)
    assert result.exit_code == 2
    assert said.lower() in result.stderr.lower()


def test_without_a_project_the_next_step_is_named(tmp_path: Path) -> None:
    result = doctor()
    assert (result.exit_code, "mlproj init" in result.stderr) == (2, True)


def test_an_unknown_run_raises(trained: Trained) -> None:
    with pytest.raises(RunNotFound):
        mlproj.diagnose_doctor("nosuch", project=trained.project)


def test_the_course_of_a_run_leaves_out_what_was_logged_at_the_end() -> None:
    tracker = MemoryTracker()
    run_id = tracker.start(kind="train", name="first")
    for epoch in (1, 2, 3):
        tracker.log(run_id, {"train/loss": 1 / epoch, "dev/loss": 2 / epoch, "dev/error": 0.5}, step=epoch)
    tracker.log(run_id, {"train/loss": 0.5, "dev/loss": 1.0, "dev/error": 0.5, "dev/latency_ms": 1.0}, step=4)
    tracker.finish(run_id)
    course = _course(tracker, tracker.run("first"))
    assert course.history.metrics == {
        "train/loss": (1.0, 1 / 2, 1 / 3), "dev/loss": (2.0, 1.0, 2 / 3), "dev/error": (0.5,) * 3
    }  # fmt: skip
    assert course.last["train/loss"] == 0.5


def test_only_the_best_trial_speaks_of_the_edges_of_its_search(tmp_path: Path) -> None:
    tracker = MemoryTracker()
    search = tracker.start(kind="search", name="s")
    trials = [
        tracker.start(kind="trial", name=f"t{number}", tags={"mlflow.parentRunId": search}) for number in range(2)
    ]
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "search.json").write_text(json.dumps({"complete": 9, "edges": []}))
    tracker.artifacts(search, tmp_path / "files")
    tracker.finish(search, tags={"mlproj.best": trials[1]})
    for trial in trials:
        tracker.finish(trial)
    assert [_search_of(tracker, tracker.run(trial)) for trial in trials] == [None, {"complete": 9, "edges": []}]
