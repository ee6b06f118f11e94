"""Small projects for the doctor, healthy unless a test plants something."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from mlproj.doctor import Patient, examine, select

MakePatient = Callable[..., Patient]


def clouds(n: int = 300, *, k: int = 3, width: int = 6, seed: int = 0) -> pd.DataFrame:
    """K classes around corners of a cube, slightly overlapping."""
    numbers = np.random.default_rng(seed)
    code = numbers.integers(0, k, n)
    x = numbers.normal(size=(n, width)) + 2 * np.eye(k, width)[code]
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(width)])
    return frame.assign(y=np.array(list("abcdef"))[code])


def quantities(n: int = 300, *, seed: int = 0) -> pd.DataFrame:
    """A number that is linear in five features, plus noise."""
    numbers = np.random.default_rng(seed)
    x = numbers.normal(size=(n, 5))
    y = 50 + x @ [10.0, -5.0, 2.0, 0.0, 1.0] + numbers.normal(0, 1, n)
    return pd.DataFrame(x, columns=[f"x{i}" for i in range(5)]).assign(y=y)


def wrong(patient: Patient, **options: Any) -> dict[str, str]:
    """Verdicts of all checks that found something, or broke."""
    checkup = examine(patient, select(**options))
    return {each.code: each.verdict for each in checkup.of("warn", "fail", "error")}
