"""Who goes where: the first draw of all units, and the way in for units that come later. N examples, U units."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mlproj.data.cut import draw, hash_units, uniform
from mlproj.data.dates import Timeline
from mlproj.data.settings import requested_of
from mlproj.data.sizes import HeldOut, plan_held_out, plan_train_dev
from mlproj.data.store import StoredDeal, find_units
from mlproj.data.timecut import choose_cuts, split_by_time, units_by_time
from mlproj.data.units import DEV, NONE, TEST, TRAIN, TRAIN_DEV, Codes, Rows
from mlproj.records.predictions import SPLITS
from mlproj.spec.project import Project

_NO_UNITS = np.empty(0, dtype="<U1")


@dataclass(frozen=True)
class FirstDeal:
    """The first deal of a project's units.

    Attributes:
        project: Its `splits` say the sizes.
        rows: The rows and their units.
        given: Splits that a column or a file gives to units (U,), −1 where it gives none.
        time: When the rows happened, with `data.time`.
        redraws: How often the splits were dealt anew before.
    """

    project: Project
    rows: Rows
    given: Codes
    time: Timeline | None
    redraws: int

    def run(self) -> tuple[Codes, StoredDeal]:
        """Deals.

        Returns:
            The split of each unit (U,), −1 where it is left out, and the rules for units to come, without the units;
            its `sizes` are those asked for.
        """
        held_out = self._plan_held_out()
        cuts: dict[str, float] = {}
        wanted = {"test": held_out.test, "dev": held_out.dev}
        if self.time is None:
            codes = self._draw_held_out(wanted)
        else:
            cuts = choose_cuts(self.project, self.rows, self.time, self.free, held_out)
            codes = np.where(self.free, units_by_time(self.rows, self.time, cuts), self.given)
            wanted = {name: wanted[name] or 1 for name in cuts}
        n_free = int(self.rows.n_target[self.free].sum())
        held = {name: self._held(codes, SPLITS.index(name), self.rows.n_target) for name in ("dev", "test")}
        shares = {name: n / n_free if n_free else 0.0 for name, n in held.items()}
        wanted["train_dev"], shares["train_dev"] = self._draw_train_dev(codes, cuts)
        stored = StoredDeal(
            _NO_UNITS,
            _NO_UNITS,
            seed=self.project.seed,
            redraws=self.redraws,
            requested=requested_of(self.project),
            sizes=wanted,
            shares=shares,
            cuts=cuts,
            dealt=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        )
        return codes, stored

    @cached_property
    def free(self) -> NDArray[np.bool_]:
        """Units (U,) that are to be dealt."""
        return (self.given == NONE) & (self.rows.n_rows > 0)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Rows that a column or a file puts into each split."""
        return {name: int((self.rows.alive & (self.rows.given == code)).sum()) for code, name in enumerate(SPLITS)}

    def _plan_held_out(self) -> HeldOut:
        rows = self.rows
        return plan_held_out(
            self.project,
            n_target=int(rows.n_target.sum()),
            n_free=int(rows.n_target[self.free].sum()),
            given=self.counts,
            has_training=self.counts["train"] > 0 or bool((rows.alive & ~rows.is_target).any()),
        )

    def _draw_held_out(self, wanted: Mapping[str, int]) -> Codes:
        """Draws test, then dev, from the target units; the other free units become train."""
        rows, codes = self.rows, self.given.copy()
        pool = np.flatnonzero(self.free & (rows.n_target > 0))
        order = hash_units(salt_of(self.project.seed, self.redraws, "held out"), rows.names[pool].tolist())
        strata = rows.usual_stratum(rows.is_target)[pool]
        for code, name in ((TEST, "test"), (DEV, "dev")):
            left = np.flatnonzero(codes[pool] == NONE)
            drawn = draw(order[left], strata[left], rows.n_target[pool[left]], wanted[name])
            codes[pool[left[drawn]]] = code
        codes[self.free & (codes == NONE)] = TRAIN
        return codes

    def _draw_train_dev(self, codes: Codes, cuts: Mapping[str, float]) -> tuple[int, float]:
        """Draws train-dev from the training distribution; the size asked for and the share that it came to."""
        rows = self.rows
        early = self._early(cuts)
        n_rows = rows.count(early)
        pool = np.flatnonzero(self.free & (codes == TRAIN) & (n_rows > 0))
        n_free = int(n_rows[pool].sum())
        want = plan_train_dev(
            self.project,
            n_training=n_free + self.counts["train"] + self.counts["train_dev"],
            n_free=n_free,
            given=self.counts["train_dev"],
            n_dev=int(rows.n_target[codes == DEV].sum()),
            differ=self.time is not None or bool((rows.alive & ~rows.is_target).any()),
        )
        if not want:
            return 0, 0.0
        order = hash_units(salt_of(self.project.seed, self.redraws, "train_dev"), rows.names[pool].tolist())
        kind = rows.usual_stratum(early)[pool] * 2 + (rows.n_target[pool] > 0)  # extra and target keep their shares too
        drawn = draw(order, kind, n_rows[pool], want)
        codes[pool[drawn]] = TRAIN_DEV
        return want, int(n_rows[pool[drawn]].sum()) / n_free

    def _early(self, cuts: Mapping[str, float]) -> NDArray[np.bool_]:
        """Rows (N,) from before the cuts."""
        if self.time is None:
            return np.ones(len(self.rows.unit), dtype=np.bool_)
        return split_by_time(self.time.times, cuts) == TRAIN

    def _held(self, codes: Codes, code: int, sizes: NDArray[np.int64]) -> int:
        return int(sizes[self.free & (codes == code)].sum())


