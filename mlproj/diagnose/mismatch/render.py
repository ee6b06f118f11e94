"""A mismatch for people (`render_mismatch`), in the order in which it matters: the gap first, the inputs after it."""

from collections.abc import Iterator, Sequence
from textwrap import shorten

from mlproj.diagnose.mismatch.conclude import is_mix
from mlproj.diagnose.mismatch.effects import Effect
from mlproj.diagnose.mismatch.gap import GapView
from mlproj.diagnose.mismatch.parts import PartRow, Term
from mlproj.diagnose.mismatch.pools import ROWS, Pool
from mlproj.diagnose.mismatch.report import FAR_APART, By, Mismatch, Shown, SourceView
from mlproj.diagnose.mismatch.separation import Separation
from mlproj.diagnose.mismatch.shift import LEAST_OVERLAP
from mlproj.diagnose.prevalence import prevalence_note
from mlproj.diagnose.render import align, wrap
from mlproj.diagnose.rungs import is_rate
from mlproj.diagnose.words import Numbers, choose_numbers

MOST_PARTS, MOST_EFFECTS, LEAST_EFFECTS, MOST_SLICES, MOST_ANSWERS = 4, 8, 3, 8, 6
CHANCE = 0.05
_STATES = {
    "matters": "It matters: surely more than the {worth} worth closing.",
    "small": "It does not matter: surely less than the {worth} worth closing.",
    "unclear": "Nobody can tell yet whether it reaches the {worth} worth closing.",
}


def render_mismatch(found: Mismatch, next_command: str = "") -> str:
    """The comparison as plain text: numbered in the order of what decides most, then the action and the next command.

    Args:
        found: What was found.
        next_command: The command to run next.
    """
    blocks = [block for block in _blocks(found) if block]
    numbered = [f"{k}. {block}" for k, block in enumerate(blocks, 1)]
    if found.notes:
        numbered.append("\n".join(wrap(f"- {note}", "  ") for note in found.notes))
    numbered.append(wrap(f"Verdict: {found.action.text}"))
    return "\n\n".join([*numbered, *([f"Next: {next_command}"] if next_command else [])])


def _blocks(found: Mismatch) -> Iterator[str]:
    if found.gap is not None:
        yield _gap_block(found.gap, found.names)
    if found.parts:
        yield _parts_block(found)
    if found.separation is not None:
        yield _separation_block(found, found.separation)
    if found.effects:
        yield _effects_block(found)
    if found.first_like_second or found.only_second:
        yield _examples_block(found)
    if found.shift is not None:
        yield _shift_block(found)
    if found.sources:
        yield _sources_block(found)
    if found.answers:
        yield _answers_block(found)


def _numbers(values: Sequence[float], metric: str) -> Numbers:
    return choose_numbers(values, is_rate=is_rate(metric))


def _gap_block(gap: GapView, names: tuple[str, str]) -> str:
    values = [rung.error for rung in (gap.first, gap.second) if rung.error is not None]
    numbers = _numbers(values, gap.metric)
    rows = [["", gap.scale, "95 % interval", "n"]]
    for name, rung in zip(names, (gap.first, gap.second), strict=True):
        limits = f"[{numbers.bare(rung.low)}, {numbers.bare(rung.high)}]"
        rows.append([name, numbers.value(rung.error or 0.0), limits, f"{rung.n:,}"])
    limits = f"[{numbers.bare(gap.low, sign=True)}, {numbers.bare(gap.high, sign=True)}]"
    rows.append(["gap", numbers.bare(gap.size, sign=True), limits, ""])
    said = _STATES[gap.state].format(worth=numbers.difference(gap.min_gap))
    said = " ".join([said, *prevalence_note(gap.matched, gap.scale, is_rate=numbers.is_rate)])
    return f"The gap\n{_indent(align(rows, 'lrlr'))}\n{_indent(wrap(said))}"


