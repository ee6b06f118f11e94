"""A series of ladders as a picture: the rungs over the runs with their intervals, and where a gap surely changed."""

from pathlib import Path
from typing import Any

from mlproj.diagnose.rungs import is_rate
from mlproj.diagnose.series_text import columns_of, verdict_words
from mlproj.diagnose.words import TITLES
from mlproj.records import Series

_COLOURS = {"human": "#7f8c8d", "train": "#2471a3", "train_dev": "#7d3c98", "dev": "#d35400"}
_INK, _PALE, _MOST_NAMES = "#22313f", "#b8c4ce", 40


def draw_series(series: Series, path: str | Path) -> None:
    """Draws the rungs over the runs to a .png file.

    Args:
        series: What to draw.
        path: Where to write.
    """
    from matplotlib.figure import Figure

    ladder = series.entries[-1].ladder
    scale = 100.0 if is_rate(ladder.metric) else 1.0
    width = min(18.0, max(7.2, 2.5 + 0.55 * len(series.entries)))
    figure = Figure(figsize=(width, 5.4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name in ("human", *columns_of(series)[0]):
        _draw_rung(axes, series, name, scale)
    _draw_marks(axes, series)
    names = [entry.name for entry in series.entries] if len(series.entries) <= _MOST_NAMES else []
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=8, color=_INK, parse_math=False)
    axes.set_ylabel(f"{ladder.scale}{' in %' if scale > 1 else ''}", color=_INK)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    title = f"Ladders of {len(series.entries)} runs; the newest: {verdict_words(ladder)}"
    axes.set_title(title, loc="left", fontsize=10, color=_INK)
    axes.legend(frameon=False, fontsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", color="#ecf0f1")
    axes.set_axisbelow(True)
    figure.savefig(path, format="png", facecolor="white")


def _draw_rung(axes: Any, series: Series, name: str, scale: float) -> None:
    points = [(place, entry.ladder.rung(name)) for place, entry in enumerate(series.entries)]
    shown = [(place, rung) for place, rung in points if rung is not None and rung.error is not None]
    if not shown:
        return
    x = [place for place, _ in shown]
    y = [scale * (rung.error or 0.0) for _, rung in shown]
    low = [v - scale * (v / scale if rung.low is None else rung.low) for v, (_, rung) in zip(y, shown, strict=True)]
    high = [scale * (v / scale if rung.high is None else rung.high) - v for v, (_, rung) in zip(y, shown, strict=True)]
    style = "--" if name == "human" else "-o"
    axes.errorbar(
        x, y, yerr=[[max(v, 0.0) for v in low], [max(v, 0.0) for v in high]], fmt=style, color=_COLOURS[name],
        label=TITLES[name], capsize=3, markersize=5, linewidth=1.4, elinewidth=0.9,
    )  # fmt: skip


def _draw_marks(axes: Any, series: Series) -> None:
    """A line where a gap surely changed, with its name and the way it went."""
    told: dict[int, list[str]] = {}
    for change in series.changes:
        if change.since is not None:
            told.setdefault(change.since, []).append(f"{TITLES[change.gap]} {'▼' if change.value < 0 else '▲'}")
    top = axes.get_ylim()[1]
    for place, words in told.items():
        axes.axvline(place - 0.5, color=_PALE, linestyle=":", linewidth=1.2)
        axes.annotate("\n".join(words), (place - 0.45, top), va="top", ha="left", fontsize=8, color=_INK)
