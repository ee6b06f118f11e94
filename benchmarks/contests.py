"""Who is compared with whom in `make bench`: contests, their contenders, and how a contest is run in rounds."""

import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from machine import Failed, clean_environment, measure, without_paths
from rounds import turned
from task import EPOCHS, figures, write_project

PLAIN = "plain PyTorch"
TRAIN, CLI_TRAIN, FIT = "mlproj.train", "mlproj train", "mlproj.training.fit"
SEARCH, HALVED, CLI_SEARCH = "mlproj.search", "mlproj.search, halving", "mlproj search"
OPTUNA, SKLEARN = "plain PyTorch + Optuna", "scikit-learn RandomizedSearchCV, n_jobs=2"
CREW, AUTO, ALONE, FLEET = "fleet", "auto", "one by one", "fleet"
SMALL, LARGE = "64 trials", "256 trials"
FOLDER, ROUND = "{folder}", "{round}"


@dataclass(frozen=True)
class Contender:
    """A command that takes part in a contest.

    Attributes:
        name: What the tables call it.
        words: What follows `python -m`; `{folder}` is a project, `{round}` the number of the round, which is its seed.
        rounds: Rounds that it takes part in at most; all when left out.
        needs: Package without which it is left out.
        threads: Threads that its numerical libraries may use; their own choice when left out.
    """

    name: str
    words: tuple[str, ...]
    rounds: int | None = None
    needs: str = ""
    threads: int | None = None


@dataclass(frozen=True)
class Contest:
    """Contenders that are measured side by side, round by round.

    Attributes:
        key: Its name in the stored results.
        contenders: Who takes part.
        rounds: How often.
        has_store: Whether each round begins with a project that has trained once.
    """

    key: str
    contenders: tuple[Contender, ...]
    rounds: int = 5
    has_store: bool = False


def contests(*, quick: bool = False, halves: bool = False) -> list[Contest]:
    """All contests, as small ones when they are only to be tried.

    Args:
        quick: One round, little work.
        halves: Whether this mlproj knows `search.halving: auto`.
    """
    epochs = ("--epochs", str(2 if quick else EPOCHS))
    fixed = ("--set", f"training.epochs={epochs[1]}", "--quiet", "--json")
    small = ("--quick",) if quick else ()
    trials = "4" if quick else "64"
    found = [
        Contest("peak", (Contender("peak", ("contenders.peak",)),), rounds=1 if quick else 3),
        Contest("one_inside", tuple(_inside(epochs)), has_store=True),
        Contest("one_whole", tuple(_whole(epochs, fixed)), has_store=True),
        Contest("many", tuple(_many(epochs, fixed, trials, halves=halves)), has_store=True),
        Contest("trials", tuple(_trials(epochs, quick=quick)), has_store=True),
        Contest("members", tuple(_growth("members", (("crew", CREW), ("plain", PLAIN)), small)), rounds=3),
        Contest("width", tuple(_engines(small))),
        Contest("rows", tuple(_growth("rows", (("", FIT), ("plain", PLAIN)), small)), rounds=3),
        Contest("memory", (Contender("fleet", ("contenders.growth", "memory", *small)),), rounds=1),
    ]
    return [_once(contest) for contest in found] if quick else found


def _once(contest: Contest) -> Contest:
    return Contest(contest.key, contest.contenders, 1, contest.has_store)


def _inside(epochs: tuple[str, ...]) -> list[Contender]:
    """One training, several times in one process."""
    one = partial(_loop, "contenders.one", epochs)
    return [
        one(PLAIN, "plain"),
        Contender(TRAIN, ("contenders.ours", "train", FOLDER, *epochs)),
        Contender(FIT, ("contenders.ours", "fit", FOLDER, *epochs)),
        one("scikit-learn MLPClassifier", "with_sklearn"),
        one("skorch", "with_skorch", rounds=3, needs="skorch"),
        one("Lightning", "with_lightning", rounds=3, needs="lightning"),
    ]


def _whole(epochs: tuple[str, ...], fixed: tuple[str, ...]) -> list[Contender]:
    """One training as a whole process, imports and all."""
    one = partial(_loop, "contenders.one", (*epochs, "--repeats", "1"))
    return [
        one(PLAIN, "plain"),
        Contender(CLI_TRAIN, ("mlproj", "--project", FOLDER, "train", *fixed)),
        one("skorch", "with_skorch", rounds=3, needs="skorch"),
        one("Lightning", "with_lightning", rounds=3, needs="lightning"),
    ]


