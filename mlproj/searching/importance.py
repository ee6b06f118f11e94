"""Which hyperparameters mattered: how differently the best trials are distributed from all of them."""

import math
from collections.abc import Sequence

from mlproj.searching.scales import distribution, stored_name, to_stored
from mlproj.searching.storage import explained
from mlproj.searching.trials import Trial
from mlproj.spec.goal import LOSSES
from mlproj.spec.search import Space

FEWEST = 10
"""Completed trials from which importance is told at all."""
_TOP, _TOP_SHARE, _FEWEST_TOP = 5, 0.2, 3


def importance(trials: Sequence[Trial], space: Space, optimize: str) -> dict[str, float]:
    """Share of each hyperparameter in what made the best trials the best.

    PED-ANOVA (Watanabe, Bansal & Hutter 2023): the Pearson divergence between where the best trials lie on a
    hyperparameter's sampling scale and where all of them lie. The best are a fifth, at least five: among 64 random
    trials of five hyperparameters a tenth of them, Optuna's default, named the wrong one twice as often.

    Args:
        trials: Trials of any state, over all rounds.
        space: What the search draws from.
        optimize: The metric to optimise.

    Returns:
        Shares by path, largest first, that sum to 1; empty where nothing can be told: fewer than ten trials, or fewer
        than three that differ from the worst.
    """
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    done = [each for each in trials if each.state == "complete" and math.isfinite(each.metrics.get(optimize, math.nan))]
    losses = [each.metrics[optimize] * (1 if optimize in LOSSES else -1) for each in done]
    worst = max(losses, default=0.0)
    top = min(max(_TOP, math.ceil(_TOP_SHARE * len(done))), sum(loss < worst for loss in losses))
    if len(done) < FEWEST or top < _FEWEST_TOP:
        return {}
    paths = {stored_name(path, dimension): path for path, dimension in space.items()}
    distributions = {name: distribution(space[path]) for name, path in paths.items()}
    if all(each.single() for each in distributions.values()):
        return {}
    with explained():
        study = optuna.create_study(direction="minimize")
        study.add_trials(
            optuna.trial.create_trial(
                params={name: to_stored(space[path], each.params[path]) for name, path in paths.items()},
                distributions=distributions,
                value=loss,
            )
            for each, loss in zip(done, losses, strict=True)
        )
        # half a trial less: Optuna rounds up, and top / n · n may come out a hair above top
        evaluator = PedAnovaImportanceEvaluator(target_quantile=(top - 0.5) / len(done))
        found = get_param_importances(study, evaluator=evaluator)
    by_path = {paths[name]: float(value) for name, value in found.items()}
    return dict(sorted(by_path.items(), key=lambda each: (-each[1], each[0])))
