"""A learning curve as a few lines of text: sizes across on a logarithmic scale, errors upwards."""

from math import log

from mlproj.diagnose.words import Numbers
from mlproj.records import LearningCurve

_WIDTH, _HEIGHT = 56, 11
_KEY = {"D": "dev", "t": "train", "?": "dev foretold, | its 95 % interval", "-": "target", "=": "human level"}


def plot_text(curve: LearningCurve, numbers: Numbers) -> str:
    """Draws the curve in letters.

    Args:
        curve: The curve.
        numbers: How numbers are written.
    """
    far = curve.extrapolation.reaches if curve.extrapolation else ()
    levels = [band.error for anchor in curve.anchors for band in anchor.bands.values()]
    levels += [reach.high for reach in far]
    top = max([*levels, *(level for level in (curve.target, curve.human) if level is not None)]) * 1.05 or 1.0
    first, last = curve.anchors[0].n, far[-1].n if far else curve.n_train
    grid = [[" "] * _WIDTH for _ in range(_HEIGHT)]

    def column(n: float) -> int:
        return 0 if last == first else round((_WIDTH - 1) * log(n / first) / log(last / first))

    def row(error: float) -> int:
        return _HEIGHT - 1 - min(_HEIGHT - 1, max(0, round((_HEIGHT - 1) * error / top)))

    for level, mark in ((curve.human, "="), (curve.target, "-")):
        if level is not None:
            grid[row(level)] = [mark] * _WIDTH
    for reach in far:
        for at in range(row(reach.high), row(reach.low) + 1):
            grid[at][column(reach.n)] = "|"
        grid[row(reach.error)][column(reach.n)] = "?"
    for anchor in curve.anchors:
        for split, mark in (("train", "t"), ("dev", "D")):
            if split in anchor.bands:
                grid[row(anchor.bands[split].error)][column(anchor.n)] = mark
    ticks = [numbers.bare(top), *[""] * (_HEIGHT - 2), numbers.bare(0.0)]
    ticks[_HEIGHT // 2] = numbers.bare(top / 2)
    side = max(map(len, ticks))
    lines = [f"{tick:>{side}} |{''.join(cells).rstrip()}" for tick, cells in zip(ticks, grid, strict=True)]
    lines.append(" " * side + " +" + "-" * _WIDTH)
    lines.append(" " * (side + 2) + _axis([anchor.n for anchor in curve.anchors] + [r.n for r in far], column))
    used = {mark for cells in grid for mark in cells}
    lines.append(" " * (side + 2) + "   ".join(f"{mark} {words}" for mark, words in _KEY.items() if mark in used))
    return "\n".join(lines)


def _axis(sizes: list[int], column: object) -> str:
    """Sizes under their columns, those that fit."""
    assert callable(column)
    text, end = "", -2
    for n in sizes:
        label = f"{n:,}"
        start = min(column(n), _WIDTH - 1)
        if start >= end + 2:
            text = text.ljust(start) + label
            end = len(text)
    return text
