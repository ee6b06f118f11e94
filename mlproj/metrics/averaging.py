"""An ensemble's answers: the mean of what its members say. N examples, K classes.

Averaging probabilities cannot do worse than the members do on average: the log loss of the mean is at most the mean of
the log losses, for −log is convex (Jensen), and likewise for squared errors (Krogh & Vedelsby 1995: the error of the
mean is the mean error less the spread between members).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mlproj.records import Answers


def average(members: Sequence[Mapping[str, Answers]], threshold: float | None = None) -> dict[str, Answers]:
    """The mean answer of models to the same examples: of probabilities, or of values in their own unit.

    Args:
        members: Answers by label, one mapping per model.
        threshold: Probability from which a yes/no answer is the positive class; 0.5 when left out.

    Raises:
        ValueError: When a model knows classes but no probabilities.

    Example:
        >>> unknown = np.array([-1])
        >>> a, b = (Answers(unknown, unknown, ("no", "yes"), np.array([[1 - p, p]])) for p in (0.4, 0.9))
        >>> mean = average([{"": a}, {"": b}])[""]
        >>> mean.p.round(3).tolist(), mean.y_pred.tolist()
        ([[0.35, 0.65]], [1])
    """
    return {label: _mean([each[label] for each in members], threshold) for label in members[0]}


def _mean(answers: Sequence[Answers], threshold: float | None) -> Answers:
    first = answers[0]
    if not first.is_classification:
        return replace(first, y_pred=np.mean([each.y_pred for each in answers], axis=0))
    known = [each.p for each in answers if each.p is not None]
    if len(known) < len(answers):
        raise ValueError("answers without probabilities cannot be averaged")
    p = np.mean(known, axis=0)
    if len(first.classes) == 2:
        y_pred = (p[:, 1] >= (0.5 if threshold is None else threshold)).astype(np.int64)
    else:
        y_pred = p.argmax(axis=1).astype(np.int64)
    return replace(first, y_pred=y_pred, p=p)
