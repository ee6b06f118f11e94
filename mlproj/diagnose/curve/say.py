"""The conclusion of a learning curve in words: what the curve says, why nothing is extrapolated, what to do."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlproj.diagnose.curve.shape import FEWEST_SIZES, Shape
from mlproj.diagnose.words import Numbers, show_chance
from mlproj.records import Band, CurveState, Extrapolation, Probe


@dataclass(frozen=True)
class Findings:
    """What was found out about a curve.

    Attributes:
        numbers: How numbers are written.
        dev: The dev error at the present size.
        n: The present size.
        target: Error that is wanted.
        target_from: Where it comes from.
        floor: Error that nothing gets below.
        shape: What the curve looks like.
        why_not: Why nothing is extrapolated; empty where it is.
        probe: The halving probe.
        most_gain: Bound on what more data can gain, with limits.
        train: The training error at the present size.
        forbidden_by: What forbids the target whatever a fit says: train (its error), floor, or gap (to the training
            error); empty where nothing does.
        extrapolation: How the curve goes on.
        worth: Smallest gain that is worth a doubling.
    """

    numbers: Numbers
    dev: Band
    n: int
    target: float | None
    target_from: str
    floor: float | None
    shape: Shape
    why_not: str
    probe: Probe | None
    most_gain: tuple[float, float, float] | None
    train: Band | None
    forbidden_by: str
    extrapolation: Extrapolation | None
    worth: float

    @property
    def is_surely_reached(self) -> bool:
        """Whether the dev error is below the target by its upper limit too."""
        return self.target is not None and self.dev.high <= self.target

    @property
    def is_too_little(self) -> bool:
        """Whether the next doubling surely gains less than is worth it, without any fit."""
        bounds = [self.probe.next_gain[1]] if self.probe and self.shape.kind in ("falling", "flat") else []
        bounds += [self.most_gain[2]] if self.most_gain else []
        return bool(bounds) and min(bounds) < self.worth


def why_refused(shape: Shape | None, n_sizes: int) -> str:
    """Why nothing is extrapolated.

    Args:
        shape: The shape that forbids it; None where the backtest does.
        n_sizes: Sizes that were measured.

    Example:
        >>> why_refused(Shape("rising", (100, 800)), 5)
        'the dev error rises from 100 to 800 examples by more than chance'
    """
    if shape is None:
        return "no family of curves foretold the largest sizes better than the last error seen"
    at = [f"{n:,}" for n in shape.at]
    match shape.kind:
        case "rising":
            reason = f"the dev error rises from {at[0]} to {at[1]} examples by more than chance"
        case "double_descent":
            return (
                f"the dev error rises from {at[0]} to {at[1]} examples and falls again to {at[2]}, by more than chance"
            )
        case "not_convex":
            reason = f"the fall speeds up again between {at[0]} and {at[2]} examples, by more than chance"
        case "flat":
            reason = "the dev error does not fall by more than chance over the sizes measured"
        case _ if n_sizes < FEWEST_SIZES:
            reason = f"{n_sizes} of the {FEWEST_SIZES} sizes that it takes {'is' if n_sizes == 1 else 'are'} there"
        case _:
            reason = "without repeats nobody knows what is chance"
    return reason


def conclude(found: Findings, state: CurveState) -> str:
    """The conclusion in the user's units.

    Args:
        found: What was found out.
        state: What can be said.
    """
    if state == "reached":
        show = found.numbers
        doubt = "" if found.is_surely_reached else f", though it may be up to {show.value(found.dev.high)}"
        return f"The target is met: the dev error is {show.value(found.dev.error)}{doubt}."
    if parts := [*_forbidden(found), *_foretold(found)]:
        return " ".join(parts)
    return " ".join([f"Nothing is extrapolated: {found.why_not}.", *_last_doubling(found)])


def _forbidden(found: Findings) -> list[str]:
    """What forbids the target, whatever a fit says."""
    if found.target is None or not found.forbidden_by:
        return []
    show = found.numbers
    target = show.value(found.target)
    if found.forbidden_by == "floor":
        floor = show.value(found.floor or 0.0)
        return [f"Nothing will bring the dev error to {target}: annotators disagree so much that {floor} is the floor."]
    if found.forbidden_by == "train" and found.train is not None:
        reason = f"the training error is {show.value(found.train.error)} and does not fall with more data"
    else:
        most = show.difference(found.most_gain[2] if found.most_gain else 0.0)
        reason = f"it can gain at most {most}, the gap to the training error"
    return [f"More data will not bring the dev error to {target}: {reason}."]


def _foretold(found: Findings) -> list[str]:
    """What the curve foretells, in the user's units."""
    far, show = found.extrapolation, found.numbers
    if far is None:
        return []
    double, fourfold = far.reaches
    if found.target is None:
        ahead = [
            f"with {words} ({reach.n:,} examples) to about {show.value(reach.error)} "
            f"({show.bare(reach.low)} to {show.bare(reach.high)})"
            for words, reach in (("twice the data", double), ("four times", fourfold))
        ]
        return [f"From {show.value(found.dev.error)} now the dev error goes {', '.join(ahead)}."]
    text = (
        f"P(dev ≤ {show.value(found.target)} at 2× the data) = {show_chance(double.p_target or 0.0)}, "
        f"at 4× {show_chance(fourfold.p_target or 0.0)}."
    )
    return [text, _needed(far)]


