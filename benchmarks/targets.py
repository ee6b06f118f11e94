"""What mlproj is to reach in `make bench`, and what was reached: pure arithmetic on stored rounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contests import (
    ALONE,
    AUTO,
    CLI_SEARCH,
    CLI_TRAIN,
    FIT,
    HALVED,
    LARGE,
    OPTUNA,
    PLAIN,
    SEARCH,
    SKLEARN,
    SMALL,
    TRAIN,
)  # fmt: skip
from rounds import Round, Spread, ratios, values

Contests = Mapping[str, Sequence[Round]]


@dataclass(frozen=True)
class Target:
    """One figure to reach.

    Attributes:
        text: What is measured.
        most: The largest value that meets it.
        unit: Behind the figure: × for a ratio.
        found: What was measured; None where it was not.
    """

    text: str
    most: float
    unit: str
    found: Spread | None

    @property
    def verdict(self) -> str:
        """Whether the median meets it."""
        if self.found is None:
            return "not measured"
        return "met" if self.found.middle <= self.most else "missed"


def targets(contests: Contests) -> list[Target]:
    """All targets.

    Args:
        contests: Stored rounds by contest.
    """

    def ratio(contest: str, measure: str, name: str, base: str) -> Spread | None:
        return Spread.of(ratios(contests.get(contest, ()), (name, measure), (base, measure)))

    halved = f"{CLI_SEARCH}, halving"
    first = Spread.of(values(contests.get("one_inside", ()), FIT, "first"))
    peak = Spread.of([value / 1000 for value in values(contests.get("memory", ()), "fleet", "peak")])
    worst = worst_case(contests.get("width", ()))
    return [
        Target("one training, tracked, in a process that has trained before, to the plain loop", 0.6, " ×",
               ratio("one_inside", "warm", TRAIN, PLAIN)),
        Target("`mlproj train`, whole process, to the plain script", 1.0, " ×",
               ratio("one_whole", "wall", CLI_TRAIN, PLAIN)),
        Target("first training after `import torch`", 0.3, " s", first),
        Target("64 trials, to plain PyTorch + Optuna, without imports", 0.10, " ×",
               ratio("many", "within", SEARCH, OPTUNA)),
        Target("64 trials, `mlproj search`, to plain PyTorch + Optuna, whole process", 0.10, " ×",
               ratio("many", "wall", CLI_SEARCH, OPTUNA)),
        Target("64 trials, to scikit-learn, without imports", 0.35, " ×", ratio("many", "within", SEARCH, SKLEARN)),
        Target("64 trials, `mlproj search`, to scikit-learn, whole process", 0.35, " ×",
               ratio("many", "wall", CLI_SEARCH, SKLEARN)),
        Target("64 trials with halving, to plain PyTorch + Optuna, without imports", 0.04, " ×",
               ratio("many", "within", HALVED, OPTUNA)),
        Target("64 trials with halving, `mlproj search`, to plain PyTorch + Optuna, whole process", 0.04, " ×",
               ratio("many", "wall", halved, OPTUNA)),
        Target("256 trials to 64", 4.2, " ×",
               Spread.of(ratios(contests.get("trials", ()), (LARGE, "within"), (SMALL, "within")))),
        Target(f"engine auto to one by one, at its worst{f' ({worst[0]})' if worst else ''}", 1.1, " ×",
               worst[1] if worst else None),
        Target("memory of a fleet of 256 perceptrons of width 128", 1.5, " GB", peak),
    ]  # fmt: skip


def worst_case(rounds: Sequence[Round]) -> tuple[str, Spread] | None:
    """The case in which engine auto does worst against one by one, by the median of its ratios; None without rounds.

    Example:
        >>> one = {AUTO: {"32": 1.0, "64": 3.0, "wall": 9.0}, ALONE: {"32": 2.0, "64": 3.0, "wall": 1.0}}
        >>> worst_case([one])
        ('64', Spread(middle=1.0, low=1.0, high=1.0, n=1))
    """
    found = {}
    for case in cases(rounds):
        if spread := Spread.of(ratios(rounds, (AUTO, case), (ALONE, case))):
            found[case] = spread
    return max(found.items(), key=lambda item: item[1].middle) if found else None


def cases(rounds: Sequence[Round]) -> list[str]:
    """The cases of a contest about growth: all measures but those of the process as a whole and further ones of a case.

    Example:
        >>> cases([{"a": {"10": 0.2, "10/error": 0.1, "wall": 3.0}}])
        ['10']
    """
    whole = ("wall", "cpu", "peak", "others")
    return list(
        dict.fromkeys(key for one in rounds for row in one.values() for key in row if not (key in whole or "/" in key))
    )
