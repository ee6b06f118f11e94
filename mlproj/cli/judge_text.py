"""What `compare`, `check-metric` and `evaluate` print."""

from collections.abc import Sequence
from math import isfinite
from textwrap import fill
from typing import TYPE_CHECKING

from mlproj.cli.tables import table
from mlproj.cli.text import contract_table, figure
from mlproj.diagnose.rungs import is_rate
from mlproj.diagnose.words import choose_numbers, show_chance
from mlproj.metrics.limits import is_met
from mlproj.workflow.verdict import limits_text, signed

if TYPE_CHECKING:
    from mlproj.workflow.compare import Compared, Row
    from mlproj.workflow.contract import Kept
    from mlproj.workflow.evaluate import Evaluated
    from mlproj.workflow.figures import Figure

_WIDTH = 100


def compare_text(compared: "Compared") -> str:
    """Both models side by side, the contract, the verdict and the next command."""
    names = [f"{side}: {_short(s.selector)}" for side, s in (("a", compared.a), ("b", compared.b))]
    rows = [_row(row, decides=place == 0) for place, row in enumerate(compared.rows)]
    if compared.only_right is not None:
        rows.append(("right where the other is not", *(f"{n:,}" for n in compared.only_right), "", "", ""))
    parts = [table(("", *names, "b − a", "95 % interval", ""), rows, right=(1, 2, 3, 4))]
    for side, name in zip(("a", "b"), names, strict=True):
        contract = compared.contract["a" if side == "a" else "b"]
        if contract:
            parts += ["", contract_table(contract, f"contract of {name}")]
    if compared.p_b_better is not None:
        parts += ["", f"P(b is better in {compared.metric}) {show_chance(compared.p_b_better)}"]
    parts += ["", _wrapped(f"Verdict: {compared.verdict}")]
    said = [*compared.notes, _seeds(compared)]
    return "\n".join([*parts, *_notes(said), "", f"next: {compared.next}"])


def _short(name: str, longest: int = 24) -> str:
    return name if len(name) <= longest else f"…{name[1 - longest :]}"


def _row(row: "Row", *, decides: bool) -> tuple[str, ...]:
    found = row.difference
    sizes = [abs(x) for x in (found.value, found.low, found.high, row.a, row.b) if isfinite(x)]
    numbers = choose_numbers(sizes, is_rate=is_rate(row.metric))
    values = [numbers.value(value) if isfinite(value) else "–" for value in (row.a, row.b)]
    if not isfinite(found.value):
        return (row.metric, *values, "–", "", "<- decides" if decides else "")
    limits, size = limits_text(numbers, found.low, found.high), signed(numbers, found.value, unit=True)
    return (row.metric, *values, size, limits, "<- decides" if decides else "")


def _seeds(compared: "Compared") -> str:
    """What other seeds say, in a sentence or two; nothing where both are the same spec."""
    noise = compared.seeds
    if noise is None:
        if compared.is_one_spec or (compared.a.run is None and compared.b.run is None):
            return ""
        return (
            "This speaks of these two trainings as they are: the store holds fewer than three seeds of either spec, so "
            "nobody knows how far another seed would move them."
        )
    numbers = choose_numbers([noise.spread, noise.reach, *noise.a, *noise.b], is_rate=is_rate(compared.metric))
    counts = f"{len(noise.a)} and {len(noise.b)} seeds in the store"
    spread = f"Between seeds of one spec the standard deviation is {numbers.difference(noise.spread)} ({counts})"
    exceeds = "exceeds" if noise.exceeds else "does not exceed"
    if noise.difference is None:
        reach = f"the {numbers.difference(noise.reach)} by which two trainings may differ by their seeds alone"
        return f"{spread}: the difference {exceeds} {reach}."
    value, low, high = noise.difference.value, noise.difference.low, noise.difference.high
    over = f"{signed(numbers, value, unit=True)} ({limits_text(numbers, low, high)})"
    return f"{spread}. Over seeds and examples b − a is {over}: it {exceeds} what seeds explain."