def _needed(far: Extrapolation) -> str:
    """How many examples it takes.

    Example:
        >>> _needed(Extrapolation((), (1000, 0.0), (150, 400, None), {}, {}, (), 3, 1))
        'It takes about 400 examples in all, between 150 and more than 1,000.'
    """
    low, middle, high = far.needed or (None, None, None)
    most = f"more than {far.bound[0]:,}"
    if low is None:
        return f"It takes {most} examples in all."
    if middle is None:
        return f"It takes {low:,} examples in all at the very least, and probably {most}."
    return f"It takes about {middle:,} examples in all, between {low:,} and {most if high is None else f'{high:,}'}."


def _last_doubling(found: Findings) -> list[str]:
    if found.probe is None or found.shape.kind not in ("falling", "flat"):
        return []
    gain, high = (
        found.numbers.difference(max(found.probe.gain[0], 0.0)),
        found.numbers.difference(found.probe.next_gain[1]),
    )
    return [f"The last doubling gained {gain}; the next one gains {high} at most."]


def advise(found: Findings, state: CurveState, *, is_partial: bool = False) -> str:
    """What to do.

    Args:
        found: What was found out.
        state: What can be said.
        is_partial: Whether trainings are still to be made.
    """
    if is_partial:
        return "Go on with the same command: what is finished is kept."
    match state:
        case "reached":
            return "Stop collecting for this target; prove it on fresh examples, or set a stricter one."
        case "more_data":
            return _collect(found)
        case "not_by_data":
            return _other_ways(found)
        case "unresolved":
            return (
                "The curve leaves it open. More repeats sharpen it where single trainings scatter; collect only if the "
                "chance is worth the price."
            )
        case _:
            return _AFTER_REFUSAL.get(
                found.shape.kind, "More repeats sharpen the curve; until then trust the last error."
            )


def _collect(found: Findings) -> str:
    """Half of what it probably takes, then ask again: what was bought too much cannot be given back."""
    far = found.extrapolation
    wanted = far.needed[1] if far is not None and far.needed is not None else None
    more = found.n if wanted is None else max((wanted - found.n) // 2, 1)
    return (
        f"Collect more examples of the same kind, about {more:,} first, and ask again before the next order: two to "
        "five rounds waste less than one large one. The errors say what kind is missing."
    )


def _other_ways(found: Findings) -> str:
    if found.forbidden_by == "floor":
        return "Make the labels more certain (clearer rules, several annotators), or choose another target."
    if found.forbidden_by:
        return "Work on the training error first: a bigger network, longer training, better inputs."
    return "Spend the effort elsewhere than on more data of this kind: other inputs, another model, cleaner labels."


_RISES = (
    "Such a curve usually means that the model fits noise at some sizes: regularise (l2, dropout, early stopping) and "
    "measure again."
)
_AFTER_REFUSAL: Mapping[str, str] = {
    "rising": _RISES,
    "double_descent": _RISES,
    "not_convex": "Measure the curve again from the size on where its fall has settled.",
    "too_few": "Measure more sizes or repeats; with so few examples every new one helps more than a curve does.",
    "flat": "More repeats or a larger dev set would tell a slow fall from none; until then do not pay for more data.",
}
