"""A learning curve for people: a table of the sizes, a plot in letters, what is ahead, and the conclusion."""

import textwrap

from mlproj.diagnose.curve.plot import plot_text
from mlproj.diagnose.curve.shape import LAWFUL
from mlproj.diagnose.render import WIDTH, align
from mlproj.diagnose.rungs import is_rate
from mlproj.diagnose.words import TITLES, Numbers, choose_numbers, show_chance
from mlproj.records import Band, LearningCurve, Probe


def render_curve(curve: LearningCurve, next_command: str = "") -> str:
    """The curve as plain text.

    Args:
        curve: The curve.
        next_command: The command to run next.
    """
    numbers = numbers_of(curve)
    blocks = [align(_rows(curve, numbers), "rr" + "rl" * len(_splits(curve))), plot_text(curve, numbers)]
    if curve.extrapolation is not None:
        blocks.append(align(_ahead(curve, numbers), "rrrlr"))
    blocks.append(_wrap(f"Conclusion: {curve.text}"))
    blocks.append(_wrap(f"What to do: {curve.advice}"))
    blocks.append("\n".join(_wrap(f"- {note}", "  ") for note in (*_bounds(curve, numbers), *_said(curve))))
    if next_command:
        blocks.append(f"Next: {next_command}")
    return "\n\n".join(blocks)


def numbers_of(curve: LearningCurve) -> Numbers:
    """How numbers of a curve are written."""
    return choose_numbers([anchor.bands["dev"].error for anchor in curve.anchors], is_rate=is_rate(curve.metric))


def _splits(curve: LearningCurve) -> list[str]:
    return [split for split in ("train", "train_dev", "dev") if split in curve.anchors[-1].bands]


def _rows(curve: LearningCurve, numbers: Numbers) -> list[list[str]]:
    unit = " %" if numbers.is_rate else ""
    rows = [["examples", "trainings"]]
    for split in _splits(curve):
        scale = f" {curve.scale}" if split == "dev" or len(_splits(curve)) < 3 else ""  # three names are too wide
        rows[0] += [f"{TITLES[split]}{scale}{unit}", "95 % band"]
    for anchor in curve.anchors:
        row = [f"{anchor.n:,}", f"{anchor.repeats}"]
        for split in _splits(curve):
            band = anchor.bands[split]
            row += [numbers.bare(band.error), _interval(band, numbers)]
        rows.append(row)
    return rows


def _interval(band: Band, numbers: Numbers) -> str:
    return f"[{numbers.bare(band.low)}, {numbers.bare(band.high)}]"


def _ahead(curve: LearningCurve, numbers: Numbers) -> list[list[str]]:
    far = curve.extrapolation
    assert far is not None
    unit = " %" if numbers.is_rate else ""
    asked = "" if curve.target is None else f"P(<= {numbers.bare(curve.target)})"
    rows = [["data", "examples", f"dev {curve.scale}{unit}", "95 % interval", asked]]
    for reach in far.reaches:
        chance = "" if reach.p_target is None else show_chance(reach.p_target)
        limits = f"[{numbers.bare(reach.low)}, {numbers.bare(reach.high)}]"
        rows.append([f"{reach.ratio:g}x", f"{reach.n:,}", numbers.bare(reach.error), limits, chance])
    rows.append(["10x", f"{far.bound[0]:,}", "", f"not below {numbers.bare(far.bound[1])}", ""])
    return rows


def _bounds(curve: LearningCurve, numbers: Numbers) -> list[str]:
    """What holds without a fit."""
    said = []
    if curve.probe is not None:
        said.append(_last_doubling(curve.probe, curve, numbers))
    if curve.most_gain is not None:
        gain, low, high = curve.most_gain
        said.append(
            f"More data can gain at most {numbers.difference(max(gain, 0.0))} ({numbers.bare(max(low, 0.0))} to "
            f"{numbers.bare(max(high, 0.0))}): the gap to the training error, which does not fall with more data."
        )
    return said


def _last_doubling(probe: Probe, curve: LearningCurve, numbers: Numbers) -> str:
    gain, low, high = probe.gain
    begin = f"From {probe.n_half:,} to {curve.n_train:,} examples the dev error"
    if gain < 0:
        return f"{begin} rose by {numbers.difference(-gain)} ({numbers.bare(-high)} to {numbers.bare(-low)})."
    fell = f"{begin} fell by {numbers.difference(gain)} ({numbers.bare(low)} to {numbers.bare(high)})."
    if curve.shape not in LAWFUL:
        return fell
    least, most = probe.next_gain
    ahead = numbers.difference(most) if least <= 0 else f"{numbers.bare(least)} to {numbers.difference(most)}"
    upto = "up to " if least <= 0 else ""
    return f"{fell} Under a power law the next doubling gains between half and all of that: {upto}{ahead}."


def _said(curve: LearningCurve) -> list[str]:
    said = []
    if curve.target is None:
        said.append("No target: give --target ERROR, or human_level in project.yaml, for the chance of reaching it.")
    else:
        said.append(f"The target is {numbers_of(curve).value(curve.target)} ({curve.target_from}).")
    if curve.extrapolation is None and curve.why_not:
        said.append(f"Nothing is extrapolated: {curve.why_not}.")
    elif curve.extrapolation is not None:
        said.append(_how(curve))
    said.append(curve.recipe)
    if curve.missing:
        said.append(f"This is a partial answer: {curve.missing} trainings are still to be made.")
    if curve.failed[0]:
        said.append(f"{curve.failed[0]} trainings failed and are left out. The first reason: {curve.failed[1]}")
    return [text for text in (*said, *curve.notes) if text]


def _how(curve: LearningCurve) -> str:
    far = curve.extrapolation
    assert far is not None
    families = ", ".join(
        f"{name} {share:.2f}" for name, share in sorted(far.weights.items(), key=lambda each: -each[1])
    )
    return (
        f"Extrapolated by {families}: weights by how well each foretold the largest sizes while they were hidden, "
        "all better than the last error seen. Intervals are about this dev set and the mean over trainings; beyond 4x "
        "there is a bound only."
    )


def _wrap(text: str, indent: str = "") -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
