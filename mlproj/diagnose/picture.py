"""The ladder as a picture: rungs with their intervals, gaps as bars between them, the named one highlighted."""

import textwrap
from pathlib import Path
from typing import Any

from mlproj.diagnose.rungs import is_rate
from mlproj.diagnose.words import TITLES, Numbers, choose_numbers, show_chance
from mlproj.records import Gap, Ladder, Rung

_ENDS = {
    "avoidable_bias": ("human", "train"),
    "training_error": (None, "train"),
    "variance": ("train", "train_dev"),
    "data_mismatch": ("train_dev", "dev"),
    "variance_or_data_mismatch": ("train", "dev"),
    "overfitting_to_dev": ("dev", "test"),
}
_INK, _QUIET, _NAMED, _PALE = "#22313f", "#7f8c8d", "#d35400", "#b8c4ce"


def draw_ladder(ladder: Ladder, path: str | Path) -> None:
    """Draws the ladder to a .png file.

    Args:
        ladder: What to draw.
        path: Where to write.
    """
    from matplotlib.figure import Figure  # half a second, and no global state as pyplot would bring

    shown = [rung for rung in ladder.rungs if rung.error is not None]
    scale = 100.0 if is_rate(ladder.metric) else 1.0
    numbers = choose_numbers([rung.error or 0.0 for rung in shown], is_rate=is_rate(ladder.metric))
    figure = Figure(figsize=(9.6, 5.4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for gap in ladder.gaps:
        _draw_gap(axes, ladder, gap, numbers, scale)
    for rung in shown:
        _draw_rung(axes, ladder, rung, scale)
    _label(axes, ladder, numbers, scale)
    title = "\n".join(textwrap.wrap(_plain(ladder.verdict.text), 100)[:4])
    axes.set_title(title, loc="left", fontsize=10, color=_INK, pad=14)
    figure.savefig(path, format="png", facecolor="white")


def _draw_rung(axes: Any, ladder: Ladder, rung: Rung, scale: float) -> None:
    error = rung.error or 0.0
    low, high = (error if limit is None else limit for limit in (rung.low, rung.high))
    spread = [[scale * (error - low)], [scale * (high - error)]]
    x = _place(ladder, rung.name)
    axes.errorbar([x], [scale * error], yerr=spread, fmt="o", color=_INK, capsize=5, markersize=6, zorder=3)


def _draw_gap(axes: Any, ladder: Ladder, gap: Gap, numbers: Numbers, scale: float) -> None:
    upper, lower = _ENDS[gap.name]
    if ladder.rung(lower) is None:
        lower = "dev"  # without a train-dev set variance ends at dev
    start, end = _error(ladder, upper) if upper else 0.0, _error(ladder, lower)
    x = (_place(ladder, upper) + _place(ladder, lower)) / 2 if upper else _place(ladder, lower) - 0.5
    is_named, rises = gap.name == ladder.verdict.named, end >= start
    axes.bar(
        [x],
        [scale * (end - start)],
        bottom=[scale * start],
        width=0.5,
        color=(_NAMED if is_named else _PALE) if rises else "none",
        edgecolor="none" if rises else _PALE,
        linestyle="-" if rises else "--",
        alpha=0.85,
        zorder=1,
    )
    size = "none" if gap.name == "avoidable_bias" and gap.size < 0 else numbers.bare(gap.size, sign=True)
    axes.annotate(
        f"{textwrap.fill(TITLES[gap.name], 20)}\n{size}\nP(largest) {show_chance(gap.p_largest)}",
        (x, scale * max(start, end)),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=9,
        color=_NAMED if is_named else _QUIET,
        fontweight="bold" if is_named else "normal",
    )


def _place(ladder: Ladder, name: str) -> float:
    return float([rung.name for rung in ladder.rungs].index(name))


def _error(ladder: Ladder, name: str) -> float:
    rung = ladder.rung(name)
    return rung.error if rung is not None and rung.error is not None else 0.0


def _label(axes: Any, ladder: Ladder, numbers: Numbers, scale: float) -> None:
    labels = []
    for rung in ladder.rungs:
        value = "sealed" if rung.error is None else numbers.value(rung.error)
        labels.append(f"{TITLES[rung.name]}\n{value}" + (f"\nn = {rung.n:,}" if rung.n else ""))
    axes.set_xticks(range(len(labels)), labels, fontsize=9, color=_INK)
    axes.set_xlim(-0.8 if ladder.rungs[0].name != "human" else -0.4, len(labels) - 0.4)
    tops = [scale * limit for rung in ladder.rungs for limit in (rung.error, rung.high) if limit is not None]
    axes.set_ylim(0, 1.25 * max(tops) or 1.0)
    axes.set_ylabel(f"{ladder.scale}{' in %' if numbers.is_rate else ''}", color=_INK)
    if ladder.constant and ladder.constant["value"] is not None and scale * ladder.constant["value"] < 1.2 * max(tops):
        level = scale * ladder.constant["value"]
        axes.axhline(level, color=_QUIET, linestyle=":", linewidth=1, zorder=0)
        axes.annotate("constant answer", (len(labels) - 0.42, level), ha="right", va="bottom", fontsize=8, color=_QUIET)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", color="#ecf0f1", zorder=0)
    axes.set_axisbelow(True)


def _plain(text: str) -> str:
    """Text in which matplotlib finds no formula."""
    return text.replace("$", r"\$")
