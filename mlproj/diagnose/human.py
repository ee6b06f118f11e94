"""The human level that the labels of several people, or the counts of several experts, speak of. I items.

What the labels can say depends on what the label of the data is beside them:

* gold, found out in another way: each person's errors can be counted, and the best person is the human level;
* single, one more person's label: how often people disagree brackets the error of the best possible model;
* consensus, the majority of the same people: neither, for whoever took part in the vote agrees with its outcome.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from mlproj.diagnose.experts import Best, best_by_counts, best_by_votes
from mlproj.diagnose.label_reading import is_copied, is_the_same, read_label
from mlproj.diagnose.people_words import (
    THE_LABEL,
    describe_best,
    describe_estimate,
    describe_plug_in,
    describe_votes,
    figure,
    labels_per_item,
    say_agreement,
    say_best,
    say_plug_in,
    say_reading,
    spell_items,
)
from mlproj.diagnose.rungs import GivenRung
from mlproj.diagnose.words import choose_numbers
from mlproj.metrics import metric_problem
from mlproj.metrics.annotators import (
    Votes,
    bayes_bracket,
    disagreement,
    noise_rate,
    spread,
    without_noise,
)
from mlproj.metrics.intervals import Estimate
from mlproj.records import Ladder
from mlproj.spec.goal import Expert, LabelIs

_BOTH_ENDS = (
    "A gap is named only if it is the largest at both ends. Labels count as given independently: where they were "
    "copied, or people share a mistaken rule, both ends are too low."
)
_SQUARED = frozenset({"mse", "rmse"})


@dataclass(frozen=True)
class People:
    """What people's labels or counts say.

    Attributes:
        rung: The human level; None where nothing can be said of it.
        metric: Metric that it is in.
        notes: What there is to say, the source of the figure first.
        document: All of it, JSON-ready.
        noise: How often two labels differ (value, low, high), where the label of the data is one of them; else None.
        n_classes: Number of classes; 0 for numbers.
    """

    rung: GivenRung | None
    metric: str
    notes: tuple[str, ...]
    document: Mapping[str, Any]
    noise: tuple[float, float, float] | None = None
    n_classes: int = 0


def from_counts(experts: Sequence[Expert], on: str | None = None) -> People:
    """The human level of several experts who are known by their counts.

    Args:
        experts: With `by`, `n` and their errors.
        on: Distribution on which they were measured; None for both.

    Example:
        >>> people = from_counts([Expert(by="one", errors=100, n=10000), Expert(by="team", errors=50, n=10000)])
        >>> round(people.rung.value, 4), people.rung.source
        (0.005, 'the best of 2: team')
    """
    best = best_by_counts(experts)
    return People(_expert_rung(best, on), "error", (say_best(best, "error"),), describe_best(best, "error"))


def from_votes(
    votes: Votes, metric: str, *, label_is: LabelIs | None = None, on: str | None = None, where: str = ""
) -> People:
    """The human level of several people who labelled items one by one.

    Args:
        votes: Their labels, with the label of the data as the truth.
        metric: Metric of the figure: error, rmse or mse; against a gold label any that needs no probabilities.
        label_is: What the label of the data is, where that was declared.
        on: Distribution of the items; None for both.
        where: Of which items this is said, for the notes; such as ``" on the target distribution"``.
    """
    reading, reason = (label_is, "") if label_is else read_label(votes)
    shared = describe_votes(votes, metric, reading, declared=label_is is not None)
    told = () if label_is else (say_reading(reading, reason),)
    agreed = say_agreement(shared["agreement"], where)
    if reading == "consensus":
        told = (
            *told,
            "No human level: who took part in a vote agrees with its outcome. Have somebody else label some.",
        )
        return People(None, metric, (*told, *agreed), shared)
    if reading == "gold":
        return _from_gold(votes, metric, on, where, told, shared)
    pooled = votes if is_copied(votes) else votes.with_label(THE_LABEL)
    if not (pooled.per_item > 1).any() or is_the_same(votes):
        lonely = f"No human level{where}: no example has two labels, so nobody knows how often people differ."
        return People(None, metric, (*told, lonely), shared)
    if votes.classes:
        return _from_disagreement(pooled, metric, on, where, told, shared)
    return _from_spread(pooled, metric, on, where, told, shared)


def _from_gold(
    votes: Votes, metric: str, on: str | None, where: str, told: tuple[str, ...], shared: Mapping[str, Any]
) -> People:
    """The best person against the truth."""
    agreed = say_agreement(shared["agreement"], where)
    unfit = metric_problem(metric, votes.classes, has_p=False)
    best = None if unfit else best_by_votes(votes, metric)
    if best is None:
        why = unfit.message if unfit else "nobody labelled an example whose label is known"
        return People(None, metric, (f"No human level{where}: {why}.", *told, *agreed), shared)
    said = say_best(best, metric, where)
    return People(_expert_rung(best, on), metric, (said, *told, *agreed), {**shared, **describe_best(best, metric)})


def _from_disagreement(
    votes: Votes, metric: str, on: str | None, where: str, told: tuple[str, ...], shared: Mapping[str, Any]
) -> People:
    """The bracket of the best possible error, from how often two people differ."""
    found = disagreement(votes)
    limits = found.value, found.low, found.high
    (low, high), (lowest, _), (floor_high, highest) = (
        bayes_bracket(each, votes.n_classes) for each in (found.value, found.low, found.high)
    )
    n = int((votes.per_item > 1).sum())
    numbers = choose_numbers([high], is_rate=True)
    bracket = {"low": figure(low, lowest, floor_high), "high": figure(high, found.low, highest), "n": n}
    more: dict[str, Any] = {
        "kind": "bracket",
        "disagreement": describe_estimate(found, n),
        "bracket": bracket,
        "plug_in": describe_plug_in(votes),
    }
    said = (
        f"Human level{where}: {spell_items(votes)}; two labels of an example differ in {numbers.value(found.value)} "
        f"[{numbers.bare(found.low)}, {numbers.bare(found.high)}], so the best possible error lies between "
        f"{numbers.value(low)} and {numbers.value(high)}."
    )
    notes = [
        said,
        _BOTH_ENDS,
        *_say_never(found),
        *told,
        *say_plug_in(more["plug_in"], numbers),
        *say_agreement(shared["agreement"], where),
    ]
    if metric != "error":
        notes = [f"Human level{where}: disagreement of people is an error and cannot stand beside {metric}.", *notes]
        return People(None, "error", tuple(notes), {**shared, **more})
    source = f"{labels_per_item(votes)} labels per item; bracket {numbers.bare(low)}–{numbers.value(high)}"
    floor = GivenRung(
        "human", low, n, limits=(lowest, floor_high), method="Cover & Hart's inequality at the limits", text=source
    )
    rung = GivenRung(
        "human", high, n, on=on, text=source, limits=(found.low, highest), n_effective=found.n_effective,
        method=f"{found.method}, down to Cover & Hart's lower end", source=source, floor=floor,
    )  # fmt: skip
    return People(rung, "error", tuple(notes), {**shared, **more}, limits, votes.n_classes)


def _say_never(found: Estimate) -> tuple[str, ...]:
    """The doubt that labels which never differ raise."""
    return ("Not one label differs from another: were they copied?",) if found.value == 0 else ()


def _from_spread(
    votes: Votes, metric: str, on: str | None, where: str, told: tuple[str, ...], shared: Mapping[str, Any]
) -> People:
    """The bracket of the best possible squared error, from the spread of several people's numbers."""
    found = spread(votes)
    n = int((votes.per_item > 1).sum())
    agreed = say_agreement(shared["agreement"], where)
    more: dict[str, Any] = {"kind": "spread", "spread": describe_estimate(found, n)}
    if metric not in _SQUARED:
        said = (
            f"Human level{where}: of the spread between people only mse and rmse follow, not {metric}. Give a figure, "
            "or ask for --metric rmse."
        )
        return People(None, "rmse", (said, *told, *agreed), {**shared, **more})

    def scaled(variance: float) -> float:
        return sqrt(max(variance, 0.0)) if metric == "rmse" else max(variance, 0.0)

    low, lowest, floor_high = (scaled(each) for each in (found.value, found.low, found.high))
    high, high_low, highest = (scaled(2 * each) for each in (found.value, found.low, found.high))
    numbers = choose_numbers([high], is_rate=False)
    more["bracket"] = {"low": figure(low, lowest, floor_high), "high": figure(high, high_low, highest), "n": n}
    said = (
        f"Human level{where}: {spell_items(votes)}. One person's number misses another's by a {metric} of "
        f"{numbers.value(high)} [{numbers.bare(high_low)}, {numbers.bare(highest)}]; no model of single labels gets "
        f"below {numbers.value(low)}, the spread of people around their mean."
    )
    source = f"{labels_per_item(votes)} labels per item; bracket {numbers.bare(low)}–{numbers.bare(high)}"
    floor = GivenRung("human", low, n, limits=(lowest, floor_high), method=found.method, text=source)
    rung = GivenRung(
        "human",
        high,
        n,
        on=on,
        text=source,
        limits=(high_low, highest),
        method=found.method,
        source=source,
        floor=floor,
    )
    return People(rung, metric, (said, _BOTH_ENDS, *told, *agreed), {**shared, **more})


