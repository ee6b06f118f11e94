"""A healthy project keeps every check silent; in each broken one exactly the checks fire that should."""

from textwrap import dedent
from typing import Any

import numpy as np
import pandas as pd
import pytest
from doctor_patients import MakePatient, clouds, quantities, wrong
from sklearn.neighbors import NearestNeighbors

from mlproj.doctor import examine, select
from mlproj.doctor.checks.split_hygiene import near_copies

PLAIN = """
    class Net(nn.Module):
        def __init__(self, n_inputs, n_outputs):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(n_inputs, 16), nn.Tanh(), nn.Linear(16, n_outputs))

        def forward(self, x):
            return {forward}
"""


def net(forward: str) -> str:
    return PLAIN.format(forward=forward)


# ----------------------------------------------------------------------- healthy

HEALTHY: dict[str, dict[str, Any]] = {
    "mlp": {},
    "linear": {"model": {"kind": "linear"}},
    "regularised": {
        "model": {"kind": "mlp", "hidden": [16, 16], "batch_norm": True, "dropout": 0.2},
        "training": {"l2": 1e-3, "label_smoothing": 0.05, "clip_norm": 5.0, "optimizer": "adamw"},
    },
    "own module": {"code": net("self.layers(x)")},
    "estimator": {"model": {"kind": "python", "factory": "sklearn.linear_model:LogisticRegression"}},
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_project_keeps_every_check_silent(make_patient: MakePatient, name: str) -> None:
    assert wrong(make_patient(**HEALTHY[name])) == {}


def test_a_healthy_regression_keeps_every_check_silent(make_patient: MakePatient) -> None:
    assert wrong(make_patient(quantities())) == {}


def test_several_labels_with_gaps_keep_every_check_silent(make_patient: MakePatient) -> None:
    frame = clouds()
    frame = frame.assign(first=(frame.y == "a").astype(object), second=(frame.y == "b").astype(object)).drop(
        columns="y"
    )
    frame.loc[::7, "second"] = None
    assert wrong(make_patient(frame, data={"label": ["first", "second"]})) == {}


def test_what_does_not_apply_is_skipped_with_the_reason(make_patient: MakePatient) -> None:
    checkup = examine(make_patient(**HEALTHY["estimator"]), select())
    skipped = {each.code: each.text for each in checkup.of("skipped")}
    assert "a `fit` of its own" in skipped["overfit-batch"]
    assert skipped["train-metric"] == "needs a run"
    assert {each.code for each in checkup.of("ok")} == {
        "uses-inputs", "batch-independence", "determinism", "shuffled-labels", "split-hygiene"
    }  # fmt: skip


# ----------------------------------------------------------------------- one planted bug each

BROKEN: dict[str, tuple[str, dict[str, str]]] = {
    "the last layer begins far too large": (net("50 * self.layers(x)"), {"initial-loss": "warn"}),
    "the inputs are thrown away": (
        net("self.layers(0 * x)"), {"uses-inputs": "fail", "overfit-batch": "fail", "updates": "fail"},
    ),
    "a parameter is cut off": (
        """
        class Net(nn.Module):
            def __init__(self, n_inputs, n_outputs):
                super().__init__()
                self.layers = nn.Sequential(nn.Linear(n_inputs, 16), nn.Tanh(), nn.Linear(16, n_outputs))
                self.side = nn.Linear(n_inputs, n_outputs)

            def forward(self, x):
                return self.layers(x) + self.side(x).detach()
        """,
        {"updates": "fail", "gradients": "fail"},
    ),
    "a frozen parameter moves": (
        """
        class Net(nn.Module):
            def __init__(self, n_inputs, n_outputs):
                super().__init__()
                self.layers = nn.Sequential(nn.Linear(n_inputs, 16), nn.Tanh(), nn.Linear(16, n_outputs))
                self.kept = nn.Parameter(torch.zeros(1), requires_grad=False)

            def forward(self, x):
                if self.training:
                    self.kept.data += 1e-6
                return self.layers(x)
        """,
        {"updates": "fail"},
    ),
    "a derivative is wrong": (
        """
        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            def backward(ctx, slope):
                return slope * 1.8 * ctx.saved_tensors[0]

        class Net(nn.Module):
            def __init__(self, n_inputs, n_outputs):
                super().__init__()
                self.first, self.last = nn.Linear(n_inputs, 16), nn.Linear(16, n_outputs)

            def forward(self, x):
                return self.last(Square.apply(self.first(x)))
        """,
        {"gradients": "fail"},
    ),
    "examples of a batch mix": (
        net("self.layers(x) + 0.3 * x.mean(0, keepdim=True).mean()"), {"batch-independence": "fail"},
    ),
    "answers are drawn": (
        net("self.layers(x) + 1e-4 * torch.rand(1, device=x.device)"),
        {"determinism": "fail"},
    ),
    "training mode is another model": (
        net("self.layers(x) * (0.5 if self.training else 1.0)"), {"determinism": "warn"},
    ),
    "the factory draws with a generator of its own": (
        """
        import random

        class Net(nn.Module):
            def __init__(self, n_inputs, n_outputs):
                super().__init__()
                self.layers = nn.Sequential(nn.Linear(n_inputs, 16), nn.Tanh(), nn.Linear(16, n_outputs))
                self.layers[0].bias.data += random.random()

            def forward(self, x):
                return self.layers(x)
        """,
        {"determinism": "fail"},
    ),
    "rectifiers are dead": (
        """
        class Net(nn.Module):
            def __init__(self, n_inputs, n_outputs):
                super().__init__()
                self.layers = nn.Sequential(nn.Linear(n_inputs, 64), nn.ReLU(), nn.Linear(64, n_outputs))
                self.layers[0].bias.data[:44] -= 30

            def forward(self, x):
                return self.layers(x)
        """,
        {"signal": "warn"},
    ),
    "gradients explode": (
        """
        class Net(nn.Module):
            def __init__(self, n_inputs, n_outputs):
                super().__init__()
                self.inner = nn.Sequential(*[nn.Linear(16, 16) for _ in range(9)])
                self.first, self.last = nn.Linear(n_inputs, 16), nn.Linear(16, n_outputs)
                for layer in self.inner:
                    layer.weight.data *= 8
                self.last.weight.data *= 1e-6

            def forward(self, x):
                return self.last(self.inner(self.first(x)))
        """,
        {"signal": "fail"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_exactly_the_check_for_a_planted_bug_fires(make_patient: MakePatient, name: str) -> None:
    code, expected = BROKEN[name]
    assert wrong(make_patient(code=code)) == expected


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("answers are drawn", "two evaluations of the same examples"),
        ("the factory draws with a generator of its own", "two models built from one seed"),
        ("training mode is another model", "without dropout or batch norm"),
    ],
)
def test_what_is_not_repeatable_is_said(make_patient: MakePatient, name: str, said: str) -> None:
    found = examine(make_patient(code=BROKEN[name][0]), select(only=["determinism"]))
    assert said in found["determinism"].text


def test_a_training_that_draws_by_itself_is_told_from_a_build_that_does(make_patient: MakePatient) -> None:
    code = "import random\n" + dedent(net("self.layers(x) + (random.random() if self.training else 0.0)"))
    found = examine(make_patient(code=code), select(only=["determinism"]))
    assert "two trainings from one seed differ" in found["determinism"].text


def test_a_model_that_reads_the_labels_elsewhere_beats_chance_on_shuffled_ones(
    make_patient: MakePatient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlproj.doctor.checks.shuffled_labels._SHUFFLES", 10)
    code = """
    import pandas as pd
    from pathlib import Path

    class Net(nn.Module):
        def __init__(self, n_inputs, n_outputs):
            super().__init__()
            table = pd.read_csv(Path(__file__).with_name("data.csv"))
            x = table.drop(columns="y").to_numpy()
            x = (x - x.mean(0)) / x.std(0)
            self.register_buffer("known", torch.tensor(x, dtype=torch.float32))
            codes = table.y.astype("category").cat.codes.to_numpy().copy()
            self.register_buffer("answer", torch.tensor(codes).long())
            self.layers = nn.Sequential(nn.Linear(n_inputs, 16), nn.Tanh(), nn.Linear(16, n_outputs))

        def forward(self, x):
            nearest = torch.cdist(x, self.known.to(x.dtype)).argmin(1)
            return self.layers(x) + 0.8 * nn.functional.one_hot(self.answer[nearest], 3).to(x.dtype)
    """
    assert wrong(make_patient(code=code)) == {"shuffled-labels": "fail"}


def test_a_loss_with_a_wrong_derivative_is_found(make_patient: MakePatient) -> None:
    code = """
    def loss(outputs, targets):
        right = nn.functional.cross_entropy(outputs, targets)
        return right.detach() + 0.9 * (right - right.detach())
    """
    patient = make_patient(code=code, model={"kind": "linear"}, training={"loss": "python:nets:loss"})
    assert wrong(patient, only=["gradients"]) == {"gradients": "fail"}
    assert "the loss" in examine(patient, select(only=["gradients"]))["gradients"].text


@pytest.mark.parametrize(("rate", "better"), [(1e-5, "too small: try 0.001"), (3.0, "too large: try 0.03")])
def test_a_learning_rate_that_cannot_learn_a_batch_is_named_with_a_better_one(
    make_patient: MakePatient, rate: float, better: str
) -> None:
    optimizer = "adam" if rate < 1 else "sgd"
    patient = make_patient(quantities(), training={"learning_rate": rate, "optimizer": optimizer})
    found = examine(patient, select(only=["overfit-batch"]))["overfit-batch"]
    assert found.verdict == "warn"
    assert better in found.advice


def test_dropout_that_keeps_a_batch_from_being_learned_is_told_from_a_bug(make_patient: MakePatient) -> None:
    patient = make_patient(model={"kind": "mlp", "hidden": [16]}, training={"l2": 0.5, "learning_rate": 0.01}, seed=1)
    found = examine(patient, select(only=["overfit-batch"]))["overfit-batch"]
    assert found.verdict == "warn"
    assert "without dropout and penalties" in found.text


# ----------------------------------------------------------------------- splits


def copied(frame: pd.DataFrame, *, noise: float, n: int = 40) -> pd.DataFrame:
    """The table with a copy of some rows, dealt on both sides of the split."""
    numbers = np.random.default_rng(5)
    again = frame.head(n).copy()
    for name in [str(name) for name in frame.columns if name != "y"]:
        again[name] += noise * numbers.normal(size=n)
    both = pd.concat([frame.assign(fold="train"), again.assign(fold="dev")], ignore_index=True)
    rest = clouds(160, seed=9).assign(fold="dev")
    return pd.concat([both, rest], ignore_index=True).assign(uid=lambda table: np.arange(len(table)))


@pytest.mark.parametrize(("noise", "verdict", "said"), [(0.0, "fail", "40 of 200 dev rows"), (0.01, "warn", "all but")])
def test_copies_across_splits_are_found(make_patient: MakePatient, noise: float, verdict: str, said: str) -> None:
    patient = make_patient(copied(clouds(), noise=noise), data={"id": "uid"}, splits={"column": "fold", "test": 0})
    found = examine(patient, select(only=["split-hygiene"]))["split-hygiene"]
    assert (found.verdict, said in found.text) == (verdict, True)


@pytest.mark.parametrize("width", [1, 2, 3, 12, 40])
def test_rows_that_are_merely_near_are_no_copies(make_patient: MakePatient, width: int) -> None:
    numbers = np.random.default_rng(width)
    frame = pd.DataFrame(numbers.normal(size=(900, width)), columns=[f"x{i}" for i in range(width)])
    patient = make_patient(frame.assign(y=numbers.choice(["a", "b"], 900)))
    assert wrong(patient, only=["split-hygiene"]) == {}


@pytest.mark.parametrize("shape", ["normal", "heavy tails", "two densities", "a curve in ten dimensions"])
@pytest.mark.parametrize("width", [2, 5, 20])
def test_unrelated_rows_pass_for_near_copies_less_than_once_in_a_hundred(shape: str, width: int) -> None:
    numbers = np.random.default_rng(width)
    x = numbers.normal(size=(4000, width))
    if shape == "heavy tails":
        x = np.sign(x) * np.abs(x) ** 3
    elif shape == "two densities":
        x[::2] /= 50
    elif shape == "a curve in ten dimensions":
        x = np.sin(x[:, :1] * np.arange(1, 11) + np.arange(10))
    distance = NearestNeighbors(n_neighbors=10).fit(x[:2000]).kneighbors(x[2000:])[0]
    assert near_copies(distance).mean() <= 0.01
    copied = distance.copy()
    copied[:100] = np.concatenate([0.01 * distance[:100, :1], distance[:100, :-1]], axis=1)
    if width >= 5 and "curve" not in shape:  # in one or two dimensions a hundredth of the distance is nothing special
        assert near_copies(copied)[:100].mean() >= 0.9


def test_a_column_that_reads_like_a_group_and_lies_on_both_sides_is_named(make_patient: MakePatient) -> None:
    frame = clouds().assign(patientId=lambda table: np.arange(len(table)) // 6)
    found = examine(make_patient(frame, data={"exclude": ["patientId"]}), select(only=["split-hygiene"]))
    assert "dev rows have a patientId that train has too" in found["split-hygiene"].text
    assert wrong(make_patient(frame, data={"group": "patientId"}), only=["split-hygiene"]) == {}


def test_a_date_that_tells_the_label_is_named_and_one_that_does_not_is_not(make_patient: MakePatient) -> None:
    day = pd.date_range("2024-01-01", periods=300).strftime("%Y-%m-%d")
    frame = clouds().assign(taken=day)
    assert wrong(make_patient(frame), only=["split-hygiene"]) == {}
    ordered = frame.assign(y=np.repeat(["a", "b", "c", "a", "c", "b"], 50))
    found = examine(make_patient(ordered), select(only=["split-hygiene"]))["split-hygiene"]
    assert found.verdict == "warn"
    assert "declare `data: {time: taken}`" in found.advice
    assert wrong(make_patient(ordered, data={"time": "taken"}), only=["split-hygiene"]) == {}