def _indent(text: str) -> str:
    """Lines under the heading of a block."""
    return "\n".join(f"   {line}" if line else "" for line in text.splitlines())


def _signed(term: Term, numbers: Numbers) -> list[str]:
    return [
        numbers.bare(term.value, sign=True),
        f"[{numbers.bare(term.low, sign=True)}, {numbers.bare(term.high, sign=True)}]",
    ]


def _parts_block(found: Mismatch) -> str:
    metrics = dict.fromkeys(by.metric for by in found.parts)
    first = found.parts[0].metric
    numbers = _numbers([abs(by.split.gap) for by in found.parts] + _losses_of(found.parts), first)
    unit = " points" if numbers.is_rate and len(metrics) == 1 else ""
    rows = [["by", f"gap{unit}", "mix", "95 % interval", "within", "95 % interval"]]
    for by in found.parts[: MOST_SLICES + 1]:
        own = numbers if by.metric == first else _numbers([abs(by.split.gap), *_losses_of([by])], by.metric)
        name = shorten(by.name, 28, placeholder="…")
        if len(metrics) > 1:  # tasks of different kinds, each in a unit of its own
            name += f", {by.metric}{' in points' if own.is_rate else ''}"
        gap = own.bare(by.split.gap, sign=True)
        rows.append([name, gap, *_signed(by.split.mix, own), *_signed(by.split.within, own)])
    lines = [
        f"Where it comes from ({', '.join(metrics)}): the mix of parts, or the loss within them",
        _indent(align(rows, "lrrlrl")),
    ]
    lines += [_indent(_table_of_parts(by, found.names, numbers)) for by in found.parts[:1] if len(by.split.rows) > 1]
    left = len(found.parts) - MOST_SLICES - 1
    lines += [f"   {left} more in the JSON document (--json)"] if left > 0 else []
    said = [_say_mix(found.parts[0], numbers), *(_say_mix(by, numbers) for by in found.parts[1:] if is_mix(by))]
    lines.append(_indent(wrap(" ".join(said))))
    return "\n".join(lines)


def _losses_of(parts: Sequence[By]) -> list[float]:
    return [loss for by in parts for row in by.split.rows for loss in row.losses if loss is not None]


def _table_of_parts(by: By, names: tuple[str, str], numbers: Numbers) -> str:
    header = [by.name, f"share of {names[0]}", f"of {names[1]}", f"loss in {names[0]}", f"in {names[1]}"]
    rows = [header, *(_part_cells(row, numbers) for row in by.split.rows[:MOST_PARTS])]
    return align(rows, "lrrrr")


def _part_cells(row: PartRow, numbers: Numbers) -> list[str]:
    shares = [f"{100 * share:.1f} %" for share in row.shares]
    losses = ["–" if loss is None else numbers.value(loss) for loss in row.losses]
    return [shorten(row.name, 24, placeholder="…"), *shares, *losses]


def _say_mix(by: By, numbers: Numbers) -> str:
    split = by.split
    text = f"{numbers.bare(split.mix.value)} of the {numbers.difference(split.gap)} is the mix of {by.name}"
    text += ": no more than chance would make." if split.mix.low <= 0 <= split.mix.high else "."
    if split.one_sided:
        shown = ", ".join(split.one_sided[:4]) + (", …" if len(split.one_sided) > 4 else "")
        text += f" Only one set has {shown}; what that adds is counted as mix."
    return text


