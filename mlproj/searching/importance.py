"""Which hyperparameters mattered: how differently the best trials are distributed from all of them."""

import math
import random
from collections.abc import Sequence

import numpy as np

from mlproj.searching.divergence import Spread
from mlproj.searching.halving import MOST_RUNGS
from mlproj.searching.scales import distribution
from mlproj.searching.trials import Trial
from mlproj.spec.goal import LOSSES
from mlproj.spec.search import Space

FEWEST = 10
"""Completed trials from which importance is told at all."""
_TOP, _TOP_SHARE, _FEWEST_TOP = 5, 0.2, 3
_SHUFFLES = 19
"""Orders by chance that importance is held against: what beats all of them does so by chance once in twenty."""


def importance(trials: Sequence[Trial], space: Space, optimize: str) -> tuple[dict[str, float], tuple[str, ...]]:
    """Share of each hyperparameter in what made the best trials the best, and which are beyond chance.

    PED-ANOVA (Watanabe, Bansal & Hutter 2023): the Pearson divergence between where the best trials lie on a
    hyperparameter's sampling scale and where all of them lie. The best are a fifth, at least five: among 64 random
    trials of five hyperparameters a tenth of them, Optuna's default, named the wrong one twice as often.

    Some hyperparameter always comes first, so each is held against the largest divergence of any after the results
    were shuffled among the trials of each round (a permutation test; within rounds, because later rounds lie closer).

    Only the order of the trials matters. Those that were ended early come after the finished ones, by the rung that
    they reached and then by their value there, so that no value is compared with one after more epochs. Without them
    there would be little to tell from, and nothing of what makes a training bad.

    Args:
        trials: Trials of any state, over all rounds.
        space: What the search draws from.
        optimize: The metric to optimise.

    Returns:
        Shares by path, largest first, that sum to 1, and the paths that are beyond chance; both empty where nothing can
        be told: fewer than ten trials, or fewer than three that differ from the worst.
    """
    keys = {at: key for at, each in enumerate(trials) if (key := _key(each, optimize)) is not None}
    places = {key: float(place) for place, key in enumerate(sorted(set(keys.values())))}
    done, losses = [trials[at] for at in keys], [places[key] for key in keys.values()]
    worst = max(losses, default=0.0)
    top = min(max(_TOP, math.ceil(_TOP_SHARE * len(done))), sum(loss < worst for loss in losses))
    if len(done) < FEWEST or top < _FEWEST_TOP or all(distribution(each).single() for each in space.values()):
        return {}, ()
    spreads = {path: Spread(each, [trial.params[path] for trial in done]) for path, each in space.items()}
    shuffler, rounds = random.Random(0), [trial.study for trial in done]

    def divergences(losses: Sequence[float]) -> dict[str, float]:
        """How far the best `top` trials are from all of them, by path."""
        best = np.array(losses) <= sorted(losses)[top - 1]
        return {path: spread.divergence(best) for path, spread in spreads.items()}

    found = divergences(losses)
    chance = max(max(divergences(_shuffled(losses, rounds, shuffler)).values()) for _ in range(_SHUFFLES))
    total = math.fsum(found.values()) or 1.0
    ordered = sorted(found.items(), key=lambda each: (-each[1], each[0]))
    return {path: value / total for path, value in ordered}, tuple(path for path, value in ordered if value > chance)


def _key(trial: Trial, optimize: str) -> tuple[int, float] | None:
    """What trials are ordered by, the better the smaller: epochs left out, then loss; None for what does not count."""
    is_pruned = trial.state == "pruned"
    values = trial.last_seen if is_pruned else trial.metrics
    loss = values.get(optimize, math.nan) * (1 if optimize in LOSSES else -1)
    if is_pruned:
        return MOST_RUNGS - trial.level, loss if math.isfinite(loss) else math.inf
    return (0, loss) if trial.state == "complete" and math.isfinite(loss) else None


def _shuffled(losses: Sequence[float], rounds: Sequence[str], shuffler: random.Random) -> list[float]:
    """The losses in another order within each round."""
    shuffled = list(losses)
    for name in dict.fromkeys(rounds):
        places = [place for place, other in enumerate(rounds) if other == name]
        values = [losses[place] for place in places]
        shuffler.shuffle(values)
        for place, value in zip(places, values, strict=True):
            shuffled[place] = value
    return shuffled
