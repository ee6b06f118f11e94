"""The deal: every example gets its split once, and keeps it. N examples, U units.

The first time the units lie in the order of ``hash(seed, unit)`` and are cut; from then on the stored deal is the
authority: a unit in it never moves, and new units enter by the same hash. Two ways to call it::

    deal = deal_splits(project, rows)                        # the first time
    deal = deal_splits(project, rows, stored=deal.stored)    # ever after
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from mlproj.data.draw import deal_first, enter_new
from mlproj.data.store import StoredDeal, check_settings, find_units, sort_units
from mlproj.data.timecut import no_early_group, split_by_time
from mlproj.data.units import DEV, NAMES, NONE, TRAIN, TRAIN_DEV, Codes, Mask, Rows, check_rows
from mlproj.data.words import Place, row_place
from mlproj.errors import InvalidInput
from mlproj.records.predictions import SEEN_SPLITS, SPLITS, Texts
from mlproj.spec.project import Project


@dataclass(frozen=True)
class Deal:
    """Who lies in which split.

    Attributes:
        split: train, train_dev, dev or test for each example (N,); "" where it is left out (no label, or its group
            belongs to a later split).
        ids: Ids of the examples (N,).
        units: What was dealt as a whole (N,).
        sources: Examples by path, for each split that holds any.
        distributions_differ: Whether training and target distribution differ (by `data.extra` or `data.time`).
        notes: What a user should know about it.
        stored: What to keep.
        cuts: With `data.time`: the day from which each later split begins.
        base: Digest of the stored deal that it continues or replaces; "" where there was none.
        first_notes: How many of the notes, from the first on, are of a first deal alone and not said of it again; None
            for a deal that goes on with a stored one, or that the next time would find something new in.
    """

    split: Texts
    ids: Texts
    units: Texts
    sources: dict[str, dict[str, int]]
    distributions_differ: bool
    notes: tuple[str, ...]
    stored: StoredDeal = field(repr=False)
    cuts: Mapping[str, str] = field(default_factory=dict)
    base: str = ""
    first_notes: int | None = None

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Examples per split that holds any, in ladder order."""
        return {name: n for name in SPLITS if (n := int((self.split == name).sum()))}

    @cached_property
    def seen(self) -> Mask:
        """Mask (N,) of the rows that training and diagnosis may see: dealt, and not in the test set."""
        return np.isin(self.split, SEEN_SPLITS)

    @property
    def redraws(self) -> int:
        """How often the splits were dealt anew."""
        return self.stored.redraws

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the stored deal."""
        return self.stored.digest


def deal_splits(
    project: Project,
    rows: Rows,
    *,
    stored: StoredDeal | None = None,
    redraws: int = 0,
    id_columns: Sequence[str] = (),
    place: Place = row_place,
) -> Deal:
    """Deals the examples into train, train_dev, dev and test, or puts them where the stored deal has them.

    Args:
        project: Its `splits` say the sizes.
        rows: What is to be dealt.
        stored: The deal so far; None deals for the first time.
        redraws: How often the splits were dealt anew before; each time is another deal.
        id_columns: Columns whose content made the ids.
        place: Names the row at a position, for messages.

    Raises:
        InvalidInput: When no target row has a label, sizes exceed what is there, `splits` changed since the stored
            deal, or a split is empty.
    """
    check_rows(project, rows, place)
    if stored is None:
        codes, rules = deal_first(project, rows, redraws)
        notes: list[str] = []
    else:
        check_settings(project, stored)
        rules = stored
        codes, notes = enter_new(rows, stored)
    split, left_out = _place_rows(project, rows, codes, rules.cuts)
    sizes: dict[str, int] = {name: int((split == code).sum()) for code, name in enumerate(SPLITS)}
    _require_examples(project, rows, sizes, rules, is_first=stored is None)
    if stored is None:
        notes = _note_sizes(project, np.where(rows.given == NONE, split, NONE), rules)
        rules = replace(rules, sizes=sizes, id_columns=tuple(id_columns))
    return Deal(
        split=NAMES[split],
        ids=rows.ids,
        units=rows.units,
        sources=_count_sources(rows, split),
        distributions_differ=rows.distributions_differ,
        notes=(*notes, *left_out, *_note_redraws(rules)),
        stored=_remember(rules, rows, codes),
        cuts={name: rows.time.text(cut) for name, cut in rules.cuts.items()} if rows.time else {},
        first_notes=len(notes) if stored is None and (codes[rows.n_rows > 0] != NONE).all() else None,
    )


def _place_rows(project: Project, rows: Rows, codes: Codes, cuts: Mapping[str, float]) -> tuple[Codes, list[str]]:
    """The split of each row (N,), and what had to be left out so that no group and no later day leaks into train."""
    dealt = rows.alive & (rows.given == NONE)
    split = np.where(dealt, codes[rows.unit], np.where(rows.alive, rows.given, NONE)).astype(np.int8)
    notes = []
    if rows.time is not None:
        by_time = split_by_time(rows.times, cuts)
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


def _leave_out(split: Codes, rows: Mask, text: str) -> list[str]:
    n = int(rows.sum())
    split[rows] = NONE
    if not n:
        return []
    words = {"are": "is", "they": "it", "their": "its"} if n == 1 else {"are": "are", "they": "they", "their": "their"}
    return [f"{n:,} {'row' if n == 1 else 'rows'} {text.format(**words)}."]


def _count_sources(rows: Rows, split: Codes) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    if rows.source is None:
        return counts
    for code, name in enumerate(SPLITS):
        for part, n in enumerate(np.bincount(rows.source[split == code], minlength=len(rows.paths)).tolist()):
            if n:
                by_path = counts.setdefault(name, {})
                by_path[rows.paths[part]] = by_path.get(rows.paths[part], 0) + n
    return counts


def _remember(rules: StoredDeal, rows: Rows, codes: Codes) -> StoredDeal:
    """The stored deal with the new units in it; the same object when nothing is new."""
    present = np.flatnonzero((codes != NONE) & (rows.n_rows > 0))
    names, split = rows.names[present], NAMES[codes[present]]
    at = find_units(rules, names)
    known = at >= 0
    changed = rules.split.astype(NAMES.dtype)
    changed[at[known]] = split[known]
    if known.all() and (changed == rules.split).all():
        return rules
    units = np.concatenate([rules.units, names[~known]])
    order = sort_units(units)
    return replace(rules, units=units[order], split=np.concatenate([changed, split[~known]])[order])


def _note_redraws(rules: StoredDeal) -> list[str]:
    if not rules.redraws:
        return []
    times = "once" if rules.redraws == 1 else f"{rules.redraws} times"
    return [f"The splits were dealt anew {times}: figures on dev and test from before do not compare with those since."]


def _require_examples(
    project: Project, rows: Rows, sizes: Mapping[str, int], rules: StoredDeal, *, is_first: bool
) -> None:
    """No split that was dealt may be empty."""
    if is_first:
        text, hint = "would hold no examples", _why_coarse(project, is_cut=bool(rules.cuts))
    else:
        text = "holds no examples any more: none of those stored for it is in the data"
        hint = "Restore the rows, or deal anew with `mlproj split --redraw` (dev and test then change)."
    problems = [
        project.problem("data.source" if name == "train" else f"splits.{name}", f"{name} {text}", hint)
        for name, n in {"train": 1, **rules.sizes}.items()
        if n and not sizes[name]
    ]
    early = rows.alive & rows.is_target & (rows.given == NONE) & (split_by_time(rows.times, rules.cuts) == TRAIN)
    if not sizes["train"] and project.data.group is not None and rules.cuts and early.any():
        problems[0] = no_early_group(project, int(early.sum()), "dev and test", "train")
    if problems:
        raise InvalidInput(problems)


def _why_coarse(project: Project, *, is_cut: bool) -> str:
    if is_cut:
        return "Choose another date or size; rows of one moment stay together."
    if project.data.group is not None:
        return f"Groups of {project.data.group} stay together and are too large for it: ask for another size, or for 0."
    return "Equal rows stay together: name an id column (`data.id`), then they are dealt one by one; or ask for 0."


def _note_sizes(project: Project, dealt: Codes, rules: StoredDeal) -> list[str]:
    """Where a size could not be met exactly, and why; `rules.sizes` are the sizes asked for."""
    notes = []
    for name, want in rules.sizes.items():
        if name in rules.cuts and isinstance(getattr(project.splits, name), str):
            continue  # a date was asked for, not a size
        held = int((dealt == SPLITS.index(name)).sum())
        if held != want:
            whole = "groups" if project.data.group is not None else "equal rows (unless `data.id` names them)"
            together = f"rows with the same {project.data.time}" if name in rules.cuts else whole
            notes.append(f"{name} holds {held:,} examples instead of {want:,}: {together} stay together.")
    return notes
