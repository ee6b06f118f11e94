"""Confusion matrices and the per-class table. N examples, K classes; rows are the truth, columns the answers.

>>> import numpy as np
>>> from mlproj.records import Answers
>>> confusion(Answers(np.array([0, 1, 1]), np.array([0, 1, 0]), ("no", "yes")))
array([[1., 0.],
[1., 1.]])
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InvalidInput, Problem
from mlproj.metrics.cells import ratio
from mlproj.metrics.evidence import gather
from mlproj.records import Answers


class ClassRow(NamedTuple):
    """One line of the per-class table.

    Attributes:
        name: The class.
        precision: Share of the answers `name` that are right; 0 when there are none.
        recall: Share of the examples of `name` that are found; 0 when there are none.
        f1: Harmonic mean of both.
        support: Examples of `name`, by weight.
        answered: Answers `name`, by weight.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: float
    answered: float


def confusion(answers: Answers, weight: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """How often each class was answered as each other: truth in rows, answers in columns.

    Args:
        answers: Truth and answers of a classification; examples without a label are left out.
        weight: Weight of each example (N,); without it each counts 1.

    Returns:
        Counts, or sums of weights, (K, K) in the order of `answers.classes`.

    Raises:
        InvalidInput: When there is nothing to count, or the answers are not classes.
    """
    if not answers.is_classification:
        message = "the answers are numbers, which no confusion matrix can hold"
        raise InvalidInput([Problem("confusion", message, "It is for classification.")])
    return gather("confusion", answers, weight).cells


def per_class(answers: Answers, weight: NDArray[Any] | None = None) -> tuple[ClassRow, ...]:
    """Precision, recall, F1 and support of each class.

    Args:
        answers: Truth and answers of a classification; examples without a label are left out.
        weight: Weight of each example (N,); without it each counts 1.

    Returns:
        One row per class, in the order of `answers.classes`; 0/0 is shown as 0.

    Example:
        >>> rows = per_class(Answers(np.array([0, 1, 1]), np.array([0, 1, 0]), ("no", "yes")))
        >>> rows[1]
        ClassRow(name='yes', precision=1.0, recall=0.5, f1=0.666..., support=2.0, answered=1.0)
    """
    cells = confusion(answers, weight)
    right, support, answered = np.diagonal(cells), cells.sum(1), cells.sum(0)
    columns = (ratio(right, answered), ratio(right, support), ratio(2 * right, support + answered), support, answered)
    table = np.stack(columns, axis=1).tolist()
    return tuple(ClassRow(name, *row) for name, row in zip(answers.classes, table, strict=True))
