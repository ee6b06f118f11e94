"""A learning curve for programs: every number with the n behind it and how it was computed."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlproj.diagnose.curve.shape import LAWFUL
from mlproj.diagnose.render import finite
from mlproj.records import Anchor, CurveFit, Extrapolation, LearningCurve

BAND = "Student's t between repeats, moderated over sizes, plus dev sampling; Satterthwaite"
AHEAD = (
    "mean of families by backtest; parametric bootstrap over repeats, joined with the misses of the backtest by the "
    "root of the logarithm of the distance"
)


def curve_document(
    curve: LearningCurve, fits: Sequence[CurveFit], next_command: str = "", *, run: Mapping[str, Any]
) -> dict[str, Any]:
    """The JSON document of `diagnose learning-curve`; numbers that are not finite become null.

    Args:
        curve: The curve.
        fits: The trainings behind it.
        next_command: The command to run next.
        run: Id and name of the run, and how it was chosen.
    """
    far, probe = curve.extrapolation, curve.probe
    return {
        "run": dict(run),
        "metric": curve.metric,
        "scale": curve.scale,
        "n": {"train": curve.n_train, **curve.n},
        "target": {"error": curve.target, "from": curve.target_from or None},
        "human": curve.human,
        "floor": curve.floor,
        "points": [_anchor(anchor, curve) for anchor in curve.anchors],
        "trainings": [_training(fit, curve.metric) for fit in sorted(fits, key=lambda fit: (fit.size, fit.repeat))],
        "shape": {"kind": curve.shape, "at": list(curve.shape_at), "method": curve.shape_method},
        "ahead": None if far is None else _ahead(far),
        "not_extrapolated": curve.why_not or None,
        "doubling": None
        if probe is None
        else {
            "n": [probe.n_half, curve.n_train],
            "gain": _limits(probe.gain),
            "next": {"low": finite(probe.next_gain[0]), "high": finite(probe.next_gain[1])}
            if curve.shape in LAWFUL
            else None,
            "method": "paired over dev examples and repeats, t; next: half to all of it under a power law",
        },
        "most_gain": None
        if curve.most_gain is None
        else {
            **_limits(curve.most_gain),
            "n": curve.n_train,
            "method": "gap to the training error, MOVER of both bands",
        },
        "verdict": {"state": curve.state, "text": curve.text, "advice": curve.advice},
        "recipe": curve.recipe,
        "failed": {"trainings": curve.failed[0], "reason": curve.failed[1] or None},
        "missing": curve.missing,
        "notes": list(curve.notes),
        "next": next_command,
    }


def _limits(found: tuple[float, float, float]) -> dict[str, float | None]:
    return {"value": finite(found[0]), "low": finite(found[1]), "high": finite(found[2])}


def _anchor(anchor: Anchor, curve: LearningCurve) -> dict[str, Any]:
    return {
        "n": anchor.n,
        "trainings": anchor.repeats,
        **{
            split: {
                "error": finite(band.error),
                "low": finite(band.low),
                "high": finite(band.high),
                "spread": finite(band.spread),
                "n": anchor.n if split == "train" else curve.n.get(split),
                "method": BAND,
            }
            for split, band in anchor.bands.items()
        },
    }


def _training(fit: CurveFit, metric: str) -> dict[str, Any]:
    return {
        "n": fit.n,
        "size": fit.size,
        "repeat": fit.repeat,
        "seed": fit.seed,
        **{split: finite(value) for split, value in fit.values.get(metric, {}).items()},
        "outcome": fit.outcome,
        "seconds": round(fit.seconds, 3),
        "new": fit.is_new,
        "key": fit.key,
    }


def _ahead(far: Extrapolation) -> dict[str, Any]:
    needed = None
    if far.needed is not None:
        low, middle, high = far.needed
        needed = {
            "low": low,
            "median": middle,
            "high": high,
            "most": far.bound[0],
            "method": f"{AHEAD}; null: beyond most",
        }
    return {
        "at": [
            {
                "ratio": reach.ratio,
                "n": reach.n,
                "error": reach.error,
                "low": reach.low,
                "high": reach.high,
                "p_target": reach.p_target,
                "method": AHEAD,
            }
            for reach in far.reaches
        ],
        "bound": {"ratio": 10, "n": far.bound[0], "not_below": far.bound[1], "level": 0.975, "method": AHEAD},
        "needed": needed,
        "families": [
            {"name": name, "weight": far.weights.get(name, 0.0), "miss_per_doubling": finite(miss)}
            for name, miss in far.misses.items()
        ],
        "hidden_sizes": far.n_tests,
        "draws": far.draws,
        "line": [{"n": n, "error": error} for n, error in far.line],
    }
