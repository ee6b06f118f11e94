"""The arithmetic of benchmarks: ratios within a round, their spread, and how much work a perceptron is."""

import doctest
from importlib import import_module

import pytest
from rounds import Spread, ratios, turned, values
from task import figures, flops_per_epoch

MODULES = (
    "rounds",
    "task",
    "targets",
    "bench_page",
    "contenders.growth",
    "contenders.one",
    "mask_study",
    "search_profile",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    found = doctest.testmod(import_module(name))
    assert found.attempted > 0
    assert found.failed == 0


def test_a_ratio_is_taken_within_its_round_before_the_median() -> None:
    rounds = [{"a": {"s": a}, "b": {"s": b}} for a, b in [(1.0, 10.0), (2.0, 4.0), (36.0, 90.0)]]
    found = Spread.of(ratios(rounds, ("a", "s"), ("b", "s")))
    assert found == Spread(0.4, 0.1, 0.5, 3)  # the ratio of the medians would be 0.2


def test_a_round_without_one_of_both_gives_no_ratio() -> None:
    rounds = [{"a": {"s": 1.0}}, {"a": {"s": 1.0}, "b": {"s": 2.0, "other": 3.0}}, {"b": {"s": 2.0}}]
    assert ratios(rounds, ("a", "s"), ("b", "s")) == [0.5]
    assert values(rounds, "b", "other") == [3.0]
    assert Spread.of([]) is None


def test_every_contender_goes_first_once() -> None:
    assert {turned("abc", at)[0] for at in range(3)} == set("abc")
    assert sorted(turned("abc", 2)) == list("abc")


def test_work_is_that_of_the_matrix_products_of_torch() -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    model = torch.nn.Sequential(torch.nn.Linear(7, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    with FlopCounterMode(display=False) as counter:
        model(torch.randn(11, 7)).sum().backward()
    assert flops_per_epoch(7, 5, 3, n=11) == counter.get_total_flops()


def test_figures_are_numbers_at_the_top() -> None:
    assert figures({"cold": 1, "note": "x", "warm": 0.5}) == {"cold": 1.0, "warm": 0.5}
