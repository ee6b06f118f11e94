"""The ladder of a recipe for people (`procedure_text`) and for programs (`procedure_document`)."""

from typing import Any

from mlproj.diagnose.render import align, finite, wrap
from mlproj.diagnose.rungs import is_rate
from mlproj.diagnose.seeds import ENOUGH, Procedure, ProcedureGap
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
        cells = [TITLES[gap.name], *_numbers(gap, numbers)]
        rows.append([*cells, numbers.bare(gap.over.spread), show_chance(gap.p_largest), mark])
    said = wrap(procedure_sentence(procedure, ladder))
    return "\n".join([align(rows, "lrlrrl"), "", said, *([f"  {command}"] if command else [])])


def _numbers(gap: ProcedureGap, numbers: Numbers) -> tuple[str, str]:
    """Size and limits, as the ladder writes them."""
    value, low, high = gap.over.value, gap.over.low, gap.over.high
    if gap.name == "avoidable_bias" and value < 0:
        return "none", f"up to {numbers.bare(high, sign=True)}" if high > 0 else ""
    return numbers.bare(value, sign=True), f"[{numbers.bare(low, sign=True)}, {numbers.bare(high, sign=True)}]"


def procedure_sentence(procedure: Procedure, ladder: Ladder) -> str:
    """What holds of this run, what of the recipe, and what would tell where that is open."""
    run, recipe = _said(ladder.verdict.state, ladder.verdict.named), _said(procedure.state, procedure.named)
    same = (ladder.verdict.state, ladder.verdict.named) == (procedure.state, procedure.named)
    if procedure.state != "unresolved":
        return (
            f"Of this run and of the recipe (any seed): {recipe}."
            if same
            else f"Of this run: {run}. Of the recipe (any seed): {recipe}."
        )
    start = "Of this run and of the recipe (any seed): " if same else f"Of this run: {run}. Of the recipe (any seed): "
    return f"{start}{_open(procedure)}"


def _open(procedure: Procedure) -> str:
    """What is open, and what would tell."""
    names = procedure.candidates
    if "training_error" in names:
        return (
            f"{'the training error outweighs the other gaps' if len(names) == 1 else 'unresolved'}; seeds cannot stand "
            "in for a human level."
        )
    text = f"cannot tell yet between {list_titles(names)}."
    if len(names) < 2:
        text = f"cannot tell yet whether {list_titles(names) or 'any gap'} is worth closing."
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
