"""`mlproj record`, `mlproj.record` and `project.data`: a loop of the user's own, and the rest from here."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

import mlproj
from mlproj.cli.app import app
from mlproj.errors import InvalidInput, SealedSplit
from mlproj.spec.project import Project
from mlproj.workflow.train import Trained


@pytest.fixture
def project(home: Path) -> Project:
    return mlproj.load_project(home)


def foreign(trained: Trained, tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    """The predictions of the shared run as another tool would have written them."""
    assert trained.run.folder is not None
    frame = pd.read_parquet(trained.run.folder / "predictions.parquet")
    frame = frame.astype(dict.fromkeys(("id", "split", "y_true", "y_pred"), str))
    change(frame).to_csv(tmp_path / "foreign.csv", index=False)
    return tmp_path / "foreign.csv"


def test_a_table_has_the_ids_and_labels_that_training_uses(trained: Trained, project: Project) -> None:
    table = project.data("dev")
    dev = trained.fit.predictions.part("dev")
    assert table.index.tolist() == dev.ids.tolist()
    assert table["kind"].tolist() == [dev.answers.classes[code] for code in dev.answers.y_true]


def test_encoded_arrays_are_what_the_model_sees(trained: Trained, project: Project) -> None:
    x, y = project.data("train", encoded=True)
    assert x.dtype == np.float32
    assert len(x) == len(y) == len(trained.fit.predictions.part("train"))
    assert y.tolist() == trained.fit.predictions.part("train").answers.y_true.tolist()
    assert np.allclose(x[:, :5].mean(axis=0), 0, atol=1e-4)


def test_the_test_set_is_sealed(project: Project) -> None:
    with pytest.raises(SealedSplit, match=r"sealed.*project\.data\('dev'\).*mlproj evaluate"):
        project.data("test")
    with pytest.raises(InvalidInput, match=r"'valid' is no split[\s\S]*There are train and train_dev and dev"):
        project.data("valid")


def test_changed_projects_load_their_own_data(project: Project) -> None:
    other = project.changed(data=project.data.model_copy(update={"exclude": ("colour",)}))
    assert other.data("train", encoded=True)[0].shape[1] < project.data("train", encoded=True)[0].shape[1]
    assert mlproj.load_project(project.root) == project


def test_a_recorded_file_gives_the_ladder_of_the_run_that_wrote_it(
    trained: Trained, home: Path, tmp_path: Path
) -> None:
    path = foreign(trained, tmp_path, lambda f: f.drop(columns=["split", "y_true"]).sample(frac=1, random_state=0))
    recorded = mlproj.record(home, file=path, name="copy")
    assert recorded.run.kind == "record"
    assert recorded.metrics["dev"]["error"] == pytest.approx(trained.fit.metrics["dev"]["error"])
    ours, theirs = (mlproj.diagnose_bias_variance(run, project=home).ladder for run in ("first", "copy"))
    assert [rung.error for rung in ours.rungs] == [rung.error for rung in theirs.rungs]


def test_predictions_by_split_become_a_run_with_params_and_a_checkpoint(project: Project) -> None:
    from torch import nn

    x, y = project.data("dev", encoded=True)
    p = np.full((len(y), 3), 0.1)
    p[np.arange(len(y)), y] = 0.8
    net = nn.Linear(x.shape[1], 3)
    run = mlproj.record(
        project, predictions={"dev": p}, params={"trees": 50}, metrics={"dev/auc": 0.5}, name="ema", model=net
    )
    stored = next(each for each in mlproj.runs(project).runs if each.name == "ema")
    assert run.metrics["dev"]["error"] == 0
    assert (stored.params["trees"], stored.metrics["dev/auc"], stored.kind) == ("50", 0.5, "record")
    assert run.run.folder is not None
    assert np.array_equal(load_file(run.run.folder / "checkpoint.safetensors")["bias"], net.bias.detach().numpy())
    assert "variance" in " ".join(run.notes)
    assert mlproj.diagnose_bias_variance(run, rung=["train=0.01:500"]).ladder.rung("dev") is not None


def test_answers_may_be_names_positions_or_a_table_in_any_order(project: Project) -> None:
    table = project.data("dev")
    names = sorted(set(table["kind"]))
    positions = np.array([names.index(kind) for kind in table["kind"]])
    shuffled = pd.DataFrame({"y_pred": table["kind"]}).sample(frac=1, random_state=1)
    for answers in (table["kind"].to_numpy(), positions, shuffled):
        assert mlproj.record(project, predictions={"dev": answers}).metrics["dev"]["error"] == 0


def test_a_torch_tensor_of_probabilities_is_read(project: Project) -> None:
    import torch

    y = project.data("dev", encoded=True)[1]
    logits = torch.nn.functional.one_hot(torch.tensor(y), 3) * 5.0
    logits.requires_grad_()
    assert mlproj.record(project, predictions={"dev": logits.softmax(-1)}).metrics["dev"]["error"] == 0


def test_a_part_of_dev_is_said_and_is_never_the_best(trained: Trained, home: Path, tmp_path: Path) -> None:
    path = foreign(trained, tmp_path, lambda f: f[f.split == "dev"].head(30).assign(y_pred=lambda f: f.y_true))
    recorded = mlproj.record(home, file=path, name="lucky")
    assert "30 of 150 examples of dev have answers" in " ".join(recorded.notes)
    assert mlproj.runs(home).best != recorded.run.id


def test_the_command_prints_figures_and_the_next_command(trained: Trained, home: Path, tmp_path: Path) -> None:
    path = foreign(trained, tmp_path, lambda frame: frame)
    done = CliRunner().invoke(app, ["--project", str(home), "record", str(path), "--name", "spoken"])
    assert done.exit_code == 0
    assert done.stdout.startswith("spoken (")
    assert "diagnose bias-variance spoken" in done.stdout
    document = json.loads(CliRunner().invoke(app, ["--project", str(home), "record", str(path), "--json"]).stdout)
    assert {"run_id", "name", "metrics", "contract", "notes", "next"} <= set(document)


def test_rows_of_the_sealed_test_set_are_left_aside(home: Path, project: Project, tmp_path: Path) -> None:
    mlproj.split(home, out=tmp_path / "splits.csv")
    ids = pd.read_csv(tmp_path / "splits.csv", dtype=str)
    ids.assign(y_pred="iris")[["id", "y_pred"]].to_csv(tmp_path / "all.csv", index=False)
    recorded = mlproj.record(home, file=tmp_path / "all.csv")
    assert set(recorded.predictions.splits) == {"train", "train_dev", "dev"}
    ids[ids.split == "test"].assign(y_pred="iris")[["id", "y_pred"]].to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(InvalidInput, match="all its rows are of the sealed test set"):
        mlproj.record(home, file=tmp_path / "test.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.assign(id="x" + f.id), r"column id: 1,650 of 1,650 ids are not in flowers's data, first 'x"),
        (lambda f: pd.concat([f, f.head(2)]), "column id: 2 ids stand in several rows"),
        (
            lambda f: f.assign(y_true=f.y_true.replace("iris", "rose")),
            r"column y_true: \d+ rows differ.*'rose', not 'iris'",
        ),
        (lambda f: f.drop(columns=["y_pred", "p_iris", "p_lily", "p_rose"]), "has no column y_pred"),
        (lambda f: f.assign(p_iris=3), "column p_iris: row 2 holds '3'.*is no probability|no probability"),
        (lambda f: f[["id"]].assign(y_pred="cat"), "y_pred: answers cat, but the classes are iris, lily, rose"),
        (lambda f: f[["id"]].assign(y_pred=1.5), "y_pred"),
        (lambda f: f.head(0), "has no rows"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_and_nothing_is_stored(
    trained: Trained, home: Path, tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    before = len(mlproj.runs(home).runs)
    with pytest.raises(InvalidInput, match=message):
        mlproj.record(home, file=foreign(trained, tmp_path, change))
    assert len(mlproj.runs(home).runs) == before


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ({}, "predictions: is empty"),
        ({"test": [1]}, "'test' is no split that may be seen"),
        ({"dev": np.zeros(3)}, "holds 3 answers for 150 examples"),
        ({"dev": np.zeros((150, 2))}, "sums to 0 in row 0"),
        ({"dev": np.full((150, 2), 0.5)}, "has 2 columns for 3 classes[\\s\\S]*iris, lily, rose"),
        ({"dev": np.full((150, 3), 4.2)}, "holds 4.2, which is no probability: these look like logits[\\s\\S]*softmax"),
        ({"dev": np.full((150, 3), np.nan)}, "not finite"),
        ({"dev": ["cat"] * 150}, "answers 'cat', which is no class"),
        ({"dev": np.full(150, 7)}, "answers '7', which is no class"),
        ({"dev": pd.DataFrame({"answer": ["iris"] * 150})}, "has no column y_pred; its columns are answer"),
        (
            {"dev": pd.DataFrame({"id": ["1"], "y_pred": ["iris"]})},
            "holds no answer for 150 of 150 examples|holds no answer",
        ),
        ({"dev": 3}, "holds 1 answers for 150"),
    ],
)
def test_answers_that_do_not_fit_are_refused(project: Project, predictions: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        mlproj.record(project, predictions=predictions)


def test_what_cannot_be_kept_is_refused_before_anything_is_stored(project: Project) -> None:
    answers = {"dev": project.data("dev")["kind"].to_numpy()}
    with pytest.raises(InvalidInput, match="model: a dict cannot be kept without pickle"):
        mlproj.record(project, predictions=answers, model={})
    with pytest.raises(InvalidInput, match="params: 'a@b' cannot be the name of a parameter"):
        mlproj.record(project, predictions=answers, params={"a@b": 1})
    with pytest.raises(InvalidInput, match="there is nothing to record"):
        mlproj.record(project)
    with pytest.raises(InvalidInput, match="--name: 'best' always means another run"):
        mlproj.record(project, predictions=answers, name="best")


def test_lost_leading_zeros_are_named(tmp_path: Path) -> None:
    n = 200
    frame = pd.DataFrame({"code": [f"{i:05d}" for i in range(n)], "x": range(n), "y": ["a", "b"] * (n // 2)})
    frame.to_csv(tmp_path / "data.csv", index=False)
    (tmp_path / "project.yaml").write_text("name: zeros\ndata: {source: data.csv, label: y, id: code}\n")
    frame.assign(id=[str(i) for i in range(n)], y_pred="a")[["id", "y_pred"]].to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(InvalidInput, match="Leading zeros were lost: the data say '0"):
        mlproj.record(tmp_path, file=tmp_path / "p.csv")


def test_numbers_and_several_labels_can_be_recorded(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=120), "cat": rng.integers(0, 2, 120), "dog": rng.integers(0, 2, 120)})
    frame.assign(price=frame.x * 2 + 1).to_csv(tmp_path / "data.csv", index=False)
    (tmp_path / "project.yaml").write_text(
        "name: prices\ndata: {source: data.csv, label: price, exclude: [cat, dog]}\n"
    )
    project = mlproj.load_project(tmp_path)
    run = mlproj.record(project, predictions={"dev": project.data("dev")["price"].to_numpy()})
    assert run.metrics["dev"]["rmse"] == pytest.approx(0, abs=1e-9)
    (tmp_path / "project.yaml").write_text(
        "name: pets\ndata: {source: data.csv, label: [cat, dog], exclude: [price]}\n"
    )
    pets = mlproj.load_project(tmp_path)
    y = pets.data("dev", encoded=True)[1]
    assert mlproj.record(pets, predictions={"dev": y}).metrics["dev"]["error"] == 0
    with pytest.raises(InvalidInput, match=r"has the shape \(\d+,\) for 2 labels"):
        mlproj.record(pets, predictions={"dev": y[:, 0]})


def test_the_example_of_the_docs_runs_as_it_stands(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "own-loop.md"
    example = re.search(r"<!-- example: own-loop -->\n```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert example
    assert len(example[1].splitlines()) <= 11
    monkeypatch.chdir(home)
    exec(example[1], {})
    assert "Verdict:" in capsys.readouterr().out