def enter_new(rows: Rows, given: Codes, time: Timeline | None, stored: StoredDeal) -> tuple[Codes, list[str]]:
    """Puts stored units where they were and lets new ones in, by hash with the shares of the first deal.

    Args:
        rows: The rows and their units.
        given: Splits that a column or a file gives to units (U,); they win over the stored ones.
        time: When the rows happened, with `data.time`: new units follow the stored cut-offs.
        stored: The deal so far.

    Returns:
        The split of each unit (U,), −1 where it is left out, and notes.
    """
    at = find_units(stored, rows.names)
    by_name = {name: code for code, name in enumerate(SPLITS)}
    known = np.array([by_name[name] for name in stored.split.tolist()] + [NONE], dtype=np.int8)[at]
    codes = np.where(given != NONE, given, known)
    new = np.flatnonzero((codes == NONE) & (rows.n_rows > 0))
    if len(new):
        codes[new] = _split_of_new(rows, new, time, stored)
    n_rows = rows.n_rows[new]
    parts = [f"{n:,} {name}" for code, name in enumerate(SPLITS) if (n := int(n_rows[codes[new] == code].sum()))]
    notes = [f"New since the splits were dealt: {', '.join(parts)}."] if parts else []
    gone = len(stored.units) - int(((at >= 0) & (rows.n_rows > 0)).sum())
    if gone == len(stored.units):
        hint = "If these are other data, deal anew with `mlproj split --redraw`."
        notes.append(f"None of the {gone:,} units of the stored splits is in the data: all rows count as new. {hint}")
    elif gone:
        notes.append(f"{gone:,} units of the stored splits are not in the data now; they keep their places.")
    return codes, notes


def salt_of(seed: int, redraws: int, purpose: str) -> str:
    """What the hash of a deal is salted with.

    Train-dev is drawn by a hash of its own, because what is left over from dev and test has only high hashes.
    """
    return f"mlproj/{seed}/{redraws}/{purpose}"


def _split_of_new(rows: Rows, new: NDArray[np.int64], time: Timeline | None, stored: StoredDeal) -> Codes:
    names = rows.names[new].tolist()
    if time is None:
        place = uniform(hash_units(salt_of(stored.seed, stored.redraws, "held out"), names))
        test, dev = stored.shares["test"], stored.shares["dev"]
        codes = np.where(place < test, TEST, np.where(place < test + dev, DEV, TRAIN))
        codes = np.where(rows.n_target[new] > 0, codes, TRAIN)
    else:
        codes = units_by_time(rows, time, stored.cuts)[new]
    aside = uniform(hash_units(salt_of(stored.seed, stored.redraws, "train_dev"), names)) < stored.shares["train_dev"]
    return np.where((codes == TRAIN) & aside, TRAIN_DEV, codes).astype(np.int8)
