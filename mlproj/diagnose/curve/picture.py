"""A learning curve as a picture: both curves with bands, human level, the target, and what is ahead."""

import textwrap
from pathlib import Path
from typing import Any

from mlproj.diagnose.curve.render import numbers_of
from mlproj.diagnose.words import TITLES
from mlproj.records import LearningCurve

_INK, _QUIET, _NAMED = "#22313f", "#7f8c8d", "#d35400"
_COLOURS = {"dev": _INK, "train": "#2980b9", "train_dev": "#8e44ad"}


def draw_curve(curve: LearningCurve, path: str | Path) -> None:
    """Draws the curve to a .png file.

    Args:
        curve: What to draw.
        path: Where to write.
    """
    from matplotlib.figure import Figure  # half a second, and no global state as pyplot would bring

    numbers = numbers_of(curve)
    scale = 100.0 if numbers.is_rate else 1.0
    figure = Figure(figsize=(9.6, 5.4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for split in [split for split in ("train", "train_dev", "dev") if split in curve.anchors[-1].bands]:
        _draw_split(axes, curve, split, scale)
    _draw_ahead(axes, curve, scale)
    for level, words, style in (
        (curve.target, f"target ({curve.target_from})", "--"),
        (curve.human, "human level", ":"),
    ):
        if level is not None and not (words == "human level" and level == curve.target):
            axes.axhline(scale * level, color=_QUIET, linestyle=style, linewidth=1, label=words)
    _label(axes, curve, scale)
    figure.savefig(path, format="png", facecolor="white")


def _draw_split(axes: Any, curve: LearningCurve, split: str, scale: float) -> None:
    bands = [anchor.bands[split] for anchor in curve.anchors]
    sizes = [anchor.n for anchor in curve.anchors]
    errors = [scale * band.error for band in bands]
    limits = [scale * band.low for band in bands], [scale * band.high for band in bands]
    axes.fill_between(sizes, *limits, color=_COLOURS[split], alpha=0.15, linewidth=0)
    axes.plot(sizes, errors, "o-", color=_COLOURS[split], markersize=5, label=TITLES[split])


def _draw_ahead(axes: Any, curve: LearningCurve, scale: float) -> None:
    far = curve.extrapolation
    if far is None:
        return
    last = far.reaches[-1].n
    line = [(n, scale * error) for n, error in far.line if n <= last]
    axes.plot(*zip(*line, strict=True), "--", color=_NAMED, linewidth=1.5, label="dev foretold")
    for reach in far.reaches:
        spread = [[scale * (reach.error - reach.low)], [scale * (reach.high - reach.error)]]
        axes.errorbar([reach.n], [scale * reach.error], yerr=spread, fmt="o", color=_NAMED, capsize=5, markersize=5)
        axes.annotate(f"{reach.ratio:g}×", (reach.n, scale * reach.high), xytext=(0, 4), textcoords="offset points",
                      ha="center", fontsize=9, color=_NAMED)  # fmt: skip


def _label(axes: Any, curve: LearningCurve, scale: float) -> None:
    numbers = numbers_of(curve)
    sizes = [anchor.n for anchor in curve.anchors]
    sizes += [reach.n for reach in curve.extrapolation.reaches] if curve.extrapolation else []
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{n:,}" for n in sizes], fontsize=9, rotation=30 if len(sizes) > 8 else 0)
    axes.minorticks_off()
    tops = [scale * band.high for anchor in curve.anchors for band in anchor.bands.values()]
    tops += [scale * reach.high for reach in curve.extrapolation.reaches] if curve.extrapolation else []
    axes.set_ylim(0, 1.1 * max(tops) or 1.0)
    axes.set_xlabel("training examples", color=_INK)
    axes.set_ylabel(f"{curve.scale}{' in %' if numbers.is_rate else ''}", color=_INK)
    title = "\n".join(textwrap.wrap(curve.text.replace("$", r"\$"), 100)[:4])
    axes.set_title(title, loc="left", fontsize=10, color=_INK, pad=14)
    axes.legend(frameon=False, fontsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", color="#ecf0f1", zorder=0)
    axes.set_axisbelow(True)
