"""Models and losses of the user's own: the same numbers as by hand, and every refusal names place, value and remedy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import Ridge

from mlproj.errors import InvalidInput, MlprojError
from mlproj.spec.space import space_problems
from mlproj.training import fit, predict, resolve
from mlproj.training.own import own_notes
from mlproj.zoo import OwnModel, build, build_model, layer_table

MakeProject = Callable[..., Any]
FOREST = {"kind": "python", "factory": "sklearn.ensemble:RandomForestClassifier", "args": {"n_estimators": 20}}
NETS = '''
from pathlib import Path

import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, n_inputs, n_outputs, width=16, dropout=0.0, norm=False):
        super().__init__()
        parts = [nn.Linear(n_inputs, width), nn.BatchNorm1d(width) if norm else nn.Identity(), nn.ReLU()]
        self.body = nn.Sequential(*parts, nn.Dropout(dropout))
        self.head = nn.Linear(width, n_outputs)
        self.spare = nn.Linear(2, 2)

    def forward(self, x):
        return self.head(self.body(x))

class Twin(nn.Module):
    """Our own perceptron, weight by weight."""
    def __init__(self, n_inputs, n_outputs, seed):
        super().__init__()
        from mlproj.spec.model import MLP
        from mlproj.zoo import build, unstack
        (weights,) = unstack(build(MLP(hidden=(16,)), n_features=n_inputs, n_outputs=n_outputs, seeds=[seed]))
        self.a, self.b = nn.Linear(n_inputs, 16), nn.Linear(16, n_outputs)
        for layer, name in ((self.a, "dense_1"), (self.b, "output")):
            layer.weight.data = torch.from_numpy(weights[f"{name}.weight"].T.copy())
            layer.bias.data = torch.from_numpy(weights[f"{name}.bias"].copy())

    def forward(self, x):
        return self.b(torch.relu(self.a(x)))

class Double(Net):
    def forward(self, x):
        return super().forward(x).double()

class Frozen(Net):
    def __init__(self, n_inputs, n_outputs):
        super().__init__(n_inputs, n_outputs)
        self.body.requires_grad_(False)

class Tied(nn.Module):
    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.one = nn.Linear(n_inputs, n_inputs)
        self.two = nn.Linear(n_inputs, n_inputs)
        self.two.weight = self.one.weight
        self.head = nn.LazyLinear(n_outputs)

    def forward(self, x):
        return self.head(torch.tanh(self.two(torch.tanh(self.one(x)))))

class ByDict(Net):
    def forward(self, columns: dict):
        return super().forward(torch.cat([columns["left"], columns["right"]], dim=1))

class ByTuple(Net):
    def forward(self, columns: tuple[torch.Tensor, ...]):
        return super().forward(torch.cat(columns, dim=1))

class ByName(Net):
    def forward(self, right, left):
        return super().forward(torch.cat([left, right], dim=1))

class Wrong(Net):
    def forward(self, x):
        return super().forward(x)[:, :2]

class Fails(Net):
    def forward(self, x):
        return x @ torch.zeros(99, 3)

class Detached(Net):
    def forward(self, x):
        return super().forward(x).detach()

class NoTensor(Net):
    def forward(self, x):
        return [1, 2]

class NoColumn(Net):
    def forward(self, left, rigth):
        return super().forward(left)

class NoWeights(nn.Module):
    def forward(self, x):
        return x[:, :1].expand(-1, 3)

def raises(n_inputs):
    raise ValueError("no such thing")

def nothing():
    return 3

def bare(x, /):
    return Net(2, 3)

class Saver:
    """Answers with the commonest class, and keeps itself."""
    def fit(self, X, y):
        self.best = int(__import__("numpy").bincount(y).argmax())
    def predict(self, X):
        return [self.best] * len(X)
    def save(self, path):
        Path(path).write_text(str(self.best))
    @classmethod
    def load(cls, path):
        made = cls()
        made.best = int(Path(path).read_text())
        return made

class Forgetful:
    def fit(self, X, y):
        pass
    def predict(self, X):
        return [0] * len(X)

class Broken(Forgetful):
    def fit(self, X, y):
        raise RuntimeError("out of luck")

a_number = 3
'''
LOSSES = """
import torch

def same(outputs, targets):
    return torch.nn.functional.cross_entropy(outputs, targets, reduction="none")

