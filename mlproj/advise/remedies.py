"""What to do about a ladder's gaps, and the one next command.

Remedies come from the table in `mlproj.advise.table`; their commands start from the run's resolved spec and change a
key or two, so that the effect of one remedy is seen alone.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import floor, log10

from mlproj.advise import commands
from mlproj.advise.table import ACTIONS, Action, Case
from mlproj.diagnose.gaps import reaches, smallest_worth_closing
from mlproj.diagnose.resolve import round_up
from mlproj.diagnose.rungs import GivenRung, is_rate
from mlproj.records import Ladder, Remedy
from mlproj.spec.project import Project

_CURVE = ("diagnose", "learning-curve")
_FEW = 2
"""Remedies shown for a gap that is not the one to work on."""


def remedies(
    ladder: Ladder,
    *,
    project: Project | None = None,
    run: str | None = None,
    outcome: str | None = None,
    subject: str = "",
) -> tuple[Remedy, ...]:
    """What helps against the gaps of a ladder, the most promising first.

    Args:
        ladder: The ladder.
        project: The resolved spec of the run; without it remedies carry no commands.
        run: Name or id of the run that could be trained on, or a predictions file.
        outcome: How the run's training ended, where it is known.
        subject: Run or predictions file whose errors can be looked at; `run` where it is left out.

    Returns:
        All remedies of the named gap, then two for each other gap worth closing; where no gap is named, those of the
        gaps that remain. None where there is nothing to close.
    """
    verdict = ladder.verdict
    if verdict.state == "nothing_to_close":
        return ()
    found = []
    case = None if project is None else Case(project, _n_of(ladder, "train"), outcome)
    for gap in _gaps_to_close(ladder):
        rows = [
            row for action in _ranked(gap, case) if (row := _remedy(action, gap, ladder, case, run, subject or run))
        ]
        found += rows if gap == verdict.named else rows[:_FEW]
    return tuple(found)


def _gaps_to_close(ladder: Ladder) -> list[str]:
    verdict = ladder.verdict
    if verdict.named is None:
        sizes = {gap.name: gap.size for gap in ladder.gaps}
        # nothing is gained where nothing is lost, and a gap whose rung is missing was not measured
        return [name for name in verdict.candidates if sizes.get(name, 0.0) > 0]
    others = sorted((gap for gap in ladder.gaps if reaches(gap.low, _worth(ladder))), key=lambda gap: -gap.size)
    return [verdict.named, *(gap.name for gap in others if gap.name != verdict.named)]


def _ranked(gap: str, case: Case | None) -> list[Action]:
    """The gap's rows of the table, those that the project gives a reason for first."""
    wanted = "avoidable_bias" if gap == "training_error" else gap
    rows = [
        action
        for action in ACTIONS
        if action.gap == wanted and (not action.needs_reason or (case is not None and action.presses(case)))
    ]
    if case is None:
        return rows
    return sorted(rows, key=lambda action: not action.presses(case))


def _remedy(
    action: Action, gap: str, ladder: Ladder, case: Case | None, run: str | None, subject: str | None
) -> Remedy | None:
    """A row as a remedy for this project; None where it does not apply."""
    why = f"{action.why} ({action.cost})"
    plain = Remedy(action.text, gap, why, None)
    if case is None:
        return plain
    project, changes = case.project, action.change(case)
    if changes is None:
        return None
    if run is None or commands.is_file(run):
        return (
            plain
            if action.tail or action.cost == "a search"
            else replace(plain, command=_data_command(action, ladder, project, subject))
        )
    if action.cost == "a search":
        return replace(plain, command=commands.join(project, "search", "--like", run))
    if not changes:
        found = replace(plain, command=_data_command(action, ladder, project, subject))
        return _with_curve(plain, action, project, run) if action.cost == "new data" else found
    shown = ", ".join(f"{path} {value}" for path, value in changes.items())
    name = f"{run}-{action.tail}"
    return Remedy(f"{action.text}: {shown}", gap, why, commands.train(project, run, changes, name))


