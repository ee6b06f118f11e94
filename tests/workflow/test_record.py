"""Whole stories of `mlproj record` and `mlproj.record`: a loop of the user's own, and the rest from here."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from flower_project import SPEC, write_flowers
from safetensors.numpy import load_file
from typer.testing import CliRunner

import mlproj
from mlproj.cli.app import app
from mlproj.errors import InputError, InvalidInput
from mlproj.workflow.foreign import Recorded
from mlproj.workflow.train import Trained

Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A trained flower project of this module's own: what is recorded here competes for `best`."""
    spec = SPEC + "slices: {red: \"colour == 'red'\"}\n"
    return mlproj.train(write_flowers(tmp_path_factory.mktemp("record") / "flowers", spec), name="first")


@pytest.fixture(scope="module")
def perfect(ours: Trained) -> Recorded:
    """The truth itself, recorded for every split."""
    from torch import nn

    answers = {split: ours.project.data(split)["kind"] for split in ("train", "train_dev", "dev")}
    return mlproj.record(
        ours.project,
        predictions=answers,
        params={"trees": 50, "optimizer": {"lr": 0.1}},
        metrics={"latency_ms": 2.5, "train/minutes": 3},
        name="perfect",
        model=nn.Linear(4, 3),
    )


def foreign(ours: Trained, change: Change = lambda frame: frame) -> Path:
    """The predictions of the trained run as another tool would have written them."""
    assert ours.run.folder is not None
    frame = pd.read_parquet(ours.run.folder / "predictions.parquet")
    frame = frame.astype(dict.fromkeys(("id", "split", "y_true", "y_pred"), str))
    change(frame).to_csv("foreign.csv", index=False)
    return Path("foreign.csv")


def stored(ours: Trained, name: str) -> Any:
    return next(run for run in mlproj.runs(ours.project).runs if run.name == name)


def test_a_recorded_file_gives_the_ladder_of_the_run_that_wrote_it(ours: Trained) -> None:
    path = foreign(ours, lambda f: f.drop(columns=["split", "y_true"]).sample(frac=1, random_state=0))
    recorded = mlproj.record(ours.project, file=path, name="copy")
    for split, values in recorded.metrics.items():
        assert values == pytest.approx({name: ours.fit.metrics[split][name] for name in values})
    ladders = [mlproj.diagnose_bias_variance(run, project=ours.project).ladder for run in ("first", "copy")]
    assert ladders[0].rungs == ladders[1].rungs
    assert ladders[0].verdict == ladders[1].verdict


def test_a_record_bears_the_tags_files_and_figures_of_a_run_on_the_same_data(ours: Trained, perfect: Recorded) -> None:
    run, folder = stored(ours, "perfect"), perfect.run.folder
    assert folder is not None
    assert (run.kind, run.status, run.outcome) == ("record", "FINISHED", "completed")
    for tag in ("mlproj.dev_hash", "mlproj.data_hash"):
        assert run.tags[tag] == ours.run.tags[tag]
    assert run.metrics["dev/f1_macro"] == 1
    names = {path.name for path in folder.iterdir()}
    assert names >= {"project.yaml", "splits.json", "predictions.parquet", "confusion_matrix.csv", "per_class.csv"}


def test_params_figures_and_weights_are_kept_beside_the_specs_own(ours: Trained, perfect: Recorded) -> None:
    run = stored(ours, "perfect")
    assert (run.params["trees"], run.params["optimizer.lr"], run.params["model.parameters"]) == ("50", "0.1", "15")
    assert run.params["metric.optimize"] == "f1_macro"
    assert "model.hidden" not in run.params
    assert run.metrics["train/minutes"] == 3
    assert perfect.run.folder is not None
    assert load_file(perfect.run.folder / "checkpoint.safetensors")["weight"].shape == (3, 4)


