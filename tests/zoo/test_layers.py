"""Layers against torch's own, and initial weights against their variances."""

import pytest
import torch
from torch import nn

from mlproj.spec.model import MLP, Linear
from mlproj.zoo import StackedModel, build, layer_table
from mlproj.zoo.layers import BatchNorm, Dense, Dropout, Init


@pytest.mark.parametrize(("init", "variance"), [("he", 2 / 300), ("xavier", 1 / 300), ("glorot", 2 / 500)])
def test_initial_weights_have_the_variance_of_their_rule_and_biases_are_zero(init: Init, variance: float) -> None:
    layer = Dense(300, 200, init=init, seeds=[0, 1], index=1)
    # 60,000 draws: the sample variance has a standard error of 0.6 %.
    torch.testing.assert_close(layer.weight.var(dim=(1, 2)), torch.full((2,), variance), rtol=0.03, atol=0)
    assert layer.bias is not None
    assert not layer.bias.any()


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_deep_linear_stacks_of_small_and_large_weights_vanish_and_explode(factor: float) -> None:
    values = torch.ones(1, 1, 2)
    for number in range(50):
        layer = Dense(2, 2, init="zero", seeds=[0], index=number).requires_grad_(False)
        layer.weight.copy_(factor * torch.eye(2))
        values = layer(values)
    assert float(values[0, 0, 0]) == pytest.approx(factor**50)  # 9e-16 and 6e8


def test_he_keeps_the_spread_of_relu_units_over_thirty_layers() -> None:
    model = build(MLP(layers=30, width=256), n_features=256, n_outputs=256, seeds=[0])
    x = torch.randn(256, 256, generator=torch.Generator().manual_seed(0))
    assert 0.2 < model(x).square().mean().item() < 5


def test_batch_norm_equals_torchs_in_training_and_evaluation() -> None:
    ours, x = BatchNorm(3, 5).double(), torch.randn(4, 3, 16, 5, dtype=torch.float64)
    for member in range(3):
        theirs = nn.BatchNorm1d(5).double()
        alone = BatchNorm(1, 5).double()
        for batch in x:
            torch.testing.assert_close(alone(batch[member : member + 1])[0], theirs(batch[member]))
        torch.testing.assert_close(alone.mean[0], theirs.running_mean)
        torch.testing.assert_close(alone.variance[0], theirs.running_var)
        torch.testing.assert_close(alone.eval()(x[0, member : member + 1])[0], theirs.eval()(x[0, member]))
    for batch in x:
        together = ours(batch)
    assert together.shape == (3, 16, 5)
    torch.testing.assert_close(together.mean(1), torch.zeros(3, 5, dtype=torch.float64))


def test_batch_norm_makes_the_bias_redundant() -> None:
    model = build(MLP(layers=1, width=4, batch_norm=True), n_features=3, n_outputs=2, seeds=[0])
    assert not {"dense_1.bias"} & set(model.state_dict())
    assert {"norm_1.scale", "norm_1.shift", "output.bias"} <= set(model.state_dict())


def test_dropout_keeps_the_mean_and_switches_off_each_members_own_share() -> None:
    layer, rates = Dropout([0.0, 0.2, 0.5], seeds=[0, 1, 2], index=1), torch.tensor([0.0, 0.2, 0.5])
    dropped = layer(torch.ones(3, 2000, 50))
    torch.testing.assert_close((dropped == 0).float().mean((1, 2)), rates, atol=0.01, rtol=0)
    torch.testing.assert_close(dropped.mean((1, 2)), torch.ones(3), atol=0.02, rtol=0)
    torch.testing.assert_close(dropped.amax((1, 2)), 1 / (1 - rates))
    assert torch.equal(layer.eval()(torch.ones(3, 4, 50)), torch.ones(3, 4, 50))


def test_dropout_masks_of_a_member_do_not_depend_on_its_company_or_on_the_last_short_batch() -> None:
    sizes = [7, 7, 3] * 300
    together = Dropout([0.3, 0.6], seeds=[5, 6], index=2)
    alone = Dropout([0.6], seeds=[6], index=2)
    for size in sizes:
        x = torch.ones(2, size, 9)
        assert torch.equal(together(x)[1:], alone(x[1:]))


