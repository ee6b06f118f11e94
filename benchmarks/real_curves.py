"""Real learning curves with their tails hidden: the data behind tests/diagnose/curve/real_curves.json.

    python benchmarks/real_curves.py            measures them anew (two minutes) and writes the file

For each data set that scikit-learn ships (digits, breast cancer, wine; diabetes for numbers) a fixed quarter is dev. Of
the other three quarters a random part (a half, and of the larger sets a quarter) plays the data that a user has: seven
sizes in steps of √2, three repeats each (another nested stratified order and another seed). What the user cannot see is
measured too: the error with twice and four times as many examples, the part's own among them, averaged over five draws
of the further examples. Six learners of classes and six of numbers, with scikit-learn's defaults unless said below.

Every number in the file is measured by this script; nothing in it is drawn or smoothed.
"""

import json
import platform
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from mlproj.diagnose.curve.subsets import nested_order

FILE = Path(__file__).resolve().parents[1] / "tests" / "diagnose" / "curve" / "real_curves.json"
Learner = Callable[[int], Any]
CLASSES: dict[str, Learner] = {
    "logistic": lambda _: LogisticRegression(max_iter=500),
    "naive_bayes": lambda _: GaussianNB(),
    "neighbours": lambda _: KNeighborsClassifier(3),
    "tree": lambda seed: DecisionTreeClassifier(random_state=seed),
    "forest": lambda seed: RandomForestClassifier(30, random_state=seed),
    "svm": lambda _: SVC(),
}
NUMBERS: dict[str, Learner] = {
    "linear": lambda _: LinearRegression(),
    "ridge": lambda _: Ridge(10.0),
    "neighbours": lambda _: KNeighborsRegressor(3),
    "tree": lambda seed: DecisionTreeRegressor(random_state=seed, min_samples_leaf=5),
    "forest": lambda seed: RandomForestRegressor(30, random_state=seed),
    "svm": lambda _: SVR(C=100.0),
}
SETS = {"digits": CLASSES, "breast_cancer": CLASSES, "wine": CLASSES, "diabetes": NUMBERS}
N_SIZES, N_REPEATS, N_DRAWS, N_BEYOND = 7, 3, 3, 5


def load(name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Inputs and labels of a data set."""
    found = getattr(datasets, f"load_{name}")()
    return found.data.astype(float), found.target


def measure(
    make: Learner, seed: int, x: NDArray[Any], y: NDArray[Any], rows: NDArray[Any], dev: NDArray[Any]
) -> tuple[float, float]:
    """Error on dev and on the rows trained on: the share of wrong answers, or the root mean squared error."""
    model = make_pipeline(StandardScaler(), make(seed)).fit(x[rows], y[rows])

    def error(of: NDArray[Any]) -> float:
        missed = model.predict(x[of]) - y[of]
        return float(np.mean(missed != 0) if y.dtype.kind == "i" else np.sqrt(np.mean(missed**2)))

    return error(dev), error(rows)


def strata(y: NDArray[Any]) -> NDArray[Any]:
    """Classes, or fifths of a quantity."""
    return y if y.dtype.kind == "i" else np.searchsorted(np.quantile(y, [0.2, 0.4, 0.6, 0.8]), y)


def curves(name: str, learners: dict[str, Learner]) -> Iterator[dict[str, Any]]:
    """The curves of one data set."""
    x, y = load(name)
    kinds = strata(y)
    order = nested_order(kinds, np.random.default_rng(0))
    dev, pool = order[: len(y) // 4], order[len(y) // 4 :]
    for draw in range(N_DRAWS):
        for share in (2, 4) if len(y) > 300 else (2,):
            rng = np.random.default_rng([1, draw, share])
            own = pool[nested_order(kinds[pool], rng)[: len(pool) // share]]
            rest = np.setdiff1d(pool, own)
            for learner, make in learners.items():
                yield {"data": name, "learner": learner, "share": share, "draw": draw, "n_dev": len(dev),
                       **one(make, x, y, kinds, own, rest, dev)}  # fmt: skip


def one(make: Learner, x: Any, y: Any, kinds: Any, own: Any, rest: Any, dev: Any) -> dict[str, Any]:
    """One curve: what the user sees, and what comes later."""
    sizes = np.unique(np.round(len(own) / np.sqrt(2) ** np.arange(N_SIZES)).astype(int))
    orders = [own[nested_order(kinds[own], np.random.default_rng([2, r]))] for r in range(N_REPEATS)]
    seen = [[measure(make, r, x, y, orders[r][:n], dev) for r in range(N_REPEATS)] for n in sizes]
    later = {}
    for ratio in (2, 4):
        more = (ratio - 1) * len(own)
        if more <= len(rest) + 1:
            found = []
            for r in range(N_BEYOND):
                further = rest[nested_order(kinds[rest], np.random.default_rng([3, r]))[:more]]
                found.append(measure(make, 100 + r, x, y, np.concatenate([own, further]), dev)[0])
            later[str(ratio)] = round(float(np.mean(found)), 5)
    return {
        "sizes": sizes.tolist(),
        "dev": [[round(error, 5) for error, _ in row] for row in seen],
        "train": [round(float(np.mean([error for _, error in row])), 5) for row in seen],
        "later": later,
    }


def main() -> None:
    """Measures all curves and writes the file."""
    warnings.simplefilter("ignore")
    found = [curve for name, learners in SETS.items() for curve in curves(name, learners)]
    head = {
        "about": "Measured by benchmarks/real_curves.py (run it to measure anew): errors on a fixed dev set by "
        "training size, three repeats each, and what came later at 2 and 4 times the largest size.",
        "scikit-learn": sklearn.__version__,
        "python": platform.python_version(),
    }
    lines = ",\n".join(json.dumps(curve) for curve in found)
    FILE.write_text(f'{{"head": {json.dumps(head)},\n"curves": [\n{lines}\n]}}\n', encoding="utf-8")
    print(f"{len(found)} curves written to {FILE}")


if __name__ == "__main__":
    main()
