"""What corrected labels mean for what was measured before: notes for every comparison, and an alarm."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlproj.errors import InputError, MlprojError
from mlproj.records import Predictions, Run
from mlproj.workflow.record import CORRECTIONS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlproj.error_analysis import Manifest
    from mlproj.spec.project import Project
    from mlproj.workflow.sheets import Shelf
    from mlproj.workflow.subject import Subjects

_FEWEST = 20
"""Examples that each half must hold before anything is said of it."""


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

    Example:
        >>> note_one_sided({"dev": 3, "test": 1}, {"train": 900, "dev": 50, "test": 50})
        '3 labels of dev were corrected, but none of train: gaps between them hold the noise of the labels too.'
    """
    n = counts.get("dev", 0)
    left = [name for name in ("test", "train_dev", "train") if sizes.get(name) and not counts.get(name)]
    if not n or not left:
        return None
    spoken = [name.replace("_", "-") for name in left]
    named = " and ".join([part for part in (", ".join(spoken[:-1]), spoken[-1]) if part])
    were = "label of dev was" if n == 1 else "labels of dev were"
    return f"{n:,} {were} corrected, but none of {named}: gaps between them hold the noise of the labels too."


def note_pair(a: Run | None, b: Run | None) -> str | None:
    """The warning that two runs were held against different corrections; None where they were not."""
    if a is None or b is None or corrections_of(a).get("digest", "") == corrections_of(b).get("digest", ""):
        return None
    older, newer = (a, b) if a.started <= b.started else (b, a)
    return f"Labels were corrected between {older.name} and {newer.name}: their figures are by different labels."


def note_since(run: Run | None, project: "Project | None") -> str | None:
    """The warning that labels were corrected since a run was made; None where they were not, or nobody can tell.

    Args:
        run: A stored run.
        project: The project around it as it is now.
    """
    if run is None or project is None:
        return None
    then, now = corrections_of(run).get("digest", ""), _digest_now(project)
    if now is None or then == now:
        return None
    return (
        f"Labels were corrected since {run.name} was made: its figures are by the labels of then. "
        f"Train anew to see it by those of now: mlproj train --like {run.name}"
    )


def notes_on_runs(runs: "list[Run] | tuple[Run, ...]", project: "Project") -> list[str]:
    """What to know of a list of runs whose labels differ: those of other labels are not ranked with the newest."""
    models = [run for run in runs if run.kind in ("train", "search", "record") and run.status == "FINISHED"]
    now = _digest_now(project)
    stale = [run for run in models if now is not None and corrections_of(run).get("digest", "") != now]
    if not stale:
        return []
    were = "was" if len(stale) == 1 else "were"
    count = f"{len(stale):,} of {len(models):,} runs" if len(models) > 1 else stale[0].name
    return [f"{count} {were} measured before the labels were corrected as they are now: their figures do not compare."]


def _digest_now(project: "Project") -> str | None:
    """Digest of the corrections outside of test as they are now; None when they cannot be read."""
    if project.data.corrections is None:
        return ""
    from mlproj.data.corrections import read_of
    from mlproj.data.corrections_file import digest_of
    from mlproj.data.store import deal_file, read_deal
    from mlproj.track import store_for

    try:
        rows, _ = read_of(project)
        deal = read_deal(deal_file(store_for(project).splits, project.name), project)
        if deal is None or project.data.group is not None:  # the deal knows groups, not who is in them
            from mlproj.data import load_dataset

            return load_dataset(project, store=store_for(project).splits, save=False).corrections_digest
    except (InputError, OSError):
        return None
    sealed = set(deal.units[deal.split == "test"].tolist())
    unit = {row.id: row.id if project.data.id else row.id.partition("#")[0] for row in rows}  # equal rows: a#2, a#3
    return digest_of([row for row in rows if unit[row.id] not in sealed])


def alarm(manifest: "Manifest", then: Predictions, now: Predictions) -> str | None:
    """The alarm that the half of dev that people look at is overfitted; None where nothing says so.

    Args:
        manifest: The sheet that was drawn.
        then: Answers of the run that it shows.
        now: Answers of a later run.
    """
    from mlproj.error_analysis.overfit import improvement_gap
    from mlproj.error_analysis.sample import eyeball
    from mlproj.workflow.parts import losses_of

    pair = _same_examples(then.part("dev"), now.part("dev"))
    if pair is None:
        return None
    before, after = pair
    (first, is_rate, known), (second, _, _) = losses_of(before, None), losses_of(after, None)
    seen = eyeball(after.ids, after.group, seed=manifest.eyeball_seed)[known]
    if min(int(seen.sum()), int((~seen).sum())) < _FEWEST:
        return None
    weight = None if after.weight is None else after.weight[known]
    group = None if after.group is None else after.group[known]
    gap, low, high = improvement_gap(first[known], second[known], seen, weight, group, is_rate=is_rate)
    if high >= 0:
        return None
    unit, scale = (" points", 100) if is_rate else ("", 1)
    return (
        f"Since {manifest.sheet} the half of dev that was looked at improved by {-gap * scale:.3g}{unit} more than the "
        f"other ({-high * scale:.3g} to {-low * scale:.3g}): it is overfitted. Draw another half: "
        f"`error_analysis: {{eyeball: {manifest.eyeball_seed + 1}}}`."
    )


def overfit_notes(subjects: "Subjects", run: str, project: "Project | None", shelf: "Shelf") -> list[str]:
    """The alarm for the next sheet: how a run stands since the first sheet of this half of dev was drawn.

    Args:
        subjects: Finds the runs.
        run: Id of the run that the next sheet shows; "" for the answers in a file.
        project: The project around it.
        shelf: Where the manifests lie.
    """
    if not run or project is None:
        return []
    half = project.error_analysis.eyeball
    drawn = [m for m in shelf.all() if m.run not in ("", run) and m.eyeball_seed == half]
    now = subjects.find(run, project).predictions if drawn else None
    for manifest in sorted(drawn, key=lambda each: each.created):  # since the first, everybody may have looked
        try:
            then = subjects.find(manifest.run, project).predictions
        except MlprojError:
            continue  # that run was deleted; the next sheet may know of one that was not
        if then is not None and now is not None and list(then.labels) == list(now.labels):
            found = alarm(manifest, then, now)
            return [found] if found else []
    return []


def _same_examples(before: Predictions, after: Predictions) -> tuple[Predictions, Predictions] | None:
    """The examples that both answered, in one order and by the labels of the later one; None where there is none."""
    import numpy as np

    place = {name: row for row, name in enumerate(before.ids.tolist())}
    common = [(place[name], row) for row, name in enumerate(after.ids.tolist()) if name in place]
    if not common or list(before.labels) != list(after.labels):
        return None
    old, new = (np.array(rows) for rows in zip(*common, strict=True))
    before, after = before.select(old), after.select(new)
    labels = {}
    for name, answers in before.labels.items():
        other = after.labels[name]
        if answers.is_classification != other.is_classification:
            return None
        truth = (
            other.y_true if not answers.is_classification else _recoded(other.y_true, other.classes, answers.classes)
        )
        labels[name] = replace(answers, y_true=truth)
    return replace(before, labels=labels), after


def _recoded(truth: "NDArray[Any]", theirs: tuple[str, ...], ours: tuple[str, ...]) -> "NDArray[np.int64]":
    """Positions in another list of classes; a class that is not in it counts as one that is never answered."""
    import numpy as np

    codes = [ours.index(name) if name in ours else len(ours) for name in theirs]
    return np.array([*codes, -1], dtype=np.int64)[truth]
