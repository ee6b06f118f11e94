"""What corrected labels mean for what was measured before: notes for every comparison, and an alarm."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlproj.records import Predictions, Run
from mlproj.workflow.record import CORRECTIONS

if TYPE_CHECKING:
    from mlproj.error_analysis import Manifest


def corrections_of(run: Run | None) -> dict[str, Any]:
    """Corrected labels by split when a run was made, with their `digest`; empty without any."""
    try:
        found = json.loads(run.tags.get(CORRECTIONS, "{}")) if run else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def note_one_sided(counts: Mapping[str, Any], sizes: Mapping[str, int]) -> str | None:
    """The warning that labels of dev were corrected and those of other splits were not; None where there is none.

    Args:
        counts: Corrected labels by split.
        sizes: Examples by split.
    """
    if not counts.get("dev"):
        return None
    left = [name for name in ("test", "train_dev", "train") if sizes.get(name) and not counts.get(name)]
    if not left:
        return None
    spoken = " and ".join(name.replace("_", "-") for name in left)
    n = counts["dev"]
    text = (
        f"{n:,} {'label' if n == 1 else 'labels'} of dev {'was' if n == 1 else 'were'} corrected, but none of {spoken}"
    )
    return f"{text}: gaps between them hold the noise of the labels too."


def note_pair(a: Run | None, b: Run | None) -> str | None:
    """The warning that two runs were held against different corrections; None where they were not."""
    first, second = corrections_of(a).get("digest", ""), corrections_of(b).get("digest", "")
    if first == second or a is None or b is None:
        return None
    older, newer = (a, b) if a.started <= b.started else (b, a)
    return f"Labels were corrected between {older.name} and {newer.name}: both are judged by the newer labels here."


def alarm(manifest: "Manifest", then: Predictions, now: Predictions) -> str | None:
    """The alarm that the half of dev that people look at is overfitted; None where nothing says so.

    Args:
        manifest: The sheet that was drawn.
        then: Answers of the run that it shows.
        now: Answers of a later run.
    """
    import numpy as np

    from mlproj.error_analysis.overfit import improvement_gap
    from mlproj.error_analysis.sample import eyeball
    from mlproj.workflow.parts import losses_of

    before, after = then.part("dev"), now.part("dev")
    place = {name: row for row, name in enumerate(before.ids.tolist())}
    common = [(place[name], row) for row, name in enumerate(after.ids.tolist()) if name in place]
    if not common or list(before.labels) != list(after.labels):
        return None
    old, new = (np.array(rows) for rows in zip(*common, strict=True))
    before, after = before.select(old), after.select(new)
    (first, is_rate, known), (second, _, known_too) = losses_of(before, None), losses_of(after, None)
    if is_rate:  # both by the labels as they are now
        first = _wrong_by(before, after)
    kept = known & known_too
    seen = eyeball(after.ids, after.group, seed=manifest.eyeball_seed)[kept]
    if min(int(seen.sum()), int((~seen).sum())) < 20:
        return None
    weight = None if after.weight is None else after.weight[kept]
    group = None if after.group is None else after.group[kept]
    gap, low, high = improvement_gap(first[kept], second[kept], seen, weight, group)
    if high >= 0:
        return None
    unit, scale = (" points", 100) if is_rate else ("", 1)
    return (
        f"Since {manifest.sheet} the half of dev that was looked at improved by {-gap * scale:.3g}{unit} more than the "
        f"other ({-high * scale:.3g} to {-low * scale:.3g}): it is overfitted. Draw another half: "
        f"`error_analysis: {{eyeball: {manifest.eyeball_seed + 1}}}`."
    )


def _wrong_by(answers: Predictions, truth: Predictions) -> "Any":
    """Which answers are wrong by another file's truth (N,)."""
    import numpy as np

    ours, theirs = answers.answers, truth.answers
    names = np.array([*theirs.classes, ""], dtype=object)
    given = np.array([*ours.classes], dtype=object)[ours.y_pred]
    return (given != names[theirs.y_true]).astype(np.float64)
