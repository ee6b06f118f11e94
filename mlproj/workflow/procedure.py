"""Other seeds of a run's spec, as the store holds them, and what the ladder of the recipe says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlproj.errors import MlprojError
from mlproj.records import SEEDS, Ladder, Predictions, Run
from mlproj.workflow.seeds import ENOUGH, UNFINISHED, is_same_spec
from mlproj.workflow.subject import Subject

if TYPE_CHECKING:
    from mlproj.diagnose.seeds import Procedure
    from mlproj.track import AbstractTracker

MOST_READ = 30
"""Seeds that are read at most, the newest."""


@dataclass(frozen=True)
class Recipe:
    """What is known of a run's recipe beside the run.

    Attributes:
        seeds: Seeds that the store holds of it, ascending.
        procedure: Its gaps over those; None where they are too few.
        command: The command that trains the seeds that are missing or would tell; empty where none would.
        notes: What was left out.
    """

    seeds: tuple[int, ...]
    procedure: "Procedure | None"
    command: str
    notes: tuple[str, ...] = ()

    def document(self, ladder: Ladder) -> dict[str, Any]:
        """As JSON: `basis` says whether limits hold for the recipe or for this run alone."""
        from mlproj.diagnose.seeds_text import procedure_document

        nothing: dict[str, Any] = {
            "seeds": list(self.seeds),
            "gaps": [],
            "state": None,
            "named": None,
            "candidates": [],
        }
        nothing |= {"more_seeds": max(ENOUGH - len(self.seeds), 0) or None, "text": self.note}
        found = nothing if self.procedure is None else procedure_document(self.procedure, ladder)
        basis = "this run" if self.procedure is None else "seeds and examples"
        return {"basis": basis, **found, "command": self.command or None, "notes": list(self.notes)}

    def text(self, ladder: Ladder) -> str:
        """The table of the recipe's gaps with its sentence; how to get there where there are too few seeds."""
        from mlproj.diagnose.render import wrap
        from mlproj.diagnose.seeds_text import procedure_text

        if self.procedure is not None:
            return procedure_text(self.procedure, ladder, self.command)
        return f"{wrap(self.note)}\n  {self.command}" if self.note else ""

    @property
    def note(self) -> str:
        """What to say where there are too few seeds; empty otherwise."""
        from mlproj.diagnose.seeds_text import conditional_note

        if self.procedure is not None or not self.command:
            return ""
        return conditional_note(len(self.seeds))


def recipe_of(
    tracker: "AbstractTracker", subject: Subject, ladder: Ladder, *, by_hand: Sequence[str] = ()
) -> Recipe | None:
    """The ladder of a run's recipe, from all seeds of it that the store holds.

    A trial of a search is left out itself: it was chosen among others for its dev error, so only trainings made since,
    with fresh seeds, speak of its recipe.

    Args:
        tracker: The store.
        subject: The run.
        ladder: Its ladder.
        by_hand: Rungs that were given by hand; with any but human level there is nothing to say of other seeds.

    Returns:
        None for what is no training of this project, diverged, or has nothing to name.
    """
    run = subject.run
    if (
        run is None
        or run.outcome == "diverged"
        or run.kind not in ("train", "trial")
        or set(by_hand) - {"human"}
        or not ladder.gaps
    ):
        return None
    found, diverged = _other_seeds(tracker, run)
    members = _read(tracker, subject, found)
    n = len(diverged)
    notes = [f"{n} seed{'s' * (n != 1)} of this recipe diverged and {'are' if n != 1 else 'is'} left out."] if n else []
    procedure = None
    if len(members) >= ENOUGH:
        from mlproj.diagnose.seeds import procedure_of

        differ = bool((subject.splits or {}).get("distributions_differ"))
        procedure = procedure_of(members, ladder, distributions_differ=differ)
    missing = ENOUGH - len(members) if procedure is None else procedure.more_seeds
    taken = [*found, *diverged, _seed_of(run)]
    command = _command(subject, run, max(taken) + 1, missing) if missing and missing > 0 else ""
    return Recipe(tuple(sorted(members)), procedure, command, tuple(notes))


def _seed_of(run: Run) -> int:
    seed = run.params.get("seed", "0")
    return int(seed) if seed.isdigit() else 0


def _other_seeds(tracker: "AbstractTracker", run: Run) -> tuple[dict[int, Run], set[int]]:
    """Finished trainings of the spec by seed, the newest of each, with the run itself; and the seeds that diverged."""
    found: dict[int, Run] = {}
    diverged = set[int]()
    for other in reversed(tracker.runs(kinds=("train",), statuses=("FINISHED",))):
        if other.outcome in UNFINISHED or not is_same_spec(other, run):
            continue
        if other.outcome == "diverged":
            diverged.add(_seed_of(other))
        else:
            found[_seed_of(other)] = other
    if run.kind == "train" and run.outcome not in UNFINISHED:
        found[_seed_of(run)] = run
    return found, diverged - set(found)


def _read(tracker: "AbstractTracker", subject: Subject, found: dict[int, Run]) -> dict[int, Predictions]:
    """Predictions by seed; a run whose files are gone is left out."""
    from mlproj.records.files import read_predictions

    members = {}
    newest = sorted(found.items(), key=lambda entry: -entry[1].started)[:MOST_READ]
    for seed, run in newest:
        if subject.run is not None and run.id == subject.run.id and subject.predictions is not None:
            members[seed] = subject.predictions
            continue
        try:
            members[seed] = read_predictions(tracker.fetch(run.id, "") / "predictions.parquet")
        except (MlprojError, OSError):
            continue
    return members


def _command(subject: Subject, run: Run, first: int, n: int) -> str:
    from mlproj.advise.commands import join

    words = ["train", "--like", run.name, "--set", f"seed={first}", "--seeds", str(n)]
    if SEEDS in run.tags:
        words += ["--name", run.tags[SEEDS]]
    return join(subject.project, *words)
