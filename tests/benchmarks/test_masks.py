"""The study of masks changes masks and nothing else, and its intervals are read as they are meant."""

import numpy as np
import pytest
from mask_study import Arm, Quality, differences, members_of, verdict
from mask_trainings import Bench, Masked, draw, open_bench, own_masks, train

from mlproj.spec.project import Project


@pytest.fixture(scope="module")
def wine() -> Bench:
    return open_bench("wine")


def weights(bench: Bench, project: Project, seed: int, mask_seed: int) -> list[np.ndarray]:
    with own_masks():
        (fit,) = train(bench, [Masked(project, seed, None, mask_seed)])
    return [np.asarray(value) for value in fit.weights.values()]


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def thinned(bench: Bench, rate: float) -> Project:
    (project,) = draw(bench, np.random.default_rng(0), 1)
    return project.changed(model=project.model.model_copy(update={"dropout": rate}))


def test_a_mask_seed_of_ones_own_gives_other_masks(wine: Bench) -> None:
    project = thinned(wine, 0.4)
    alone = [np.asarray(value) for value in train(wine, [Masked(project, 3)])[0].weights.values()]
    assert same(weights(wine, project, 3, 3), alone)
    assert not same(weights(wine, project, 3, 4), alone)


def test_a_mask_seed_moves_neither_weights_nor_order(wine: Bench) -> None:
    project = thinned(wine, 0.0)
    assert same(weights(wine, project, 3, 3), weights(wine, project, 3, 4))


def test_only_what_an_arm_names_is_the_trials_own(wine: Bench) -> None:
    projects = [wine.project] * 3
    seeds = {arm: [(m.seed, m.mask_seed) for m in members_of(arm, projects, 0)] for arm in ("shared", "own", "apart")}
    assert {seed for seed, mask in seeds["shared"]} == {mask for _, mask in seeds["shared"]} == {1000}
    assert [seed for seed, _ in seeds["own"]] == [1000] * 3
    assert [mask for _, mask in seeds["own"]] == [mask for _, mask in seeds["apart"]] == [1001, 1002, 1003]
    assert [seed for seed, _ in seeds["apart"]] == [1001, 1002, 1003]


def test_what_is_worse_with_shared_masks_is_called_so() -> None:
    def arm(*values: float) -> list[Quality]:
        return [Quality(value, 0.0, 0.0, 0.0) for value in values]

    found: dict[str, dict[Arm, list[Quality]]] = {
        "a": {"shared": arm(3.0, 3.1, 3.2), "own": arm(2.0, 2.1, 2.1), "apart": arm(1.0, 1.0, 1.0)},
        "b": {"shared": arm(1.0, 1.1, 1.2), "own": arm(1.0, 1.2, 1.2), "apart": arm(1.0, 1.0, 1.0)},
    }
    assert differences(found["a"], "own", "true") == pytest.approx([1.0, 1.0, 1.1])
    assert verdict(found).startswith("a: WORSE; b: no worse; all: ")
