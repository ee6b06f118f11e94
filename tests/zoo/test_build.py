"""Building stacks from specs, and taking them apart."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlproj.spec.base import Spec
from mlproj.spec.model import MLP
from mlproj.zoo import build, generator, stack, unstack

SEEDS = st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None)
@given(seeds=SEEDS, hidden=st.lists(st.integers(1, 5), max_size=2), batch_norm=st.booleans())
def test_putting_members_together_undoes_taking_them_apart(
    seeds: list[int], hidden: list[int], batch_norm: bool
) -> None:
    model = build(MLP(hidden=tuple(hidden), batch_norm=batch_norm), n_features=3, n_outputs=2, seeds=seeds)
    together = stack(unstack(model))
    assert all(torch.equal(together[name], value) for name, value in model.state_dict().items())
    assert together.keys() == model.state_dict().keys()


@settings(max_examples=25, deadline=None)
@given(seeds=SEEDS)
def test_each_member_has_exactly_the_weights_of_the_model_built_alone(seeds: list[int]) -> None:
    members = unstack(build(MLP(hidden=(4, 3)), n_features=2, n_outputs=2, seeds=seeds))
    for member, seed in zip(members, seeds, strict=True):
        (alone,) = unstack(build(MLP(hidden=(4, 3)), n_features=2, n_outputs=2, seeds=[seed]))
        assert all(np.array_equal(member[name], alone[name]) for name in alone)


def test_weights_taken_apart_are_copies() -> None:
    model = build(MLP(hidden=(2,)), n_features=2, n_outputs=1, seeds=[0])
    unstack(model)[0]["output.weight"][:] = 7
    assert not (model.get_parameter("output.weight") == 7).any()


def test_a_spec_without_a_builder_is_named() -> None:
    class Unknown(Spec):
        pass

    with pytest.raises(TypeError, match=r"no model family is registered for Unknown.*registered are .*MLP"):
        build(Unknown(), n_features=1, n_outputs=1, seeds=[0])


def test_purposes_seeds_and_layers_have_streams_of_their_own() -> None:
    starts = [
        generator(seed, purpose, index).initial_seed()
        for seed in (0, 1)
        for purpose in ("weights", "dropout", "batches", "sample")
        for index in (0, 1)
    ]
    assert len(set(starts)) == len(starts)