def _with_curve(plain: Remedy, action: Action, project: Project, run: str) -> Remedy:
    """New data; against variance with the command that says first whether they will do."""
    if plain.gap != "variance":
        return plain
    why = f"{action.why}; see first whether it will do ({action.cost})"
    return replace(plain, why=why, command=commands.join(project, *_CURVE, run))


def _data_command(action: Action, ladder: Ladder, project: Project, subject: str | None) -> str | None:
    """Commands for gaps that call for other sets, not for another model."""
    gap = action.gap
    if gap == "variance_or_data_mismatch":
        wanted = _wanted(ladder, "train_dev") or 500
        return commands.redraw(project, train_dev=min(wanted, max((_n_of(ladder, "train") or wanted) // 4, 1)))
    if gap == "overfitting_to_dev" and (n_dev := _n_of(ladder, "dev")) and _fits(ladder, project, n_dev):
        return commands.redraw(project, dev=2 * n_dev)
    if gap != "data_mismatch":
        return None
    if not subject:
        return commands.join(project, "check")
    look = commands.mismatch if action.diagnosis else commands.look_at_errors
    return look(project, subject, ladder)


def next_command(
    ladder: Ladder,
    actions: Sequence[Remedy],
    *,
    subject: str = "",
    given: Sequence[GivenRung] = (),
    project: Project | None = None,
    min_gap: float | None = None,
) -> str:
    """The one command to run next, as it stands.

    Named: the first remedy that is a command, else a look at the errors, or a project to begin. Unresolved: the
    diagnosis with a human level, or with the rung that would settle it grown; inside a project the splits dealt anew
    with that size. Nothing left to close: the same ladder with a sharper eye, once.

    Args:
        ladder: The ladder.
        actions: Its remedies.
        subject: Run or predictions file that the ladder speaks of; empty for rungs by hand.
        given: Rungs by hand.
        project: The project, if any.
        min_gap: Smallest gap worth closing, where it was asked for.
    """
    verdict = ladder.verdict
    again = commands.diagnose(ladder, subject, given, project)
    if verdict.state == "unresolved":
        if "variance_or_data_mismatch" in verdict.candidates[:1] and (apart := _first_command(actions)):
            return apart  # deals out a train-dev set: the two cannot be told apart without one
        looked = commands.look_at_errors(project, subject, ladder) if subject else None
        return _settle(ladder, subject, given, project) or _first_command(actions) or looked or again
    if verdict.state == "nothing_to_close":
        return _look_closer(ladder, subject, given, project, min_gap)
    return _first_command(actions) or _look_on(ladder, subject, project)


def _look_on(ladder: Ladder, subject: str, project: Project | None) -> str:
    """What is left to do where no training helps: look at the errors, or begin a project in which trainings can."""
    if subject and ladder.verdict.state != "past_human":  # beyond people, people's eyes see little
        return commands.look_at_errors(project, subject, ladder)
    return commands.join(project, "check") if project is not None else "mlproj init"


def _first_command(actions: Sequence[Remedy]) -> str | None:
    found = [action.command for action in actions if action.command]
    # a learning curve costs some twenty trainings: what costs one goes first
    cheap = [command for command in found if " ".join(_CURVE) not in command]
    return next(iter(cheap or found), None)


def _settle(ladder: Ladder, subject: str, given: Sequence[GivenRung], project: Project | None) -> str | None:
    """The command that would settle an unresolved ladder; None where only more data or another model would."""
    resolve = ladder.verdict.resolve
    if resolve is None:  # constants: how sure they are was not said
        sampled = [rung if rung.name == "human" else replace(rung, n=rung.n or 1000) for rung in given]
        return commands.diagnose(ladder, subject, sampled, project)
    if ladder.rung(resolve["grow"]) is None:
        return _add_missing(ladder, subject, given, project)
    return None if resolve["by"] is None else _grow(ladder, subject, given, project)


def _grow(ladder: Ladder, subject: str, given: Sequence[GivenRung], project: Project | None) -> str | None:
    """The command with the grown rung; None where the rung comes from a file, which only its owner can extend."""
    resolve = ladder.verdict.resolve or {}
    name = resolve["grow"]
    total = (_n_of(ladder, name) or 0) + resolve["by"]
    if any(rung.name == name for rung in given):
        factor = total / (_n_of(ladder, name) or total)
        alike = {other: round_up(factor * (_n_of(ladder, other) or 0)) for other in resolve.get("with", [])}
        sizes = alike | {name: total}
        grown = [replace(rung, n=sizes[rung.name]) if rung.name in sizes else rung for rung in given]
        return commands.diagnose(ladder, subject, grown, project)
    if name == "human" and ladder.people is not None:
        return commands.look_at_errors(project, subject, ladder) if subject else None  # only people can label more
    if name == "human" and (human := ladder.rung("human")) is not None and human.error is not None:
        return commands.diagnose(ladder, subject, given, project, human=f"{human.error:.6g}:{total}")
    if project is None or commands.is_file(subject):
        return None
    if name in ("dev", "train_dev") and _fits(ladder, project, resolve["by"]):
        return commands.redraw(project, **{name: total})
    return commands.join(project, "check")


def _add_missing(ladder: Ladder, subject: str, given: Sequence[GivenRung], project: Project | None) -> str:
    """The diagnosis with the rung that is missing, at a value that the user replaces by the measured one."""
    resolve = ladder.verdict.resolve or {}
    train = ladder.rung("train") or ladder.rung("dev")
    value = _one_digit((train.error if train else None) or 0.0)
    figure = f"{value:.6g}:{resolve['by']}" if resolve["by"] and is_rate(ladder.metric) else f"{value:.6g}"
    if resolve["grow"] == "human":
        return commands.diagnose(ladder, subject, given, project, human=figure)
    extra = GivenRung("train", value, resolve["by"] if is_rate(ladder.metric) else None)
    return commands.diagnose(ladder, subject, [*given, extra], project)


def _look_closer(
    ladder: Ladder, subject: str, given: Sequence[GivenRung], project: Project | None, min_gap: float | None
) -> str:
    """The ladder in the metric that the project optimises, or with half the gap that was worth closing so far."""
    optimize = project.metric.optimize if project is not None else None
    if optimize is not None and optimize != ladder.metric and not given:
        return commands.join(
            project, "diagnose", "bias-variance", *([subject] if subject else []), "--metric", optimize
        )
    if min_gap is not None:  # a sharper eye was had already
        return _look_on(ladder, subject, project)
    return commands.diagnose(ladder, subject, given, project, min_gap=_worth(ladder) / 2)


def _worth(ladder: Ladder, min_gap: float | None = None) -> float:
    """Smallest gap worth closing."""
    if min_gap is not None:
        return min_gap
    dev = ladder.rung("dev")
    return smallest_worth_closing((dev.error if dev else None) or 0.0, is_rate=is_rate(ladder.metric))


def _one_digit(error: float) -> float:
    """Half of an error, rounded to one digit: an example for a figure that nobody has measured yet."""
    half = error / 2
    return round(half, -floor(log10(half))) if half > 0 else 0.0


def _n_of(ladder: Ladder, name: str) -> int | None:
    rung = ladder.rung(name)
    return rung.n if rung is not None else None


def _wanted(ladder: Ladder, name: str) -> int | None:
    resolve = ladder.verdict.resolve
    return resolve["by"] if resolve is not None and resolve["grow"] == name else None


def _fits(ladder: Ladder, project: Project, further: int) -> bool:
    """Whether so many examples can leave the training set without emptying it, by sizes that the project may choose.

    Where other sets would have to grow too, or training data come from elsewhere as well, dealing anew only moves the
    few examples of the target around, the sealed ones among them: more of them have to be collected.
    """
    if project.data.extra or (ladder.verdict.resolve or {}).get("with"):
        return False
    n_train, splits = _n_of(ladder, "train"), project.splits
    chosen_elsewhere = splits.column is not None or isinstance(splits.dev, str) or isinstance(splits.test, str)
    return n_train is not None and further <= n_train // 3 and not chosen_elsewhere