def _many(epochs: tuple[str, ...], fixed: tuple[str, ...], trials: str, *, halves: bool) -> list[Contender]:
    """A search."""
    size = (*epochs, "--trials", trials)
    seeded = (*size, "--seed", ROUND)
    search, many = ("contenders.ours", "search", FOLDER, *size), partial(_loop, "contenders.many", seeded)
    cli = ("mlproj", "--project", FOLDER, "search", "--trials", trials, *fixed)
    full = ("--set", "search.halving=none")  # said, whatever the default is
    found = [
        many(OPTUNA, "plain"),
        Contender(SEARCH, search),
        Contender(CLI_SEARCH, (*cli, *full)),
        Contender(f"{SEARCH}, engine fleet", (*search, "--engine", "fleet"), rounds=3),
        Contender(f"{SEARCH}, engine process", (*search, "--engine", "process"), rounds=3),
    ]
    if halves:
        process = (*search, "--engine", "process", "--halving", "auto")
        found += [
            Contender(HALVED, (*search, "--halving", "auto")),
            Contender(f"{CLI_SEARCH}, halving", (*cli, "--set", "search.halving=auto")),
            Contender(f"{HALVED}, engine process", process, rounds=3),
        ]
    return [
        *found,
        Contender(SKLEARN, ("contenders.sklearn_search", *seeded)),
        many(f"{OPTUNA}, 2 processes", "plain", extra=("--workers", "2"), rounds=3),
        Contender("Ray Tune", ("contenders.ray_search", *seeded), rounds=1, needs="ray", threads=1),
        many("skorch + Optuna", "with_skorch", rounds=1, needs="skorch"),
        many("Lightning + Optuna", "with_lightning", rounds=1, needs="lightning"),
    ]


def _trials(epochs: tuple[str, ...], *, quick: bool) -> list[Contender]:
    """The same search with four times the trials."""
    sizes = {SMALL: 2, LARGE: 8} if quick else {SMALL: 64, LARGE: 256}
    base = ("contenders.ours", "search", FOLDER, *epochs, "--trials")
    return [Contender(name, (*base, str(n))) for name, n in sizes.items()]


def _engines(small: tuple[str, ...]) -> list[Contender]:
    """The same jobs on each engine."""
    names = {ALONE: "process", AUTO: "auto", FLEET: "fleet"}
    return [
        Contender(name, ("contenders.growth", "width", "--engine", engine, *small)) for name, engine in names.items()
    ]


def _growth(kind: str, sides: Sequence[tuple[str, str]], small: tuple[str, ...]) -> list[Contender]:
    """Ours and the plain loop on one core."""
    words = {True: f"plain-{kind}", False: kind}
    return [Contender(name, ("contenders.growth", words[side == "plain"], *small), threads=1) for side, name in sides]


def _loop(
    module: str,
    options: tuple[str, ...],
    name: str,
    loop: str,
    extra: tuple[str, ...] = (),
    rounds: int | None = None,
    needs: str = "",
) -> Contender:
    """A loop by somebody else: with one thread, which is faster here than two."""
    return Contender(name, (module, loop, *options, *extra), rounds, needs, threads=1)


def run(contest: Contest, tell: Callable[[str], None]) -> tuple[list[dict[str, dict[str, float]]], list[str]]:
    """Runs a contest; its rounds, and what was left out or failed.

    Each contender is a fresh process; the order turns from round to round.

    Args:
        contest: The contest.
        tell: Called with a line after each process.
    """
    missing = [each for each in contest.contenders if each.needs and not importlib.util.find_spec(each.needs)]
    notes = [f"{each.name} was left out: {each.needs} is not installed" for each in missing]
    there = [each for each in contest.contenders if each not in missing]
    rounds: list[dict[str, dict[str, float]]] = []
    for at in range(contest.rounds):
        row: dict[str, dict[str, float]] = {}
        with tempfile.TemporaryDirectory(prefix="mlproj-bench-") as name:
            folder = write_project(Path(name), seed=at)
            if contest.has_store:
                measure([sys.executable, "-m", "mlproj", "train", "--quiet"], folder, clean_environment())
            for each in turned([each for each in there if at < (each.rounds or contest.rounds)], at):
                try:
                    row[each.name] = _measured(each, folder, at)
                except (Failed, ValueError, KeyError) as error:
                    notes.append(f"{each.name} failed: {without_paths(str(error)).replace(name, 'FOLDER')}")
                    tell(notes[-1])
                    continue
                tell(f"{contest.key}, round {at + 1} of {contest.rounds}: {each.name} {row[each.name]['wall']:.2f} s")
        rounds.append(row)
    return rounds, list(dict.fromkeys(notes))


def _measured(contender: Contender, folder: Path, at: int) -> dict[str, float]:
    """What a contender printed, and what its process cost."""
    words = [{FOLDER: str(folder), ROUND: str(at)}.get(word, word) for word in contender.words]
    cost = measure([sys.executable, "-m", *words], folder, clean_environment(contender.threads))
    whole = {"wall": cost.wall, "cpu": cost.cpu, "peak": cost.peak, "others": cost.others}
    return figures(_document(cost.output)) | {name: value for name, value in whole.items() if isfinite(value)}


def _document(output: str) -> dict[str, Any]:
    """The JSON at the end of an output; some libraries write before it."""
    try:
        return json.loads(output)
    except ValueError:
        return json.loads(output.strip().splitlines()[-1])


def knows_halving() -> bool:
    """Whether this mlproj can end trials early."""
    from mlproj.spec.search import Search

    try:
        Search.model_validate({"halving": "auto"})
    except ValueError:
        return False
    return True