def test_the_contract_is_judged_with_the_latency_that_was_handed_in(perfect: Recorded) -> None:
    assert {promise.metric: promise.status for promise in perfect.contract} == {"accuracy": "met", "latency_ms": "met"}


def test_slices_are_reported_as_for_a_training(perfect: Recorded) -> None:
    assert [row["slice"] for row in perfect.document()["slices"]] == ["red"]


def test_a_record_of_all_of_dev_may_be_the_best_but_never_the_latest(ours: Trained, perfect: Recorded) -> None:
    assert mlproj.runs(ours.project).best == perfect.run.id
    assert mlproj.diagnose_bias_variance("best", project=ours.project).document()["run"]["name"] == "perfect"
    assert mlproj.diagnose_bias_variance(project=ours.project).document()["run"]["name"] == "first"


def test_no_training_starts_from_a_model_that_was_trained_elsewhere(ours: Trained, perfect: Recorded) -> None:
    elsewhere = r"perfect \(.*was trained elsewhere and recorded. Name a training"
    with pytest.raises(InputError, match=elsewhere):
        mlproj.train(ours.project, like="perfect")
    with pytest.raises(InputError, match=elsewhere):
        mlproj.search(ours.project, like="perfect", trials=2)
    with pytest.raises(InputError, match=elsewhere):
        mlproj.predict("perfect", ours.project.root / "app.csv", out=Path("o.csv"), project=ours.project)
    assert mlproj.train(ours.project, like="best", set=["training.epochs=1"], name="again").run.name == "again"


def test_what_record_returned_is_diagnosed_without_commands_that_train_its_model(perfect: Recorded) -> None:
    diagnosis = mlproj.diagnose_bias_variance(perfect, rung=["dev=0.3:150"])
    assert diagnosis.document()["run"]["id"] == perfect.run.id
    assert all("--like" not in (remedy.command or "") for remedy in diagnosis.remedies)


def test_a_record_is_compared_with_a_training_and_is_never_its_other_seed(ours: Trained, perfect: Recorded) -> None:
    again = mlproj.record(ours.project, file=foreign(ours), name="second")
    assert mlproj.compare("first", "perfect", project=ours.project).document()["b_value"] == 1
    compared = mlproj.compare("second", "perfect", project=ours.project)
    assert compared.document()["n"] == len(again.predictions.part("dev"))
    assert not any("other seeds" in note for note in compared.notes)


def test_a_part_of_dev_is_said_and_is_no_candidate_for_best(ours: Trained) -> None:
    path = foreign(ours, lambda f: f[f.split == "dev"].head(30).assign(y_pred=lambda f: f.y_true))
    recorded = mlproj.record(ours.project, file=path, name="lucky")
    said = " ".join(recorded.notes)
    assert "30 of 150 examples of dev have answers: figures are of these alone; it is no candidate for `best`" in said
    assert "There are no answers on train: bias and variance cannot be told apart." in said
    assert "latency_ms of a model that runs elsewhere cannot be measured here" in said
    assert mlproj.runs(ours.project).best != recorded.run.id
    assert "dev 30" in mlproj.diagnose_bias_variance(recorded, rung=["train=0.1:500"]).head


def test_metrics_that_need_probabilities_are_said_to_be_missing(make_flowers: Callable[..., Path]) -> None:
    project = mlproj.load_project(make_flowers(SPEC.replace("optimize: f1_macro", "optimize: log_loss")))
    recorded = mlproj.record(project, predictions={"dev": project.data("dev")["kind"]})
    assert recorded.metrics["dev"] == {"error": 0.0, "accuracy": 1.0}
    assert any(note.startswith("log_loss cannot be computed: ") for note in recorded.notes)


def test_rows_of_the_sealed_test_set_are_left_aside_and_counted(ours: Trained) -> None:
    mlproj.split(ours.project, out=Path("splits.csv"))
    ids = pd.read_csv("splits.csv", dtype=str)
    ids.assign(y_pred="iris")[["id", "y_pred"]].to_csv("all.csv", index=False)
    recorded = mlproj.record(ours.project, file="all.csv")
    assert recorded.predictions.splits == ("train", "train_dev", "dev")
    assert recorded.notes[0] == "150 rows of the sealed test set are left aside."
    assert re.fullmatch(r"all-[0-9a-f]{4}", recorded.run.name)


