"""Every model family keeps the promises of `mlproj.testing.ModelContract`."""

from pathlib import Path
from typing import Annotated, get_args, get_origin

import pytest

from mlproj.spec.base import Spec
from mlproj.spec.model import MLP, Linear, Model, Python
from mlproj.testing import ModelContract
from mlproj.zoo import StackedModel, build

LINEAR = {"in_features": 2, "out_features": 1}
MODULE = """
from torch import nn

class Net(nn.Module):
    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_inputs, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1))
        self.head = nn.Linear(16, n_outputs)

    def forward(self, x):
        return self.head(self.body(x))
"""


class TestLinear(ModelContract):
    @pytest.fixture
    def spec(self) -> Spec:
        return Linear()


class TestMLP(ModelContract):
    @pytest.fixture
    def spec(self) -> Spec:
        return MLP(hidden=(8, 5))


class TestMLPWithEverything(ModelContract):
    @pytest.fixture
    def spec(self) -> Spec:
        return MLP(hidden=(16, 12), activation="tanh", dropout=0.2, batch_norm=True, init="glorot")


class TestAModuleOfOnesOwn(ModelContract):
    @pytest.fixture
    def spec(self, tmp_path: Path) -> Spec:
        (tmp_path / "promising.py").write_text(MODULE)
        return Python(kind="python", factory="promising:Net")


def _members(union: object) -> list[type[Spec]]:
    while get_origin(union) is Annotated:
        union = get_args(union)[0]
    return [member for member in get_args(union) if isinstance(member, type)]


def test_every_model_of_the_spec_has_a_builder_of_its_own() -> None:
    assert {MLP, Linear} <= set(_members(Model))
    for spec in _members(Model):
        assert build.dispatch(spec) is not build.dispatch(object), spec
        made = Python(kind="python", factory="torch.nn:Linear", args=LINEAR) if spec is Python else spec()
        assert isinstance(build(made, n_features=2, n_outputs=1, seeds=[0]), StackedModel)
