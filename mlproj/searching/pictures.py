"""A search as pictures and as a table: what was tried, what came of it, and what mattered.

`draw_search` writes `parameters.png` (each hyperparameter against the metric, on its own scale), `parallel.png` (trials
as lines across all of them), `importance.png`, `best_so_far.png` and `trials.csv`.
"""

import csv
import json
import textwrap
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from mlproj.metrics import is_feasible
from mlproj.metrics.limits import Limits
from mlproj.searching.panels import (
    INK,
    NAMED,
    PALE,
    QUIET,
    Points,
    dress,
    gather_points,
    marks,
    place,
    tint,
    wrap_path,
)
from mlproj.searching.scales import position
from mlproj.searching.trials import Trial
from mlproj.spec.search import Space

_DPI = 120
_MARKERS = "os^DvP"
_SIZE = 22.0
_LEFT, _RIGHT, _BETWEEN = 0.75, 0.2, 0.14
"""Inches left and right of the panels, and between them in their own widths."""


def prepare_to_draw() -> None:
    """Begins to import matplotlib in the background: a search is idle while its workers start, not at its end."""

    def import_all() -> None:
        with suppress(Exception):  # whoever draws says what is wrong
            import_module("matplotlib.figure")
            import_module("matplotlib.backends.backend_agg")

    Thread(target=import_all, daemon=True).start()


