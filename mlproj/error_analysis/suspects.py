"""Labels that look wrong, judged by a model's own probabilities. N examples, K classes."""

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InvalidInput, Problem
from mlproj.records import Answers

Floats = NDArray[np.float64]


def self_confidence(answers: Answers) -> Floats:
    """Probability that the model gives to the label as it stands (N,).

    Self-confidence of Northcutt, Jiang & Chuang 2021 (Confident Learning), section 3; low means suspicious.

    Example:
        >>> answers = Answers(np.array([0, 1]), np.array([1, 1]), ("no", "yes"), np.array([[0.1, 0.9], [0.2, 0.8]]))
        >>> self_confidence(answers).tolist()
        [0.1, 0.8]
    """
    p = _probabilities(answers)
    return np.asarray(p[np.arange(len(p)), answers.y_true], np.float64)


def normalised_margin(answers: Answers) -> Floats:
    """(p of the label − the largest other p + 1) / 2, from 0 to 1 (N,); below ½ the model prefers another class.

    Normalised margin of Northcutt, Jiang & Chuang 2021, as cleanlab scales it to [0, 1].

    Example:
        >>> answers = Answers(np.array([0, 1]), np.array([1, 1]), ("no", "yes"), np.array([[0.1, 0.9], [0.2, 0.8]]))
        >>> normalised_margin(answers).round(3).tolist()
        [0.1, 0.8]
    """
    p = _probabilities(answers)
    own = self_confidence(answers)
    others = p.copy()
    others[np.arange(len(p)), answers.y_true] = -np.inf
    return np.asarray((own - others.max(axis=1) + 1) / 2, np.float64)


def suspicion(answers: Answers) -> Floats:
    """How much each label looks wrong (N,), from 0 to 1: 1 − normalised margin, ties broken by self-confidence.

    Raises:
        InvalidInput: When there are no probabilities to judge by.
    """
    return np.asarray(np.clip(1 - normalised_margin(answers) + 1e-9 * (1 - self_confidence(answers)), 0, 1), np.float64)


def _probabilities(answers: Answers) -> Floats:
    if answers.p is None or not answers.is_classification:
        hint = "Give p_<class> columns, or draw from the errors: --from dev"
        raise InvalidInput([Problem("--from", "suspects needs probabilities of classes, and there are none", hint)])
    return answers.p
