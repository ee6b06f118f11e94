"""With shuffled labels there is nothing to learn: whoever still does better than chance on dev knows the labels.

The labels of train are permuted against its inputs (Ojala & Garriga 2010, test 1), and the model is trained on them as
usual, several times; dev keeps its own. What such a model answers on dev has nothing to do with the labels there, so
that its balanced accuracy is 1/K on average, whatever the shares of the K classes. A single shuffle may come out lucky,
because dev examples that look alike are right or wrong together; hence the t-interval over several.
"""

import math
import time
from dataclasses import replace

import numpy as np

from mlproj.data import Part
from mlproj.doctor.patient import Patient
from mlproj.doctor.registry import NotApplicable, Seen, check
from mlproj.metrics import measure
from mlproj.training import predict
from mlproj.zoo import OwnEstimator

_SHUFFLES, _SHORT = 10, 0.5
"""Trainings, and how long each is in terms of a short training."""
_FEWEST, _SECONDS = 4, 15.0
"""Trainings after which a slow model may stop, and when."""
_SURE = 0.995
"""One false alarm in 200."""


@check(8, "shuffled-labels", "with shuffled labels dev is left to chance", needs="model", trains=True)
def shuffled_labels(patient: Patient) -> Seen:
    """Trains on shuffled labels a few times and asks whether dev is answered better than by chance."""
    from scipy.stats import t as student

    if "dev" not in patient.small.parts:
        raise NotApplicable("there is no dev set")
    dev, is_regression = patient.small.parts["dev"], patient.is_regression
    chance, metric = _chance(patient, dev), "rmse" if is_regression else "balanced_accuracy"
    if not math.isfinite(chance):
        raise NotApplicable("dev holds no label, or a single class")
    values: list[float] = []
    begin = time.perf_counter()
    while len(values) < _SHUFFLES and (len(values) < _FEWEST or time.perf_counter() - begin < _SECONDS):
        values.append(_shuffled(patient, dev, metric, len(values)))
    if not np.isfinite(values).all():
        raise NotApplicable("a short training diverged")
    mean, n = float(np.mean(values)), len(dev)
    least = chance / math.sqrt(2 * n) if is_regression else math.sqrt(chance * (1 - chance) / n)
    spread = max(float(np.std(values, ddof=1)) / math.sqrt(len(values)), least)
    reach = float(student.ppf(_SURE, len(values) - 1)) * spread
    ahead = chance - mean if is_regression else mean - chance
    numbers = {"metric": metric, "mean": mean, "chance": chance, "values": values, "half_width": reach}
    shown = f"{mean:.3g}" if is_regression else f"{100 * mean:.1f} %"
    known = f"{chance:.3g}" if is_regression else f"{100 * chance:.1f} %"
    text = f"dev {metric.replace('_', ' ')} {shown} ± {reach if is_regression else 100 * reach:.2g}, chance {known}"
    how = f"{len(values)} short trainings on permuted labels; one-sided t, 99.5 %"
    if ahead > reach:
        advice = (
            "The model knows labels of dev that it was not given in training: look for a file that the factory reads, "
            "for weights trained on these data, and for a loss or a source that holds the answers."
        )
        return Seen("fail", text, n, how, advice, numbers)
    return Seen("ok", text, n, how, numbers=numbers)


def _chance(patient: Patient, dev: Part) -> float:
    """What an answer without any knowledge of dev has: 1/K, or the spread around the mean of train."""
    target = patient.dataset.target
    if patient.is_regression:
        mean = float(np.nanmean(patient.small.parts["train"].y))
        return float(np.sqrt(np.nanmean((target.decode(np.zeros((len(dev), 1)), dev.y)[""].y_true - mean) ** 2)))
    truth = target.decode(np.zeros((len(dev), target.n_outputs)), dev.y)
    counts = [len(np.unique(answers.y_true[answers.known])) for answers in truth.values()]
    return float(np.mean([1 / k for k in counts])) if min(counts) > 1 else math.nan


def _shuffled(patient: Patient, dev: Part, metric: str, number: int) -> float:
    """The metric on dev after a training on shuffled labels; without dev no epoch is chosen by it."""
    train = patient.small.parts["train"]
    order = np.random.default_rng((patient.project.seed, number)).permutation(len(train))
    target = patient.dataset.target
    if patient.is_estimator:
        blind = replace(patient.small, parts={**patient.small.parts, "train": replace(train, y=train.y[order])})
        model = replace(patient, dataset=blind).fitted_estimator()
        outputs = _outputs(model, dev)
    else:
        fit = patient.train_briefly(y=train.y[order], dev=False, seed=number, times=_SHORT)
        if fit.outcome.kind == "diverged":
            return math.nan
        sizes = patient.dataset.encoder.sizes
        outputs = predict(patient.project, fit.weights, dev.x, n_outputs=patient.n_outputs, columns=sizes)
    return measure((metric,), target.decode(outputs, dev.y), None)[metric]


def _outputs(model: OwnEstimator, dev: Part) -> np.ndarray:
    import torch

    from mlproj.training.outputs import run_model

    return run_model(model, torch.from_numpy(dev.x))[0].double().numpy()
