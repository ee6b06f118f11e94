"""Importance against functions whose answer is known."""

import math
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mlproj.searching.importance import importance as tell
from mlproj.searching.scales import distribution, stored_name, to_stored, value_at
from mlproj.searching.trials import Trial
from mlproj.spec.search import Choice, Dimension, Int, Log, OneMinusLog, Space, Uniform


def importance(made: Sequence[Trial], space: Space, optimize: str) -> dict[str, float]:
    """The shares alone."""
    return tell(made, space, optimize)[0]


SPACE: dict[str, Dimension] = {
    "training.learning_rate": Log(log=(1e-4, 1.0)),
    "training.beta1": OneMinusLog(one_minus_log=(0.9, 0.999)),
    "model.width": Int(int=(16, 128)),
    "model.dropout": Uniform(uniform=(0.0, 0.5)),
    "training.batch_size": Choice(choice=(32, 64, 128, None, [1, 2])),
}


def trials(n: int, seed: int, metric: str = "error", **weights: float) -> list[Trial]:
    """Random trials whose metric is a weighted sum of squared distances from the middle of each scale."""
    made, generator = [], np.random.default_rng(seed)
    for number in range(n):
        places = {path: float(generator.random()) for path in SPACE}
        loss = sum(weights.get(path.rpartition(".")[2], 0.0) * (place - 0.5) ** 2 for path, place in places.items())
        params = {path: value_at(SPACE[path], place) for path, place in places.items()}
        made.append(Trial(number, "s", number, params, "complete", {metric: loss if metric == "error" else 1 - loss}))
    return made


@pytest.mark.parametrize("path", SPACE)
@pytest.mark.parametrize("metric", ["error", "accuracy"])
def test_the_hyperparameter_that_alone_matters_has_most_of_the_importance(path: str, metric: str, seed: int) -> None:
    found = importance(trials(200, seed, metric, **{path.rpartition(".")[2]: 1.0}), SPACE, metric)
    assert next(iter(found)) == path
    assert found[path] > 0.5
    assert math.fsum(found.values()) == pytest.approx(1)
    assert set(found) == set(SPACE)


def test_importance_follows_the_weights(seed: int) -> None:
    found = importance(trials(400, seed, learning_rate=1.0, width=0.4), SPACE, "error")
    assert list(found)[:2] == ["training.learning_rate", "model.width"]


def test_it_is_the_pearson_divergence_that_optuna_computes_for_the_best_fifth(seed: int) -> None:
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    made = trials(100, seed, width=1.0, batch_size=0.5, beta1=0.2)
    paths = {stored_name(path, each): path for path, each in SPACE.items()}
    study = optuna.create_study()
    for trial in made:
        study.add_trial(
            optuna.trial.create_trial(
                params={name: to_stored(SPACE[path], trial.params[path]) for name, path in paths.items()},
                distributions={name: distribution(SPACE[path]) for name, path in paths.items()},
                value=trial.metrics["error"],
            )
        )
    theirs = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=0.2))
    assert importance(made, SPACE, "error") == pytest.approx({paths[name]: value for name, value in theirs.items()})


def test_telling_it_takes_no_scikit_learn() -> None:
    code = "import sys, mlproj.searching.importance, mlproj.searching; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_is_told_from_few_trials_or_values_that_hardly_differ(seed: int) -> None:
    made = trials(40, seed, width=1.0)
    flat = [Trial(t.number, "s", t.index, t.params, "complete", {"error": float(t.number < 2)}) for t in made]
    assert importance(made[:9], SPACE, "error") == {}
    assert importance([], SPACE, "error") == {}
    assert importance([*flat[2:]], SPACE, "error") == {}
    assert (
        importance(
            [*(Trial(99 + i, "s", i, t.params, "failed") for i, t in enumerate(made)), *made[:9]], SPACE, "error"
        )
        == {}
    )
    only = {"model.width": Int(int=(5, 5))}
    assert (
        importance(
            [Trial(i, "s", i, {"model.width": 5}, "complete", {"error": i / 9}) for i in range(20)], only, "error"
        )
        == {}
    )


@pytest.mark.parametrize("n_best", [3, 4, 5, 30, 38])
def test_many_equal_values_raise_no_warning(n_best: int, seed: int) -> None:
    made = sorted(trials(40, seed, width=1.0), key=lambda trial: trial.metrics["error"])
    steps = [
        Trial(t.number, "s", t.index, t.params, "complete", {"error": float(place >= n_best)})
        for place, t in enumerate(made)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = importance(steps, SPACE, "error")
    assert math.fsum(found.values()) == pytest.approx(1)
    if n_best not in (3, 4, 38):  # where only a few or nearly all are the best, chance says what mattered
        assert next(iter(found)) == "model.width"


def test_values_that_are_no_numbers_are_left_out(seed: int) -> None:
    made = trials(40, seed, width=1.0)
    broken = [
        Trial(99, "s", 40, made[0].params, "complete", {"error": math.nan}),
        Trial(98, "s", 41, made[0].params, "complete"),
    ]
    assert importance([*broken, *made], SPACE, "error") == importance(made, SPACE, "error")


def test_what_is_told_is_beyond_chance() -> None:
    """Of 40 searches in which nothing matters few name something (5 % by design); what matters is named."""
    noise = np.random.default_rng(0)
    false, right = 0, 0
    for search in range(40):
        made = trials(64, search, learning_rate=1.0, width=0.3)
        right += "training.learning_rate" in tell(made, SPACE, "error")[1]
        idle = [replace(trial, metrics={"error": float(noise.random())}) for trial in made]
        false += bool(tell(idle, SPACE, "error")[1])
    assert false <= 6  # P(more than 6 of 40 at 5 %) = 0.3 %
    assert right >= 36


def test_a_later_round_that_lies_closer_makes_nothing_important() -> None:
    """Results of the second round are better, and all its values lie together, yet none of them is the reason."""
    noise, named = np.random.default_rng(1), 0
    for search in range(20):
        first = [replace(trial, metrics={"error": float(noise.random())}) for trial in trials(32, search)]
        box = {path: value_at(dimension, 0.6) for path, dimension in SPACE.items()}
        second = [
            replace(trial, number=32 + trial.number, study="t", metrics={"error": float(noise.random()) - 1})
            for trial in trials(32, 100 + search)
        ]
        second = [replace(trial, params=box | {"model.width": trial.params["model.width"]}) for trial in second]
        named += bool(tell([*first, *second], SPACE, "error")[1])
    assert named <= 4  # P(more than 4 of 20 at 5 %) = 0.3 %
