"""What the labels of several people say, in words and as JSON knows it."""

from collections.abc import Mapping
from typing import Any

from mlproj.diagnose.experts import Best
from mlproj.diagnose.render import finite
from mlproj.diagnose.rungs import is_rate
from mlproj.diagnose.words import Numbers, choose_numbers
from mlproj.metrics.annotators import Votes, plug_in_error
from mlproj.metrics.intervals import Estimate
from mlproj.spec.goal import LabelIs

THE_LABEL = "the label"
"""What the label of the data is called among the people, where it is one more person's."""
_FEW = 30
"""Examples below which the reader is reminded that there are few."""


def say_best(best: Best, metric: str, where: str = "") -> str:
    """Who is best, and how good without the luck of having been chosen."""
    numbers = choose_numbers([best.figure.value], is_rate=is_rate(metric))
    low, high = numbers.bare(best.figure.low), numbers.bare(finite(best.figure.high))
    shown = f"{numbers.value(best.figure.value)} [{low}, {high}]"
    if len(best.judged) == 1:
        return f"Human level{where}: {best.by}, {shown} on {best.n:,} examples."
    others = ", ".join(f"{each.by} {numbers.value(each.error)} of {each.n:,}" for each in best.judged[:4])
    more = ", …" if len(best.judged) > 4 else ""
    aside = f" {best.left_out:,} people labelled too few to choose from." if best.left_out else ""
    return (
        f"Human level{where}: {best.by} is the best of {len(best.judged)} ({others}{more}). The smallest of several "
        f"figures is partly luck: chosen on one half of the examples and judged on the other, the best one has "
        f"{shown}.{aside}"
    )


def say_reading(reading: LabelIs, reason: str) -> str:
    """What the label of the data was taken for, and how to put that right."""
    what = {
        "gold": "the truth, found out in another way than by these people",
        "single": "one more person's",
        "consensus": "the majority of these people",
    }[reading]
    if reason == "copy":
        return "The label of the data is one annotator's own: it counts once."
    cure = "If that is wrong, say what it is: `label_is`, gold, single or consensus."
    return f"The label of the data is taken as {what}: {reason}. {cure}"


def say_agreement(found: Mapping[str, Any] | None, where: str = "") -> tuple[str, ...]:
    """How far the annotators agree, in a sentence."""
    if found is None or found["value"] is None:
        return ()
    limits = "" if found["low"] is None else f" [{found['low']:.2f}, {found['high']:.2f}]"
    few = f" Only {found['n']} examples have two labels." if found["n"] < _FEW else ""
    return (
        f"Agreement of the annotators{where}: α = {found['value']:.2f}{limits} (Krippendorff; 1 is perfect, 0 is "
        f"chance). It tells how good labels are, it is no error rate.{few}",
    )


def say_plug_in(found: Mapping[str, Any] | None, numbers: Numbers) -> tuple[str, ...]:
    """The best possible error as the shares of many labels tell it."""
    if found is None:
        return ()
    shown = f"{numbers.value(found['value'])} [{numbers.bare(found['low'])}, {numbers.bare(found['high'])}]"
    return (f"With so many labels per example the best possible error can be read off their shares: {shown}.",)


def spell_items(votes: Votes) -> str:
    """How many people labelled how many examples how often."""
    n, others = int((votes.per_item > 1).sum()), len([name for name in votes.people if name != THE_LABEL])
    who = f"{others:,} annotators" if others > 1 else votes.people[0]
    label = f" and {THE_LABEL}" if THE_LABEL in votes.people else ""
    return f"{who}{label}, {labels_per_item(votes)} labels on each of {n:,} examples"


def labels_per_item(votes: Votes) -> str:
    """Labels of the examples that have at least two: a number, or from fewest to most."""
    m = votes.per_item[votes.per_item > 1]
    return str(m.min()) if m.min() == m.max() else f"{m.min()} to {m.max()}"


def describe_votes(votes: Votes, metric: str, label_is: LabelIs, *, declared: bool) -> dict[str, Any]:
    """What is said of the labels whatever they are used for."""
    found = votes.agreement()
    low, high = found.limits(votes.group)
    alpha = None if not len(found.items) else {
        "name": "Krippendorff's alpha", "value": finite(found.alpha), "low": finite(low), "high": finite(high),
        "n": len(found.items), "method": "bootstrap over items" + (" in groups" if votes.group is not None else ""),
    }  # fmt: skip
    counts = votes.per_item[votes.per_item > 0]
    return {
        "kind": None,
        "metric": metric,
        "label_is": label_is,
        "label_is_declared": declared,
        "people": list(votes.people),
        "items": len(counts),
        "items_labelled_twice": int((counts > 1).sum()),
        "labels_per_item": float(counts.mean()) if len(counts) else 0.0,
        "agreement": alpha,
    }


def describe_best(best: Best, metric: str) -> dict[str, Any]:
    """All experts and the best one, for JSON."""
    rows = [
        {"by": e.by, "error": finite(e.error), "low": finite(e.low), "high": finite(e.high), "n": e.n}
        for e in best.judged
    ]
    return {
        "kind": "experts",
        "metric": metric,
        "best": {
            "by": best.by, **figure(best.figure.value, best.figure.low, best.figure.high), "n": best.n,
            "as_measured": finite(best.measured), "method": best.figure.method,
        },
        "experts": rows,
    }  # fmt: skip


def describe_plug_in(votes: Votes) -> dict[str, Any] | None:
    """The best possible error by shares, for JSON; None where there are too few labels per example."""
    found = plug_in_error(votes)
    return None if found is None else describe_estimate(found, int(found.n_effective))


def describe_estimate(found: Estimate, n: int) -> dict[str, Any]:
    """An estimate with its n and method, for JSON."""
    return {**figure(found.value, found.low, found.high), "n": n, "method": found.method}


def figure(value: float, low: float, high: float) -> dict[str, Any]:
    """A value with its limits, for JSON."""
    return {"value": finite(value), "low": finite(low), "high": finite(high)}
