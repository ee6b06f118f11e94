"""The deal: every example gets its split once, and keeps it. N examples, U units.

The first time the units lie in the order of ``hash(seed, unit)`` and are cut; from then on the stored deal is the
authority: a unit in it never moves, and new units enter by the same hash. Two ways to call it::

    deal = deal_splits(project, ids, units, strata, is_target, stored=None)          # the first time
    deal = deal_splits(project, ids, units, strata, is_target, stored=deal.stored)   # ever after
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mlproj.data.dates import Timeline
from mlproj.data.draw import FirstDeal, enter_new
from mlproj.data.ids import Place
from mlproj.data.settings import check_settings
from mlproj.data.store import StoredDeal, find_units, sort_units
from mlproj.data.timecut import split_by_time
from mlproj.data.units import DEV, NAMES, NONE, TRAIN, TRAIN_DEV, Codes, Rows, given_to_units, table_of
from mlproj.errors import InvalidInput
from mlproj.records.predictions import SPLITS, Texts
from mlproj.spec.project import Project


@dataclass(frozen=True)
class Deal:
    """Who lies in which split.

    Attributes:
        split: train, train_dev, dev or test for each example (N,); "" where it is left out (no label, or its group
            belongs to a later split).
        ids: Ids of the examples (N,).
        units: What was dealt as a whole (N,).
        sizes: Examples per split that holds any, in ladder order.
        sources: Examples by path, for each of those splits.
        distributions_differ: Whether training and target distribution differ (by `data.extra` or `data.time`).
        notes: What a user should know about it.
        redraws: How often the splits were dealt anew.
        digest: SHA-256 of the stored deal.
        stored: What to keep.
        cuts: With `data.time`: the day from which each later split begins.
    """

    split: Texts
    ids: Texts
    units: Texts
    sizes: dict[str, int]
    sources: dict[str, dict[str, int]]
    distributions_differ: bool
    notes: tuple[str, ...]
    redraws: int
    digest: str
    stored: StoredDeal = field(repr=False)
    cuts: Mapping[str, str] = field(default_factory=dict)


def deal_splits(
    project: Project,
    ids: Texts,
    units: Texts,
    strata: NDArray[np.int64],
    is_target: NDArray[np.bool_],
    *,
    time: Timeline | None = None,
    predefined: Texts | None = None,
    stored: StoredDeal | None = None,
    redraws: int = 0,
    id_columns: Sequence[str] = (),
    source: NDArray[np.int64] | None = None,
    paths: Sequence[str] = (),
    place: Place | None = None,
) -> Deal:
    """Deals the examples into train, train_dev, dev and test, or puts them where the stored deal has them.

    Args:
        project: Its `splits` say the sizes.
        ids: Ids of the examples (N,).
        units: What is dealt as a whole (N,): group, else id.
        strata: Stratum of each example (N,), −1 where it has no label.
        is_target: Examples of the target distribution (N,); only those can be dev or test.
        time: When they happened, with `data.time`.
        predefined: Split that a column or a file puts each in (N,), "" where it is dealt.
        stored: The deal so far; None deals for the first time.
        redraws: How often the splits were dealt anew before; each time is another deal.
        id_columns: Columns whose content made the ids.
        source: Position in `paths` of each example (N,).
        paths: Where the examples come from.
        place: Names the row at a position, for messages.

    Returns:
        The deal, with what to store.

    Raises:
        InvalidInput: When sizes exceed what is there, `splits` changed since the stored deal, or a split is empty.
    """
    rows = table_of(units, strata, is_target, predefined)
    _require_labels(project, rows)
    given = given_to_units(project, rows, place or (lambda row: f"row {row + 1}"))
    split, kept, notes = _split_rows(project, rows, given, time, stored or _Fresh(redraws, tuple(id_columns)))
    return _assemble(ids, units, split, kept, notes, rows, time, _count_sources(split, source, paths))


@dataclass(frozen=True)
class _Fresh:
    """What a first deal starts from, in place of a stored one."""

    redraws: int
    id_columns: tuple[str, ...]


def _split_rows(
    project: Project, rows: Rows, given: Codes, time: Timeline | None, before: StoredDeal | _Fresh
) -> tuple[Codes, StoredDeal, list[str]]:
    """The split of each row (N,), the deal to store, and notes."""
    if isinstance(before, StoredDeal):
        check_settings(project, before)
        codes, notes = enter_new(rows, given, time, before)
        kept = before
    else:
        codes, kept = FirstDeal(project, rows, given, time, before.redraws).run()
    split, left_out = _place_rows(project, rows, codes, time, kept.cuts)
    sizes: dict[str, int] = {name: int((split == code).sum()) for code, name in enumerate(SPLITS)}
    _require_examples(project, sizes, kept, is_first=kept is not before)
    if isinstance(before, _Fresh):
        notes = _note_sizes(project, np.where(rows.given == NONE, split, NONE), kept)
        kept = replace(kept, sizes=sizes, id_columns=before.id_columns)
    return split, _remember(kept, rows, codes), [*notes, *left_out]


def _assemble(
    ids: Texts,
    units: Texts,
    split: Codes,
    kept: StoredDeal,
    notes: Sequence[str],
    rows: Rows,
    time: Timeline | None,
    sources: dict[str, dict[str, int]],
) -> Deal:
    counts = {str(name): int((split == code).sum()) for code, name in enumerate(SPLITS)}
    return Deal(
        split=NAMES[split],
        ids=ids,
        units=units,
        sizes={name: n for name, n in counts.items() if n},
        sources=sources,
        distributions_differ=time is not None or bool((rows.alive & ~rows.is_target).any()),
        notes=(*notes, *_note_redraws(kept)),
        redraws=kept.redraws,
        digest=kept.digest,
        stored=kept,
        cuts={name: time.text(cut) for name, cut in kept.cuts.items()} if time else {},
    )


def _place_rows(
    project: Project, rows: Rows, codes: Codes, time: Timeline | None, cuts: Mapping[str, float]
) -> tuple[Codes, list[str]]:
    """The split of each row (N,), and what had to be left out so that no group and no later day leaks into train."""
    split = np.where(rows.alive, codes[rows.unit], NONE).astype(np.int8)
    dealt = rows.alive & (rows.given == NONE)
    split[~dealt & rows.alive] = rows.given[~dealt & rows.alive]
    notes = []
    if time is not None:
        by_time = split_by_time(time.times, cuts)
        late = dealt & ~rows.is_target & (by_time != TRAIN)
        notes += _leave_out(split, late, "of `data.extra` {are} left out: {they} {are} as late as dev or test")
        if project.data.group is not None:
            other = np.where(split == TRAIN_DEV, TRAIN, split) != by_time
            torn = dealt & rows.is_target & other & (split != NONE)
            what = f"earlier or later than the split that {{their}} {project.data.group} belongs to"
            notes += _leave_out(split, torn, f"{{are}} left out: {{they}} {{are}} {what}")
    shared = dealt & ~rows.is_target & (split >= DEV)
    reason = "have a group" if project.data.group else "equal a row" if project.data.id is None else "share an id"
    notes += _leave_out(split, shared, f"of `data.extra` {{are}} left out of train: {{they}} {reason} in dev or test")
    return split, notes


def _leave_out(split: Codes, rows: NDArray[np.bool_], text: str) -> list[str]:
    n = int(rows.sum())
    split[rows] = NONE
    if not n:
        return []
    words = {"are": "is", "they": "it", "their": "its"} if n == 1 else {"are": "are", "they": "they", "their": "their"}
    return [f"{n:,} {'row' if n == 1 else 'rows'} {text.format(**words)}."]


def _count_sources(split: Codes, source: NDArray[np.int64] | None, paths: Sequence[str]) -> dict[str, dict[str, int]]:
    if source is None:
        return {}
    counts: dict[str, dict[str, int]] = {}
    for code, name in enumerate(SPLITS):
        for part, n in enumerate(np.bincount(source[split == code], minlength=len(paths)).tolist()):
            if n:
                by_path = counts.setdefault(name, {})
                by_path[paths[part]] = by_path.get(paths[part], 0) + n
    return counts


def _remember(kept: StoredDeal, rows: Rows, codes: Codes) -> StoredDeal:
    """The stored deal with the new units in it; the same object when nothing is new."""
    present = np.flatnonzero((codes != NONE) & (rows.n_rows > 0))
    names, split = rows.names[present], NAMES[codes[present]]
    at = find_units(kept, names)
    known = at >= 0
    changed = kept.split.astype(NAMES.dtype)
    changed[at[known]] = split[known]
    if known.all() and (changed == kept.split).all():
        return kept
    units = np.concatenate([kept.units, names[~known]])
    order = sort_units(units)
    return replace(kept, units=units[order], split=np.concatenate([changed, split[~known]])[order])


def _note_redraws(kept: StoredDeal) -> list[str]:
    if not kept.redraws:
        return []
    times = "once" if kept.redraws == 1 else f"{kept.redraws} times"
    return [f"The splits were dealt anew {times}: figures on dev and test from before do not compare with those since."]


def _require_labels(project: Project, rows: Rows) -> None:
    if not (rows.alive & rows.is_target).any():
        hint = "Check `data.label` and `where`: dev and test come from `data.source` alone."
        raise InvalidInput([project.problem("data.source", "none of its rows has a label", hint)])


def _require_examples(project: Project, sizes: Mapping[str, int], kept: StoredDeal, *, is_first: bool) -> None:
    """No split that was dealt may be empty."""
    if is_first:
        text, hint = "would hold no examples", _why_coarse(project, is_cut=bool(kept.cuts))
    else:
        text = "holds no examples any more: none of those stored for it is in the data"
        hint = "Restore the rows, or deal anew with `mlproj split --redraw` (dev and test then change)."
    wanted = {"train": 1, **kept.sizes}
    problems = [
        project.problem("data.source" if name == "train" else f"splits.{name}", f"{name} {text}", hint)
        for name, n in wanted.items()
        if n and not sizes[name]
    ]
    if problems:
        raise InvalidInput(problems)


def _why_coarse(project: Project, *, is_cut: bool) -> str:
    if is_cut:
        return "Choose another date or size; rows of one moment stay together."
    if project.data.group is not None:
        return f"Groups of {project.data.group} stay together and are too large for it: ask for another size, or for 0."
    return "Equal rows stay together: name an id column (`data.id`), then they are dealt one by one; or ask for 0."


def _note_sizes(project: Project, dealt: Codes, kept: StoredDeal) -> list[str]:
    """Where a size could not be met exactly, and why; `kept.sizes` are the sizes asked for."""
    notes = []
    for name, want in kept.sizes.items():
        if name in kept.cuts and isinstance(getattr(project.splits, name), str):
            continue  # a date was asked for, not a size
        held = int((dealt == SPLITS.index(name)).sum())
        if held != want:
            whole = "groups" if project.data.group is not None else "equal rows (unless `data.id` names them)"
            together = f"rows with the same {project.data.time}" if name in kept.cuts else whole
            notes.append(f"{name} holds {held:,} examples instead of {want:,}: {together} stay together.")
    return notes
