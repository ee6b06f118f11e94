"""The gradient check: known answers, torch's own check as witness, and derivatives that are wrong on purpose."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import mlproj
from mlproj.doctor.gradient import GradientCheck, gradient_check
from mlproj.errors import InvalidInput


class Cube(torch.autograd.Function):
    """x³ with a derivative of 3x² · (1 + error)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, error: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.error = error
        return x**3

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return slopes[0] * 3 * x**2 * (1 + ctx.error), None


def cube(x: Tensor, error: float) -> Tensor:
    made: Tensor = Cube.apply(x, error)  # type: ignore[no-untyped-call]
    return made


class Cubed(nn.Module):
    def __init__(self, error: float = 0.0) -> None:
        super().__init__()
        self.inner, self.outer, self.error = nn.Linear(4, 5), nn.Linear(5, 2), error

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(cube(self.inner(x), self.error))


@pytest.fixture(autouse=True)
def _seed(seed: int) -> None:
    torch.manual_seed(seed)


def check(module: nn.Module, **options: Any) -> GradientCheck:
    return gradient_check(module, functional.mse_loss, torch.randn(7, 4), torch.randn(7, 2), **options)


def test_a_correct_network_is_good_to_1e_7() -> None:
    found = check(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2)))
    assert found.verdict == "good"
    assert found.ratio < 1e-7
    assert {each.name for each in found.parameters} == {
        "0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"
    }  # fmt: skip
    assert found.checked == 32 + 8 + 8 + 8 + 16 + 2


@pytest.mark.parametrize(("error", "grade"), [(0.0, "good"), (1e-5, "look again"), (1e-2, "bug"), (-2.0, "bug")])
def test_the_ratio_is_that_of_the_planted_error(error: float, grade: str) -> None:
    found = check(Cubed(error))
    rows = {each.name: each for each in found.parameters}
    assert [rows[name].grade for name in ("outer.weight", "outer.bias")] == ["good", "good"]
    for name in ("inner.weight", "inner.bias"):
        assert rows[name].grade == grade
        # grad = (1 + e)·g and approx = g: the ratio is |e| / (1 + |1 + e|)
        assert rows[name].ratio == pytest.approx(abs(error) / (1 + abs(1 + error)), rel=1e-3, abs=1e-8)
    assert found.verdict == grade


@pytest.mark.parametrize("error", [0.0, 1e-2])
def test_torch_gradcheck_agrees(error: float) -> None:
    x = torch.randn(6, dtype=torch.float64, requires_grad=True)
    theirs = torch.autograd.gradcheck(lambda x: cube(x, error), (x,), raise_exception=False)
    assert (check(Cubed(error)).verdict == "good") is theirs


def test_the_table_names_the_coordinate_that_is_worst() -> None:
    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.ones(2, 3))

        def forward(self, x: Tensor) -> Tensor:
            cut = torch.zeros(2, 3, dtype=torch.bool)
            cut[1, 2] = True
            return (torch.where(cut, self.w.detach(), self.w) * x).sum()

    found = gradient_check(One(), torch.mean, torch.ones(2, 3))
    (row,) = found.parameters
    assert (row.worst, row.grade) == ((1, 2), "bug")
    assert row.approx == pytest.approx(1.0)
    assert row.grad == 0.0
    assert row.ratio == pytest.approx(1 / (math.sqrt(6) + math.sqrt(5)))
    assert "at [1, 2] differences say 1, autograd 0" in found.text()


def test_kinks_are_counted_and_left_out() -> None:
    class Rectified(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.tensor([0.0, 5e-6, -5e-6, 1.0]))

        def forward(self, x: Tensor) -> Tensor:
            return functional.relu(self.w) * x

    found = gradient_check(Rectified(), torch.sum, torch.arange(1.0, 5.0))
    assert (found.parameters[0].kinks, found.parameters[0].checked, found.verdict) == (3, 4, "good")
    assert "3 coordinates lie at a kink" in found.text()


def test_a_wrong_gradient_is_no_kink() -> None:
    class Wrong(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.tensor([0.7, -0.3]))

        def forward(self, x: Tensor) -> Tensor:
            return (self.w.abs() * x).detach() + self.w * 0

    found = gradient_check(Wrong(), torch.sum, torch.ones(2))
    assert (found.parameters[0].kinks, found.verdict) == (0, "bug")


def test_large_parameters_are_sampled_and_a_bug_in_one_of_them_is_found() -> None:
    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.randn(4000))

        def forward(self, x: Tensor) -> Tensor:
            return (self.table[:10] ** 2).sum() + (self.table[3000].detach() * x).sum() + (self.table * 0).sum()

    found = gradient_check(Wide(), torch.sum, torch.ones(3), coordinates=40)
    assert found.parameters[0].checked == 40
    assert found.verdict == "good"  # coordinate 3,000 is one of 4,000 and was not drawn
    assert gradient_check(Wide(), torch.sum, torch.ones(3), coordinates=4000).verdict == "bug"


def test_the_module_stays_as_it_is() -> None:
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    check(module)
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert {value.dtype for value in module.parameters()} == {torch.float32}
    assert all(each.grad is None for each in module.parameters())


def test_frozen_parameters_are_left_alone() -> None:
    module = nn.Linear(4, 2)
    module.bias.requires_grad_(False)
    assert [each.name for each in check(module).parameters] == ["weight"]


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda self, x: self.layer(x) + torch.rand(1), "draw"),
        (lambda self, x: self.layer(x) / 0, "the loss is (nan|inf)"),
        (lambda self, x: self.layer(x).detach(), "does not depend on any parameter"),
    ],
)
def test_what_cannot_be_checked_is_said(forward: Any, message: str) -> None:
    module = type("Net", (nn.Module,), {"forward": forward})()
    module.layer = nn.Linear(4, 2)
    with pytest.raises(InvalidInput, match=message):
        check(module)


def test_a_module_that_computes_in_float32_is_noted() -> None:
    class Single(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x).float()

    assert "torch.float32 for float64" in check(Single()).notes[0]


def test_several_inputs_and_the_public_name() -> None:
    found = mlproj.gradient_check(nn.Bilinear(3, 4, 2), lambda z: z.square(), [torch.randn(5, 3), torch.randn(5, 4)])
    assert found.verdict == "good"
    assert found.document()["parameters"][0]["n"] == 24
