"""Looks at the sealed test set: refused without a reason, counted, recorded, and shown by the ladder from then on."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flower_project import flowers

import mlproj
from mlproj.cli.judge_text import evaluate_text
from mlproj.data.sealed import Sealed, open_test
from mlproj.diagnose import ladder_of
from mlproj.errors import InputError, InvalidInput
from mlproj.metrics.intervals import wilson
from mlproj.pyfunc import ProjectModel
from mlproj.track import read_model_data
from mlproj.workflow.evaluate import _notes
from mlproj.workflow.figures import opened_test
from mlproj.workflow.subject import Subjects
from mlproj.workflow.train import Trained


@pytest.fixture(scope="module")
def looked(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Path]:
    """A copy of the trained project whose test set was opened once, and may be opened again."""
    home = copytree(trained.project.root, tmp_path_factory.mktemp("looked") / "flowers")
    assert mlproj.evaluate("first", project=home, reason="the first").looks == 1
    return trained, home


def sealed_of(home: Path) -> Sealed:
    return open_test(mlproj.load_project(home), store=home / "mlruns" / "splits")


def figures(evaluated: Any) -> dict[str, float]:
    return evaluated.document()["metrics"]


def test_a_look_is_what_the_stored_model_answers_to_the_test_rows(looked: tuple[Trained, Path]) -> None:
    trained, home = looked
    document = mlproj.evaluate("first", project=home, reason="the second").document()
    sealed = sealed_of(home)
    assert trained.run.folder is not None
    said = ProjectModel(read_model_data(trained.run.folder / "model" / "data")).predict(sealed.frame)["y_pred"]
    wrong = np.mean(said.to_numpy() != sealed.labels["kind"].to_numpy())
    assert document["metrics"]["error"] == pytest.approx(wrong)
    assert set(document["metrics"]) == {"error", "f1_macro", "accuracy"}
    assert [row["status"] for row in document["contract"]] == ["met", "met"]
    row = next(row for row in document["figures"] if row["metric"] == "error")
    assert (row["low"], row["high"]) == pytest.approx(wilson(wrong, 150))
    dev = trained.fit.metrics["dev"]["f1_macro"]
    assert document["dev"]["value"] == pytest.approx(dev)
    assert document["difference"]["value"] == pytest.approx(document["metrics"]["f1_macro"] - dev)
    json.dumps(document, allow_nan=False)


def test_a_look_is_kept_with_its_reason_but_without_its_answers(looked: tuple[Trained, Path]) -> None:
    trained, home = looked
    evaluated = mlproj.evaluate(trained, project=home, reason="  and \n again ")
    assert evaluated.looks is not None
    assert evaluated.looks > 1
    run = evaluated.run
    assert (run.kind, run.tags["mlproj.of"], run.tags["mlproj.reason"]) == ("evaluation", trained.run.id, "and again")
    assert run.tags["mlproj.looks"] == str(evaluated.looks)
    assert run.tags["mlproj.deal"] == sealed_of(home).digest
    assert run.folder is not None
    assert [file.name for file in run.folder.rglob("*") if file.is_file()] == ["evaluation.json"]
    assert "ids" not in (run.folder / "evaluation.json").read_text()
    assert evaluated.optimism is not None
    assert evaluated.optimism > 0
    shown = " ".join(evaluate_text(evaluated).split())
    assert f"Look {evaluated.looks} at this test set: chosen as the best of them, its f1_macro flatters" in shown


def test_two_looks_at_once_are_two(looked: tuple[Trained, Path]) -> None:
    _, home = looked
    before = sum(run.tags.get("mlproj.split") == "test" for run in mlproj.runs(home).runs)
    words = [sys.executable, "-m", "mlproj", "--project", str(home), "evaluate", "first", "--reason", "y", "--json"]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    looks = sorted(json.loads(each.communicate()[0])["looks"] for each in both)
    assert looks == [before + 1, before + 2]


def test_after_a_look_the_ladder_shows_its_test_rung(looked: tuple[Trained, Path]) -> None:
    _, home = looked
    diagnosis = mlproj.diagnose_bias_variance("first", project=home)
    rung = diagnosis.ladder.rung("test")
    assert rung is not None
    assert (rung.sealed, rung.n, rung.distribution) == (False, 150, "target")
    look = next(run for run in mlproj.runs(home).runs if run.tags.get("mlproj.split") == "test")
    assert rung.error == pytest.approx(look.metrics["test/error"])
    assert (rung.low, rung.high) == pytest.approx(wilson(look.metrics["test/error"], 150))
    assert "overfitting_to_dev" in [gap.name for gap in diagnosis.ladder.gaps]
    assert "test 150 (opened)" in diagnosis.head


def test_it_shows_it_in_the_metrics_that_were_looked_at_and_for_that_model_only(looked: tuple[Trained, Path]) -> None:
    trained, home = looked
    with Subjects() as subjects:
        tracker = subjects.open(mlproj.load_project(home))
        opened = opened_test(tracker, trained.run)
        other = opened_test(tracker, replace(trained.run, id="another"))
        look = next(run for run in tracker.runs(kinds=("evaluation",)) if run.tags["mlproj.split"] == "test")
    assert (set(opened), other) == ({"error", "f1_macro", "accuracy"}, {})
    assert opened["f1_macro"].value == pytest.approx(1 - look.metrics["test/f1_macro"])
    ladder = ladder_of(trained.fit.predictions, metric="log_loss", opened=opened, sealed_test_n=150)
    rung = ladder.rung("test")
    assert rung is not None
    assert rung.sealed  # nobody looked at that


def test_splits_that_may_be_seen_need_no_reason_and_count_no_look(looked: tuple[Trained, Path]) -> None:
    trained, home = looked
    evaluated = mlproj.evaluate("first", project=home, split="dev")
    assert figures(evaluated)["f1_macro"] == pytest.approx(trained.fit.metrics["dev"]["f1_macro"])
    assert (evaluated.looks, evaluated.optimism, evaluated.dev) == (None, None, None)


def test_a_predictions_file_is_judged_by_its_test_rows(looked: tuple[Trained, Path]) -> None:
    _, home = looked
    sealed = sealed_of(home)
    said = sealed.labels["kind"].to_numpy().copy()
    said[:15] = "rose"
    pd.DataFrame({"id": sealed.ids, "y_pred": said})[::-1].to_csv("keras.csv", index=False)
    evaluated = mlproj.evaluate("keras.csv", project=home, reason="a colleague's")
    assert figures(evaluated)["error"] == pytest.approx(np.mean(said != sealed.labels["kind"].to_numpy()))
    assert evaluated.run.tags["mlproj.of"] == "keras.csv"
    assert evaluated.looks is not None
    pd.DataFrame({"id": sealed.ids[:100], "y_pred": said[:100]}).to_csv("part.csv", index=False)
    with pytest.raises(InvalidInput, match=r"answers for 50 of the 150 test examples are missing(?s:.)*mlproj split"):
        mlproj.evaluate("part.csv", project=home, reason="a part")
    pd.DataFrame({"id": [*sealed.ids, sealed.ids[0]], "y_pred": [*said, "rose"]}).to_csv("twice.csv", index=False)
    with pytest.raises(InvalidInput, match="more than once"):
        mlproj.evaluate("twice.csv", project=home, reason="twice")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"--reason: is missing(?s:.)*--reason \"final check before release\""),
        ({"reason": ""}, "--reason: is empty"),
        ({"reason": " \n\t"}, "--reason: is empty"),
        ({"reason": "x" * 1001}, "--reason: is 1,001 characters long"),
        ({"reason": "x", "split": "tset"}, r"--split: 'tset' is no split(?s:.)*Did you mean `test`"),
        ({"split": "validation"}, r"--split: 'validation' is no split(?s:.)*Use train, train_dev, dev or test"),
        ({"reason": "x", "run": "nobody"}, "No run is called 'nobody'"),
        ({"reason": "x", "run": "nothing.csv"}, "nothing.csv"),
    ],
)
def test_what_is_refused_opens_nothing(looked: tuple[Trained, Path], options: dict[str, Any], message: str) -> None:
    _, home = looked
    before = [run for run in mlproj.runs(home).runs if run.kind == "evaluation"]
    with pytest.raises(InputError, match=message):
        mlproj.evaluate(project=home, **options)
    assert [run for run in mlproj.runs(home).runs if run.kind == "evaluation"] == before


def test_a_file_without_a_project_has_no_test_set() -> None:
    pd.DataFrame({"id": [1], "y_pred": ["a"]}).to_csv("alone.csv", index=False)
    with pytest.raises(InvalidInput, match=r"alone.csv: a look at a test set is counted(?s:.)*--project PATH"):
        mlproj.evaluate("alone.csv", reason="x")


def test_a_run_of_other_splits_is_refused_until_it_is_trained_again(copy_of_trained: Path) -> None:
    home = copy_of_trained
    more = flowers(40, shift=0.6, start=9 * 10**6, seed=8)
    pd.concat([pd.read_csv(home / "app.csv"), more]).to_csv(home / "app.csv", index=False)
    with pytest.raises(InputError, match=r"(?s)first .* was trained on other splits.*mlproj .*train --like first"):
        mlproj.evaluate("first", project=home, reason="x")
    assert mlproj.evaluate(mlproj.train(home, like="first", name="new"), reason="x").looks == 1
    mlproj.split(home, redraw=True)
    newest = mlproj.train(home, like="first", name="newest")
    fresh = mlproj.evaluate(newest, reason="a fresh deal")
    assert (fresh.looks, fresh.before) == (1, 1)
    assert "1 earlier look at other deals" in fresh.notes[0]


def test_many_looks_recommend_a_fresh_test_set() -> None:
    assert not list(_notes(6, 0))
    assert "take fresh test examples" in next(_notes(7, 0))


def test_a_class_that_only_test_has_is_always_wrong_and_weights_count(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers()
    spec = (
        (home / "project.yaml")
        .read_text()
        .replace("id: uid", "id: uid, weight: {where: \"colour == 'red'\", value: 5}")
    )
    (home / "project.yaml").write_text(spec)
    trained = mlproj.train(home, name="w", set=["training.epochs=3"])
    sealed = sealed_of(home)
    frame = pd.read_csv(home / "app.csv")
    rare = frame["uid"].astype(str) == sealed.ids[0]
    frame.loc[rare, "kind"] = "orchid"
    frame.to_csv(home / "app.csv", index=False)
    evaluated = mlproj.evaluate(trained, project=home, reason="rare")
    sealed = sealed_of(home)
    assert trained.run.folder is not None
    said = ProjectModel(read_model_data(trained.run.folder / "model" / "data")).predict(sealed.frame)["y_pred"]
    wrong = said.to_numpy() != sealed.labels["kind"].to_numpy()
    assert sealed.weight is not None
    assert figures(evaluated)["error"] == pytest.approx(np.average(wrong, weights=sealed.weight))


def test_numbers_and_several_labels_are_evaluated_too() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    frame = pd.DataFrame(x, columns=["p", "q", "r"]).assign(
        price=x @ [1.0, 2.0, 3.0] + 50, cat=np.where(x[:, 0] > 0, 1, 0), dog=np.where(x[:, 1] > 0, 1, 0)
    )
    frame.to_csv("t.csv", index=False)
    for name, label, other in (("house", "price", "[cat, dog]"), ("pets", "[cat, dog]", "[price]")):
        home = Path(name)
        home.mkdir()
        (home / "project.yaml").write_text(
            f"name: {name}\ndata: {{source: ../t.csv, label: {label}, exclude: {other}}}\n"
            "model: {kind: linear}\ntraining: {epochs: 5}\n"
        )
        mlproj.train(home)
        document = mlproj.evaluate(project=home, reason="both").document()
        assert document["looks"] == 1
        assert document["interval"]["low"] <= document["interval"]["value"] <= document["interval"]["high"]
