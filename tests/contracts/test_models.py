"""Every model family keeps the promises of `mlproj.testing.ModelContract`."""

from typing import Annotated, get_args, get_origin

import pytest

from mlproj.spec.base import Spec
from mlproj.spec.model import MLP, Linear, Model
from mlproj.testing import ModelContract
from mlproj.zoo import StackedModel, build


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


def _members(union: object) -> list[type[Spec]]:
    while get_origin(union) is Annotated:
        union = get_args(union)[0]
    return [member for member in get_args(union) if isinstance(member, type)]


def test_every_model_of_the_spec_has_a_builder_of_its_own() -> None:
    assert {MLP, Linear} <= set(_members(Model))
    for spec in _members(Model):
        assert build.dispatch(spec) is not build.dispatch(object), spec
        assert isinstance(build(spec(), n_features=2, n_outputs=1, seeds=[0]), StackedModel)
