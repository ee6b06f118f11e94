"""Ladders whose truth is known: Gaussian mixtures with a known posterior, real networks, samples that are really drawn.

A `World` is a classification task. Its classes are mixtures of Gaussians, so the posterior p(class | x) is a formula,
and with it the Bayes error, the error of an annotator and that of a trained network are known to a tenth of a point
from a million fresh examples (`Pool`). Dials make one gap large: width, training steps, examples to train on, inputs
that shift, classes that shift, and a choice among hundreds of models on a tiny dev set; label noise makes all of it
harder to see.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bits = NDArray[np.bool_]
POOL = 1_000_000
RUNGS = ("human", "train", "train_dev", "dev", "test")
GAPS = ("avoidable_bias", "variance", "data_mismatch", "overfitting_to_dev")
_CHUNK = 100_000


@dataclass(frozen=True)
class World:
    """A task: each class is a mixture of Gaussians with unit covariance; labels flip with probability `noise`.

    Attributes:
        means: Centres (K, M, D).
        shares: Shares of the classes (K,).
        noise: Chance that a label is another class, whatever the input.
        lapse: Chance that an annotator, who otherwise gives the likeliest class, guesses.
    """

    means: Floats
    shares: Floats
    noise: float
    lapse: float

    def log_densities(self, x: NDArray[Any]) -> Floats:
        """Log density of each class at x, up to a constant (N, K)."""
        k, m, d = self.means.shape
        flat = self.means.reshape(-1, d)
        inner = x @ flat.T - 0.5 * np.square(flat).sum(axis=1)
        parts = inner.reshape(len(x), k, m)
        top = parts.max(axis=2, keepdims=True)
        return np.asarray(top[..., 0] + np.log(np.exp(parts - top).mean(axis=2)))

    def posterior(self, x: NDArray[Any], shares: Floats) -> Floats:
        """Probability of each label at x (N, K), noise included."""
        logs = self.log_densities(x) + np.log(shares)
        raw = np.exp(logs - logs.max(axis=1, keepdims=True))
        clean = raw / raw.sum(axis=1, keepdims=True)
        k = len(shares)
        return np.asarray(clean * (1 - self.noise) + (1 - clean) * self.noise / (k - 1))


@dataclass(frozen=True)
class Shift:
    """How the target distribution differs: inputs moved by `move` (D,) with p(y | x) kept, or other class shares."""

    move: Floats | None = None
    shares: Floats | None = None


@dataclass
class Pool:
    """Fresh examples: inputs (N, D), labels (N,), posterior (N, K) and an annotator's answers (N,)."""

    x: NDArray[np.float32]
    y: NDArray[np.int8]
    posterior: NDArray[np.float32]
    human: NDArray[np.int8]

    @property
    def bayes_error(self) -> float:
        """Smallest error possible."""
        return float(1 - self.posterior.max(axis=1).mean())

    @property
    def human_wrong(self) -> Bits:
        """Where the annotator errs (N,)."""
        return np.asarray(self.human != self.y)


def make_world(rng: np.random.Generator, *, classes: int, parts: int, dims: int, noise: float, apart: float) -> World:
    """A task with random centres, `apart` standard deviations from the origin."""
    means = rng.normal(size=(classes, parts, dims))
    means *= apart / np.linalg.norm(means, axis=2, keepdims=True)
    shares = np.sort(rng.dirichlet(np.full(classes, 5.0)))
    return World(means, shares, noise, lapse=float(rng.choice([0.0, 0.01, 0.02])))


def model_free_difficulty(world: World, rng: np.random.Generator) -> Floats:
    """Mean posterior that an example of each class gives to the other classes, were all equally frequent (K,)."""
    even = np.full(len(world.shares), 1 / len(world.shares))
    pool = draw(replace(world, shares=even, noise=0.0), 20_000, rng)
    return np.array([1 - pool.posterior[pool.y == k, k].mean() for k in range(len(even))])


