"""Models of the user's own from project.yaml to the store and back, and the examples of docs/own-model.md."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flower_project import SPEC
from typer.testing import CliRunner

import mlproj
from mlproj.cli.app import app
from mlproj.errors import InvalidInput
from mlproj.pyfunc import _load_pyfunc
from mlproj.spec.load import load_project
from mlproj.track import store_for
from mlproj.workflow.train import Trained

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-model.md"
MODULE = 'model: {kind: python, factory: "nets:Wide", args: {width: 16}}'
MakeFlowers = Callable[..., Path]


def example(name: str) -> str:
    found = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


def with_model(text: str) -> str:
    return SPEC.replace("model: {kind: mlp, hidden: [16]}", text)


def answers(trained: Trained) -> pd.DataFrame:
    root = trained.project.root
    folder = next((root / "mlruns").rglob(f"{trained.run.id}/artifacts/model/data"))
    return _load_pyfunc(str(folder)).predict(pd.read_csv(root / "app.csv"))


def check_answers(trained: Trained) -> None:
    table = pd.read_csv(trained.project.root / "app.csv").assign(**answers(trained)).set_index("uid")
    dev = trained.fit.predictions.part("dev")
    classes = np.array(dev.answers.classes)
    found = table.loc[[int(each) for each in dev.ids], "y_pred"].to_numpy()
    assert (found == classes[dev.answers.y_pred]).all()
    assert trained.fit.metrics["dev"]["accuracy"] > 0.8
    assert json.loads(json.dumps(trained.document()))["outcome"] in ("completed", "early_stopped")


def test_the_module_of_the_page_trains_and_answers_from_the_store(make_flowers: MakeFlowers) -> None:
    root = make_flowers(with_model(MODULE))
    (root / "nets.py").write_text(example("torch"))
    trained = mlproj.train(root, set=["training.epochs=20"])
    assert trained.run.name.startswith("Wide-")
    check_answers(trained)
    assert mlproj.diagnose_bias_variance(trained).ladder.rungs


@pytest.mark.parametrize("name", ["sklearn", "xgboost"])
def test_the_estimators_of_the_page_train_and_answer_from_the_store(make_flowers: MakeFlowers, name: str) -> None:
    pytest.importorskip(name)
    trained = mlproj.train(make_flowers(with_model(example(name))))
    check_answers(trained)
    assert (trained.fit.best_epoch, trained.fit.outcome.kind) == (1, "completed")


def test_the_function_and_the_loss_of_the_page_work(make_flowers: MakeFlowers) -> None:
    root = make_flowers(with_model('model: {kind: python, factory: "models:crossed"}'))
    (root / "models.py").write_text(example("function"))
    (root / "losses.py").write_text(example("loss"))
    check_answers(mlproj.train(root))
    trained = mlproj.train(root, set=["model.kind=mlp", "training.loss=python:losses:focal", "training.epochs=30"])
    check_answers(trained)


def test_a_model_whose_module_is_gone_says_so_when_it_is_loaded(make_flowers: MakeFlowers) -> None:
    root = make_flowers(with_model(MODULE.replace("nets:", "leaving:")))
    (root / "leaving.py").write_text(example("torch"))
    trained = mlproj.train(root)
    (root / "leaving.py").unlink()
    shutil.rmtree(root / "__pycache__", ignore_errors=True)
    import sys

    del sys.modules["leaving"]
    with pytest.raises(InvalidInput, match=r"model.factory: there is no module 'leaving'"):
        answers(trained)


def test_two_projects_may_call_their_modules_the_same(tmp_path: Path, make_flowers: MakeFlowers) -> None:
    root = make_flowers(with_model(MODULE))
    (root / "nets.py").write_text(example("torch"))
    other = shutil.copytree(root, tmp_path / "other")
    (other / "nets.py").write_text(example("torch").replace("self.hidden", "self.inner"))
    names = {str(each): [row.layer for row in mlproj.model(each).layers] for each in (root, other)}
    assert names == {str(root): ["hidden", "output"], str(other): ["inner", "output"]}


@pytest.mark.parametrize("workers", [1, 2])
def test_arguments_are_searched_wherever_trials_run(make_flowers: MakeFlowers, workers: int) -> None:
    root = make_flowers(with_model(MODULE) + "search: {space: {model.args.width: {int: [4, 32]}}}\n")
    (root / "nets.py").write_text(example("torch"))
    found = mlproj.search(root, trials=3, workers=workers)
    best = store_for(load_project(root)).root
    assert best.exists()
    assert len(found.found.trials) == 3
    assert all(4 <= trial.params["model.args.width"] <= 32 for trial in found.found.trials)


def test_an_estimator_is_searched_by_its_arguments(make_flowers: MakeFlowers) -> None:
    root = make_flowers(with_model(example("sklearn")) + "search: {space: {model.args.max_depth: {int: [1, 6]}}}\n")
    found = mlproj.search(root, trials=3, workers=1)
    assert {trial.state for trial in found.found.trials} == {"complete"}


def test_a_setting_reaches_an_argument_and_is_a_parameter_of_the_run(make_flowers: MakeFlowers) -> None:
    root = make_flowers(with_model(MODULE))
    (root / "nets.py").write_text(example("torch"))
    trained = mlproj.train(root, set=["model.args.width=5", "training.epochs=1"])
    assert trained.run.params["model.args.width"] == "5"
    assert trained.fit.weights["output.weight"].shape == (3, 5)
    again = mlproj.train(root, like=trained.run.name)
    assert again.fit.history == trained.fit.history


def test_what_cannot_be_kept_is_diagnosed_all_the_same(make_flowers: MakeFlowers) -> None:
    root = make_flowers(with_model('model: {kind: python, factory: "forgetful:Zero"}'))
    code = "class Zero:\n    def fit(self, X, y): pass\n    def predict(self, X): return [0] * len(X)\n"
    (root / "forgetful.py").write_text(code)
    trained = mlproj.train(root)
    assert "not stored" in trained.fit.outcome.text
    assert not list((root / "mlruns").rglob(f"{trained.run.id}/artifacts/model"))
    assert mlproj.diagnose_bias_variance(trained).ladder.rungs


def test_check_says_what_it_found_and_what_is_not_read(make_flowers: MakeFlowers) -> None:
    checked = mlproj.check(make_flowers(with_model(example("sklearn"))))
    assert checked.report is not None
    notes = checked.report.notes
    assert "makes a RandomForestClassifier with fit and predict" in notes[0]
    assert notes[1] == "RandomForestClassifier does not read training.epochs"


def test_modules_of_ones_own_run_one_by_one_and_it_is_said(make_flowers: MakeFlowers) -> None:
    root = make_flowers(with_model(MODULE))
    (root / "nets.py").write_text(example("torch"))
    done = CliRunner().invoke(app, ["train", "--project", str(root), "--seeds", "2", "--set", "training.epochs=1"])
    assert done.exit_code == 0, done.output
    assert "note: all 2 trainings ran one by one: a model of your own (nets:Wide)\n" in done.stdout
    root = make_flowers(with_model(MODULE))
    (root / "nets.py").write_text(example("torch"))
    space = "{training.learning_rate: {choice: [0.01, 0.02]}, model.args.width: {int: [8, 16]}}"
    words = ["--json", "--trials", "2", "--workers", "1", "--set", f"search.space={space}"]
    done = CliRunner().invoke(app, ["search", "--project", str(root), *words, "--set", "training.epochs=1"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["one_by_one"] == [{"reason": "a model of your own (nets:Wide)", "trainings": 2}]
    assert "note: all 2 trainings ran one by one" in done.stderr


CHATTY = """
import torch
from sklearn.datasets import load_iris
print("imported")
class Net(torch.nn.Linear):
    def forward(self, x):
        print("forward")
        return super().forward(x)