def label_noise(
    people: People, ladder: Ladder, names: Sequence[str] = ("train", "train_dev", "dev", "test")
) -> tuple[str | None, dict[str, Any] | None]:
    """What the rungs would read against true labels, if the wrong ones are random; None where nobody can tell.

    Args:
        people: Whose labels differ, that of the data among them.
        ladder: The ladder in the plain error.
        names: The rungs whose labels are like those.
    """
    if people.noise is None or ladder.metric != "error" or people.n_classes < 2:
        return None, None
    rate = noise_rate(people.noise, people.n_classes)
    rungs = []
    for rung in ladder.rungs:
        if rung.name in names and rung.error is not None and rung.low is not None and rung.high is not None:
            found = without_noise((rung.error, rung.low, rung.high), rate, people.n_classes)
            rungs.append({"name": rung.name, **figure(*found), "n": rung.n})
    dev = next((row for row in rungs if row["name"] == "dev"), None)
    document = {"rate": figure(*rate), "rungs": rungs, "method": "uniform noise, MOVER"}
    if dev is None:
        return None, document
    numbers = choose_numbers([rate[0], dev["value"]], is_rate=True)
    text = (
        f"If wrong labels are random, {numbers.value(rate[0])} of the labels are wrong, and against true ones dev "
        f"would read {numbers.value(dev['value'])} [{numbers.bare(dev['low'])}, {numbers.bare(dev['high'])}]."
    )
    return text, document


def _expert_rung(best: Best, on: str | None) -> GivenRung:
    source = f"the best of {len(best.judged)}: {best.by}" if len(best.judged) > 1 else best.by
    found = best.figure
    n_effective = found.n_effective if "Wilson" in found.method else None
    return GivenRung(
        "human", found.value, best.n, on=on, text=source, limits=(found.low, found.high), n_effective=n_effective,
        method=found.method, source=source,
    )  # fmt: skip