def test_the_command_prints_what_was_stored_and_the_ladder_as_next_command(ours: Trained) -> None:
    words = ["--project", str(ours.project.root), "record", str(foreign(ours)), "--name", "spoken"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert re.match(
        r"spoken \([0-9a-f]{8}\) · train 1,350 · train-dev 150 · dev 150 · test 150 \(sealed\)\n", done.stdout
    )
    assert done.stdout.rstrip().endswith("diagnose bias-variance spoken")
    document = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert set(document) >= {"run_id", "name", "outcome", "metrics", "contract", "notes", "next"}
    assert set(document["metrics"]) == {"train", "train_dev", "dev"}


def test_the_command_refuses_with_exit_code_2_and_one_document(ours: Trained) -> None:
    words = ["--project", str(ours.project.root), "record", "missing.csv", "--json"]
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 2
    assert json.loads(refused.stdout)["problems"][0]["message"] == "does not exist"
    assert CliRunner().invoke(app, words[:3]).exit_code == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.assign(id="x" + f.id), r"column id: 1,650 of 1,650 ids are not in flowers's data: 'x"),
        (lambda f: pd.concat([f, f.head(2)]), "column id: 2 ids stand in several rows"),
        (lambda f: f.assign(y_true="rose"), r"column y_true: [\d,]+ of 1,650 rows differ from the project's label"),
        (lambda f: f.drop(columns="id"), "has no column id: its rows cannot be looked up"),
        (lambda f: f.assign(p_iris=3), "is no probability"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_and_nothing_is_stored(ours: Trained, change: Change, message: str) -> None:
    before = len(mlproj.runs(ours.project).runs)
    with pytest.raises(InvalidInput, match=message):
        mlproj.record(ours.project, file=foreign(ours, change))
    assert len(mlproj.runs(ours.project).runs) == before


def test_a_refused_record_deals_nothing(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers()
    with pytest.raises(InvalidInput, match="holds 1 answers for 150"):
        mlproj.record(home, predictions={"dev": [1]})
    assert not (home / "mlruns").exists()


def test_a_metric_of_the_positive_class_asks_which_one_it_is() -> None:
    pd.DataFrame({"x": range(60), "y": ["cat", "dog"] * 30}).to_csv("d.csv", index=False)
    Path("project.yaml").write_text("name: p\ndata: {source: d.csv, label: y}\nmetric: {optimize: f1}\n")
    answers = mlproj.load_project(".").data("dev")["y"]
    with pytest.raises(InvalidInput, match=r"data.positive: f1 speaks of the positive class.*\n.*`positive: dog`"):
        mlproj.record(predictions={"dev": answers})


def test_what_is_asked_for_has_to_be_clear(ours: Trained) -> None:
    answers = {"dev": ours.project.data("dev")["kind"]}
    with pytest.raises(InvalidInput, match="file: there is nothing to record\n  Name one predictions file"):
        mlproj.record(ours.project)
    with pytest.raises(InvalidInput, match="file: both a file and predictions are given"):
        mlproj.record(ours.project, file="a.csv", predictions=answers)
    with pytest.raises(InvalidInput, match="--name: 'best' always means another run"):
        mlproj.record(ours.project, predictions=answers, name="best")


def test_the_example_of_the_docs_runs_as_it_stands(
    make_flowers: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "own-loop.md"
    example = re.search(r"<!-- example: own-loop -->\n```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert example
    assert len(example[1].splitlines()) <= 11
    monkeypatch.chdir(make_flowers())
    exec(example[1], {})
    assert "Verdict:" in capsys.readouterr().out
