"""Weights of examples, from a column or a rule. N examples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlproj.data.cells import read_numbers
from mlproj.data.table import Table
from mlproj.data.where import evaluate_where
from mlproj.errors import Problem
from mlproj.spec.data import WeightColumn, WeightRule
from mlproj.spec.project import Project


@dataclass(frozen=True)
class Weights:
    """The weights as read.

    Attributes:
        of_rows: Weights (N,), or None when all rows weigh 1; NaN only in rows without a label.
        warnings: What a user should know about them.
        problems: What is wrong with them.
    """

    of_rows: NDArray[np.float64] | None = None
    warnings: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


NO_WEIGHTS = Weights()


def read_weights(project: Project, table: Table, known: NDArray[np.bool_]) -> Weights:
    """The weights of all rows.

    Args:
        project: With `data.weight`.
        table: All rows.
        known: Mask (N,) of the labelled rows; the others need no weight.
    """
    match project.data.weight:
        case WeightRule() as rule:
            return _by_rule(project, table, known, rule)
        case WeightColumn(column=name) if name in table.frame.columns:
            return _by_column(project, table, known, name)
    return NO_WEIGHTS


def _by_rule(project: Project, table: Table, known: NDArray[np.bool_], rule: WeightRule) -> Weights:
    try:
        chosen = evaluate_where(rule.where, table.frame)
    except ValueError as error:
        return Weights(problems=(project.problem("data.weight.where", f"`{rule.where}`: {error}"),))
    values = np.where(chosen, rule.value, 1.0)
    n = int((chosen & known).sum())
    if n in (0, int(known.sum())):
        which = "no" if n == 0 else "every"
        return Weights(values, (f"data.weight: `{rule.where}` is true for {which} row, so all rows weigh the same.",))
    return Weights(values)


def _by_column(project: Project, table: Table, known: NDArray[np.bool_], name: str) -> Weights:
    cells = table.frame[name]
    values, bad = read_numbers(cells)
    wrong = (
        (bad & known, "no number"),
        (np.isnan(values) & ~bad & known, "no weight"),
        (np.isinf(values) & known, "infinite"),
        ((values < 0) & known, "below 0"),
    )
    hint = "Every labelled row needs a weight from 0."
    problems = [
        project.problem("data.weight.column", table.name_cells(cells, mask, what), hint)
        for mask, what in wrong
        if mask.any()
    ]
    if not problems and known.any() and not values[known].any():
        problems.append(project.problem("data.weight.column", f"column {name!r} is 0 in every row"))
    return Weights(values, problems=tuple(problems))