def draw(world: World, n: int, rng: np.random.Generator, shift: Shift | None = None) -> Pool:
    """Draws n examples of a task, shifted where asked."""
    shift = shift or Shift()
    shares = world.shares if shift.shares is None else shift.shares
    k, m, d = world.means.shape
    parts: list[tuple[NDArray[Any], ...]] = []
    for start in range(0, n, _CHUNK):
        size = min(_CHUNK, n - start)
        centre = world.means[rng.choice(k, size, p=shares), rng.integers(0, m, size)]
        x = (centre + rng.normal(size=(size, d)) + (0.0 if shift.move is None else shift.move)).astype(np.float32)
        p = world.posterior(x, shares)
        y = _sample(p, rng)
        human = np.where(rng.random(size) < world.lapse, rng.integers(0, k, size), p.argmax(axis=1))
        parts.append((x, y, p.astype(np.float32), human.astype(np.int8)))
    return Pool(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _sample(p: Floats, rng: np.random.Generator) -> NDArray[np.int8]:
    return (rng.random(len(p))[:, None] > np.cumsum(p, axis=1)[:, :-1]).sum(axis=1).astype(np.int8)


@dataclass(frozen=True)
class Dials:
    """What a network is trained with."""

    width: int
    steps: int
    n_train: int


def train(x: NDArray[Any], y: NDArray[Any], dials: Dials, seed: int) -> Any:
    """Trains a network of one hidden layer (logistic regression for width 0) with L-BFGS for some steps."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # stopping before convergence is one of the dials
        if dials.width == 0:
            model = LogisticRegression(C=1e3, max_iter=dials.steps)
        else:
            layers = (dials.width,)
            model = MLPClassifier(layers, solver="lbfgs", alpha=1e-4, max_iter=dials.steps, random_state=seed)
        return model.fit(x, y)


def answer(model: Any, x: NDArray[Any]) -> NDArray[np.int8]:
    """A network's answers (N,), in chunks."""
    return np.concatenate([model.predict(x[i : i + _CHUNK]) for i in range(0, len(x), _CHUNK)]).astype(np.int8)


@dataclass(frozen=True)
class Case:
    """A trained model with its truth, from which ladders are drawn.

    Attributes:
        dial: Which dial was turned.
        wrong: For each rung, where errors occur among fresh examples (N,); for train, on the training set itself.
        truth: True error of each rung.
        bayes: Bayes error on the training and on the target distribution.
        distributions_differ: Whether a train-dev rung is drawn.
        picks: For a choice on dev: errors of every candidate on fresh examples (C, N); else None.
        parts: Model and data, for tools that want them.
    """

    dial: str
    wrong: dict[str, Bits]
    truth: dict[str, float]
    bayes: tuple[float, float]
    distributions_differ: bool
    picks: Bits | None = None
    parts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Drawn:
    """One ladder: errors counted and examples looked at by rung, and the true error of each rung."""

    dial: str
    counts: dict[str, tuple[int, int]]
    truth: dict[str, float]
    distributions_differ: bool
    share_largest_class: float

    def gaps(self) -> dict[str, float]:
        """True gaps by name."""
        there = [name for name in RUNGS if name in self.truth]
        names = {("human", "train"): GAPS[0], ("train", "train_dev"): GAPS[1], ("train", "dev"): GAPS[1]}
        names |= {("train_dev", "dev"): GAPS[2], ("dev", "test"): GAPS[3]}
        return {names[pair]: self.truth[pair[1]] - self.truth[pair[0]] for pair in pairwise(there)}


_WELL = Dials(width=32, steps=300, n_train=6000)
DIALS: dict[str, tuple[Dials, ...]] = {
    "width": (Dials(1, 200, 6000), Dials(2, 200, 6000)),
    "steps": (Dials(32, 4, 6000), Dials(32, 10, 6000)),
    "n_train": (Dials(32, 400, 80), Dials(32, 400, 250), Dials(32, 400, 800)),
    "none": (_WELL,),
}


def bank(seed: int, pool: int = POOL) -> Iterator[Case]:
    """The trained models of one world: every dial, each on its own distribution and on two shifted ones."""
    rng = np.random.default_rng([2018, seed])
    noise = float(rng.choice([0.0, 0.02, 0.05]))
    shape = {"classes": int(rng.integers(2, 5)), "parts": int(rng.integers(2, 7)), "dims": int(rng.choice([2, 4, 6]))}
    world = make_world(rng, **shape, noise=noise, apart=float(rng.uniform(2.5, 4.5)))
    direction = rng.normal(size=shape["dims"])
    common = np.argsort(model_free_difficulty(world, rng))  # the hard classes are rare at home, and frequent away
    world = replace(world, shares=world.shares[::-1][np.argsort(common)])
    away = world.shares[common[::-1]][np.argsort(common)]
    shifts = {
        "": None,
        "inputs shift": Shift(move=direction / np.linalg.norm(direction) * rng.uniform(1.0, 3.0)),
        "classes shift": Shift(shares=away),
    }
    home = draw(world, pool, rng)
    targets = {name: home if shift is None else draw(world, pool, rng, shift) for name, shift in shifts.items()}
    for dial, settings in DIALS.items():
        for dials in settings:
            fresh = draw(world, dials.n_train, rng)
            model = train(fresh.x, fresh.y, dials, seed)
            at_home = answer(model, home.x) != home.y
            for name, target in targets.items():
                away = at_home if target is home else answer(model, target.x) != target.y
                wrong = {"human": home.human_wrong, "train": answer(model, fresh.x) != fresh.y}
                wrong |= {"train_dev": at_home, "dev": away}
                yield Case(
                    dial=name if dial == "none" and name else dial if not name else f"{dial}, {name}",
                    wrong=wrong,
                    truth={rung: float(bits.mean()) for rung, bits in wrong.items()},
                    bayes=(home.bayes_error, target.bayes_error),
                    distributions_differ=bool(name),
                    parts={"model": model, "train": fresh, "target": target, "wrong": away},
                )


def healthy(seed: int, pool: int = POOL) -> Iterator[Case]:
    """A task that logistic regression solves as well as anything can, with plenty of examples: nothing to close."""
    rng = np.random.default_rng([2019, seed])
    world = make_world(rng, classes=2, parts=1, dims=4, noise=float(rng.choice([0.0, 0.03])), apart=rng.uniform(1.2, 2))
    world = World(world.means, world.shares, world.noise, lapse=0.0)
    home, fresh = draw(world, pool, rng), draw(world, 40_000, rng)
    model = train(fresh.x, fresh.y, Dials(0, 100, 40_000), seed)
    wrong = {"human": home.human_wrong, "train": answer(model, fresh.x) != fresh.y}
    wrong |= dict.fromkeys(("train_dev", "dev"), answer(model, home.x) != home.y)
    truth = {rung: float(bits.mean()) for rung, bits in wrong.items()}
    parts = {"model": model, "train": fresh, "target": home, "wrong": wrong["dev"]}
    for differ in (False, True):
        yield Case("none, healthy", wrong, truth, (home.bayes_error, home.bayes_error), differ, parts=parts)


def chosen_on_dev(seed: int, pool: int = 200_000, candidates: int = 300) -> Case:
    """Hundreds of discriminants on random halves of the features, to be chosen among on a tiny dev set."""
    rng = np.random.default_rng([2020, seed])
    dims = 12
    world = make_world(rng, classes=2, parts=1, dims=dims, noise=0.05, apart=1.3)
    home, fresh = draw(world, pool, rng), draw(world, 6000, rng)
    centre = [fresh.x[fresh.y == k].mean(axis=0) for k in (0, 1)]
    spread = np.cov(np.concatenate([fresh.x[fresh.y == k] - centre[k] for k in (0, 1)]).T)
    weights, offsets = np.zeros((dims, candidates)), np.zeros(candidates)
    for j in range(candidates):
        used = rng.choice(dims, dims // 2, replace=False)
        weights[used, j] = np.linalg.solve(spread[np.ix_(used, used)], (centre[1] - centre[0])[used])
        odds = np.log(np.mean(fresh.y == 1) / np.mean(fresh.y == 0))
        offsets[j] = odds - weights[:, j] @ (centre[0] + centre[1]) / 2
    on_fresh, on_home = ((part.x @ weights + offsets > 0) != (part.y == 1)[:, None] for part in (fresh, home))
    # people who know no better than the candidates, so that neither bias nor variance is left
    level = float(np.median(on_home.mean(axis=0)))
    wrong = {"human": rng.random(pool) < level, "train": on_fresh.T, "train_dev": home.y < 0}
    return Case("choice on dev", wrong, {"human": level}, (home.bayes_error,) * 2, distributions_differ=False,
                picks=np.ascontiguousarray(on_home.T))  # fmt: skip


def draw_ladder(case: Case, n: int, rng: np.random.Generator) -> Drawn:
    """Draws examples for every rung of a case and counts the errors; train is looked at whole."""
    if case.picks is not None:
        return _draw_chosen(case, n, rng)
    counts = {"human": _count(case.wrong["human"], n, rng)}
    counts["train"] = (int(case.wrong["train"].sum()), len(case.wrong["train"]))
    for name in ("train_dev", "dev") if case.distributions_differ else ("dev",):
        counts[name] = _count(case.wrong[name], n, rng)
    truth = {name: case.truth[name] for name in counts}
    y = case.parts["train"].y
    return Drawn(case.dial, counts, truth, case.distributions_differ, float(np.bincount(y).max() / len(y)))


def _count(wrong: Bits, n: int, rng: np.random.Generator) -> tuple[int, int]:
    return int(wrong[rng.integers(0, len(wrong), n)].sum()), n


def _draw_chosen(case: Case, n: int, rng: np.random.Generator, n_dev: int = 60) -> Drawn:
    """The best of all candidates on a dev set of 60; the true dev rung is what such a choice shows on average."""
    assert case.picks is not None
    pool = case.picks.shape[1]
    errors = case.picks.mean(axis=1)
    shown, true = [], []
    for _ in range(100):
        on_dev = case.picks[:, rng.integers(0, pool, n_dev)].sum(axis=1)
        best = int(on_dev.argmin())
        shown.append(on_dev[best] / n_dev)
        true.append(errors[best])
    on_dev = case.picks[:, rng.integers(0, pool, n_dev)].sum(axis=1)
    best = int(on_dev.argmin())
    train_wrong = case.wrong["train"][best]
    counts = {
        "human": _count(case.wrong["human"], n, rng),
        "train": (int(train_wrong.sum()), len(train_wrong)),
        "dev": (int(on_dev[best]), n_dev),
        "test": _count(case.picks[best], n, rng),
    }
    truth = {"human": case.truth["human"], "train": float(train_wrong.mean()), "test": float(errors[best])}
    truth["dev"] = truth["test"] - float(np.mean(true) - np.mean(shown))
    return Drawn(case.dial, counts, {name: truth[name] for name in counts}, False, 0.5)
