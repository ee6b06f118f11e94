"""The masks of dropout: as many units as the rate says, and nothing in common between seeds, layers and batches."""

import math
from itertools import combinations

import pytest
import torch
from scipy import stats
from torch import Tensor

from mlproj.spec.model import MLP
from mlproj.zoo import build
from mlproj.zoo.layers import Dropout

N_ROWS, WIDTH, N_BATCHES = 64, 50, 10
N_DRAWS = N_ROWS * WIDTH * N_BATCHES


def masks(rate: float, *, seed: int = 0, index: int = 1, width: int = WIDTH) -> Tensor:
    """Units that are kept in ten batches [T, B, H]."""
    layer = Dropout([rate], seeds=[seed], index=index)
    return torch.stack([layer(torch.ones(1, N_ROWS, width))[0] != 0 for _ in range(N_BATCHES)])


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.2, 0.5, 0.8, 0.99])
def test_as_many_units_are_switched_off_as_the_rate_says(seed: int, rate: float) -> None:
    n_off = int((~masks(rate, seed=seed)).sum())
    assert stats.binomtest(n_off, N_DRAWS, rate).pvalue > 1e-5


def test_each_unit_and_each_row_has_the_rate(seed: int) -> None:
    off = ~masks(0.3, seed=seed)
    for counts, n in ((off.sum((0, 1)), N_ROWS * N_BATCHES), (off.sum((0, 2)), WIDTH * N_BATCHES)):
        expected = torch.full_like(counts, 1).double() * 0.3 * n
        statistic = float(((counts - expected) ** 2 / (0.3 * 0.7 * n)).sum())
        assert 1e-5 < stats.chi2.sf(statistic, len(counts)) < 1 - 1e-5


def test_streams_of_seeds_layers_and_batches_have_nothing_in_common(seed: int) -> None:
    first, second = masks(0.5, seed=seed), masks(0.5, seed=seed, index=2)
    streams = {"layer": second, "seed": masks(0.5, seed=seed + 1), "batch": first.roll(1, 0), "unit": first.roll(1, 2)}
    streams |= {"row": first.roll(1, 1), "itself": first}
    for one, other in combinations(streams, 2):
        agree = int((streams[one] == streams[other]).sum())
        assert stats.binomtest(agree, N_DRAWS, 0.5).pvalue > 1e-6, (one, other)


def test_a_higher_rate_switches_off_what_a_lower_one_does_and_more() -> None:
    """Members of one seed share their bits; so each has the masks that it would have alone."""
    low, high = masks(0.2), masks(0.6)
    assert not (high & ~low).any()
    assert int((low & ~high).sum()) == pytest.approx(0.4 * N_DRAWS, abs=5 * math.sqrt(0.24 * N_DRAWS))


def test_kept_units_make_up_for_the_others() -> None:
    dropped = Dropout([0.3], seeds=[0], index=1)(torch.ones(1, N_ROWS, WIDTH))
    assert dropped[dropped != 0].tolist() == pytest.approx([1 / 0.7] * int((dropped != 0).sum()), rel=1e-4)


@pytest.mark.parametrize("width", [1, 3, 50, 257])
def test_the_first_units_of_a_wider_layer_have_the_same_masks(width: int) -> None:
    assert torch.equal(masks(0.4, width=300)[:, :, :width], masks(0.4, width=width))


def test_a_batch_of_more_rows_than_are_drawn_at_a_time_is_no_exception() -> None:
    sizes = [3000, 7, 1020, 1024, 1500, 4]
    together, alone = Dropout([0.3, 0.6], seeds=[5, 6], index=2), Dropout([0.6], seeds=[6], index=2)
    for size in sizes:
        x = torch.ones(2, size, 9)
        assert torch.equal(together(x)[1:], alone(x[1:]))


def test_layers_of_a_model_and_members_of_a_stack_draw_from_streams_of_their_own() -> None:
    model = build(MLP(hidden=(40, 40), dropout=0.5), n_features=2, n_outputs=1, seeds=[0, 1])
    drawn = [layer(torch.ones(2, 500, 40)) != 0 for layer in model if isinstance(layer, Dropout)]
    for one, other in combinations([each[m] for each in drawn for m in range(2)], 2):
        assert stats.binomtest(int((one == other).sum()), one.numel(), 0.5).pvalue > 1e-6