def make(n_inputs, n_outputs):
    print("factory")
    return Net(n_inputs, n_outputs)
def load():
    print("source")
    return load_iris(return_X_y=True)
def loss(outputs, targets):
    print("loss")
    return torch.nn.functional.cross_entropy(outputs, targets, reduction="none")
class Guess:
    def fit(self, x, y):
        print("fit")
        self.classes_ = sorted(set(y))
    def predict(self, x):
        print("predict")
        return [self.classes_[0]] * len(x)
"""


@pytest.mark.parametrize(
    ("command", "model", "said"),
    [
        ("check", "make", {"imported", "source", "factory"}),
        ("train", "make", {"imported", "source", "factory", "forward", "loss"}),
        ("train --seeds 2", "make", {"imported", "source", "factory", "forward", "loss"}),
        ("search --workers 1", "make", {"imported", "source", "factory", "forward", "loss"}),
        ("search --workers 2", "make", {"imported", "source", "factory"}),
        ("train", "Guess", {"imported", "source", "fit", "predict"}),
    ],
)
def test_what_the_users_code_prints_stays_out_of_the_document(command: str, model: str, said: set[str]) -> None:
    Path("chatty.py").write_text(CHATTY)
    sys.modules.pop("chatty", None)
    training = "epochs: 2, early_stopping: null, " + ('loss: "python:chatty:loss"' if model == "make" else "")
    Path("project.yaml").write_text(
        'name: x\ndata: {source: "python:chatty:load", label: y}\n'
        f'model: {{kind: python, factory: "chatty:{model}"}}\n'
        f"training: {{{training if model == 'make' else ''}}}\nsplits: {{dev: 0.3}}\n"
        "search: {trials: 2, space: {training.learning_rate: {log: [0.01, 0.1]}}}\n"
    )
    result = CliRunner().invoke(app, [*command.split(), "--json"])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)
    assert said <= set(result.stderr.split())
