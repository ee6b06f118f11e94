"""Plans: never dearer than one by one, widths apart where padding costs, and workers that end together."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from mlproj.data import Dataset, load_dataset
from mlproj.fleet.alone import NO_COMPANY, NO_GAIN, OWN, TOO_LARGE, Reason
from mlproj.fleet.cost import Layout, Prices
from mlproj.fleet.groups import shape_of
from mlproj.fleet.plan import Planner
from mlproj.fleet.room import MOST, cut_to_room, has_room, widest
from mlproj.records import Job
from mlproj.spec.project import Project

PRICES = Prices(
    stack=4e-3, member=6e-4, epoch=0.0, look=6e-4, answer=0.0, update=2e-5, layer=2.4e-5, flop=1e-11, unit=4e-9,
    output=0.0, weight=1.8e-9, far=2.7e-9, mask=4.7e-9, norm=2e-4, normed=8.6e-9, cache=2e6,
)  # fmt: skip
"""Of one machine, so that what is planned here does not hang on the newest fit."""
DIGITS = {"name": "digits", "data": {"source": "sklearn:digits"}}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_dataset(Project.model_validate(DIGITS))


def job(seed: int = 0, epochs: int = 20, **model: Any) -> Job:
    spec = {"model": {"kind": "mlp"} | model, "training": {"epochs": epochs}}
    return Job(Project.model_validate(DIGITS | spec), seed)


def prices(**known: float) -> Prices:
    """Prices of which all but a few are nothing."""
    return Prices(**{each.name: known.get(each.name, 0.0) for each in fields(Prices)})


def sizes(plan: list[list[Any]]) -> list[int]:
    return sorted(map(len, plan))


def price(planner: Planner, jobs: list[Job], plan: list[list[int]]) -> float:
    """What a plan costs, each stack as wide as its widest member."""
    found = 0.0
    for stack in plan:
        layouts = [planner.layout(jobs[at]) for at in stack]
        widths = [layout.widths for layout in layouts if layout]
        assert layouts[0] is not None
        wide = layouts[0]._replace(widths=tuple(map(max, zip(*widths, strict=True))))
        found += PRICES.seconds(wide, len(stack))
    return found


def test_narrow_models_train_together_and_wide_ones_alone(dataset: Dataset) -> None:
    planner = Planner(dataset, prices=PRICES)
    assert planner.plan([(at, job(at, width=32)) for at in range(32)], 1) == [list(range(32))]
    assert sizes(planner.plan([(at, job(at, width=1024)) for at in range(8)], 1)) == [1] * 8
    own = Job(Project.model_validate(DIGITS | {"model": {"kind": "python", "factory": "nets:Net"}}), 0)
    assert sizes(planner.plan([(at, own) for at in range(3)], 2)) == [1, 1, 1]


def test_who_trains_alone_is_told_why(dataset: Dataset) -> None:
    planner = Planner(dataset, prices=PRICES)
    own = Job(Project.model_validate(DIGITS | {"model": {"kind": "python", "factory": "nets:Net"}}), 0)
    assert planner.why_alone(own) == Reason(OWN, name="nets:Net")
    assert planner.why_alone(job(width=1024)) == Reason(NO_GAIN, 1024)
    assert planner.why_alone(job(width=5000)) == Reason(TOO_LARGE, 5000)
    assert planner.why_alone(job(width=32)) == Reason(NO_COMPANY)


def test_a_fleet_stacks_whatever_can_be_stacked(dataset: Dataset) -> None:
    planner = Planner(dataset, stacks=True, prices=PRICES)
    assert min(sizes(planner.plan([(at, job(at, width=width)) for at, width in enumerate([700, 40, 512, 600])], 1))) > 1


@pytest.mark.parametrize("seed", range(5))
def test_no_plan_costs_more_than_one_by_one_or_all_together(dataset: Dataset, seed: int) -> None:
    import random

    draw = random.Random(seed)
    jobs = [job(at, width=draw.choice([8, 33, 48, 64, 200, 400, 700])) for at in range(40)]
    planner = Planner(dataset, prices=PRICES)
    plan = planner.plan(list(enumerate(jobs)), 1)
    assert sorted(at for stack in plan for at in stack) == list(range(40))
    found = price(planner, jobs, plan)
    assert found <= price(planner, jobs, [[at] for at in range(40)])
    assert found <= price(planner, jobs, [list(range(40))])


def test_widths_far_apart_make_stacks_of_their_own(dataset: Dataset) -> None:
    widths = [16, 18, 20, 250, 256] * 6
    plan = Planner(dataset, prices=PRICES).plan([(width, job(at, width=width)) for at, width in enumerate(widths)], 1)
    assert all(max(stack) <= 20 or min(stack) >= 250 for stack in plan)
    assert sorted({width for stack in plan if len(stack) == 18 for width in stack}) == [16, 18, 20]


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_end_at_about_the_same_time(dataset: Dataset, workers: int) -> None:
    planner = Planner(dataset, prices=PRICES)
    same = planner.plan([(at, job(at, epochs=100)) for at in range(48)], workers)
    assert sizes(same) == [48 // workers] * workers
    jobs = [job(at, epochs=100, width=16 + 7 * at, layers=1 + at % 3) for at in range(30)]
    plan = planner.plan(list(enumerate(jobs)), workers)
    ends = [0.0] * workers
    for stack in plan:  # each worker takes the next when it is done
        ends[ends.index(min(ends))] += price(planner, jobs, [stack])
    assert max(ends) <= 1.2 * sum(ends) / workers


def test_what_is_done_sooner_than_a_process_starts_is_not_shared_out(dataset: Dataset) -> None:
    planner = Planner(dataset, prices=prices(stack=1e-5))
    assert sizes(planner.plan([(at, job(at)) for at in range(10)], 2)) == [10]


def test_a_stack_is_no_larger_than_pays(dataset: Dataset) -> None:
    plan = Planner(dataset, prices=PRICES).plan([(at, job(at)) for at in range(150)], 1)
    assert max(map(len, plan)) <= MOST


MANY = Layout((10, 16, 16, 300), batch=1024, updates=600, epochs=10, seen=6400)
"""Classes that weigh more than the whole of the rest."""


def test_a_stack_holds_no_more_of_a_batch_than_the_cache() -> None:
    assert has_room(MANY, 6)  # 6 · 1024 · 300 · 4 bytes are 7.4 MB
    assert not has_room(MANY, 7)
    assert has_room(MANY._replace(batch=64), 64)
    assert not has_room(MANY._replace(widths=(10, 300, 16, 2)), 7)  # hidden units as much as outputs
    assert [len(cut) for cut in cut_to_room([MANY] * 15)] == [6, 6, 3]


def test_a_stack_holds_weights_and_rows_of_512_mb_at_most() -> None:
    wide = Layout((1000, 1000, 2), batch=8, updates=10, epochs=1, seen=0)  # 24 bytes for each of a million weights
    assert has_room(wide, 22)
    assert not has_room(wide, 23)
    with_rows = wide._replace(widths=(1000, 4, 2), own_rows=10_000)  # 40 MB
    assert has_room(with_rows, 13)
    assert not has_room(with_rows, 14)


def test_no_plan_makes_stacks_without_room(dataset: Dataset) -> None:
    full = {"training": {"epochs": 20, "batch_size": "full"}}
    jobs = [
        Job(Project.model_validate(DIGITS | full | {"model": {"kind": "mlp", "width": 8 + 10 * (at % 8)}}), at)
        for at in range(64)
    ]
    planner = Planner(dataset, prices=prices(stack=1.0, update=1.0))  # one stack of all would be cheapest by far
    for workers in (1, 2):
        plan = planner.plan(list(enumerate(jobs)), workers)
        assert sorted(at for stack in plan for at in stack) == list(range(64))
        for stack in plan:
            layouts = [layout for layout in map(planner.layout, (jobs[at] for at in stack)) if layout]
            assert has_room(widest(layouts), len(stack))


def test_what_takes_longest_comes_first(dataset: Dataset) -> None:
    jobs = [job(at, epochs=epochs) for at, epochs in enumerate([10, 10, 300, 300, 40, 40])]
    plan = Planner(dataset, prices=PRICES).plan(list(enumerate(jobs)), 1)
    assert [sorted(stack) for stack in plan] == [[2, 3], [4, 5], [0, 1]]


def test_rows_of_its_own_are_counted(dataset: Dataset) -> None:
    planner = Planner(dataset, prices=PRICES)
    whole, some = planner.layout(job()), planner.layout(replace(job(), rows=np.arange(500)))
    assert whole is not None
    assert some is not None
    assert whole.own_rows == 0
    assert some.own_rows == 500 + len(dataset.parts["dev"])  # to train on, and of these to look at


def test_the_layout_is_that_of_the_resolved_training(dataset: Dataset) -> None:
    n = len(dataset.parts["train"])
    found = Planner(dataset, prices=PRICES).layout(Job(Project.model_validate(DIGITS), 0))
    assert found is not None
    assert (found.widths, found.batch) == ((64, 64, 64, 10), 64)
    assert found.updates == found.epochs * -(-n // 64) >= 2000
    assert found.weights == 65 * 64 * 2 + 65 * 10


def test_a_price_is_paid_as_often_as_there_is_work() -> None:
    layout = Layout((3, 5, 2), batch=4, updates=10, epochs=2, seen=7)
    assert prices(update=1.0).seconds(layout, 6) == 10
    assert prices(layer=1.0).seconds(layout, 6) == 20
    assert prices(weight=1.0).seconds(layout, 6) == 10 * 6 * (4 * 5 + 6 * 2)
    # 2·B·(3·25 − 15) per update and member, 2·25 per example looked at
    assert prices(flop=1.0).seconds(layout, 6) == 6 * (10 * 2 * 4 * (3 * 25 - 15) + 2 * 2 * 7 * 25)
    # what the cache holds of M·P·16 bytes costs nothing more
    assert prices(far=1.0, cache=2 * 32 * 16).seconds(layout, 6) == pytest.approx((6 - 2) * 10 * 32)
    half = layout._replace(dropout=0.5)
    assert prices(mask=1.0).seconds(half, 6) == 3 * 10 * 4 * 5


def test_the_human_level_says_nothing_about_who_trains_together() -> None:
    spec = {"name": "iris", "data": {"source": "sklearn:iris"}, "model": {"kind": "mlp"}}
    levels = [Project.model_validate(spec | more) for more in ({}, {"human_level": 0.01})]
    assert shape_of(Job(levels[0], 0)) == shape_of(Job(levels[1], 0))
