"""The conclusion of a learning curve in words: what the curve says, why nothing is extrapolated, what to do."""

from dataclasses import dataclass

from mlproj.diagnose.curve.shape import FEWEST_SIZES, Shape
from mlproj.diagnose.words import Numbers, show_chance
from mlproj.records import Band, CurveState, Extrapolation, Probe

ROUNDS = "in two to five rounds, asking again after each"


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
        train_falls: Whether the training error falls with more data.
        train_forbids: Whether the training error forbids the target.
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
    train_falls: bool
    train_forbids: bool
    extrapolation: Extrapolation | None
    worth: float

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
            return f"the dev error rises from {at[0]} to {at[1]} examples by more than chance"
        case "double_descent":
            return (
                f"the dev error rises from {at[0]} to {at[1]} examples and falls again to {at[2]}, by more than chance"
            )
        case "not_convex":
            return f"the fall speeds up again between {at[0]} and {at[2]} examples, by more than chance"
        case "flat":
            return "the dev error does not fall by more than chance over the sizes measured"
        case _:
            need = f"it takes {FEWEST_SIZES} sizes with 3 repeats"
            return f"{n_sizes} size{'s' * (n_sizes != 1)} with what was trained say too little ({need})"


def conclude(found: Findings, state: CurveState) -> str:
    """The conclusion in the user's units."""
    if found.target is not None and state == "reached":
        sure = (
            "" if found.dev.high <= found.target else f", though it may be up to {found.numbers.value(found.dev.high)}"
        )
        return f"The target is met: the dev error is {found.numbers.value(found.dev.error)}{sure}."
    parts = [*_forbidden(found), *_foretold(found)] if found.target is not None else _foretold(found)
    if not parts:
        parts = [f"Nothing is extrapolated: {found.why_not}.", *_fit_free(found)]
    return " ".join(parts)


def _forbidden(found: Findings) -> list[str]:
    """What forbids the target, whatever a fit says."""
    assert found.target is not None
    target = found.numbers.value(found.target)
    if found.train_forbids and found.train is not None:
        return [
            f"More data will not bring the dev error to {target}: the training error is {found.numbers.value(found.train.error)} "
            "and does not fall with more data."
        ]  # fmt: skip
    if found.floor is not None and found.target < found.floor:
        floor = found.numbers.value(found.floor)
        return [
            f"Nothing will bring the dev error to {target}: the annotators disagree so much that {floor} is the floor."
        ]
    if found.most_gain is not None and found.dev.low - found.most_gain[2] > found.target:
        most = found.numbers.difference(found.most_gain[2])
        return [
            f"More data will not bring the dev error to {target}: it can gain at most {most}, the gap to the training error."
        ]
    return []


def _foretold(found: Findings) -> list[str]:
    """What the curve foretells, in the user's units."""
    far = found.extrapolation
    if far is None:
        return []
    show, double, fourfold = found.numbers, *far.reaches
    if found.target is None:
        return [
            f"With twice the data ({double.n:,} examples) the dev error goes from {show.value(found.dev.error)} to about "
            f"{show.value(double.error)} ({show.bare(double.low)} to {show.value(double.high)}), with four times to about "
            f"{show.value(fourfold.error)} ({show.bare(fourfold.low)} to {show.value(fourfold.high)})."
        ]  # fmt: skip
    text = (
        f"P(dev ≤ {show.value(found.target)} at 2× the data) = {show_chance(double.p_target or 0.0)}, "
        f"at 4× {show_chance(fourfold.p_target or 0.0)}."
    )
    return [text, _needed(far)]


def _needed(far: Extrapolation) -> str:
    low, middle, high = far.needed or (None, None, None)
    most = f"more than {far.bound[0]:,}"
    if low is None:
        return f"It takes {most} examples."
    between = f"between {low:,} and {most if high is None else f'{high:,}'} examples"
    return f"It takes {between}, about {most if middle is None else f'{middle:,}'}."


def _fit_free(found: Findings) -> list[str]:
    """What can be said without a fit."""
    said = []
    if found.probe and found.shape.kind in ("falling", "flat"):
        gain, high = found.numbers.difference(found.probe.gain[0]), found.numbers.difference(found.probe.next_gain[1])
        said.append(f"The last doubling gained {gain}; the next one gains at most about {high}.")
    return said


def advise(found: Findings, state: CurveState) -> str:
    """What to do."""
    match state:
        case "reached":
            return "Stop collecting for this target; prove it on fresh examples, or set a stricter one."
        case "more_data":
            return _collect(found)
        case "not_by_data":
            return _other_ways(found)
        case "unresolved":
            return (
                "The curve leaves it open. More repeats make it sharper where the repeats scatter; collecting pays only if "
                "the chance above is good enough for its price."
            )
        case _:
            return _after_refusal(found)


def _collect(found: Findings) -> str:
    far = found.extrapolation
    first = None if far is None or far.needed is None else far.needed[0]
    more = found.n if first is None else max(first - found.n, 1)
    return f"Collect more examples of the same kind, about {more:,} first, {ROUNDS}: one large order is spent before it is known."


def _other_ways(found: Findings) -> str:
    if found.train_forbids or (found.train and found.most_gain and found.most_gain[0] < found.train.error / 2):
        return "Work on the training error first: a bigger network, longer training, better inputs."
    return "Spend the effort elsewhere than on more data of this kind: other inputs, another model, cleaner labels."


def _after_refusal(found: Findings) -> str:
    match found.shape.kind:
        case "rising" | "double_descent":
            return (
                "Such a curve usually means that the model fits noise at some sizes: regularise (l2, dropout, early stopping) "
                "and measure the curve again; or measure more sizes in between."
            )  # fmt: skip
        case "not_convex":
            return "Measure the curve again from the size on where the fall has settled, with --sizes."
        case "too_few":
            return "Measure more sizes or repeats."
        case "flat":
            return "More repeats or a larger dev set would tell a slow fall from none; until then do not pay for more data."
        case _:
            return "More repeats make the curve sharper; until then trust the last error seen."
