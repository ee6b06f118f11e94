"""Weights of examples, from a column or a rule. N examples."""

import numpy as np
from numpy.typing import NDArray

from mlproj.data.cells import read_numbers
from mlproj.data.problems import Remarks
from mlproj.data.table import Table
from mlproj.data.where import evaluate_where
from mlproj.spec.data import WeightColumn, WeightRule
from mlproj.spec.project import Project
from mlproj.spec.where import columns_of, parse_where

Weights = NDArray[np.float64]


def read_weights(project: Project, table: Table, known: NDArray[np.bool_], remarks: Remarks) -> Weights | None:
    """The weights of all rows (N,); None when all weigh 1. NaN only in rows without a label.

    Args:
        project: With `data.weight`.
        table: All rows.
        known: Mask (N,) of the labelled rows; the others need no weight.
        remarks: Takes what is wrong with them, and what a user should know.
    """
    match project.data.weight:
        case WeightRule() as rule if set(columns_of(parse_where(rule.where))) <= set(table.frame.columns):
            return _by_rule(project, table, known, rule, remarks)
        case WeightColumn(column=name) if name in table.frame.columns:
            return _by_column(project, table, known, name, remarks)
    return None


def _by_rule(
    project: Project, table: Table, known: NDArray[np.bool_], rule: WeightRule, remarks: Remarks
) -> Weights | None:
    try:
        chosen = evaluate_where(rule.where, table.frame)
    except ValueError as error:
        remarks.problems.append(project.problem("data.weight.where", f"`{rule.where}`: {error}"))
        return None
    n = int((chosen & known).sum())
    if known.any() and n in (0, int(known.sum())):
        which = "no" if n == 0 else "every"
        warning = f"data.weight: `{rule.where}` is true for {which} row, so all rows weigh the same."
        remarks.warnings.append(warning)
    return np.where(chosen, rule.value, 1.0)


def _by_column(project: Project, table: Table, known: NDArray[np.bool_], name: str, remarks: Remarks) -> Weights:
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
    remarks.problems.extend(problems)
    return values
