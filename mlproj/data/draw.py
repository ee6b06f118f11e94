"""Who goes where: the first draw of all units, and the way in for units that come later. N examples, U units."""

import datetime
from collections.abc import Mapping

import numpy as np

from mlproj.data.cut import draw, hash_units, uniform
from mlproj.data.sizes import plan_held_out, plan_train_dev
from mlproj.data.store import StoredDeal, find_units, requested_of
from mlproj.data.timecut import choose_cuts, split_by_time, units_by_time
from mlproj.data.units import DEV, NONE, TEST, TRAIN, TRAIN_DEV, Codes, Counts, Rows
from mlproj.records.predictions import SPLITS, Texts
from mlproj.spec.project import Project

_NO_UNITS: Texts = np.empty(0, dtype="<U1")


def deal_first(project: Project, rows: Rows, redraws: int) -> tuple[Codes, StoredDeal]:
    """Deals the units of a project for the first time.

    Args:
        project: Its `splits` say the sizes.
        rows: The rows and their units.
        redraws: How often the splits were dealt anew before; each time is another deal.

    Returns:
        The split of each unit (U,), −1 where it is left out, and the rules for units to come, without the units; its
        `sizes` are those asked for.
    """
    codes, wanted, cuts = _hold_out(project, rows, salt_of(project.seed, redraws, "held out"))
    n_free = max(int(rows.n_target[rows.free].sum()), 1)
    by_name = {"dev": codes == DEV, "test": codes == TEST}
    shares = {name: int(rows.n_target[rows.free & held].sum()) / n_free for name, held in by_name.items()}
    salt = salt_of(project.seed, redraws, "train_dev")
    wanted["train_dev"], shares["train_dev"] = _draw_train_dev(project, rows, codes, cuts, salt)
    return codes, StoredDeal(
        _NO_UNITS,
        _NO_UNITS,
        seed=project.seed,
        redraws=redraws,
        requested=requested_of(project),
        sizes=wanted,
        shares=shares,
        cuts=cuts,
        dealt=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    )


def enter_new(rows: Rows, stored: StoredDeal) -> tuple[Codes, list[str]]:
    """Puts stored units where they were and lets new ones in, by hash with the shares of the first deal.

    Args:
        rows: The rows and their units; splits that a column or a file gives win over the stored ones.
        stored: The deal so far; with `data.time` new units follow its cut-offs.

    Returns:
        The split of each unit (U,), −1 where it is left out, and notes.
    """
    at = find_units(stored, rows.names)
    by_name = {name: code for code, name in enumerate(SPLITS)}
    known = np.array([by_name[name] for name in stored.split.tolist()] + [NONE], dtype=np.int8)[at]
    codes = np.where(rows.decided != NONE, rows.decided, known)
    new = np.flatnonzero((codes == NONE) & (rows.n_rows > 0))
    if len(new):
        codes[new] = _split_of_new(rows, new, stored)
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


def _hold_out(project: Project, rows: Rows, salt: str) -> tuple[Codes, dict[str, int], dict[str, float]]:
    """The units (U,) cut into train, dev and test, the sizes asked for, and with `data.time` where each part begins."""
    held_out = plan_held_out(
        project,
        n_target=int(rows.n_target.sum()),
        n_free=int(rows.n_target[rows.free].sum()),
        given=rows.n_given,
        has_training=rows.n_given["train"] > 0 or rows.has_extra,
    )
    wanted = {"test": held_out.test, "dev": held_out.dev}
    if rows.time is None:
        return _draw_held_out(rows, wanted, salt), wanted, {}
    cuts = choose_cuts(project, rows, rows.time, held_out)
    codes = np.where(rows.free, units_by_time(rows, cuts), rows.decided)
    return codes, {name: wanted[name] or 1 for name in cuts}, cuts


def _draw_held_out(rows: Rows, wanted: Mapping[str, int], salt: str) -> Codes:
    """Draws test, then dev, from the target units; the other free units become train."""
    codes = rows.decided.copy()
    pool = np.flatnonzero(rows.free & (rows.n_target > 0))
    order = hash_units(salt, rows.names[pool])
    strata = rows.usual_stratum(rows.is_target)[pool]
    for code, name in ((TEST, "test"), (DEV, "dev")):
        left = np.flatnonzero(codes[pool] == NONE)
        drawn = draw(order[left], strata[left], rows.n_target[pool[left]], wanted[name])
        codes[pool[left[drawn]]] = code
    codes[rows.free & (codes == NONE)] = TRAIN
    return codes


def _draw_train_dev(
    project: Project, rows: Rows, codes: Codes, cuts: Mapping[str, float], salt: str
) -> tuple[int, float]:
    """Draws train-dev from the training distribution into `codes`; the size asked for and the share it came to."""
    early = split_by_time(rows.times, cuts) == TRAIN
    n_rows = rows.count(early)
    pool = np.flatnonzero(rows.free & (codes == TRAIN) & (n_rows > 0))
    n_free = int(n_rows[pool].sum())
    want = plan_train_dev(
        project,
        n_training=n_free + rows.n_given["train"] + rows.n_given["train_dev"],
        n_free=n_free,
        given=rows.n_given["train_dev"],
        n_dev=int(rows.n_target[codes == DEV].sum()),
        differ=rows.distributions_differ,
    )
    if not want:
        return 0, 0.0
    order = hash_units(salt, rows.names[pool])
    kind = rows.usual_stratum(early)[pool] * 2 + (rows.n_target[pool] > 0)  # extra and target keep their shares too
    drawn = draw(order, kind, n_rows[pool], want)
    codes[pool[drawn]] = TRAIN_DEV
    return want, int(n_rows[pool[drawn]].sum()) / n_free


def _split_of_new(rows: Rows, new: Counts, stored: StoredDeal) -> Codes:
    names = rows.names[new]
    if rows.time is None:
        place = uniform(hash_units(salt_of(stored.seed, stored.redraws, "held out"), names))
        test, dev = stored.shares["test"], stored.shares["dev"]
        codes = np.where(place < test, TEST, np.where(place < test + dev, DEV, TRAIN))
        codes = np.where(rows.n_target[new] > 0, codes, TRAIN)
    else:
        codes = units_by_time(rows, stored.cuts)[new]
    aside = uniform(hash_units(salt_of(stored.seed, stored.redraws, "train_dev"), names)) < stored.shares["train_dev"]
    return np.where((codes == TRAIN) & aside, TRAIN_DEV, codes).astype(np.int8)