def test_dropout_masks_do_not_depend_on_the_width_of_the_stack_and_can_be_gone_on_with() -> None:
    wide, narrow = (Dropout([0.4], seeds=[3], index=1) for _ in range(2))
    places = []
    for size in (600, 600, 50, 2000, 7):
        places.append(narrow.place)
        assert torch.equal(wide(torch.ones(1, size, 11))[..., :6], narrow(torch.ones(1, size, 6)))
    later = Dropout([0.4], seeds=[3], index=1)
    later.place = places[-1]
    narrow.place = places[-1]
    assert torch.equal(later(torch.ones(1, 7, 6)), narrow(torch.ones(1, 7, 6)))


def test_members_of_one_seed_share_the_draws_that_each_would_make_alone() -> None:
    dropped = Dropout([0.2, 0.5, 0.5], seeds=[0, 0, 1], index=1)(torch.ones(3, 900, 20)) > 0
    assert bool((dropped[0] | ~dropped[1]).all())  # what the higher rate keeps, the lower one keeps too
    agreement = float((dropped[1] == dropped[2]).float().mean())
    assert agreement == pytest.approx(0.5, abs=0.02)
    layers = [Dropout([0.5], seeds=[0], index=index)(torch.ones(1, 900, 20)) > 0 for index in (1, 2)]
    assert float((layers[0] == layers[1]).float().mean()) == pytest.approx(0.5, abs=0.02)


def test_successive_dropout_masks_differ() -> None:
    layer, x = Dropout([0.5], seeds=[0], index=1), torch.ones(1, 8, 8)
    assert not torch.equal(layer(x), layer(x))


def test_members_may_have_dropout_rates_of_their_own() -> None:
    model = build(MLP(layers=1, width=64), n_features=3, n_outputs=2, seeds=[0, 0])
    model.set_dropout([0.0, 0.5])
    outputs = model(torch.ones(5, 3))
    assert not torch.equal(outputs[0], outputs[1])
    with pytest.raises(ValueError, match="1 dropout rates for 2 models"):
        model.set_dropout([0.5])


def test_switching_dropout_on_does_not_move_the_initial_weights() -> None:
    one, other = (build(MLP(dropout=rate), n_features=3, n_outputs=2, seeds=[4]) for rate in (0.0, 0.5))
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_different_seeds_and_different_layers_have_different_weights() -> None:
    model = build(MLP(hidden=(6, 6)), n_features=6, n_outputs=6, seeds=[1, 2])
    first, second = model.get_parameter("dense_1.weight"), model.get_parameter("dense_2.weight")
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("activation", "theirs"),
    [("relu", nn.ReLU()), ("leaky_relu", nn.LeakyReLU()), ("tanh", nn.Tanh()), ("sigmoid", nn.Sigmoid())],
)
def test_a_perceptron_equals_the_same_one_written_in_torch(activation: str, theirs: nn.Module) -> None:
    ours = build(MLP(hidden=(5,), activation=activation), n_features=4, n_outputs=2, seeds=[0])  # type: ignore[arg-type]  # a table of names
    first, last = nn.Linear(4, 5), nn.Linear(5, 2)
    with torch.no_grad():
        for layer, name in ((first, "dense_1"), (last, "output")):
            layer.weight.copy_(ours.get_parameter(f"{name}.weight")[0].T)
            layer.bias.zero_()
    x = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(x)[0], nn.Sequential(first, theirs, last)(x))


def test_the_layer_table_counts_what_is_learned_by_one_member() -> None:
    model = build(MLP(hidden=(64, 32), batch_norm=True, dropout=0.1), n_features=10, n_outputs=3, seeds=[0, 1, 2])
    rows = layer_table(model)
    assert [(row.layer, row.output, row.parameters) for row in rows] == [
        ("dense_1", (64,), 640), ("norm_1", (64,), 128), ("relu_1", (64,), 0), ("dropout_1", (64,), 0),
        ("dense_2", (32,), 2048), ("norm_2", (32,), 64), ("relu_2", (32,), 0), ("dropout_2", (32,), 0),
        ("output", (3,), 99),
    ]  # fmt: skip
    assert sum(row.parameters for row in rows) * 3 == sum(p.numel() for p in model.parameters())


def test_the_layer_table_leaves_out_dropout_that_does_nothing() -> None:
    model: StackedModel = build(MLP(layers=1, width=4), n_features=2, n_outputs=1, seeds=[0])
    assert [row.layer for row in layer_table(model)] == ["dense_1", "relu_1", "output"]


def test_a_perceptron_without_hidden_layers_is_one_dense_layer() -> None:
    assert [row.parameters for row in layer_table(build(MLP(layers=0), n_features=2, n_outputs=3, seeds=[0]))] == [9]
    assert [row.parameters for row in layer_table(build(Linear(), n_features=2, n_outputs=3, seeds=[0]))] == [9]
