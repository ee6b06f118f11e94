"""The ladder of a recipe for people (`procedure_text`) and for programs (`procedure_document`)."""

from typing import Any

from mlproj.diagnose.render import align, finite, wrap
from mlproj.diagnose.rungs import is_rate
from mlproj.diagnose.seeds import ENOUGH, Procedure
from mlproj.diagnose.words import TITLES, Numbers, choose_numbers, list_titles, show_chance
from mlproj.records import Ladder


def procedure_text(procedure: Procedure, ladder: Ladder, command: str = "") -> str:
    """The gaps of the recipe as a table, and how they compare with those of the run.

    Args:
        procedure: The recipe's gaps.
        ladder: The ladder of one of its runs.
        command: The command that trains further seeds.
    """
    errors = [rung.error for rung in ladder.rungs if rung.error is not None]
    numbers = choose_numbers(errors, is_rate=is_rate(ladder.metric))
    unit = "points" if numbers.is_rate else "size"
    rows = [[f"recipe, {len(procedure.seeds)} seeds", unit, "95 % interval", "spread", "P(largest)", ""]]
    for gap in procedure.gaps:
        mark = "<- named" if gap.name == procedure.named else ""
        cells = [TITLES[gap.name], *_numbers(gap.over.value, gap.over.low, gap.over.high, numbers)]
        rows.append([*cells, numbers.bare(gap.over.spread), show_chance(gap.p_largest), mark])
    said = wrap(procedure_sentence(procedure, ladder))
    return "\n".join([align(rows, "lrlrrl"), "", said, *([f"  {command}"] if command else [])])


def _numbers(value: float, low: float, high: float, numbers: Numbers) -> tuple[str, str]:
    limits = f"[{numbers.bare(low, sign=True)}, {numbers.bare(high, sign=True)}]"
    return numbers.bare(value, sign=True), limits


def procedure_sentence(procedure: Procedure, ladder: Ladder) -> str:
    """What holds of this run, what of the recipe, and what would tell where that is open."""
    run, recipe = _said(ladder.verdict.state, ladder.verdict.named), _said(procedure.state, procedure.named)
    if procedure.state == "unresolved":
        recipe = f"cannot tell yet between {list_titles(procedure.candidates)}"
        if len(procedure.candidates) < 2:
            recipe = f"cannot tell yet whether {list_titles(procedure.candidates) or 'any gap'} is worth closing"
    same = (ladder.verdict.state, ladder.verdict.named) == (procedure.state, procedure.named)
    if same and procedure.state != "unresolved":
        text = f"Of this run and of the recipe (any seed): {recipe}."
    else:
        text = f"Of this run: {run}. Of the recipe (any seed): {recipe}."
    if procedure.state != "unresolved":
        return text
    if procedure.more_seeds is None:
        return f"{text} More seeds alone would not tell: the sets are too small, or the gaps too much alike."
    plural = "s" * (procedure.more_seeds != 1)
    return f"{text} About {procedure.more_seeds} more seed{plural} would, if means and spread stay what they are:"


def _said(state: str, named: str | None) -> str:
    words = {"nothing_to_close": "no gap is worth closing", "past_human": "past human level"}
    return TITLES[named] if named else words.get(state, "unresolved")


def conditional_note(n_seeds: int) -> str:
    """What a ladder says that speaks of one run, for lack of seeds.

    Args:
        n_seeds: Seeds that there are.

    Example:
        >>> print(conditional_note(1))
        All this is conditional on this run; another seed has another ladder. With 3 seeds (the store holds 1) ...
    """
    return (
        "All this is conditional on this run; another seed has another ladder. "
        f"With {ENOUGH} seeds (the store holds {n_seeds or 'no fresh one'}) the gaps of the recipe are shown as well:"
    )


def procedure_document(procedure: Procedure, ladder: Ladder) -> dict[str, Any]:
    """The recipe's gaps as JSON."""
    return {
        "seeds": list(procedure.seeds),
        "gaps": [
            {
                "name": gap.name,
                "size": finite(gap.over.value),
                "low": finite(gap.over.low),
                "high": finite(gap.over.high),
                "spread": finite(gap.over.spread),
                "seeds": gap.over.seeds,
                "degrees": finite(gap.over.degrees),
                "p_largest": finite(gap.p_largest),
                "n": dict(gap.n),
                "method": gap.over.method,
            }
            for gap in procedure.gaps
        ],
        "state": procedure.state,
        "named": procedure.named,
        "candidates": list(procedure.candidates),
        "more_seeds": procedure.more_seeds,
        "text": procedure_sentence(procedure, ladder),
    }
