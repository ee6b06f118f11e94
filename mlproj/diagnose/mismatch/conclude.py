"""What to do about a mismatch: collect, reweight, relabel, synthesise, grow the sets, or nothing."""

from mlproj.diagnose.mismatch.parts import Term
from mlproj.diagnose.mismatch.report import Action, By, Mismatch
from mlproj.diagnose.mismatch.shift import LEAST_OVERLAP, SplitShift

_HALF = 0.5
_CLEAR_P = 0.05


def conclude(found: Mismatch) -> Action:
    """The action that follows from what was found.

    The gap comes first: where it is small nothing has to be done, and where nobody can tell the sets have to grow.
    A gap that is half class mix calls for weights; else the largest term of the decomposition decides.

    Args:
        found: Everything that was found; its own action is not read.
    """
    if found.gap is None:
        return _conclude_inputs(found)
    first, second = found.names
    if found.gap.state == "small":
        more = " The inputs differ all the same, so look again when the model changes." if found.inputs_differ else ""
        return Action("nothing", f"Nothing to do: {second} is not worse by as much as is worth closing.{more}")
    if found.gap.state == "unclear":
        text = "Nothing to do yet: with so few examples nobody can tell whether the gap matters."
        return Action("grow", f"{text} Grow {first} and {second} first.")
    return _conclude_mix(found) if found.parts and is_mix(found.parts[0]) else _conclude_shift(found)


def is_mix(by: By) -> bool:
    """Whether the mix of parts makes half of the gap or more, and surely something."""
    split = by.split
    return split.gap > 0 and split.mix.low > 0 and split.mix.value >= _HALF * split.gap


def _conclude_mix(found: Mismatch) -> Action:
    by, (first, second) = found.parts[0], found.names
    new = [row for row in by.split.rows if not row.n[0]]
    if sum(row.mix for row in new) >= _HALF * by.split.gap:
        named = ", ".join(row.name for row in new[:4]) + (", …" if len(new) > 4 else "")
        return Action(
            "collect", f"Collect: {second} holds {named}, which {first} lacks, and that makes most of the gap."
        )
    share = f"{100 * min(by.split.mix.value / by.split.gap, 1.0):.0f} %"
    return Action(
        "reweight",
        f"Reweight or collect: {share} of the gap is the mix of {by.name}. Weigh the training data so that they are "
        f"mixed as {second} is, or collect them so.",
    )


def _conclude_shift(found: Mismatch) -> Action:
    first, second = found.names
    shift, look = found.shift, f"Look at wrong answers of {second}:"
    if shift is None and found.separation is None:
        return Action("look", f"{look} the gap is not the mix, and without features nothing more can be said.")
    if shift is None or min(shift.n) < LEAST_OVERLAP:
        return Action("look", f"{look} there are too few examples to compare inputs.")
    if not shift.is_split:
        return Action(
            "collect",
            f"Collect or synthesise training data like {second}: the two sets share hardly any inputs "
            f"({int(min(shift.overlap))} examples' worth), so the gap cannot be split further.",
        )
    terms = _terms(shift, first, second)
    largest, action = max(terms, key=lambda pair: pair[0].value)
    if action.name == "collect":
        action = Action("collect", action.text + _name_slices(found))
    if largest.low > 0:
        return action
    return Action(action.name, f"{action.text} This is the largest part of the gap, but its interval reaches zero.")


def _name_slices(found: Mismatch) -> str:
    """The slices that make the gap by being more frequent, with their shares."""
    first, second = found.names
    named = []
    for by in found.parts:
        if by.name.startswith("slice ") and is_mix(by):
            shares = {row.name: row.shares for row in by.split.rows}.get(by.name.removeprefix("slice "), (0.0, 0.0))
            name = by.name.removeprefix("slice ")
            named.append(f"{name} is {100 * shares[0]:.0f} % of {first} and {100 * shares[1]:.0f} % of {second}")
    return f" Of the slices, {', '.join(named)}." if named else ""


def _terms(shift: SplitShift, first: str, second: str) -> list[tuple[Term, Action]]:
    """The terms of a gap, each with what to do about it."""
    assert shift.harder is not None
    assert shift.answers is not None
    assert shift.unseen is not None
    return [
        (
            shift.harder,
            Action(
                "collect",
                f"Collect or reweight: {second} has more of the inputs that are hard already in {first}. Give training "
                "more of them, or more weight to them.",
            ),
        ),
        (
            shift.answers,
            Action(
                "relabel",
                f"Relabel or add features: the same inputs are answered worse in {second}. Compare how both sets were "
                "labelled, and look for what decides the label there and is no feature.",
            ),
        ),
        (
            shift.unseen,
            Action(
                "synthesise",
                f"Collect or synthesise: {second} holds inputs that {first} hardly has. Collect such examples, or make "
                "them from many different sources.",
            ),
        ),
    ]


def _conclude_inputs(found: Mismatch) -> Action:
    """For a second set without labels: its inputs alone."""
    first, second = found.names
    seen = found.separation
    if seen is None or seen.p is None:
        return Action("look", f"Look at {second}: too few examples or no common features to compare inputs.")
    if found.inputs_differ:
        share = f"{100 * (seen.variation or 0):.0f} %"
        return Action(
            "collect",
            f"Label some of {second} and take them into the data: at least {share} of it is unlike {first}, which says "
            "nothing about how the model does there.",
        )
    if seen.p < _CLEAR_P:
        text = f"Look at what differs: {second} is told apart from {first}, but no large part of it is surely unlike."
        return Action("look", text)
    return Action("nothing", f"Nothing to do: the inputs of {second} cannot be told apart from those of {first}.")