def contract_text(kept: "Kept") -> str:
    """Each limit with its interval, what would prove the unproven ones, and the status."""
    words = {
        "met": "The contract is met: every limit holds at the bad end of its interval.",
        "violated": "The contract is violated: at least one limit is missed even at the good end of its interval.",
        "unknown": "The contract is not proved: at least one interval reaches beyond its limit.",
    }
    parts = [contract_table(kept.contract, "contract on dev")]
    said = []
    for name, needed in kept.needed.items():
        promise = next(promise for promise in kept.contract if promise.metric == name)
        limit = promise.limit
        if needed.by is None:
            lies = "only touches it" if is_met(promise.value, limit) else "misses it"
            said.append(f"{name} {limit}: the value itself {lies}, so that more examples alone would not prove it.")
        else:
            said.append(
                f"{name} {limit}: about {needed.by:,} more {needed.of} on dev would prove it, if the value stays."
            )
    unmeasured = [p.metric for p in kept.contract if p.status == "unknown" and p.n is None]
    said += [f"{name} is measured when mlproj trains; answers do not tell it." for name in unmeasured]
    return "\n".join(
        [*parts, "", _wrapped(words[kept.status]), *_notes([*said, *kept.notes]), "", f"next: {kept.next}"]
    )


def evaluate_text(evaluated: "Evaluated") -> str:
    """The figures with their intervals, dev beside them, the contract, and how often this test set was looked at."""
    split = evaluated.split.replace("_", "-")
    rows = [
        (f.metric, figure(f.metric, f.value), _interval(f), f"{f.n:,}", "<- optimised" if place == 0 else "")
        for place, f in enumerate(evaluated.figures)
    ]
    parts = [table((split, "value", "95 % interval", "n", ""), rows, right=(1, 3))]
    first = evaluated.figures[0]
    if evaluated.dev is not None:
        dev = evaluated.dev
        said = f"dev had {dev.metric} {figure(dev.metric, dev.value)} {_interval(dev)}".rstrip()
        if evaluated.difference is not None:
            numbers = choose_numbers([abs(x) for x in evaluated.difference if isfinite(x)], is_rate=is_rate(dev.metric))
            value, *limits = evaluated.difference
            said += f"; {split} − dev is {signed(numbers, value, unit=True)} ({limits_text(numbers, *limits)})"
        parts += ["", _wrapped(f"{said}.")]
    if evaluated.contract:
        parts += ["", contract_table(evaluated.contract, f"contract on {split}")]
    said_last = list(evaluated.notes)
    if evaluated.looks is not None:
        said_last.insert(0, _looks(evaluated, first))
    return "\n".join([*parts, *_notes(said_last), "", f"next: {evaluated.next}"])


def _looks(evaluated: "Evaluated", first: "Figure") -> str:
    looks = evaluated.looks
    if looks == 1:
        return "First look at this test set; its figures are unbiased as long as nothing is chosen by them."
    if evaluated.optimism is None:
        return f"Look {looks:,} at this test set."
    numbers = choose_numbers([evaluated.optimism], is_rate=is_rate(first.metric))
    by = numbers.difference(evaluated.optimism)
    best = f"chosen as the best of them, its {first.metric} flatters by up to {by} on average"
    return f"Look {looks:,} at this test set: {best}."


def _interval(row: "Figure") -> str:
    if row.low is None and row.high is None:
        return ""
    low, high = (figure(row.metric, limit) if limit is not None else "∞" for limit in (row.low, row.high))
    return f"[{low}, {high}]"


def _notes(said: Sequence[str]) -> list[str]:
    lines = [fill(text, _WIDTH, initial_indent="- ", subsequent_indent="  ") for text in said if text]
    return ["", *lines] if lines else []


def _wrapped(text: str) -> str:
    return fill(text, _WIDTH)
