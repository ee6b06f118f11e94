"""The ladder of a recipe: what other seeds of the same spec say about gaps. S seeds, N examples, G units, D draws.

A ladder speaks of one trained model. With three or more trainings of one spec that differ in their seeds alone, the
same gaps get limits that hold for the recipe: over fresh seeds and fresh examples (crossed design seeds x examples).

    procedure = procedure_of({0: first, 1: second, 2: third}, ladder)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Literal

import numpy as np

from mlproj.diagnose.gaps import SURE, Step, find_steps, reaches, share_largest
from mlproj.diagnose.samples import Sample
from mlproj.diagnose.seed_rungs import MANY, SeedRung, measure_rungs
from mlproj.diagnose.several import of_label
from mlproj.metrics.intervals import Floats, t_quantile
from mlproj.metrics.seeds import OverSeeds, crossed_interval, satterthwaite
from mlproj.records import Ladder, Predictions, Rung

ENOUGH = 3
"""Seeds from which limits for the recipe are computed; of two the limits would span everything."""
MOST_SEEDS = 50
"""Seeds beyond which none are asked for: then it is the examples that are too few."""
_SEED = 23
_ABOVE_HUMAN = Step("", "dev", "human")
State = Literal["named", "unresolved", "nothing_to_close", "past_human"]


@dataclass(frozen=True)
class ProcedureGap:
    """A gap on average over trainings of one spec.

    Attributes:
        name: Its name.
        over: Mean, limits and spread over the seeds.
        p_largest: Probability that it is the largest gap of the recipe.
        n: Examples behind its rungs by name.
    """

    name: str
    over: OverSeeds
    p_largest: float
    n: Mapping[str, int | None]


@dataclass(frozen=True)
class Procedure:
    """The ladder's gaps for the recipe instead of the run.

    Attributes:
        seeds: The seeds, in ascending order.
        gaps: Its gaps in ladder order.
        state: What the naming rule says.
        named: The gap that is named, if any.
        candidates: Gaps that remain, most likely first.
        more_seeds: So many further seeds would probably tell; None where nothing is open or no number would do.
        min_gap: Smallest gap worth closing.
    """

    seeds: tuple[int, ...]
    gaps: tuple[ProcedureGap, ...]
    state: State
    named: str | None
    candidates: tuple[str, ...]
    more_seeds: int | None
    min_gap: float


def procedure_of(
    members: Mapping[int, Predictions], ladder: Ladder, *, distributions_differ: bool = False
) -> Procedure | None:
    """The gaps of a recipe with their limits, and which of them is named.

    Each gap's value in each seed comes from the rungs of that seed; the limits are those of `crossed_interval`. To name
    one, joint ladders are drawn hierarchically: seed by Student's t around their mean, examples as in the ladder.

    Args:
        members: Predictions of at least three trainings of one spec on one deal, by seed.
        ladder: The ladder of one of them, whose metric, label, human level and smallest gap count here as well.
        distributions_differ: Whether training and target distribution differ.

    Returns:
        None where the ladder has no gap that trainings could tell, or there are fewer than three.
    """
    if len(members) < ENOUGH or not ladder.gaps:
        return None
    seeds = tuple(sorted(members))
    parts = [of_label(members[seed], ladder.label) if ladder.label else members[seed] for seed in seeds]
    rungs = measure_rungs(parts, ladder)
    human = ladder.rung("human")
    on_target = human is not None and human.distribution == "target"
    samples = {rung.name: _as_sample(rung, rungs[rung.name]) for rung in ladder.rungs if rung.name in rungs}
    steps = find_steps(samples, distributions_differ=distributions_differ, human_on_target=on_target)
    if not steps:
        return None
    return _judge(seeds, steps, rungs, ladder)


def _as_sample(rung: Rung, measured: SeedRung) -> Sample:
    """A rung as `find_steps` asks for it: there or not, with two ends or one."""
    sample = Sample(rung, measured.draws)
    return sample if measured.floor is None else replace(sample, floor=Sample(rung, measured.draws - measured.floor))


def _joint(rungs: Mapping[str, SeedRung], n_seeds: int) -> dict[str, Floats]:
    """Joint draws (D,) of the recipe's rungs: examples by rung, seeds for all rungs together.

    Seeds are drawn from the multivariate t whose marginals are the t-intervals over seeds: normal combinations of the
    seeds' deviations, widened by √((S − 1)/χ²).
    """
    rng = np.random.default_rng([_SEED, n_seeds])
    n_draws = len(next(iter(rungs.values())).draws)
    chance = rng.standard_normal((n_draws, n_seeds)) / sqrt(n_seeds * (n_seeds - 1))
    chance *= np.sqrt((n_seeds - 1) / rng.chisquare(n_seeds - 1, n_draws))[:, None]
    return {name: rung.draws + chance @ (rung.values - rung.values.mean()) for name, rung in rungs.items()}


def _difference(step: Step, rungs: Mapping[str, SeedRung]) -> OverSeeds:
    """A gap over the seeds: its value in each from the rungs of that seed."""
    lower = rungs[step.lower]
    if step.upper is None:
        found = crossed_interval(lower.values.tolist(), [(lower.variance, lower.degrees)])
        return found if found.low >= 0 else _floored(found)
    upper = rungs[step.upper]
    parts = [(side.variance, side.degrees) for side in (lower, upper) if side.variance > 0]
    found = crossed_interval((lower.values - upper.values).tolist(), parts)
    if not step.bracket:
        return found
    if step.mixed or upper.floor is None:  # without any human error the whole loss could be avoided
        return replace(found, high=max(found.high, _difference(Step("", step.lower, None), rungs).high))
    return replace(found, high=found.high + upper.floor)


def _floored(found: OverSeeds) -> OverSeeds:
    """An error cannot lie below 0."""
    return replace(found, low=0.0)


def _judge(seeds: tuple[int, ...], steps: Sequence[Step], rungs: Mapping[str, SeedRung], ladder: Ladder) -> Procedure:
    """The naming rule of the ladder, for the recipe."""
    joint, worth = _joint(rungs, len(seeds)), ladder.verdict.min_gap
    overs = [_difference(step, rungs) for step in steps]
    drawn = np.stack([_gap_draws(joint, step) for step in steps])
    chances = share_largest(drawn)
    if any(step.bracket for step in steps):
        chances = np.minimum(chances, share_largest(np.stack([_gap_draws(joint, s, rungs) for s in steps])))
    gaps = tuple(
        ProcedureGap(step.name, over, float(p), {name: rungs[name].n for name in (step.upper, step.lower) if name})
        for step, over, p in zip(steps, overs, chances, strict=True)
        if step.name
    )
    order = [int(k) for k in np.argsort(-chances, kind="stable")]
    likely = [k for k in order if chances[k] >= 1 - SURE and reaches(overs[k].high, worth)] or order[:1]
    candidates = tuple(steps[k].name for k in likely if steps[k].name)
    best = order[0]
    state: State = "unresolved"
    if "human" in rungs and _difference(_ABOVE_HUMAN, rungs).high + (rungs["human"].floor or 0.0) < 0:
        state = "past_human"
    elif steps[best].nameable and chances[best] >= SURE and reaches(overs[best].low, worth):
        state, candidates = "named", (steps[best].name,)
    elif not any(reaches(over.high, worth) for over in overs):
        state, candidates = "nothing_to_close", ()
    named = candidates[0] if state == "named" else None
    more = _more_seeds(steps, order, rungs, worth) if state == "unresolved" else None
    return Procedure(seeds, gaps, state, named, candidates, more, worth)


def _gap_draws(joint: Mapping[str, Floats], step: Step, ends: Mapping[str, SeedRung] | None = None) -> Floats:
    """Draws (D,) of a gap; with `ends` at the other end of a bracket: its floor, else a human error of zero."""
    if step.upper is None:
        return joint[step.lower]
    gap = joint[step.lower] - joint[step.upper]
    if ends is None or not step.bracket:
        return gap
    floor = ends[step.upper].floor
    return joint[step.lower] if step.mixed or floor is None else gap + floor


def _more_seeds(
    steps: Sequence[Step],
    order: Sequence[int],
    rungs: Mapping[str, SeedRung],
    worth: float,
) -> int | None:
    """How many further seeds would name the likeliest gap, if means and spreads stay what they are.

    The gap itself has to stand clear of what is worth closing, and ahead of the next. None where it is the examples
    that are too few, or the likeliest gap is one that is never named.
    """
    first = order[0]
    if not steps[first].nameable:
        return None
    values = [_by_seed(steps[k], rungs) for k in order[:2]]
    contrasts = [(values[0] - worth, 0.975, _examples(steps[first : first + 1], rungs))]
    if len(values) > 1:
        both = [steps[k] for k in order[:2]]
        contrasts.append((values[0] - values[1], SURE, _examples(both, rungs)))
    now = len(values[0])
    for n in range(now + 1, now + MOST_SEEDS + 1):
        if all(_is_clear(each, p, sampling, n) for each, p, sampling in contrasts):
            return n - now
    return None


def _by_seed(step: Step, rungs: Mapping[str, SeedRung]) -> Floats:
    return rungs[step.lower].values - (0.0 if step.upper is None else rungs[step.upper].values)


def _examples(steps: Sequence[Step], rungs: Mapping[str, SeedRung]) -> float:
    """Variance over examples of a gap, or of the difference of two, as combinations of independent rungs."""
    weights: dict[str, float] = {}
    for sign, step in zip((1.0, -1.0), steps, strict=False):
        weights[step.lower] = weights.get(step.lower, 0.0) + sign
        if step.upper is not None:
            weights[step.upper] = weights.get(step.upper, 0.0) - sign
    return sum(weight**2 * rungs[name].variance for name, weight in weights.items())


def _is_clear(values: Floats, p: float, sampling: float, n: int) -> bool:
    """Whether a contrast would be above 0 with probability p, were there n seeds of the same mean and spread."""
    total, free = satterthwaite([(float(values.var(ddof=1)) / n, float(n - 1)), (sampling, MANY)])
    return float(values.mean()) > t_quantile(free, 2 * p - 1) * sqrt(total)