def draw_search(
    folder: Path,
    trials: Sequence[Trial],
    space: Space,
    *,
    optimize: str,
    satisfy: Limits,
    importance: Mapping[str, float] | None = None,
    mattered: Collection[str] = (),
) -> tuple[Path, ...]:
    """Writes all pictures of a search, and its trials as a table.

    Args:
        folder: Where to write; it is made when missing.
        trials: Its trials, in any order and state; those of one Optuna study are one round.
        space: What was searched, as declared.
        optimize: The metric to optimise.
        satisfy: Limits by metric.
        importance: How much each hyperparameter mattered, where that is known.
        mattered: Those of which it is beyond chance.

    Returns:
        The files written; importance.png is left out where nothing is known of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    points = gather_points(trials, optimize, satisfy)
    draw_parameters(folder / "parameters.png", points, space)
    draw_parallel(folder / "parallel.png", points, space)
    draw_best_so_far(folder / "best_so_far.png", points)
    write_trials(folder / "trials.csv", trials, space, optimize, satisfy)
    names = ["parameters.png", "parallel.png", "best_so_far.png", "trials.csv"]
    if importance:
        n = len(points.trials) + sum(trial.state == "pruned" for trial in trials)
        draw_importance(folder / "importance.png", importance, optimize, mattered=mattered, n=n)
        names.append("importance.png")
    return tuple(folder / each for each in names)


def draw_parameters(path: Path, points: Points, space: Space) -> None:
    """Draws each hyperparameter against the metric, on the scale that it was sampled on.

    Args:
        path: A .png file.
        points: The trials.
        space: What was searched, as declared.
    """
    n = len(space)
    columns = min(n, 2 if n < 5 else 3 if n < 7 else 4)
    rows = -(-n // columns)
    width = max(3.1 * columns + 0.5, 6.4)
    inches = (width - _LEFT - _RIGHT) / (columns + _BETWEEN * (columns - 1))
    figure = _figure(width, 2.6 * rows + 0.9)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for k, (key, dimension) in enumerate(space.items()):
        axes = panels.flat[k]
        _scatter(axes, points, [place(dimension, t.params[key], t.number) for t in points.trials])
        _scatter_early(axes, points, [place(dimension, t.params[key], t.number) for t in points.pruned])
        bad = points.high if points.is_loss else points.low
        astray = [place(dimension, trial.params[key], trial.number) for trial in points.failed]
        axes.scatter(
            astray, [bad] * len(astray), marker="x", s=_SIZE, color=QUIET, clip_on=False, linewidth=1.2, zorder=6
        )
        dress(axes, dimension, inches)
        axes.set_xlabel(_plain(key), fontsize=9, color=INK)
        axes.tick_params(which="both", labelsize=8)
    for axes in panels.flat[n:]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel(points.title, fontsize=9, color=INK)
    failed = "; cross: failed" if points.failed else ""
    _finish(figure, path, "What each hyperparameter did", _legend(points) + failed, below=0.62)


def draw_parallel(path: Path, points: Points, space: Space) -> None:
    """Draws each trial as a line across all hyperparameters, coloured by the metric.

    Trials that were ended early stop before the metric, pale: what they had reached compares with no finished one's.

    Args:
        path: A .png file.
        points: The trials.
        space: What was searched, as declared.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import LineCollection
    from matplotlib.colors import Normalize

    figure = _figure(max(1.15 * (len(space) + 1) + 1.6, 6.4), 4.8)
    axes = figure.subplots()
    low, high = points.finished_axis
    shown = np.clip(points.values, low, high)
    colours = ScalarMappable(Normalize(low, high), "cividis" if points.is_loss else "cividis_r")
    heights = (shown - low) / (high - low)
    lines = [
        [*_across(space, trial), (len(space), height)] for trial, height in zip(points.trials, heights, strict=True)
    ]
    order = [k for k in np.argsort(heights if not points.is_loss else -heights, kind="stable") if k != points.best]
    shade = float(np.clip(12 / max(1.0, len(lines) ** 0.75), 0.15, 0.8))
    styles = ["-" if points.feasible[k] else ":" for k in order]
    early = [_across(space, trial) for trial in points.pruned]
    axes.add_collection(LineCollection(early, colors=PALE, alpha=0.6, linewidths=0.6, clip_on=False))
    axes.add_collection(
        LineCollection(
            [lines[k] for k in order],
            colors=colours.to_rgba(shown[order]),
            alpha=shade,
            linewidths=1.2,
            linestyles=styles,
            clip_on=False,
        )
    )
    if points.best is not None:
        axes.plot(*np.transpose(lines[points.best]), color=NAMED, linewidth=2.4, zorder=4, clip_on=False)
    for k, (key, dimension) in enumerate(space.items()):
        _upright(axes, k, marks(dimension))
        axes.annotate(wrap_path(key), (k, -0.05), ha="center", va="top", fontsize=8, color=INK, annotation_clip=False)
    axes.axvline(len(space), color=INK, linewidth=1)
    axes.annotate(
        points.metric, (len(space), -0.05), ha="center", va="top", fontsize=8, color=INK, annotation_clip=False
    )
    axes.set_xlim(-0.45, len(space) + 0.1)
    axes.set_ylim(0, 1)
    axes.set_axis_off()
    bar = figure.colorbar(colours, ax=axes, pad=0.02, fraction=0.05)
    bar.set_label(points.title, fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8)
    legend = f"orange: {_best(points)}"
    if points.pruned:
        legend += f"; pale, without a value: {len(points.pruned):,} that were ended early"
    if not points.feasible.all():
        legend += "; dotted: misses a limit"
    if (shown != points.values).any():
        legend += f"; at the {'upper' if points.is_loss else 'lower'} end: worse than the axis shows"
    _finish(figure, path, "Trials across all hyperparameters", legend, right=0.65)


def _across(space: Space, trial: Trial) -> list[tuple[float, float]]:
    """A trial's line from the first hyperparameter to the last."""
    return [(k, position(dimension, trial.params[key])) for k, (key, dimension) in enumerate(space.items())]