def _separation_block(found: Mismatch, seen: Separation) -> str:
    first, second = found.names
    if seen.p is None or seen.auc is None:
        text = f"Not tested: {seen.n[0]:,} and {seen.n[1]:,} examples are too few, or no feature varies."
        return f"Are the inputs different\n{_indent(wrap(text))}"
    told = f"can be told apart from {first}" if seen.p < CHANCE else f"cannot be told apart from {first}"
    limits = "" if seen.low is None else f" [{seen.low:.2f}, {seen.high:.2f}]"
    figures = f"p = {seen.p:.3g}, AUC {seen.auc:.2f}{limits} (0.5 for equal inputs)"
    lines = [f"The inputs of {second} {told}: {figures}, by {seen.classifier}."]
    if seen.variation is not None:
        share = f"{100 * seen.variation:.0f} %"
        lines.append(f"At least {share} of {second} examples are unlike {first}." if round(100 * seen.variation) else
                     f"No share of {second} is surely unlike {first}.")  # fmt: skip
    if found.is_flagged:
        lines.append("Flagged: the inputs differ, and the gap matters.")
    elif found.inputs_differ and found.gap is not None:
        small = f"{second} is not worse for it: nothing has to follow from that"
        lines.append(f"The inputs differ, but {'the gap may not matter' if found.gap.state == 'unclear' else small}.")
    return "Are the inputs different, and how much\n" + _indent(wrap(" ".join(lines)))


def _effects_block(found: Mismatch) -> str:
    first, second = found.names
    rows = [["feature", "importance", "difference", "q", first, second]]
    sure = sum(effect.q < CHANCE for effect in found.effects)
    clear = [effect for effect in found.effects if effect.q < CHANCE] or found.effects[:LEAST_EFFECTS]
    rows += [_effect_cells(effect) for effect in clear[:MOST_EFFECTS]]
    tests = "; ".join(dict.fromkeys(effect.test for effect in found.effects))
    head = f"What differs: {sure} of {len(found.effects)} tested at q < {CHANCE} by Benjamini-Hochberg ({tests})"
    rest = len(found.effects) - len(clear[:MOST_EFFECTS])
    more = [f"   {rest} more in the JSON document (--json)"] if rest > 0 else []
    return "\n".join([wrap(head, "   "), _indent(align(rows, "lrlrll")), *more])


def _effect_cells(effect: Effect) -> list[str]:
    size = f"δ {effect.size:+.2f}" if effect.kind == "number" else f"JS {effect.size:.3f}"
    lost = "" if effect.importance is None else f"{max(effect.importance, 0.0):.3f}"
    q = "<0.001" if effect.q < 0.001 else f"{effect.q:.3f}"
    return [shorten(effect.feature, 24, placeholder="…"), lost, size, q, shorten(effect.first, 36, placeholder="…"),
            shorten(effect.second, 36, placeholder="…")]  # fmt: skip


def _examples_block(found: Mismatch) -> str:
    first, second = found.names
    lines = ["Look at both sets"]
    for title, shown in (
        (f"{first} most like {second}", found.first_like_second), (f"{second} least like {first}", found.only_second),
    ):  # fmt: skip
        if shown:
            lines.append(f"   {title}")
            lines.append(_indent(_indent(_table_of_examples(shown))))
    return "\n".join(lines)


def _table_of_examples(shown: Sequence[Shown]) -> str:
    names = list(shown[0].cells)
    rows = [["id", "P", *(shorten(name, 16, placeholder="…") for name in names)]]
    rows += [[shorten(example.id, 20, placeholder="…"), f"{example.score:.2f}",
              *(shorten(example.cells[name], 16, placeholder="…") for name in names)] for example in shown]  # fmt: skip
    return align(rows, "lr" + "l" * len(names))


