"""How large a stack may be."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlproj.fleet.cost import Layout

MOST = 64
"""Members: beyond that nothing is gained, and results come late."""
MOST_BYTES = 2**29
"""What the members hold all the time: room for other things is left on any machine."""
MOST_VALUES = 2**21
"""Values of a batch in the widest layer of all members: 8 MB, which stay in the cache. Beyond that each value costs
more than it does alone (1.7 times at 39 MB), and an update takes so long that starting it costs nothing."""
_HELD = 6
"""Numbers per weight: weight, gradient, two moments, the initial weight and the best so far."""


def has_room(layout: "Layout", members: int) -> bool:
    """Whether so many members fit into one stack; a look at them holds no more than a look at one.

    Args:
        layout: The shape of the stack, that of its widest member.
        members: Members M.
    """
    held = 4 * (_HELD * layout.weights + layout.own_rows * layout.widths[0])
    values = layout.batch * max(layout.widths[1:])
    return members <= MOST and members * held <= MOST_BYTES and members * values <= MOST_VALUES


def widest(layouts: Sequence["Layout"], weights: Sequence[int] | None = None) -> "Layout":
    """The layout of a stack: layer by layer as wide as its widest member.

    Args:
        layouts: Layouts of its members, or of parts of it.
        weights: Members of each part; 1 when left out.
    """
    weights = weights or (1,) * len(layouts)
    dropout = sum(n * layout.dropout for n, layout in zip(weights, layouts, strict=True)) / sum(weights)
    first = layouts[0]
    if all(layout.widths == first.widths for layout in layouts):
        return first._replace(dropout=dropout)
    return first._replace(widths=tuple(map(max, *(layout.widths for layout in layouts))), dropout=dropout)


def cut_to_room(layouts: Sequence["Layout | None"]) -> list[range]:
    """Members in their order, cut where a stack would have no room for another.

    Args:
        layouts: The layout of each member; None where it is not known what it takes.

    Example:
        >>> from mlproj.fleet.cost import Layout
        >>> small = Layout((64, 64, 10), batch=64, updates=1, epochs=1, seen=1)
        >>> cut_to_room([small] * 100)
        [range(0, 64), range(64, 100)]
        >>> cut_to_room([small._replace(widths=(64, 10_000, 10))] * 5)
        [range(0, 3), range(3, 5)]
    """
    cuts: list[range] = []
    start, stacked = 0, None
    for at, own in enumerate(layouts):
        both = own if stacked is None else stacked if own is None else widest((stacked, own), (at - start, 1))
        n = at + 1 - start
        if n > 1 and (n > MOST or (both is not None and not has_room(both, n))):
            cuts.append(range(start, at))
            start, both = at, own
        stacked = both
    return [*cuts, range(start, len(layouts))] if layouts else []
