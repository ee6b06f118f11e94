"""Batches: every example once per pass, each member in an order of its own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlproj.training import batches as module
from mlproj.training.batches import Examples, batch_ends, batches, make_orders, shuffle


@given(n=st.integers(1, 300), size=st.integers(1, 400))
def test_batches_cover_all_examples_and_only_a_batch_size_of_one_leaves_one_alone(n: int, size: int) -> None:
    sizes = torch.diff(torch.tensor([0, *batch_ends(n, size)])).tolist()
    assert sum(sizes) == n
    assert max(sizes) <= size + 1
    assert min(sizes) >= min(2, n, size)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 60), size=st.integers(1, 20), chunk=st.sampled_from([1, 40, 2**22]))
def test_every_member_sees_every_example_once_per_pass(n: int, size: int, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK_VALUES", chunk)  # so small data, too, are gathered in several chunks
        x = torch.arange(n, dtype=torch.float32).unsqueeze(1)
        examples = Examples(x, x + 0.5, x[:, 0])
        order = shuffle(n, make_orders([3, 4]))
        seen = list(batches(examples, order, batch_ends(n, size)))
    together = torch.cat([batch.x for batch in seen], dim=1)
    assert torch.equal(together[..., 0].long(), order)
    assert all(torch.equal(batch.y, batch.x + 0.5) for batch in seen)
    assert all(batch.weight is not None and torch.equal(batch.weight, batch.x[..., 0]) for batch in seen)


def test_a_members_order_does_not_depend_on_its_company_and_changes_every_epoch() -> None:
    together, alone = make_orders([1, 2]), make_orders([2])
    epochs = [(shuffle(50, together)[1], shuffle(50, alone)[0]) for _ in range(2)]
    assert all(torch.equal(one, other) for one, other in epochs)
    assert not torch.equal(epochs[0][0], epochs[1][0])


def test_members_of_one_seed_go_through_one_order() -> None:
    assert shuffle(30, make_orders([3, 3, 3])).shape == (1, 30)
    first, second, third = shuffle(30, make_orders([3, 4, 3]))
    assert torch.equal(first, third)
    assert not torch.equal(first, second)
