"""What there is to say about a search: the best five, edges, importance, a verdict, as one JSON document."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlproj.diagnose.render import finite
from mlproj.diagnose.rungs import is_rate
from mlproj.metrics import is_feasible
from mlproj.metrics.seeds import t_interval
from mlproj.searching.found import N_FINALISTS, Finalist, Found
from mlproj.searching.importance import importance
from mlproj.searching.matrix import Matrix
from mlproj.searching.rounds import edges, ranked
from mlproj.searching.trials import Trial
from mlproj.searching.verdict import verdict
from mlproj.spec.project import Project
from mlproj.spec.search import Dimension


def describe(found: Found, project: Project, matrix: Matrix | None) -> dict[str, Any]:
    """What a search found, as its JSON document tells it.

    Args:
        found: What it found.
        project: The resolved project, with `search.space`.
        matrix: Answers of the trials on dev, where they were kept.

    Returns:
        `metric`, `satisfy`, `trials`, `complete`, `pruned`, `failed`, `epochs`, `training_seconds`, `best`,
        `finalists`, `rounds`, `verdict`, `edges`, `importance`, `mattered`, `failures`, as JSON knows them.
    """
    optimize, satisfy = str(project.metric.optimize), {str(k): v for k, v in project.metric.satisfy.items()}
    complete = ranked(found.trials, optimize, satisfy)
    failed = [trial for trial in found.trials if trial.state == "failed"]
    trained = [*complete, *found.pruned]
    shown = [_row(trial, optimize, satisfy) for trial in complete[:N_FINALISTS]]
    if found.finalists:
        shown = [_finalist_row(each, optimize, satisfy) for each in found.finalists]
    best = found.best
    declared = project.search.space if project.search and project.search.space else {}
    shares, mattered = importance(trained, declared, optimize)
    return {
        "metric": optimize,
        "satisfy": satisfy,
        "trials": len(trained) + len(failed),
        "complete": len(complete),
        "pruned": len(found.pruned),
        "failed": len(failed),
        "epochs": sum(trial.epochs for trial in trained),
        "training_seconds": round(sum(trial.seconds for trial in trained), 3),
        "best": _row(best, optimize, satisfy) if best else None,
        "finalists": shown,
        "rounds": [{path: _as_written(dimension) for path, dimension in space.items()} for space in found.spaces],
        "verdict": _verdict(found, complete, optimize, satisfy, matrix),
        "edges": [
            {"path": edge.path, "value": edge.value, "end": edge.end, "widened": _as_written(edge.widened)}
            for edge in (edges(project, declared, best.params) if best and len(trained) > N_FINALISTS else ())
        ],
        "importance": shares,
        "mattered": list(mattered),
        "failures": [{"reason": reason, "trials": n} for reason, n in Counter(t.reason for t in failed).most_common()],
    }


def _verdict(
    found: Found, complete: list[Trial], optimize: str, satisfy: Mapping[str, str], matrix: Matrix | None
) -> dict[str, Any] | None:
    if found.finalists:
        first, *others = found.finalists
        second = others[0] if others else None
        values = [[each[optimize] for each in finalist.metrics] for finalist in found.finalists[:2]]
        return verdict(
            _averaged(first),
            _averaged(second) if second else None,
            optimize=optimize,
            satisfy=satisfy,
            matrix=matrix,
            seeds=(values[0], values[1]) if second else None,
        )
    if not complete:
        return None
    return verdict(
        complete[0], complete[1] if len(complete) > 1 else None, optimize=optimize, satisfy=satisfy, matrix=matrix
    )


def _averaged(finalist: Finalist) -> Trial:
    return replace(finalist.trial, metrics=finalist.mean())


def _row(trial: Trial, optimize: str, satisfy: Mapping[str, str]) -> dict[str, Any]:
    return {
        "number": trial.number,
        "run_id": trial.run_id,
        "params": dict(trial.params),
        "value": finite(trial.metrics.get(optimize)),
        "feasible": is_feasible(trial.metrics, satisfy),
        "metrics": {name: finite(trial.metrics[name]) for name in (optimize, *satisfy) if name in trial.metrics},
    }


def _finalist_row(finalist: Finalist, optimize: str, satisfy: Mapping[str, str]) -> dict[str, Any]:
    """A finalist by the mean of its seeds with its t-interval; `value` is the search's own, `metrics` are means."""
    mean = finalist.mean()
    values = [each[optimize] for each in finalist.metrics]
    _, low, high = t_interval(values)
    if is_rate(optimize):  # a t-interval knows nothing of 0 and 1
        low, high = max(low, 0.0), min(high, 1.0)
    return _row(finalist.trial, optimize, satisfy) | {
        "feasible": is_feasible(mean, satisfy),
        "metrics": {name: finite(mean[name]) for name in (optimize, *satisfy) if name in mean},
        "mean": finite(mean.get(optimize)),
        "low": finite(low),
        "high": finite(high),
        "seeds": values,
    }


def _as_written(dimension: Dimension) -> dict[str, Any]:
    return dimension.model_dump(mode="json")