def draw_importance(
    path: Path, importance: Mapping[str, float], optimize: str, *, mattered: Collection[str], n: int
) -> None:
    """Draws how much each hyperparameter mattered; only what is beyond chance stands out.

    Args:
        path: A .png file.
        importance: Share of each by dotted path.
        optimize: The metric to optimise.
        mattered: The paths whose share is beyond chance.
        n: Trials that it is told from.
    """
    ordered = sorted(importance.items(), key=lambda item: item[1])
    figure = _figure(7.2, 0.32 * len(ordered) + 1.6)
    axes = figure.subplots()
    shares = [100 * share for _, share in ordered]
    axes.barh(
        range(len(ordered)), shares, color=[NAMED if key in mattered else PALE for key, _ in ordered], height=0.62
    )
    for k, share in enumerate(shares):
        axes.annotate(f"{share:.0f} %", (share, k), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(range(len(ordered)), [_plain(key) for key, _ in ordered], fontsize=9)
    axes.set_xlim(0, 1.12 * max(shares) or 1)
    _strip(axes)
    axes.set_xlabel(f"share of what the searched keys did to {optimize}, in %", fontsize=9, color=INK)
    title = "What mattered" if mattered else f"What mattered: cannot be told apart from chance with {n:,} trials"
    legend = "orange: beyond chance" if mattered else ""
    _finish(figure, path, title, legend, left=0.25 + 0.075 * max(len(key) for key, _ in ordered))


def draw_best_so_far(path: Path, points: Points) -> None:
    """Draws the best feasible value so far against the trial's number and the computing time.

    Args:
        path: A .png file.
        points: The trials.
    """
    figure = _figure(9.6, 4.0)
    left, right = figure.subplots(1, 2, sharey=True)
    everyone = sorted((*points.trials, *points.pruned, *points.failed), key=lambda trial: trial.number)
    spent = dict(zip([t.number for t in everyone], np.cumsum([t.seconds for t in everyone]), strict=True))
    total = max(spent.values(), default=0.0)
    unit, size = ("hours", 3600.0) if total > 7200 else ("minutes", 60.0) if total > 120 else ("seconds", 1.0)
    for axes, at, label in (
        (left, {number: float(number) for number in spent}, "trial"),
        (right, {number: total / size for number, total in spent.items()}, f"{unit} of training, all trials summed"),
    ):
        x = np.array([at[trial.number] for trial in points.trials])
        _scatter(axes, points, list(x))
        _scatter_early(axes, points, [at[trial.number] for trial in points.pruned])
        _climb(axes, points, x)
        axes.set_xlabel(label, fontsize=9, color=INK)
        axes.tick_params(which="both", labelsize=8)
    left.xaxis.get_major_locator().set_params(integer=True)
    left.set_ylabel(points.title, fontsize=9, color=INK)
    _finish(figure, path, "The best so far", _legend(points))


def write_trials(path: Path, trials: Sequence[Trial], space: Space, optimize: str, satisfy: Limits) -> None:
    """Writes all trials as a table: what they are, whether they are feasible, their values and metrics.

    Args:
        path: A .csv file.
        trials: The trials.
        space: What was searched.
        optimize: The metric to optimise, which becomes the first of the metrics.
        satisfy: Limits by metric.
    """
    named = dict.fromkeys([optimize, *satisfy, *sorted({name for trial in trials for name in trial.metrics})])
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(
            ["number", "study", "state", "feasible", *space, *named, "epochs", "seconds", "run_id", "reason"]
        )
        for trial in sorted(trials, key=lambda each: each.number):
            feasible = str(is_feasible(trial.metrics, satisfy)).lower() if trial.state == "complete" else ""
            values = [_cell(trial.params.get(key, "")) for key in space]
            metrics = [trial.metrics.get(name, "") for name in named]
            about = [trial.epochs or "", f"{trial.seconds:.3f}", trial.run_id or "", trial.reason]
            table.writerow([trial.number, trial.study, trial.state, feasible, *values, *metrics, *about])


def _cell(value: Any) -> Any:
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else json.dumps(value)


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure  # half a second, and no global state as pyplot would bring

    return Figure(figsize=(width, height), dpi=_DPI)


def _scatter(axes: Any, points: Points, x: Sequence[float]) -> None:
    """Trials by round; hollow where a limit is missed, a triangle where the axis ends, a star for the best."""
    at, y = np.asarray(x, dtype=np.float64), points.shown
    out = "^" if points.is_loss else "v"
    shade = float(np.clip(10 / max(1.0, len(at) ** 0.5), 0.35, 0.9))
    for k in range(points.n_rounds):
        colour = tint(k, points.n_rounds)
        for is_feasible_, is_beyond in ((False, False), (True, False), (False, True), (True, True)):
            rows = (points.rounds == k) & (points.feasible == is_feasible_) & (points.beyond == is_beyond)
            if rows.any():
                axes.scatter(
                    at[rows],
                    y[rows],
                    s=_SIZE,
                    marker=out if is_beyond else _MARKERS[k % 2],
                    facecolors=colour if is_feasible_ else "none",
                    edgecolors=colour,
                    linewidths=1.0,
                    alpha=shade,
                    clip_on=False,
                    zorder=3 if is_feasible_ else 2,
                )
    if points.best is not None:
        axes.scatter([at[points.best]], [y[points.best]], marker="*", s=190, color=NAMED, edgecolors="white", zorder=5)
    axes.set_ylim(points.low, points.high)
    _strip(axes)
    axes.grid(color="#ecf0f1", zorder=0)
    axes.set_axisbelow(True)


def _scatter_early(axes: Any, points: Points, x: Sequence[float]) -> None:
    """Trials that were ended early, as small pale dots: what they had reached compares with no finished one's value."""
    y = np.clip(points.early, points.low, points.high)
    axes.scatter(x, y, marker=".", s=_SIZE, color=PALE, clip_on=False, linewidth=0, zorder=1)


def _strip(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _climb(axes: Any, points: Points, x: Any) -> None:
    """The best feasible value so far, as steps."""
    rows, best = points.climb
    if len(rows):
        steps = np.clip(np.append(best, best[-1]), points.low, points.high)
        axes.step(np.append(x[rows], x[-1]), steps, where="post", color=INK, linewidth=1.6, zorder=4)


def _upright(axes: Any, x: float, ticks: Sequence[tuple[float, str]]) -> None:
    axes.axvline(x, color=QUIET, linewidth=0.8, zorder=1)
    for y, text in ticks:
        axes.annotate(
            text,
            (x, y),
            xytext=(-3, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=7,
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.6},
            zorder=6,
        )


def _legend(points: Points) -> str:
    """What the marks mean, in words; only those that occur."""
    parts = [f"star: {_best(points)}"]
    if points.pruned:
        parts.append("pale dots: ended early, with what they had reached")
    if points.n_rounds > 1:
        parts.append(f"rounds from light to dark (1 to {points.n_rounds})")
    if not points.feasible.all():
        parts.append("hollow: misses a limit")
    if points.beyond.any():
        parts.append("triangle: worse than the axis shows")
    return "; ".join(parts)


def _best(points: Points) -> str:
    if points.best is None:
        return "nothing, as no trial finished"
    return "the best" if points.feasible[points.best] else "comes nearest to the limits, which no trial meets"


def _finish(
    figure: Any, path: Path, title: str, legend: str, *, left: float = _LEFT, right: float = _RIGHT, below: float = 0.5
) -> None:
    """Writes title and legend around the panels, and the file.

    Margins are set by what has to fit into them: matplotlib's own layout draws all texts twice to measure them, which
    takes longer than the picture.

    Args:
        figure: The figure.
        path: Where to write.
        title: What stands above.
        legend: What stands below.
        left: Inches for what stands left of the panels.
        right: Inches for what stands right of them.
        below: Inches for what stands directly below them.
    """
    width, height = figure.get_size_inches()
    words = textwrap.fill(legend, int(14 * width)) if legend else ""
    bottom = below + 0.06 + 0.14 * (words.count("\n") + 1 if words else 0)
    figure.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        top=1 - 0.42 / height,
        bottom=bottom / height,
        wspace=_BETWEEN,
        hspace=0.42,
    )
    figure.text(0.08 / width, 1 - 0.1 / height, title, ha="left", va="top", fontsize=11, color=INK)
    if words:
        figure.text(0.08 / width, 0.06 / height, words, ha="left", va="bottom", fontsize=8, color=QUIET)
    # Packing it tighter takes a fifth of the time that a picture takes, for a third of the size.
    figure.savefig(path, format="png", facecolor="white", pil_kwargs={"compress_level": 1})


def _plain(text: str) -> str:
    """Text in which matplotlib finds no formula."""
    return text.replace("$", r"\$")