def mean(outputs, targets):
    return torch.nn.functional.cross_entropy(outputs, targets)

def weighted(outputs, targets, weights):
    return (same(outputs, targets) * weights).mean()

def one(outputs):
    return outputs.sum()

def misshapen(outputs, targets):
    return outputs

def infinite(outputs, targets):
    return same(outputs, targets) / 0

def rooted(outputs, targets):
    return (outputs - outputs).sqrt().sum(1)

def cut(outputs, targets):
    return same(outputs.detach(), targets)

def plain(outputs, targets):
    return 1.0

def failing(outputs, targets):
    return outputs[:, 99]
"""


def own(name: str, **args: Any) -> dict[str, Any]:
    return {"kind": "python", "factory": f"nets:{name}", "args": args}


@pytest.fixture(autouse=True)
def _code(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "losses.py").write_text(LOSSES)


def test_a_forest_answers_as_the_forest_by_hand(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, model=FOREST, seed=3)
    result = fit(project, dataset)
    train, dev = dataset.parts["train"], dataset.parts["dev"]
    theirs = RandomForestClassifier(20, random_state=3).fit(train.x, train.y[:, 0])
    answers = result.predictions.part("dev").answers
    assert answers.p is not None
    np.testing.assert_allclose(answers.p, theirs.predict_proba(dev.x), atol=1e-9)
    assert (answers.y_pred == theirs.predict(dev.x)).all()
    assert result.history.epochs == 1
    assert result.outcome.text == f"RandomForestClassifier was fitted on {len(train)} examples."


def test_a_forest_survives_being_stored(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, model=FOREST)
    result, dev = fit(project, dataset), dataset.parts["dev"]
    outputs = predict(resolve(project, dataset), result.weights, dev.x, n_outputs=3)
    answers = dataset.target.decode(outputs)[""]
    np.testing.assert_array_equal(answers.p, result.predictions.part("dev").answers.p)
    assert result.resources["size_mb"] > 0.01


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_regressor_learns_the_label_in_its_own_unit(
    make_project: MakeProject, line: pd.DataFrame, scale: str
) -> None:
    model = {"kind": "python", "factory": "sklearn.ensemble:RandomForestRegressor", "args": {"n_estimators": 5}}
    data = {"label_scale": "log"} if scale == "log" else {}
    project, dataset = make_project(line, model=model, data=data)
    result, train, dev = fit(project, dataset), dataset.parts["train"], dataset.parts["dev"]
    y = np.log(train.y[:, 0]) if scale == "log" else train.y[:, 0]
    theirs = RandomForestRegressor(5, random_state=0).fit(train.x, y).predict(dev.x)
    expected = np.exp(theirs) if scale == "log" else theirs
    np.testing.assert_allclose(result.predictions.part("dev").answers.y_pred, expected)
    outputs = predict(resolve(project, dataset), result.weights, dev.x, n_outputs=1)
    np.testing.assert_allclose(dataset.target.decode(outputs)[""].y_pred, expected)


def test_weights_of_classes_reach_the_estimator(make_project: MakeProject, pairs: pd.DataFrame) -> None:
    model = {"kind": "python", "factory": "sklearn.linear_model:LogisticRegression"}
    plain = fit(*make_project(pairs, model=model))
    heavy = fit(*make_project(pairs, model=model, training={"class_weight": {"yes": 20}}))
    assert (heavy.predictions.answers.y_pred == 1).sum() > (plain.predictions.answers.y_pred == 1).sum()


def test_several_labels_are_fitted_one_by_one_where_known(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    cat = pd.Series(np.where(blobs.y == "a", "yes", "no"), dtype=object)
    cat[::7] = None
    frame = blobs.assign(cat=cat, dog=np.where(blobs.y == "b", "yes", "no")).drop(columns="y")
    project, dataset = make_project(frame, data={"label": ["cat", "dog"]}, model=FOREST)
    result = fit(project, dataset)
    assert "fitted 2 times, once per label" in result.outcome.text
    outputs = predict(resolve(project, dataset), result.weights, dataset.parts["dev"].x, n_outputs=2)
    answers = dataset.target.decode(outputs)["dog"]
    np.testing.assert_array_equal(answers.p, result.predictions.part("dev").labels["dog"].p)


@pytest.mark.parametrize("name", ["svm:LinearSVC", "linear_model:RidgeClassifier", "neighbors:KNeighborsClassifier"])
def test_estimators_without_probabilities_answer_too(make_project: MakeProject, blobs: pd.DataFrame, name: str) -> None:
    project, dataset = make_project(blobs, model={"kind": "python", "factory": f"sklearn.{name}"})
    assert fit(project, dataset).metrics["dev"]["error"] < 0.35


def test_what_can_save_itself_is_kept_and_what_cannot_is_not(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, model=own("Saver"))
    result = fit(project, dataset)
    outputs = predict(resolve(project, dataset), result.weights, dataset.parts["dev"].x, n_outputs=3)
    assert (outputs.argmax(1) == result.predictions.part("dev").answers.y_pred).all()
    lost = fit(*make_project(blobs, model=own("Forgetful")))
    assert lost.weights == {}
    assert "not stored: without pickle it needs save(path) and load(path)" in lost.outcome.text


def test_a_fit_that_fails_names_the_line(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    with pytest.raises(MlprojError, match=r"Broken.fit fails: nets.py line \d+: RuntimeError: out of luck"):
        fit(*make_project(blobs, model=own("Broken")))


def test_a_module_with_our_weights_learns_what_our_perceptron_learns(
    make_project: MakeProject, blobs: pd.DataFrame
) -> None:
    training = {"epochs": 8, "optimizer": "adamw", "l2": 0.01, "l1": 0.001, "clip_norm": 0.5}
    ours = fit(*make_project(blobs, model={"kind": "mlp", "hidden": [16]}, training=training))
    theirs = fit(*make_project(blobs, model=own("Twin"), training=training))
    for name, values in ours.history.metrics.items():
        np.testing.assert_allclose(theirs.history.metrics[name], values, rtol=2e-5, err_msg=name)
    np.testing.assert_allclose(theirs.weights["a.weight"].T, ours.weights["dense_1.weight"], atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        own("Net", dropout=0.3, norm=True),
        own("Double"),
        own("Tied"),
        own("Frozen"),
        own("ByDict"),
        own("ByTuple"),
        own("ByName"),
    ],
    ids=lambda model: model["factory"],
)
def test_a_module_trains_repeats_itself_and_survives_being_stored(
    make_project: MakeProject, blobs: pd.DataFrame, model: dict[str, Any]
) -> None:
    project, dataset = make_project(blobs, model=model, training={"epochs": 6, "learning_rate": 0.02})
    one, two, other = fit(project, dataset), fit(project, dataset), fit(project, dataset, seed=1)
    assert one.history == two.history != other.history
    assert one.metrics["dev"]["error"] < 0.5
    dev, sizes = dataset.parts["dev"], dataset.encoder.sizes
    outputs = predict(resolve(project, dataset), one.weights, dev.x, n_outputs=3, columns=sizes)
    answers = dataset.target.decode(outputs)[""]
    expected = one.predictions.part("dev").answers.p
    assert expected is not None
    assert answers.p == pytest.approx(expected, abs=1e-6)


def test_columns_come_in_by_name_in_any_order(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    training = {"epochs": 3}
    plain = fit(*make_project(blobs, model=own("Net"), training=training))
    named = fit(*make_project(blobs, model=own("ByName"), training=training))
    assert named.history == plain.history


def test_frozen_parameters_stay_as_they_are(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, model=own("Frozen"), training={"epochs": 3})
    before = build_model(project, n_features=2, n_outputs=3, seed=0).state_dict()
    after = fit(project, dataset).weights
    np.testing.assert_array_equal(after["body.0.weight"], before["body.0.weight"][0].numpy())
    assert not np.array_equal(after["head.weight"], before["head.weight"][0].numpy())


def test_building_leaves_the_global_random_numbers_alone(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, _ = make_project(blobs, model=own("Net"))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    build_model(project, n_features=2, n_outputs=3)
    assert torch.equal(torch.rand(3), expected)


def test_the_layer_table_has_the_parts_of_a_module(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, _ = make_project(blobs, model=own("Net", width=5))
    rows = layer_table(build_model(project, n_features=2, n_outputs=3))
    assert [(row.layer, row.output, row.parameters) for row in rows] == [
        ("body", (5,), 15),
        ("head", (3,), 18),
        ("spare", (), 6),
    ]


def test_a_model_of_ones_own_trains_alone(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, _ = make_project(blobs, model=own("Net"))
    with pytest.raises(ValueError, match="trains alone"):
        build(project.model, n_features=2, n_outputs=3, seeds=[0, 1])


WRONG_MODELS = {
    "a module that is not there": (own("Net") | {"factory": "ntes:Net"}, "no module 'ntes'", "`nets:Net`"),
    "a name that is not there": (own("Nett"), "has no 'Nett'", "`nets:Net`"),
    "no factory": (own("a_number"), "nets:a_number is a int, nothing that makes a model", "Name a class"),
    "an unknown argument": (own("Net", widht=3), "nets:Net takes no `widht`", "Did you mean `width`?"),
    "an argument too many": (own("nothing", depth=3), "takes no `depth`", "It takes none."),
    "a missing argument": (
        {"kind": "python", "factory": "torch.nn:Linear", "args": {"in_features": 2}},
        "torch.nn:Linear needs `out_features`",
        "args: {out_features: …}",
    ),
    "arguments by position": (own("bare"), "takes `x` by position only", "by name"),
    "a factory that fails": (own("raises"), "ValueError: no such thing", "`model.args`"),
    "a wrong value": (own("Net", width=-1), "RuntimeError", "`model.args`"),
    "no model": (own("nothing"), "makes a int, which is no model", "torch.nn.Module"),
    "too few outputs": (own("Wrong"), "gives (2, 2) for 2 examples; (2, 3) is needed", "One logit per class"),
    "a forward that fails": (own("Fails"), "fails on 2 examples: nets.py line", "logit"),
    "no dependence": (own("Detached"), "do not depend on its parameters", "detach()"),
    "no tensor": (own("NoTensor"), "gives a list, no tensor of logits", "logit"),
    "an unknown column": (own("NoColumn"), "asks for a column `rigth` that is no feature", "`right`"),
    "nothing to learn": (own("NoWeights"), "has no parameters to learn", "requires_grad"),
    "a regressor for classes": (
        {"kind": "python", "factory": "sklearn.linear_model:Ridge"},
        "Ridge gives numbers, but the label is a class",
        "Name a classifier.",
    ),
}


@pytest.mark.parametrize("case", WRONG_MODELS)
def test_a_wrong_model_is_refused_before_anything_starts(
    make_project: MakeProject, blobs: pd.DataFrame, case: str
) -> None:
    model, message, hint = WRONG_MODELS[case]
    project, dataset = make_project(blobs, model=model)
    with pytest.raises(InvalidInput) as caught:
        resolve(project, dataset)
    (problem,) = caught.value.problems
    assert problem.where.startswith("model.")
    assert message in problem.message
    assert hint in problem.hint


def test_all_wrong_arguments_are_told_at_once(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, model=own("Net", a=1, b=2), training={"loss": "python:losses:gone"})
    with pytest.raises(InvalidInput) as caught:
        resolve(project, dataset)
    assert [problem.where for problem in caught.value.problems] == ["training.loss", "model.args.a", "model.args.b"]


def test_a_module_that_cannot_be_imported_shows_the_users_own_line(
    make_project: MakeProject, blobs: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "mistyped.py").write_text("import torch\n\ndef make(:\n")
    project, dataset = make_project(blobs, model=own("x") | {"factory": "mistyped:make"})
    with pytest.raises(InvalidInput, match=r"mistyped.py line 3"):
        resolve(project, dataset)


def test_an_estimator_refuses_what_it_cannot_read(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    training = {"loss": "python:losses:same", "class_weight": "balanced"}
    project, dataset = make_project(blobs, model=own("Forgetful"), training=training)
    with pytest.raises(InvalidInput) as caught:
        resolve(project, dataset)
    said = {problem.where: problem.message for problem in caught.value.problems}
    assert "Forgetful has a loss of its own" in said["training.loss"]
    assert said["training.class_weight"] == "fit of Forgetful takes no sample_weight"


def test_a_search_over_what_the_model_does_not_know_is_refused(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    space = {"model.args.max_dept": {"int": [2, 8]}, "training.learning_rate": {"log": [0.001, 0.1]}}
    project, dataset = make_project(blobs, model=FOREST, search={"space": space})
    assert project.search is not None
    assert space_problems(project, project.search.space or {}) == []
    with pytest.raises(InvalidInput) as caught:
        resolve(project, dataset)
    first, second = caught.value.problems
    assert first.where == "search.space.model.args.max_dept"
    assert first.hint == "Did you mean `max_depth`?"
    assert "means nothing to RandomForestClassifier" in second.message


def test_check_says_what_it_found(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, model=own("Frozen"))
    assert own_notes(project, dataset) == ("nets:Frozen is a torch module with 57 parameters to learn, 48 frozen",)
    project, dataset = make_project(blobs, model=FOREST)
    assert (
        "RandomForestClassifier with fit and predict: it is trained once, on 2 inputs" in own_notes(project, dataset)[0]
    )


@pytest.mark.parametrize("name", ["same", "mean"])
def test_a_loss_of_ones_own_that_is_cross_entropy_trains_as_cross_entropy(
    make_project: MakeProject, blobs: pd.DataFrame, name: str
) -> None:
    model = {"kind": "mlp", "hidden": [8]}
    ours = fit(*make_project(blobs, model=model, training={"epochs": 4}))
    theirs = fit(*make_project(blobs, model=model, training={"epochs": 4, "loss": f"python:losses:{name}"}))
    np.testing.assert_allclose(theirs.history.metrics["dev/loss"], ours.history.metrics["dev/loss"], rtol=1e-5)


@pytest.mark.parametrize("name", ["same", "weighted"])
def test_weights_reach_a_loss_of_ones_own_or_are_applied_to_it(
    make_project: MakeProject, blobs: pd.DataFrame, name: str
) -> None:
    training = {"epochs": 3, "class_weight": {"a": 5}}
    ours = fit(*make_project(blobs, training=training))
    theirs = fit(*make_project(blobs, training=training | {"loss": f"python:losses:{name}"}))
    np.testing.assert_allclose(theirs.history.metrics["train/loss"], ours.history.metrics["train/loss"], rtol=1e-5)


WRONG_LOSSES = {
    "gone": ("has no 'gone'", ""),
    "torch": ("losses:torch is a module, no function", "(outputs, targets)"),
    "one": ("losses:one takes (outputs)", "(outputs, targets)"),
    "misshapen": ("losses:misshapen gives (8, 3); (8,) for 8 examples is needed", "as large as targets"),
    "infinite": ("gives inf on ordinary outputs", "division by 0"),
    "rooted": ("the gradient of losses:rooted is not finite", "sqrt(0)"),
    "cut": ("does not depend on the outputs", "without detach()"),
    "plain": ("gives a float, no tensor of losses", ""),
    "failing": ("losses:failing fails: losses.py line", ""),
}


@pytest.mark.parametrize("name", WRONG_LOSSES)
def test_a_wrong_loss_is_refused_before_anything_starts(
    make_project: MakeProject, blobs: pd.DataFrame, name: str
) -> None:
    message, hint = WRONG_LOSSES[name]
    project, dataset = make_project(blobs, training={"loss": f"python:losses:{name}"})
    with pytest.raises(InvalidInput) as caught:
        resolve(project, dataset)
    (problem,) = caught.value.problems
    assert problem.where == "training.loss"
    assert message in problem.message
    assert hint in problem.hint


def test_a_mean_cannot_be_weighted(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    training = {"loss": "python:losses:mean", "class_weight": "balanced"}
    with pytest.raises(InvalidInput, match=r"gives a mean; .* is needed where examples are weighted"):
        resolve(*make_project(blobs, training=training))


def test_ridge_equals_ridge(make_project: MakeProject, line: pd.DataFrame) -> None:
    project, dataset = make_project(line, model={"kind": "python", "factory": "sklearn.linear_model:Ridge"})
    result, train = fit(project, dataset), dataset.parts["train"]
    theirs = Ridge().fit(train.x, train.y[:, 0]).predict(train.x)
    np.testing.assert_allclose(result.predictions.part("train").answers.y_pred, theirs, rtol=1e-6)


def test_the_adapter_shows_one_model(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, _ = make_project(blobs, model=own("Net"))
    model = build_model(project, n_features=2, n_outputs=3)
    assert isinstance(model, OwnModel)
    assert model(torch.zeros(4, 2)).shape == (1, 4, 3)