def _shift_block(found: Mismatch) -> str:
    shift = found.shift
    assert shift is not None
    first, second = found.names
    if not shift.is_split:
        worth = f"{int(min(shift.overlap))} examples' worth, {LEAST_OVERLAP} are needed"
        if min(shift.n) < LEAST_OVERLAP:
            return f"What shifted\n   Too few examples to split the gap: {LEAST_OVERLAP} are needed in each set."
        text = f"No overlap; cannot split: {first} and {second} share too few inputs ({worth})."
        return f"What shifted\n{_indent(wrap(text))}"
    assert shift.harder is not None
    assert shift.answers is not None
    assert shift.unseen is not None
    metric = found.parts[0].metric if found.parts else "error"
    terms = (
        (shift.harder, f"inputs that {first} has too, but the harder ones more often in {second}"),
        (shift.answers, "other answers to the same inputs: labels, or something that is no feature"),
        (shift.unseen, f"inputs that {first} hardly has"),
    )
    numbers = _numbers([abs(term.value) for term, _ in terms] + _losses_of(found.parts), metric)
    rows = [["points" if numbers.is_rate else "size", "95 % interval", "of the gap that is"]]
    rows += [[*_signed(term, numbers), text] for term, text in terms]
    rows.append([numbers.bare(shift.gap, sign=True), "", f"together ({metric})"])
    seen, same = found.separation, ""
    if seen is not None and seen.p is not None and seen.p >= CHANCE:
        same = "\n   The inputs cannot be told apart, so the gap is put down to other answers to them."
    return "What shifted\n" + _indent(align(rows, "rll")) + same


def _sources_block(found: Mismatch) -> str:
    second = found.names[1]
    rows = [["training data from", f"AUC against {second}", "95 % interval", "unlike, at least", "n"]]
    if found.separation is not None and found.separation.auc is not None:
        rows.append([found.names[0], *_source_cells(found.separation)])
    rows += [[source.name, *_source_cells(source.separation)] for source in found.sources]
    lines = [f"How well training data cover {second}", _indent(align(rows, "lrlrr"))]
    lines += [_indent(wrap(text)) for source in found.sources for text in _warn_source(source, second)]
    return "\n".join(lines)


def _source_cells(seen: Separation) -> list[str]:
    if seen.auc is None:
        return ["–", "", "", f"{seen.n[0]:,}"]
    limits = "" if seen.low is None else f"[{seen.low:.2f}, {seen.high:.2f}]"
    share = "" if seen.variation is None else f"{100 * seen.variation:.0f} %"
    return [f"{seen.auc:.2f}", limits, share, f"{seen.n[0]:,}"]


def _warn_source(source: SourceView, second: str) -> Iterator[str]:
    if source.is_far:
        yield (f"Warning: {source.name} is told apart from {second} with an AUC above {FAR_APART}: what is learned "
               "there may not be what is needed.")  # fmt: skip
    for pool in source.pools[:2]:
        yield f"Warning: {source.name} repeats a small pool: {say_pool(pool, second)}"
    if len(source.pools) > 2:
        yield f"{len(source.pools) - 2} more features of {source.name} repeat likewise (--json)."


def say_pool(pool: Pool, second: str) -> str:
    """What a source repeats, in words.

    Example:
        >>> say_pool(Pool("hum", 12, 900, 12.0, 280.0, 300), "dev")
        'hum has 12 values in 900 rows; among 300 rows 12, where dev has 280.'
    """
    what = f"only {pool.distinct:,} of its {pool.n:,} rows are different"
    if pool.feature != ROWS:
        what = f"{pool.feature} has {pool.distinct:,} values in {pool.n:,} rows"
    return f"{what}; among {pool.at:,} rows {pool.expected:.0f}, where {second} has {pool.dev:.0f}."


def _answers_block(found: Mismatch) -> str:
    first, second = found.names
    rows = [["answer", first, second, "points", "95 % interval"]]
    for row in found.answers[:MOST_ANSWERS]:
        limits = f"[{100 * row.low:+.1f}, {100 * row.high:+.1f}]"
        shares = [f"{100 * share:.1f} %" for share in (row.first, row.second)]
        rows.append([shorten(row.answer, 28, placeholder="…"), *shares, f"{100 * row.difference:+.1f}", limits])
    left = len(found.answers) - MOST_ANSWERS
    more = [f"   {left} more in the JSON document (--json)"] if left > 0 else []
    return "\n".join(["What the model answers", _indent(align(rows, "lrrrl")), *more])
